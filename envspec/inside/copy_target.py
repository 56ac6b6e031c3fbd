"""A directory of this host that a copy is put into, and which nothing put there can leave."""

from __future__ import annotations

import contextlib
import os
import posixpath
import secrets
import stat
from collections.abc import Callable
from io import BufferedIOBase
from types import TracebackType

from envspec.inside.copy_progress import CHUNK

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NS = 1_000_000_000


class Target:
    """Where a copy goes.

    Paths are relative to the top of the copy, "" is the top itself. Every directory on the way is opened without
    following a link; an ``OSError`` tells of one that is in the way.

    Args:
        directory: A directory that is there; a link to one is followed, for the user named it.
        name: Name of the top in it, "" where the directory itself is the top.
    """

    def __init__(self, directory: str, name: str) -> None:
        self._directory, self._name = directory, name
        self._top = -1
        self._open: tuple[str, int] = ("", -1)
        self._settled: dict[str, tuple[int, float]] = {}

    @property
    def path(self) -> str:
        """Return the path of the top."""
        return os.path.join(self._directory, self._name) if self._name else self._directory

    def __enter__(self) -> Target:
        """Open the directory."""
        self._top = os.open(os.path.realpath(self._directory), _DIRECTORY)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._close()
        os.close(self._top)

    def make_directory(self, path: str, mode: int, mtime: float) -> None:
        """Make a directory, or take one that is there; mode and time come when all is in it."""
        whole = self._whole(path)
        if whole:
            self._directory_of(f"{whole}/.")
            self._settled[whole] = (mode, mtime)

    def write(self, path: str, content: BufferedIOBase, mode: int, mtime: float) -> None:
        """Write a file, which appears whole; what had its name and is not a directory is replaced."""

        def make(directory: int, name: str) -> None:
            number = os.open(name, _NEW_FILE, 0o600, dir_fd=directory)
            with os.fdopen(number, "wb") as file:
                while chunk := content.read(CHUNK):
                    if chunk.count(0) == len(chunk):
                        file.seek(len(chunk), os.SEEK_CUR)  # zeros take no room: holes stay holes
                    else:
                        file.write(chunk)
                file.truncate()
                file.flush()
                os.fchmod(number, mode)
                os.utime(number, ns=_times(mtime))

        self._place(path, make)

    def link(self, source: str, path: str) -> None:
        """Let a file of the copy have one more name."""
        whole = self._whole(source)
        base = posixpath.basename(whole)
        other = os.dup(self._directory_of(whole))
        try:
            self._place(
                path,
                lambda directory, name: os.link(
                    base, name, src_dir_fd=other, dst_dir_fd=directory, follow_symlinks=False
                ),
            )
        finally:
            os.close(other)

    def symlink(self, path: str, link: str) -> bool:
        """Make a symbolic link, unless a link that was there before makes it lead out of the copy; say whether."""
        self._place(path, lambda directory, name: os.symlink(link, name, dir_fd=directory))
        top = os.path.realpath(self.path)
        leads = os.path.realpath(os.path.join(top, path))
        if leads == top or leads.startswith(top.rstrip("/") + "/"):
            return True
        os.unlink(posixpath.basename(path), dir_fd=self._directory_of(self._whole(path)))
        return False

    def settle(self) -> None:
        """Give the directories their modes and times, the deepest first; the owner may always enter and write."""
        for whole in sorted(self._settled, reverse=True):
            mode, mtime = self._settled[whole]
            number = self._directory_of(f"{whole}/.")
            os.fchmod(number, mode | stat.S_IRWXU)
            os.utime(number, ns=_times(mtime))

    def _whole(self, path: str) -> str:
        return posixpath.join(self._name, path) if path else self._name

    def _place(self, path: str, make: Callable[[int, str], None]) -> None:
        """Make something under a name of its own, and give it the right one when it is done."""
        whole = self._whole(path)
        directory, name = self._directory_of(whole), posixpath.basename(whole)
        spare = f".envspec-{secrets.token_hex(8)}"
        try:
            make(directory, spare)
            os.replace(spare, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(spare, dir_fd=directory)
            raise

    def _directory_of(self, whole: str) -> int:
        """Return the open directory that a path is in, made where it is missing; it is open until the next one is."""
        above = posixpath.dirname(whole)
        if self._open[0] == above and self._open[1] >= 0:
            return self._open[1]
        number = os.dup(self._top)
        for part in above.split("/") if above else ():
            try:
                deeper = _enter(number, part)
            finally:
                os.close(number)
            number = deeper
        self._close()
        self._open = (above, number)
        return number

    def _close(self) -> None:
        if self._open[1] >= 0:
            os.close(self._open[1])
        self._open = ("", -1)


def _enter(directory: int, name: str) -> int:
    """Open a directory in another one, made where it is missing.

    Raises:
        OSError: Something else has its name, such as a link.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=directory)
    return os.open(name, _DIRECTORY, dir_fd=directory)


def _times(mtime: float) -> tuple[int, int]:
    """Return a time as access and modification time in nanoseconds."""
    moment = int(mtime * _NS)
    return moment, moment
