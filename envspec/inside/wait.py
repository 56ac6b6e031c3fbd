"""Waiting until something in an environment is ready: a command ends well, or a container is healthy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from envspec.engine.base import Engine
from envspec.engine.objects import ContainerState
from envspec.inside.capture import execute
from envspec.inside.door import Door
from envspec.inside.exec import ExecOptions
from envspec.kinds.service_state import has_completed

MAX_OUTPUT = 16 * 1024
"""Bytes of each stream of the last attempt that are kept."""

LOG_LINES = 20
"""Lines of a container's log that are shown where it is not healthy."""

IN_SHELL = 'if command -v bash >/dev/null; then exec bash -eo pipefail -c "$1"; else exec sh -e -c "$1"; fi'
"""How setup and health commands run too."""


_GOOD = ("", "healthy")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait; what the key ``health`` of a spec says, and its defaults.

    Attributes:
        interval: Seconds between two tries.
        timeout: Seconds that one try may take.
        retries: How often to try again.
    """

    interval: float = 2.0
    timeout: float = 30.0
    retries: int = 15


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: whether it found all ready, the exit code where there was a command, and what it showed."""

    ready: bool
    output: str = ""
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Waited:
    """What waiting came to.

    Attributes:
        env: The environment.
        what: What was waited for: ``command``, ``health``, ``service NAME`` or ``container``.
        ready: Whether it is ready now.
        attempts: How often it was looked at.
        code: Exit code of the last attempt's command, 124 when it took too long; ``None`` where there was none.
        output: What the last attempt showed.
        seconds: How long it took.
    """

    env: str
    what: str
    ready: bool
    attempts: int
    code: int | None
    output: str
    seconds: float


def until_ready(env: str, what: str, attempt: Callable[[], Attempt], patience: Patience) -> Waited:
    """Try until it is ready, or as often as patience lasts.

    Args:
        env: The environment.
        what: What is waited for, in words.
        attempt: Makes one try.
        patience: How long to wait.
    """
    started = time.monotonic()
    last = attempt()
    attempts = 1
    while not last.ready and attempts <= patience.retries:
        time.sleep(patience.interval)
        last = attempt()
        attempts += 1
    return Waited(env, what, last.ready, attempts, last.code, last.output, round(time.monotonic() - started, 3))


def command_ends_well(door: Door, command: str, timeout: float) -> Attempt:
    """Run shell text as the environment's user, in its workspace.

    Args:
        door: The environment.
        command: The text; ready when it exits 0.
        timeout: Seconds that it may take; then all that it started is ended.
    """
    words = ("/bin/sh", "-c", IN_SHELL, "envspec", command)
    done = execute(door, words, ExecOptions(timeout=timeout), max_output=MAX_OUTPUT)
    output = (done.stdout + done.stderr).decode(errors="replace")
    return Attempt(done.code == 0, output, done.code)


def containers_are_healthy(engine: Engine, env: str, containers: Sequence[str]) -> Attempt:
    """Look at containers: ready when each runs and its health check, if it has one, says so, or ended as it should.

    Args:
        engine: The engine.
        env: The environment.
        containers: Names of the containers, at least one.
    """
    seen = [_is_healthy(engine, env, container) for container in containers]
    return next((attempt for attempt in seen if not attempt.ready), seen[0])


def _is_healthy(engine: Engine, env: str, container: str) -> Attempt:
    box = _look(engine, env, container)
    if box is not None and box.running and box.health not in _GOOD:
        engine.check_health(box.id)
        box = _look(engine, env, container)
    if box is None:
        return Attempt(False, f"there is no container {container}")
    if box.running and box.health in _GOOD:
        return Attempt(True, box.health or "it runs, and has no health check")
    if has_completed(box):
        return Attempt(True, "it ended with 0, as it was made to")
    state = f"{box.status} ({box.health})" if box.running else box.status
    return Attempt(False, f"{container} is {state}\n{engine.logs(box.id, LOG_LINES)}".strip())


def _look(engine: Engine, env: str, container: str) -> ContainerState | None:
    return next((box for box in engine.containers(env) if box.name == container), None)
