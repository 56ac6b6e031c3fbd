"""The plan: a pure function of what shall be and what was observed.

Creation follows the desired edges. Removal comes after what stood on it is gone. What lives inside a container is
compared with the world as it will be once the container is as it shall be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envspec.errors import UsageError, Where
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work
from envspec.kinds.every import all_kinds
from envspec.kinds.standing import refuse_unread
from envspec.model import Action, Change, Desired, Disruption, Plan, Summary, digest_of
from envspec.ordering import ordered
from envspec.steps.base import NOWHERE, Container, Planned, Step
from envspec.steps.containers import CreateContainer
from envspec.steps.graph import Group, link

COUNTED = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
    Action.RUN: "run",
}
"""Where a summary counts an action."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asks of a plan beyond the spec.

    Attributes:
        replace: Addresses to make anew whether they need it or not.
        target: Addresses to limit the plan to, with what they need; empty for all.
        keep_volumes: Whether volumes that the spec named stay when the environment goes.
        again: Whether this is a look back at what was done: what the target named may be gone by now.
        no_cache: Whether images are built afresh.
    """

    replace: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    keep_volumes: bool = False
    again: bool = False
    no_cache: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparing brought.

    Attributes:
        verdicts: What differs, by address.
        world: The world as it was observed.
        inner: The world as what lives inside will find it.
        waits: Whether everything else waits for what the workspace's own change makes visible.
    """

    verdicts: Mapping[str, Verdict]
    world: Observed
    inner: Observed
    waits: bool = False


def plan(desired: Desired, world: Observed, wishes: Wishes | None = None) -> Planned:
    """Return the fewest changes that make the world what it shall be, and the steps that carry them out.

    Args:
        desired: What shall be.
        world: What was observed.
        wishes: What the user asks beyond that.

    Raises:
        UsageError: ``replace`` or ``target`` names an address that does not exist.
        Conflict: A name on the engine belongs to something that is not ours, or a container cannot be read.
    """
    refuse_unread(world)
    wishes = wishes or Wishes()
    kinds = all_kinds()
    if not wishes.again:
        _check_addresses(desired, world, wishes, kinds)
    compared = _wanted(desired, world, wishes, kinds)
    removals = _unwanted(desired, compared, wishes, kinds)
    changes = ordered(desired, compared.verdicts, removals, kinds)
    if wishes.target:
        changes = _limited(changes, wishes.target)
    observed = _observed_digests(desired, world, kinds)
    steps = _steps(desired, changes, compared.verdicts, world, wishes)
    made = Plan(
        env=desired.env,
        fingerprint=digest_of([[r.address, r.digest] for r in desired.resources] + [dict(sorted(observed.items()))]),
        summary=_summary(desired, changes),
        changes=changes,
        notes=desired.notes + _noted(compared.verdicts) + _blind(desired, world),
        observed=observed,
        effects=desired.effects,
        steps=tuple(step.planned for step in steps),
    )
    return Planned(made, steps)


def _steps(
    desired: Desired,
    changes: tuple[Change, ...],
    verdicts: Mapping[str, Verdict],
    world: Observed,
    wishes: Wishes,
) -> tuple[Step, ...]:
    """Return the steps of all changes, each kind's in the container that it will find."""
    kinds = all_kinds()
    resources = {resource.address: resource for resource in desired.resources}
    groups = []
    guest = Container(world.workspace.name, world.workspace.id) if world.workspace else NOWHERE
    for group in _groups(changes, kinds):
        work = tuple(
            Work(change, resources.get(change.address), _how(verdicts.get(change.address))) for change in group
        )
        setting = Setting(desired.env, desired.origin, world, guest, wishes.no_cache)
        found = kinds[group[0].kind].steps(work, setting)
        groups.append(Group(group, found))
        guest = next((made for step in found if (made := _created(step))), guest)
    inside = {change.address for change in changes if kinds[change.kind].inside}
    late = {c.address for c in changes if c.action is Action.DELETE and kinds[c.kind].removed_last}
    return link(tuple(groups), inside=inside, late=late)


def _how(verdict: Verdict | None) -> Any:
    return verdict.how if verdict else None


def _created(step: Step) -> Container | None:
    """Return the workspace that a step creates, ``None`` for any other step."""
    verb = step.verb
    return Container(verb.name, made_by=step.id) if isinstance(verb, CreateContainer) else None


def _groups(changes: tuple[Change, ...], kinds: Mapping[str, Kind[Any]]) -> tuple[tuple[Change, ...], ...]:
    """Return the changes one by one, those of a batch kind that wait for the same things together."""
    groups: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        alone: tuple[object, ...] = (change.address,)
        batch = (change.kind, change.needs, change.action is Action.DELETE)
        groups.setdefault(batch if kinds[change.kind].batch else alone, []).append(change)
    return tuple(tuple(group) for group in groups.values())


