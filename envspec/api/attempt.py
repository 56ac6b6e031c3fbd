"""Trying a repository: what it shows is looked up where it is remembered, else seen, and becomes an ordinary spec."""

from __future__ import annotations

from envspec.engine.base import Reader
from envspec.errors import Conflict, SpecError, Where
from envspec.kinds import names
from envspec.kinds.base import workspace_of
from envspec.purposes import Catalogue, catalogue
from envspec.resolve.source import placed
from envspec.resolve.trial import Trial, Tried, location, recall
from envspec.resolve.trust import trusted
from envspec.spec.load import Loaded


def unseen(loaded: Loaded, purposes: Catalogue) -> tuple[Loaded, Tried | None]:
    """Return the ordinary spec for one that asks for what a repository shows, as if the repository showed nothing.

    Args:
        loaded: A spec; one that asks for no such thing is returned as it is.
        purposes: The purposes in reach.

    Raises:
        SpecError: What the author asks for beside the repository cannot be had.
    """
    spec = loaded.spec
    if spec.repo_url is None or spec.purpose is None:
        return loaded, None
    try:
        tried = Tried(Trial(location(loaded), ()), spec.purpose.params, purposes)
        return tried.expand(loaded), tried
    except SpecError as error:
        raise placed(error, loaded.where) from None


def attempted(loaded: Loaded, reader: Reader | None = None, *, installs: bool = True) -> tuple[Loaded, Tried | None]:
    """Return the ordinary spec in place of one that asks for what a repository shows.

    An environment that stands remembers what was seen; only without one the repository is looked at.

    Args:
        loaded: A spec; one that asks for no such thing is returned as it is.
        reader: The engine, ``None`` to look at the repository in any case.
        installs: Whether the repository is installed after it was cloned.

    Returns:
        The spec to go on with, and what the repository showed.

    Raises:
        EnvspecError: As :func:`envspec.detect_git.look`; or the repository asks for what cannot be had.
        Conflict: An environment of the name is there, and comes from elsewhere than what is tried without a file.
    """
    spec = loaded.spec
    if spec.repo_url is None or spec.purpose is None or spec.name is None:
        return loaded, None
    from envspec import detect_git  # noqa: PLC0415 - only who tries a repository pays for it
    from envspec.detect import knowledge  # noqa: PLC0415 - the same

    url, purposes = location(loaded), catalogue(loaded.directory)
    boxes = reader.containers(spec.name, (names.container(spec.name),)) if reader else ()
    known = workspace_of(boxes, spec.name)
    trial = recall(known.labels.get(names.DETECTED, ""), url) if known else None
    if known and trial is None and loaded.path is None:
        raise Conflict(
            f"the name {spec.name} belongs to another environment",
            code="conflict.name",
            hint=f"choose another with --name, or `envspec destroy {spec.name}` first",
            where=Where(address=names.WORKSPACE),
        )
    if trial is None:
        mine = trusted(spec, purposes.get(spec.purpose.use).matter)
        trial = Trial(url, detect_git.look(url, knowledge(purposes), trusted=mine))
    typed = spec.repo_url if loaded.path is None else ""
    tried = Tried(trial, spec.purpose.params, purposes, typed, installs)
    return tried.expand(loaded), tried
