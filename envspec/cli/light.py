"""What the light commands share: they run inside an environment and do without the weight of the core."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence

from envspec.cli.options import asked, is_file
from envspec.engine.choice import choose
from envspec.errors import EnvspecError
from envspec.inside.door import Door, no_command, open_door, open_doors
from envspec.visible import one_line

COMPLETION_DEADLINE = 2.0
"""Seconds; whoever presses Tab waits no longer."""


def locate(target: str) -> str:
    """Return the name of the environment that ENV means; a name is taken as it is.

    Raises:
        EnvspecError: The file is no spec.
    """
    if not is_file(target):
        return target
    from envspec import api  # noqa: PLC0415 - reading a spec needs the core, a name does not

    return api.locate(target)


def enter(target: str) -> Door:
    """Return the way into the environment that ENV means, on the engine that the command line asks for.

    Raises:
        EnvspecError: As :func:`envspec.inside.door.open_door`, and the file is no spec.
    """
    return open_door(locate(target), choose(*asked()).command)


def enter_all() -> tuple[Door, ...]:
    """Return the ways into all environments that run, on the engine that the command line asks for.

    Raises:
        EnvspecError: As :func:`envspec.inside.door.open_doors`.
    """
    return tuple(open_doors(choose(*asked()).command))


def environment_names() -> tuple[str, ...]:
    """Return the names of the environments on the engine, sorted; none when it does not answer at once."""
    try:
        engine = choose(*asked())
    except EnvspecError:
        return ()
    return _names(engine.name, engine.command)


def names_on_the_other_engine() -> tuple[str, tuple[str, ...]] | None:
    """Return the other engine of this host and the environments on it, ``None`` where there are none.

    Nothing is said of it where a context or DOCKER_HOST leads away from this host.
    """
    chosen = choose(*asked())
    other = "podman" if chosen.name == "docker" else "docker"
    if chosen.remote or shutil.which(other) is None:
        return None
    there = choose(other)
    found = _names(other, there.command) if there.name == other else ()
    return (other, found) if found else None


def _names(engine: str, command: Sequence[str]) -> tuple[str, ...]:
    # `.Label` is Docker's own, and what Podman's templates make of labels differs with its version.
    form = '{{.Label "dev.envspec.env"}}' if engine == "docker" else "json"
    words = ("ps", "--all", "--filter", "label=dev.envspec.env", "--format", form)
    try:
        done = subprocess.run((*command, *words), capture_output=True, timeout=COMPLETION_DEADLINE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    told = done.stdout.decode(errors="replace")
    found = {line for line in told.splitlines() if line} if engine == "docker" else _labelled(told)
    return tuple(sorted(name for name in found if one_line(name) == name))


def _labelled(told: str) -> set[str]:
    """Return the environments of the containers that Podman listed as JSON."""
    import json  # noqa: PLC0415 - only completion and hints on Podman pay for it

    with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):
        return {str(one["Labels"]["dev.envspec.env"]) for one in json.loads(told)}
    return set()


def replace_process(argv: Sequence[str]) -> None:
    """Become the engine's command, so that streams, signals, terminal and exit code are its own.

    Raises:
        EngineNotReady: There is no such command.
    """
    try:
        os.execvp(argv[0], tuple(argv))
    except FileNotFoundError:
        raise no_command(argv[0]) from None
