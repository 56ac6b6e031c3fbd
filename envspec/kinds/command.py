"""Commands that run once: setup commands and the installing of repositories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.engine.facts import Questions
from envspec.engine.operations import Forget, Record, RunCommand
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, ledger_addresses, spec_of
from envspec.model import Action, Cause, Diff, Disruption, Resource, digest_of
from envspec.steps.base import Step, StepList
from envspec.steps.guest import Perform


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command.

    Attributes:
        command: Shell text.
        workdir: Directory that it runs in.
        uid: Numeric user.
        gid: Numeric group.
        timeout: Seconds after which it is ended.
        creates: Absolute path that it makes; "" when it names none.
        trigger: What makes it run again when it changes (origin and ref of a repository); "" for nothing.
        occurrence: How many equal commands come before it.
    """

    command: str
    workdir: str
    uid: int
    gid: int
    timeout: float
    creates: str = ""
    trigger: str = ""
    occurrence: int = 0

    @property
    def key(self) -> str:
        """Return what the ledger knows the command by: its text and what triggers it, wherever it stands."""
        parts = [self.command, self.workdir, self.uid, self.creates, self.trigger, self.occurrence]
        return f"command.{digest_of(parts)[:16]}"


class Command(Kind[CommandSpec]):
    """A command is done when the ledger says that it ended well; a failed one runs again."""

    name = "command"
    inside = True

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return the keys of the commands that the ledger knows."""
        return ledger_addresses(self.name, world)

    def identity(self, resource: Resource) -> str:
        """Return the command's key."""
        return _spec(resource).key

    def actual(self, address: str, spec: CommandSpec | None, world: Observed) -> Any:
        """Return whether it ran, and whether what it creates is there."""
        entry = world.answer.entry(spec.key if spec else address)
        if entry is None:
            return None
        return {"done": True, "creates": not (spec and spec.creates) or spec.creates in world.answer.exists}

    def questions(self, resource: Resource, spec: CommandSpec) -> Questions:  # noqa: ARG002 - the spec says all
        """Ask for what the command creates."""
        return Questions(exists=(spec.creates,) if spec.creates else ())

    def diff(self, resource: Resource, spec: CommandSpec, world: Observed) -> Verdict | None:  # noqa: ARG002
        """Ask for a run when it has not ended well yet, or when what it creates is gone."""
        shown = spec.command.strip().splitlines()[0][:80]
        if world.answer.entry(spec.key) is None:
            return Verdict(Action.RUN, shown, (), Disruption.UPDATE)
        if spec.creates and spec.creates not in world.answer.exists:
            diff = (Diff("creates", None, spec.creates, Cause.DRIFT),)
            return Verdict(Action.RUN, f"{spec.creates} is gone: {shown}", diff, Disruption.UPDATE)
        return None

    def forced(self, resource: Resource, spec: CommandSpec, world: Observed) -> Verdict:  # noqa: ARG002 - always
        """Run it again."""
        return Verdict(Action.RUN, "asked for with --replace", disruption=Disruption.UPDATE)

    def removal(self, address: str, world: Observed) -> Verdict | None:
        """Forget that it ran; what it did cannot be undone."""
        entry = world.answer.entry(address)
        shown = str(entry.data.get("command", "")) if entry else ""
        return Verdict(Action.DELETE, f"no longer in the file as it ran; its effects stay: {shown}")

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Run the command, or forget it."""
        (item,) = work
        sequence = StepList(item.change.address)
        if item.resource is None:
            forget = Perform(setting.guest, Forget((item.change.address,)))
            sequence.then(forget, detail="forgotten; its effects stay")
            return tuple(sequence.steps)
        spec = spec_of(item, CommandSpec)
        note = Record(spec.key, spec.key.removeprefix("command."), {"command": spec.command.strip()[:80]})
        run = RunCommand(spec.command, spec.workdir, spec.uid, spec.gid, note, creates=spec.creates)
        sequence.then(Perform(setting.guest, run, spec.timeout), detail="exit code 0")
        return tuple(sequence.steps)


def _spec(resource: Resource) -> CommandSpec:
    spec = resource.spec
    if not isinstance(spec, CommandSpec):
        raise TypeError(f"{resource.address} is not a command")
    return spec
