"""The way into a running environment, found with one call of the engine and nothing heavy imported."""

from __future__ import annotations

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
    found = _inspect(engine, container_name(env))
    if found is None or found.env != env:
        ours = _labelled(engine, "--all", "--filter", f"label=dev.envspec.env={env}")
        found = next((box for box in ours if box.env == env), None)
    if found is None:
        raise unknown(env)
    return _enter(found, engine)


@dataclass(frozen=True, slots=True)
class _Found:
    """A container as the engine describes it."""

    name: str
    env: str
    status: str
    user: str
    workdir: str


def _enter(found: _Found, engine: tuple[str, ...]) -> Door:
    """Insist that a container can be entered."""
    if found.status:
        raise Conflict(
            f"the environment {found.env} is {found.status}",
            code="env.stopped",
            hint="`envspec apply` its file starts it again",
            where=Where(address="container.workspace"),
        )
    return Door(found.env, found.name, found.user, found.workdir or "/", engine)


def _inspect(engine: tuple[str, ...], container: str) -> _Found | None:
    """Describe a container, ``None`` where there is none of the name."""
    template = '{{.State.Running}} {{.State.Paused}} {{index .Config.Labels "dev.envspec.user"}} '
    template += '{{index .Config.Labels "dev.envspec.env"}} {{.Name}} {{.Config.WorkingDir}}'
    done = _asked((*engine, "container", "inspect", "--format", template, container), engine)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        if "no such container" in said.lower():
            return None
        raise no_answer(said[:200], engine)
    running, paused, user, owner, name, workdir = done.stdout.decode(errors="replace").rstrip("\n").split(" ", 5)
    status = "paused" if paused == "true" else "" if running == "true" else "stopped"
    return _Found(name.removeprefix("/"), owner, status, user, workdir)


def _labelled(engine: tuple[str, ...], *options: str) -> Iterator[_Found]:
    """Yield the workspaces that ``ps`` lists with some options, those that run first: one may have been renamed."""
    kind = ("--filter", "label=dev.envspec.kind=container")
    done = _asked((*engine, "ps", "--quiet", "--no-trunc", *kind, *options), engine)
    if done.returncode:
        raise no_answer(done.stderr.decode(errors="replace").strip()[:200], engine)
    found = (_inspect(engine, line) for line in done.stdout.decode().split())
    yield from sorted((box for box in found if box), key=lambda box: (bool(box.status), box.env, box.name))


def _asked(argv: tuple[str, ...], engine: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(argv, capture_output=True, timeout=LOOK_DEADLINE, check=False)
    except FileNotFoundError:
        raise no_command(engine[0]) from None
    except subprocess.TimeoutExpired:
        raise no_answer("", engine) from None


def open_doors(engine: tuple[str, ...]) -> Iterator[Door]:
    """Open all environments that run, in the order of their names.

    Args:
        engine: The engine's command, with the options that lead to it.

    Raises:
        EngineNotReady: There is no such command, or the engine does not answer.
    """
    for found in _labelled(engine):
        # One that is paused cannot be entered and has nothing to say, nor has a replacement that is being set up.
        if not found.status and found.name != f"{container_name(found.env)}-next":
            yield _enter(found, engine)


def no_command(program: str) -> EngineNotReady:
    """Return the error of an engine whose command is not installed."""
    return EngineNotReady(f"there is no {program} command", hint=f"`envspec preflight --fix --engine {program}`")


def unknown(env: str) -> UsageError:
    """Return the error of an environment that does not exist."""
    here = f"; the directory is `./{env}`" if os.path.isdir(env) else ""  # noqa: PTH112 - takes any bytes
    return UsageError(f"there is no environment {env}", code="env.unknown", hint=f"`envspec list` names them{here}")
