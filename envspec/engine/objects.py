"""What an engine keeps, as frozen values: containers, images, networks, volumes, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from envspec.engine.facts import RUN_DIR

LABEL = "dev.envspec."
"""Prefix of every label of ours; an object without ``dev.envspec.env`` is never changed or removed."""


LOCK_REPOSITORY = "envspec/lock"
"""Names the images of mutexes."""

LOCK_PREFIX = "envspec-lock-"
"""Name of the container that is an environment's mutex, before the environment's own."""

PAUSES = f"{LABEL}pauses"
"""Label of a mutex: IDs of the containers that its holder pauses for a while, with spaces between them."""

RESTORES = f"{LABEL}restores"
"""Label of a mutex: name of the snapshot that its holder brings back."""


LINE = Callable[[str], None]
"""Takes one line of output of a running operation, without its line break."""


class Proof(Enum):
    """What the engine shows of whether the holder of a mutex lives.

    ``NONE`` is of an engine, or of an earlier version, whose mutex proves nothing.
    """

    LIVES = "lives"
    DIED = "died"
    BEGINS = "begins"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a mutex.

    Attributes:
        owner: As they called themselves.
        proof: What shows whether they live.
        notes: What they noted on it.
    """

    owner: str
    proof: Proof
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Mount:
    """A bind or a volume in a container.

    Attributes:
        target: Absolute path inside.
        type: ``bind`` or ``volume``.
        source: Host path of a bind, name of a volume.
        read_only: Whether it can only be read.
    """

    target: str
    type: str
    source: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A published port.

    Attributes:
        container: Port inside.
        host: Port on the host; 0 in a request means any free one. A range reads as 0 too.
        address: Address of the host that it is bound to.
        protocol: ``tcp`` or ``udp``.
    """

    container: int
    host: int = 0
    address: str = "127.0.0.1"
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """Everything that a container is created with; also what is read back of an existing one.

    Attributes:
        image: Reference of the image.
        command: What PID 1 runs under the init.
        hostname: Name inside.
        user: ``uid:gid`` that commands run as; whoever execs names it. The main process is root's: with
            ``no-new-privileges`` Docker gives root's execs no capability in a container whose own user is another.
        workdir: Directory of the main process and of every exec that names none.
        mounts: Binds and volumes, sorted by target.
        tmpfs: Paths of tmpfs mounts, sorted.
        ports: Published ports, sorted; host 0 where any free one will do.
        network: ``bridge``, ``none`` or ``host``; further networks are connected one by one.
        add_hosts: Extra ``(name, address)`` lines of ``/etc/hosts``, sorted.
        memory: Limit in bytes, or ``None``.
        swap: Bytes of swap beside the memory, ``None`` for none; :data:`UNLIMITED`, or :data:`UNCOUNTED`.
        memory_reservation: Bytes to which it is pushed back where the host has too little, or ``None``.
        kernel_memory: Limit on the kernel's memory in bytes, or ``None``.
        cpu_shares: Weight among containers that want the same processors, or ``None``.
        cpuset_cpus: Processors that it may use, such as ``0-3``, or ``None`` for all.
        cpuset_mems: Memory nodes that it may use, or ``None`` for all.
        cpu_period: Microseconds of the scheduler's period where that is all that was set, or ``None``.
        cpu_rt_period: Microseconds of the real-time scheduler's period, or ``None``.
        cpu_rt_runtime: Microseconds that it may run in one such period, or ``None``.
        blkio_weight: Weight among containers that want the same disk, or ``None``.
        cpus: Limit in processors, or ``None``.
        pids: Limit on processes, or ``None``.
        shm_size: Size of ``/dev/shm`` in bytes, or ``None`` for the engine's default, 64 MiB, which reads back so.
        gpu: Whether all GPUs of the host are given.
        cap_drop: Dropped capabilities without ``CAP_``, sorted.
        cap_add: Added capabilities without ``CAP_``, sorted.
        security_opt: Options such as ``no-new-privileges``, sorted.
        read_only: Whether the root filesystem can only be read.
        privileged: Whether isolation is off.
        restart: Restart policy: ``no`` or ``unless-stopped``.
        retries: How often the policy starts it again, or ``None`` for ever.
        init: Whether the engine's init is PID 1.
        env: Variables set at creation; never a secret, for ``inspect`` shows them.
    """

    image: str
    command: tuple[str, ...] = ("sleep", "infinity")
    hostname: str = ""
    user: str = "0:0"
    workdir: str = "/workspace"
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[str, ...] = (RUN_DIR,)
    ports: tuple[Port, ...] = ()
    network: str = "bridge"
    add_hosts: tuple[tuple[str, str], ...] = ()
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    shm_size: int | None = None
    gpu: bool = False
    cap_drop: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    read_only: bool = False
    privileged: bool = False
    restart: str = "no"
    init: bool = True
    env: Mapping[str, str] = field(default_factory=dict)
    swap: int | None = None
    memory_reservation: int | None = None
    kernel_memory: int | None = None
    cpu_shares: int | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    cpu_period: int | None = None
    cpu_rt_period: int | None = None
    cpu_rt_runtime: int | None = None
    blkio_weight: int | None = None
    retries: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Attachment:
    """A container's place on one network.

    Attributes:
        network: Name of the network.
        network_id: Its ID.
        aliases: Names that were asked for under which others on it reach the container, sorted.
    """

    network: str
    network_id: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container as the engine describes it.

    Attributes:
        id: Full ID.
        name: Name without a leading slash.
        status: ``created``, ``running``, ``paused``, ``restarting``, ``exited`` or ``dead``.
        image_id: ID of the image that it really runs.
        labels: All its labels.
        config: What it is set to now, limits changed since creation included. ``env`` holds all its variables.
        networks: Where it is attached, sorted by name; ``bridge`` among them when it is on the default bridge, never
            ``none`` and ``host``.
        published: Ports as they are bound now, with their real host port; empty unless running.
        exit_code: Exit code of the main process; 0 while it runs.
        health: What its own health check says: ``starting``, ``healthy`` or ``unhealthy``; "" where it has none.
        anonymous: Volumes that nobody named, such as those of an image's ``VOLUME``, by the engine's own names, sorted
            by target: they are no part of ``config`` and go with the container.
        pid: Number of the main process as the engine's host counts, 0 unless it runs.
        cut_off: Whether it runs with a network of its own and no place on any network.
        unread: Fields of the engine's description that could not be read, sorted: what they say reads as absent, so
            such a container is shown and left alone.
    """

    id: str
    name: str
    status: str
    image_id: str
    labels: Mapping[str, str]
    config: ContainerConfig
    networks: tuple[Attachment, ...] = ()
    published: tuple[Port, ...] = ()
    exit_code: int = 0
    health: str = ""
    anonymous: tuple[Mount, ...] = ()
    pid: int = 0
    cut_off: bool = False
    unread: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the inside can be entered."""
        return self.status == "running"

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """All that is mounted: binds and volumes that were asked for, and volumes that nobody named."""
        return tuple(sorted((*self.config.mounts, *self.anonymous)))


@dataclass(frozen=True, slots=True)
class ImageState:
    """A local image.

    Attributes:
        id: Its ID.
        labels: Its labels.
        size: Its size in bytes.
        entrypoint: What it runs by itself, before any command.
        health: Its own health check, as the engine has it: ``CMD-SHELL`` and the text, ``CMD`` and words, or ``NONE``.
        volumes: Paths of its ``VOLUME`` instructions, sorted.
        layers: Directories of its layers on the engine's host, the topmost first, () where the engine tells none.
    """

    id: str
    labels: Mapping[str, str]
    size: int = 0
    entrypoint: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class ImageUse:
    """A container that runs an image: when it was made, in seconds since the epoch, and its name."""

    created: float
    container: str


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image that we made and that other environments may share.

    Attributes:
        id: Its ID.
        refs: Its references, sorted.
        labels: Its labels.
        size: Bytes, those of layers that it shares with others included.
        created: When it was made, in seconds since the epoch.
        uses: Containers that run it, ours or not, running or not, the newest last.
        marked: When it was last built, or noted as used: Docker remembers when a reference was last given. 0 on Podman,
            which has no such time.
        unread: Fields of the engine's description that could not be read, sorted; nothing removes such an image but
            who asks for it.
    """

    id: str
    refs: tuple[str, ...]
    labels: Mapping[str, str]
    size: int
    created: float
    uses: tuple[ImageUse, ...] = ()
    marked: float = 0.0
    unread: tuple[str, ...] = ()

    @property
    def last_used(self) -> float:
        """Return when it was last used as far as the engine knows: when it was made, where nothing tells more."""
        return max(self.created, self.marked, *(use.created for use in self.uses))


