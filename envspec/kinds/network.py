"""Named networks that environments meet on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.engine.objects import NetworkState
from envspec.errors import StepFailed, Where
from envspec.kinds import names
from envspec.kinds.base import Done, Kind, Observed, StepContext, Verdict, Work, spec_of
from envspec.model import Action, Cause, Diff, Disruption, Resource


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
            return Verdict(Action.UPDATE, f"{len(found)} networks have this name", disruption=Disruption.CONNECT)
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

    def apply(self, work: tuple[Work, ...], context: StepContext) -> Done:
        """Create or remove networks of the name."""
        (item,) = work
        name = item.change.address.split(".", 1)[1]
        nets = [net for net in context.engine.networks() if net.name == name]
        ours = [net for net in nets if net.labels.get(names.ENV) == context.env]
        if item.change.action is Action.DELETE:
            for net in ours:
                context.engine.remove_network(net.id)
            return Done("removed")
        if not nets:
            labels = names.labels(context.env, self.name, item.change.address)
            context.engine.create_network(name, labels, internal=spec_of(item, NetworkSpec).internal)
            return Done("created")
        if item.change.diff:
            return _make_anew(spec_of(item, NetworkSpec), ours[0], context)
        keep = next((net for net in nets if net not in ours), nets[0])
        unused = [net for net in ours if net != keep and not context.engine.network_users(net.id)]
        for net in unused:
            context.engine.remove_network(net.id)
        return Done(f"removed {len(unused)} double")


def _make_anew(spec: NetworkSpec, old: NetworkState, context: StepContext) -> Done:
    """Put another network in a network's place: no engine changes where one leads."""
    engine = context.engine
    joined = [
        (box, attachment.aliases)
        for box in engine.containers(context.env)
        for attachment in box.networks
        if attachment.network_id == old.id
    ]
    others = {*engine.network_users(old.id)} - {box.name for box, _ in joined}
    if others:
        raise StepFailed(
            f"{spec.name} is used by {', '.join(sorted(others))}, which are not of {context.env}",
            hint="stop those, or leave `internal` as it was",
            where=Where(address=f"network.{spec.name}"),
        )
    for box, _ in joined:
        engine.disconnect(old.id, box.id)
    engine.remove_network(old.id)
    made = engine.create_network(spec.name, old.labels, internal=spec.internal)
    for box, aliases in joined:
        engine.connect(made, box.id, aliases)
    return Done(f"recreated, joined by {len(joined)}")
