"""What exists on the fake engine: containers, images, networks, volumes, and the git remotes it can reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from envspec.engine.fake_fs import Layer, Node, Place, State, Tree, directory
from envspec.engine.objects import Attachment, ContainerConfig, ContainerState, Mount, Port

PASSWD = (
    b"root:x:0:0:root:/root:/bin/bash\n"
    b"daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
    b"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
)
GROUP = b"root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n"

DEBIAN: Mapping[str, Node] = MappingProxyType(
    {path: directory() for path in ("/", "/etc", "/home", "/opt", "/run", "/srv", "/usr", "/usr/local", "/var")}
    | {path: directory() for path in ("/usr/local/bin", "/var/cache", "/var/lib", "/var/log")}
    | {"/tmp": directory(0o1777), "/var/tmp": directory(0o1777), "/root": directory(0o700)}
    | {"/root/.bashrc": Node(content=b"# bash\n"), "/root/.profile": Node(content=b"# sh\n")}
    | {"/etc/passwd": Node(content=PASSWD), "/etc/group": Node(content=GROUP)}
    | {"/etc/hostname": Node(content=b"debian\n"), "/etc/motd": Node(content=b"welcome\n")}
)
"""The files of every image of the fake, unless it was given others."""


@dataclass(frozen=True, slots=True)
class FakeRemote:
    """A git repository that the fake engine's containers can clone.

    Attributes:
        branches: Commits of every branch, first to last; a commit's parent is the one before it.
        tags: Commit of every tag.
        default: Branch that a clone checks out.
        files: What each commit has beside a ``README.md`` of its own: contents by path.
    """

    branches: Mapping[str, list[str]]
    tags: Mapping[str, str] = field(default_factory=dict)
    default: str = "main"
    files: Mapping[str, bytes] = field(default_factory=dict)

    def parents(self) -> dict[str, str]:
        """Return the parent of every commit, "" for a first one."""
        found: dict[str, str] = {}
        for commits in self.branches.values():
            for before, commit in zip(["", *commits], commits, strict=False):
                found.setdefault(commit, before)
        return found


@dataclass(slots=True)
class Image:
    """A local image: its ID, labels, files, what its ledger holds, its last use, and the paths of its volumes."""

    id: str
    labels: Mapping[str, str]
    files: Mapping[str, Node]
    state: State = field(default_factory=State)
    marked: int = 0
    volumes: tuple[str, ...] = ()


@dataclass(slots=True)
class Network:
    """A network."""

    id: str
    name: str
    labels: Mapping[str, str]
    internal: bool = False


@dataclass(slots=True)
class Volume:
    """A named volume and its files."""

    name: str
    labels: Mapping[str, str]
    layer: Layer = field(default_factory=lambda: Layer(root=directory()))


@dataclass(slots=True)
class Container:
    """A container.

    Attributes:
        id: Full ID.
        name: Name.
        image_id: Image that it runs.
        labels: Its labels, for good.
        config: What it is set to.
        layer: Its own files.
        mounted: Volumes and binds.
        anonymous: Those of the volumes that nobody named.
        taken: Names of the volumes that it was created with.
        status: As :class:`ContainerState` has it.
        exit_code: Exit code of the main process.
        networks: ID, name and aliases of each attachment, by name.
        published: Ports as bound now.
        tmpfs: Contents of the tmpfs mounts, by target; emptied by a stop.
        check: What its health check comes to while it runs; "" where it has none.
        jobs: IDs of the background jobs that run in it; a stop ends them.
        bound: Which of the objects that lay at the source of each bind, one after another, it was started with.
    """

    id: str
    name: str
    image_id: str
    labels: Mapping[str, str]
    config: ContainerConfig
    layer: Layer
    mounted: tuple[Place, ...]
    anonymous: tuple[Mount, ...] = ()
    taken: frozenset[str] = frozenset()
    status: str = "created"
    exit_code: int = 0
    networks: dict[str, Attachment] = field(default_factory=dict)
    published: tuple[Port, ...] = ()
    tmpfs: dict[str, Layer] = field(default_factory=dict)
    check: str = ""
    jobs: set[str] = field(default_factory=set)
    bound: dict[str, int] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether its main process lives, paused or not."""
        return self.status in ("running", "paused")

    @property
    def tree(self) -> Tree:
        """Return what its processes see."""
        root = Place("/", self.layer, self.config.read_only)
        return Tree((root, *self.mounted, *(Place(target, layer) for target, layer in self.tmpfs.items())))

    def describe(self) -> ContainerState:
        """Return it as the engine describes it."""
        return ContainerState(
            id=self.id,
            name=self.name,
            status=self.status,
            image_id=self.image_id,
            labels=dict(self.labels),
            config=self.config,
            networks=tuple(self.networks[name] for name in sorted(self.networks) if name not in ("none", "host")),
            published=self.published if self.status == "running" else (),
            exit_code=self.exit_code,
            health=self.check if self.status == "running" else "",
            anonymous=self.anonymous,
            cut_off=self.status == "running" and not self.networks,
        )

    def boot(self, published: tuple[Port, ...]) -> None:
        """Let it run with its ports bound and its tmpfs empty."""
        self.status, self.exit_code, self.published = "running", 0, published
        self.tmpfs = {target: Layer(root=directory(0o1777)) for target in self.config.tmpfs}

    def halt(self, exit_code: int = 137) -> None:
        """Let its main process be gone, and with it what the tmpfs held."""
        self.status, self.exit_code, self.published, self.tmpfs = "exited", exit_code, (), {}
        self.jobs = set()
