"""The workspace container: created, updated in place, or replaced by one that is ready before the old one goes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from envspec.engine.facts import AGENT_SOCKET, Questions
from envspec.engine.inspect import familiar, is_shared
from envspec.engine.objects import Attachment, ContainerConfig, ContainerState, Mount
from envspec.errors import Conflict, Where
from envspec.kinds import anonymous, loss, names, workspace_steps
from envspec.kinds.adjustments import adjustments
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, is_helper, record, spec_of
from envspec.kinds.limits import UNASKED, differs, told, update_of
from envspec.kinds.standing import refuse_half_restored, standing_of
from envspec.kinds.workspace_steps import InPlace, Wanted
from envspec.model import Action, Cause, Diff, Disruption, Loss, Resource, to_json
from envspec.steps.base import Step
from envspec.steps.containers import CreateContainer

LEFTOVER = "container.leftover"
"""Address of containers that an interrupted replace left behind."""

NOT_COMPARED = frozenset({"image", "env", "command"})
"""Fields that are compared otherwise (the image by what it is), or that follow from envspec's own version."""


FORGETS_NETWORKS = (29,)
"""First Docker that forgets the networks of a container whose start it refused."""

ASLEEP = ("exited", "paused")
"""States of a container that ran: what is inside, its ledger too, can be known once it runs again."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """The workspace container.

    Attributes:
        config: What it is created with.
        networks: Names of the networks that it joins beside ``config.network``, sorted.
        aliases: Names under which others reach it there, sorted.
        own: Those of the networks that are this environment's alone: there it is called ``workspace`` too.
        content: Digest that the image must bear; "" when the reference alone says which image.
        base: Reference of the image that it must be built from, "" likewise.
        purpose: Name of the purpose, "" when the image is the user's own.
        restored: ID of the snapshot's image that it is made from, and that it may run; "" otherwise.
        ttl: Seconds that the environment is wanted for, ``None`` for good.
        detected: What a repository showed, as text, where that chose the purpose; else "".
        stands_in: What of the image is another than a registry would give, and why; "" for nothing.
        keeps_agent: Whether an SSH agent is asked for and none answers: a mount of one that is there stays.
    """

    config: ContainerConfig
    networks: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    content: str = ""
    base: str = ""
    purpose: str = ""
    restored: str = ""
    ttl: float | None = None
    detected: str = ""
    stands_in: str = ""
    keeps_agent: bool = False

    def beside(self, box: ContainerState) -> ContainerSpec:
        """Return the container as one that exists is to be: with its mount of an agent, where that stays."""
        kept = tuple(m for m in box.config.mounts if m.target == AGENT_SOCKET) if self.keeps_agent else ()
        mounts = tuple(sorted({*self.config.mounts, *kept}))
        return dataclasses.replace(self, config=dataclasses.replace(self.config, mounts=mounts)) if kept else self

    @property
    def places(self) -> dict[str, tuple[str, ...]]:
        """Return its names on each of its networks."""
        own = tuple(sorted({*self.aliases, "workspace"}))
        return {network: own if network in self.own else self.aliases for network in self.networks}

    @property
    def settings(self) -> dict[str, Any]:
        """Return what is compared with the world, by attribute, as JSON."""
        compared = [f.name for f in dataclasses.fields(self.config) if f.name not in NOT_COMPARED]
        return {name: to_json(getattr(self.config, name)) for name in compared}


@dataclass(frozen=True, slots=True)
class Live:
    """What differs and can be changed without a new container.

    Attributes:
        status: It does not run, or has to be restarted.
        name: It has another name.
        networks: By name, the networks that it is to leave, join, or be called otherwise on.
    """

    status: Diff | None = None
    name: Diff | None = None
    networks: tuple[tuple[str, Diff], ...] = ()

    @property
    def awake(self) -> tuple[Diff, ...]:
        """Return what differs of status and name."""
        return tuple(diff for diff in (self.status, self.name) if diff)

    @property
    def diffs(self) -> tuple[Diff, ...]:
        """Return all that differs."""
        return self.awake + tuple(diff for _, diff in self.networks)


class Container(Kind[ContainerSpec]):
    """One container an environment, plus whatever an interrupted replace left."""

    name = "container"
    hosts = True
    holds = True
    leftover = LEFTOVER

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return the workspace, and the leftovers as one."""
        found = [names.WORKSPACE] if world.workspace else []
        return tuple(found + ([LEFTOVER] if world.leftovers else []))

    def actual(self, address: str, spec: ContainerSpec | None, world: Observed) -> Any:  # noqa: ARG002 - by name
        """Return status, settings, image and networks."""
        if address == LEFTOVER:
            return sorted(box.id for box in world.leftovers) or None
        box = world.workspace
        if box is None:
            return None
        settings = ContainerSpec(box.config).settings
        joined = [[a.network, list(a.aliases)] for a in box.networks]
        return {
            "id": box.id,
            "status": box.status,
            "image": box.image_id,
            "networks": joined,
            "settings": settings,
            "replaced": list(world.replaced_binds.get(box.id, ())),
        }

    def questions(self, resource: Resource, spec: ContainerSpec) -> Questions:  # noqa: ARG002 - the spec says all
        """Ask whether the agent's socket is the one that is there on the host."""
        mounted = any(mount.target == AGENT_SOCKET for mount in spec.config.mounts)
        return Questions(files=(AGENT_SOCKET,)) if mounted else Questions()

    def diff(self, resource: Resource, spec: ContainerSpec, world: Observed) -> Verdict | None:
        """Compare the container with what it shall be; the harshest difference decides what is done.

        Raises:
            Conflict: A container of the name exists and is not this environment's.
        """
        _check_name(world)
        refuse_half_restored(world)
        box = world.workspace
        if box is None:
            return _missing(world)
        applied = _applied(box, resource.address, world)
        diffs = _image_diff(spec, box, world) + _settings_diff(spec.beside(box), box, applied)
        live = _live_diff(spec, box, world, applied)
        if not diffs and not live.diffs:
            return None
        stubborn = [d for d in diffs if not world.changes_in_place(d.path, d.after)]
        if stubborn and box.status in ASLEEP:
            follows = "; ".join(_says(d) for d in stubborn)
            why = f"{_says(live.awake[0])}: it has to run before it is replaced ({follows}), to see what would be lost"
            how = _in_place(resource, spec, box, world, (), Live(live.status, live.name))
            return Verdict(
                Action.UPDATE, why, live.awake, Disruption.RESTART, tidies=live.name is not None, first=True, how=how
            )
        if stubborn:
            reason = "; ".join(_says(d) for d in stubborn) + " cannot be done in place"
            lost, notes = _lost(world, _next_mounts(spec, world)), _unseen(spec, diffs, world)
            return Verdict(
                Action.REPLACE, reason, diffs + live.diffs, Disruption.REPLACE, lost, tidies=True, notes=notes
            )
        reason = "; ".join(_says(d) for d in live.diffs + diffs)
        return Verdict(
            Action.UPDATE,
            reason,
            diffs + live.diffs,
            _disruption(live, diffs),
            loss.jobs(world) if live.status else (),
            interrupts=live.status is not None and box.running,
            tidies=live.name is not None,
            how=_in_place(resource, spec, box, world, diffs, live),
        )

    def forced(self, resource: Resource, spec: ContainerSpec, world: Observed) -> Verdict:  # noqa: ARG002 - by name
        """Make it anew."""
        lost = _lost(world, _next_mounts(spec, world))
        return Verdict(Action.REPLACE, "asked for with --replace", (), Disruption.REPLACE, lost, tidies=True)

    def removal(self, address: str, world: Observed) -> Verdict | None:
        """Remove the workspace with what is in its own filesystem, or the leftovers, in which nobody worked."""
        if address == LEFTOVER:
            what = sorted({"snapshot" if is_helper(box) else "replace" for box in world.leftovers})
            why = f"left by an interrupted {' and an interrupted '.join(what)}"
            return Verdict(Action.DELETE, why, disruption=Disruption.NONE)
        lost = _lost(world, world.workspace.config.mounts if world.workspace else ())
        return Verdict(Action.DELETE, "no longer wanted", disruption=Disruption.REPLACE, losses=lost)

    def after(self, resource: Resource, verdict: Verdict | None, world: Observed) -> Observed:
        """Return the world without what goes with an old container, or is lost by a start."""
        if verdict is None or not isinstance(resource.spec, ContainerSpec):
            return world
        if verdict.action is Action.REPLACE:
            new = _next_mounts(resource.spec, world)
            return world.renewed(lambda path: survives(path, _mounts(world), new))
        paused = world.workspace is not None and world.workspace.status == "paused"
        starts = isinstance(verdict.how, InPlace) and verdict.how.start and not paused
        return world.restarted() if starts and world.inside else world

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Create, change, replace or remove."""
        (item,) = work
        world, box = setting.world, setting.world.workspace
        if item.resource is None:
            gone = (box,) if item.change.address == names.WORKSPACE and box else world.leftovers
            return workspace_steps.remove(gone, item.change.address, world)
        spec = spec_of(item, ContainerSpec)
        if box is None:
            return workspace_steps.create(_wanted(spec, item.change.address, setting), setting)
        if item.change.action is Action.UPDATE:
            return workspace_steps.change(item.how, box, box.config.mounts, setting)
        after = _next_mounts(spec, world)
        carried = tuple(
            entry.address
            for entry in world.answer.ledger
            if survives(world.located(str(entry.data.get("path", ""))), _mounts(world), after)
        )
        return workspace_steps.replace(_wanted(spec, item.change.address, setting), carried, box, setting)


def survives(path: str, old: tuple[Mount, ...], new: tuple[Mount, ...]) -> bool:
    """Say whether a path inside lies in a mount that both containers have at the same place."""
    holding = [mount for mount in old if loss.lies_below(path, mount.target)]
    return bool(holding) and max(holding, key=lambda mount: len(mount.target)) in new


def _remembered(spec: ContainerSpec) -> dict[str, Any]:
    """Return what to remember of a container, to tell drift from a changed file later."""
    return {**spec.settings, "networks": list(spec.networks)}


def _wanted(spec: ContainerSpec, address: str, setting: Setting) -> Wanted:
    """Return the container that is created, whatever it takes the place of.

    A replacement belongs to whom the old one did.
    """
    world, box, image = setting.world, setting.world.workspace, setting.world.images.get(spec.config.image)
    labels = {
        **names.labels(setting.env, Container.name, address),
        names.ORIGIN: setting.origin,
        names.PURPOSE: spec.purpose,
        names.SETTINGS: json.dumps(_remembered(spec), sort_keys=True),
    }
    marks = {name: box.labels.get(name, "") for name in names.MARKS} if box else {}
    more = {**marks, names.DETECTED: spec.detected, names.STANDS_IN: spec.stands_in, names.RESTORED: spec.restored}
    mounts, inherits = _next_mounts(spec, world), box.anonymous if box else ()
    promised = tuple(mount.target for mount in mounts if mount in inherits)
    return Wanted(
        CreateContainer(
            name="",
            config=dataclasses.replace(spec.config, mounts=spec.config.mounts if inherits else mounts),
            labels=labels | {name: value for name, value in more.items() if value},
            marked=box is None,
            expires_label=names.EXPIRES,
            ttl=spec.ttl,
            inherits=inherits,
            promised=promised,
        ),
        spec.places,
        check_tools=not spec.content and not (image and is_shared(image.labels, [spec.config.image])),
    )


def _lost(world: Observed, kept: tuple[Mount, ...]) -> tuple[Loss, ...]:
    """Return what goes with the workspace where only some of its mounts are kept: work, and the jobs that run."""
    old = _mounts(world)
    return loss.lost(world, lambda path: not survives(path, old, kept)) + loss.jobs(world)


def _mounts(world: Observed) -> tuple[Mount, ...]:
    return world.workspace.mounts if world.workspace else ()


def _next_mounts(spec: ContainerSpec, world: Observed) -> tuple[Mount, ...]:
    """Return what the next container mounts: what is asked for, and the unnamed volumes that it takes over."""
    asked, box = spec.config.mounts, world.workspace
    if box is None:
        taken = {mount.target for mount in asked}
        more = tuple(m for m in anonymous.waiting(names.WORKSPACE, world) if m.target not in taken)
    else:
        more = anonymous.kept(box, world.images.get(spec.config.image), asked)
    return tuple(sorted((*asked, *more)))


def _unseen(spec: ContainerSpec, diffs: tuple[Diff, ...], world: Observed) -> tuple[str, ...]:
    """Say where another image's own content stays hidden by an unnamed volume that is taken over."""
    box = world.workspace
    if box is None or not any(diff.path == "image" for diff in diffs):
        return ()
    mounts = anonymous.kept(box, world.images.get(spec.config.image), spec.config.mounts)
    return anonymous.hidden(names.WORKSPACE, mounts)


