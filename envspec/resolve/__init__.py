"""From the author's words to everything that shall be, with no default left open."""

from __future__ import annotations

import os
from pathlib import Path

from envspec.host import HostFacts
from envspec.kinds import names
from envspec.kinds.network import NetworkSpec
from envspec.kinds.volume import VolumeSpec
from envspec.model import Desired, Resource
from envspec.purposes import Catalogue
from envspec.resolve.box import Place, container, mounts
from envspec.resolve.inner import Inner, resources
from envspec.resolve.source import Candidate, Chosen, base_image, candidates, choose
from envspec.resolve.user import identify
from envspec.spec.load import Loaded

__all__ = ["Candidate", "Chosen", "candidates", "choose", "place_of", "resolve"]


def place_of(loaded: Loaded, catalogue: Catalogue) -> Place:
    """Return where a spec lies, and whether its directory is the workspace."""
    spec = loaded.spec
    bound = spec.mount_cwd
    if bound is None:
        bound = catalogue.get(spec.purpose.use).matter.mount_cwd if spec.purpose else True
    assert spec.name is not None
    return Place(spec.name, Path(os.path.realpath(loaded.directory)), bound, loaded.where)


def resolve(loaded: Loaded, host: HostFacts, catalogue: Catalogue, chosen: Chosen) -> Desired:
    """Return everything that the environment must be.

    Args:
        loaded: The spec and where it lies.
        host: Facts of the host.
        catalogue: The purposes in reach.
        chosen: Where the image comes from.

    Raises:
        SpecError: Something that the spec names cannot be had: a mount, a source, a local repository.
    """
    spec = loaded.spec
    place = place_of(loaded, catalogue)
    who = identify(spec.user, host)
    mounted = mounts(spec, place)
    outer = [Resource("base_image.workspace", "base_image", base_image(chosen))]
    built = chosen.candidate.image
    if built:
        outer.append(Resource("image.workspace", "image", built, ("base_image.workspace",)))
    outer += [Resource(f"network.{name}", "network", NetworkSpec(name)) for name in sorted(spec.networks)]
    for mount in sorted(mounted, key=lambda m: m.source):
        if mount.type == "volume":
            address = f"volume.{mount.source.removeprefix(place.env + '-')}"
            outer.append(Resource(address, "volume", VolumeSpec(mount.source, mount.target)))
    ref = built.ref if built else chosen.candidate.base
    box = container(spec, place, who, mounted, (ref, built))
    outer.append(Resource(names.WORKSPACE, "container", box, tuple(r.address for r in outer)))
    inner = resources(Inner(spec, place, who, mounted, host))
    origin = f"{host.hostname}:{os.path.realpath(loaded.path)}" if loaded.path else ""
    notes = tuple(note for note in (chosen.note, who.why) if note)
    return Desired(place.env, (*outer, *inner), origin, notes)
