"""Specs and purposes as they are written, for which no engine is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from envspec import host as hosts
from envspec.api.attempt import attempted
from envspec.api.targets import open_engine
from envspec.engine.base import Reader
from envspec.engine.objects import ImageState
from envspec.errors import EngineNotReady, UsageError
from envspec.frontmatter import Param, Source
from envspec.purposes import BASE_REPOSITORY, Catalogue, Purpose, catalogue
from envspec.resolve import Candidate, candidates, choose
from envspec.spec.document import all_of
from envspec.spec.forms import Purpose as Form
from envspec.spec.load import load, load_partly
from envspec.spec.models import Spec
from envspec.spec.settings import load_settings


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


_PARAM = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """The Dockerfile that an environment's image is built from on this host.

    Attributes:
        dockerfile: Its text.
        image: Reference of the image that is built.
        base: Reference of the base image.
        source: Where that comes from: ``local``, ``registry`` or ``bootstrap``.
        note: Which base image it is and why, "" where the user chose.
    """

    dockerfile: str
    image: str
    base: str
    source: str
    note: str


def render(path: Path, source: str = "", engine: Reader | None = None) -> Rendered:
    """Return the Dockerfile of a spec's purpose as apply would build it; of ``try-repo``, what it comes to.

    Args:
        path: The spec, or its directory.
        source: ``auto``, ``registry``, ``bootstrap`` or ``local`` in place of what the spec says, "" for that.
        engine: The engine that says what is local, by default this host's; one that does not answer has nothing.

    Raises:
        SpecError: The spec or its purpose is faulty, or the source cannot give what it asks for.
        UsageError: It has an image and no purpose.
        EnvspecError: The repository that the spec wants tried cannot be read.
    """
    loaded, tried = attempted(load(path))
    return _rendered(loaded.spec, catalogue(loaded.directory), source, engine, tried.params if tried else None)


def render_purpose(name: str, params: Mapping[str, str], source: str = "", engine: Reader | None = None) -> Rendered:
    """Return the Dockerfile of a purpose.

    Args:
        name: Name of the purpose.
        params: Its params.
        source: As for :func:`render`.
        engine: Likewise.

    Raises:
        SpecError: There is no such purpose, or a param is faulty.
    """
    spec = Spec(purpose=Form(use=name, params=dict(params)))
    return _rendered(spec, catalogue(Path.cwd()), source, engine, None)


def _rendered(
    spec: Spec,
    purposes: Catalogue,
    source: str,
    engine: Reader | None,
    params_of: Callable[[Source], Mapping[str, str]] | None,
) -> Rendered:
    wanted = spec.model_copy(update={"image_source": source}) if source else spec
    ways = candidates(wanted, purposes, params_of)
    if all(way.image is None for way in ways):
        raise UsageError("this spec has an `image` and no `purpose`: there is no Dockerfile", hint="set a `purpose`")
    prefix = load_settings().image_prefix or ""
    chosen = choose(
        wanted,
        ways,
        _local(ways, engine) if wanted.image_source in ("auto", "local") else {},
        lambda: hosts.registry_reachable(hosts.registry_of(prefix)),
    )
    image = chosen.candidate.image
    assert image is not None
    return Rendered(image.dockerfile, image.ref, image.base, chosen.source, chosen.note)


def _local(ways: tuple[Candidate, ...], engine: Reader | None) -> Mapping[str, ImageState]:
    """Return those of the images that are on the engine."""
    try:
        return (engine or open_engine()).images(tuple(ref for way in ways for ref in way.refs))
    except EngineNotReady:
        return {}


def purposes(directory: Path) -> tuple[dict[str, object], ...]:
    """Return all purposes in reach of a directory: name, summary, params with defaults, origin, files that show it."""
    found = catalogue(directory)
    rows: list[dict[str, object]] = []
    for name in found.names():
        purpose = found.get(name)
        params = {key: _param(param) for key, param in sorted(purpose.matter.params.items())}
        origin = "built in" if purpose.builtin else purpose.file
        row: dict[str, object] = {"name": name, "summary": purpose.matter.summary, "params": params, "origin": origin}
        rows.append(row | {"detect": purpose.matter.detect, "base": _bases(purpose)})
    return tuple(rows)


def _param(param: Param) -> dict[str, object]:
    """Return what a param means, and its default: from a registry, and from whichever source is taken."""
    sources: tuple[Source, ...] = ("registry", "bootstrap")
    defaults = {source: param.default_for(source) for source in sources}
    return {"description": param.description, "default": defaults["registry"], "defaults": defaults}


def _bases(purpose: Purpose) -> dict[str, str]:
    """Return the base image that a purpose takes from each source by default, without loading the templates' engine."""
    params, base = purpose.matter.params, purpose.matter.base

    def default(found: re.Match[str]) -> str:
        return params[found[1]].default_for("registry") if found[1] in params else found[0]

    return {"registry": _PARAM.sub(default, base.registry), "bootstrap": f"{BASE_REPOSITORY}:{base.bootstrap}"}
