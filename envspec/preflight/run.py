"""Runs the host's own commands, each with a deadline and in a process group that is ended as a whole."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence

from envspec.engine.base import LINE, Completed

GRACE = 5.0
"""Seconds to wait for a killed group; one that ``sudo`` started as root cannot be killed by its user at all."""


def run_command(argv: Sequence[str], *, deadline: float, stdin: bytes = b"", on_line: LINE | None = None) -> Completed:
    """Run a command to its end; see :class:`envspec.preflight.values.Run`.

    With ``on_line`` both streams go there, and the result holds them as its standard output.
    """
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as complaints:
        source.write(stdin)
        source.seek(0)
        try:
            child = subprocess.Popen(
                tuple(argv),
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if on_line else complaints,
                start_new_session=True,
            )
        except OSError as error:
            return Completed(127, b"", str(error).encode())
        code, printed = _follow(child, deadline, on_line)
        complaints.seek(0)
        return Completed(code, printed, complaints.read())


def _follow(child: subprocess.Popen[bytes], deadline: float, on_line: LINE | None) -> tuple[int, bytes]:
    """Read a child until it ends or its time is up; 124 then, as timeout(1) has it."""
    lines: list[bytes] = []

    def read() -> None:
        for line in child.stdout or ():
            lines.append(line)
            if on_line:
                on_line(line.decode(errors="replace").rstrip())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        code = child.wait(deadline)
    except subprocess.TimeoutExpired:
        code = 124
    finally:
        if child.returncode is None:
            _end(child)
    reader.join(GRACE)
    return code, b"".join(lines)


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE)
