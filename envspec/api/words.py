"""Specs and purposes as they are written, for which no engine is needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from envspec.api.attempt import attempted
from envspec.errors import UsageError
from envspec.purposes import catalogue
from envspec.resolve import candidates
from envspec.spec.load import Loaded, load


def validate(path: Path) -> Loaded:
    """Load a spec, and check its purpose and params too.

    Raises:
        SpecError: The file is faulty; :class:`envspec.errors.SpecFaults` holds all faults of it.
    """
    loaded = load(path)
    purpose, found = loaded.spec.purpose, catalogue(loaded.directory)
    if purpose and loaded.spec.repo_url:
        found.get(purpose.use).check_names(purpose.params)  # what more it takes, its repository says
    else:
        candidates(loaded.spec, found)
    return loaded


def render(path: Path) -> str:
    """Return the Dockerfile of a spec's purpose, as its first open source has it; of ``try-repo``, what it comes to.

    Raises:
        SpecError: The spec or its purpose is faulty, or it has an image and no purpose.
        EnvspecError: The repository that the spec wants tried cannot be read.
    """
    loaded, tried = attempted(load(path))
    wanted = loaded.spec.image_source
    found = candidates(loaded.spec, catalogue(loaded.directory), tried.params if tried else None)
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
