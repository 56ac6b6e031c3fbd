"""Trees in and out of a real engine's containers, and containers made into images, by way of its command line."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import posixpath
import re
import secrets
import shlex
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from envspec.engine import inspect
from envspec.engine.archive import SNAPSHOT_KIND, PathFact
from envspec.engine.client import DEADLINE, Client
from envspec.engine.new_volumes import Claim
from envspec.engine.objects import LABEL, StoredImage
from envspec.engine.operations import Completed
from envspec.engine.options import quoted
from envspec.engine.paths import LINK, SHARED, Seen, follow, leads_nowhere
from envspec.engine.pipe import Pipe, opened
from envspec.engine.script import operation, text_of
from envspec.errors import EngineCallFailed, Where

COMMIT_DEADLINE = 1800.0
"""Seconds for making an image of a container."""

UNPACK_GRACE = 5
"""Seconds for what unpacks inside to remove what it has not put in its place yet, once it was cut off."""

MAX_FILE = 64 * 1024 * 1024
"""Bytes that the one file of an imported image may have."""

_DROPPED = re.compile(rb"content digest sha256:[0-9a-f]+: not found")
_FILE = "content"
_KINDS = {"directory": "dir", "regular file": "file", "regular empty file": "file"}

_NOTHING, _DANGLING = 3, 4


class ArchiveClient(Client):
    """The part of a real engine that keeps the contract of :class:`envspec.engine.archive.Archiver`."""

    # ── paths and trees ──────────────────────────────────────────────────────────────────────────────────────────

    def find_path(self, container_id: str, path: str) -> PathFact:
        """Say where a path leads; a running container is asked itself, of another one link after link is followed."""
        plain = posixpath.normpath(path)
        text = "\n".join(map(text_of, ("paths", "find_path")))
        argv = self._as_root(container_id, ("-c", text, "envspec", plain))
        completed = self._runner.run(argv, deadline=DEADLINE)
        if completed.code == _NOTHING:
            return PathFact("", plain)
        if completed.code == _DANGLING:
            raise leads_nowhere(plain)
        if completed.code:
            return self._walk(container_id, plain, completed)
        foreign, owner, kind, real = completed.stdout.decode(errors="surrogateescape").split("\n", 3)
        return PathFact(_KINDS.get(kind, "other"), real.removesuffix("\n"), int(foreign), int(owner))

    def _walk(self, container_id: str, path: str, refused: Completed) -> PathFact:
        """Say where a path of a container leads that cannot be asked, as its running or not has it."""
        found = self._inspect("container", [container_id])
        if not found or inspect.status_of(found[0]) == "running":
            raise self._no_entry(container_id, refused)
        with self._looking(found[0]) as look:
            return follow(path, functools.cache(look))

    @contextlib.contextmanager
    def _looking(self, inspected: Mapping[str, Any]) -> Iterator[Callable[[str], Seen]]:
        """MAY be given by the engine: yield what says what is at a path of a container that does not run."""
        yield functools.partial(self._look, str(inspected["Id"]))

    def _look(self, container_id: str, path: str) -> Seen:
        with opened(self._runner, self._cp_out(container_id, path)) as pipe:
            try:
                with tarfile.open(fileobj=pipe, mode="r|", bufsize=tarfile.RECORDSIZE) as tar:
                    first = tar.next()
            except tarfile.ReadError:
                first = None
        if first is None:
            return Seen("")
        if first.issym():
            return Seen(LINK, first.linkname)
        kind = "dir" if first.isdir() else "file" if first.isreg() else "other"
        return Seen(kind, uid=first.uid, shared=bool(first.mode & SHARED))

    def _cp_out(self, container_id: str, path: str) -> list[str]:
        return [*self._command, "container", "cp", f"{container_id}:{path}", "-"]

    @contextlib.contextmanager
    def read_archive(self, container_id: str, path: str) -> Iterator[io.BufferedIOBase]:
        """Give a path with all below it as a tar stream."""
        with opened(self._runner, self._cp_out(container_id, path)) as pipe:
            try:
                yield pipe
            except tarfile.TarError:  # a stream that broke off: the engine knows why
                self._finished(pipe, f"cannot read {path}", path)
                raise
            self._finished(pipe, f"cannot read {path}", path)

    @contextlib.contextmanager
    def write_archive(
        self, container_id: str, directory: str, owner: tuple[int, int] = (0, 0)
    ) -> Iterator[io.BufferedIOBase]:
        """Take a tar stream and unpack it in a directory: inside, where the container runs, else by the engine."""
        found = self._inspect("container", [container_id])
        if found and inspect.status_of(found[0]) == "running":
            with self._unpacked(container_id, directory, owner) as pipe:
                yield pipe
            return
        with self._written([*self._command, *self._dialect.copy_in, f"{container_id}:{directory}"], directory) as pipe:
            yield pipe

    @contextlib.contextmanager
    def _unpacked(self, container_id: str, directory: str, owner: tuple[int, int]) -> Iterator[io.BufferedIOBase]:
        token = secrets.token_hex(8)
        words = ("-c", operation("paths", "unpack"), "envspec", *map(str, owner), directory)
        argv = self._as_root(container_id, words, "--interactive", "--env", f"ENVSPEC_STEP={token}")
        try:
            with self._written(argv, directory) as pipe:
                yield pipe
        except EngineCallFailed:
            raise
        except BaseException:
            self._reap(container_id, token, UNPACK_GRACE)
            raise

    @contextlib.contextmanager
    def _written(self, argv: Sequence[str], directory: str) -> Iterator[io.BufferedIOBase]:
        what = f"cannot write to {directory}"
        with opened(self._runner, argv) as pipe:
            try:
                yield pipe
            except BrokenPipeError:
                self._finished(pipe, what, directory)
                raise EngineCallFailed(f"{what}: the engine stopped reading", where=Where(address=directory)) from None
            self._finished(pipe, what, directory)

    def give_new_volume(self, container: str, claim: Claim) -> None:
        """Give an empty volume that is root's to a user, in a container that was not started yet."""
        with opened(self._runner, self._cp_out(container, claim.path)) as pipe:
            try:
                with tarfile.open(fileobj=pipe, mode="r|", bufsize=tarfile.BLOCKSIZE) as tar:
                    top, more = tar.next(), tar.next()
            except tarfile.ReadError:
                return
        if top is None or not top.isdir() or (top.uid, top.gid) != (0, 0) or more is not None:
            return
        above, name = posixpath.split(claim.path)
        top.name, top.uid, top.gid, top.uname, top.gname, top.pax_headers = name, claim.uid, claim.gid, "", "", {}
        with self.write_archive(container, above) as stream, tarfile.open(fileobj=stream, mode="w|") as tar:
            tar.addfile(top)

    def _finished(self, pipe: Pipe, what: str, where: str) -> None:
        completed = pipe.finish()
        if completed.code:
            raise self._refused(what, completed, where)

    # ── snapshots ────────────────────────────────────────────────────────────────────────────────────────────────

    def snapshot_images(self) -> tuple[StoredImage, ...]:
        """Return all images of snapshots."""
        label = f"label={LABEL}kind={SNAPSHOT_KIND}"
        ours = self._listed("image", "ls", "--quiet", "--no-trunc", "--filter", label).split()
        boxes = self._listed("ps", "--all", "--quiet", "--no-trunc").split() if ours else []
        images, containers = self._inspect("image", sorted({*ours})), self._inspect("container", boxes)
        return inspect.stored_images(images, containers, inspect.is_snapshot)

    def image_file(self, ref: str) -> bytes:
        """Return the content of the one file that an image holds, out of what ``save`` prints."""
        completed = self._run("image", "save", ref)
        if completed.code:
            raise self._refused(f"cannot read the image {ref}", completed, ref)
        with tarfile.open(fileobj=io.BytesIO(completed.stdout)) as outer:
            index = outer.extractfile("manifest.json")
            assert index is not None
            layer = outer.extractfile(json.load(index)[0]["Layers"][0])
            with tarfile.open(fileobj=layer) as inner:
                file = inner.extractfile(_FILE)
                assert file is not None
                return file.read(MAX_FILE)

    def import_file(self, ref: str, content: bytes, labels: Mapping[str, str]) -> None:
        """Make an image that holds one file."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            info = tarfile.TarInfo(_FILE)
            info.size, info.mode = len(content), 0o444
            tar.addfile(info, io.BytesIO(content))
        completed = self._run("image", "import", *_changes(labels), "-", ref, stdin=buffer.getvalue())
        if completed.code:
            raise self._refused(f"cannot make the image {ref}", completed, ref)

    def commit(self, container_id: str, ref: str, labels: Mapping[str, str]) -> str:
        """Make an image of a container's filesystem."""
        words = (*self._dialect.commit, *_changes(labels), container_id, ref)
        completed = self._run(*words, deadline=COMMIT_DEADLINE)
        if completed.code and _DROPPED.search(completed.stderr):
            raise EngineCallFailed(
                f"no image can be made of the container {container_id[:12]}: its own image is gone from the engine, "
                "which drops an image whose name another one takes",
                code="engine.image_gone",
                hint="build or pull that image again, or `envspec apply --replace container.workspace` first",
                where=Where(address=ref),
            )
        if completed.code:
            raise self._refused(f"cannot make an image of the container {container_id[:12]}", completed, ref)
        return self.images([ref])[ref].id

    @contextlib.contextmanager
    def paused(self, container_ids: Sequence[str]) -> Iterator[None]:
        """Keep containers paused.

        A shell in a session of its own waits for this process to let go of its input, which the kernel does too where
        this process is killed, and then lets them go on.
        """
        if not container_ids:
            yield
            return
        script = f'cat > /dev/null; for id do {shlex.join(self._command)} container unpause "$id"; done'
        argv = ["/bin/sh", "-c", script, "envspec", *container_ids]
        with opened(self._runner, argv) as guard:
            try:
                for container_id in container_ids:
                    completed = self._run("container", "pause", container_id)
                    if completed.code:
                        raise self._refused(f"cannot pause the container {container_id[:12]}", completed)
                yield
            finally:
                guard.finish(regardless=True)


def _changes(labels: Mapping[str, str]) -> list[str]:
    """Return the options that label an image; Podman does not unquote, so values must be plain."""
    return [
        part for key, value in sorted(labels.items()) for part in ("--change", f"LABEL {quoted(key)}={quoted(value)}")
    ]
