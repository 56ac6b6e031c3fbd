"""Files and trees of an environment onto this host, of which nothing unsafe comes along.

What is inside is not trusted. Its tar stream is never unpacked by anybody's general tool: every member is judged, every
directory on the way is opened without following a link, and every file gets its name only once it is whole.
:func:`tarfile.data_filter` was the model; it trusts that nobody has put a link into the target.
"""

from __future__ import annotations

import errno
import os
import posixpath
import tarfile
from io import BufferedIOBase
from typing import BinaryIO

from envspec.engine.archive import PathFact
from envspec.engine.base import Engine
from envspec.errors import StepFailed
from envspec.events import Emit
from envspec.inside.copy_box import Box, Copied, LeftOut, find_box, means_contents, no_directory, nothing_there
from envspec.inside.copy_progress import CHUNK, Archive, Counted, Meter
from envspec.inside.copy_target import Target

SAFE_BITS = 0o755
"""Permission bits that come along: no setuid, setgid and sticky bit, and nobody but the owner may write."""

SPECIAL = "is neither file, directory nor link"
LEADS_OUT = "is a link that leads out of the copy"
FOREIGN = "is a hard link to what is not part of the copy"
VOLATILE = "lies in memory inside"


def copy_out(engine: Engine, env: str, source: str, destination: str | BinaryIO, emit: Emit) -> Copied:
    """Copy out of an environment, which need not run.

    Args:
        engine: The engine.
        env: Name of the environment.
        source: Path inside, relative to the workspace unless absolute. A link that is named itself is followed. A
            directory that ends in ``/.`` stands for what is in it.
        destination: Path on this host, or a stream that gets a tar archive. A directory takes the source under its
            name; else the source gets this very name, in a directory that is there.
        emit: Takes progress.

    Returns:
        What was copied; devices, pipes, sockets and links that lead out are left out and named.

    Raises:
        UsageError: There is no such environment, or no such source.
        Refused: The source lies on a tmpfs.
        StepFailed: The destination is not where something can be put, or a link there leads elsewhere.
        EngineCallFailed: The engine refused.
    """
    box = find_box(engine, env)
    found = box.find(source)
    if not found.type:
        raise nothing_there(f"{env}:{source}")
    sieve = _Sieve(box, found.real, Meter(f"{env}:{source}", 0, emit))
    try:
        path = _copy(box, found, source, destination, sieve)
        if not sieve.came:
            raise StepFailed(
                f"the engine sent nothing of {env}:{source}",
                code="copy.nothing",
                hint="Docker sends no single file whose name is not UTF-8: copy its directory",
            )
    except OSError as error:
        raise _unwritable(error, destination, sieve.whole) from None
    except tarfile.TarError as error:
        raise StepFailed(
            f"what {env} sent broke off: {error}",
            code="copy.broken_off",
            hint="was it changed or removed meanwhile? Copy again",
        ) from None
    return Copied(path, sieve.meter.files, sieve.meter.bytes, tuple(sieve.left_out))


def _copy(box: Box, found: PathFact, source: str, destination: str | BinaryIO, sieve: _Sieve) -> str:
    """Copy what was found, and return where its top is now."""
    name = posixpath.basename(box.absolute(source))
    if not isinstance(destination, str):
        with box.engine.read_archive(box.state.id, found.real) as stream:
            _to_stream(stream, sieve, destination, "." if means_contents(source) else name or ".")
        return "-"
    is_tree = found.type == "dir"
    target = _target(destination, name, is_tree=is_tree, merges=is_tree and (means_contents(source) or not name))
    with target, box.engine.read_archive(box.state.id, found.real) as stream:
        _to_disk(stream, sieve, target)
    return target.path


def _target(destination: str, name: str, *, is_tree: bool, merges: bool) -> Target:
    """Return where the copy goes: a directory that is there, and the name of the copy's top in it."""
    if os.path.isdir(destination):
        return Target(destination, "" if merges else name)
    if is_tree and os.path.lexists(destination):
        raise no_directory(destination)
    parent, own = os.path.split(destination.rstrip("/") if is_tree else destination)
    if not own or not os.path.isdir(parent or "."):
        raise no_directory(parent or destination)
    return Target(parent or ".", own)


