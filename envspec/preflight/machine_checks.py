"""On which machine the engine runs, and what of this host it sees from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from envspec.engine.choice import DOCKER_SOCKET
from envspec.engine.client import Client
from envspec.engine.machine import Machine
from envspec.engine.shelf import PLACE
from envspec.errors import EnvspecError
from envspec.preflight.host_checks import disk
from envspec.preflight.system import System
from envspec.preflight.values import Check, State

UNIX = "unix://"


class Seer(Protocol):
    """What of :class:`envspec.engine.base.Reader` is asked here."""

    @property
    def remote(self) -> str:
        """Return the address of an engine that does not see this host's files, "" when it does."""
        ...

    def machine(self) -> Machine:
        """Return the machine that the engine runs on."""
        ...

    def sees(self, paths: Sequence[str]) -> Mapping[str, bool]:
        """Say of paths of this host whether the engine sees what lies there."""
        ...


def seer(system: System, command: tuple[str, ...]) -> Seer:
    """Return what asks the engine that a docker command leads to.

    Args:
        system: The host.
        command: The command, with the options that lead to the engine.
    """
    endpoint = system.docker_host or DOCKER_SOCKET
    if not endpoint.startswith(UNIX):
        return Client(command=command, remote=endpoint)
    return Client(command=command, socket=endpoint.removeprefix(UNIX))


def files(engine: Seer | None, directory: str) -> Check:
    """Say which of this host's directories the engine sees.

    Args:
        engine: The engine, ``None`` where none answers.
        directory: The directory that an environment made here would have bound.
    """
    if engine is None:
        return Check("files", State.WARN, "unknown until the engine answers")
    if engine.remote:
        detail = "the engine is another host's and binds no directory of this one: set `mount_cwd: false`"
        return Check("files", State.WARN, detail)
    machine = engine.machine()
    if machine.here:
        return Check("files", State.OK, "the engine runs on this host and sees its directories")
    try:
        seen = engine.sees((directory, str(PLACE)))
    except EnvspecError as error:
        return Check(
            "files", State.WARN, f"the engine runs on {machine.title}; what it sees is unknown: {error.message}"
        )
    told = [f"the engine runs on {machine.title}", _directory(directory, seen.get(directory), machine.sharing)]
    if seen.get(str(PLACE)) is False:
        told.append(f"{PLACE} is hidden from it: services get secrets from a `file` only")
    if machine.knows_the_host:
        told.append("host.docker.internal leads containers to this host")
    good = all(seen.get(path) for path in (directory, str(PLACE)))
    return Check("files", State.OK if good else State.WARN, "; ".join(told))


def _directory(path: str, seen: bool | None, sharing: str) -> str:
    if seen is None:
        return f"apply asks it whether it sees {path}, once it has an image to ask with"
    if seen:
        return f"it sees {path}"
    return f"it does not see {path}, so that binds of it are refused: {sharing}, or set `mount_cwd: false`"


def space(engine: Seer | None, root: str) -> Check:
    """Check the space where the engine keeps images, which can be seen on this host only."""
    if engine is not None and not engine.machine().here:
        return Check("disk", State.OK, f"on {engine.machine().title}, so its space is not looked at")
    return disk(root)
