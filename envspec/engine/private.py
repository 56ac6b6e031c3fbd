"""Files that nobody else may read, for programs that take a secret from a path only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def in_memory(content: str | bytes) -> Iterator[Path]:
    """Yield the path of a file that children can read, and that is gone with this process, however it ends.

    A kernel without memfd_create(2), as a Mac's, has no such file: there it lies in a directory that only this user may
    enter, and what a kill leaves of that is removed by the next process that needs one.
    """
    data = content.encode() if isinstance(content, str) else content
    if not hasattr(os, "memfd_create"):
        from envspec.scratch import scratch  # noqa: PLC0415 - every command would pay for what a Mac needs

        with scratch() as directory:
            path = directory / "private"
            path.touch(mode=0o600)
            path.write_bytes(data)
            yield path
        return
    with os.fdopen(os.memfd_create("envspec"), "wb") as file:
        file.write(data)
        file.flush()
        yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
