"""The one seam to an engine: frozen facts that are read, typed operations that are done, and the protocol of both.

Everything above this package speaks these types only. Two implementations keep the same contract, and the tests in
``tests/engine`` hold both to it: :mod:`envspec.engine.whales` (a real Docker) and :mod:`envspec.engine.fake` (in
memory, refusing what Docker refuses).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from envspec.engine.stack import ComposeSource, ComposeUp

LABEL = "dev.envspec."
"""Prefix of every label of ours; an object without ``dev.envspec.env`` is never changed or removed."""

RUN_DIR = "/run/envspec"
"""A tmpfs in every container: the environment's variables and the CA bundle live here, and die with a restart."""

ENV_FILE = f"{RUN_DIR}/env"
"""Shell text that exports every variable; read by every shell and every exec of ours."""

CA_FILE = f"{RUN_DIR}/ca.pem"
"""The host's CA bundle, where the host trusts more than the image does."""

STATE_DIR = "/var/lib/envspec"
"""The ledger and the windows: what was applied inside this container's filesystem, and when."""

LOCK_PREFIX = "envspec-lock-"
"""Name of the container that is an environment's mutex, before the environment's own; it never runs."""

LINE = Callable[[str], None]
"""Takes one line of output of a running operation, without its line break."""


# ── facts, read ──────────────────────────────────────────────────────────────────────────────────────────────────


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
        host: Port on the host; 0 in a wish means any free one.
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
        memory: Limit in bytes, swap included, or ``None``.
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
        anonymous: Paths at which volumes without a name are mounted, sorted: they go with the container.
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
    anonymous: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the inside can be entered."""
        return self.status == "running"


@dataclass(frozen=True, slots=True)
class ImageState:
    """A local image: its ID, its labels, and its size in bytes."""

    id: str
    labels: Mapping[str, str]
    size: int = 0


@dataclass(frozen=True, slots=True)
class NetworkState:
    """A network: two may bear one name on Docker, so the ID tells them apart."""

    id: str
    name: str
    driver: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VolumeState:
    """A named volume; only our own labels are read."""

    name: str
    driver: str
    labels: Mapping[str, str]


# ── the inside, asked by one probe ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, order=True)
class RepoQuestion:
    """Asks for the state of a repository.

    Attributes:
        path: Absolute path of its work tree.
        address: Address of its resource; the probe compares HEAD with the fact ``commit`` of its ledger entry.
    """

    path: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Questions:
    """Everything that one probe shall answer.

    Attributes:
        files: Absolute paths to describe and hash.
        repos: Repositories to describe.
        exists: Absolute paths whose existence matters.
        undeclared: Roots below which to look for files made outside any apply; empty means do not look. The search
            stays on the root's own filesystem and passes over caches, logs, ``/tmp`` and :data:`STATE_DIR`.
        declared: Paths (files, or directories with all below them) that the search passes over.
    """

    files: tuple[str, ...] = ()
    repos: tuple[RepoQuestion, ...] = ()
    exists: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()

    def merged(self, other: Questions) -> Questions:
        """Return the questions of both, sorted and each asked once."""
        return Questions(
            files=tuple(sorted({*self.files, *other.files})),
            repos=tuple(sorted({*self.repos, *other.repos})),
            exists=tuple(sorted({*self.exists, *other.exists})),
            undeclared=tuple(sorted({*self.undeclared, *other.undeclared})),
            declared=tuple(sorted({*self.declared, *other.declared})),
        )


@dataclass(frozen=True, slots=True)
class FileFact:
    """A path that exists.

    Attributes:
        type: ``file``, ``dir``, ``link`` or ``other``.
        mode: Permission bits, 0o7777.
        uid: Numeric owner.
        gid: Numeric group.
        sha256: Hex digest of the content, "" unless it is a regular file.
    """

    type: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class RepoFact:
    """A path where a repository was asked for.

    Attributes:
        state: ``repo``, ``other`` (something else is there), ``empty`` (an empty directory).
        origin: URL of the remote ``origin``, "" when it has none.
        head: Full commit of HEAD, "" when there is none.
        branch: Name of the branch checked out, "" when detached.
        descends: Whether HEAD is, or descends from, the commit that the ledger remembers for the address asked
            about; ``True`` when it remembers none.
        dirty: Number of changed, staged or untracked paths that were touched outside any apply, or are gone.
        made: Number of those that only commands of an apply touched.
        unpushed: Number of commits on HEAD or local branches that no remote branch or tag has, stashes included.
    """

    state: str
    origin: str = ""
    head: str = ""
    branch: str = ""
    descends: bool = True
    dirty: int = 0
    made: int = 0
    unpushed: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """A line of ``/etc/passwd``."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What was applied to one address inside a container.

    Attributes:
        address: Address of the resource.
        digest: Digest of what was desired then (:attr:`envspec.model.Resource.digest`).
        data: What the kind chose to remember: plain JSON, never a secret.
        facts: What the operation itself found out, such as ``commit``.
    """

    address: str
    digest: str
    data: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe found inside a running container.

    Attributes:
        ledger: All entries, sorted by address.
        files: Facts of the asked paths that exist.
        repos: Facts of the asked repositories whose path exists.
        exists: Those of the asked paths that exist.
        accounts: All of ``/etc/passwd``, in order.
        environment: Text of :data:`ENV_FILE`, ``None`` when it is missing.
        undeclared: Files made outside any apply, sorted, at most 200; ``None`` when nobody looked.
    """

    ledger: tuple[LedgerEntry, ...] = ()
    files: Mapping[str, FileFact] = field(default_factory=dict)
    repos: Mapping[str, RepoFact] = field(default_factory=dict)
    exists: frozenset[str] = frozenset()
    accounts: tuple[Account, ...] = ()
    environment: str | None = None
    undeclared: tuple[str, ...] | None = None

    def entry(self, address: str) -> LedgerEntry | None:
        """Return the ledger's entry for an address, or ``None``."""
        return next((entry for entry in self.ledger if entry.address == address), None)


