"""An engine in memory that keeps the contract of :mod:`envspec.engine.base` and refuses what Docker refuses.

It exists so that the laws of plan and apply can be tried on thousands of histories. The tests in ``tests/engine``
hold it to what a real Docker does; where the two differ, this one is wrong. What tests may do to it beyond the
protocol is in :mod:`envspec.engine.fake_hooks`; the little language of its commands in
:mod:`envspec.engine.fake_command`.

    engine = FakeEngine(images=("debian:13",))
    engine.remotes["https://git.example/app"] = FakeRemote({"main": [first, second]})
    engine.crash_before = 3          # Crashed before the third mutating call from here; then engine.revive()
    engine.tamper.write_file("shop-workspace", "/etc/app.conf", "by hand")
    engine.canonical("shop")         # a JSON value, equal for equal environments
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from envspec.engine.base import Inquiry
from envspec.engine.capabilities import Version, Versions
from envspec.engine.facts import Answer, Questions
from envspec.engine.fake_archive import Archives
from envspec.engine.fake_canonical import canonical
from envspec.engine.fake_compose import Service, resolved, unset, variables
from envspec.engine.fake_fs import Layer, Place, directory
from envspec.engine.fake_hooks import Tamper
from envspec.engine.fake_inside import Inside, perform, subjects
from envspec.engine.fake_probe import FakeInquiry, answer
from envspec.engine.fake_store import BUILTIN
from envspec.engine.fake_world import Container, Image
from envspec.engine.inspect import ANONYMOUS
from envspec.engine.machine import Machine
from envspec.engine.objects import (
    LABEL,
    LINE,
    LOCK_PREFIX,
    UNLIMITED,
    Attachment,
    ContainerConfig,
    ContainerState,
    Limits,
    Mount,
    Port,
)
from envspec.engine.operations import Completed, Operation, ReadEnvironment, ReadState
from envspec.engine.stack import ComposeConfig, ComposeSource, ComposeUp
from envspec.engine.usage import Usage
from envspec.errors import EngineCallFailed
from envspec.model import Hidden, type_json

MINIMUM_MEMORY = 6 << 20
"""Docker refuses a smaller memory limit."""


class FakeEngine(Archives):
    """A Docker that is not there.

    Args:
        images: References of images that exist from the start, all with the files of a small Debian.

    Attributes:
        registry: Images that can be pulled: their labels by reference. Empty, so that every pull fails.
        remotes: Git repositories that containers can clone, by URL.
        binds: Files of host directories that were bound, by host path; every host path exists.
        host_objects: How often what lies at a host path was replaced by something else, the same within.
        bind_owner: Owner of host directories that are bound for the first time.
        shelf_files: What services bind from memory, by ``ENV/SERVICE/NAME``.
        runs_on: The machine that it plays to run on.
        unseen: Paths of this host that are not seen from there.
        tamper: Changes made by hand.
        version: The version that it claims to be.
    """

    def __init__(self, images: Iterable[str] = ()) -> None:
        super().__init__(images)
        self.tamper = Tamper(self)
        self.version: Version = (20, 10, 24)

    def canonical(self, env: str) -> type_json:
        """Return an environment's state without what is only history: :mod:`envspec.engine.fake_canonical`."""
        with self.mutex:
            return canonical(self, env)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def command(self) -> tuple[str, ...]:
        """Return ``docker``."""
        return ("docker",)

    @property
    def remote(self) -> str:
        """Return "": it sees the host's files as well as anything."""
        return ""

    @property
    def rootless(self) -> bool:
        """Return that it runs as root, as far as anything that is not there does."""
        return False

    @property
    def alias(self) -> str:
        """Return "": it goes by its own name."""
        return ""

    @property
    def name(self) -> str:
        """Return ``docker``, which this one plays."""
        return "docker"

    def machine(self) -> Machine:
        """Return where it plays to run."""
        return self.runs_on

    def sees(self, paths: Sequence[str]) -> Mapping[str, bool]:
        """Say which paths it sees; one of this host need not be asked, and without an image none can be."""
        if self.runs_on.here:
            return dict.fromkeys(paths, True)
        with self._reading():
            return {path: path not in self.unseen for path in (paths if self._images else ())}

    def containers(self, env: str = "", names: Sequence[str] = ()) -> tuple[ContainerState, ...]:
        """Return the containers of an environment, or of all, and those that bear the names, sorted by name."""
        with self._reading():
            label = LABEL + "env"
            found = [
                c.describe()
                for c in self.live.values()
                if c.name in names or (c.labels.get(label) == env if env else label in c.labels)
            ]
            held = (f"{LOCK_PREFIX}{env}" for env in self.locked_envs())
            found += [ContainerState(n, n, "created", "", {}, ContainerConfig("lock")) for n in held if n in names]
        return tuple(sorted(found, key=lambda state: state.name))

    def probe(self, container_id: str, questions: Questions) -> Answer:
        """Answer questions about the inside of a running container."""
        with self._reading():
            return answer(self._entered(container_id), questions)

    def inquire(self, container_id: str) -> Inquiry:
        """Return what answers once it is asked; to get inside takes no time here."""
        return FakeInquiry(lambda questions: self.probe(container_id, questions))

    def hide(self, text: str) -> None:
        """Mask a secret in all that operations print from now on."""
        self.redactor.add(text)

    def replaced_binds(self, containers: Sequence[ContainerState]) -> Mapping[str, tuple[str, ...]]:
        """Return the binds whose source was replaced on the host since the container started."""
        with self._reading():
            boxes = [box for found in containers if (box := self.find(found.id)) and box.active]
            stale = {
                box.id: tuple(m.target for m in box.config.mounts if self._is_replaced(box, m.source)) for box in boxes
            }
        return {id: targets for id, targets in stale.items() if targets}

    def _is_replaced(self, box: Container, source: str) -> bool:
        return box.bound.get(source, 0) != self.host_objects.get(source, 0)

    def usage(self, container_ids: Sequence[str]) -> Mapping[str, Usage]:
        """Return a little for every container that runs."""
        with self._reading():
            found = [self.find(container_id) for container_id in container_ids]
        return {box.id: Usage(box.id, 0.0, 1 << 20, 1 << 30, 1) for box in found if box and box.status == "running"}

    def logs(self, container_id: str, lines: int) -> str:
        """Return a line that says which container it is; nothing here prints more."""
        with self._reading():
            found = self.find(container_id)
        return f"log of {found.name}" if found and lines else ""

    def compose_config(self, source: ComposeSource) -> ComposeConfig:
        """Resolve the part of Compose's language that the tests speak; the real one is not asked."""
        with self._reading():
            return ComposeConfig(resolved(source), unset(source))

    def compose_variables(self, files: Sequence[bytes]) -> Mapping[str, str]:
        """Read the part of Compose's files of variables that the tests write."""
        with self._reading():
            return variables(files)

    def versions(self) -> Versions:
        """Return those of the oldest Docker that is supported, unless a fault of a newer one was played."""
        return Versions(self.version, (2, 26, 1))

    def shelf(self, env: str) -> str:
        """Return where the engine's host would keep them."""
        return f"/dev/shm/envspec-0/{env}"

    def shelved(self, env: str) -> Mapping[str, Hidden]:
        """Return what lies on the shelf of an environment, by ``SERVICE/NAME``."""
        with self.mutex:
            self._enter()
            own = sorted(key for key in self.shelf_files if key.startswith(f"{env}/"))
            return {key.removeprefix(f"{env}/"): Hidden(self.shelf_files[key]) for key in own}

    def shelve(self, env: str, service: str, files: Mapping[str, Hidden]) -> None:
        """Let the shelf hold these files of a service, by name, and no others."""
        with self._changing("shelve", env, service):
            own = f"{env}/{service}/"
            kept = {key: text for key, text in self.shelf_files.items() if not key.startswith(own)}
            self.shelf_files = {**kept, **{f"{own}{name}": content.text for name, content in files.items()}}

    def end_orphans(self, env: str) -> None:
        """Do nothing: whoever is killed here leaves no process behind."""

    def compose_up(self, up: ComposeUp, on_line: LINE | None = None) -> None:
        """Make a service run, in Compose's steps: create beside the old one, remove that, rename, start."""
        wish = Service(up)
        if up.build:
            with self._changing("compose_build", wish.config.image):
                wish.build(self)
        there = [c for c in self.live.values() if wish.owns(c)]
        current = next((c for c in there if c.name == wish.name), None)
        if current is None or up.recreate:
            label = f"{self.tick():012x}_{wish.name}" if current else wish.name
            with self._changing("compose_create", wish.name):
                made = self.make(label, self._inheriting(wish.config, current), wish.labels)
                made.check = wish.check
                made.networks.update(wish.attachments(self))
            if current is not None:
                with self._changing("compose_remove", wish.name):
                    del self.live[current.id]  # its volumes stay, as those that Compose leaves behind do
                with self._changing("compose_rename", wish.name):
                    made.name = wish.name
            current = made
        with self._changing("compose_start", wish.name):
            if not current.active:
                self.boot(current)
        if on_line is not None:
            on_line(f"Container {wish.name}  Started")

    def _inheriting(self, config: ContainerConfig, current: Container | None) -> ContainerConfig:
        """Return a service's configuration with the unnamed volumes that Compose takes over from its container."""
        image = self.image_of(config.image)
        if current is None or image is None:
            return config
        named = {mount.target for mount in config.mounts if mount.source}
        asked = {mount.target for mount in config.mounts if not mount.source} | {*image.volumes} - named
        taken = [mount for mount in current.anonymous if mount.target in asked]
        places = {mount.target for mount in taken}
        kept = [mount for mount in config.mounts if mount.target not in places]
        return replace(config, mounts=tuple(sorted((*kept, *taken))))

    # ── containers ───────────────────────────────────────────────────────────────────────────────────────────────

    def create_container(self, name: str, config: ContainerConfig, labels: Mapping[str, str]) -> str:
        """Create a container; what the image is labelled with it is labelled with too, as on Docker."""
        with self._changing("create_container", name):
            if config.network not in BUILTIN:
                raise EngineCallFailed(f"network {config.network} not found")
            made = self.make(name, config, labels)
            made.networks[config.network] = Attachment(config.network, self.builtin(config.network))
            return made.id

    def make(self, name: str, config: ContainerConfig, labels: Mapping[str, str]) -> Container:
        """Make a container exist that is on no network yet.

        Raises:
            EngineCallFailed: The name is taken or none, there is no such image, or memory is too little.
        """
        image = self.image_of(config.image)
        self.check_name(name)
        if image is None:
            raise EngineCallFailed(f"No such image: {config.image}")
        if config.memory is not None and config.memory < MINIMUM_MEMORY:
            raise EngineCallFailed("Minimum memory limit allowed is 6MB")
        given = config
        anonymous, config = self._volumes_beside(given, image)
        made = Container(
            id=self.new_id(),
            name=name,
            image_id=image.id,
            labels={**image.labels, **labels},
            config=config,
            layer=Layer(image.files),
            mounted=tuple(self._mount((*config.mounts, *anonymous), image)),
            anonymous=anonymous,
            taken=frozenset(mount.source for mount in given.mounts),
        )
        made.layer.state = copy.deepcopy(image.state)
        for path in (config.workdir, *config.tmpfs, *(place.target for place in made.mounted)):
            self._make_point(made, path)
        self.live[made.id] = made
        return made

    def _make_point(self, container: Container, path: str) -> None:
        """Make the directories that the engine makes for mounts and the working directory."""
        here = "/"
        for part in path.strip("/").split("/"):
            here = f"{here.rstrip('/')}/{part}"
            if container.layer.get(here) is None:
                container.layer.put(here, directory())

    def _volumes_beside(self, config: ContainerConfig, image: Image) -> tuple[tuple[Mount, ...], ContainerConfig]:
        """Return the volumes that nobody named, new ones and those taken over, and the configuration without them."""
        taken = tuple(mount for mount in config.mounts if ANONYMOUS.fullmatch(mount.source))
        named = tuple(mount for mount in config.mounts if mount not in taken and mount.source)
        asked = {mount.target for mount in config.mounts if not mount.source} | {*image.volumes}
        new = asked - {mount.target for mount in (*taken, *named)} - {*config.tmpfs}
        made = (Mount(path, "volume", self.new_id()) for path in sorted(new))
        return tuple(sorted((*taken, *made))), replace(config, env=dict(config.env), mounts=named)

    def _mount(self, mounts: Iterable[Mount], image: Image) -> Iterable[Place]:
        for mount in mounts:
            if mount.type == "bind":
                root = directory(0o755, *self.bind_owner)
                layer = self.binds.setdefault(mount.source, Layer(root=root))
            else:
                layer = self.volume_layer(mount.source)
                self._populate(layer, mount.target, image)
            yield Place(mount.target, layer, mount.read_only)

    @staticmethod
    def _populate(layer: Layer, target: str, image: Image) -> None:
        """Fill an empty volume with what the image has at its place, as Docker does."""
        if len(layer.upper) > 1:
            return
        for path, node in image.files.items():
            if path == target or path.startswith(target + "/"):
                layer.put(path[len(target) :] or "/", node)

    def start(self, container_id: str) -> None:
        """Start a container."""
        with self._changing("start", self.called(container_id)):
            found = self.container(container_id)
            if found.status == "paused":
                raise EngineCallFailed("cannot start a paused container, try unpause instead")
            if found.status != "running":
                self.boot(found)

    def boot(self, container: Container) -> None:
        """Start a stopped container.

        Raises:
            EngineCallFailed: A network that it is attached to is gone, or a host port is taken; its exit code is 128
                then.
        """
        gone = [a.network for a in container.networks.values() if not self.network_exists(a.network_id)]
        config = container.config
        wanted = config.ports if "none" not in container.networks and config.network != "host" else ()
        taken = {(p.host, p.protocol): p.address for c in self.live.values() for p in c.published}
        bound: list[Port] = []
        for port in wanted:
            address = taken.get((port.host, port.protocol))
            if address is not None and (address == port.address or "0.0.0.0" in (address, port.address)):
                container.exit_code = 128
                raise EngineCallFailed(f"Bind for {port.address}:{port.host} failed: port is already allocated")
            bound.append(replace(port, host=port.host or 49152 + self.tick() % 16384))
        if gone:
            container.exit_code = 128
            raise EngineCallFailed(f"network {gone[0]} not found")
        container.boot(tuple(sorted(bound)))
        container.bound = {m.source: self.host_objects.get(m.source, 0) for m in config.mounts if m.type == "bind"}
        if container.config.command in (("true",), ("false",)):
            container.halt(int(container.config.command == ("false",)))

    def stop(self, container_id: str, grace: int = 5) -> None:  # noqa: ARG002 -- the protocol's; nobody here resists
        """Stop a container."""
        with self._changing("stop", self.called(container_id)):
            found = self.container(container_id)
            if found.active:
                found.halt()

    def unpause(self, container_id: str) -> None:
        """Let a paused container go on."""
        with self._changing("unpause", self.called(container_id)):
            found = self.container(container_id)
            if found.status != "paused":
                raise EngineCallFailed(f"Container {found.name} is not paused")
            found.status = "running"

    def remove_container(self, container_id: str, *, borrows: bool = False) -> None:
        """Kill and remove a container, and those of its anonymous volumes that no other container uses."""
        with self._changing("remove_container", self.called(container_id)):
            found = self.find(container_id)
            if found is not None:
                self.forget(found, borrows=borrows)

    def forget(self, container: Container, *, borrows: bool = False) -> None:
        """Let a container be gone, with those of its volumes that nobody named and no other container uses."""
        del self.live[container.id]
        for mount in container.anonymous:
            if not self.uses_volume(mount.source) and not (borrows and mount.source in container.taken):
                self._volumes.pop(mount.source, None)

    def check_health(self, container_id: str) -> None:
        """Do nothing: it is Docker that this one is like."""

    def rename(self, container_id: str, name: str) -> None:
        """Give a container a new name."""
        with self._changing("rename", self.called(container_id), name):
            found = self.container(container_id)
            self.check_name(name)
            found.name = name

    def update(self, container_id: str, limits: Limits) -> None:
        """Set limits in place."""
        with self._changing("update", self.called(container_id)):
            self.set_limits(self.container(container_id), limits)

    def set_limits(self, container: Container, limits: Limits) -> None:
        """Set limits; 0 takes none away, and nobody says so, as on Docker.

        Raises:
            EngineCallFailed: None was given, or memory is too little.
        """
        given = {each.name: getattr(limits, each.name) for each in fields(limits)}
        if all(value is None for value in given.values()):
            raise EngineCallFailed("you must provide one or more flags when using this command")
        if limits.memory and limits.memory < MINIMUM_MEMORY:
            raise EngineCallFailed("Minimum memory limit allowed is 6MB")
        kept: dict[str, Any] = {key: value for key, value in given.items() if value}
        if limits.pids == UNLIMITED:
            kept["pids"] = None
        if limits.memory:
            kept["swap"] = limits.swap or None
        if limits.restart:
            kept["restart"], _, retries = limits.restart.partition(":")
            kept["retries"] = int(retries) if retries else None
        container.config = replace(container.config, **kept)

    def perform(
        self, container_id: str, operation: Operation, *, deadline: float = 60.0, on_line: LINE | None = None
    ) -> Completed:
        """Do an operation inside a running container."""
        kind = type(operation).__name__
        with self._mutating("perform", self.called(container_id), kind, *subjects(operation)) as fail:
            container = self._entered(container_id)
            if fail:
                return Completed(1, stderr=b"made to fail")
            tick = self.tick()
            inside = Inside(container, container.tree, tick, self.remotes, self.tokens, deadline)
            completed = self._masked(operation, perform(inside, operation))
        if on_line is not None:
            for line in (completed.stdout + completed.stderr).decode(errors="replace").splitlines():
                on_line(line)
        return completed

    def _masked(self, operation: Operation, done: Completed) -> Completed:
        """Return what an operation printed without secrets; what is carried from container to container is as it is."""
        if isinstance(operation, ReadState | ReadEnvironment):
            return done
        return Completed(done.code, self.redactor.data(done.stdout), self.redactor.data(done.stderr))

    def _entered(self, container_id: str) -> Container:
        found = self.container(container_id)
        if found.status != "running":
            raise EngineCallFailed(f"Container {found.name} is not running ({found.status})")
        return found
