"""The account that everything but the setting up runs as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from envspec.engine.facts import Questions
from envspec.engine.operations import EnsureUser
from envspec.kinds.base import Done, Kind, Observed, StepContext, Verdict, Work, cause_of, record, spec_of
from envspec.kinds.ownership import holdings, user_of
from envspec.model import Action, Cause, Diff, Disruption, Resource

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
        """Return the account that has the uid, and whether it was set up."""
        if spec is None:
            return None
        found = next((a for a in world.answer.accounts if a.uid == spec.uid), None)
        entry = world.answer.entry(address)
        return {"name": found.name, "gid": found.gid, "ready": entry.digest if entry else ""} if found else None

    def questions(self, resource: Resource, spec: UserSpec) -> Questions:  # noqa: ARG002 - the spec says all
        """Ask whose the volumes are."""
        return Questions(files=spec.own)

    def diff(self, resource: Resource, spec: UserSpec, world: Observed) -> Verdict | None:
        """Ask for the account when it is missing, or when it was never given its home and volumes."""
        found = next((a for a in world.answer.accounts if a.uid == spec.uid), None)
        entry = world.answer.entry(resource.address)
        handed = tuple(_handed(spec, world))
        tells = f"; {', '.join(_path(diff) for diff in handed)}: from uid {_former(spec, world)}" if handed else ""
        if spec.uid == 0:
            why = f"root takes over what was made{tells}"
            return Verdict(Action.UPDATE, why, handed, Disruption.WRITE) if handed else None
        if found is None and spec.name:
            why = f"uid {spec.uid} has no account: it becomes {spec.name}{tells}"
            diff = (Diff("name", None, spec.name, cause_of(resource, world)), *handed)
            return Verdict(Action.CREATE, why, diff, Disruption.WRITE)
        if entry and entry.digest == resource.digest:
            return None
        called = (
            f"is `{found.name}` in this image and stays so" if found else "has no account, the root being read-only"
        )
        why = f"uid {spec.uid} {called}: what it needs is made its own{tells}"
        diff = (Diff("ready", False, True, Cause.SPEC), *handed)
        return Verdict(Action.UPDATE, why, diff, Disruption.WRITE)

    def removal(self, address: str, world: Observed) -> Verdict | None:  # noqa: ARG002 - see existing()
        """Leave it alone."""
        return None

    def apply(self, work: tuple[Work, ...], context: StepContext) -> Done:
        """Make the account, its home and its volumes right."""
        (item,) = work
        spec = spec_of(item, UserSpec)
        assert item.resource is not None
        if spec.uid != 0:  # root is there in every image, and an entry of its own would tell of the past only
            operation = EnsureUser(spec.name, spec.uid, spec.gid, spec.own, record(item.resource))
            context.perform(item.change.address, operation)
        former = _former(spec, context.observed)
        if former is not None:
            held = holdings(context.observed, spec.own, spec.others)
            context.perform(item.change.address, held.given(former, spec.uid, spec.gid), deadline=HAND_OVER)
        return Done(f"uid {spec.uid}, gid {spec.gid}")


def _former(spec: UserSpec, world: Observed) -> int | None:
    """Return the user that the workspace was made for so far, where that is another one."""
    known = user_of(world.workspace)
    return known[0] if known and known[0] != spec.uid else None


def _handed(spec: UserSpec, world: Observed) -> Iterator[Diff]:
    """Yield what is given over that can be seen, by its path."""
    former = _former(spec, world)
    held = holdings(world, spec.own, spec.others)
    for path in sorted({*held.tops, *held.trees}):
        fact = world.answer.files.get(path)
        if fact is not None and fact.uid == former:
            yield Diff(f"owner.{path}", f"{fact.uid}:{fact.gid}", f"{spec.uid}:{spec.gid}", Cause.SPEC)


def _path(diff: Diff) -> str:
    return diff.path.removeprefix("owner.")
