"""What a destructive step would lose: uncommitted and unpushed work, files that nobody declared, and running jobs."""

from __future__ import annotations

from collections.abc import Callable

from envspec.kinds.base import Observed

UNKNOWN = "what was made inside (the container does not run, so it cannot be checked)"


UNDECLARED = " (undeclared)"
"""Ends what is said of a file that nobody declared."""


RUNNING = " (running)"
"""Ends what is said of a background job that runs."""


UNNAMED = " (a volume without a name)"
"""Ends what is said of data in a volume that nobody named; :mod:`envspec.kinds.anonymous` lists those."""


def lies_below(path: str, root: str) -> bool:
    """Say whether a path is a directory or lies below it."""
    return bool(root) and (path == root or path.startswith(root.rstrip("/") + "/"))


def lost(world: Observed, goes: Callable[[str], bool]) -> tuple[str, ...]:
    """Return what of the user's work would be lost, in words.

    Args:
        world: What was observed.
        goes: Says of a path inside whether it goes.
    """
    box = world.workspace
    if box is None or box.status == "created":
        return ()
    if world.inside is None:
        return (UNKNOWN,)
    return _repos(world, goes) + _files(world, goes)


def below(target: str, world: Observed) -> tuple[str, ...]:
    """Return what would be lost with everything below a directory."""
    return lost(world, lambda path: lies_below(path, target))


def jobs(world: Observed) -> tuple[str, ...]:
    """Return the background jobs that a stop of the workspace would end, in words."""
    return tuple(f"job {job}{RUNNING}" for job in world.answer.jobs)


def goes_unasked(lost: str) -> bool:
    """Say whether something goes with an environment that was not made to stay.

    Files that nobody declared, running jobs, and what services keep in volumes that nobody named do.
    """
    return lost.endswith((UNDECLARED, RUNNING, UNNAMED))


def _repos(world: Observed, goes: Callable[[str], bool]) -> tuple[str, ...]:
    found = []
    for path, fact in sorted((world.located(path), fact) for path, fact in world.answer.repos.items()):
        if not goes(path) or fact.state != "repo":
            continue
        if fact.dirty:
            found.append(f"{path} ({fact.dirty} uncommitted {'change' if fact.dirty == 1 else 'changes'})")
        if fact.unpushed:
            found.append(f"{path} ({fact.unpushed} unpushed {'commit' if fact.unpushed == 1 else 'commits'})")
    return tuple(found)


def _files(world: Observed, goes: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(f"{path}{UNDECLARED}" for path in sorted(world.answer.undeclared or ()) if goes(path))
