"""How environments end that were not made to stay, for the doors; :mod:`envspec.api.lifecycle` does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envspec.api import lifecycle
from envspec.api.converge import Doors
from envspec.api.lifecycle import Ended, Ending
from envspec.api.targets import Cancel, Confirm, Options, open_engine
from envspec.engine.base import Engine
from envspec.events import Emit
from envspec.model import Report
from envspec.spec.load import load


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
