"""The way into a running environment, found with one call of the engine and nothing heavy imported."""

from __future__ import annotations

import contextlib
import os
import posixpath
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from envspec.engine.choice import no_answer
from envspec.errors import Conflict, EngineNotReady, UsageError, Where

LOOK_DEADLINE = 30.0
"""Seconds for the engine to describe a container."""


@dataclass(frozen=True, slots=True)
class Door:
    """A running environment that can be entered.

    Attributes:
        env: Its name.
        container: Name of its workspace container.
        user: ``uid:gid`` that its commands run as; the container's own user is root, as
            :data:`envspec.engine.inspect.USER_LABEL` tells.
        workdir: Directory of its workspace.
        engine: The engine's command, with the options that lead to it.
    """

    env: str
    container: str
    user: str
    workdir: str
    engine: tuple[str, ...]

    def directory(self, path: str) -> str:
        """Return a directory inside as an absolute path; a relative one lies in the workspace."""
        return posixpath.join(self.workdir, path) if path else self.workdir


def container_name(env: str) -> str:
    """Return the name of an environment's workspace container, as :func:`envspec.kinds.names.container` has it."""
    return f"{env}-workspace"


def open_door(env: str, engine: tuple[str, ...]) -> Door:
    """Make sure that an environment can be entered.

    Args:
        env: Its name.
        engine: The engine's command, with the options that lead to it.

    Raises:
        EngineNotReady: There is no such command, or the engine does not answer.
        UsageError: There is no such environment.
        Conflict: It is stopped.
    """
    container = container_name(env)
    template = '{{.State.Running}} {{.State.Paused}} {{index .Config.Labels "dev.envspec.user"}} '
    template += '{{index .Config.Labels "dev.envspec.env"}} {{.Config.WorkingDir}}'
    argv = (*engine, "container", "inspect", "--format", template, container)
    try:
        done = subprocess.run(argv, capture_output=True, timeout=LOOK_DEADLINE, check=False)
    except FileNotFoundError:
        raise no_command(engine[0]) from None
    except subprocess.TimeoutExpired:
        raise no_answer("", engine) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        if "no such container" in said.lower():
            raise unknown(env)
        raise no_answer(said[:200], engine)
    running, paused, user, owner, workdir = done.stdout.decode(errors="replace").rstrip("\n").split(" ", 4)
    if owner != env:
        raise unknown(env)
    if running != "true" or paused == "true":
        state = "paused" if paused == "true" else "stopped"
        raise Conflict(
            f"the environment {env} is {state}",
            code="env.stopped",
            hint="`envspec apply` its file starts it again",
            where=Where(address="container.workspace"),
        )
    return Door(env, container, user, workdir or "/", engine)


def open_doors(engine: tuple[str, ...]) -> Iterator[Door]:
    """Open all environments that run, in the order of their names.

    Args:
        engine: The engine's command, with the options that lead to it.

    Raises:
        EngineNotReady: There is no such command, or the engine does not answer.
    """
    argv = (*engine, "ps", "--filter", "label=dev.envspec.kind=container", "--format", "{{.Names}}")
    try:
        done = subprocess.run(argv, capture_output=True, timeout=LOOK_DEADLINE, check=True)
    except FileNotFoundError:
        raise no_command(engine[0]) from None
    except subprocess.TimeoutExpired:
        raise no_answer("", engine) from None
    except subprocess.CalledProcessError as error:
        raise no_answer(error.stderr.decode(errors="replace").strip()[:200], engine) from None
    for name in sorted(done.stdout.decode(errors="replace").split()):
        env = name.removesuffix(container_name(""))
        if container_name(env) == name:
            # One that goes away meanwhile, or is paused, cannot be entered and has nothing to say.
            with contextlib.suppress(UsageError, Conflict):
                yield open_door(env, engine)


def no_command(program: str) -> EngineNotReady:
    """Return the error of an engine whose command is not installed."""
    return EngineNotReady(f"there is no {program} command", hint=f"`envspec preflight --fix --engine {program}`")


def unknown(env: str) -> UsageError:
    """Return the error of an environment that does not exist."""
    here = f"; the directory is `./{env}`" if os.path.isdir(env) else ""  # noqa: PTH112 - takes any bytes
    return UsageError(f"there is no environment {env}", code="env.unknown", hint=f"`envspec list` names them{here}")
