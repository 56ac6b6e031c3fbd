"""Planning, and doing it: what the doors call."""

from __future__ import annotations

from pathlib import Path

from envspec.api import saved
from envspec.api.converge import Confirm, Doors, run
from envspec.api.targets import Cancel, Options, open_engine, read_target
from envspec.api.work import look
from envspec.engine.base import Engine, Reader
from envspec.events import Emit
from envspec.model import Plan, Report


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
