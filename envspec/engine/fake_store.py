"""The objects of the fake engine that are not containers' lives: images, networks, volumes, locks, and their verbs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from envspec.engine.fake_build import bases_of, fault_of, full_ref, volumes_of
from envspec.engine.fake_fs import Layer, Node
from envspec.engine.fake_hooks import Hooks
from envspec.engine.fake_world import DEBIAN, Container, FakeRemote, Image, Network, Volume
from envspec.engine.inspect import is_shared
from envspec.engine.machine import Machine
from envspec.engine.objects import (
    LABEL,
    LINE,
    Attachment,
    Build,
    Holder,
    ImageState,
    ImageUse,
    NetworkState,
    Port,
    Proof,
    StoredImage,
    VolumeState,
)
from envspec.errors import EngineCallFailed
from envspec.secrets import Redactor

BUILTIN = ("bridge", "host", "none")
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
"""What Docker takes as the name of an object."""


class Store(Hooks):
    """What the fake engine holds; see :class:`envspec.engine.fake.FakeEngine` for its attributes."""

    def __init__(self, images: Iterable[str] = ()) -> None:
        super().__init__()
        self.registry: dict[str, Mapping[str, str]] = {}
        self.remotes: dict[str, FakeRemote] = {}
        self.binds: dict[str, Layer] = {}
        self.host_objects: dict[str, int] = {}
        self.bind_owner = (1000, 1000)
        self.shelf_files: dict[str, str] = {}
        self.runs_on = Machine()
        self.unseen: set[str] = set()
        self._clock = 0
        self.live: dict[str, Container] = {}
        self._images: dict[str, Image] = {}
        self._refs: dict[str, str] = {}
        self._networks = {self.builtin(name): Network(self.builtin(name), name, {}) for name in BUILTIN}
        self._volumes: dict[str, Volume] = {}
        self._locks: dict[str, Holder] = {}
        self.tokens: set[str] = set()
        self.redactor = Redactor()
        for ref in images:
            self.add_image(ref)

    # ── for tests and the neighbours of this file ────────────────────────────────────────────────────────────────

    def tick(self) -> int:
        """Move the clock on and return it."""
        self._clock += 1
        return self._clock

    def add_image(
        self,
        ref: str,
        labels: Mapping[str, str] | None = None,
        files: Mapping[str, Node] = DEBIAN,
        seed: str = "",
        *,
        volumes: tuple[str, ...] = (),
    ) -> str:
        """Make an image exist under a reference and return its ID; another ``seed`` gives another ID."""
        text = json.dumps([seed or full_ref(ref), sorted((labels or {}).items())])
        digest = hashlib.sha256(text.encode()).hexdigest()
        image = Image(f"sha256:{digest}", dict(labels or {}), files, volumes=volumes)
        self._images[image.id] = image
        self.point(ref, image.id)
        return image.id

    def point(self, ref: str, image_id: str) -> None:
        """Let a reference mean an image.

        Raises:
            EngineCallFailed: There is no such image.
        """
        if image_id not in self._images:
            raise EngineCallFailed(f"No such image: {image_id}")
        self._refs[full_ref(ref)] = image_id

    def container(self, name: str) -> Container:
        """Return a container by ID or name.

        Raises:
            EngineCallFailed: There is none.
        """
        found = self.find(name)
        if found is None:
            raise EngineCallFailed(f"No such container: {name}")
        return found

    def image_of(self, ref: str) -> Image | None:
        """Return the image of a reference or ID, ``None`` when there is none."""
        return self._images.get(self._refs.get(full_ref(ref), ref))

    def of_env(self, env: str) -> tuple[list[Container], list[Network], list[Volume]]:
        """Return what bears an environment's label, sorted by name."""
        label = LABEL + "env"
        return (
            sorted((c for c in self.live.values() if c.labels.get(label) == env), key=lambda c: c.name),
            sorted((n for n in self._networks.values() if n.labels.get(label) == env), key=lambda n: n.name),
            sorted((v for v in self._volumes.values() if v.labels.get(label) == env), key=lambda v: v.name),
        )

    def find(self, name: str) -> Container | None:
        """Return a container by ID or name, ``None`` when there is none."""
        return self.live.get(name) or next((c for c in self.live.values() if c.name == name), None)

    def called(self, container_id: str) -> str:
        """Return the name of a container, or its ID when it is gone."""
        found = self.find(container_id)
        return found.name if found else container_id

    def new_id(self) -> str:
        """Return an ID that nothing bears yet."""
        return hashlib.sha256(str(self.tick()).encode()).hexdigest()

    def check_name(self, name: str) -> None:
        """Refuse a container name that is no name, or taken."""
        if not NAME.fullmatch(name):
            raise EngineCallFailed(f"Invalid container name ({name})")
        if any(c.name == name for c in self.live.values()):
            raise EngineCallFailed(f"The container name {name} is already in use")

    def images(self, refs: Sequence[str]) -> Mapping[str, ImageState]:
        """Return those of the references, or IDs, that exist."""
        with self._reading():
            found = {ref: self.image_of(ref) for ref in sorted(set(refs))}
        return {
            ref: ImageState(image.id, dict(image.labels), 1, volumes=image.volumes)
            for ref, image in found.items()
            if image
        }

    def stored_images(self) -> tuple[StoredImage, ...]:
        """Return the images that environments share."""
        return self.stored(is_shared)

    def stored(self, wanted: Callable[[Mapping[str, str], Sequence[str]], bool]) -> tuple[StoredImage, ...]:
        """Return images that we made; time is the number of a container, or 0 for an image."""
        with self._reading():
            order = {box: number for number, box in enumerate(self.live, 1)}
            found = []
            for image in self._images.values():
                refs = tuple(sorted(ref for ref, identity in self._refs.items() if identity == image.id))
                uses = (ImageUse(order[c.id], c.name) for c in self.live.values() if c.image_id == image.id)
                if wanted(image.labels, refs):
                    labels, used = dict(image.labels), tuple(sorted(uses))
                    found.append(StoredImage(image.id, refs, labels, 1, 0, used, image.marked))
            return tuple(sorted(found, key=lambda stored: stored.refs))

    def networks(self) -> tuple[NetworkState, ...]:
        """Return all networks, the engine's own three among them, sorted by name, then ID."""
        with self._reading():
            found = sorted(self._networks.values(), key=lambda network: (network.name, network.id))
            driver = {"host": "host", "none": "null"}
            return tuple(
                NetworkState(n.id, n.name, driver.get(n.name, "bridge"), dict(n.labels), n.internal) for n in found
            )

    def network_users(self, network_id: str) -> tuple[str, ...]:
        """Return the names of the containers that are attached to a network, sorted."""
        with self._reading():
            found = (c.name for c in self.live.values() for a in c.networks.values() if a.network_id == network_id)
            return tuple(sorted(found))

    def publishers(self) -> Mapping[str, tuple[Port, ...]]:
        """Return the ports of the host that running containers hold, by the container's name."""
        with self._reading():
            return {c.name: c.published for c in self.live.values() if c.status == "running"}

    def volumes(self) -> tuple[VolumeState, ...]:
        """Return all volumes, sorted by name."""
        with self._reading():
            return tuple(VolumeState(v.name, "local", dict(v.labels)) for _, v in sorted(self._volumes.items()))

    # ── networks and volumes ─────────────────────────────────────────────────────────────────────────────────────

    def connect(self, network_id: str, container_id: str, aliases: Sequence[str]) -> None:
        """Attach a container to a network; one that does not run may be attached again, with other aliases."""
        with self._changing("connect", self._network_name(network_id), self.called(container_id)):
            network = self._network(network_id)
            found = self.container(container_id)
            if not {"host", "none"}.isdisjoint((*found.networks, network.name)):
                raise EngineCallFailed("container cannot be connected to multiple networks with one of them private")
            if found.active and network.name in found.networks:
                raise EngineCallFailed(f"endpoint with name {found.name} already exists in network {network.name}")
            if network.name == "bridge" and aliases:
                raise EngineCallFailed("network-scoped alias is supported only for containers in user defined networks")
            found.networks[network.name] = Attachment(network.name, network.id, tuple(sorted(set(aliases))))

    def disconnect(self, network_id: str, container_id: str) -> None:
        """Detach a container from a network."""
        with self._changing("disconnect", self._network_name(network_id), self.called(container_id)):
            network = self._network(network_id)
            found = self.container(container_id)
            if network.name == "host":
                raise EngineCallFailed("container cannot be disconnected from host network")
            if network.name not in found.networks:
                raise EngineCallFailed(f"container {found.name} is not connected to the network {network.name}")
            del found.networks[network.name]

    def create_network(self, name: str, labels: Mapping[str, str], *, internal: bool = False) -> str:
        """Create a network; a second one of a name comes only of a race, see ``tamper.race_network``."""
        with self._changing("create_network", name):
            taken = {*BUILTIN, *(network.name for network in self._networks.values())}
            if name in taken or not NAME.fullmatch(name):
                raise EngineCallFailed(f"network with name {name} cannot be made")
            return self.add_network(name, labels, internal=internal)

    def add_network(self, name: str, labels: Mapping[str, str], *, internal: bool = False) -> str:
        """Make a network exist, whatever others bear its name, and return its ID."""
        made = Network(self.new_id(), name, dict(labels), internal)
        self._networks[made.id] = made
        return made.id

    def remove_network(self, network_id: str) -> None:
        """Remove a network; containers that do not run do not hold it, as on Docker."""
        with self._changing("remove_network", self._network_name(network_id)):
            network = self._networks.get(network_id)
            if network is None:
                return
            if network.name in BUILTIN:
                raise EngineCallFailed(f"{network.name} is a pre-defined network and cannot be removed")
            if any(c.active and a.network_id == network_id for c in self.live.values() for a in c.networks.values()):
                raise EngineCallFailed(f"network {network.name} has active endpoints")
            del self._networks[network_id]

    def _network_name(self, network_id: str) -> str:
        network = self._networks.get(network_id)
        return network.name if network else network_id

    def _network(self, network_id: str) -> Network:
        network = self._networks.get(network_id)
        if network is None:
            raise EngineCallFailed(f"No such network: {network_id}")
        return network

    def builtin(self, name: str) -> str:
        """Return the ID of one of the engine's own networks."""
        return f"{BUILTIN.index(name):064x}"

    def network_exists(self, network_id: str) -> bool:
        """Whether there is a network of an ID."""
        return network_id in self._networks

    def create_volume(
        self, name: str, labels: Mapping[str, str], *, driver: str = "local", options: Mapping[str, str] | None = None
    ) -> None:
        """Create a volume; one that exists is kept as it is, whatever its labels. What it is made of is not played."""
        with self._changing("create_volume", name):
            if not NAME.fullmatch(name):
                raise EngineCallFailed(f"create {name}: invalid characters for a local volume name")
            if driver != "local" and not options:
                raise EngineCallFailed(f"create {name}: no volume driver {driver}")
            self._volumes.setdefault(name, Volume(name, dict(labels)))

    def volume_layer(self, name: str) -> Layer:
        """Return the files of a volume, which is made without labels when it does not exist."""
        return self._volumes.setdefault(name, Volume(name, {})).layer

    def uses_volume(self, name: str) -> bool:
        """Whether a container, running or not, uses a volume."""
        mounts = (m for c in self.live.values() for m in (*c.config.mounts, *c.anonymous))
        return any(m.type == "volume" and m.source == name for m in mounts)

    def remove_volume(self, name: str) -> None:
        """Remove a volume."""
        with self._changing("remove_volume", name):
            if self.uses_volume(name):
                raise EngineCallFailed(f"remove {name}: volume is in use")
            self._volumes.pop(name, None)

    # ── images ───────────────────────────────────────────────────────────────────────────────────────────────────

    def pull(self, ref: str, on_line: LINE | None = None, *, origin: str = "") -> None:
        """Pull an image that :attr:`registry` has."""
        with self._changing("pull", ref):
            asked = origin or ref
            if asked not in self.registry:
                raise EngineCallFailed(f"manifest for {asked} not found")
            self.add_image(ref, self.registry[asked], seed="registry")
        if on_line is not None:
            on_line(f"pulled {ref}")

    def bootstrap(
        self,
        recipe: str,
        ref: str,
        labels: Mapping[str, str],
        on_line: LINE | None = None,
        *,
        sources: bytes = b"",  # noqa: ARG002 - the protocol's
    ) -> None:
        """Make a base image; every time another ID, for no two are the same byte for byte."""
        with self._changing("bootstrap", recipe, ref):
            if recipe != "debian-13":
                raise EngineCallFailed(f"no recipe {recipe}")
            self.add_image(ref, labels, seed=self.new_id())
        if on_line is not None:
            on_line(f"bootstrapped {ref}")

    def build(self, build: Build, on_line: LINE | None = None) -> None:
        """Build an image: the same Dockerfile, base and labels give the same ID, as from a cache."""
        with self._changing("build", build.tag):
            fault = fault_of(build.dockerfile)
            if fault:
                raise EngineCallFailed(fault)
            image = [self._base(ref) for ref in bases_of(build.dockerfile)][-1]
            seed = json.dumps([build.dockerfile, image.id, self.new_id() if build.no_cache else ""])
            volumes = tuple(sorted({*image.volumes, *volumes_of(build.dockerfile)}))
            self.add_image(build.tag, {**image.labels, **build.labels}, image.files, seed, volumes=volumes)
        if on_line is not None:
            on_line(f"built {build.tag}")

    def _base(self, ref: str) -> Image:
        image = Image("scratch", {}, {}) if ref == "scratch" else self.image_of(ref)
        if image is None:
            raise EngineCallFailed(f"{ref}: not found")
        return image

    def tag(self, image_id: str, ref: str) -> None:
        """Give an image one more reference."""
        with self._changing("tag", ref):
            self.point(ref, image_id)

    def mark_used(self, refs: Sequence[str]) -> None:
        """Note that images are in use now."""
        with self._mutating("mark_used", *refs) as fail:
            found = [] if fail else [image for ref in refs if (image := self.image_of(ref))]
            for image in found:
                image.marked = self.tick()

    def release_images(self) -> None:
        """Do nothing: an image stays here as long as a container runs it."""

    def remove_image(self, ref: str) -> None:
        """Remove a reference, and the image with its last one unless a container runs it."""
        with self._changing("remove_image", ref):
            image = self.image_of(ref)
            if image is None:
                return
            tags = [tag for tag, identity in self._refs.items() if identity == image.id]
            named = [full_ref(ref)] if full_ref(ref) in tags else tags
            if len(named) > 1:
                raise EngineCallFailed(f"image {ref} is referenced in multiple repositories")
            if len(tags) <= 1 and any(c.image_id == image.id for c in self.live.values()):
                raise EngineCallFailed(f"a container is using its referenced image {ref}")
            for tag in named:
                del self._refs[tag]
            if len(tags) <= 1:
                del self._images[image.id]

    # ── the mutex of an environment ──────────────────────────────────────────────────────────────────────────────

    def lock(self, env: str, owner: str, notes: Mapping[str, str] | None = None) -> bool:
        """Take an environment's mutex and say whether it was free; it is held until this client crashes."""
        with self._changing("lock", env):
            free = env not in self._locks
            self._locks.setdefault(env, Holder(owner, Proof.LIVES, dict(notes or {})))
            return free

    def lock_is_held(self, env: str) -> bool:
        """Whether anybody holds an environment's mutex."""
        return env in self._locks

    def locked_envs(self) -> tuple[str, ...]:
        """Return the environments whose mutex is held, sorted."""
        return tuple(sorted(self._locks))

    def lock_holder(self, env: str) -> Holder | None:
        """Return who holds an environment's mutex."""
        with self._reading():
            return self._locks.get(env)

    def unlock(self, env: str, owner: str = "") -> None:
        """Give an environment's mutex back, unless somebody else holds it."""
        with self._changing("unlock", env, regardless=True):
            if env in self._locks and owner in ("", self._locks[env].owner):
                del self._locks[env]

    def break_lock(self, env: str, owner: str) -> None:
        """Remove the mutex of a holder that died."""
        with self._changing("break_lock", env):
            holder = self._locks.get(env)
            if holder and holder.owner == owner and holder.proof is not Proof.LIVES:
                del self._locks[env]

    def revive(self) -> None:
        """Let a new client come after a crash; the engine sees that whoever held a mutex died with the old one."""
        if self.crashed:
            self.end_holders()
        super().revive()

    def end_holders(self) -> None:
        """Let everybody who holds a mutex have died."""
        self._locks = {env: replace(holder, proof=Proof.DIED) for env, holder in self._locks.items()}
