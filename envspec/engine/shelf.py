"""The shelf: files that containers of services bind, and that lie in this host's memory and on no disk.

A service reads a secret from a file as soon as it starts, so it has to be there before there is a container to enter.
Compose copies it into the container's layer, from where it gets into every image that is committed. Here it lies in a
tmpfs of the host, ``/dev/shm/envspec-UID/ENV/SERVICE/NAME``; ``inspect`` shows that path. It survives a restart of the
container and goes with the host's.

Which user may look: directories are their owner's alone, and a bind needs no permission on the way to what it binds.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from envspec.errors import EngineCallFailed, Where

PLACE = Path("/dev/shm")
"""Where Linux keeps shared memory, a tmpfs everywhere; shm_overview(7)."""

MOUNTS = Path("/proc/self/mounts")


def directory(env: str) -> Path:
    """Return where the files of an environment's services lie."""
    return _root() / env


def read(env: str) -> dict[str, str]:
    """Return what lies on the shelf of an environment, by ``SERVICE/NAME``; nothing of what is somebody else's."""
    top = directory(env)
    if not _is_own(_root()) or not top.is_dir():
        return {}
    files = sorted(path for path in top.glob("*/*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(top)): path.read_text(errors="surrogateescape") for path in files}


def write(env: str, service: str, files: Mapping[str, str]) -> None:
    """Let the shelf hold these files of a service and no others; those that are as they shall be are not touched.

    Args:
        env: Name of the environment.
        service: Name of the service.
        files: Contents by name; none for a service that has gone.

    Raises:
        EngineCallFailed: The place is not in memory, or is somebody else's.
    """
    place = directory(env) / service
    if files:
        _insist(service)
        for path in (_root(), place.parent, place):
            path.mkdir(mode=0o700, exist_ok=True)
    there = read(env)
    stale = {key for key in there if key.startswith(f"{service}/") and files.get(key.partition("/")[2]) != there[key]}
    for key in sorted(stale):
        (directory(env) / key).unlink()
    for name in sorted(files):
        if f"{service}/{name}" in stale or f"{service}/{name}" not in there:
            _put(place / name, files[name])
    if not files and place.is_dir() and _is_own(_root()):
        shutil.rmtree(place)
        _drop_empty(place.parent)


def _put(path: Path, content: str) -> None:
    """Write a file that every user of a container can read, whoever that runs as, under its name only when whole."""
    half = path.with_name(f".{path.name}.half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content.encode(errors="surrogateescape"))
        os.fchmod(file.fileno(), 0o444)
    half.rename(path)


def _drop_empty(top: Path) -> None:
    if not any(top.iterdir()):
        top.rmdir()


def _root() -> Path:
    return PLACE / f"envspec-{os.geteuid()}"


def _is_own(path: Path) -> bool:
    """Say whether a directory exists, is nobody else's, and may be looked into by nobody else."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _insist(service: str) -> None:
    try:
        mounted = [line.split()[1:3] for line in MOUNTS.read_text(encoding="utf-8").splitlines()]
    except OSError:  # not Linux
        mounted = []
    why = f"{PLACE} of this host is not in memory" if [str(PLACE), "tmpfs"] not in mounted else ""
    if not why and _root().exists() and not _is_own(_root()):
        why = f"{_root()} is somebody else's, or open to others"
    if why:
        raise EngineCallFailed(
            f"secrets of {service} cannot be kept: {why}",
            code="service.no_shelf",
            hint=f"mount a tmpfs there, or remove {_root()}; or give the secret a `file` in the project",
            where=Where(address=f"service.{service}"),
        )
