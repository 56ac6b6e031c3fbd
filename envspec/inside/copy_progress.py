"""The streams of a copy: counted, told of now and then, and written as tar in large pieces."""

from __future__ import annotations

import errno
import tarfile
import time
from collections.abc import Callable
from io import BufferedIOBase
from typing import IO

from envspec.events import CopyProgress, Emit

INTERVAL = 1.0
"""Seconds between two reports; a copy that is done sooner tells nothing."""

CHUNK = 1 << 20
"""Bytes that are held at once."""


class Meter:
    """Counts files and bytes, and emits an event once a second.

    Args:
        path: What is copied, for the events.
        total: Bytes in all, 0 when nobody knows.
        emit: Takes the events.
        clock: Tells the time, in seconds.
    """

    def __init__(self, path: str, total: int, emit: Emit, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._total, self._emit, self._clock = path, total, emit, clock
        self._told = clock()
        self.files = 0
        self.bytes = 0

    def add(self, count: int) -> None:
        """Count bytes."""
        self.bytes += count
        now = self._clock()
        if now - self._told >= INTERVAL:
            self._told = now
            self._emit(CopyProgress(self._path, self.bytes, self._total))


class Counted(BufferedIOBase):
    """A stream to read from that counts what it gives.

    Args:
        stream: The stream.
        meter: Counts.
    """

    def __init__(self, stream: IO[bytes] | BufferedIOBase, meter: Meter) -> None:
        super().__init__()
        self._stream, self._meter = stream, meter

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        data = self._stream.read(-1 if size is None else size)
        self._meter.add(len(data))
        return data


class Archive:
    """Writes a tar stream; :mod:`tarfile` would copy every content through a small buffer, and twice.

    Args:
        sink: Takes the stream.
    """

    def __init__(self, sink: IO[bytes] | BufferedIOBase) -> None:
        self._sink = sink

    def add(self, info: tarfile.TarInfo, content: IO[bytes] | BufferedIOBase | None = None) -> None:
        """Write one member.

        Args:
            info: Its header.
            content: Its content, of which as much is read as the header says.

        Raises:
            OSError: The content is shorter than that.
        """
        self._sink.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        if content is None:
            return
        left = info.size
        while left:
            chunk = content.read(min(left, CHUNK))
            if not chunk:
                raise OSError(errno.EIO, "it became shorter while it was read", info.name)
            self._sink.write(chunk)
            left -= len(chunk)
        self._sink.write(bytes(-info.size % tarfile.BLOCKSIZE))

    def end(self) -> None:
        """Write the end; a stream without it is one that was broken off."""
        self._sink.write(bytes(2 * tarfile.BLOCKSIZE))
