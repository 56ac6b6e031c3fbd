"""The order of a plan's changes, and what each waits for; pure.

Seven rules, each of which some history needs; they ask for attributes of kinds, never for their names:

1. What is wanted is made in the order in which it needs each other. A change waits for those of what it needs; what
   needs no change is seen through, to what that needs.
2. Removals that free what others may want (a service's ports) come first, and what holds such things waits for them.
3. Removals inside a container wait until the container is as it must be.
4. What contains files is removed after the files that others wrote into it.
5. What writes files inside waits until all that goes inside is gone: a file may take a directory's place.
6. Outside, a removal waits for the changes of what holds things: a network is left before it is removed. A host of
   others goes before everything else that goes.
7. What an interrupted change left is removed before its kind's own change and before every other removal: it may hold
   ports and volumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from envspec.kinds.base import Kind, Verdict
from envspec.model import Action, Change, Desired, Disruption, Resource


def ordered(
    desired: Desired,
    verdicts: Mapping[str, Verdict],
    removals: Mapping[str, Verdict],
    kinds: Mapping[str, Kind[Any]],
) -> tuple[Change, ...]:
    """Return the changes in an order in which they could be carried out one by one, each with what it needs.

    Args:
        desired: What must be.
        verdicts: What differs, by address.
        removals: What is no longer wanted, by address.
        kinds: All kinds, by name.
    """
    return _Order(desired, verdicts, removals, kinds).changes()


@dataclass(frozen=True, slots=True)
class _Order:
    desired: Desired
    verdicts: Mapping[str, Verdict]
    removals: Mapping[str, Verdict]
    kinds: Mapping[str, Kind[Any]]

    def kind(self, address: str) -> Kind[Any]:
        """Return the kind of an address."""
        return self.kinds[address.split(".", 1)[0]]

    def changes(self) -> tuple[Change, ...]:
        """Return all changes in order."""
        made = self._creations()
        freeing = [self._removal(a) for a in sorted(self.removals) if self.kind(a).removed_first]
        outside = [self._behind(change, freeing) for change in made if not self.kind(change.address).inside]
        first = freeing + outside
        rest = [change for change in made if self.kind(change.address).inside]
        return self._behind_leftovers((*first, *self._removals_inside(first), *rest, *self._removals_outside(first)))

    @property
    def _gone_inside(self) -> list[str]:
        return [address for address in self.removals if self.kind(address).inside]

    @property
    def _leftovers(self) -> list[str]:
        return [kind.leftover for kind in self.kinds.values() if kind.leftover in self.removals]

    def _creations(self) -> list[Change]:
        """Return the changes of what is wanted, by rules 1 and 5."""
        effective: dict[str, frozenset[str]] = {}
        changes, gone = [], self._gone_inside
        for resource in self.desired.resources:
            effective[resource.address] = _effective(resource, self.verdicts, effective)
            if resource.address in self.verdicts:
                late = gone if self.kind(resource.address).writes_files else []
                needs = {*effective[resource.address], *late}
                changes.append(_change(resource.address, self.verdicts[resource.address], needs))
        return changes

    def _removals_inside(self, first: list[Change]) -> list[Change]:
        """Return the removals inside, by rules 3 and 4."""
        hosts = {change.address for change in first if self.kind(change.address).hosts}
        gone = self._gone_inside
        held = {o for o in gone if self.kind(o).writes_files and not self.kind(o).contains_files}
        return [
            self._removal(address, hosts | held if self.kind(address).contains_files else hosts)
            for address in sorted(gone, key=lambda a: (self.kind(a).contains_files, a))
        ]

    def _removals_outside(self, first: list[Change]) -> list[Change]:
        """Return the other removals outside, by rule 6."""
        holders = {change.address for change in first if self.kind(change.address).holds}
        holders |= {address for address in self.removals if self.kind(address).hosts} - {*self._leftovers}
        treated = {*self._gone_inside, *self._leftovers, *(change.address for change in first)}
        left = sorted(
            (address for address in self.removals if address not in treated),
            key=lambda address: (not self.kind(address).hosts, address),
        )
        return [self._removal(address, set() if address in holders else holders) for address in left]

    def _behind(self, change: Change, freeing: list[Change]) -> Change:
        """Let what holds things wait for what frees them, by rule 2."""
        waits = freeing if self.kind(change.address).holds else []
        return replace(change, needs=tuple(sorted({*change.needs, *(gone.address for gone in waits)})))

    def _behind_leftovers(self, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        """Put the removals of leftovers first, by rule 7."""
        for leftover in self._leftovers:
            waiting = [
                replace(change, needs=tuple(sorted({*change.needs, leftover})))
                if self.kind(change.address) is self.kind(leftover) or change.action is Action.DELETE
                else change
                for change in changes
            ]
            changes = (self._removal(leftover), *waiting)
        return changes

    def _removal(self, address: str, needs: set[str] | None = None) -> Change:
        return _change(address, self.removals[address], needs or set())


def _effective(
    resource: Resource, verdicts: Mapping[str, Verdict], known: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Return the changes that a resource has to wait for: those of its needs, seen through what needs nothing."""
    found: set[str] = set()
    for need in resource.needs:
        found.update([need] if need in verdicts else known.get(need, frozenset()))
    return frozenset(found)


def _change(address: str, verdict: Verdict, needs: set[str]) -> Change:
    ends = verdict.action in (Action.REPLACE, Action.DELETE) and verdict.disruption is Disruption.REPLACE
    return Change(
        address=address,
        kind=address.split(".", 1)[0],
        action=verdict.action,
        reason=verdict.reason,
        diff=verdict.diff,
        disruption=verdict.disruption,
        data_loss=tuple(lost.text for lost in verdict.losses),
        needs=tuple(sorted(needs)),
        interrupts=verdict.interrupts or ends,
        losses=verdict.losses,
    )
