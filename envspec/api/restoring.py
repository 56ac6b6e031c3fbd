"""Bringing a snapshot back, as the same environment or as another one beside it.

The container is made from the snapshot's image and the volumes are filled from their copies; what lives in memory
only, services, and whatever else the spec asks for, is then a plain apply of the snapshot's spec. Until the container
is there a marker stands by: a restore that was killed is begun anew by the next one, and no apply takes half of it for
the whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from pathlib import Path

from envspec import executor, planner
from envspec.api.converge import Doors, Held, run, session_of
from envspec.api.lock import has_died
from envspec.api.ports import insist_on_ports
from envspec.api.room import claimed
from envspec.api.targets import Cancel, Confirm, Options, Target, open_engine
from envspec.api.work import Look, look
from envspec.engine.base import Engine
from envspec.engine.objects import RESTORES, Mount
from envspec.engine.operations import Baseline, Forget
from envspec.errors import Conflict, EnvspecError, Refused, StepFailed, Where
from envspec.events import Emit, Notice
from envspec.glance import Glance
from envspec.inside import snapshot_manifest
from envspec.inside.snapshot import SAVED, copy_trees, helper_config
from envspec.inside.snapshot_manifest import BOX, VOLUMES, Manifest, ref_of
from envspec.inside.snapshot_spec import loaded_for
from envspec.kinds import anonymous, lease, names
from envspec.kinds.container import ContainerSpec
from envspec.kinds.volume import VolumeSpec
from envspec.model import Desired, Report, Resource, Status

_FILLED = "/envspec-volumes"


def restore(  # noqa: PLR0913 - the doors are named
    name: str,
    options: Options,
    *,
    env: str = "",
    spec: Path | None = None,
    emit: Emit,
    confirm: Confirm,
    cancel: Cancel,
    engine: Engine | None = None,
) -> Report:
    """Bring a snapshot back.

    Args:
        name: Name of the snapshot.
        options: What the user allows: effects of the spec, and, where the environment exists, its end.
        env: Name of the environment to make; "" for the one that the snapshot is of.
        spec: File of its spec; written where it is not there. Relative paths are relative to it.
        emit: Takes events.
        confirm: Asks before an environment that exists is ended.
        cancel: Carries the user's wish to stop.
        engine: The engine, by default this host's.

    Returns:
        The report of the apply that ends it.

    Raises:
        UsageError: There is no such snapshot, or its spec cannot be had.
        Refused: The environment exists and nobody agreed to its end, an effect was not allowed, or it would be one too
            many.
        Conflict: Somebody else works on it, or holds a fixed port of the host that its spec names.
        StepFailed: The container does not start, or a volume cannot be filled.
    """
    began = time.monotonic()
    engine = engine or open_engine()
    doors = Doors(emit, confirm, cancel)
    manifest = snapshot_manifest.read(engine, name)
    loaded = loaded_for(manifest, env, spec)
    assert loaded.spec.name is not None
    target = Target(loaded.spec.name, loaded, destroy=False)
    interrupted = _was_killed(engine, target.env, name)
    if not interrupted and not _is_half(engine, target.env):
        insist_on_ports(engine, look(engine, target, options, judge=True).desired, _other_ports(spec))
        if _exists(engine, target.env):
            command = f"envspec restore {name}{f' --as {env}' if env else ''}"
            _end(engine, target.env, dataclasses.replace(options, command=command, since=manifest.mark), doors)
    # The mutex is held to the very end: should this process die, its note says whose half-finished work it is.
    with claimed(engine, target.env, new=True, notes={RESTORES: name}) as stolen:
        if _is_half(engine, target.env):
            emit(Notice("an earlier restore was killed: beginning again"))
            _sweep(engine, target.env)
        if not _exists(engine, target.env):
            seen = look(engine, target, options, judge=True)
            _Restore(engine, manifest, seen, options, doors).carry_out()
        elif not interrupted:
            raise Conflict(
                f"another process is creating {target.env}", hint="look at `envspec status`, and restore again"
            )
        emit(Notice(f"{name} is back as {target.env} after {time.monotonic() - began:.1f} s; applying its spec"))
        return run(engine, target, dataclasses.replace(options, restored=manifest.box), doors, held=Held(stolen))


class _Restore:
    """One restore, under the environment's mutex, of which nothing is there yet."""

    def __init__(self, engine: Engine, manifest: Manifest, seen: Look, options: Options, doors: Doors) -> None:
        self.engine, self.manifest, self.desired, self.doors = engine, manifest, seen.desired, doors
        self.marks = {names.SESSION: session_of(options), names.RUN: options.runner}
        self.env = seen.desired.env
        labels = names.labels(self.env, names.RESTORING, "container.restore")
        self.labels = labels | {names.SNAPSHOT: manifest.name}

    def carry_out(self) -> None:
        """Make volumes and container; after a failure nothing is left."""
        image = ref_of(self.manifest.name, BOX)
        found = self.engine.images((image,)).get(image)
        if found is None or found.id != self.manifest.box:
            raise Conflict(
                f"{image} is not the image that the snapshot was made with",
                code="snapshot.changed",
                hint="somebody tagged or removed it by hand; `envspec snapshot rm` what is left",
            )
        marker = self.engine.create_container(f"{self.env}-restore", helper_config(image, ()), self.labels)
        try:
            self._make(self.desired.of_kind("volume"))
            self._fill()
            outer = (*self.desired.of_kind("network"), *self.desired.of_kind("volume"))
            self._make((*outer, *map(self._from_snapshot, self.desired.of_kind("container"))))
            self._begin_life()
        except BaseException:
            with contextlib.suppress(EnvspecError):
                _sweep(self.engine, self.env)
            raise
        self.engine.remove_container(marker)

    def _from_snapshot(self, resource: Resource) -> Resource:
        """Return the container as it is made from the snapshot's image instead of its own."""
        assert isinstance(resource.spec, ContainerSpec)
        config = dataclasses.replace(resource.spec.config, image=ref_of(self.manifest.name, BOX))
        made = dataclasses.replace(resource.spec, config=config, content="", base="", restored=self.manifest.box)
        return dataclasses.replace(resource, spec=made)

    def _make(self, resources: tuple[Resource, ...]) -> None:
        """Make resources as an apply would."""
        part: Desired = dataclasses.replace(self.desired, resources=resources)
        with Glance(self.engine, self.env) as glance:
            world = glance.world(())
        boxes = tuple(box for box in world.containers if box.labels.get(names.KIND) != names.RESTORING)
        world = dataclasses.replace(world, containers=boxes)
        planned = planner.plan(part, world)
        inputs = executor.Inputs(marks=self.marks, stopping=self.doors.cancel.event)
        for outcome in executor.execute(planned, self.engine, inputs=inputs, emit=self.doors.emit):
            if outcome.status is not Status.DONE:
                error = outcome.error or {}
                raise StepFailed(
                    f"{outcome.address}: {outcome.detail}",
                    code=str(error.get("code", "step.failed")),
                    hint=f"change its spec: `envspec snapshot show {self.manifest.name} --spec > FILE`, "
                    f"then `envspec restore {self.manifest.name} --spec FILE`",
                    where=Where(address=outcome.address),
                )

    def _fill(self) -> None:
        """Copy the saved volumes into those of the same address."""
        numbers = {volume.address: number for number, volume in enumerate(self.manifest.volumes)}
        mounts = self._unnamed(numbers)
        for resource in self.desired.of_kind("volume"):
            assert isinstance(resource.spec, VolumeSpec)
            number = numbers.pop(resource.address, None)
            if number is None or resource.spec.options or resource.spec.driver != "local":
                self.doors.emit(Notice(f"{resource.address} is not part of the snapshot"))
                continue
            mounts.append(Mount(f"{_FILLED}/{number}", "volume", resource.spec.name))
        for address in numbers:
            self.doors.emit(Notice(f"{address} of the snapshot is left out: the spec does not ask for it"))
        if not mounts:
            return
        config = helper_config(ref_of(self.manifest.name, VOLUMES), tuple(sorted(mounts)))
        helper = self.engine.create_container(f"{self.env}-restore-volumes", config, self.labels)
        self.engine.start(helper)
        pairs = tuple((mount.target.replace(_FILLED, SAVED), mount.target) for mount in config.mounts)
        copy_trees(self.engine, helper, pairs)
        self.engine.remove_container(helper, borrows=True)

    def _unnamed(self, numbers: dict[str, int]) -> list[Mount]:
        """Make the volumes that nobody named, for their containers to find; take them out of what is left to do."""
        holders = tuple(anonymous.address_of(r.address, "") for r in self.desired.resources)
        chosen = {address: number for address, number in numbers.items() if address.startswith(holders)}
        mounts = []
        for address, number in chosen.items():
            name = secrets.token_hex(32)
            self.engine.create_volume(name, names.labels(self.env, anonymous.KIND, address))
            mounts.append(Mount(f"{_FILLED}/{number}", "volume", name))
            del numbers[address]
        return mounts

    def _begin_life(self) -> None:
        """Count what came back as kept, for the snapshot holds it, and forget until when what was saved was wanted."""
        box = next(b for b in self.engine.containers(self.env) if b.name == names.container(self.env))
        self.engine.perform(box.id, Baseline())
        if self.desired.get(lease.WORKSPACE):
            self.engine.perform(box.id, Forget((lease.WORKSPACE,)))


