"""How many environments there may be: counted so that several which begin at once cannot pass the limit together.

A new environment counts from when its mutex is taken. Only who holds one more mutex, the engine's alone, takes that of
a new environment and counts: whoever comes next sees it, made or under way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from envspec import policy
from envspec.api import inventory
from envspec.api.lock import abandoned, locked
from envspec.engine.base import Engine
from envspec.errors import Conflict
from envspec.spec.settings import load_settings

COUNTING = "environments.count"
"""The mutex of whoever counts; no environment has a dot in its name."""

PATIENCE = 60.0
"""Seconds to wait for others who count; each takes about one."""

PAUSE = 0.05
"""Seconds between two tries."""


@contextmanager
def claimed(engine: Engine, env: str, *, new: bool, notes: Mapping[str, str] | None = None) -> Iterator[bool]:
    """Hold an environment's mutex, and with it the place that a new one takes up.

    Args:
        engine: The engine.
        env: Name of the environment.
        new: Whether there is none yet, so that ``max_environments`` of the user's configuration matters.
        notes: As for :func:`envspec.api.lock.locked`.

    Yields:
        Whether the mutex was taken from a dead process, as :func:`envspec.api.lock.locked` does.

    Raises:
        Conflict: Somebody else holds it.
        Refused: There are as many environments as there may be.
    """
    most = load_settings().max_environments if new else None
    with ExitStack() as held:
        if most is None:
            yield held.enter_context(locked(engine, env, notes))
            return
        with _counting(engine):
            stolen = held.enter_context(locked(engine, env, notes))
            policy.refuse_more(env, _others(engine, env), most)
        yield stolen


def _others(engine: Engine, env: str) -> tuple[str, ...]:
    """Return the environments that count: all with a container, and those that others are about to make."""
    rows = {row.name for row in inventory.environments(engine) if row.status != inventory.NO_CONTAINER}
    taken = {name for name in engine.locked_envs() if "." not in name} - rows - {env}
    return tuple(sorted(rows | {name for name in taken if not abandoned(engine, name)}))


@contextmanager
def _counting(engine: Engine) -> Iterator[None]:
    """Wait until nobody else counts, and hold that mutex.

    Raises:
        Conflict: Others hold it for too long.
    """
    end = time.monotonic() + PATIENCE
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(locked(engine, COUNTING))
                break
            except Conflict:
                if time.monotonic() > end:
                    raise
            time.sleep(PAUSE)
        yield