def _wanted(desired: Desired, world: Observed, wishes: Wishes, kinds: Mapping[str, Kind[Any]]) -> Compared:
    """Compare every desired resource with the world, outer ones first."""
    verdicts: dict[str, Verdict] = {}
    inner = world
    visible = world.inside is not None or world.workspace is None
    waits = False
    for resource in desired.resources:
        kind = kinds[resource.kind]
        seen = inner if kind.inside else world
        if kind.inside and (waits or (not visible and not kind.volatile)):
            continue
        verdict = kind.diff(resource, resource.spec, seen)
        if resource.address in wishes.replace and (verdict is None or verdict.action is Action.UPDATE):
            verdict = kind.forced(resource, resource.spec, seen)
        verdict = verdict or kind.affected(resource, resource.spec, verdicts)
        if verdict:
            verdicts[resource.address] = verdict
        if kind.hosts:
            inner = kind.after(resource, verdict, world)
            waits = verdict is not None and verdict.first
            visible = visible or (verdict is not None and verdict.action is Action.REPLACE)
    return Compared(verdicts, world, inner, waits)


def _unwanted(
    desired: Desired, compared: Compared, wishes: Wishes, kinds: Mapping[str, Kind[Any]]
) -> dict[str, Verdict]:
    """Return what exists, is ours, and is no longer wanted."""
    wanted = {kinds[resource.kind].identity(resource) for resource in desired.resources}
    hosted = any(kinds[resource.kind].hosts for resource in desired.resources)
    tidied = {kinds[a.split(".", 1)[0]].leftover for a, verdict in compared.verdicts.items() if verdict.tidies}
    leftovers = {kind.leftover for kind in kinds.values()}
    removals = {}
    for kind in kinds.values():
        if kind.inside and not hosted:
            continue
        seen = compared.inner if kind.inside else compared.world
        for address in kind.existing(seen):
            if address in wanted or address in tidied or (wishes.keep_volumes and kind.stays(address)):
                continue
            if compared.waits and address not in leftovers:
                continue
            verdict = kind.removal(address, seen)
            if verdict:
                removals[address] = verdict
    return removals


def _limited(changes: tuple[Change, ...], target: tuple[str, ...]) -> tuple[Change, ...]:
    """Return the targeted changes with all that they need."""
    by_address = {change.address: change for change in changes}
    chosen: set[str] = set()
    waiting = [address for address in target if address in by_address]
    while waiting:
        address = waiting.pop()
        if address not in chosen:
            chosen.add(address)
            waiting.extend(need for need in by_address[address].needs if need in by_address)
    return tuple(change for change in changes if change.address in chosen)


def _check_addresses(desired: Desired, world: Observed, wishes: Wishes, kinds: Mapping[str, Kind[Any]]) -> None:
    wanted = {resource.address for resource in desired.resources}
    known = wanted | {address for kind in kinds.values() for address in kind.existing(world)}
    for option, addresses, possible in (("--replace", wishes.replace, wanted), ("--target", wishes.target, known)):
        for address in addresses:
            if address not in possible:
                raise UsageError(
                    f"{option}: there is no {address}",
                    code="usage.unknown_address",
                    hint=f"addresses here: {', '.join(sorted(possible)) or 'none'}",
                    where=Where(address=address),
                )


def _observed_digests(desired: Desired, world: Observed, kinds: Mapping[str, Kind[Any]]) -> dict[str, str]:
    """Return a digest of what was seen at every address that is wanted or exists."""
    seen: dict[str, Any] = {}
    for resource in desired.resources:
        seen[resource.address] = kinds[resource.kind].actual(resource.address, resource.spec, world)
    for kind in kinds.values():
        for address in kind.existing(world):
            seen.setdefault(address, kind.actual(address, None, world))
    return {address: digest_of(value) for address, value in sorted(seen.items()) if value is not None}


def _summary(desired: Desired, changes: tuple[Change, ...]) -> Summary:
    counts = dict.fromkeys(COUNTED.values(), 0)
    for change in changes:
        counts[COUNTED[change.action]] += 1
    changed = {change.address for change in changes}
    noop = sum(resource.address not in changed for resource in desired.resources)
    return Summary(**counts, noop=noop)


def _noted(verdicts: Mapping[str, Verdict]) -> tuple[str, ...]:
    return tuple(note for verdict in verdicts.values() for note in verdict.notes)


def _blind(desired: Desired, world: Observed) -> tuple[str, ...]:
    """Say so where the inside could not be looked at."""
    box = world.workspace
    if not desired.resources or box is None or world.inside is not None:
        return ()
    how = "stopped" if box.status == "exited" else box.status
    return (f"the workspace is {how}: what is inside is checked, and fixed, once it runs",)


def needs_deep_look(made: Plan) -> bool:
    """Say whether a plan would lose things, so that files made by hand must be looked for first."""
    kinds = all_kinds()
    return any(c.disruption is Disruption.REPLACE and kinds[c.kind].loses_work for c in made.changes)
