"""The check that tells when an environment is ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envspec.engine.operations import Forget, RunCommand
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, ledger_addresses, record, spec_of
from envspec.model import Action, Disruption, Resource
from envspec.steps.base import Step, StepList
from envspec.steps.guest import Perform


@dataclass(frozen=True, slots=True)
class HealthSpec:
    """A health check.

    Attributes:
        command: Shell text that exits 0 when all is well.
        workdir: Directory that it runs in.
        uid: Numeric user.
        gid: Numeric group.
        interval: Seconds between two tries.
        timeout: Seconds that one try may take.
        retries: How often to try again.
    """

    command: str
    workdir: str
    uid: int
    gid: int
    interval: float
    timeout: float
    retries: int


class Health(Kind[HealthSpec]):
    """The check runs when it is new, and again whenever something that it stands on has changed."""

    name = "health"
    inside = True
    volatile = True

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return the check that the ledger knows."""
        return ledger_addresses(self.name, world)

    def actual(self, address: str, spec: HealthSpec | None, world: Observed) -> Any:  # noqa: ARG002 - the ledger's word
        """Return the digest of the check that last passed."""
        entry = world.answer.entry(address)
        return {"passed": entry.digest} if entry else None

    def diff(self, resource: Resource, spec: HealthSpec, world: Observed) -> Verdict | None:
        """Ask for a run when this very check has not passed yet."""
        entry = world.answer.entry(resource.address)
        if entry and entry.digest == resource.digest:
            return None
        return Verdict(Action.RUN, f"wait until it passes: {spec.command}", (), Disruption.NONE)

    def affected(self, resource: Resource, spec: HealthSpec, changed: Mapping[str, Verdict]) -> Verdict | None:  # noqa: ARG002 - any change counts
        """Check again when anything that it stands on changes."""
        if any(need in changed for need in resource.needs):
            return Verdict(Action.RUN, "what it checks has changed")
        return None

    def forced(self, resource: Resource, spec: HealthSpec, world: Observed) -> Verdict:  # noqa: ARG002 - always
        """Check again."""
        return Verdict(Action.RUN, "asked for with --replace")

    def removal(self, address: str, world: Observed) -> Verdict | None:  # noqa: ARG002 - there is but one
        """Forget that it passed."""
        return Verdict(Action.DELETE, "no longer in the file")

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Run the check until it passes or its tries are used up."""
        (item,) = work
        sequence = StepList(item.change.address)
        if item.resource is None:
            sequence.then(Perform(setting.guest, Forget((item.change.address,))), detail="forgotten")
            return tuple(sequence.steps)
        spec = spec_of(item, HealthSpec)
        run = RunCommand(
            spec.command,
            spec.workdir,
            spec.uid,
            spec.gid,
            record(
                item.resource,
                command=spec.command,
                interval=spec.interval,
                timeout=spec.timeout,
                retries=spec.retries,
            ),
            retries=spec.retries,
            interval=spec.interval,
            attempt_timeout=spec.timeout,
        )
        longest = (spec.timeout + spec.interval) * (spec.retries + 1) + 10
        sequence.then(Perform(setting.guest, run, longest), detail="healthy")
        return tuple(sequence.steps)