# ── operations inside, each one exec ─────────────────────────────────────────────────────────────────────────────
#
# Every operation runs as root, is idempotent, and writes its record to the ledger last, in the same exec: a record
# is proof that the operation ended well. What an operation creates inside it creates within a *window* (a pair of
# time stamps under STATE_DIR), so that files which the user made by hand can be told from it.


@dataclass(frozen=True, slots=True)
class Record:
    """A ledger entry to write: address, digest of what was desired, and what to remember."""

    address: str
    digest: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilePut:
    """One file to write.

    Attributes:
        path: Absolute path; missing parents are made, owned by the file's owner where they lie below the owner's
            home or the workspace, else by root.
        content: The whole content.
        mode: Permission bits.
        uid: Numeric owner.
        gid: Numeric group.
        record: Its ledger entry.
    """

    path: str
    content: bytes
    mode: int
    uid: int
    gid: int
    record: Record


@dataclass(frozen=True, slots=True)
class PutFiles:
    """Write files, all in one tar stream.

    A path that has no ledger entry yet and exists is kept as the *original*, to be put back by :class:`RemoveFiles`.
    Each file appears whole or not at all. A path that is a directory fails the operation before anything is written.
    """

    files: tuple[FilePut, ...]


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    """Remove files that we wrote, put their originals back, and drop their entries.

    What the ledger does not know is left alone, and so is a directory that took a file's place.

    Attributes:
        paths: ``(address, path)`` of each.
    """

    paths: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EnsureUser:
    """Make sure that an account exists, with its home.

    Attributes:
        name: Login name to give when the uid has no account, "" to give none; an account that has the uid already is
            kept as it is.
        uid: Numeric user.
        gid: Numeric group; made, named like the user, when it does not exist.
        own: Mount points of named volumes whose top directory is given to the user when root still owns it.
        record: Its ledger entry.
    """

    name: str
    uid: int
    gid: int
    own: tuple[str, ...]
    record: Record


@dataclass(frozen=True, slots=True)
class PutEnvironment:
    """Write :data:`ENV_FILE` and :data:`CA_FILE` into the tmpfs by stdin, and make shells read them.

    Attributes:
        text: Shell text, readable by the user only.
        uid: Numeric owner.
        gid: Numeric group.
        ca: The CA bundle in PEM, or ``b""`` to remove the file.
        record: Its ledger entry.
    """

    text: str
    uid: int
    gid: int
    ca: bytes
    record: Record


