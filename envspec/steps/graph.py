"""The order of a plan's steps.

The rules, each of which some step needs:

1. The steps of one change run in the order in which its kind gave them.
2. What begins a change waits for what ends the changes that it needs.
3. A *last* step waits until every other step has ended, but for those of rule 4: only then is it known whether a
   replacement is kept.
4. A *late* change, which removes what a container that was replaced may hold, waits for the last steps.
5. A step that *recovers* runs when one of those that it answers for did not end well; the last ones answer for all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from envspec.model import Change
from envspec.steps.base import Step, linked


@dataclass(frozen=True, slots=True)
class Group:
    """Changes that are carried out together, and the steps that do so."""

    changes: tuple[Change, ...]
    steps: tuple[Step, ...]

    @property
    def address(self) -> str:
        """Return the address of the first change."""
        return self.changes[0].address

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the addresses of the changes that all of them need."""
        return self.changes[0].needs

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the IDs of those steps of the normal course that no other one of it needs."""
        main = [step for step in self.steps if step.main]
        needed = {need for step in main for need in step.needs}
        return tuple(step.id for step in main if step.id not in needed)


def link(groups: tuple[Group, ...], *, inside: Collection[str], late: Collection[str]) -> tuple[Step, ...]:
    """Return the steps of all changes, each with all that it waits for, in an order in which they could run.

    Args:
        groups: The changes with their steps, in the order of the plan.
        inside: Addresses of changes that are undone with the container that they were made in.
        late: Addresses of changes that wait for the last steps.
    """
    ends = _ends(groups)
    final = [step.id for group in groups for step in group.steps if step.last and not step.recovers]
    ordinary = tuple(s.id for group in groups for s in group.steps if s.main and group.address not in late)
    first: list[Step] = []
    last: list[Step] = []
    after: list[Step] = []
    for group in groups:
        is_late = group.address in late and bool(final)
        begins = [end for need in group.needs for end in ends.get(need, ())] + (final if is_late else [])
        for step in group.steps:
            if step.last:
                last.append(_last(step, ordinary, inside))
            else:
                own = linked(step, needs=begins) if step.main and not step.needs else step
                (after if is_late else first).append(own)
    return (*first, *last, *after)


def _ends(groups: tuple[Group, ...]) -> dict[str, tuple[str, ...]]:
    """Return, by address, the steps that have ended once a change is done; where it has none, those of its needs."""
    ends: dict[str, tuple[str, ...]] = {}
    for group in groups:  # in the order of the plan, what a change needs comes before it
        found = group.ends or tuple(end for need in group.needs for end in ends.get(need, ()))
        ends.update({change.address: found for change in group.changes})
    return ends


def _last(step: Step, ordinary: tuple[str, ...], inside: Collection[str]) -> Step:
    """Return a last step with all that it waits for; one that recovers answers for them and undoes what is inside."""
    if not step.recovers:
        return linked(step, needs=ordinary)
    return replace(linked(step, unless=ordinary), undoes=tuple(sorted(inside)))
