"""One command in an environment: its streams and its exit code untouched, and nothing left running when it is cut off.

Light: ``envspec exec`` imports this and the choice of an engine, and nothing else of the core.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import IO, Any

from envspec.engine.script import carried, entering, is_text, octal, reap, shell, shielded, text_of
from envspec.errors import EngineCallFailed, Interrupted, UsageError, Where
from envspec.inside.door import LOOK_DEADLINE, Door, no_command

TIMED_OUT = 124
"""What timeout(1) exits with."""

KILLED = 128 + signal.SIGKILL
"""What a command exits with that was killed."""

GRACE = 2
"""Seconds between asking a command's processes to end and killing them."""

REAP_DEADLINE = 60.0
"""Seconds for ending, inside, what a command started."""

DRAIN = 5.0
"""Seconds that the output of a command which was ended may take to arrive."""

TOKEN = "ENVSPEC_STEP"
"""Variable by which the processes of a command are found again; ``scripts/tree.sh`` looks for it."""

GO_THERE = """\
cd -- "$1" 2> /dev/null || {
  printf 'envspec: there is no directory %s inside that the user may enter\\n' "$1" >&2
  exit 126
}
shift
"""
"""Goes to a directory, or says in our words that it is not there; what the engine would say of it is its own matter."""

VALUE_BACK = """\
word=$(printf '%b_' "${{{name}}}")
export {name}="${{word%_}}"
unset word
"""
"""Makes bytes again of what :func:`octal` made of a variable's value."""

HAS_ACCOUNT = 'while IFS=: read -r _ _ uid _; do [ "$uid" != "$1" ] || exit 0; done < /etc/passwd; exit 1'
"""Says whether a number has an account inside, from which the engine takes its groups."""

MIND = """\
read -r client
read -r _ && exit 0
[ -z "$client" ] || kill "$client"
printf %s "$ENVSPEC_REAP" | timeout 60 "$@"
"""
"""Waits beside us: a line says that all went well, an end without one that we were killed and it has to tidy up."""


@dataclass(frozen=True, slots=True)
class ExecOptions:
    """How to run a command inside.

    Attributes:
        user: Whom it runs as, ``uid``, ``uid:gid`` or a name; "" for the environment's user.
        root: Whether as root instead.
        workdir: Directory, "" for the workspace, to which a relative one belongs.
        tty: Whether to give it a terminal.
        timeout: Seconds that it may take; then all that it started is ended, and its code is :data:`TIMED_OUT`.
        variables: Variables beside those of the environment, over which they stand; they are in no command line.
    """

    user: str = ""
    root: bool = False
    workdir: str = ""
    tty: bool = False
    timeout: float | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code; 128 and the signal's number where the engine's client was killed.
        timed_out: Whether it passed its deadline.
        seconds: Wall time.
        note: What is known of a command that was killed beside its code; "" for nothing.
    """

    code: int
    timed_out: bool
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Streams:
    """Where a command reads and writes; ``None`` for this process's own streams.

    Attributes:
        stdin: What it reads, whole.
        stdout: File for its standard output.
        stderr: File for its standard error.
    """

    stdin: bytes | None = None
    stdout: IO[bytes] | None = None
    stderr: IO[bytes] | None = None


def variables_from(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that ``K=V`` and ``K`` mean; the value of a bare name is this host's.

    Raises:
        UsageError: A name is none, or this host has no such variable.
    """
    found: dict[str, str] = {}
    for word in words:
        name, given, value = word.partition("=")
        if not (name.isascii() and name.isidentifier()):
            raise UsageError(f"--env: {name[:60]!r} is not a variable name", hint="--env NAME, or --env NAME=VALUE")
        if not given and name not in environ:
            raise UsageError(f"--env {name}: there is no such variable here", hint=f"--env {name}=VALUE")
        found[name] = value if given else environ[name]
    return found