@dataclass(frozen=True, slots=True)
class SyncRepo:
    """Bring a repository to a ref; clone it first when it is not there.

    A clone is made in a temporary directory beside its place and moved, so that the place never holds half of one.
    Where the place is a repository with the same origin it is kept: nothing is done when ``commit`` is "" and the
    ref is checked out; else the ref is fetched and checked out. Local changes stop the operation unless ``force``.
    The commit that HEAD is at in the end is remembered as the fact ``commit``, the branch checked out as the fact
    ``branch`` ("" when detached, as after a tag or a commit).

    Attributes:
        url: Where from.
        path: Absolute path of the work tree.
        ref: Branch, tag or commit; "" for the remote's default branch in a clone and for whatever is checked out in
            a repository that is there; ``HEAD`` for the remote's default branch in both.
        depth: Commits to fetch, 0 for all.
        commit: Commit to put HEAD at, "" for the tip of the ref.
        force: Whether local changes and commits may be thrown away.
        overwrite: Whether local changes may be overwritten, because only commands of an apply made them.
        uid: Numeric owner of the work tree; git runs as this user.
        gid: Numeric group.
        record: Its ledger entry.
    """

    url: str
    path: str
    ref: str
    depth: int
    commit: str
    force: bool
    uid: int
    gid: int
    record: Record
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class RemoveRepo:
    """Remove a work tree with all that is in it, and drop its entry."""

    address: str
    path: str


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run a command with the environment's variables.

    Attributes:
        command: Shell text, run by ``bash -eo pipefail`` where there is one, else by ``sh -e``.
        workdir: Directory to run in.
        uid: Numeric user to run as.
        gid: Numeric group to run as.
        record: Its ledger entry, written only when the command exits 0; ``None`` writes none.
        retries: How often to try again after a failure.
        interval: Seconds between two tries.
        attempt_timeout: Seconds after which one try counts as failed with code 124; 0 for no limit but the deadline.
        creates: Absolute path; when it exists the command is not run, and its record is written all the same.
    """

    command: str
    workdir: str
    uid: int
    gid: int
    record: Record | None
    retries: int = 0
    interval: float = 0.0
    attempt_timeout: float = 0.0
    creates: str = ""


@dataclass(frozen=True, slots=True)
class WriteRecords:
    """Write ledger entries alone."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop ledger entries alone."""

    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reap:
    """End every process of an operation that was cut off, descendants and ``setsid`` ones included.

    What an operation that ended well left running (a server started by a setup command) is not touched. Prints the
    number of processes ended.
    """


@dataclass(frozen=True, slots=True)
class ReadState:
    """Print, as a tar stream, what a container that takes this one's place must know.

    That is all windows, and the ledger entries (with kept originals) of the addresses: those of files and
    repositories that lie in a volume or a bind which the next container mounts too.
    """

    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PutState:
    """Unpack what :class:`ReadState` printed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ReadEnvironment:
    """Print the tmpfs's files as a tar stream, to put them back should the container have to be started again."""


@dataclass(frozen=True, slots=True)
class RestoreEnvironment:
    """Unpack what :class:`ReadEnvironment` printed into the tmpfs, owners and modes kept."""

    data: bytes


Operation = (
    PutFiles
    | RemoveFiles
    | EnsureUser
    | PutEnvironment
    | SyncRepo
    | RemoveRepo
    | RunCommand
    | WriteRecords
    | Forget
    | Reap
    | ReadState
    | PutState
    | ReadEnvironment
    | RestoreEnvironment
)


@dataclass(frozen=True, slots=True)
class Completed:
    """How an operation or an exec ended: exit code and what it printed."""

    code: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def tail(self) -> str:
        """Return the last 20 lines of what it printed, standard error last."""
        text = (self.stdout + (b"\n" if self.stdout and self.stderr else b"") + self.stderr).decode(errors="replace")
        return "\n".join(text.rstrip().splitlines()[-20:])


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


UNLIMITED = -1
"""A limit on processes that is none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits to set on a container; ``None`` leaves one as it is.

    Attributes:
        memory: Bytes, swap included.
        cpus: Processors.
        pids: Processes; :data:`UNLIMITED` takes the limit away, which no engine does of any other.
        restart: Restart policy.
    """

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    restart: str | None = None


# ── the protocol ─────────────────────────────────────────────────────────────────────────────────────────────────


@runtime_checkable
class Reader(Protocol):
    """What may be read of an engine. Nothing here changes anything.

    Every method raises :class:`envspec.errors.EngineNotReady` when no engine answers, and
    :class:`envspec.errors.EngineTimeout` past its deadline.
    """

    @property
    def name(self) -> str:
        """Return ``docker`` or ``podman``."""
        ...

    @property
    def command(self) -> tuple[str, ...]:
        """Return the engine's command, with the options that lead to this engine."""
        ...

    @property
    def remote(self) -> str:
        """Return the address of an engine that does not see this host's files, "" when it does."""
        ...

    def containers(self, env: str = "", names: Sequence[str] = ()) -> tuple[ContainerState, ...]:
        """Return the containers of an environment (of all, when ``env`` is ""), and those that bear the names."""
        ...

    def images(self, refs: Sequence[str]) -> Mapping[str, ImageState]:
        """Return those of the references, or IDs, that exist locally."""
        ...

    def networks(self) -> tuple[NetworkState, ...]:
        """Return all networks, sorted by name, then ID."""
        ...

    def network_users(self, network_id: str) -> tuple[str, ...]:
        """Return the names of the containers, stopped ones too, that are attached to a network, sorted."""
        ...

    def volumes(self) -> tuple[VolumeState, ...]:
        """Return all named volumes, sorted by name."""
        ...

    def probe(self, container_id: str, questions: Questions) -> Answer:
        """Answer questions about the inside of a running container, in one exec."""
        ...

    def logs(self, container_id: str, lines: int) -> str:
        """Return the last lines that a container's main process printed, "" when the container is gone."""
        ...

    def compose_config(self, source: ComposeSource) -> str:
        """Resolve a Compose document to JSON, with ``$`` doubled. Asks Compose, but no engine.

        Raises:
            SpecError: The document is none, or a variable that it insists on is missing.
            EngineNotReady: Compose is not installed.
        """
        ...


