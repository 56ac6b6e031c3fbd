"""Work in a converged environment, by the name of the environment or by its spec."""

from __future__ import annotations

from collections.abc import Sequence

from envspec.api.work import locate, open_engine
from envspec.engine.base import Reader
from envspec.inside import capture
from envspec.inside.capture import Executed
from envspec.inside.door import Door, open_door
from envspec.inside.exec import ExecOptions
from envspec.inside.jobs import Jobs


def execute(  # noqa: PLR0913 - one call says all about one command
    target: str,
    words: Sequence[str],
    options: ExecOptions | None = None,
    *,
    stdin: bytes = b"",
    max_output: int | None = None,
    engine: Reader | None = None,
) -> Executed:
    """Run a command in an environment, with the environment's variables, and keep what it prints.

    A command that fails is a result. Whatever cuts it off, nothing that it started is left running inside.

    Args:
        target: Name of the environment, or its spec.
        words: The command and its arguments.
        options: How to run it: as whom, where, for how long, with which variables.
        stdin: What it reads.
        max_output: Bytes of each stream to return, cut in the middle; ``None`` for all.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no such environment.
        Conflict: It does not run.
        EngineCallFailed: What it started inside cannot be ended.
    """
    door = enter(target, engine)
    return capture.execute(door, words, options or ExecOptions(), stdin=stdin, max_output=max_output)


def jobs(target: str, engine: Reader | None = None) -> Jobs:
    """Return the background jobs of a running environment: to start, list, poll, follow, wait for and cancel them.

    Args:
        target: Name of the environment, or its spec.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no such environment.
        Conflict: It does not run.
    """
    return Jobs(enter(target, engine))


def enter(target: str, engine: Reader | None = None) -> Door:
    """Return the way into a running environment.

    Raises:
        UsageError: There is no such environment.
        Conflict: It does not run.
    """
    return open_door(locate(target), (engine or open_engine()).command)
