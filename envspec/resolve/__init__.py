"""From the author's words to everything that shall be, with no default left open."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator

from envspec import hostpath
from envspec.compose import effects
from envspec.compose.project import Project
from envspec.detect import install_script, knowledge
from envspec.engine.objects import Mount
from envspec.errors import Faults, Where
from envspec.forward.values import Wish
from envspec.frontmatter import FrontMatter
from envspec.host import HostFacts
from envspec.kinds import names
from envspec.kinds.network import NetworkSpec
from envspec.kinds.volume import VolumeSpec
from envspec.model import Desired, Effect, Resource
from envspec.purposes import Catalogue
from envspec.resolve import forward, trust
from envspec.resolve.box import Place, container, mounts
from envspec.resolve.caveats import caveats, of_image, refuse_unfit
from envspec.resolve.inner import Inner, resources
from envspec.resolve.reach import reaches
from envspec.resolve.source import Candidate, Chosen, base_image, candidates, choose
from envspec.resolve.user import identify
from envspec.spec.load import Loaded
from envspec.visible import one_line

__all__ = [
    "Candidate",
    "Chosen",
    "asked",
    "candidates",
    "choose",
    "of_image",
    "place_of",
    "refuse_unfit",
    "resolve",
    "takes_network",
    "wish",
]


def place_of(loaded: Loaded, catalogue: Catalogue) -> Place:
    """Return where a spec lies, and whether its directory is the workspace.

    Raises:
        SpecError: The spec asks for what only a trusted environment may have, and it is none.
    """
    trust.check(loaded, _matter(loaded, catalogue))
    return _place(loaded, catalogue)


def _place(loaded: Loaded, catalogue: Catalogue) -> Place:
    """Return the place without a look at what the environment may have."""
    spec, matter = loaded.spec, _matter(loaded, catalogue)
    bound = spec.mount_cwd
    if bound is None:
        bound = trust.trusted(spec, matter) and (matter is None or matter.mount_cwd)
    assert spec.name is not None
    return Place(spec.name, hostpath.real(loaded.directory), bound, loaded.where)


def _matter(loaded: Loaded, catalogue: Catalogue) -> FrontMatter | None:
    """Return what a spec's purpose says of itself, ``None`` without one."""
    purpose = loaded.spec.purpose
    return catalogue.get(purpose.use).matter if purpose else None


def _passes(loaded: Loaded, catalogue: Catalogue) -> str | tuple[str, ...]:
    """Return which variables pass from the host."""
    wish = loaded.spec.env_passthrough
    if wish is not None:
        return wish
    return "auto" if trust.takes(loaded.spec, _matter(loaded, catalogue), "env") else "none"


def takes_network(loaded: Loaded, catalogue: Catalogue, usual: str) -> bool:
    """Say whether tools inside get packages from where the host gets them.

    Args:
        loaded: The spec and where it lies.
        catalogue: The purposes in reach.
        usual: What the user's configuration says, ``auto`` or ``none``.
    """
    wanted = loaded.spec.host_network
    matter = _matter(loaded, catalogue)
    if wanted is not None:
        return wanted == "auto" and trust.trusted(loaded.spec, matter)
    return trust.takes(loaded.spec, matter, "host_network", usually=usual == "auto")


def asked(loaded: Loaded, host: HostFacts, catalogue: Catalogue) -> dict[Effect, Where]:
    """Return what the workspace itself needs permission for, whatever image it will run, and where that stands.

    Args:
        loaded: The spec and where it lies.
        host: Facts of the host.
        catalogue: The purposes in reach.

    Raises:
        SpecError: A mount cannot be had.
    """
    place = place_of(loaded, catalogue)
    who = identify(loaded.spec.user, host)
    faults = Faults()
    mounted = _mounts(loaded, place, host, faults)
    faults.stop()
    box = container(loaded.spec, place, who, mounted, ("", None))
    own = (effect for effect in effects.of_workspace(box.config) if effect.name in effects.WORKSPACE_ASKS)
    trusted = trust.trusted(loaded.spec, _matter(loaded, catalogue))
    return {**{effect: loaded.where("security") for effect in own}, **reaches(loaded, place, trusted=trusted)}


def wish(loaded: Loaded, catalogue: Catalogue) -> Wish:
    """Return what of the user's own to look for on the host."""
    return forward.wish(loaded.spec, _matter(loaded, catalogue), loaded.directory)