@runtime_checkable
class Engine(Reader, Protocol):
    """What may be done on an engine.

    Every method raises :class:`envspec.errors.EngineCallFailed` when the engine refuses, beside what
    :class:`Reader` raises. Labels are full names; what creates an object is given them.
    """

    def create_container(self, name: str, config: ContainerConfig, labels: Mapping[str, str]) -> str:
        """Create a container, not started, and return its ID. Fails when the name is taken."""
        ...

    def start(self, container_id: str) -> None:
        """Start a container; one that runs is left alone. Fails when a host port is taken."""
        ...

    def stop(self, container_id: str, grace: int = 5) -> None:
        """Stop a container, killing it after ``grace`` seconds; one that does not run is left alone."""
        ...

    def unpause(self, container_id: str) -> None:
        """Let a paused container go on."""
        ...

    def remove_container(self, container_id: str) -> None:
        """Kill and remove a container with its anonymous volumes; one that is gone is left alone."""
        ...

    def check_health(self, container_id: str) -> None:
        """Have a container's own health check done when it is due, on an engine that does not do so by itself."""
        ...

    def rename(self, container_id: str, name: str) -> None:
        """Give a container a new name. Fails when it is taken."""
        ...

    def update(self, container_id: str, limits: Limits) -> None:
        """Set limits in place."""
        ...

    def connect(self, network_id: str, container_id: str, aliases: Sequence[str]) -> None:
        """Attach a container to a network."""
        ...

    def disconnect(self, network_id: str, container_id: str) -> None:
        """Detach a container from a network."""
        ...

    def create_network(self, name: str, labels: Mapping[str, str]) -> str:
        """Create a bridge network and return its ID. Fails when the name is taken, but two at once may be made."""
        ...

    def remove_network(self, network_id: str) -> None:
        """Remove a network; one that is gone is left alone. Fails while containers are attached."""
        ...

    def create_volume(
        self, name: str, labels: Mapping[str, str], *, driver: str = "local", options: Mapping[str, str] | None = None
    ) -> None:
        """Create a volume. On Docker an existing one of the name is silently kept: look first."""
        ...

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is left alone. Fails while a container uses it."""
        ...

    def pull(self, ref: str, on_line: LINE | None = None) -> None:
        """Pull an image from its registry."""
        ...

    def bootstrap(self, recipe: str, ref: str, labels: Mapping[str, str], on_line: LINE | None = None) -> None:
        """Make a base image from the distribution's package mirror.

        Args:
            recipe: Name of a recipe of :mod:`envspec.engine.bootstrap`, ``debian-13``.
            ref: Reference to give.
            labels: Labels to give.
            on_line: Takes progress.
        """
        ...

    def build(self, build: Build, on_line: LINE | None = None) -> None:
        """Build an image."""
        ...

    def tag(self, image_id: str, ref: str) -> None:
        """Give an image one more reference, taking it from the image that had it."""
        ...

    def remove_image(self, ref: str) -> None:
        """Remove a reference, and the image with its last one; one that is gone is left alone."""
        ...

    def perform(
        self, container_id: str, operation: Operation, *, deadline: float = 60.0, on_line: LINE | None = None
    ) -> Completed:
        """Do an operation inside a running container, in one exec.

        A failing operation is a :class:`Completed` with a code other than 0, never an exception.

        Args:
            container_id: The container.
            operation: What to do.
            deadline: Seconds after which it is ended, inside too.
            on_line: Takes its output while it runs.

        Raises:
            EngineTimeout: The deadline passed; nothing of the operation is left running inside.
            EngineCallFailed: The container is gone or does not run.
        """
        ...

    def compose_up(self, up: ComposeUp, on_line: LINE | None = None) -> None:
        """Make one service of a project run as its document says; returns when it was started, healthy or not.

        Calls of one process come one after another: two at once on one project fail each other.
        """
        ...

    def lock(self, env: str, owner: str) -> bool:
        """Take the environment's mutex, an object on the engine itself, and say whether it was free."""
        ...

    def lock_owner(self, env: str) -> str | None:
        """Return who holds the mutex, ``None`` when nobody does."""
        ...

    def unlock(self, env: str, owner: str = "") -> None:
        """Give the mutex back, after :meth:`cancel` too; nothing happens when nobody holds it.

        Args:
            env: Name of the environment.
            owner: Who must hold it; "" for whoever does. Somebody else's is left alone, however fast it was taken.
        """
        ...

    def cancel(self) -> None:
        """End every call that is under way, from any thread; later calls raise ``Interrupted``."""
        ...
