"""Making and removing snapshots.

No tmpfs is part of a container's filesystem, so what lives there, every secret above all, is in no snapshot.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from envspec.engine.archive import SNAPSHOT_KIND
from envspec.engine.base import Engine
from envspec.engine.facts import Questions, RepoQuestion
from envspec.engine.objects import LABEL, ContainerConfig, ContainerState, Mount
from envspec.engine.operations import CopyTrees, Mark
from envspec.errors import Conflict, StepFailed, Where
from envspec.events import Emit, Notice
from envspec.inside import snapshot_manifest as manifests
from envspec.inside.copy_box import find_box
from envspec.inside.snapshot_manifest import BOX, MANIFEST, VOLUMES, Manifest, SavedRepo, SavedVolume, ref_of
from envspec.kinds import anonymous, names
from envspec.kinds.base import is_service
from envspec.kinds.standing import Standing, standing_of
from envspec.spec.load import Loaded

COPY_DEADLINE = 3600.0
"""Seconds for copying the volumes."""

SAVED = "/envspec-snapshot"
"""Directory of the image of the volumes that their copies are in, by number."""

_MOUNTED = "/envspec-volumes"
_HELPER_ADDRESS = "container.snapshot"
_TRUE_STILL = (names.DIGEST, names.BASE)
"""Labels that stay true of what an image becomes: what it was built from."""


def create(  # noqa: PLR0913 - of what, as what, and how
    engine: Engine, loaded: Loaded, text: str, name: str, *, pausable: tuple[str, ...] | None, emit: Emit
) -> Manifest:
    """Make a snapshot. Whoever calls holds the environment's mutex.

    Args:
        engine: The engine.
        loaded: The environment's spec.
        text: Its text.
        name: Name of the snapshot.
        pausable: IDs of the containers that are paused meanwhile if they run; ``None`` to pause nothing.
        emit: Takes notices.

    Raises:
        UsageError: There is no such environment, or the name is none.
        Conflict: There is a snapshot of this name.
        EngineCallFailed: The engine refused.
        StepFailed: A volume cannot be copied.
    """
    manifests.check_name(name)
    if any(row.name == name for row in manifests.rows(engine)):
        raise Conflict(
            f"there is a snapshot {name}",
            code="snapshot.exists",
            hint=f"choose another name, or `envspec snapshot rm {name}` first",
            where=Where(address=name),
        )
    env = loaded.spec.name or ""
    box = find_box(engine, env).state
    services = tuple(other for other in engine.containers(env) if is_service(other))
    saving = _Saving(engine, name, box, services, _volumes(engine, env, (box, *services)))
    held = tuple(one.id for one in (box, *services) if one.running and one.id in (pausable or ()))
    repos = _repos(engine, box)
    mark = _mark(engine, box, emit)
    _clear(engine, name, env)
    emit(Notice(f"saving {env}" + (f": {len(held)} paused" if held else "")))
    with ExitStack() as undo:
        undo.callback(_clear, engine, name, env)
        image = saving.save(held)
        made = Manifest(
            name=name,
            env=env,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            engine=engine.name,
            paused=pausable is not None,
            image=saving.standing.ref,
            image_id=saving.standing.id,
            box=image,
            size=_size(engine, name, box.image_id),
            volumes=saving.volumes,
            repos=repos,
            binds=tuple(sorted(mount.source for mount in box.config.mounts if mount.type == "bind")),
            services=tuple(sorted(one.labels.get(names.ADDRESS, "").partition(".")[2] for one in services)),
            spec=text,
            file=str(loaded.path or ""),
            directory=str(loaded.directory),
            mark=mark,
        )
        engine.import_file(ref_of(name, MANIFEST), made.as_bytes(), manifests.row_labels(made))
        undo.pop_all()
    return made


@dataclass(frozen=True, slots=True)
class _Saving:
    """One snapshot that is being made: its images, without the manifest."""

    engine: Engine
    name: str
    box: ContainerState
    services: tuple[ContainerState, ...]
    volumes: tuple[SavedVolume, ...]

    @property
    def standing(self) -> Standing:
        """Return the image that the workspace was made from, by a restore or not."""
        return standing_of(self.box, self.engine.images((self.box.image_id,)).get(self.box.image_id))

    def save(self, held: tuple[str, ...]) -> str:
        """Make the images while the held containers are paused, and return the ID of the workspace's."""
        engine, standing = self.engine, self.standing
        stands = {names.STANDS_FOR: standing.id, names.STANDS_FOR_REF: standing.ref}
        helper = self._helper() if self.volumes else ""
        with engine.paused(held):
            image = engine.commit(self.box.id, ref_of(self.name, BOX), _labels(self.box, self.name) | stands)
            if helper:
                numbers = range(len(self.volumes))
                copy_trees(engine, helper, tuple((f"{_MOUNTED}/{n}", f"{SAVED}/{n}") for n in numbers))
        if helper:
            env = self.box.labels[names.ENV]
            state = next(state for state in engine.containers(env) if state.id == helper)
            engine.commit(helper, ref_of(self.name, VOLUMES), _labels(state, self.name))
            engine.remove_container(helper, borrows=True)
        return image

    def _helper(self) -> str:
        """Start a container of the workspace's own image that sees every volume, and return its ID."""
        places = (f"{_MOUNTED}/{number}" for number in range(len(self.volumes)))
        mounts = (Mount(p, "volume", v.name, read_only=True) for p, v in zip(places, self.volumes, strict=True))
        env = self.box.labels[names.ENV]
        labels = names.labels(env, names.SNAPSHOT_HELPER, _HELPER_ADDRESS) | {names.SNAPSHOT: self.name}
        config = helper_config(self.box.image_id, tuple(sorted(mounts)))
        helper = self.engine.create_container(_helper_name(self.name), config, labels)
        self.engine.start(helper)
        return helper