@dataclass(frozen=True, slots=True)
class NetworkState:
    """A network: two may bear one name on Docker, so the ID tells them apart; an internal one leads nowhere else."""

    id: str
    name: str
    driver: str
    labels: Mapping[str, str]
    internal: bool = False


@dataclass(frozen=True, slots=True)
class VolumeState:
    """A named volume; only our own labels are read."""

    name: str
    driver: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Build:
    """An image to build.

    Attributes:
        dockerfile: The whole Dockerfile; there is no context.
        tag: Reference to give.
        labels: Labels to give.
        secrets: Contents of the files that ``RUN --mount=type=secret,id=…`` sees, by id; in no layer.
        no_cache: Whether to build every layer afresh.
    """

    dockerfile: str
    tag: str
    labels: Mapping[str, str]
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    no_cache: bool = False


DEFAULT_PERIOD = 100_000
"""Microseconds of the scheduler's period where none is set."""

UNLIMITED = -1
"""A limit on processes or on swap that is none."""

UNCOUNTED = -2
"""Swap of a container on a host that does not count it: no limit on it can be set there."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits to set on a container; ``None`` leaves one as it is.

    Attributes:
        memory: Bytes.
        cpus: Processors.
        pids: Processes; :data:`UNLIMITED` takes the limit away, which no engine does of any other.
        restart: Restart policy, with the number of retries after a colon.
        swap: Bytes of swap beside the memory, or :data:`UNLIMITED`; ``None`` for none where ``memory`` is given.
        memory_reservation: Bytes.
        cpu_shares: Weight.
        cpuset_cpus: Processors, such as ``0-3``.
    """

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    restart: str | None = None
    swap: int | None = None
    memory_reservation: int | None = None
    cpu_shares: int | None = None
    cpuset_cpus: str | None = None

    @property
    def memory_swap(self) -> int | None:
        """Return memory and swap together, as engines count it."""
        return together(self.memory, self.swap)


def together(memory: int | None, swap: int | None) -> int | None:
    """Return memory and swap together, as engines count it; ``None`` where neither is limited."""
    if swap == UNLIMITED:
        return UNLIMITED
    return memory + (swap or 0) if memory else None
