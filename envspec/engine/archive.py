"""Trees in and out of containers, and containers made into images: what copies and snapshots need of an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Protocol

from envspec.engine.objects import StoredImage

SNAPSHOT_KIND = "snapshot"
"""Value of the label ``kind`` of every image of a snapshot."""


@dataclass(frozen=True, slots=True)
class PathFact:
    """Where a path inside a container leads.

    Attributes:
        type: ``file``, ``dir`` or ``other``; "" when nothing is there.
        real: Its real absolute path; the path as asked for where nothing is there.
        foreign: Who but root can make a link that is followed: a numeric user, -1 for several or where nobody knows, 0
            where there is no such link.
        owner: Numeric owner of the directory that it is, or that it is in; -1 where nobody knows.
    """

    type: str
    real: str
    foreign: int = field(default=0, compare=False)
    owner: int = field(default=-1, compare=False)


class ArchiveReader(Protocol):
    """What may be read of trees and snapshots. Nothing here changes anything."""

    def find_path(self, container_id: str, path: str) -> PathFact:
        """Say where a path leads, links followed; the container need not run.

        Raises:
            EngineCallFailed: It is a link that leads nowhere (``copy.link``).
        """
        ...

    def read_archive(self, container_id: str, path: str) -> AbstractContextManager[BufferedIOBase]:
        """Give a path with all below it as a tar stream; the container need not run.

        Names begin with the path's last part. What a tmpfs holds may be in it, or not. An error of the engine is
        raised where the stream ends.

        Args:
            container_id: The container.
            path: A real path, of a file or a directory.
        """
        ...

    def snapshot_images(self) -> tuple[StoredImage, ...]:
        """Return all images that bear the label ``kind`` with :data:`SNAPSHOT_KIND`, sorted by first reference."""
        ...

    def image_file(self, ref: str) -> bytes:
        """Return the content of the one file that an image made by :meth:`Archiver.import_file` holds."""
        ...


class Archiver(ArchiveReader, Protocol):
    """What may be done with trees and snapshots."""

    def write_archive(
        self, container_id: str, directory: str, owner: tuple[int, int] = (0, 0)
    ) -> AbstractContextManager[BufferedIOBase]:
        """Take a tar stream and unpack it in a directory; the container need not run.

        Owners, modes and times are the stream's. An error of the engine is raised when the block is left. While the
        container runs, no link is followed that others than root can make, unless they may write where it leads.

        Args:
            container_id: The container.
            directory: Real path of a directory.
            owner: Numeric user and group whose all of the stream is: where the directory is that user's, the user
                unpacks it. Root, where the stream has several owners.
        """
        ...

    def paused(self, container_ids: Sequence[str]) -> AbstractContextManager[None]:
        """Keep containers paused within a block. They go on after it come what may, were this process killed too."""
        ...

    def commit(self, container_id: str, ref: str, labels: Mapping[str, str]) -> str:
        """Make an image of a container's filesystem, volumes and tmpfs left out, and return its ID.

        It bears the container's labels, under those that are given.

        Args:
            container_id: The container, running, paused or stopped.
            ref: Reference to give.
            labels: Labels to give; plain values, which no engine has to unquote.
        """
        ...

    def import_file(self, ref: str, content: bytes, labels: Mapping[str, str]) -> None:
        """Make an image that holds one file and nothing else.

        Args:
            ref: Reference to give.
            content: The file's content.
            labels: Labels to give; plain values.
        """
        ...
