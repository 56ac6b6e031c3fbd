"""The few engine commands that `exec` and completion need, without the weight of the engine package."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from envspec.cli.options import asked, is_file
from envspec.engine.choice import choose
from envspec.errors import Conflict, EngineNotReady, EnvspecError, UsageError, Where

COMPLETION_DEADLINE = 2.0
"""Seconds; whoever presses Tab waits no longer."""

LOOK_DEADLINE = 30.0
KILL_DEADLINE = 30.0

TIMED_OUT = 124
"""What timeout(1) exits with."""

MARKER = "ENVSPEC_EXEC_ID"
"""Variable by which the processes of a timed exec are found again, those in a session of their own too."""

WITH_ENVIRONMENT = '[ ! -r /run/envspec/env ] || . /run/envspec/env; exec "$@"'
"""Reads the environment's variables, which live in a tmpfs and not in the container's configuration."""

KILL_MARKED = (
    'for _ in 1 2 3 4 5; do found=; for p in /proc/[0-9]*; do if grep -aqs "$1" "$p/environ"; then '
    'kill -9 "${p#/proc/}" 2>/dev/null && found=1; fi; done; [ -n "$found" ] || exit 0; done'
)
"""Kills until none is left: a process may fork while it is looked for. It has the marker as an argument only."""


@dataclass(frozen=True, slots=True)
class ExecOptions:
    """How to run a command inside.

    Attributes:
        user: ``uid:gid`` of the environment's user, as :func:`require_running` returns it.
        root: Whether as root instead.
        workdir: Directory, "" for the workspace.
        tty: Whether to give it a terminal.
        engine: The engine's command, with the options that lead to it.
    """

    user: str = ""
    root: bool = False
    workdir: str = ""
    tty: bool = False
    engine: tuple[str, ...] = ("docker",)

    @property
    def user_flags(self) -> tuple[str, ...]:
        """Return the engine's option that names the user; without one the container's own."""
        user = "0:0" if self.root else self.user
        return ("--user", user) if user else ()


def locate(target: str) -> str:
    """Return the name of the environment that ENV means; a name is taken as it is.

    Raises:
        EnvspecError: The file is no spec.
    """
    if not is_file(target):
        return target
    from envspec import api  # noqa: PLC0415 - reading a spec needs the core, a name does not

    return api.locate(target)


def container_name(env: str) -> str:
    """Return the name of an environment's workspace container, as :func:`envspec.kinds.names.container` has it."""
    return f"{env}-workspace"


def environment_names() -> tuple[str, ...]:
    """Return the names of the environments on the engine, sorted; none when it does not answer at once."""
    try:
        engine = choose(*asked())
        # `.Label` is Docker's own, `index .Labels` Podman's.
        label = '.Label "dev.envspec.env"' if engine.name == "docker" else 'index .Labels "dev.envspec.env"'
        words = ("ps", "--all", "--filter", "label=dev.envspec.env", "--format", f"{{{{{label}}}}}")
        done = subprocess.run((*engine.command, *words), capture_output=True, timeout=COMPLETION_DEADLINE, check=False)
    except (OSError, subprocess.TimeoutExpired, EnvspecError):
        return ()
    return tuple(sorted({line for line in done.stdout.decode(errors="replace").splitlines() if line}))


def require_running(env: str, container: str, engine: tuple[str, ...]) -> str:
    """Make sure that an environment can be entered, and return the ``uid:gid`` that its commands run as.

    The container's own user is root, as :data:`envspec.engine.inspect.USER_LABEL` tells.

    Args:
        env: Its name.
        container: Name of its container.
        engine: The engine's command, with the options that lead to it.

    Raises:
        EngineNotReady: There is no such command, or the engine does not answer.
        UsageError: There is no such environment.
        Conflict: It is stopped.
    """
    template = '{{.State.Running}} {{.State.Paused}} {{index .Config.Labels "dev.envspec.user"}} '
    template += '{{index .Config.Labels "dev.envspec.env"}}'
    argv = (*engine, "container", "inspect", "--format", template, container)
    try:
        done = subprocess.run(argv, capture_output=True, timeout=LOOK_DEADLINE, check=False)
    except FileNotFoundError:
        raise _no_command(engine[0]) from None
    except subprocess.TimeoutExpired:
        raise EngineNotReady("the engine does not answer", hint="`envspec preflight` tells why") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        if "no such container" in said.lower():
            raise _unknown(env)
        raise EngineNotReady(f"the engine does not answer: {said[:200]}", hint="`envspec preflight` tells why")
    running, paused, user, owner = done.stdout.decode(errors="replace").rstrip("\n").split(" ", 3)
    if owner != env:
        raise _unknown(env)
    if running != "true" or paused == "true":
        state = "paused" if paused == "true" else "stopped"
        raise Conflict(
            f"the environment {env} is {state}",
            code="env.stopped",
            hint="`envspec apply` its file starts it again",
            where=Where(address="container.workspace"),
        )
    return user


def exec_argv(container: str, words: Sequence[str], options: ExecOptions, marker: str = "") -> tuple[str, ...]:
    """Return the engine's command that runs ``words`` inside with the environment's variables."""
    argv = [*options.engine, "exec", "--interactive", *options.user_flags]
    if options.tty:
        argv.append("--tty")
    if options.workdir:
        argv += ["--workdir", options.workdir]
    if marker:
        argv += ["--env", f"{MARKER}={marker}"]
    return (*argv, container, "sh", "-c", WITH_ENVIRONMENT, "envspec", *words)


def run_with_deadline(container: str, words: Sequence[str], options: ExecOptions, seconds: float) -> int:
    """Run a command inside and return its exit code, or :data:`TIMED_OUT`.

    When the time is up, or the user interrupts, everything that it started inside is ended too.
    """
    marker = os.urandom(16).hex()
    child = subprocess.Popen(exec_argv(container, words, options, marker))
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return TIMED_OUT
    finally:
        if child.poll() is None:
            _kill_inside(container, options, marker)
            child.kill()
            child.wait()


def replace_process(argv: Sequence[str]) -> None:
    """Become the engine's command, so that streams, signals, terminal and exit code are its own.

    Raises:
        EngineNotReady: There is no such command.
    """
    try:
        os.execvp(argv[0], tuple(argv))
    except FileNotFoundError:
        raise _no_command(argv[0]) from None


def _kill_inside(container: str, options: ExecOptions, marker: str) -> None:
    """Kill as the very user who started it: without CAP_SYS_PTRACE root may not read another's environment."""
    kill = ("sh", "-c", KILL_MARKED, "envspec", f"{MARKER}={marker}")
    argv = (*options.engine, "exec", *options.user_flags, container, *kill)
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=KILL_DEADLINE, check=False)


def _no_command(program: str) -> EngineNotReady:
    return EngineNotReady(f"there is no {program} command", hint=f"`envspec preflight --fix --engine {program}`")


def _unknown(env: str) -> UsageError:
    return UsageError(f"there is no environment {env}", code="env.unknown", hint="`envspec list` names them")
