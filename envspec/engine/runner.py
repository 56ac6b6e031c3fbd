"""The one place that starts child processes: with a deadline, in a group of their own, counted, and ended by us."""

from __future__ import annotations

import contextlib
import math
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from envspec.engine.objects import LINE
from envspec.engine.operations import Completed
from envspec.errors import EngineFlooded, EngineNotReady, EngineSilent, EngineTimeout, EnvspecError, Interrupted
from envspec.secrets import Redactor

TRACE_VARIABLE = "ENVSPEC_TRACE"
"""Names a file that gets one line, program and sub-command, for every child process."""

GRACE = 3.0
"""Seconds between asking a process group to end and killing it."""

LINGER = 1.0
"""Seconds that output is awaited after a process has ended, while something it left behind holds its pipes."""

KEEP = 64 * 1024 * 1024
"""Bytes of each stream that are kept: half of its head, half of its tail."""

_TICK = 0.1
_CHUNK = 65536
_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TMPDIR|TZ|SSH_AUTH_SOCK|SSL_CERT_(FILE|DIR)|(DOCKER|BUILDX|BUILDKIT|CONTAINERS|XDG)_\w+|"
    r"(?i:(https?|ftp|all|no)_proxy)"
)
SETTLED = {"PODMAN_IGNORE_CGROUPSV1_WARNING": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""Variables that every child has: no warning of old cgroups at each call of Podman 5, which would stand in every error;
and no attestation in images, which holds the time: with it the same build has another ID in the containerd store."""

_ENGINES = frozenset({"docker", "podman"})
_GROUPS = frozenset({"buildx", "compose", "container", "context", "image", "network", "system", "volume"})


def allowed(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that a child process may see, and those that are settled."""
    return {key: value for key, value in environ.items() if _PASSED.fullmatch(key)} | SETTLED


def summary(argv: Sequence[str]) -> str:
    """Return program and sub-command of a command line, ``docker network ls``, and nothing that could be private."""
    program = Path(argv[0]).name
    words = list(argv[1:]) if program in _ENGINES else []
    while len(words) > 1 and words[0].startswith("--"):
        words = words[1 if "=" in words[0] else 2 :]
    count = 2 if words and words[0] in _GROUPS else 1
    return " ".join([program, *words[:count]])


@dataclass(frozen=True, slots=True)
class Signs:
    """How a child shows by its output that it has begun and that it is done.

    An engine may lose what it should pass on: the end of an exec's input, or that the exec has ended. Its client then
    waits for good.

    Attributes:
        begins: Seconds within which its first output comes.
        proof: Text of its output behind which it has no more to do than to end, ``b""`` for none.
        most: Bytes beyond which it prints what nobody asked for, and is ended.
    """

    begins: float = math.inf
    proof: bytes = b""
    most: float = math.inf


NO_SIGNS = Signs()
"""Of a child that is only waited for."""


class _Watch:
    """Looks at a child's output for its signs."""

    def __init__(self, signs: Signs) -> None:
        self._proof = signs.proof
        self.begins = signs.begins
        self._tails = [b"", b""]
        self._most = signs.most
        self._size = 0
        self.begun = False
        self.proved: float | None = None

    @property
    def flooded(self) -> bool:
        """Whether it printed too much."""
        return self._size > self._most

    def add(self, stream: int, chunk: bytes) -> None:
        """Take the next bytes of a stream."""
        self.begun = True
        self._size += len(chunk)
        if self._proof and self.proved is None:
            text = self._tails[stream] + chunk
            self._tails[stream] = text[-len(self._proof) :]
            if self._proof in text:
                self.proved = time.monotonic()


class _Kept:
    """The head and the tail of a stream, in bounded memory."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._lost = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes, dropping from the middle what no longer fits."""
        room = self._half - len(self._head)
        self._head += chunk[:room]
        rest = chunk[room:]
        if rest:
            self._tail.append(rest)
            self._tail_size += len(rest)
        while self._tail and self._tail_size - len(self._tail[0]) >= self._half:
            gone = self._tail.popleft()
            self._tail_size -= len(gone)
            self._lost += len(gone)

    def value(self) -> bytes:
        """Return what was kept, with a line that says how much is missing."""
        gap = f"\n[{self._lost} bytes left out]\n".encode() if self._lost else b""
        return bytes(self._head) + gap + b"".join(self._tail)


class _Lines:
    """Cuts a stream into lines and hands them on, masked."""

    def __init__(self, on_line: LINE | None, redactor: Redactor) -> None:
        self._on_line = on_line
        self._redactor = redactor
        self._rest = b""

    def add(self, chunk: bytes) -> None:
        """Take the next bytes and hand on the lines that they end."""
        if self._on_line is None:
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _CHUNK:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._on_line(self._redactor.text(line.decode(errors="replace").rstrip("\r")))

    def end(self) -> None:
        """Hand on a last line that has no line break."""
        if self._rest:
            self.add(b"\n")


class _Child:
    """One running child and its three pipes."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stdin: bytes,
        sinks: tuple[Callable[[bytes], None], Callable[[bytes], None]],
    ) -> None:
        self.process = process
        self._pending = memoryview(stdin)
        self._selector = selectors.DefaultSelector()
        for pipe, sink in zip((process.stdout, process.stderr), sinks, strict=True):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, sink)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._selector.register(process.stdin, selectors.EVENT_WRITE)

    def pump(self, wait: float) -> bool:
        """Move bytes for at most ``wait`` seconds; False when both outputs are closed."""
        for key, _ in self._selector.select(wait):
            if key.data is None:
                self._write()
            else:
                self._read(key)
        return any(key.data for key in self._selector.get_map().values())

    def _read(self, key: selectors.SelectorKey) -> None:
        chunk = os.read(key.fd, _CHUNK)
        if chunk:
            key.data(chunk)
        else:
            self._selector.unregister(key.fileobj)

    def _write(self) -> None:
        pipe = self.process.stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            self._pending = self._pending[os.write(pipe.fileno(), self._pending[:_CHUNK]) :]
            if self._pending:
                return
        self._selector.unregister(pipe)
        pipe.close()

    def close(self) -> None:
        """Close every pipe."""
        self._selector.close()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


class Runner:
    """Starts child processes, one call each, from any thread.

    Args:
        redactor: Masks what is handed on line by line, and what goes into messages.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or Redactor()
        self._lock = threading.Lock()
        self._calls = 0
        self._cancelled = threading.Event()
        self._failure: EnvspecError | None = None

    @property
    def calls(self) -> int:
        """How many child processes were started."""
        return self._calls

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """End every child that runs, and make later calls raise :class:`envspec.errors.Interrupted`."""
        self._cancelled.set()

    def fail(self, error: EnvspecError) -> None:
        """End every child that runs, and make later calls raise an error: nothing may go on."""
        self._failure = error
        self.cancel()

    def check(self) -> None:
        """Raise :class:`envspec.errors.Interrupted` when the work was cancelled, or what it failed with."""
        if self._failure:
            raise self._failure
        if self.cancelled:
            raise Interrupted("the work was stopped", hint="run the same command again to go on where it ended")

    def note(self, argv: Sequence[str]) -> None:
        """Count a child process, and write its program and sub-command to the trace file when one is asked for."""
        with self._lock:
            self._calls += 1
            trace = os.environ.get(TRACE_VARIABLE)
            if trace:
                with Path(trace).open("a", encoding="utf-8") as file:
                    file.write(summary(argv) + "\n")

    def run(  # noqa: PLR0913 -- one call says all about one child
        self,
        argv: Sequence[str],
        *,
        deadline: float,
        stdin: bytes | IO[bytes] = b"",
        environ: Mapping[str, str] | None = None,
        on_line: LINE | None = None,
        keep: int = KEEP,
        regardless: bool = False,
        signs: Signs = NO_SIGNS,
        directory: str | None = None,
    ) -> Completed:
        """Run a program to its end and return its exit code and output.

        The child leads a session of its own, so that neither a terminal's Ctrl-C nor its hang-up reaches it, sees
        an allow-listed environment only, and is ended with its whole group when it passes its deadline.

        Args:
            argv: The program and its arguments.
            deadline: Seconds that it may take.
            stdin: What it reads; or a file to read it from, of which this process keeps nothing open.
            environ: Its whole environment; the allow-listed variables of this process when ``None``.
            on_line: Takes each line of both streams as it comes, masked, in this thread.
            keep: Bytes kept of each stream; of more, the middle is left out.
            regardless: Whether it runs even after :meth:`cancel`, to clean up.
            signs: What its output tells; one that gave its proof and does not end is ended, and has done its work.
            directory: Where it runs; here when ``None``.

        Raises:
            EngineNotReady: The program is not installed.
            EngineTimeout: The deadline passed.
            EngineSilent: The deadline for its first output passed.
            EngineFlooded: It printed more than it may.
            Interrupted: The work was cancelled.
        """
        if not regardless:
            self.check()
        self.note(argv)
        watch = _Watch(signs)
        kept = (_Kept(keep), _Kept(keep))
        lines = (_Lines(on_line, self.redactor), _Lines(on_line, self.redactor))

        def sink(index: int) -> Callable[[bytes], None]:
            def take(chunk: bytes) -> None:
                watch.add(index, chunk)
                kept[index].add(chunk)
                lines[index].add(chunk)

            return take

        child = _Child(*_started(argv, stdin, environ, directory), (sink(0), sink(1)))
        try:
            self._await(child, argv, watch, deadline, regardless=regardless)
        finally:
            end(child.process)
            child.close()
        for stream in lines:
            stream.end()
        return Completed(child.process.returncode, kept[0].value(), kept[1].value())

    def _await(self, child: _Child, argv: Sequence[str], watch: _Watch, deadline: float, *, regardless: bool) -> None:
        began = time.monotonic()
        ended: float | None = None
        open_pipes = True
        while open_pipes or child.process.poll() is None:
            if not regardless:
                self.check()
            if watch.flooded:
                raise EngineFlooded(f"{summary(argv)} was ended: it printed more than it ever needs to")
            now = time.monotonic()
            if watch.proved is not None and now - watch.proved > GRACE:
                return
            patience = deadline if watch.begun else min(deadline, watch.begins)
            left = began + patience - now
            if left <= 0:
                kind, what = (EngineTimeout, "end") if patience == deadline else (EngineSilent, "begin")
                raise kind(
                    f"{summary(argv)} did not {what} within {patience:g} s",
                    hint="is the engine busy or stuck? `envspec preflight` looks at it",
                )
            if open_pipes:
                open_pipes = child.pump(min(_TICK, left))
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(min(_TICK, left))
            if child.process.poll() is not None:
                ended = ended or now
                open_pipes = open_pipes and time.monotonic() - ended < LINGER


def _started(
    argv: Sequence[str], stdin: bytes | IO[bytes], environ: Mapping[str, str] | None, directory: str | None
) -> tuple[subprocess.Popen[bytes], bytes]:
    """Start a program, and return with it what is to be written to its standard input."""
    file, data = (None, stdin) if isinstance(stdin, bytes) else (stdin, b"")
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=file or (subprocess.PIPE if data else subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=allowed(os.environ) if environ is None else dict(environ),
            cwd=directory,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineNotReady(
            f"cannot run {argv[0]}: {error.strerror}", code="engine.no_program", hint="envspec preflight --fix"
        ) from None
    if file:
        file.close()
    return process, data


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group: ask, wait, kill; one that has ended is only waited for."""
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
                return
    process.wait()
