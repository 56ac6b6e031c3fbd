"""Whether a bind is still what lies at its source: a bind is made of a file or directory, not of its path.

An editor or a new secret puts another file at the path, and the container keeps the old one until it is started again.
The host's kernel tells which one a container has through ``/proc/PID/root``, to root and to the owner of a rootless
container. Everybody else has to ask inside. An engine in a virtual machine has files of its own: nothing is said then.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from envspec.engine.objects import Mount
from envspec.engine.paths import follow
from envspec.engine.podman_paths import on_host
from envspec.errors import EnvspecError

BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""Tells kernels apart: file numbers can be compared within one only."""

ASK = f"""
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cat {BOOT_ID} || exit
for path; do stat -L -c %d:%i -- "$path" 2> /dev/null || echo; done
"""
"""Prints the boot's ID, then what each path is, a line each."""

_OCTAL = re.compile(r"\\([0-7]{3})")


class Hidden(Exception):
    """The kernel does not let us see a process."""


def replaced(pid: int, mounts: Sequence[Mount], proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Return the targets of the binds of which the host has something else at the source by now.

    Args:
        pid: Number of the container's main process, on this host.
        mounts: Mounts of the container.
        proc: Where the kernel shows processes.

    Raises:
        Hidden: The process may not be looked at.
    """
    binds = [mount for mount in mounts if mount.type == "bind"]
    process = proc / str(pid)
    try:
        if not binds or (process / "ns/mnt").samefile(proc / "self/ns/mnt"):
            return ()
        points = set(_mount_points((process / "mountinfo").read_bytes()))
    except PermissionError:
        raise Hidden from None
    except OSError:
        return ()
    return _changed((mount, _inside(process, mount.target, points)) for mount in binds)


def replaced_by_answer(mounts: Sequence[Mount], answer: str) -> tuple[str, ...]:
    """Return the same from what :data:`ASK` printed inside for the targets of the binds among the mounts, in order."""
    boot, *lines = answer.splitlines() or [""]
    binds = [mount for mount in mounts if mount.type == "bind"]
    try:
        same_kernel = Path(BOOT_ID).read_text(encoding="ascii").strip() == boot.strip()
    except OSError:
        same_kernel = False
    return _changed(zip(binds, lines, strict=False)) if same_kernel else ()


def _changed(found: Iterable[tuple[Mount, str]]) -> tuple[str, ...]:
    """Return the targets where both sides are known and differ."""
    return tuple(sorted(m.target for m, inside in found if inside and (now := _identity(m.source)) and now != inside))


def _inside(process: Path, target: str, points: set[str]) -> str:
    """Return what a process has at a mount point, "" when that cannot be told; links are followed as inside."""
    try:
        real = follow(posixpath.normpath(target), lambda path: on_host(Path(f"{process}/root{path}"))).real
        found = Path(f"{process}/root{real}").lstat() if real in points else None
    except (OSError, EnvspecError):
        return ""
    return _number(found) if found else ""


def _identity(path: str) -> str:
    """Return what lies at a path of this host, "" when nothing does or it cannot be told."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return ""
    return _number(found)


def _number(found: os.stat_result) -> str:
    return f"{found.st_dev}:{found.st_ino}"


def _mount_points(mountinfo: bytes) -> Iterable[str]:
    """Yield the mount points of a process, proc(5)."""
    for line in os.fsdecode(mountinfo).splitlines():
        fields = line.split(" ")
        if len(fields) > 4:
            yield _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
