"""What stands on the engine, for the doors; :mod:`envspec.api.inventory` looks."""

from __future__ import annotations

import socket
from dataclasses import replace

from envspec import hostpath
from envspec.api import inventory
from envspec.api.connect import ConnectInfo
from envspec.api.inventory import EnvironmentRow, EnvironmentStatus
from envspec.api.targets import Options, is_name, locate, open_engine, read_target
from envspec.engine.base import Reader
from envspec.errors import UsageError


def environments(engine: Reader | None = None) -> tuple[EnvironmentRow, ...]:
    """Return all environments of the engine."""
    return inventory.environments(engine or open_engine())


def status(target: str, engine: Reader | None = None, *, drift: bool = False) -> EnvironmentStatus:
    """Return one environment in detail, by name or by its spec.

    Args:
        target: Name of the environment, or its spec.
        engine: The engine, by default this host's.
        drift: Whether to hold it against its spec too: the one that it was made from, when only the name is given.

    Raises:
        UsageError: There is no such environment; or its spec does not lie on this host.
    """
    engine = engine or open_engine()
    found = inventory.status(engine, locate(target))
    if not drift:
        return found
    return replace(found, drift=_drift(engine, found, target))


def connect_command(target: str, engine: Reader | None = None, *, root: bool = False) -> ConnectInfo:
    """Return how a person gets into an environment.

    Args:
        target: Name of the environment, or its spec.
        engine: The engine, by default this host's.
        root: Whether as root instead of its user.

    Raises:
        UsageError: There is no such environment.
        Conflict: It does not run.
    """
    return inventory.connect(engine or open_engine(), locate(target), root=root)


def service_containers(target: str, service: str, engine: Reader | None = None) -> dict[str, str]:
    """Return the names of the containers of an environment's services, by service.

    Args:
        target: Name of the environment, or its spec.
        service: The one service that matters, "" for all.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no such environment or service, or it has none.
    """
    return inventory.service_containers(engine or open_engine(), locate(target), service)


def _drift(engine: Reader, found: EnvironmentStatus, target: str) -> tuple[str, ...]:
    """Hold an environment against its spec, and return what differs."""
    from envspec import policy  # noqa: PLC0415 - planning weighs more than all else that looks at what stands
    from envspec.api import work  # noqa: PLC0415 - the same

    made_by = target
    if is_name(target):
        made_by = hostpath.from_shown(policy.other_path(found.spec, f"{socket.gethostname()}:"))
    if not made_by or not hostpath.is_there(made_by):
        raise UsageError(
            f"the spec of {found.name} is not on this host: {found.spec or 'it was made from none'}",
            code="env.no_spec",
            hint="name the file instead of the environment",
        )
    changes = work.look(engine, read_target(made_by, destroy=False), Options()).plan.changes
    return tuple(f"{change.address}: {change.reason}" for change in changes)
