"""Trees in and out of the fake engine's containers, and containers made into images."""

from __future__ import annotations

import copy
import io
import json
import posixpath
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from envspec.engine.archive import PathFact
from envspec.engine.fake_fs import Node
from envspec.engine.fake_store import Store
from envspec.engine.inspect import is_snapshot
from envspec.engine.objects import StoredImage
from envspec.engine.paths import LINK, SHARED, Seen, follow
from envspec.errors import EngineCallFailed

_FILE = "/content"


class Archives(Store):
    """The part of the fake engine that keeps the contract of :class:`envspec.engine.archive.Archiver`."""

    def find_path(self, container_id: str, path: str) -> PathFact:
        """Say where a path leads."""
        with self._reading():
            tree = self.container(container_id).tree

            def look(real: str) -> Seen:
                node = tree.get(real)
                if node is None:
                    return Seen("")
                leads = node.content.decode() if node.type == LINK else ""
                return Seen(node.type, leads, node.uid, bool(node.mode & SHARED))

            return follow(posixpath.normpath(path), look)

    @contextmanager
    def read_archive(self, container_id: str, path: str) -> Iterator[io.BufferedIOBase]:
        """Give a path with all below it as a tar stream."""
        with self._reading():
            found = self.container(container_id).tree.below(path)
        if not found:
            raise EngineCallFailed(f"Could not find the file {path}")
        buffer = io.BytesIO()
        base = posixpath.basename(path)
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, node in found:
                _add(tar, posixpath.join(base, name.removeprefix(path).lstrip("/")).rstrip("/"), node)
        buffer.seek(0)
        yield buffer

    @contextmanager
    def write_archive(
        self, container_id: str, directory: str, owner: tuple[int, int] = (0, 0)
    ) -> Iterator[io.BufferedIOBase]:
        """Take a tar stream and unpack it in a directory."""
        del owner
        buffer = io.BytesIO()
        yield buffer
        buffer.seek(0)
        with self._changing("write_archive", self.called(container_id), directory):
            tree = self.container(container_id).tree
            top = tree.get(directory)
            if top is None or top.type != "dir":
                raise EngineCallFailed(f"{directory} is not a directory")
            tick = self.tick()
            with tarfile.open(fileobj=buffer) as tar:
                for info in tar:
                    path = posixpath.normpath(posixpath.join(directory, info.name))
                    tree.put(path, replace(_node(tar, info), tick=tick))

    @contextmanager
    def paused(self, container_ids: Sequence[str]) -> Iterator[None]:
        """Keep containers paused; a crash takes along what would let them go on."""
        chosen = [self.container(container_id) for container_id in container_ids]
        with self._changing("pause", *(box.name for box in chosen)):
            for box in chosen:
                box.status = "paused"
        try:
            yield
        finally:
            for box in chosen if not self.crashed else ():
                box.status = "running"

    def commit(self, container_id: str, ref: str, labels: Mapping[str, str]) -> str:
        """Make an image of a container's own layer; all that it changed is touched by that, as on Docker."""
        with self._changing("commit", self.called(container_id), ref):
            found = self.container(container_id)
            tick = self.tick()
            changed = {path: replace(node, tick=tick) for path, node in found.layer.upper.items() if node is not None}
            gone = {path for path, node in found.layer.upper.items() if node is None}
            files = {path: node for path, node in found.layer.lower.items() if path not in gone} | changed
            image = self._images.get(found.image_id)
            volumes = image.volumes if image else ()
            made = self.add_image(ref, {**found.labels, **labels}, files, seed=self.new_id(), volumes=volumes)
            self._images[made].state = copy.deepcopy(found.layer.state)
            return made

    def import_file(self, ref: str, content: bytes, labels: Mapping[str, str]) -> None:
        """Make an image that holds one file."""
        with self._changing("import_file", ref):
            self.add_image(ref, labels, {_FILE: Node(content=content)}, seed=json.dumps([ref, self.new_id()]))

    def image_file(self, ref: str) -> bytes:
        """Return the content of the one file that an image holds."""
        with self._reading():
            image = self.image_of(ref)
            if image is None or _FILE not in image.files:
                raise EngineCallFailed(f"No such image: {ref}")
            return image.files[_FILE].content

    def snapshot_images(self) -> tuple[StoredImage, ...]:
        """Return all images of snapshots."""
        return self.stored(is_snapshot)


def _add(tar: tarfile.TarFile, name: str, node: Node) -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid, info.mtime = node.mode, node.uid, node.gid, node.tick
    if node.type == "dir":
        info.type = tarfile.DIRTYPE
    elif node.type == "link":
        info.type, info.linkname = tarfile.SYMTYPE, node.content.decode()
    elif node.type == "other":
        info.type = tarfile.FIFOTYPE
    else:
        info.size = len(node.content)
    tar.addfile(info, io.BytesIO(node.content))


def _node(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Node:
    kind = "dir" if info.isdir() else "link" if info.issym() else "file" if info.isfile() or info.islnk() else "other"
    stream = tar.extractfile(info) if kind == "file" else None
    content = info.linkname.encode() if kind == "link" else stream.read() if stream else b""
    return Node(kind, info.mode, info.uid, info.gid, content, by="hand")
