"""A command's output kept: whole, or cut from both ends with the whole of it in files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from envspec.inside.door import Door
from envspec.inside.exec import ExecOptions, Streams, run

MAX_OUTPUT = 64 * 1024
"""Bytes of each stream that are shown unless more are asked for."""


@dataclass(frozen=True, slots=True)
class Executed:
    """How a command ended and what it printed.

    Attributes:
        code: Its exit code; 124 when it passed its deadline.
        stdout: Its standard output, cut in the middle where it was too long.
        stderr: Its standard error, cut like it.
        timed_out: Whether it passed its deadline.
        seconds: Wall time.
        stdout_bytes: Length of the whole of its standard output.
        stderr_bytes: Length of the whole of its standard error.
        log: Directory of this host with the whole of both, in ``stdout`` and ``stderr``; "" where nothing was cut.
        note: What is known of a command that was killed beside its code; "" for nothing.
    """

    code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    seconds: float
    stdout_bytes: int
    stderr_bytes: int
    log: str = ""
    note: str = ""

    @property
    def cut(self) -> bool:
        """Whether some of the output is in :attr:`log` only."""
        return bool(self.log)


def execute(  # noqa: PLR0913 - one call says all about one command
    door: Door,
    words: Sequence[str],
    options: ExecOptions,
    *,
    stdin: bytes | None = b"",
    max_output: int | None = None,
    logs: Path | None = None,
) -> Executed:
    """Run a command in an environment and keep what it prints.

    Args:
        door: The environment.
        words: The command and its arguments.
        options: How to run it; a terminal makes one stream of two.
        stdin: What it reads; ``None`` for this process's own standard input.
        max_output: Bytes of each stream to return; of more, half of the head and half of the tail. ``None`` for all.
        logs: Where the whole of a cut output is kept, ``None`` for the user's state directory.

    Raises:
        EnvspecError: As :func:`envspec.inside.exec.run`.
    """
    # Files without a name: they are gone with this process, however it ends.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        ended = run(door, words, options, Streams(stdin, stdout, stderr))
        sizes = (os.fstat(stdout.fileno()).st_size, os.fstat(stderr.fileno()).st_size)
        cut = max_output is not None and max(sizes) > max_output
        log = _kept(logs or _logs(door.env), stdout, stderr) if cut else ""
        shown = [_shown(file, size, max_output) for file, size in zip((stdout, stderr), sizes, strict=True)]
    return Executed(
        ended.code, shown[0], shown[1], ended.timed_out, ended.seconds, sizes[0], sizes[1], log, note=ended.note
    )


def _kept(parent: Path, stdout: IO[bytes], stderr: IO[bytes]) -> str:
    """Keep the whole of an output where only the user may read it, and return the directory."""
    import shutil  # noqa: PLC0415 - only an output that is cut pays for it

    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory = Path(tempfile.mkdtemp(prefix="exec-", dir=parent))
    for name, file in (("stdout", stdout), ("stderr", stderr)):
        file.seek(0)
        with os.fdopen(os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as whole:
            shutil.copyfileobj(file, whole)
    return str(directory)


def _logs(env: str) -> Path:
    import platformdirs  # noqa: PLC0415 - a command whose output passes through does without it

    return platformdirs.user_state_path("envspec") / "logs" / env


def _shown(file: IO[bytes], size: int, limit: int | None) -> bytes:
    file.seek(0)
    if limit is None or size <= limit:
        return file.read()
    half = limit // 2
    head = file.read(limit - half)
    file.seek(size - half)
    return head + f"\n[{size - limit} bytes left out]\n".encode() + file.read()
