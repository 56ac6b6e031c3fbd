"""Work in a converged environment, by the name of the environment or by its spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from envspec.api import inventory
from envspec.api.targets import is_name, locate, open_engine
from envspec.engine.base import Engine, Reader
from envspec.engine.facts import Questions
from envspec.errors import UsageError
from envspec.inside import capture
from envspec.inside.capture import Executed
from envspec.inside.door import Door, open_door
from envspec.inside.exec import ExecOptions
from envspec.inside.jobs import Jobs
from envspec.inside.wait import Patience, Waited, command_ends_well, containers_are_healthy, until_ready
from envspec.spec.load import load


def execute(  # noqa: PLR0913 - one call says all about one command
    target: str,
    words: Sequence[str],
    options: ExecOptions | None = None,
    *,
    stdin: bytes = b"",
    max_output: int | None = None,
    engine: Reader | None = None,
) -> Executed:
    """Run a command in an environment, with the environment's variables, and keep what it prints.

    A command that fails is a result. Whatever cuts it off, nothing that it started is left running inside.

    Args:
        target: Name of the environment, or its spec.
        words: The command and its arguments.
        options: How to run it: as whom, where, for how long, with which variables.
        stdin: What it reads.
        max_output: Bytes of each stream to return, cut in the middle; ``None`` for all.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no such environment.
        Conflict: It does not run.
        EngineCallFailed: What it started inside cannot be ended.
    """
    door = enter(target, engine)
    return capture.execute(door, words, options or ExecOptions(), stdin=stdin, max_output=max_output)


def jobs(target: str, engine: Reader | None = None) -> Jobs:
    """Return the background jobs of a running environment: to start, list, poll, follow, wait for and cancel them.

    Args:
        target: Name of the environment, or its spec.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no such environment.
        Conflict: It does not run.
    """
    return Jobs(enter(target, engine))


def wait(  # noqa: PLR0913 - one call says all about one wait
    target: str,
    *,
    command: str = "",
    service: str = "",
    interval: float | None = None,
    timeout: float | None = None,
    retries: int | None = None,
    engine: Engine | None = None,
) -> Waited:
    """Wait until an environment is ready; that it is not is a result.

    Without a command and a service, what the spec's ``health`` says is waited for: that of the file where ``target``
    is one, else the check that passed when the environment was applied; where there is none, the container's health.

    Args:
        target: Name of the environment, or its spec.
        command: Shell text that exits 0 when all is ready.
        service: Service whose container must be healthy.
        interval: Seconds between two tries; that of ``health``, or its default, where nothing is said.
        timeout: Seconds that one try of a command may take; the same.
        retries: How often to try again; the same.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no such environment or service, or both a command and a service are named.
        Conflict: The environment does not run.
    """
    if command and service:
        raise UsageError("a command and a service are two things to wait for", hint="wait for one, then for the other")
    engine = engine or open_engine()
    env = locate(target)
    patience, what = Patience(), "command"
    if service:
        boxes = tuple(inventory.service_containers(engine, env, service).values())
        what = f"service {service}"
    elif not command:
        boxes = (inventory.find(engine, env).name,)
        health = _health(target, engine, env)
        what = "health" if health else "container"
        command, patience = health or ("", patience)
    given: dict[str, Any] = {"interval": interval, "timeout": timeout, "retries": retries}
    patience = replace(patience, **{key: value for key, value in given.items() if value is not None})
    if command:
        door = open_door(env, engine.command)
        return until_ready(env, what, lambda: command_ends_well(door, command, patience.timeout), patience)
    return until_ready(env, what, lambda: containers_are_healthy(engine, env, boxes), patience)


def _health(target: str, engine: Engine, env: str) -> tuple[str, Patience] | None:
    """Return the check of a spec, or the one that passed when it was applied, and its patience."""
    if not is_name(target):
        wish = load(Path(target)).spec.health
        return (wish.command, Patience(wish.interval, wish.timeout, wish.retries)) if wish else None
    door = open_door(env, engine.command)
    entry = engine.probe(door.container, Questions()).entry("health.workspace")
    if entry is None or "command" not in entry.data:
        return None
    known = {key: entry.data[key] for key in ("interval", "timeout", "retries")}
    return str(entry.data["command"]), Patience(**known)  # type: ignore[arg-type]  # what the kind wrote there


def enter(target: str, engine: Reader | None = None) -> Door:
    """Return the way into a running environment.

    Raises:
        UsageError: There is no such environment.
        Conflict: It does not run.
    """
    return open_door(locate(target), (engine or open_engine()).command)
