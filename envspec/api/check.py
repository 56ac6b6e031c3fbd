"""All faults of a spec that show without an engine, at once.

The stages of a plan find them; here each runs on its own, with a stand-in for what a faulty one would have given to the
next. ``validate`` is this and nothing else, and a plan that a fault stops asks here for the other ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from envspec import host as hosts
from envspec.api.attempt import unseen
from envspec.api.stack import Permission, Stack, stack
from envspec.compose.read import Document
from envspec.compose.read import read as read_document
from envspec.compose.variables import Variables
from envspec.engine.base import Reader
from envspec.engine.choice import config_file
from envspec.errors import EngineNotReady, Faults, Refused, SpecError
from envspec.forward import read as forwarding
from envspec.host import HostFacts
from envspec.host_network import HostNetwork
from envspec.purposes import Catalogue, catalogue
from envspec.resolve import Candidate, Chosen, asked, candidates, choose, resolve, takes_network, wish
from envspec.resolve.dotfiles import with_default
from envspec.resolve.trial import Tried
from envspec.spec.load import STAND_IN, Loaded
from envspec.spec.settings import Settings, load_settings


def check(
    loaded: Loaded,
    reader: Reader | None = None,
    *,
    tried: Tried | None = None,
    allowed: tuple[str, ...] = (),
    known: Iterable[SpecError] = (),
) -> tuple[str, ...]:
    """Insist that nothing in a spec is at fault.

    Args:
        loaded: The spec; one that has a repository tried is not looked up.
        reader: Resolves its Compose document; ``None`` leaves that out.
        tried: What a repository showed, when ``loaded`` is the ordinary spec that came of it.
        allowed: Effects that the user permits.
        known: Faults that are known already.

    Returns:
        What could not be checked here.

    Raises:
        SpecError: There is a fault; :class:`envspec.errors.SpecFaults` holds all of them.
    """
    faults, purposes = Faults(known), catalogue(loaded.directory)
    settings = Settings()
    with faults:
        settings = load_settings()
    if tried is None:
        with faults:
            loaded, tried = unseen(loaded, purposes)
    loaded, chosen = _chosen(loaded, purposes, tried, faults)
    with faults:
        loaded = with_default(loaded, settings.dotfiles, config_file().parent, purposes)
    facts = facts_of(loaded, reader, settings)
    with faults:
        asked(loaded, facts, purposes)
    document = None
    with faults, suppress(Refused):
        document = read_document(loaded, allowed, _variables_of(reader))
    beside, notes = None, tuple[str, ...]()
    if document is not None and reader is not None:
        with faults, suppress(Refused):
            beside, notes = _beside(reader, loaded, document, chosen, facts)
    with faults:
        resolve(loaded, facts, purposes, chosen, beside.project if beside else None)
    faults.stop()
    return notes


def facts_of(loaded: Loaded, reader: Reader | None, settings: Settings) -> HostFacts:
    """Look at the host, and there for what of the user's own goes inside.

    Args:
        loaded: The spec.
        reader: The engine, whose users are mapped in its own way; ``None`` for one that maps none.
        settings: The user's configuration.

    Raises:
        SpecError: The purpose's file is faulty.
    """
    facts, purposes = hosts.gather(), catalogue(loaded.directory)
    shared = takes_network(loaded, purposes, settings.host_network)
    return dataclasses.replace(
        facts,
        maps="" if not (reader and reader.rootless) else "keep-id" if reader.name == "podman" else "root",
        forwarded=forwarding.read(wish(loaded, purposes)),
        passthrough=_passthrough(settings),
        network=facts.network if shared else HostNetwork(),
        image_prefix=settings.image_prefix or "",
    )


def _passthrough(settings: Settings) -> tuple[str, ...]:
    """Return the names and globs of the variables that `env_passthrough: auto` takes."""
    wanted = settings.env_passthrough
    return (*(hosts.PASSTHROUGH if wanted.patterns is None else wanted.patterns), *wanted.extend)


def _chosen(loaded: Loaded, purposes: Catalogue, tried: Tried | None, faults: Faults) -> tuple[Loaded, Chosen]:
    """Return where the image comes from as far as no engine is asked, and the spec without what is at fault there."""
    spec = loaded.spec
    ways: tuple[Candidate, ...] = ()
    with faults:
        ways = candidates(spec, purposes, tried.params if tried else None, loaded.where)
        if spec.image_source != "auto":
            choose(spec, ways, {}, lambda: False, loaded.where)
    if not ways and spec.purpose is not None:
        purpose = spec.purpose.model_copy(update={"params": {}})
        try:
            purposes.get(purpose.use)
            update: dict[str, object] = {"purpose": purpose}
        except SpecError:
            update = {"purpose": None, "image": STAND_IN}
        loaded = dataclasses.replace(loaded, spec=spec.model_copy(update=update))
    way = next((way for way in ways if not way.closed), Candidate("registry", base=STAND_IN))
    return loaded, Chosen(way, way.source)


def _variables_of(reader: Reader | None) -> Variables:
    """Return what reads files of variables, which have none where nothing here can read them."""

    def read(files: Sequence[bytes]) -> Mapping[str, str]:
        with suppress(EngineNotReady):
            return reader.compose_variables(files) if reader else {}
        return {}

    return read


def _beside(
    reader: Reader, loaded: Loaded, document: Document, chosen: Chosen, facts: HostFacts
) -> tuple[Stack | None, tuple[str, ...]]:
    """Return the services beside the workspace, or that nothing here can read them."""
    try:
        return stack(reader, loaded, document, chosen.candidate, Permission(), facts.environ), ()
    except EngineNotReady as error:
        return None, (f"the services are not checked: {error.message}",)
