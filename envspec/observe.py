"""Looking inside: what the probe is asked, and what its answers add to what the engine told."""

from __future__ import annotations

import dataclasses
import hashlib
import tarfile
from collections.abc import Mapping
from pathlib import Path

from envspec.engine.base import Reader
from envspec.engine.facts import FileFact, Questions
from envspec.engine.objects import Mount
from envspec.errors import EngineCallFailed
from envspec.glance import Glance
from envspec.kinds import names
from envspec.kinds.base import Observed
from envspec.kinds.container import ContainerSpec
from envspec.kinds.every import all_kinds
from envspec.kinds.file import FileSpec
from envspec.kinds.loss import lies_below
from envspec.model import Desired

MAX_HOST_FILE = 64 * 1024 * 1024
"""Bytes beyond which a file of the host is not hashed; no declared file is that large."""


def inside(glance: Glance, world: Observed, desired: Desired, *, deep: bool = False, since: str = "") -> Observed:
    """Look inside the workspace too, and at what only the ledger still knows.

    Args:
        glance: The look that this is part of.
        world: What it saw of the engine.
        desired: What shall be: it says which files, repositories and paths to ask about.
        deep: Whether to look for files made by hand, which a destructive step would lose.
        since: Token of a moment before which all that was made is kept elsewhere, "" for none.
    """
    world = dataclasses.replace(world, network_users=_network_users(glance.reader, world, desired))
    box = world.workspace
    if box is None:
        return dataclasses.replace(world, host_files=_host_files(desired))
    if not box.running:
        return world
    questions = dataclasses.replace(_declared(desired), since=since)
    if deep and desired.resources:
        questions = questions.merged(_undeclared(box.mounts))
    answer = glance.probe(box, questions)
    seen = dataclasses.replace(world, inside=answer, deep=deep)
    more = _recorded(seen, desired)
    if deep and not desired.resources:
        more = more.merged(_undeclared(box.mounts))
    if more == Questions():
        return seen
    late = glance.probe(box, dataclasses.replace(more, since=since, declared=(*questions.declared, *more.declared)))
    merged = dataclasses.replace(
        answer,
        files={**answer.files, **late.files},
        repos={**answer.repos, **late.repos},
        exists=answer.exists | late.exists,
        hollow=answer.hollow | late.hollow,
        undeclared=late.undeclared if late.undeclared is not None else answer.undeclared,
    )
    return dataclasses.replace(seen, inside=merged)


def without_files(reader: Reader, world: Observed) -> Observed:
    """Look into the volumes that only services mount, for a file that a destroy would lose; see ``empty_volumes``.

    The engine gives a tree out of any image, and of a container that does not run too. What it does not give counts as
    holding something.

    Args:
        reader: The engine.
        world: What was observed so far.
    """
    seen = {mount.source for mount in world.workspace.config.mounts} if world.workspace else set()
    ours = {volume.name for volume in world.volumes if volume.labels.get(names.ENV) == world.env} - seen
    places: dict[str, tuple[str, str]] = {}
    for box in world.services:
        unnamed = {mount.source for mount in box.anonymous}
        for mount in box.mounts:
            if mount.type == "volume" and mount.source in ours | unnamed:
                places.setdefault(mount.source, (box.id, mount.target))
    empty = (name for name, place in sorted(places.items()) if not _holds_files(reader, *place))
    return dataclasses.replace(world, empty_volumes=frozenset(empty))


class _FileFound(Exception):
    """Ends a look into a tree: there is a file in it."""


def _holds_files(reader: Reader, container_id: str, path: str) -> bool:
    try:
        with (
            reader.read_archive(container_id, path) as stream,
            tarfile.open(fileobj=stream, mode="r|", bufsize=tarfile.RECORDSIZE) as tar,
        ):
            for member in tar:
                if not member.isdir():
                    raise _FileFound
    except (_FileFound, EngineCallFailed, tarfile.TarError):
        return True
    return False


def _declared(desired: Desired) -> Questions:
    kinds = all_kinds()
    asked = Questions()
    parts = [kinds[r.kind].questions(r, r.spec) for r in desired.resources]
    return _merged(asked, parts)


def _recorded(world: Observed, desired: Desired) -> Questions:
    kinds = all_kinds()
    wanted = {kinds[r.kind].identity(r) for r in desired.resources}
    stale = [entry for entry in world.answer.ledger if entry.address not in wanted]
    parts = [kinds[kind].recorded_questions(e) for e in stale if (kind := e.address.split(".", 1)[0]) in kinds]
    return _merged(Questions(), parts)


def _merged(first: Questions, parts: list[Questions]) -> Questions:
    """Return all questions as one; merging pair by pair would take quadratic time."""
    everything = [first, *parts]
    return Questions(
        files=tuple(sorted({path for part in everything for path in part.files})),
        repos=tuple(sorted({repo for part in everything for repo in part.repos})),
        exists=tuple(sorted({path for part in everything for path in part.exists})),
        undeclared=tuple(sorted({path for part in everything for path in part.undeclared})),
        declared=tuple(sorted({path for part in everything for path in part.declared})),
        links=tuple(sorted({address for part in everything for address in part.links})),
    )


def _undeclared(mounts: tuple[Mount, ...]) -> Questions:
    """Ask for files made by hand in the container's own filesystem and in its volumes; a bind is never lost."""
    volumes = [mount.target for mount in mounts if mount.type == "volume" and not mount.read_only]
    binds = [mount.target for mount in mounts if mount.type == "bind"]
    return Questions(undeclared=tuple(sorted(["/", *volumes])), declared=tuple(sorted(binds)))


def _network_users(reader: Reader, world: Observed, desired: Desired) -> Mapping[str, tuple[str, ...]]:
    wanted = {resource.address for resource in desired.of_kind("network")}
    stale = [
        net for net in world.networks if net.labels.get(names.ENV) == world.env and f"network.{net.name}" not in wanted
    ]
    return {net.id: reader.network_users(net.id) for net in stale}


def _host_files(desired: Desired) -> Mapping[str, FileFact]:
    """Describe declared files that exist in a bind of this host already, while there is no container to ask."""
    boxes = [r.spec for r in desired.of_kind("container") if isinstance(r.spec, ContainerSpec)]
    binds = [mount for box in boxes for mount in box.config.mounts if mount.type == "bind"]
    files = [r.spec for r in desired.of_kind("file") if isinstance(r.spec, FileSpec)]
    found = {}
    for spec in files:
        holding = [mount for mount in binds if lies_below(spec.path, mount.target)]
        if not holding:
            continue
        mount = max(holding, key=lambda bind: len(bind.target))
        fact = _describe(Path(mount.source) / spec.path.removeprefix(mount.target).lstrip("/"))
        if fact:
            found[spec.path] = fact
    return found


def _describe(path: Path) -> FileFact | None:
    try:
        stat = path.lstat()
        if path.is_symlink() or not path.is_file() or stat.st_size > MAX_HOST_FILE:
            kind = "link" if path.is_symlink() else "dir" if path.is_dir() else "other"
            return FileFact(kind, stat.st_mode & 0o7777, stat.st_uid, stat.st_gid)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
    return FileFact("file", stat.st_mode & 0o7777, stat.st_uid, stat.st_gid, digest)
