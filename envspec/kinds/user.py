"""The account that everything but the setting up runs as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from envspec.engine.facts import Account, Questions
from envspec.engine.operations import EnsureUser, GiveOver
from envspec.kinds.base import (
    Kind,
    Observed,
    Setting,
    Verdict,
    Work,
    cause_of,
    is_helper,
    record,
    spec_of,
)
from envspec.kinds.loss import lies_below
from envspec.kinds.ownership import Holdings, holdings, user_of
from envspec.model import Action, Cause, Diff, Disruption, Resource
from envspec.steps.base import Step, StepList
from envspec.steps.guest import Perform

HAND_OVER = 300.0
"""Seconds that giving over all that was made for another user may take."""


@dataclass(frozen=True, slots=True)
class UserSpec:
    """An account.

    Attributes:
        name: Login name to give where the uid has none; "" to give none, for a root filesystem that is read-only.
        uid: Numeric user.
        gid: Numeric group.
        own: Mount points of named volumes that the user shall own.
        others: Mount points of everything else.
    """

    name: str
    uid: int
    gid: int
    own: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class User(Kind[UserSpec]):
    """A uid that the image knows under another name keeps that name: its home and its files are right already."""

    name = "user"
    inside = True

    def existing(self, world: Observed) -> tuple[str, ...]:  # noqa: ARG002 - accounts go with their container
        """Return nothing: another user means another container, and this account goes with the old one."""
        return ()

    def actual(self, address: str, spec: UserSpec | None, world: Observed) -> Any:
        """Return the account that has the uid, whether it was set up, and who owns what was given to it."""
        if spec is None:
            return None
        found = next((a for a in world.answer.accounts if a.uid == spec.uid), None)
        entry = world.answer.entry(address)
        if found is None:
            return None
        taken = sorted((diff.path, diff.before) for diff in taken_away(spec, world))
        return {"name": found.name, "gid": found.gid, "ready": entry.digest if entry else "", "taken": taken}

    def questions(self, resource: Resource, spec: UserSpec) -> Questions:  # noqa: ARG002 - the spec says all
        """Ask whose the volumes and the home are."""
        return Questions(files=(*spec.own, home_of(spec)))

    def diff(self, resource: Resource, spec: UserSpec, world: Observed) -> Verdict | None:
        """Ask for the account when it is missing or was never given its home and volumes, or when they were taken."""
        found = next((a for a in world.answer.accounts if a.uid == spec.uid), None)
        entry = world.answer.entry(resource.address)
        handed, taken = tuple(_handed(spec, world)), taken_away(spec, world)
        known = entry is not None and entry.digest == resource.digest
        missing = found is None and bool(spec.name) and spec.uid != 0
        if not taken and known and not missing and not (spec.uid == 0 and handed):
            return None
        reasons = []
        diff = [*handed, *taken]
        if missing:
            reasons.append(f"uid {spec.uid} has no account: it becomes {spec.name}")
            diff.insert(0, Diff("name", None, spec.name, cause_of(resource, world)))
        elif not known:
            reasons.append(_unready(spec, found, takes=bool(handed)))
            diff.insert(0, Diff("ready", False, True, Cause.SPEC))
        if handed:
            reasons.append(f"{', '.join(_path(item) for item in handed)}: from uid {_former(spec, world)}")
        reasons += [_says(item) for item in taken]
        action = Action.CREATE if missing else Action.UPDATE
        back = tuple((_owner(item.before), _path(item)) for item in taken if isinstance(item.before, str))
        return Verdict(action, "; ".join(reasons), tuple(diff), Disruption.WRITE, how=back)

    def removal(self, address: str, world: Observed) -> Verdict | None:  # noqa: ARG002 - see existing()
        """Leave it alone."""
        return None

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Make the account, its home and its volumes right."""
        (item,) = work
        spec, guest = spec_of(item, UserSpec), setting.guest
        assert item.resource is not None
        sequence = StepList(item.change.address)
        held = holdings(setting.world.answer.ledger, spec.own, spec.others)
        former = _former(spec, setting.world)
        if former is not None:
            sequence.then(Perform(guest, held.given(former, spec.uid, spec.gid), HAND_OVER))
        for operation in _returned(spec, item.how or (), held, former):
            sequence.then(Perform(guest, operation, HAND_OVER))
        wanted = EnsureUser(spec.name, spec.uid, spec.gid, spec.own, record(item.resource))
        sequence.then(Perform(guest, wanted), detail=f"uid {spec.uid}, gid {spec.gid}")
        return tuple(sequence.steps)


