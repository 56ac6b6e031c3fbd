"""The plan: a pure function of what shall be and what was observed.

Creation follows the desired edges. Removal comes after what stood on it is gone. What lives inside a container is
compared with the world as it will be once the container is as it shall be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from envspec.errors import UsageError, Where
from envspec.kinds import names
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work
from envspec.kinds.container import LEFTOVER, inner_world
from envspec.kinds.every import all_kinds
from envspec.kinds.standing import refuse_unread
from envspec.kinds.volume import WORKSPACE_VOLUME
from envspec.kinds.workspace_steps import InPlace
from envspec.model import Action, Change, Desired, Disruption, Plan, Resource, Summary, digest_of
from envspec.steps.base import NOWHERE, Container, Planned, Step
from envspec.steps.graph import Group, link
from envspec.steps.objects import CreateContainer

COUNTED = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
    Action.RUN: "run",
}
"""Where a summary counts an action."""

HOLDERS = frozenset({"container", "service"})
"""Kinds that hold ports, networks and volumes: what they hold can go when they have let go of it."""


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
    changes = _ordered(desired, compared.verdicts, removals, kinds)
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
    rebuilt = "image.workspace" in wishes.replace and world.workspace is not None
    forced = {*wishes.replace, *([names.WORKSPACE] if rebuilt else [])}
    visible = world.inside is not None or world.workspace is None
    waits = False
    for resource in desired.resources:
        kind = kinds[resource.kind]
        seen = inner if kind.inside else world
        if kind.inside and (waits or (not visible and not kind.volatile)):
            continue
        verdict = kind.diff(resource, resource.spec, seen)
        if resource.address in forced and (verdict is None or verdict.action is Action.UPDATE):
            verdict = kind.forced(resource, resource.spec, seen)
        verdict = verdict or kind.affected(resource, resource.spec, verdicts)
        if verdict:
            verdicts[resource.address] = verdict
        if resource.address == names.WORKSPACE:
            inner = inner_world(resource, verdict, world)
            waits = verdict is not None and verdict.first
            visible = visible or (verdict is not None and verdict.action is Action.REPLACE)
    return Compared(verdicts, world, inner, waits)


def _unwanted(
    desired: Desired, compared: Compared, wishes: Wishes, kinds: Mapping[str, Kind[Any]]
) -> dict[str, Verdict]:
    """Return what exists, is ours, and is no longer wanted."""
    wanted = {kinds[resource.kind].identity(resource) for resource in desired.resources}
    has_workspace = names.WORKSPACE in wanted
    removals = {}
    for kind in kinds.values():
        if kind.inside and not has_workspace:
            continue
        seen = compared.inner if kind.inside else compared.world
        for address in kind.existing(seen):
            kept = wishes.keep_volumes and kind.name == "volume" and address != WORKSPACE_VOLUME
            if address in wanted or kept or (address == LEFTOVER and _settles(compared.verdicts)):
                continue
            if compared.waits and address != LEFTOVER:
                continue
            verdict = kind.removal(address, seen)
            if verdict:
                removals[address] = verdict
    return removals


def _settles(verdicts: Mapping[str, Verdict]) -> bool:
    """Say whether the workspace's own change does away with leftovers when it ends."""
    verdict = verdicts.get(names.WORKSPACE)
    return verdict is not None and (
        verdict.action is Action.REPLACE or (isinstance(verdict.how, InPlace) and verdict.how.rename)
    )