class _Sieve:
    """Judges the members of a stream out of a container.

    Args:
        box: The container.
        real: Real path inside of what is copied.
        meter: Counts.

    Attributes:
        whole: Number of files that are there.
        came: Number of members that were judged.
    """

    def __init__(self, box: Box, real: str, meter: Meter) -> None:
        self._box, self._real, self.meter = box, real, meter
        self.left_out: list[LeftOut] = []
        self._files: set[str] = set()
        self.whole = self.came = 0

    def relative(self, name: str) -> str:
        """Return a member's path relative to what is copied: names begin with its last part, except of the root.

        Raises:
            StepFailed: It leads out of the copy; no engine sends that.
        """
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise StepFailed(f"the engine sent {name!r}, which leads out of the copy", code="copy.unsafe")
        return "/".join(parts if self._real == "/" else parts[1:])

    def passes(self, info: tarfile.TarInfo, path: str) -> bool:
        """Say whether a member may be copied, note why not, and take from it what is unsafe."""
        self.came += 1
        reason = self._objection(info, path)
        if reason:
            self.left_out.append(LeftOut(path or posixpath.basename(self._real), reason))
            return False
        info.mode &= SAFE_BITS
        if not info.isdir():
            self.meter.files += 1
        if info.isreg():
            self._files.add(path)
        return True

    def leave_out_link(self, path: str) -> None:
        """Note a link that turned out to lead out of the copy once it was there."""
        self.meter.files -= 1
        self.left_out.append(LeftOut(path, LEADS_OUT))

    def _objection(self, info: tarfile.TarInfo, path: str) -> str:
        if self._box.is_volatile(posixpath.join(self._real, path)):
            return VOLATILE
        if info.issym():
            return "" if stays_inside(path, info.linkname) else LEADS_OUT
        if info.islnk():
            return "" if self.relative(info.linkname) in self._files else FOREIGN
        return "" if info.isreg() or info.isdir() else SPECIAL


def stays_inside(path: str, link: str) -> bool:
    """Say whether a symbolic link can lead to nothing but what is in the copy, whatever other links the copy has.

    Dots may stand at its beginning only, where they count real directories: behind the name of another link they would
    count from where that leads.

    Args:
        path: Path of the link relative to the top of the copy, "" for the top itself.
        link: Where it leads.
    """
    parts = [part for part in link.split("/") if part not in ("", ".")]
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    return not link.startswith("/") and ".." not in parts[ups:] and ups <= path.count("/") and bool(path)


def _to_disk(stream: BufferedIOBase, sieve: _Sieve, target: Target) -> None:
    links: list[tuple[str, str]] = []
    with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as tar:
        for info in tar:
            path = sieve.relative(info.name)
            if not sieve.passes(info, path):
                continue
            if info.isdir():
                target.make_directory(path, info.mode, info.mtime)
            elif info.issym():
                links.append((path, info.linkname))
            elif info.islnk():
                target.link(sieve.relative(info.linkname), path)
            else:
                content = tar.extractfile(info)
                assert content is not None
                target.write(path, Counted(content, sieve.meter), info.mode, info.mtime)
                sieve.whole += 1
    for path, link in links:
        if not target.symlink(path, link):
            sieve.leave_out_link(path)
    target.settle()


def _to_stream(stream: BufferedIOBase, sieve: _Sieve, out: BinaryIO, top: str) -> None:
    archive = Archive(out)
    with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as tar:
        for info in tar:
            path = sieve.relative(info.name)
            if not sieve.passes(info, path):
                continue
            info.name = posixpath.join(top, path) if path else top
            info.linkname = posixpath.join(top, sieve.relative(info.linkname)) if info.islnk() else info.linkname
            content = tar.extractfile(info) if info.isreg() else None
            archive.add(info, Counted(content, sieve.meter) if content else None)
    archive.end()
    out.flush()


def _unwritable(error: OSError, destination: str | BinaryIO, whole: int) -> StepFailed:
    place = destination if isinstance(destination, str) else "standard output"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        arrived = (
            f": {whole} {'file is' if whole == 1 else 'files are'} there, each whole" if place == destination else ""
        )
        hint = "free some space there, and copy again: what arrived stays"
        return StepFailed(f"no space is left for {place}{arrived}", code="copy.no_space", hint=hint)
    return StepFailed(
        f"{posixpath.join(place, str(error.filename or ''))} cannot be written: {error.strerror or error}",
        code="copy.unwritable",
        hint="is a link, or something else, in the way? Choose another directory, or remove it",
    )