def _check_name(world: Observed) -> None:
    taken = {names.container(world.env), names.next_container(world.env)}
    for box in world.containers:
        if box.name in taken and box.labels.get(names.ENV) != world.env:
            raise Conflict(
                f"container {box.name} exists and is not this environment's",
                code="conflict.name",
                hint="choose another `name` in the file, or remove or rename that container yourself",
                where=Where(address=names.WORKSPACE),
            )


def _missing(world: Observed) -> Verdict:
    """Say why there is no workspace: it was removed when something else of the environment is still there."""
    ours = [f"volume {v.name}" for v in world.volumes if v.labels.get(names.ENV) == world.env]
    ours += [f"network {n.name}" for n in world.networks if n.labels.get(names.ENV) == world.env]
    if not ours:
        return Verdict(Action.CREATE, "there is no workspace yet")
    why = f"it is gone, while {sorted(ours)[0]} is still there"
    return Verdict(Action.CREATE, why, (Diff("status", None, "running", Cause.DRIFT),))


def _applied(box: ContainerState, address: str, world: Observed) -> Mapping[str, Any]:
    """Return the settings as they were last applied: from the ledger, else from the label made at creation."""
    entry = world.answer.entry(address)
    if entry and isinstance(entry.data.get("settings"), dict):
        return cast("dict[str, Any]", entry.data["settings"])
    return remembered(box)


