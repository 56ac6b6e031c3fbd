"""How long an environment is wanted: a moment after which ``envspec gc`` may take it away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from envspec.engine.facts import Answer
from envspec.engine.operations import Forget
from envspec.kinds import names
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, ledger_addresses, record, spec_of
from envspec.model import Action, Cause, Diff, Disruption, Resource
from envspec.steps.base import Step, StepList
from envspec.steps.guest import GrantLease, Perform

WORKSPACE = "lease.workspace"
"""Address of an environment's one lease."""

_UNTIL = "until"


@dataclass(frozen=True, slots=True)
class LeaseSpec:
    """A lease.

    Attributes:
        ttl: Seconds that it lasts, counted from when it was written.
    """

    ttl: float


class Lease(Kind[LeaseSpec]):
    """It is kept in the ledger, so that it changes in place; a new container has it anew."""

    name = "lease"
    inside = True

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return the lease that the ledger knows."""
        return ledger_addresses(self.name, world)

    def actual(self, address: str, spec: LeaseSpec | None, world: Observed) -> Any:  # noqa: ARG002 - the ledger's word
        """Return the seconds that were granted, and until when."""
        entry = world.answer.entry(address)
        return {"ttl": entry.data.get("ttl"), _UNTIL: entry.data.get(_UNTIL)} if entry else None

    def diff(self, resource: Resource, spec: LeaseSpec, world: Observed) -> Verdict | None:
        """Ask for a lease where there is none of this length."""
        entry = world.answer.entry(resource.address)
        if entry and entry.digest == resource.digest:
            return None
        before = entry.data.get("ttl") if entry else None
        was = span(before) if isinstance(before, int | float) else None
        change = (Diff("ttl", was, span(spec.ttl), Cause.SPEC),)
        action = Action.UPDATE if entry else Action.CREATE
        return Verdict(action, f"expires {span(spec.ttl)} after this", change, Disruption.WRITE)

    def removal(self, address: str, world: Observed) -> Verdict | None:  # noqa: ARG002 - there is but one
        """Let the environment stay."""
        return Verdict(Action.DELETE, "no longer in the file: it does not expire", (), Disruption.WRITE)

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Write the moment into the ledger, or forget it."""
        (item,) = work
        sequence = StepList(item.change.address)
        if item.resource is None:
            sequence.then(Perform(setting.guest, Forget((item.change.address,))), detail="does not expire")
            return tuple(sequence.steps)
        ttl = spec_of(item, LeaseSpec).ttl
        sequence.then(GrantLease(setting.guest, record(item.resource, ttl=ttl), ttl, _UNTIL))
        return tuple(sequence.steps)


def span(ttl: float) -> str:
    """Return a duration as people write it: ``8h``, ``1h30m``, ``7d``; a single day is ``24h``."""
    if ttl != int(ttl):
        return f"{ttl:g}s"
    left, parts = int(ttl), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if unit == "d" and (left % size or left < 2 * size):
            continue
        number, left = divmod(left, size)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts)


def expiry(answer: Answer | None, labels: Mapping[str, str]) -> datetime | None:
    """Return when an environment expires, ``None`` when it does not.

    Args:
        answer: What the probe found inside; ``None`` when nobody could look.
        labels: Those of its container, which tell what was true when it was made.
    """
    entry = answer.entry(WORKSPACE) if answer else None
    text = str(entry.data.get(_UNTIL, "")) if entry else "" if answer else labels.get(names.EXPIRES, "")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