def remove(engine: Engine, name: str) -> None:
    """Remove a snapshot, its manifest first: killed half-way, it is none already.

    Raises:
        UsageError: There is none of this name.
        Conflict: A container was made from it and is still there.
    """
    row = manifests.row_of(engine, name)
    if row.used_by:
        raise Conflict(
            f"{', '.join(row.used_by)} runs from the snapshot {name}",
            code="snapshot.in_use",
            hint="destroy the environment first",
            where=Where(address=name),
        )
    for part in (MANIFEST, BOX, VOLUMES):
        engine.remove_image(ref_of(name, part))


def helper_config(image: str, mounts: tuple[Mount, ...]) -> ContainerConfig:
    """Return the configuration of a container that copies trees and is on no network."""
    return ContainerConfig(image=image, workdir="/", mounts=mounts, tmpfs=(), network="none")


def copy_trees(engine: Engine, helper: str, pairs: tuple[tuple[str, str], ...]) -> None:
    """Copy trees in a helper.

    Raises:
        StepFailed: That failed; the message bears the last lines.
    """
    done = engine.perform(helper, CopyTrees(pairs), deadline=COPY_DEADLINE)
    if done.code:
        raise StepFailed(
            f"a volume cannot be copied:\n{done.tail}",
            code="snapshot.copy",
            hint="fix what the last lines say; is the disk full?",
        )


def _volumes(engine: Engine, env: str, boxes: tuple[ContainerState, ...]) -> tuple[SavedVolume, ...]:
    """Return the volumes to save: the environment's own, and those that nobody named, by what container has them."""
    ours = [volume for volume in engine.volumes() if volume.labels.get(names.ENV) == env]
    own = [v for v in ours if v.driver == "local" and v.labels.get(names.KIND) != anonymous.KIND]
    found = {v.name: SavedVolume(v.labels.get(names.ADDRESS, ""), v.name) for v in own}
    for box in sorted(boxes, key=lambda box: box.name):
        holder = box.labels.get(names.ADDRESS, "")
        for mount in box.anonymous:
            found.setdefault(mount.source, SavedVolume(anonymous.address_of(holder, mount.target), mount.source))
    return tuple(sorted(found.values(), key=lambda volume: volume.address))


def _mark(engine: Engine, box: ContainerState, emit: Emit) -> str:
    """Remember in a workspace that it is about to be saved, as far as somebody can write there.

    Files with holes are named beforehand: images hold no holes, so a snapshot of them may be much larger than they are.
    """
    if not box.running:
        return ""
    token = secrets.token_hex(8)
    roots = ("/", *(mount.target for mount in box.config.mounts if mount.type == "volume"))
    done = engine.perform(box.id, Mark(token, roots))
    for line in done.stdout.decode(errors="backslashreplace").splitlines():
        word, _, rest = line.partition(" ")
        size, _, path = rest.partition(" ")
        if word == "hole" and size.isdecimal():
            emit(Notice(f"{path} has holes: in the snapshot it takes its whole {int(size) / 1024**3:.1f} GiB on disk"))
    return token if done.code == 0 else ""


def _repos(engine: Engine, box: ContainerState) -> tuple[SavedRepo, ...]:
    """Return what the repositories that were applied are at, as far as somebody can look."""
    if not box.running:
        return ()
    known = engine.probe(box.id, Questions()).ledger
    paths = sorted(str(entry.data.get("path", "")) for entry in known if entry.address.startswith("repo."))
    facts = engine.probe(box.id, Questions(repos=tuple(map(RepoQuestion, paths)))).repos if paths else {}
    return tuple(SavedRepo(path, fact.head, fact.dirty + fact.made) for path, fact in sorted(facts.items()))


def _helper_name(name: str) -> str:
    return f"envspec-snapshot-{name}"


def _clear(engine: Engine, name: str, env: str) -> None:
    """Remove what a snapshot that was not finished left: no manifest stands for it."""
    for box in engine.containers(env, (_helper_name(name),)):
        if box.labels.get(names.KIND) == names.SNAPSHOT_HELPER and box.labels.get(names.SNAPSHOT) == name:
            engine.remove_container(box.id, borrows=True)
    for part in (BOX, VOLUMES):
        engine.remove_image(ref_of(name, part))


def _labels(box: ContainerState, name: str) -> dict[str, str]:
    """Return the labels of an image of a container: none of the container's own stays but what is true still."""
    blank = {key: "" for key in box.labels if key.startswith(LABEL) and key not in _TRUE_STILL}
    return blank | {names.KIND: SNAPSHOT_KIND, names.SNAPSHOT: name}


def _size(engine: Engine, name: str, base: str) -> int:
    """Return what the images of a snapshot take beyond the image that they stand upon."""
    refs = (ref_of(name, BOX), ref_of(name, VOLUMES))
    found = engine.images((*refs, base))
    under = found[base].size if base in found else 0
    return sum(max(found[ref].size - under, 0) for ref in refs if ref in found)
