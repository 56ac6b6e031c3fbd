"""Planning, and doing it, for the doors.

What these need is imported when they are called: once the environment's name is known, the engine is asked while the
rest is still loading.
"""

from __future__ import annotations

from pathlib import Path

from envspec.api import saved
from envspec.api.targets import Cancel, Confirm, Options, open_engine, read_target
from envspec.engine.base import Engine, Reader
from envspec.events import Emit
from envspec.glance import Glance
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
    engine, wanted = engine or open_engine(), read_target(target, destroy=options.destroy, reader=engine)
    with Glance(engine, wanted.env) as begun:
        from envspec.api.work import look  # noqa: PLC0415 - the engine is asked meanwhile

        return look(engine, wanted, options, begun=begun).plan


def save_plan(target: str | Path, options: Options, out: Path, *, engine: Reader | None = None) -> Plan:
    """Plan, and save the plan for :func:`apply`.

    Raises:
        EnvspecError: As :func:`plan`; and the file cannot be written.
    """
    engine, wanted = engine or open_engine(), read_target(target, destroy=options.destroy, reader=engine)
    with Glance(engine, wanted.env) as begun:
        from envspec.api.work import look  # noqa: PLC0415 - the engine is asked meanwhile

        seen = look(engine, wanted, options, begun=begun)
    saved.write(out, wanted, options, seen)
    return seen.plan


def apply(  # noqa: PLR0913 - the doors are named
    target: str | Path, options: Options, *, emit: Emit, confirm: Confirm, cancel: Cancel, engine: Engine | None = None
) -> Report:
    """Make an environment what its spec says, or do what a saved plan says.

    Args:
        target: A spec, its directory, or a plan that was saved.
        options: What the user asks beyond the spec.
        emit: Takes events, from several threads, one call at a time.
        confirm: Asks before something that exists is ended.
        cancel: Carries the user's wish to stop.
        engine: The engine, by default this host's.

    Raises:
        EnvspecError: The spec or the plan is faulty.
        Refused: Something would be lost or ended that nobody allowed.
        Conflict: Somebody else works on the environment, or the world is no longer the one that was planned for.
    """
    engine, promised = engine or open_engine(), saved.read(Path(target))
    wanted = promised.target if promised else read_target(target, destroy=options.destroy, reader=engine)
    chosen = saved.options_with(promised, options) if promised else options
    with Glance(engine, wanted.env, later=wanted.has_document) as begun:
        from envspec.api.converge import Doors, run  # noqa: PLC0415 - the engine is asked meanwhile

        doors = Doors(emit, confirm, cancel)
        return run(engine, wanted, chosen, doors, promised=promised.plan if promised else None, begun=begun)


def destroy(  # noqa: PLR0913 - the same doors as apply
    target: str, options: Options, *, emit: Emit, confirm: Confirm, cancel: Cancel, engine: Engine | None = None
) -> Report:
    """Remove an environment, by name or by its spec. One that is not there is removed already: the report is empty.

    Raises:
        EnvspecError: As :func:`apply`.
    """
    engine, wanted = engine or open_engine(), read_target(target, destroy=True)
    chosen = Options(destroy=True, allow_data_loss=options.allow_data_loss, yes=options.yes, volumes=options.volumes)
    with Glance(engine, wanted.env) as begun:
        from envspec.api.converge import Doors, run  # noqa: PLC0415 - the engine is asked meanwhile

        return run(engine, wanted, chosen, Doors(emit, confirm, cancel), begun=begun)
