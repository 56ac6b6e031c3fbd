"""Files and trees of this host into an environment: packed on the fly, owned by its user, never whole in memory."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import shlex
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import PurePosixPath
from typing import BinaryIO

from envspec.engine.base import Engine
from envspec.errors import EngineCallFailed, Refused, StepFailed, UsageError
from envspec.events import Emit
from envspec.inside.copy_arrived import Sent, cut_off, set_times
from envspec.inside.copy_box import Box, Copied, LeftOut, find_box, means_contents, no_directory, nothing_there
from envspec.inside.copy_progress import Archive, Counted, Meter

MAX_HOLES = 256 << 20
"""Bytes of holes, in all files together, that are filled with zeros rather than refused."""

BLOCK = 512
"""Bytes of a block as ``stat(2)`` counts them."""

VOLATILE = "lies in memory inside"
SPECIAL = "is neither file, directory nor link"


@dataclass(frozen=True, slots=True)
class Landing:
    """Where something lands inside.

    Attributes:
        directory: Real path of a directory that is there.
        name: Name in it, "" where the contents of a tree are merged into the directory itself.
    """

    directory: str
    name: str

    @property
    def path(self) -> str:
        """Return the path of the file or of the top of the tree."""
        return posixpath.join(self.directory, self.name) if self.name else self.directory


def copy_in(engine: Engine, env: str, source: str | BinaryIO, destination: str, emit: Emit) -> Copied:
    """Copy into an environment, which need not run.

    Args:
        engine: The engine.
        env: Name of the environment.
        source: Path of a file or a tree, or a tar stream. A link that is named itself is followed, those in a tree are
            kept. A directory that ends in ``/.`` stands for what is in it.
        destination: Path inside, relative to the workspace unless absolute. A directory takes the source under its
            name; else the source gets this very name, in a directory that is there. A stream is unpacked in a
            directory.
        emit: Takes progress.

    Raises:
        UsageError: There is no such environment, or no such source.
        Refused: The destination lies on a tmpfs, or the source has holes of more than :data:`MAX_HOLES`.
        StepFailed: The destination is not where something can be put, or the source cannot be read.
        EngineCallFailed: The engine refused.
    """
    box = find_box(engine, env)
    if not isinstance(source, str):
        return _stream_in(box, source, destination, emit)
    real = os.path.realpath(source)
    if not os.path.exists(real):
        raise nothing_there(source)
    is_tree = os.path.isdir(real)
    landing = _landing(box, source, destination, is_tree=is_tree)
    size, holes = _size(real)
    if holes > MAX_HOLES:
        raise _holes(env, source, holes)
    meter = Meter(source, size, emit)
    left_out: list[LeftOut] = []
    sent: list[Sent] = []
    try:
        with engine.write_archive(box.state.id, landing.directory, box.owner) as sink:
            packer = _Packer(box, landing, sink, meter, left_out, sent)
            try:
                packer.pack(real)
            except (OSError, tarfile.TarError) as error:
                raise _unreadable(error, source) from None
    except EngineCallFailed as error:
        raise cut_off(box, error, sent) from None
    return Copied(landing.path, meter.files, meter.bytes, tuple(left_out), set_times(box, sent))


def _landing(box: Box, source: str, destination: str, *, is_tree: bool) -> Landing:
    found = box.find_target(destination)
    if found.type == "dir":
        merges = is_tree and means_contents(source)
        return Landing(found.real, "" if merges else os.path.basename(os.path.abspath(source)))
    if found.type and is_tree:
        raise no_directory(destination)
    if found.type:
        return Landing(*posixpath.split(found.real))
    parent, name = posixpath.split(box.absolute(destination))
    above = box.find_target(parent)
    if above.type != "dir" or (destination.endswith("/") and not is_tree):
        raise no_directory(destination if above.type == "dir" else parent)
    return Landing(above.real, name)


def _size(path: str) -> tuple[int, int]:
    """Return the bytes of a file or of all files of a tree, as far as they can be seen, and those of their holes."""
    if not os.path.isdir(path):
        return os.stat(path).st_size, _holes_of(path, os.stat(path))
    found = holes = 0
    for directory, _, files in os.walk(path):
        for name in files:
            file = os.path.join(directory, name)
            status = os.lstat(file)
            if stat.S_ISREG(status.st_mode):
                found += status.st_size
                holes += _holes_of(file, status)
    return found, holes


def _holes_of(path: str, status: os.stat_result) -> int:
    """Return the bytes of a file's holes; few blocks alone may be due to a filesystem that compresses."""
    if not stat.S_ISREG(status.st_mode) or status.st_size - status.st_blocks * BLOCK <= MAX_HOLES:
        return 0
    data = at = 0
    with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:  # ENXIO: no data behind here
        while at < status.st_size:
            begin = os.lseek(file.fileno(), at, os.SEEK_DATA)
            at = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            data += at - begin
    return status.st_size - data


def _holes(env: str, source: str, holes: int) -> Refused:
    return Refused(
        f"{source} has holes of {holes >> 20} MiB, which the engine would fill with zeros on its disk",
        code="copy.holes",
        hint=f"pack it, which keeps them: `tar --sparse -cf - {shlex.quote(source)} | envspec exec {env} -- tar -xf -`",
    )


