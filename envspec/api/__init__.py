"""The one core behind every door: the command line, Python, and whatever comes later call these functions."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from envspec.api import cache, inventory, lifecycle, saved
from envspec.api import networks as network
from envspec.api.attempt import attempted
from envspec.api.cache import CachedImage, Cleared
from envspec.api.connect import ConnectInfo
from envspec.api.converge import Confirm, Doors, apply, run
from envspec.api.copies import copy_in, copy_out
from envspec.api.inside import execute, jobs, wait
from envspec.api.inventory import EnvironmentRow, EnvironmentStatus, ServiceRow
from envspec.api.lifecycle import PERSISTENT, Ended, Ending
from envspec.api.networks import NetworkMade, NetworkRow
from envspec.api.restore import restore
from envspec.api.snapshots import create_snapshot, remove_snapshot, show_snapshot, snapshots
from envspec.api.trial import try_repository
from envspec.api.work import Cancel, Options, is_name, locate, look, open_engine, read_target
from envspec.engine.base import Engine, Reader
from envspec.errors import UsageError
from envspec.events import Emit
from envspec.inside.capture import Executed
from envspec.inside.copy_box import Copied
from envspec.inside.exec import ExecOptions
from envspec.inside.job import Cancelled, Job, JobOptions, Polled, Started
from envspec.inside.jobs import Jobs
from envspec.inside.snapshot_manifest import Manifest, SnapshotRow
from envspec.inside.wait import Waited
from envspec.model import Plan, Report
from envspec.policy import other_path
from envspec.purposes import catalogue
from envspec.resolve import candidates
from envspec.spec.load import Loaded, load

__all__ = [
    "PERSISTENT",
    "CachedImage",
    "Cancel",
    "Cancelled",
    "Cleared",
    "ConnectInfo",
    "Copied",
    "Ended",
    "Ending",
    "EnvironmentRow",
    "EnvironmentStatus",
    "ExecOptions",
    "Executed",
    "Job",
    "JobOptions",
    "Jobs",
    "Manifest",
    "NetworkMade",
    "NetworkRow",
    "Options",
    "Polled",
    "ServiceRow",
    "SnapshotRow",
    "Started",
    "Waited",
    "apply",
    "cached_images",
    "clear_cache",
    "collect_garbage",
    "connect_command",
    "copy_in",
    "copy_out",
    "create_network",
    "create_snapshot",
    "destroy",
    "end_session",
    "environments",
    "execute",
    "jobs",
    "locate",
    "networks",
    "open_engine",
    "plan",
    "purposes",
    "remove_network",
    "remove_snapshot",
    "render",
    "render_purpose",
    "restore",
    "save_plan",
    "service_containers",
    "show_snapshot",
    "snapshots",
    "status",
    "temporary",
    "try_repository",
    "validate",
    "wait",
]


def validate(path: Path) -> Loaded:
    """Load a spec, and check its purpose and params too.

    Raises:
        SpecError: The file is faulty; :class:`envspec.errors.SpecFaults` holds all faults of it.
    """
    loaded = load(path)
    purpose, found = loaded.spec.purpose, catalogue(loaded.directory)
    if purpose and loaded.spec.repo_url:
        found.get(purpose.use).check_names(purpose.params)  # what more it takes, its repository says
    else:
        candidates(loaded.spec, found)
    return loaded


def render(path: Path) -> str:
    """Return the Dockerfile of a spec's purpose, as its first open source has it; of ``try-repo``, what it comes to.

    Raises:
        SpecError: The spec or its purpose is faulty, or it has an image and no purpose.
        EnvspecError: The repository that the spec wants tried cannot be read.
    """
    loaded, tried = attempted(load(path))
    wanted = loaded.spec.image_source
    found = candidates(loaded.spec, catalogue(loaded.directory), tried.params if tried else None)
    ways = [way for way in found if way.image]
    asked = [way for way in ways if way.source == wanted] or ways
    if not asked or asked[0].image is None:
        raise UsageError("this spec has an `image` and no `purpose`: there is no Dockerfile", hint="set a `purpose`")
    return asked[0].image.dockerfile


def render_purpose(name: str, params: Mapping[str, str], source: str) -> str:
    """Return the Dockerfile of a purpose.

    Args:
        name: Name of the purpose.
        params: Its params.
        source: ``registry``, ``bootstrap`` or ``local``.

    Raises:
        SpecError: There is no such purpose, or a param is faulty.
    """
    purpose = catalogue(Path.cwd()).get(name)
    way: Literal["bootstrap", "registry"] = "bootstrap" if source == "bootstrap" else "registry"
    return purpose.render(params, way, purpose.base(params, way).ref)


def purposes(directory: Path) -> tuple[dict[str, object], ...]:
    """Return all purposes in reach of a directory: name, summary, params with defaults, origin, files that show it."""
    found = catalogue(directory)
    rows: list[dict[str, object]] = []
    for name in found.names():
        purpose = found.get(name)
        params = {
            key: {"description": param.description, "default": param.default_for("registry")}
            for key, param in sorted(purpose.matter.params.items())
        }
        origin = "built in" if purpose.builtin else purpose.file
        row: dict[str, object] = {"name": name, "summary": purpose.matter.summary, "params": params, "origin": origin}
        rows.append(row | {"detect": purpose.matter.detect})
    return tuple(rows)


def plan(target: str | Path, options: Options, *, engine: Reader | None = None) -> Plan:
    """Return what apply would do. Changes nothing.

    Args:
        target: A spec or its directory; with ``options.destroy`` a name will do.
        options: What the user asks beyond the spec.
        engine: The engine, by default this host's.

    Raises:
        EnvspecError: The spec is faulty, no engine answers, or a name belongs to something else.
    """
    return look(engine or open_engine(), read_target(target, destroy=options.destroy), options).plan


def save_plan(target: str | Path, options: Options, out: Path, *, engine: Reader | None = None) -> Plan:
    """Plan, and save the plan for :func:`apply`.

    Raises:
        EnvspecError: As :func:`plan`; and the file cannot be written.
    """
    wanted = read_target(target, destroy=options.destroy)
    seen = look(engine or open_engine(), wanted, options)
    saved.write(out, wanted, options, seen)
    return seen.plan


def destroy(  # noqa: PLR0913 - the same doors as apply
    target: str, options: Options, *, emit: Emit, confirm: Confirm, cancel: Cancel, engine: Engine | None = None
) -> Report:
    """Remove an environment, by name or by its spec. One that is not there is removed already: the report is empty.

    Raises:
        EnvspecError: As :func:`apply`.
    """
    engine = engine or open_engine()
    wanted = read_target(target, destroy=True)
    chosen = Options(destroy=True, allow_data_loss=options.allow_data_loss, yes=options.yes, volumes=options.volumes)
    return run(engine, wanted, chosen, Doors(emit, confirm, cancel))


def end_session(  # noqa: PLR0913 - the same doors as apply
    session: str, ending: Ending, *, emit: Emit, confirm: Confirm, cancel: Cancel, engine: Engine | None = None
) -> tuple[Ended, ...]:
    """Destroy the environments that a session made, save those that are persistent.

    Files that nobody declared go with them; uncommitted or unpushed work keeps an environment, and the result says so.
    """
    return lifecycle.end_session(engine or open_engine(), session, ending, Doors(emit, confirm, cancel))


@contextmanager
def temporary(  # noqa: PLR0913 - the same doors as apply
    target: str | Path, options: Options, *, emit: Emit, confirm: Confirm, cancel: Cancel, engine: Engine | None = None
) -> Iterator[Report]:
    """Make an environment of its own name from a spec, for the length of a ``with``; then it is gone, volumes too.

    Yields:
        The report of the apply, whether it went well or not.

    Raises:
        EnvspecError: As :func:`apply`.
    """
    doors = Doors(emit, confirm, cancel)
    with lifecycle.temporary(engine or open_engine(), load(Path(target)), options, doors) as report:
        yield report


def collect_garbage(
    ending: Ending, *, emit: Emit, confirm: Confirm, cancel: Cancel, engine: Engine | None = None
) -> tuple[Ended, ...]:
    """Remove what nobody wants any more, as :func:`envspec.api.lifecycle.collect` tells, and say what came of it."""
    return lifecycle.collect(engine or open_engine(), ending, Doors(emit, confirm, cancel))


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
    made_by = target if not is_name(target) else other_path(found.spec, f"{socket.gethostname()}:")
    if not made_by or not Path(made_by).exists():
        raise UsageError(
            f"the spec of {found.name} is not on this host: {found.spec or 'it was made from none'}",
            code="env.no_spec",
            hint="name the file instead of the environment",
        )
    changes = look(engine, read_target(made_by, destroy=False), Options()).plan.changes
    return replace(found, drift=tuple(f"{change.address}: {change.reason}" for change in changes))


def connect_command(target: str, engine: Reader | None = None) -> ConnectInfo:
    """Return how a person gets into an environment.

    Raises:
        UsageError: There is no such environment.
        Conflict: It does not run.
    """
    return inventory.connect(engine or open_engine(), locate(target))


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


def networks(engine: Reader | None = None) -> tuple[NetworkRow, ...]:
    """Return the networks of ours, sorted by name."""
    return network.networks(engine or open_engine())


def create_network(name: str, engine: Engine | None = None) -> NetworkMade:
    """Make a network that environments share through ``networks``, unless it is there.

    Raises:
        UsageError: The name is none.
        Conflict: A network that is not ours bears it.
    """
    return network.create(engine or open_engine(), name)


def remove_network(name: str, engine: Engine | None = None) -> NetworkRow:
    """Remove a network of ours that nobody is on.

    Raises:
        UsageError: There is no such network.
        Refused: It is not ours, or in use.
    """
    return network.remove(engine or open_engine(), name)


def cached_images(engine: Reader | None = None) -> tuple[CachedImage, ...]:
    """Return the images that environments share, with size and last use."""
    return cache.cached(engine or open_engine())


def clear_cache(purpose: str = "", engine: Engine | None = None) -> Cleared:
    """Remove the images that no container uses.

    Args:
        purpose: Only those of this purpose, ``base`` for bootstrapped bases; "" for all.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no image of that purpose.
    """
    return cache.clear(engine or open_engine(), purpose)
