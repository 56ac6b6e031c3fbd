"""What a destructive step would lose: uncommitted and unpushed work, files that nobody declared, and running jobs."""

from __future__ import annotations

from collections.abc import Callable

from envspec.engine.facts import RepoFact
from envspec.kinds.base import Observed
from envspec.model import Loss, LossKind

UNKNOWN = Loss(LossKind.UNKNOWN, "what was made inside", "the container does not run, so it cannot be checked")

UNASKED = frozenset({LossKind.UNDECLARED, LossKind.JOB, LossKind.UNNAMED_VOLUME})
"""What goes, without a question, with an environment that was not made to stay."""


def lies_below(path: str, root: str) -> bool:
    """Say whether a path is a directory or lies below it."""
    return bool(root) and (path == root or path.startswith(root.rstrip("/") + "/"))


def lost(world: Observed, goes: Callable[[str], bool]) -> tuple[Loss, ...]:
    """Return what of the user's work would be lost.

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


def below(target: str, world: Observed) -> tuple[Loss, ...]:
    """Return what would be lost with everything below a directory."""
    return lost(world, lambda path: lies_below(path, target))


def jobs(world: Observed) -> tuple[Loss, ...]:
    """Return the background jobs that a stop of the workspace would end."""
    return tuple(Loss(LossKind.JOB, f"job {job}", "running") for job in world.answer.jobs)


def work_in(path: str, fact: RepoFact) -> tuple[Loss, ...]:
    """Return the local work in a repository: changes that are not committed, and commits that were not pushed.

    Args:
        path: Where it is.
        fact: What was found there.
    """
    found = (
        (LossKind.UNCOMMITTED, fact.dirty, "uncommitted change"),
        (LossKind.UNPUSHED, fact.unpushed, "unpushed commit"),
    )
    return tuple(
        Loss(kind, path, f"{number} {words}{'' if number == 1 else 's'}") for kind, number, words in found if number
    )


def _repos(world: Observed, goes: Callable[[str], bool]) -> tuple[Loss, ...]:
    found = sorted((world.located(path), fact) for path, fact in world.answer.repos.items() if fact.state == "repo")
    return tuple(lost for path, fact in found if goes(path) for lost in work_in(path, fact))


def _files(world: Observed, goes: Callable[[str], bool]) -> tuple[Loss, ...]:
    files = sorted(world.answer.undeclared or ())
    return tuple(Loss(LossKind.UNDECLARED, path, "undeclared") for path in files if goes(path))