def _other_ports(spec: Path | None) -> str:
    """Return how to want other ports of the host than a snapshot's spec does."""
    file = spec or "FILE, which `--spec FILE` writes"
    return f"change the port in {file}, or leave it out for any free one (`ports: ['80']`), and restore again"


def _was_killed(engine: Engine, env: str, name: str) -> bool:
    """Say whether a restore of this snapshot died here, so that all there is of the environment is its work."""
    holder = engine.lock_holder(env)
    return holder is not None and has_died(holder) and holder.notes.get(RESTORES) == name


def _is_half(engine: Engine, env: str) -> bool:
    """Say whether a restore was killed here."""
    return any(box.labels.get(names.KIND) == names.RESTORING for box in engine.containers(env))


def _exists(engine: Engine, env: str) -> bool:
    volumes = (volume for volume in engine.volumes() if volume.labels.get(names.ENV) == env)
    return bool(engine.containers(env)) or any(volumes)


def _sweep(engine: Engine, env: str) -> None:
    """Remove what a restore made: there was nothing of the environment before it. The marker goes last."""
    boxes = sorted(engine.containers(env), key=lambda box: box.name == f"{env}-restore")
    for box in boxes[:-1]:
        engine.remove_container(box.id)
    for volume in engine.volumes():
        if volume.labels.get(names.ENV) == env:
            engine.remove_volume(volume.name)
    for box in boxes[-1:]:
        engine.remove_container(box.id)


def _end(engine: Engine, env: str, options: Options, doors: Doors) -> None:
    """Destroy the environment that is there, volumes too, as far as the user agrees.

    Raises:
        Refused: Something of it stays.
    """
    doors.emit(Notice(f"{env} is there: it ends, with its volumes, before the snapshot takes its place"))
    agreed = Options(
        destroy=True,
        volumes=True,
        yes=options.yes,
        allow_data_loss=options.allow_data_loss,
        since=options.since,
        command=options.command,
    )
    report = run(engine, Target(env, None, destroy=True), agreed, doors)
    if not report.ok:
        raise Refused(
            f"{env} could not be removed; nothing was restored",
            code="snapshot.in_the_way",
            hint=f"`envspec destroy {env} --volumes` says why",
            where=Where(address=env),
        )