def _ordered(
    desired: Desired,
    verdicts: Mapping[str, Verdict],
    removals: Mapping[str, Verdict],
    kinds: Mapping[str, Kind[Any]],
) -> tuple[Change, ...]:
    """Put the changes into an order in which they could run one by one, each with what it needs."""
    inside_gone = [a for a in removals if kinds[a.split(".", 1)[0]].inside]
    made = _creations(desired, verdicts, inside_gone, kinds)
    services = [_removal(a, removals[a], []) for a in sorted(removals) if a.startswith("service.")]
    first = services + [_after(change, services) for change in made if not kinds[change.kind].inside]
    gone_inside = [_removal(a, removals[a], _before(a, inside_gone, first)) for a in sorted(inside_gone)]
    gone_inside.sort(key=lambda change: (change.kind == "repo", change.address))
    rest = [change for change in made if kinds[change.kind].inside]
    holders = {change.address for change in first if change.kind in HOLDERS} | ({names.WORKSPACE} & removals.keys())
    treated = {*inside_gone, LEFTOVER, *(change.address for change in services)}
    outer = [_removal(a, removals[a], [] if a in holders else sorted(holders)) for a in removals if a not in treated]
    outer.sort(key=lambda change: (list(kinds).index("container") != list(kinds).index(change.kind), change.address))
    return _without_leftover(tuple(first + gone_inside + rest + outer), removals)


def _after(change: Change, services: list[Change]) -> Change:
    """Let what may want a port of a service that goes wait for that."""
    if change.kind not in HOLDERS or not services:
        return change
    return replace(change, needs=tuple(sorted({*change.needs, *(gone.address for gone in services)})))


def _without_leftover(changes: tuple[Change, ...], removals: Mapping[str, Verdict]) -> tuple[Change, ...]:
    """Put the removal of leftovers before all that touches the workspace: they may hold its ports and volumes."""
    if LEFTOVER not in removals:
        return changes
    waiting = [
        replace(change, needs=tuple(sorted({*change.needs, LEFTOVER})))
        if change.address == names.WORKSPACE or change.action is Action.DELETE
        else change
        for change in changes
    ]
    return (_removal(LEFTOVER, removals[LEFTOVER], []), *waiting)


def _creations(
    desired: Desired,
    verdicts: Mapping[str, Verdict],
    inside_gone: list[str],
    kinds: Mapping[str, Kind[Any]],
) -> list[Change]:
    known = {resource.address: resource for resource in desired.resources}
    effective: dict[str, frozenset[str]] = {}
    for resource in desired.resources:
        effective[resource.address] = _effective(resource, verdicts, effective)
    changes = []
    for resource in desired.resources:
        if resource.address not in verdicts:
            continue
        needs = {need for need in effective[resource.address] if need in known}
        if resource.kind in ("file", "repo", "dotfiles"):
            needs.update(inside_gone)
        changes.append(_change(resource.address, kinds[resource.kind].name, verdicts[resource.address], needs))
    return changes


def _effective(
    resource: Resource, verdicts: Mapping[str, Verdict], known: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Return the changes that a resource has to wait for: those of its needs, seen through what needs nothing."""
    found: set[str] = set()
    for need in resource.needs:
        found.update([need] if need in verdicts else known.get(need, frozenset()))
    return frozenset(found)


def _before(address: str, inside_gone: list[str], first: list[Change]) -> list[str]:
    """Return what a removal inside waits for: the container; for a repository files in it and links to it as well."""
    needs = [change.address for change in first if change.address == names.WORKSPACE]
    if address.startswith("repo."):
        needs += [other for other in inside_gone if other.startswith(("file.", "dotfiles."))]
    return needs


def _removal(address: str, verdict: Verdict, needs: list[str]) -> Change:
    return _change(address, address.split(".", 1)[0], verdict, set(needs))


def _change(address: str, kind: str, verdict: Verdict, needs: set[str]) -> Change:
    return Change(
        address=address,
        kind=kind,
        action=verdict.action,
        reason=verdict.reason,
        diff=verdict.diff,
        disruption=verdict.disruption,
        data_loss=verdict.data_loss,
        needs=tuple(sorted(needs)),
        interrupts=verdict.interrupts or _ends(verdict),
    )


def _ends(verdict: Verdict) -> bool:
    """Say whether something that exists is ended."""
    return verdict.action in (Action.REPLACE, Action.DELETE) and verdict.disruption is Disruption.REPLACE


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
    return (f"the workspace is {box.status}: what is inside is checked, and fixed, once it runs",)


def needs_deep_look(made: Plan) -> bool:
    """Say whether a plan would lose things, so that files made by hand must be looked for first."""
    return any(c.disruption is Disruption.REPLACE and c.kind not in ("file", "service") for c in made.changes)
