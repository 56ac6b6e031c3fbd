"""The account that everything but the setting up runs as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.engine.operations import EnsureUser
from envspec.kinds.base import Done, Kind, Observed, StepContext, Verdict, Work, cause_of, record, spec_of
from envspec.model import Action, Cause, Diff, Disruption, Resource


@dataclass(frozen=True, slots=True)
class UserSpec:
    """An account.

    Attributes:
        name: Login name to give where the uid has none; "" to give none, for a root filesystem that is read-only.
        uid: Numeric user.
        gid: Numeric group.
        own: Mount points of named volumes that the user shall own.
    """

    name: str
    uid: int
    gid: int
    own: tuple[str, ...] = ()


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

    def diff(self, resource: Resource, spec: UserSpec, world: Observed) -> Verdict | None:
        """Ask for the account when it is missing, or when it was never given its home and volumes."""
        found = next((a for a in world.answer.accounts if a.uid == spec.uid), None)
        entry = world.answer.entry(resource.address)
        if found is None and spec.name:
            why = f"uid {spec.uid} has no account: it becomes {spec.name}"
            diff = (Diff("name", None, spec.name, cause_of(resource, world)),)
            return Verdict(Action.CREATE, why, diff, Disruption.WRITE)
        if entry and entry.digest == resource.digest:
            return None
        called = (
            f"is `{found.name}` in this image and stays so" if found else "has no account, the root being read-only"
        )
        why = f"uid {spec.uid} {called}: what it needs is made its own"
        return Verdict(Action.UPDATE, why, (Diff("ready", False, True, Cause.SPEC),), Disruption.WRITE)

    def removal(self, address: str, world: Observed) -> Verdict | None:  # noqa: ARG002 - see existing()
        """Leave it alone."""
        return None

    def apply(self, work: tuple[Work, ...], context: StepContext) -> Done:
        """Make the account, its home and its volumes right."""
        (item,) = work
        spec = spec_of(item, UserSpec)
        assert item.resource is not None
        operation = EnsureUser(spec.name, spec.uid, spec.gid, spec.own, record(item.resource))
        context.perform(item.change.address, operation)
        return Done(f"uid {spec.uid}, gid {spec.gid}")