class _Packer:
    """Writes one tree as a tar stream."""

    def __init__(  # noqa: PLR0913, PLR0917 - from where, to where, and what is told of it
        self,
        box: Box,
        landing: Landing,
        sink: BufferedIOBase,
        meter: Meter,
        left_out: list[LeftOut],
        sent: list[Sent],
    ) -> None:
        self._box, self._landing, self._meter, self._left_out, self._sent = box, landing, meter, left_out, sent
        self._archive = Archive(sink)
        self._describe = tarfile.TarFile(fileobj=io.BytesIO(), mode="w").gettarinfo

    def pack(self, top: str) -> None:
        """Write a file, or a tree in the order of its names."""
        for path, relative in _walk(top):
            name = posixpath.join(self._landing.name, relative) if relative else self._landing.name
            if name:
                self._add(path, name, relative or posixpath.basename(path))
        self._archive.end()

    def _add(self, path: str, name: str, told: str) -> None:
        info = self._describe(path, name)
        reason = _objection(self._box, posixpath.join(self._landing.directory, name), info)
        if reason or info is None:
            self._left_out.append(LeftOut(told, reason))
            return
        _own(info, self._box.owner)
        if info.isreg():
            self._sent.append(Sent(posixpath.join(self._landing.directory, name), info.size, info.mtime))
            with open(path, "rb") as file:
                self._archive.add(info, Counted(file, self._meter))
        else:
            self._archive.add(info)
        self._meter.files += not info.isdir()


def _walk(top: str) -> Iterator[tuple[str, str]]:
    """Yield a path and all below it, sorted, each with its path relative to the top; links are not followed."""
    waiting = [(top, "")]
    while waiting:
        path, relative = waiting.pop()
        yield path, relative
        if os.path.isdir(path) and not (relative and os.path.islink(path)):
            names = sorted(os.listdir(path), reverse=True)
            waiting += [(os.path.join(path, name), posixpath.join(relative, name)) for name in names]


def _stream_in(box: Box, stream: BinaryIO, destination: str, emit: Emit) -> Copied:
    """Unpack a tar stream, compressed or not, in a directory."""
    found = box.find_target(destination)
    if found.type != "dir":
        raise no_directory(destination)
    meter = Meter("-", 0, emit)
    left_out: list[LeftOut] = []
    sent: list[Sent] = []
    try:
        with box.engine.write_archive(box.state.id, found.real, box.owner) as sink:
            try:
                with tarfile.open(fileobj=stream, mode="r|*") as incoming:
                    _pass_on(incoming, Archive(sink), box, found.real, meter, left_out, sent)
            except (OSError, tarfile.TarError) as error:
                raise _unreadable(error, "the stream") from None
    except EngineCallFailed as error:
        raise cut_off(box, error, sent) from None
    return Copied(found.real, meter.files, meter.bytes, tuple(left_out), set_times(box, sent))


def _pass_on(  # noqa: PLR0913, PLR0917 - from where, to where, and what is told of it
    incoming: tarfile.TarFile,
    outgoing: Archive,
    box: Box,
    directory: str,
    meter: Meter,
    left_out: list[LeftOut],
    sent: list[Sent],
) -> None:
    links: set[str] = set()
    for info in incoming:
        name = _clean(info.name)
        if not name:
            continue
        if any(str(above) in links for above in PurePosixPath(name).parents):
            raise UsageError(f"the stream holds {name!r} behind a link of its own", code="copy.unsafe")
        if info.issym():
            links.add(name)
        reason = _objection(box, posixpath.join(directory, name), info)
        if reason:
            left_out.append(LeftOut(info.name, reason))
            continue
        info.name = name
        info.linkname = _clean(info.linkname) if info.islnk() else info.linkname
        _own(info, box.owner)
        content = incoming.extractfile(info) if info.isreg() else None
        if content:
            sent.append(Sent(posixpath.join(directory, name), info.size, info.mtime))
        outgoing.add(info, Counted(content, meter) if content else None)
        meter.files += not info.isdir()
    outgoing.end()


def _clean(name: str) -> str:
    """Return the name of a member relative to where it is unpacked, "" for that directory itself.

    Raises:
        UsageError: It leads out of there.
    """
    plain = posixpath.normpath(name.lstrip("/") or ".")
    if plain.split("/")[0] == "..":
        raise UsageError(f"the stream holds {name!r}, which leads out of its directory", code="copy.unsafe")
    return "" if plain == "." else plain


def _objection(box: Box, path: str, info: tarfile.TarInfo | None) -> str:
    """Return why something cannot be copied in, "" when it can."""
    if info is None or not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
        return SPECIAL
    return VOLATILE if box.is_volatile(path) else ""


def _own(info: tarfile.TarInfo, owner: tuple[int, int]) -> None:
    info.uid, info.gid = owner
    info.uname = info.gname = ""


def _unreadable(error: Exception, source: str) -> Exception:
    """Return the error of a source that cannot be read; what the engine did is not its fault."""
    if isinstance(error, BrokenPipeError):
        return error
    where = getattr(error, "filename", None) or source
    return StepFailed(
        f"{where} cannot be read: {getattr(error, 'strerror', None) or error}",
        code="copy.unreadable",
        hint="fix that, and copy again: what was copied stays",
    )
