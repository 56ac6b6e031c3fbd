"""Directories for a while, which no kill leaves for ever: the next process that needs one removes them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "envspec-scratch-"
"""How their names begin."""

SETTLED = 60.0
"""Seconds after which one that nobody holds is no longer about to be held."""


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Yield a new directory that only this user may enter; it is gone afterwards.

    It is locked as long as its process lives, for the kernel unlocks it when that ends, however it ends. What is found
    unlocked was left by a kill: a root filesystem that was being made takes hundreds of megabytes.
    """
    with contextlib.suppress(OSError):
        _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        held = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(held)


def _sweep(place: Path) -> None:
    for path in sorted(place.glob(f"{PREFIX}*")):
        with contextlib.suppress(OSError):
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                found = os.fstat(held)
                if found.st_uid == os.geteuid() and time.time() - found.st_ctime > SETTLED:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(held)
