"""A child process whose output is read, or whose input is written, piece by piece: for streams of any size.

What bounds it is no total but an idle deadline: as long as bytes move it may go on.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

from envspec.engine.operations import Completed
from envspec.engine.runner import Runner, allowed, end, summary
from envspec.errors import EngineNotReady, EngineTimeout

if TYPE_CHECKING:
    from typing_extensions import Buffer

IDLE_DEADLINE = 120.0
"""Seconds in which not one byte moves, after which a stream counts as stuck."""

KEPT_STDERR = 65536
"""Bytes that are kept of what the child complains of."""

_TICK = 0.25
_CHUNK = 1 << 20


class Pipe(io.BufferedIOBase):
    """One running child; :func:`opened` makes one, with its input and its output piped.

    Args:
        process: The child.
        complaints: File that its standard error goes to.
        runner: Says when the work was cancelled.
        name: What the child is called in errors.
        idle: Seconds without a byte after which it is given up.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], complaints: IO[bytes], runner: Runner, name: str, idle: float
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        super().__init__()
        self._process = process
        self._stdin, self._stdout, self._complaints = process.stdin, process.stdout, complaints
        self._runner = runner
        self._name = name
        self._idle = idle
        self._regardless = False
        os.set_blocking(self._stdin.fileno(), False)
        for stream in (self._stdin, self._stdout) if hasattr(fcntl, "F_SETPIPE_SZ") else ():  # Linux has it
            with contextlib.suppress(OSError):  # what one user may have of them is limited; smaller ones do too
                fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _CHUNK)

    def read(self, size: int | None = _CHUNK, /) -> bytes:
        """Return the next bytes of its output, at most ``size``, often fewer; ``b""`` at the end.

        Raises:
            EngineTimeout: Nothing came within the idle deadline.
            Interrupted: The work was cancelled.
        """
        number = self._stdout.fileno()
        self._await(lambda: bool(select.select([number], [], [], _TICK)[0]))
        return os.read(number, min(size or _CHUNK, _CHUNK))

    def write(self, data: Buffer, /) -> int:
        """Write all of some bytes to its input, and return how many those are.

        Raises:
            BrokenPipeError: It reads no more; :meth:`finish` tells why.
            EngineTimeout: It took nothing within the idle deadline.
            Interrupted: The work was cancelled.
        """
        number = self._stdin.fileno()
        rest = memoryview(data)
        while rest:
            self._await(lambda: bool(select.select([], [number], [], _TICK)[1]))
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(number, rest[:_CHUNK]) :]
        return memoryview(data).nbytes

    def finish(self, *, regardless: bool = False) -> Completed:
        """Close its input, let it come to its end, and return its exit code and what it complained of.

        What it still prints is thrown away.

        Args:
            regardless: Whether it is waited for though the work was cancelled, because it cleans up.

        Raises:
            EngineTimeout: It did not end within the idle deadline.
            Interrupted: The work was cancelled.
        """
        self._regardless = regardless
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        while self.read():
            pass
        self._await(self._ended)
        self._complaints.seek(max(self._complaints.seek(0, os.SEEK_END) - KEPT_STDERR, 0))
        return Completed(self._process.returncode, b"", self._complaints.read())

    def wait(self, unless: threading.Event) -> bool:
        """Wait, in a thread of its own, until the child ends or something happens; say whether that happened."""
        while not unless.is_set():
            if self._process.poll() is not None:
                return unless.is_set()
            unless.wait(_TICK)
        return True

    def close(self) -> None:
        """End the child, whatever it does, and close its streams."""
        super().close()
        end(self._process)
        for stream in (self._stdin, self._stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _ended(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_TICK)
        return self._process.returncode is not None

    def _await(self, is_ready: Callable[[], bool]) -> None:
        """Wait for something that takes a moment at most to say whether it is so."""
        until = time.monotonic() + self._idle
        while not is_ready():
            if not self._regardless:
                self._runner.check()
            if time.monotonic() > until:
                raise EngineTimeout(
                    f"{self._name} moved not one byte within {self._idle:g} s",
                    hint="is the engine busy or stuck? `envspec preflight` looks at it",
                )


@contextlib.contextmanager
def opened(
    runner: Runner, argv: Sequence[str], *, idle: float = IDLE_DEADLINE, directory: str | None = None
) -> Iterator[Pipe]:
    """Start a program in a session of its own, and end it when the block is left.

    Args:
        runner: Counts it, and says when the work was cancelled.
        argv: The program and its arguments.
        idle: Seconds without a byte after which it is given up.
        directory: Where it runs; here when ``None``.

    Raises:
        EngineNotReady: The program is not installed.
        Interrupted: The work was cancelled.
    """
    runner.check()
    runner.note(argv)
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=allowed(os.environ),
                cwd=directory,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineNotReady(
                f"cannot run {argv[0]}: {error.strerror}", code="engine.no_program", hint="envspec preflight --fix"
            ) from None
        pipe = Pipe(process, complaints, runner, summary(argv), idle)
        try:
            yield pipe
        finally:
            pipe.close()
