"""Files that nobody else may read, for programs that take a secret from a path only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def private(path: str, flags: int) -> int:
    """Open a new file that nobody else may read; an ``opener`` for :func:`open`."""
    return os.open(path, flags | os.O_EXCL, 0o600)


@contextlib.contextmanager
def in_memory(text: str) -> Iterator[Path]:
    """Yield the path of a file that children can read, and that is gone with this process, however it ends."""
    with os.fdopen(os.memfd_create("envspec"), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
