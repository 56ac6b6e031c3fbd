"""Snapshots, for Python: making, listing, showing and removing them; :mod:`envspec.api.restoring` brings one back."""

from __future__ import annotations

from pathlib import Path
from socket import gethostname

from envspec import hostpath
from envspec.api.lock import locked
from envspec.api.targets import is_name, open_engine
from envspec.engine.base import Engine, Reader
from envspec.engine.objects import PAUSES
from envspec.errors import SpecError, UsageError, Where
from envspec.events import Emit, silent
from envspec.inside import snapshot, snapshot_manifest
from envspec.inside.copy_box import find_box
from envspec.inside.snapshot_manifest import Manifest, SnapshotRow
from envspec.inside.snapshot_spec import loaded_for, text_for
from envspec.kinds import names
from envspec.policy import other_path
from envspec.spec.load import Loaded, load


def create_snapshot(
    target: str, name: str, *, pause: bool = True, emit: Emit = silent, engine: Engine | None = None
) -> Manifest:
    """Save an environment's filesystem and its named volumes, those of its services too, on its engine.

    Args:
        target: Name of the environment, or its spec. A name finds the spec where it was applied from.
        name: Name of the snapshot.
        pause: Whether all that runs of the environment is paused meanwhile, so that all is of one moment.
        emit: Takes notices.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no such environment, its spec is not to be found, or the name is none.
        Conflict: There is a snapshot of this name, or somebody else works on the environment.
        StepFailed: A volume cannot be copied.
        EngineCallFailed: The engine refused.
    """
    engine = engine or open_engine()
    loaded, text = _spec_of(engine, target)
    assert loaded.spec.name is not None
    pausable = _pausable(engine, loaded.spec.name) if pause else ()
    with locked(engine, loaded.spec.name, {PAUSES: " ".join(pausable)}):
        return snapshot.create(engine, loaded, text, name, pausable=pausable if pause else None, emit=emit)


def snapshots(engine: Reader | None = None) -> tuple[SnapshotRow, ...]:
    """Return all snapshots of the engine, sorted by name."""
    return snapshot_manifest.rows(engine or open_engine())


def show_snapshot(name: str, engine: Reader | None = None) -> Manifest:
    """Return what a snapshot holds.

    Raises:
        UsageError: There is none of this name.
    """
    return snapshot_manifest.read(engine or open_engine(), name)


def remove_snapshot(name: str, engine: Engine | None = None) -> None:
    """Remove a snapshot.

    Raises:
        UsageError: There is none of this name.
        Conflict: An environment was restored from it and is still there.
    """
    snapshot.remove(engine or open_engine(), name)


def _pausable(engine: Engine, env: str) -> tuple[str, ...]:
    """Return the containers that a snapshot may pause: those that run, or were paused by one that was killed.

    They are noted on the mutex, so that whoever finds it dead lets them go on. What was paused by hand stays so.
    """
    holder = engine.lock_holder(env)
    left = holder.notes.get(PAUSES, "").split() if holder else ()
    return tuple(box.id for box in engine.containers(env) if box.running or box.id in left)


def _spec_of(engine: Engine, target: str) -> tuple[Loaded, str]:
    """Return an environment's spec and its text: of the file that was named, else of what it was made from."""
    if not is_name(target):
        return _with_text(load(Path(target)))
    labels = find_box(engine, target).state.labels
    origin = labels.get(names.ORIGIN, "")
    path = hostpath.from_shown(other_path(origin, f"{gethostname()}:"))
    try:
        loaded = load(Path(path)) if path else None
    except SpecError:
        loaded = None
    if loaded and loaded.spec.name == target:
        return _with_text(loaded)
    if labels.get(names.RESTORED):
        manifest = snapshot_manifest.read(engine, labels.get(names.SNAPSHOT, ""))
        return loaded_for(manifest, target, None), text_for(manifest, target)
    raise UsageError(
        f"the spec of {target} is not to be found at {origin or 'any path'}",
        code="snapshot.no_spec",
        hint="name its file instead: `envspec snapshot create FILE NAME`",
        where=Where(address=target),
    )


def _with_text(loaded: Loaded) -> tuple[Loaded, str]:
    assert loaded.path is not None
    return loaded, loaded.path.read_text(encoding="utf-8")
