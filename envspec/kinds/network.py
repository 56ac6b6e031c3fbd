"""Named networks that environments meet on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.engine.objects import NetworkState
from envspec.kinds import names
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, spec_of
from envspec.model import Action, Cause, Diff, Disruption, Resource
from envspec.steps.base import Container, Step, StepList
from envspec.steps.networks import Connect, CreateNetwork, LeaveNetwork, RemoveNetwork, RequireOwnUsers


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network, by its name on the engine; an internal one reaches nothing but the containers on it."""

    name: str
    internal: bool = False


class Network(Kind[NetworkSpec]):
    """A network is made where none of its name exists, and removed by the environment that made it.

    It stays while containers of others are attached to it.
    """

    name = "network"
    removed_last = True

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return the networks that this environment made."""
        ours = [net for net in world.networks if net.labels.get(names.ENV) == world.env]
        return tuple(sorted({f"network.{net.name}" for net in ours}))

    def actual(self, address: str, spec: NetworkSpec | None, world: Observed) -> Any:
        """Return the IDs under the name, more than one when two applies raced, and whether they lead out."""
        name = spec.name if spec else address.split(".", 1)[1]
        found = sorted((net.id, net.internal) for net in world.networks if net.name == name)
        return {"ids": [id for id, _ in found], "internal": [inner for _, inner in found]} if found else None

    def diff(self, resource: Resource, spec: NetworkSpec, world: Observed) -> Verdict | None:
        """Ask for the network when it is missing or leads where it shall not, or to drop what a race made double.

        What others made is joined as it is.
        """
        found = [net for net in world.networks if net.name == spec.name]
        if not found:
            return Verdict(Action.CREATE, "there is no network of this name")
        if len(found) > 1 and resource.address in self.existing(world):
            why = f"{len(found)} networks have this name: one is kept"
            return Verdict(Action.UPDATE, why, disruption=Disruption.CONNECT)
        if resource.address in self.existing(world) and found[0].internal != spec.internal:
            told = (
                "recreated, and joined again, to be internal" if spec.internal else "recreated to be no longer internal"
            )
            diff = Diff("internal", found[0].internal, spec.internal, Cause.SPEC)
            return Verdict(Action.UPDATE, told, (diff,), Disruption.CONNECT)
        return None

    def removal(self, address: str, world: Observed) -> Verdict | None:
        """Remove it unless others use it."""
        name = address.split(".", 1)[1]
        own = {box.name for box in world.containers if box.labels.get(names.ENV) == world.env}
        nets = [net for net in world.networks if net.name == name and net.labels.get(names.ENV) == world.env]
        if any(set(world.network_users.get(net.id, ())) - own for net in nets):
            return None
        return Verdict(Action.DELETE, "no longer in the file", disruption=Disruption.CONNECT)

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Create or remove networks of the name."""
        (item,) = work
        address = item.change.address
        name = address.split(".", 1)[1]
        nets = [net for net in setting.world.networks if net.name == name]
        ours = [net for net in nets if net.labels.get(names.ENV) == setting.env]
        sequence = StepList(address)
        if item.change.action is Action.DELETE:
            for net in ours:
                sequence.then(RemoveNetwork(net.id, name), detail="removed")
        elif not nets:
            labels = names.labels(setting.env, self.name, address)
            sequence.then(CreateNetwork(name, labels, spec_of(item, NetworkSpec).internal), detail="created")
        elif len(nets) > 1:
            used = {attachment.network_id for box in setting.world.containers for attachment in box.networks}
            keep = min(nets, key=lambda net: (net in ours, net.id not in used))
            for net in (net for net in ours if net != keep):
                sequence.then(RemoveNetwork(net.id, name, if_unused=True), detail="removed others of this name")
        else:
            _recreate(spec_of(item, NetworkSpec), ours[0], setting.world, sequence)
        return tuple(sequence.steps)


def _recreate(spec: NetworkSpec, old: NetworkState, world: Observed, sequence: StepList) -> None:
    """Put another network in a network's place: no engine changes where one leads."""
    joined = [
        (Container(box.name, box.id), attachment.aliases)
        for box in world.containers
        for attachment in box.networks
        if attachment.network_id == old.id
    ]
    sequence.then(RequireOwnUsers(old.id, spec.name, world.env, tuple(box.name for box, _ in joined)))
    left = [sequence.then(LeaveNetwork(spec.name, old.id, box)) for box, _ in joined]
    sequence.then(RemoveNetwork(old.id, spec.name))
    sequence.then(CreateNetwork(spec.name, old.labels, spec.internal), detail=f"recreated, joined by {len(joined)}")
    for (box, aliases), step in zip(joined, left, strict=True):
        sequence.then(Connect(spec.name, box, tuple(aliases), if_left=step))
