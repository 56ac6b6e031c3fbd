"""Putting a new container in an old one's place, so that a failure leaves the old one running.

The new one is created beside the old under a name of its own and everything inside is made there. Only when all of it
ended well does the old one go and the new one take the name. A fixed host port can be bound once only: then the old
one is stopped, not removed, while the new one is made ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from envspec.engine.facts import Questions
from envspec.engine.objects import ContainerConfig, ContainerState
from envspec.engine.operations import Operation, PutState, ReadEnvironment, ReadState, RestoreEnvironment
from envspec.errors import EnvspecError
from envspec.kinds import names
from envspec.kinds.agent import standing_in
from envspec.kinds.base import Done, Observed, StepContext, is_helper, is_service
from envspec.kinds.ownership import Holdings, holdings, user_of

GIVE_BACK = 300.0
"""Seconds that giving back all that was made for another user may take."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A container to make.

    Attributes:
        context: What the step was given.
        config: What to create it with.
        networks: Networks to join, each with the names under which it is reached there.
        labels: Labels to give.
    """

    context: StepContext
    config: ContainerConfig
    networks: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, str]

    def create(self, name: str) -> str:
        """Create the container, joined to its networks and not started, and return its ID."""
        engine = self.context.engine
        box = engine.create_container(name, self.config, self.labels)
        try:
            for network, aliases in self.networks.items():
                engine.connect(self.context.network_id(network), box, aliases)
        except EnvspecError:
            engine.remove_container(box)
            raise
        return box

    def begin(self, state: ReadState, environment: ReadEnvironment) -> Done:
        """Start the new container beside the old one, which keeps running unless both want one host port."""
        engine, old = self.context.engine, self.context.observed.workspace
        if old is None:
            box = self.create(names.container(self.context.env))
            engine.start(box)
            return Done("created", workspace=box)
        spare = _spare_name(self.context.env, old)
        for leftover in self.context.observed.leftovers:
            if leftover.name == spare:
                give_back(self.context, leftover)
                engine.remove_container(leftover.id)
        carried = self._perform(old.id, state) if old.running else b""
        kept = self._perform(old.id, environment) if old.running else b""
        box = self.create(spare)
        shared = _clashing(old, self.config)
        try:
            if shared:
                self.context.on_line(f"stopping the old container: both publish {shared}")
                engine.stop(old.id)
            engine.start(box)
            if carried:
                self._perform(box, PutState(carried))
        except EnvspecError:
            engine.remove_container(box)
            if shared:
                _revive(self.context, old, RestoreEnvironment(kept))
            raise
        return Done(f"made {spare} beside {old.name}", workspace=box, memo=kept)

    def _perform(self, container_id: str, operation: Operation) -> bytes:
        """Do an operation in either container, insist that it ends well, and return what it printed."""
        context = replace(self.context, workspace=container_id)
        return context.perform(names.WORKSPACE, operation).stdout


def settle(context: StepContext, restore: RestoreEnvironment | None, *, ok: bool) -> None:
    """End a replace: keep the container that was made ready, or, after a failure, the one that was there before."""
    ours = (box for box in context.engine.containers(context.env) if box.labels.get(names.ENV) == context.env)
    boxes = {box.id: box for box in ours if not is_service(box)}
    own = names.container(context.env)
    current = boxes.pop(context.workspace, None)
    old = context.observed.workspace
    if not ok and current and old and current.id != old.id and old.id in boxes:
        _give_back(context, current, old)
        context.engine.remove_container(current.id)
        _revive(context, boxes[old.id], restore)
        return
    if not ok or current is None:
        return
    for box in boxes.values():
        context.engine.remove_container(box.id, borrows=is_helper(box))
    if current.name != own:
        context.engine.rename(current.id, own)


def give_back(context: StepContext, leftover: ContainerState) -> None:
    """Give back what a replacement took over for its user and did not live to keep or give back.

    The leftover is the only sign of it: what lies in volumes may belong to its user in part. So this goes before its
    removal.

    Raises:
        StepFailed: That could not be done.
    """
    old, engine = context.observed.workspace, context.engine
    taker, former = user_of(leftover), user_of(old)
    if old is None or taker is None or former is None or taker[0] == former[0] or leftover.status == "created":
        return
    if old.running and not leftover.running:
        box, seen = old, context.observed
    else:
        if not leftover.running:
            (engine.unpause if leftover.status == "paused" else engine.start)(leftover.id)
        box, seen = leftover, replace(context.observed, inside=engine.probe(leftover.id, Questions()))
    held = _held_by(box, seen).given(taker[0], *former)
    replace(context, workspace=box.id).perform(names.WORKSPACE, held, deadline=GIVE_BACK)


def _held_by(box: ContainerState, seen: Observed) -> Holdings:
    """Return what of the user's lies in the volumes of a container."""
    volumes = tuple(mount.target for mount in box.config.mounts if mount.type == "volume" and not mount.read_only)
    others = tuple(mount.target for mount in box.config.mounts if mount.target not in volumes)
    return holdings(seen, volumes, others)


def _spare_name(env: str, old: ContainerState) -> str:
    """Return whichever of the two names the old container does not bear."""
    own, following = names.container(env), names.next_container(env)
    return own if old.name == following else following


def _clashing(old: ContainerState, config: ContainerConfig) -> str:
    """Return the host ports that both containers want, in words; "" when there are none."""
    if not old.running:
        return ""
    held = {(port.host, port.protocol) for port in old.published}
    both = sorted({(p.host, p.protocol) for p in config.ports if p.host and (p.host, p.protocol) in held})
    if config.network == "host" and old.config.network == "host":
        return ", ".join(f"{host}/{protocol}" for host, protocol in both) or "the host's network"
    return ", ".join(f"{host}/{protocol}" for host, protocol in both)


def _give_back(context: StepContext, current: ContainerState, old: ContainerState) -> None:
    """Give what the replacement's user took over back to the one who goes on working in it."""
    taker, former = user_of(current), user_of(old)
    if taker is None or former is None or taker[0] == former[0] or not current.running:
        return
    held = _held_by(old, context.observed).given(taker[0], *former)
    context.engine.perform(current.id, held, deadline=GIVE_BACK)


def _revive(context: StepContext, old: ContainerState, restore: RestoreEnvironment | None) -> None:
    """Start the old container again as it was, its variables included."""
    engine = context.engine
    if old.running and any(box.running for box in engine.containers(context.env) if box.id == old.id):
        return
    with standing_in(old.config.mounts):
        engine.start(old.id)
    if restore:
        engine.perform(old.id, restore)
