"""Runs the host's own commands through the one runner, and tells every end as an exit code."""

from __future__ import annotations

from collections.abc import Sequence

from envspec.engine.objects import LINE
from envspec.engine.operations import Completed
from envspec.engine.runner import Runner
from envspec.errors import EngineNotReady, EngineTimeout

NOT_FOUND = 127
"""What a shell says of a command that does not exist."""

TIMED_OUT = 124
"""What timeout(1) says of one that it ended."""


def run_command(argv: Sequence[str], *, deadline: float, stdin: bytes = b"", on_line: LINE | None = None) -> Completed:
    """Run a command to its end; see :class:`envspec.preflight.values.Run`."""
    try:
        return Runner().run(argv, deadline=deadline, stdin=stdin, on_line=on_line)
    except EngineTimeout as error:
        return Completed(TIMED_OUT, b"", error.message.encode())
    except EngineNotReady as error:
        return Completed(NOT_FOUND, b"", error.message.encode())
