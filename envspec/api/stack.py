"""The services of a spec: read, resolved, judged and turned into resources, before any engine is asked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from envspec import policy
from envspec.compose import beside, builds, effects, needs, shelved
from envspec.compose.project import Project, project
from envspec.compose.read import Document
from envspec.compose.refused import settled
from envspec.compose.texts import plain
from envspec.engine.base import Reader
from envspec.engine.stack import ComposeConfig
from envspec.errors import Faults, Where
from envspec.model import Effect
from envspec.resolve import Candidate
from envspec.spec.load import Loaded


@dataclass(frozen=True, slots=True)
class Stack:
    """Services beside the workspace.

    Attributes:
        project: What they are.
        effects: What of them reaches out and needs permission.
    """

    project: Project
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Permission:
    """What the user permits.

    Attributes:
        allowed: Effects by name.
        insists: Whether what is not among them is refused; a plan only shows it.
    """

    allowed: tuple[str, ...] = ()
    insists: bool = False

    def check(self, found: tuple[Effect, ...], place: Callable[[Effect], Where] | None = None) -> None:
        """Refuse effects that are not permitted, where this insists.

        Args:
            found: The effects.
            place: Says where an effect stands in a file, ``None`` where that is not known.

        Raises:
            Refused: There is one.
        """
        if self.insists:
            policy.refuse_effects(found, self.allowed, place)


def stack(  # noqa: PLR0913, PLR0917 - what services are made of
    reader: Reader,
    loaded: Loaded,
    document: Document,
    way: Candidate,
    permission: Permission,
    environ: Mapping[str, str],
) -> Stack:
    """Resolve a document and look at what it asks for.

    Args:
        reader: Resolves it; no engine is asked.
        loaded: The spec.
        document: Its Compose document.
        way: Where the workspace's image comes from, for the document's variables.
        permission: What the user permits.
        environ: Variables of this host, of which secrets and configs may name some.

    Raises:
        SpecError: Compose, or envspec, does not take the document.
        Refused: It has an effect that the user did not allow.
    """
    permission.check(document.effects, document.places.effect)
    name = loaded.spec.name
    assert name is not None
    variables = {
        "ENVSPEC_NAME": name,
        "ENVSPEC_IMAGE": way.image.ref if way.image else way.base,
        "ENVSPEC_BASE_IMAGE": way.base,
        "ENVSPEC_WORKSPACE": loaded.spec.workspace,
    }
    variables |= {"PWD": str(document.directory)}
    document, config, refused = settled(document, lambda left: reader.compose_config(left.source(name, variables)))
    faults = Faults(refused)
    if config is None:
        faults.stop()
        raise AssertionError  # a document without an answer has a fault
    data = plain(json.loads(config.text))
    idle: tuple[str, ...] = ()
    with faults:
        idle = needs.check(document, data, reader.name, reader.versions)
    faults.stop()
    document = shelved.with_host(document, data, environ)
    found = tuple(sorted({*document.effects, *effects.of_document(data, document.root)}))
    permission.check(found, document.places.effect)
    builds.check(document, data, reader.name, lambda: reader.versions().engine)
    for _, value in document.host:
        reader.hide(value)
    strict = loaded.spec.security.profile == "strict"
    made = project(document, config.text, name, reader.shelf(name), strict=strict)
    notes = (*document.notes, *_empty(document, config, environ), *idle, *made.notes)
    return Stack(dataclasses.replace(made, notes=tuple(dict.fromkeys(notes))), found)


def _empty(document: Document, config: ComposeConfig, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what Compose warned of: variables without a value, and all else."""
    for name in config.unset:
        yield beside.unset(name, str(document.places.variable(name)), document.stray, on_host=name in environ)
    yield from (f"Compose warns: {warning}" for warning in config.warnings)
