"""Specs and purposes as they are written, for which no engine is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from envspec.api.attempt import attempted
from envspec.api.targets import open_engine
from envspec.engine.base import Reader
from envspec.errors import UsageError
from envspec.purposes import catalogue
from envspec.resolve import candidates
from envspec.spec.document import all_of
from envspec.spec.load import load, load_partly


@dataclass(frozen=True, slots=True)
class Valid:
    """A spec without a fault.

    Attributes:
        file: Its file as the user wrote it.
        name: Name of the environment.
        notes: What could not be checked here.
    """

    file: str
    name: str
    notes: tuple[str, ...] = ()


def validate(path: Path, *, engine: Reader | None = None) -> Valid:
    """Check all of a spec that a plan would refuse before it asks the engine.

    Args:
        path: The file, or its directory.
        engine: Resolves a Compose document, by default this host's; it need not run.

    Raises:
        SpecError: The file is faulty; :class:`envspec.errors.SpecFaults` holds all faults of it.
    """
    from envspec.api.check import check  # noqa: PLC0415 - listing purposes does not need what resolves a spec

    loaded, faults = load_partly(path)
    if loaded is None:
        raise all_of(faults)
    reader = engine or (open_engine() if loaded.spec.compose else None)
    notes = check(loaded, reader, known=faults)
    return Valid(loaded.file, str(loaded.spec.name), notes)


def render(path: Path) -> str:
    """Return the Dockerfile of a spec's purpose, as its first open source has it; of ``try-repo``, what it comes to.

    Raises:
        SpecError: The spec or its purpose is faulty, or it has an image and no purpose.
        EnvspecError: The repository that the spec wants tried cannot be read.
    """
    loaded, tried = attempted(load(path))
    wanted = loaded.spec.image_source
    found = candidates(loaded.spec, catalogue(loaded.directory), tried.params if tried else None, loaded.where)
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
