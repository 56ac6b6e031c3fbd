"""Counting what a copy moves, and telling of it now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BufferedIOBase
from typing import BinaryIO

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

    def __init__(self, stream: BinaryIO | BufferedIOBase, meter: Meter) -> None:
        super().__init__()
        self._stream, self._meter = stream, meter

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        data = self._stream.read(-1 if size is None else size)
        self._meter.add(len(data))
        return data