def run(door: Door, words: Sequence[str], options: ExecOptions, streams: Streams | None = None) -> Ended:
    """Run a command in an environment, with the environment's variables, to its end.

    Whatever cuts it off, all that it started is ended, processes in sessions of their own too: a deadline, a signal
    to this process, an exception in this thread, the death of the engine's client; and after a SIGKILL of this
    process, by a shell that waits beside it.

    Args:
        door: The environment.
        words: The command and its arguments.
        options: How to run it.
        streams: Where it reads and writes.

    Raises:
        EngineNotReady: The engine's command is gone.
        EngineCallFailed: It was cut off, and what it started inside cannot be ended.
        Interrupted: A signal asked this process to stop.
    """
    streams = streams or Streams()
    token = os.urandom(8).hex()
    started = time.monotonic()
    with _terminal(options), _signals(), _Minder(door, token) as minder:
        child = _start(door, words, options, streams, token)
        minder.watch(child.pid)
        timed_out = False
        try:
            child.communicate(streams.stdin, options.timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            _end_inside(door, token)
        except BaseException as error:
            with _undisturbed():
                _stop(child)
                _end_inside(door, token)
            minder.settled = True
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted("interrupted; nothing of the command is left running inside") from None
            raise
        finally:
            _stop(child, DRAIN if timed_out else 0)
        if child.returncode < 0 and not timed_out:
            _end_inside(door, token)
        minder.settled = True
    code = TIMED_OUT if timed_out else child.returncode if child.returncode >= 0 else 128 - child.returncode
    note = _memory_note(door) if code == KILLED and not timed_out else ""
    return Ended(code, timed_out, time.monotonic() - started, note)


def _memory_note(door: Door) -> str:
    """Say that the kernel has killed for lack of memory in a container, "" where it has not; asked after a kill only.

    How often it had done so before is not known: nothing is asked before a command.
    """
    argv = (*door.engine, "exec", "--user", "0", "--workdir", "/", *shielded(), door.container)
    with contextlib.suppress(subprocess.TimeoutExpired):
        asked = subprocess.run(
            [*argv, *shell(("-c", f"{text_of('oom')}\noom_kills"))],
            capture_output=True,
            timeout=REAP_DEADLINE,
            check=False,
        )
        kills = asked.stdout.decode(errors="replace").strip()
        if asked.returncode == 0 and kills.isdigit() and int(kills):
            often = "once" if kills == "1" else f"{kills} times"
            return f"killed; the kernel has killed for lack of memory in {door.env} {often}: more `memory` may help"
    return ""


def _start(
    door: Door, words: Sequence[str], options: ExecOptions, streams: Streams, token: str
) -> subprocess.Popen[bytes]:
    values = [f"{name}={value}" for name, value in sorted(options.variables.items())]
    passed = {f"ENVSPEC_VAR_{number}": value for number, value in enumerate(values, 1)}
    directory = (door.directory(options.workdir),) if options.workdir else ()
    script = f"{GO_THERE if directory else ''}{entering()}"
    arguments: Sequence[str] = (*directory, str(len(values)), *words)
    if not all(map(is_text, values)):
        script = "".join(VALUE_BACK.format(name=name) for name in passed) + script
        passed = {name: octal(value) for name, value in passed.items()}
    script, arguments = carried(script, arguments)
    user = "0:0" if options.root else _with_group(door, options.user) or door.user
    argv = [
        *(*door.engine, "exec", "--interactive"),
        *(("--user", user) if user else ()),
        *(("--tty",) if options.tty else ()),
        *("--env", f"{TOKEN}={token}"),
        *(shielded() if options.root else ()),
        *(word for name in passed for word in ("--env", name)),
        *(door.container, "/bin/sh", "-c", script, "envspec", *arguments),
    ]
    stdin = None if streams.stdin is None else subprocess.PIPE
    try:
        return subprocess.Popen(
            argv, stdin=stdin, stdout=streams.stdout, stderr=streams.stderr, env={**os.environ, **passed}
        )
    except FileNotFoundError:
        raise no_command(argv[0]) from None


def _with_group(door: Door, user: str) -> str:
    """Return whom to run as: a bare number that has no account inside gets the group of that number, not root's."""
    if not user.isdecimal():
        return user
    own = f"{user}:{user}"
    argv = (
        *door.engine,
        "exec",
        "--user",
        own,
        "--workdir",
        "/",
        door.container,
        "/bin/sh",
        "-c",
        HAS_ACCOUNT,
        "sh",
        user,
    )
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=LOOK_DEADLINE, check=False)
    except (OSError, subprocess.TimeoutExpired):  # the command itself will say better what is amiss
        return own
    return own if done.returncode else user


def _stop(child: subprocess.Popen[bytes], patience: float = 0) -> None:
    """End the engine's client, once it had some time to end by itself."""
    for number, seconds in ((None, patience), (signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        if number is not None:
            child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
            break
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()


def _reap_argv(door: Door, token: str) -> list[str]:
    """Return the command that ends what bears a token; it reads its script."""
    mark = ("--env", f"{TOKEN}={os.urandom(8).hex()}")
    call = (*door.engine, "exec", "--interactive", "--user", "0", "--workdir", "/", *shielded(), *mark, door.container)
    return [*call, *shell(("-s", *reap(token, GRACE).args))]


def _end_inside(door: Door, token: str) -> None:
    script = reap(token, GRACE).text.encode()
    try:
        done = subprocess.run(
            _reap_argv(door, token), input=script, capture_output=True, timeout=REAP_DEADLINE, check=False
        )
        said = done.stdout.decode(errors="replace").strip()
        code = done.returncode
    except subprocess.TimeoutExpired:
        said, code = "the engine does not answer", 1
    if code:
        raise EngineCallFailed(
            f"what the command started in {door.env} may still run: {said[-200:] or 'it cannot be entered any more'}",
            code="exec.left_running",
            hint=f"look with `envspec exec --root {door.env} -- ps -ef`",
            where=Where(address=door.container),
        )


class _Minder:
    """A shell beside us that ends what runs inside, should we be killed, or fail, before we can.

    Attributes:
        settled: Whether nothing is left for it to do.
    """

    def __init__(self, door: Door, token: str) -> None:
        self.settled = False
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", MIND, "envspec", *_reap_argv(door, token)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "ENVSPEC_REAP": reap(token, GRACE).text},
            start_new_session=True,
        )

    def __enter__(self) -> _Minder:
        return self

    def watch(self, pid: int) -> None:
        """Name the process of the engine's client."""
        self._tell(str(pid))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _undisturbed():
            assert self._shell.stdin is not None
            if self.settled:
                self._tell("done")
            self._shell.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._shell.wait(REAP_DEADLINE)

    def _tell(self, line: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{line}\n".encode())
        self._shell.stdin.flush()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _handled(numbers: Sequence[signal.Signals], handler: Any) -> Iterator[None]:
    """Handle signals otherwise for a while; only the main thread may, and gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)


def _signals() -> contextlib.AbstractContextManager[None]:
    return _handled((signal.SIGTERM, signal.SIGHUP), _interrupt)


def _undisturbed() -> contextlib.AbstractContextManager[None]:
    return _handled((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN)


@contextlib.contextmanager
def _terminal(options: ExecOptions) -> Iterator[None]:
    """Leave the terminal as it was, however the engine's client ended."""
    if not options.tty or not sys.stdin.isatty():
        yield
        return
    import termios  # noqa: PLC0415 - only a terminal pays for it

    before = termios.tcgetattr(sys.stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