def home_of(spec: UserSpec) -> str:
    """Return the user's home as the probe is asked about it."""
    return f"~{spec.uid}/"


def taken_away(spec: UserSpec, world: Observed) -> tuple[Diff, ...]:
    """Return what belonged to the user when the account was set up and does not now.

    That is the home, the tops of volumes that no service mounts too, and repositories in volumes. What a declared
    command of root's gave away is its author's choice, and not among them.

    Args:
        spec: The account.
        world: What was observed.
    """
    if world.inside is None:
        return ()
    owned, home, former = world.owned, world.located(home_of(spec)), _former(spec, world)
    homes = (home_of(spec),) if spec.name and home in owned and not _lies_in(home, spec.others) else ()
    tops = tuple(path for path in spec.own if path in owned and path != home and not _is_shared(path, world))
    held = holdings(world.answer.ledger, spec.own, spec.others).trees if former is None else ()
    trees = tuple(path for path in held if path in owned)
    found = []
    for path in (*homes, *tops, *trees):
        fact = world.answer.files.get(path)
        if fact is None and path in homes and former is None:
            found.append(Diff(f"owner.{home}", None, f"{spec.uid}:{spec.gid}", Cause.DRIFT))
        if fact is None or fact.type != "dir" or fact.uid == former:
            continue
        if fact.uid != spec.uid or (fact.gid != spec.gid and path not in trees):
            cause = Cause.ENGINE if _is_leftovers(fact.uid, world) else Cause.DRIFT
            before, after = f"{fact.uid}:{fact.gid}", f"{spec.uid}:{spec.gid}"
            found.append(Diff(f"owner.{world.located(path)}", before, after, cause))
    return tuple(found)


def _returned(
    spec: UserSpec, owned: tuple[tuple[int, str], ...], held: Holdings, former: int | None
) -> Iterator[GiveOver]:
    """Yield the operations that give back what was taken away, one for each user who has some of it."""
    taken: dict[int, list[str]] = {}
    for uid, path in owned:
        taken.setdefault(uid, []).append(path)
    for uid in sorted(taken.keys() - {former}):
        tops = tuple(path for path in taken[uid] if path not in held.trees)
        trees = tuple(path for path in taken[uid] if path in held.trees)
        yield GiveOver(uid, spec.uid, spec.gid, tops, trees)


def _owner(owner: str) -> int:
    return int(owner.partition(":")[0])


def _unready(spec: UserSpec, found: Account | None, *, takes: bool) -> str:
    if spec.uid == 0:
        return "root takes over what was made" if takes else "which volumes are root's is written down"
    called = f"is `{found.name}` in this image and stays so" if found else "has no account, the root being read-only"
    return f"uid {spec.uid} {called}: what it needs is made its own"


def _says(diff: Diff) -> str:
    if diff.before is None:
        return f"{_path(diff)} is gone"
    how = "an interrupted apply gave it away" if diff.cause is Cause.ENGINE else "changed outside envspec"
    return f"{_path(diff)} belongs to {diff.before} ({how})"


def _lies_in(path: str, places: tuple[str, ...]) -> bool:
    return any(lies_below(path, place) for place in places)


def _is_shared(path: str, world: Observed) -> bool:
    """Say whether a service mounts the volume at a path too, and may want it for a user of its own."""
    mounts = world.workspace.mounts if world.workspace else ()
    sources = {mount.source for mount in mounts if mount.target == path}
    return any(mount.source in sources for box in world.services for mount in box.mounts)


def _is_leftovers(uid: int, world: Observed) -> bool:
    """Say whether an interrupted replace left a container of that user."""
    return any(known and known[0] == uid for known in (user_of(box) for box in world.leftovers if not is_helper(box)))


def _former(spec: UserSpec, world: Observed) -> int | None:
    """Return the user that the workspace was made for so far, where that is another one."""
    known = user_of(world.workspace)
    return known[0] if known and known[0] != spec.uid else None


def _handed(spec: UserSpec, world: Observed) -> Iterator[Diff]:
    """Yield what is given over that can be seen, by its path."""
    former = _former(spec, world)
    held = holdings(world.answer.ledger, spec.own, spec.others)
    for path in sorted({*held.tops, *held.trees}):
        fact = world.answer.files.get(path)
        if fact is not None and fact.uid == former:
            yield Diff(f"owner.{path}", f"{fact.uid}:{fact.gid}", f"{spec.uid}:{spec.gid}", Cause.SPEC)


def _path(diff: Diff) -> str:
    return diff.path.removeprefix("owner.")