def remembered(box: ContainerState) -> dict[str, Any]:
    """Return what was written down when a container was made; nothing where its label holds something else."""
    try:
        loaded = json.loads(box.labels.get(names.SETTINGS, "{}"))
    except (ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def names_in(kept: Mapping[str, Any], key: str) -> set[str]:
    """Return the names in a list that was written down; nothing where it holds something else."""
    found = kept.get(key)
    return {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()


def _settings_diff(spec: ContainerSpec, box: ContainerState, applied: Mapping[str, Any]) -> tuple[Diff, ...]:
    before, after = ContainerSpec(box.config).settings, spec.settings
    return tuple(
        Diff(
            name,
            told(name, before[name]),
            told(name, after[name]),
            Cause.DRIFT if name in UNASKED or applied.get(name) == after[name] else Cause.SPEC,
        )
        for name in sorted(after)
        if differs(name, before[name], after[name])
    )


def _image_diff(spec: ContainerSpec, box: ContainerState, world: Observed) -> tuple[Diff, ...]:
    wanted, running = world.images.get(spec.config.image), world.images.get(box.image_id)
    if spec.restored and spec.restored == box.image_id:
        return ()
    standing = standing_of(box, running)
    same_ref = familiar(standing.ref) == familiar(spec.config.image)
    cause = Cause.DRIFT if same_ref else Cause.SPEC
    if spec.content:
        base = world.images.get(spec.base)
        right = running is not None and running.labels.get(names.DIGEST) == spec.content
        right = right and (standing.id != box.image_id or not (running and running.labels.get(names.SNAPSHOT)))
        if right and (base is None or (running and running.labels.get(names.BASE) == base.id)):
            return ()
        before = f"built from the former {spec.base}" if right else standing.ref
        return (Diff("image", before, spec.config.image, Cause.DRIFT if right else cause),)
    if same_ref and (wanted is None or wanted.id == standing.id):
        return ()
    if wanted is not None and wanted.id == standing.id:
        return (Diff("image", standing.ref, spec.config.image, cause),)
    before = standing.ref if not same_ref else standing.id
    return (Diff("image", before, spec.config.image if not same_ref else wanted and wanted.id, cause),)


def _live_diff(spec: ContainerSpec, box: ContainerState, world: Observed, applied: Mapping[str, Any]) -> Live:
    """Return what can always be changed without a new container: status, name and networks."""
    status = _status_diff(spec, box, world)
    name, networks = None, []
    if box.name != names.container(world.env):
        cause = Cause.ENGINE if box.name == names.next_container(world.env) else Cause.DRIFT
        name = Diff("name", box.name, names.container(world.env), cause)
    wanted = spec.places
    if spec.config.network == "bridge":
        wanted["bridge"] = ()
    joined = {name: a.aliases for name, a in _joined(box, world).items() if name not in ("none", "host")}
    before_networks = names_in(applied, "networks") | {str(applied.get("network", ""))}
    for network in sorted(wanted.keys() | joined.keys()):
        now, then = joined.get(network), wanted.get(network)
        if now is None or then is None or not set(then) <= set(now):
            before, after = (None if x is None else list(x) for x in (now, then))
            cause = Cause.SPEC if (network in before_networks) == (then is None) else Cause.DRIFT
            networks.append((network, Diff(f"networks.{network}", before, after, cause)))
    return Live(status, name, tuple(networks))


def _status_diff(spec: ContainerSpec, box: ContainerState, world: Observed) -> Diff | None:
    """Return why a container has to be started, or started again; ``None`` where it runs as it must."""
    if not box.running:
        return Diff("status", box.status, "running", Cause.DRIFT)
    if _lost_agent(spec, box, world):
        return Diff("status", "running with the socket of an agent that ended", "running", Cause.ENGINE)
    return cut_off(box, world) or stale_binds(box, world)


def _in_place(  # noqa: PLR0913, PLR0917 - all that differs of one container
    resource: Resource,
    spec: ContainerSpec,
    box: ContainerState,
    world: Observed,
    settings: tuple[Diff, ...],
    live: Live,
) -> InPlace:
    """Return how a container is changed that stays."""
    joined = {name: attachment.network_id for name, attachment in _joined(box, world).items()}
    limits = update_of(spec.settings, {diff.path for diff in settings})
    lasting = bool(settings or live.networks)
    found = (*settings, *live.diffs)
    return InPlace(
        adjustments(limits, joined, live.networks),
        start=live.status is not None,
        rename=live.name is not None,
        record=record(resource, settings=_remembered(spec)) if lasting else None,
        changed=tuple(sorted(diff.path for diff in found)),
    )


def cut_off(box: ContainerState, world: Observed) -> Diff | None:
    """Return the difference of a container that the engine left without network and ports; a start heals it.

    Docker 29 forgets the networks of a container whose start it refused for a taken port, and starts it without any
    when the port is free (moby/moby issue 51758). On other engines somebody took it off its network: it is put back.
    """
    if not (box.cut_off and world.engine == "docker" and box.config.ports) or (
        not box.networks and world.version() < FORGETS_NETWORKS
    ):
        return None
    why = "running without network and ports, as this Docker leaves a container whose start was refused before"
    return Diff("status", why, "running", Cause.ENGINE)


def stale_binds(box: ContainerState, world: Observed) -> Diff | None:
    """Return the difference of a container that has what was at the source of a bind before; a start heals it."""
    targets = world.replaced_binds.get(box.id, ())
    sources = sorted({mount.source for mount in box.config.mounts if mount.target in targets})
    if not sources:
        return None
    return Diff("status", f"running with an older {', '.join(sources)}", "running", Cause.DRIFT)


def _lost_agent(spec: ContainerSpec, box: ContainerState, world: Observed) -> bool:
    """Say whether another agent took the place of the one whose socket was mounted: a start mounts the new one."""
    mounts = [mount for mount in box.config.mounts if mount.target == AGENT_SOCKET and mount in spec.config.mounts]
    return bool(mounts) and world.inside is not None and AGENT_SOCKET not in world.inside.files


def _joined(box: ContainerState, world: Observed) -> dict[str, Attachment]:
    """Return the networks that a container is on, by name; one that was removed under a stopped one is none."""
    known = {network.id for network in world.networks}
    return {a.network: a for a in box.networks if not a.network_id or a.network_id in known}


def _disruption(live: Live, settings: tuple[Diff, ...]) -> Disruption:
    if live.status:
        return Disruption.RESTART
    if settings:
        return Disruption.UPDATE
    return Disruption.CONNECT if live.networks else Disruption.NONE


def _says(diff: Diff) -> str:
    if diff.path == "status":
        return f"it is {'stopped' if diff.before == 'exited' else diff.before}"
    if diff.path.startswith("networks."):
        network = diff.path.removeprefix("networks.")
        return f"leave network {network}" if diff.after is None else f"join network {network}"
    return f"{diff.path}: {_show(diff.before)} → {_show(diff.after)}"


def _show(value: Any) -> str:
    if value is None:
        return "unset"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
