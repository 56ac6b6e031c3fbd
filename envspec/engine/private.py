"""Files that nobody else may read, for programs that take a secret from a path only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def in_memory(content: str | bytes) -> Iterator[Path]:
    """Yield the path of a file that children can read, and that is gone with this process, however it ends."""
    with os.fdopen(os.memfd_create("envspec"), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
