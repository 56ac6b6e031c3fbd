"""The container's side of a copy: which container, what a path in it is, and what must not be copied there."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass

from envspec.engine.archive import PathFact
from envspec.engine.base import Engine
from envspec.engine.objects import ContainerConfig, ContainerState
from envspec.errors import Refused, StepFailed, UsageError
from envspec.inside.door import unknown
from envspec.kinds.base import workspace_of
from envspec.kinds.loss import lies_below

KERNEL = ("/dev", "/proc", "/sys")
"""Filesystems of every container that are none of its own."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was not copied: its path, relative to what was copied, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy brought.

    Attributes:
        target: Where the file, or the top of the tree, is now; ``-`` for a stream.
        files: Number of files and links.
        bytes: Bytes of their content.
        left_out: What was not copied, in order.
        notes: What else the user should know.
    """

    target: str
    files: int
    bytes: int
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """The container of an environment, as copies see it."""

    engine: Engine
    state: ContainerState

    @property
    def owner(self) -> tuple[int, int]:
        """Return uid and gid of the environment's user."""
        uid, _, gid = self.state.config.user.partition(":")
        return int(uid or 0), int(gid or uid or 0)

    def find(self, path: str) -> PathFact:
        """Say where a path leads.

        Args:
            path: Path inside, relative to the workspace unless absolute.

        Raises:
            UsageError: It holds what no path of ours may.
            Refused: It lies on a tmpfs or belongs to the kernel.
        """
        if "\n" in path or "\0" in path:
            raise UsageError(f"{path!r} holds a line break", code="copy.path", hint="rename it")
        whole = self.absolute(path)
        self._check(whole)
        found = self.engine.find_path(self.state.id, whole)
        self._check(found.real)
        return found

    def find_target(self, path: str) -> PathFact:
        """Say where a path leads to which something is copied.

        Args:
            path: Path inside, relative to the workspace unless absolute.

        Raises:
            UsageError: It holds what no path of ours may.
            Refused: It lies on a tmpfs or belongs to the kernel, or a link leads there that somebody made who may not
                write there, but the engine may.
        """
        found = self.find(path)
        if found.foreign and (found.owner <= 0 or found.owner not in (self.owner[0], found.foreign)):
            whole = self.absolute(path)
            raise Refused(
                f"{whole} leads to {found.real} by a link that others than root may have made, who may not write there",
                code="copy.foreign_link",
                hint=f"if {found.real} is meant, name it: `envspec cp … ENV:{shlex.quote(found.real)}`",
            )
        return found

    def absolute(self, path: str) -> str:
        """Return a path inside as an absolute one, without ``.`` and ``..``."""
        return posixpath.normpath(posixpath.join("/", self.state.config.workdir, path))

    def is_volatile(self, path: str) -> bool:
        """Say whether a path lies where only memory is."""
        return is_volatile(path, self.state.config)

    def _check(self, path: str) -> None:
        if self.is_volatile(path):
            raise Refused(
                f"{path} lies in memory and not on disk: the engine would copy past it",
                code="copy.tmpfs",
                hint="pass it through a command: `envspec exec ENV -- sh -c 'cat > PATH' < FILE`",
            )


def is_volatile(path: str, config: ContainerConfig) -> bool:
    """Say whether a path lies on a tmpfs or a filesystem of the kernel, and not in a volume or a bind below one."""
    volatile = {*config.tmpfs, *KERNEL}
    places = (*volatile, *(mount.target for mount in config.mounts))
    holding = max((place for place in places if lies_below(path, place)), key=len, default="")
    return holding in volatile


def find_box(engine: Engine, env: str) -> Box:
    """Return the container of an environment, running or not.

    Raises:
        UsageError: There is no such environment.
    """
    state = workspace_of(engine.containers(env), env)
    if state is None:
        raise unknown(env)
    return Box(engine, state)


def means_contents(path: str) -> bool:
    """Say whether a path means what is in a directory, and not the directory: it ends in ``/.``, as for ``cp -r``."""
    return path in (".", "..") or path.endswith(("/.", "/.."))


def no_directory(path: str) -> StepFailed:
    """Return the error of a target whose directory is not there."""
    return StepFailed(
        f"{path} is not a directory", code="copy.no_directory", hint="make it first, or name one that is there"
    )


def nothing_there(path: str) -> UsageError:
    """Return the error of a source that is not there."""
    return UsageError(f"there is no {path}", code="copy.missing", hint="look for its name with `ls`")