def resolve(  # noqa: PLR0913, PLR0917 - what an environment is made of
    loaded: Loaded,
    host: HostFacts,
    catalogue: Catalogue,
    chosen: Chosen,
    beside: Project | None = None,
    reaching: tuple[Effect, ...] = (),
) -> Desired:
    """Return everything that the environment must be.

    Args:
        loaded: The spec and where it lies.
        host: Facts of the host.
        catalogue: The purposes in reach.
        chosen: Where the image comes from.
        beside: The services beside the workspace, ``None`` for none.
        reaching: What of them needs permission.

    Raises:
        SpecError: Something that the spec names cannot be had: a mount, a source, a local repository.
    """
    spec, faults = loaded.spec, Faults()
    with faults:
        trust.check(loaded, _matter(loaded, catalogue))
    place = _place(loaded, catalogue)
    who = identify(spec.user, host)
    mounted = _mounts(loaded, place, host, faults)
    outer = [Resource("base_image.workspace", "base_image", base_image(chosen, host.image_prefix))]
    built = chosen.candidate.image
    if built:
        outer.append(Resource("image.workspace", "image", built, ("base_image.workspace",)))
    networks = [Resource(f"network.{name}", "network", NetworkSpec(name)) for name in sorted(spec.networks)]
    volumes = []
    for mount in sorted(mounted, key=lambda m: m.source):
        if mount.type == "volume":
            address = f"volume.{mount.source.removeprefix(place.env + '-')}"
            volumes.append(Resource(address, "volume", VolumeSpec(mount.source, mount.target)))
    shared = {resource.address: resource for resource in (*networks, *(beside.outer if beside else ()), *volumes)}
    outer += sorted(_networks_first(shared.values()), key=lambda resource: (resource.kind, resource.address))
    ref = built.ref if built else chosen.candidate.base
    box = container(spec, place, who, mounted, (ref, built), beside.networks if beside else ())
    box = dataclasses.replace(box, stands_in=chosen.stands_in, keeps_agent=forward.lacks_agent(spec, host.forwarded))
    outer.append(Resource(names.WORKSPACE, "container", box, tuple(r.address for r in outer)))
    services = beside.services if beside else ()
    inner: tuple[Resource, ...] = ()
    with faults:
        inner = resources(
            Inner(
                spec,
                place,
                who,
                mounted,
                host,
                tuple(s.address for s in services),
                _auto_install(loaded, catalogue),
                wished=wish(loaded, catalogue),
                passes=_passes(loaded, catalogue),
                base=built.base if built else chosen.candidate.base,
                purpose_setup=_setup(loaded, catalogue, chosen),
            )
        )
    faults.stop()
    origin = one_line(f"{host.hostname}:{os.path.realpath(loaded.path)}") if loaded.path else ""
    asking = asked(loaded, host, catalogue)
    own = (effect for effect in effects.of_workspace(box.config) if effect not in asking)
    told = (f"{effect.address} has {effect.name}: {effect.detail}" for effect in own)
    beside_notes = beside.notes if beside else ()
    notes = (
        chosen.note,
        who.why,
        *beside_notes,
        *told,
        *forward.notes(spec, host.forwarded),
        *_packages(host),
        *caveats(inner),
    )
    return Desired(place.env, (*outer, *services, *inner), origin, tuple(filter(None, notes)), (*asking, *reaching))


def _networks_first(shared: Iterable[Resource]) -> Iterator[Resource]:
    """Yield networks and volumes so that a volume is made behind all networks: an engine may have no more of these."""
    found = tuple(shared)
    networks = tuple(resource.address for resource in found if resource.kind == "network")
    for resource in found:
        yield dataclasses.replace(resource, needs=networks) if resource.kind == "volume" else resource


def _packages(host: HostFacts) -> tuple[str, ...]:
    """Say where tools inside get packages from, where that is not where everybody does."""
    told = "; ".join(host.network.told)
    return (f"packages come from where the host gets them: {told}",) if told else ()


def _mounts(loaded: Loaded, place: Place, host: HostFacts, faults: Faults) -> tuple[Mount, ...]:
    """Return all mounts, sorted by target; faults go where the caller collects them."""
    spec = loaded.spec
    found = list(mounts(spec, place, faults))
    with faults:
        found += forward.mounts(spec, place, host)
    return tuple(sorted(found))


def _auto_install(loaded: Loaded, catalogue: Catalogue) -> str:
    """Return the shell text that ``install: auto`` stands for, "" where no repository asks for it."""
    if not any(repo.installs_by_itself for repo in loaded.spec.repos):
        return ""
    return install_script(knowledge(catalogue, loaded.spec.purpose.use if loaded.spec.purpose else ""))


def _setup(loaded: Loaded, catalogue: Catalogue, chosen: Chosen) -> tuple[str, ...]:
    """Return the commands by which the purpose sets itself up inside."""
    purpose = loaded.spec.purpose
    return catalogue.get(purpose.use).setup(purpose.params, chosen.candidate.source) if purpose else ()
