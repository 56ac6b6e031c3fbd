"""The variables that every shell, exec, command and process inside sees; they live in a tmpfs and nowhere else."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from typing import Any

from envspec.engine.facts import CA_FILE, Questions
from envspec.engine.operations import PutEnvironment
from envspec.kinds.base import Done, Kind, Observed, StepContext, Verdict, Work, cause_of, record, spec_of
from envspec.model import Action, Cause, Diff, Disruption, Hidden, Resource


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """Variables.

    Attributes:
        variables: ``(name, value)`` of each, sorted by name; a :class:`Hidden` value is never shown or digested.
        uid: Numeric owner of the file that holds them.
        gid: Its group.
        ca_digest: SHA-256 of the CA bundle that comes along, "" for none.
        brought: Names of those variables that the host brings and nobody wrote; plans count them and list the rest.
    """

    variables: tuple[tuple[str, str | Hidden], ...]
    uid: int
    gid: int
    ca_digest: str = ""
    brought: tuple[str, ...] = ()


class Environment(Kind[EnvironmentSpec]):
    """Changing a variable never touches the container; a restart loses them and the next apply brings them back."""

    name = "environment"
    inside = True
    volatile = True

    def existing(self, world: Observed) -> tuple[str, ...]:  # noqa: ARG002 - every environment has one
        """Return nothing: it is part of every workspace and goes with it."""
        return ()

    def actual(self, address: str, spec: EnvironmentSpec | None, world: Observed) -> Any:  # noqa: ARG002 - one per env
        """Return the digest of what is there: values stay out of plans."""
        text = world.answer.environment
        if text is None:
            return None
        ca = world.answer.files.get(CA_FILE)
        return {"digest": hashlib.sha256(text.encode()).hexdigest() if not _hides(spec) else "present", "ca": _sha(ca)}

    def questions(self, resource: Resource, spec: EnvironmentSpec) -> Questions:  # noqa: ARG002 - always the same
        """Ask for the CA bundle; the variables are always part of the answer."""
        return Questions(files=(CA_FILE,))

    def diff(self, resource: Resource, spec: EnvironmentSpec, world: Observed) -> Verdict | None:
        """Compare variable by variable."""
        text = world.answer.environment
        known = world.answer.entry(resource.address)
        if text is None:
            written = [(name, value) for name, value in spec.variables if name not in spec.brought]
            added = tuple(Diff(f"env.{name}", None, _shown(value), Cause.SPEC) for name, value in written)
            stopped = world.workspace is not None and world.inside is None
            if known is None and not stopped:
                return Verdict(Action.CREATE, _count(spec), added, Disruption.WRITE)
            lost = tuple(Diff(d.path, None, d.after, Cause.ENGINE) for d in added)
            lost = lost or (Diff("present", False, True, Cause.ENGINE),)
            return Verdict(Action.UPDATE, "a stop emptied the tmpfs that holds them", lost, Disruption.WRITE)
        cause = cause_of(resource, world)
        before, after = parse(text), dict(spec.variables)
        diffs = tuple(
            Diff(f"env.{name}", _mask(before.get(name), after.get(name)), _shown(after.get(name)), cause)
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != _plain(after.get(name))
        )
        ca = _sha(world.answer.files.get(CA_FILE))
        if ca != spec.ca_digest:
            diffs += (Diff("ca_bundle", ca[:12] or None, spec.ca_digest[:12] or None, cause),)
        if diffs:
            return Verdict(Action.UPDATE, ", ".join(d.path for d in diffs), diffs, Disruption.WRITE)
        if known is None or known.digest != resource.digest:
            return Verdict(Action.UPDATE, "in place already: recorded as applied", (), Disruption.NONE)
        return None

    def removal(self, address: str, world: Observed) -> Verdict | None:  # noqa: ARG002 - see existing()
        """Leave it alone."""
        return None

    def apply(self, work: tuple[Work, ...], context: StepContext) -> Done:
        """Write all variables and the CA bundle into the tmpfs, by stdin."""
        (item,) = work
        spec = spec_of(item, EnvironmentSpec)
        assert item.resource is not None
        ca = context.ca_bundle if spec.ca_digest else b""
        text = render(spec.variables)
        context.perform(
            item.change.address, PutEnvironment(text, spec.uid, spec.gid, ca, record(item.resource)), deadline=60
        )
        return Done(_count(spec))


def render(variables: tuple[tuple[str, str | Hidden], ...]) -> str:
    """Return shell text that exports variables."""
    return "".join(f"export {name}={shlex.quote(_plain(value) or '')}\n" for name, value in variables)


def parse(text: str) -> dict[str, str]:
    """Return the variables of a text that :func:`render` made; what does not read so is passed over."""
    try:
        words = shlex.split(text)
    except ValueError:
        return {}
    pairs = (word.partition("=") for word in words if "=" in word)
    return {name: value for name, _, value in pairs}


def _plain(value: str | Hidden | None) -> str | None:
    return value.text if isinstance(value, Hidden) else value


def _shown(value: str | Hidden | None) -> str | None:
    return str(value) if value is not None else None


def _mask(before: str | None, after: str | Hidden | None) -> str | None:
    return str(after) if isinstance(after, Hidden) and before is not None else before


def _hides(spec: EnvironmentSpec | None) -> bool:
    return spec is None or any(isinstance(value, Hidden) for _, value in spec.variables)


def _sha(fact: Any) -> str:
    return fact.sha256 if fact else ""


def _count(spec: EnvironmentSpec) -> str:
    number = len(spec.variables) - len(spec.brought)
    ca = " and its CA bundle" if spec.ca_digest else ""
    brought = f", {len(spec.brought)} of the host{ca}" if spec.brought else ""
    return f"{number} {'variable' if number == 1 else 'variables'}{brought}"
