"""Compose processes that outlived the envspec that started them.

Whoever kills envspec leaves its Compose running: it goes on with its service while the next apply works on the same
one, and two of them at once fail each other (ENGINE-FACTS). So the next apply ends it first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from envspec.errors import EngineTimeout, Where

DEADLINE = 10.0
"""Seconds for processes that were killed to be gone."""

_PROCESSES = Path("/proc")
_POLL = 0.02


def end_compose(project: str) -> None:
    """End every Compose of this host that brings services of a project up, and wait until they are gone.

    Args:
        project: Name of the project. Nobody but envspec runs Compose on it while its mutex is held.

    Raises:
        EngineTimeout: One does not go.
    """
    until = time.monotonic() + DEADLINE
    while found := tuple(_composing(project)):
        if time.monotonic() > until:
            raise EngineTimeout(
                f"the Compose of an apply that was killed does not end: process {found[0]}",
                hint="end it by hand, then apply again",
                where=Where(address=project),
            )
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL)


def _composing(project: str) -> Iterator[int]:
    for process in sorted(_PROCESSES.glob("[0-9]*")):
        # Those that end meanwhile, and zombies, have no command line.
        with contextlib.suppress(OSError):
            words = os.fsdecode((process / "cmdline").read_bytes()).split("\0")
            if is_up(words, project):
                yield int(process.name)


def is_up(words: Sequence[str], project: str) -> bool:
    """Say whether a command line is a Compose of envspec that brings services of a project up.

    Args:
        words: The command line.
        project: Name of the project.
    """
    if "compose" not in words or "--project-name" not in words:
        return False
    after = words[words.index("--project-name") + 1 :]
    return after[:1] == [project] and "up" in after and "--no-deps" in after
