"""What a kind of resource is, and what it is given.

A kind is one file: the frozen model of what is wanted, the pure difference to what was observed, and the steps that
close it. It is known by being there; how it is ordered among others follows from its attributes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

from envspec.engine.capabilities import Version, changes_in_place
from envspec.engine.facts import Answer, FileFact, LedgerEntry, Questions, located
from envspec.engine.objects import ContainerState, ImageState, NetworkState, VolumeState
from envspec.engine.operations import Record
from envspec.kinds import names
from envspec.model import Action, Cause, Change, Diff, Disruption, Hidden, Loss, Resource
from envspec.steps.base import Container, Step

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Observed:
    """A frozen copy of everything that matters of the real world.

    Attributes:
        env: Name of the environment.
        engine: ``docker`` or ``podman``.
        command: Its command, with the options that lead to it.
        containers: The environment's containers, and foreign ones that bear its names.
        images: Images asked about, by reference and by ID.
        networks: All networks of the engine.
        volumes: All volumes of the engine.
        network_users: Names of the containers attached to networks of ours that are no longer wanted, by ID.
        inside: What the probe found in the workspace; ``None`` when there is no running one.
        replaced_binds: By container ID, the targets of binds whose source is another file or directory by now.
        shelved: Files in the host's memory that services bind, by ``SERVICE/NAME``.
        host_files: Facts of declared files that lie in a bind of this host, read while no container can be asked.
        deep: Whether files made by hand were looked for.
        empty_volumes: Volumes of services in which a destroy found no file.
        watched: Paths that are remembered to be the user's, where the ledger that says so goes with its container.
        locked: Whether an apply holds the environment's mutex, or died with it.
        shared: Whether the engine runs on another machine: what it binds of this host has whatever owner that shows.
        version: Returns the engine's version, which is asked for where a decision depends on it, and once.
    """

    env: str
    engine: str = "docker"
    command: tuple[str, ...] = ("docker",)
    containers: tuple[ContainerState, ...] = ()
    images: Mapping[str, ImageState] = field(default_factory=dict)
    networks: tuple[NetworkState, ...] = ()
    volumes: tuple[VolumeState, ...] = ()
    network_users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    inside: Answer | None = None
    replaced_binds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shelved: Mapping[str, Hidden] = field(default_factory=dict)
    host_files: Mapping[str, FileFact] = field(default_factory=dict)
    deep: bool = False
    empty_volumes: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()
    locked: bool = False
    shared: bool = False
    version: Callable[[], Version] = field(default=tuple, compare=False, repr=False)

    def changes_in_place(self, attribute: str, after: Any) -> bool:
        """Say whether the engine honours a change of a container's attribute without a new container."""
        return changes_in_place(self.engine, attribute, after, self.version)

    @property
    def workspace(self) -> ContainerState | None:
        """Return the workspace, see :func:`workspace_of`."""
        return workspace_of(self.containers, self.env)

    @property
    def leftovers(self) -> tuple[ContainerState, ...]:
        """Return our containers that are not the workspace: what an interrupted replace, or snapshot, left."""
        chosen = self.workspace
        return tuple(box for box in self._ours if box is not chosen and not is_service(box))

    @property
    def services(self) -> tuple[ContainerState, ...]:
        """Return the containers of our services."""
        return tuple(box for box in self._ours if is_service(box))

    @property
    def _ours(self) -> tuple[ContainerState, ...]:
        return tuple(box for box in self.containers if box.labels.get(names.ENV) == self.env)

    @property
    def answer(self) -> Answer:
        """Return what is known of the inside, empty where it could not be asked."""
        return self.inside or Answer(files=self.host_files, exists=frozenset(self.host_files))

    def located(self, path: str) -> str:
        """Return where a path inside lies, one in a home that ``~UID/`` stands for too."""
        return located(path, self.answer.accounts)

    def renewed(self, survives: Callable[[str], bool]) -> Observed:
        """Return the world as it will be right after the workspace is made anew.

        Args:
            survives: Says of a path inside whether it lies in a volume or bind that the next container mounts too.
        """
        known = self.answer

        def stays(path: str) -> bool:
            return survives(self.located(path))

        inside = Answer(
            ledger=tuple(entry for entry in known.ledger if stays(str(entry.data.get("path", "")))),
            files={path: fact for path, fact in known.files.items() if stays(path)},
            repos={path: fact for path, fact in known.repos.items() if stays(path)},
            exists=frozenset(path for path in known.exists if stays(path)),
            unlinked=tuple(path for path in known.unlinked if stays(path)),
        )
        return replace(self, inside=inside, watched=frozenset(path for path in self.owned if stays(path)))

    @property
    def owned(self) -> frozenset[str]:
        """Return the paths that belonged to the user when they were made, or when the account was set up."""
        facts = (pair for entry in self.answer.ledger for pair in entry.facts.items())
        return self.watched | {path for name, path in facts if name.startswith("own")}

    def restarted(self) -> Observed:
        """Return the world as it will be right after the workspace is started again: no tmpfs, no job is kept."""
        return replace(self, inside=replace(self.answer, environment=None, jobs=()))


def workspace_of(containers: Iterable[ContainerState], env: str) -> ContainerState | None:
    """Return the workspace of an environment: the one answer to which container it is.

    It is the environment's container of the proper name, else the one that was to take its place. Until the old one is
    gone it is the truth: the other may not have been told yet what it has to know. One that was renamed by hand is the
    workspace still, with all that was made in it.

    Args:
        containers: Containers, others among them.
        env: Name of the environment.
    """
    ours = {box.name: box for box in containers if box.labels.get(names.ENV) == env and not is_service(box)}
    own, following = ours.get(names.container(env)), ours.get(names.next_container(env))
    renamed = sorted((box for box in ours.values() if box.labels.get(names.KIND) == "container"), key=_choice)
    return own or following or next(iter(renamed), None)


def is_helper(box: ContainerState) -> bool:
    """Say whether a container is one that copies volumes while a snapshot is made; nobody works in it."""
    return box.labels.get(names.KIND) == names.SNAPSHOT_HELPER


def is_service(box: ContainerState) -> bool:
    """Say whether a container is one of a service, and not a workspace."""
    return box.labels.get(names.KIND) == "service"


def _choice(box: ContainerState) -> tuple[bool, str]:
    return not box.running, box.name


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a kind says of one of its resources: how it differs and what that takes.

    The fields are those of :class:`envspec.model.Change`, and:

    Attributes:
        tidies: Whether it removes what an interrupted change left, too.
        first: Whether this only makes visible what everything else is decided by.
        notes: What the reader of the plan should know besides.
        how: What :meth:`Kind.steps` has to know of it.
    """

    action: Action
    reason: str
    diff: tuple[Diff, ...] = ()
    disruption: Disruption = Disruption.NONE
    losses: tuple[Loss, ...] = ()
    interrupts: bool = False
    tidies: bool = False
    first: bool = False
    notes: tuple[str, ...] = ()
    how: Any = None


@dataclass(frozen=True, slots=True)
class Work:
    """One change to turn into steps.

    Attributes:
        change: The change.
        resource: The resource as it must be, ``None`` when it goes.
        how: What the kind decided when it compared: :attr:`Verdict.how`.
    """

    change: Change
    resource: Resource | None
    how: Any = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What steps are planned in.

    Attributes:
        env: Name of the environment.
        origin: ``host:path`` of the spec.
        world: What was observed.
        guest: The container that operations inside are done in: as it will be then.
        no_cache: Whether images are built afresh.
    """

    env: str
    origin: str
    world: Observed
    guest: Container
    no_cache: bool = False


class Kind(ABC, Generic[S]):
    """One kind of resource; all of it is pure.

    Class attributes:
        name: Name of the kind; addresses begin with it.
        inside: Whether its resources live in the container and go with its filesystem.
        batch: Whether changes that need the same things are applied in one call.
        hosts: Whether resources live inside of it.
        volatile: Whether it is lost when the container stops.
        holds: Whether it holds ports, networks and volumes: what it holds can go once it has let go of it.
        removed_first: Whether its removal comes before what may want a port that it holds.
        removed_last: Whether its removal waits until a container that was replaced is gone, which may hold it.
        writes_files: Whether it writes files inside, which waits until those that are no longer wanted are gone.
        contains_files: Whether files that others wrote may lie in it: its removal waits for theirs.
        loses_work: Whether what a person made inside may go with it, so that it is looked for before.
        leftover: Address of what an interrupted change of it left, "" where it leaves nothing.
    """

    name: ClassVar[str]
    inside: ClassVar[bool] = False
    hosts: ClassVar[bool] = False
    batch: ClassVar[bool] = False
    volatile: ClassVar[bool] = False
    holds: ClassVar[bool] = False
    removed_first: ClassVar[bool] = False
    removed_last: ClassVar[bool] = False
    writes_files: ClassVar[bool] = False
    contains_files: ClassVar[bool] = False
    loses_work: ClassVar[bool] = True
    leftover: ClassVar[str] = ""

    @abstractmethod
    def existing(self, world: Observed) -> tuple[str, ...]:
        """MUST: return the addresses of this kind that exist and are ours, sorted."""

    @abstractmethod
    def actual(self, address: str, spec: S | None, world: Observed) -> Any:
        """MUST: return what was observed at an address as a JSON value, ``None`` when absent."""

    @abstractmethod
    def diff(self, resource: Resource, spec: S, world: Observed) -> Verdict | None:
        """MUST: return how the resource differs from the world, ``None`` when it does not."""

    @abstractmethod
    def removal(self, address: str, world: Observed) -> Verdict | None:
        """MUST: return what it takes to remove what is no longer wanted, ``None`` to leave it alone."""

    @abstractmethod
    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """MUST: return what carries out changes: one, unless the kind is a batch kind."""

    def identity(self, resource: Resource) -> str:
        """MAY: return the address under which :meth:`existing` finds a resource, where that is not its own."""
        return resource.address

    def stays(self, address: str) -> bool:  # noqa: ARG002 - a hook
        """MAY: say whether something outlives its environment where its user did not ask for its removal."""
        return False

    def after(self, resource: Resource, verdict: Verdict | None, world: Observed) -> Observed:  # noqa: ARG002 - a hook
        """MAY: return the world as what lives inside will find it once the resource is as it must be."""
        return world

    def affected(self, resource: Resource, spec: S, changed: Mapping[str, Verdict]) -> Verdict | None:  # noqa: ARG002 - a hook
        """MAY: return what the changes of others, by address, do to a resource that needs nothing itself."""
        return None

    def forced(self, resource: Resource, spec: S, world: Observed) -> Verdict:  # noqa: ARG002 - a hook
        """MAY: return what ``--replace`` does to a resource that needs nothing."""
        return Verdict(Action.UPDATE, "asked for with --replace", disruption=Disruption.WRITE)

    def questions(self, resource: Resource, spec: S) -> Questions:  # noqa: ARG002 - a hook; most kinds ask nothing
        """MAY: return what the probe must answer about a resource."""
        return Questions()

    def recorded_questions(self, entry: LedgerEntry) -> Questions:  # noqa: ARG002 - a hook like the one above
        """MAY: return what the probe must answer about something that only the ledger still knows."""
        return Questions()


def spec_of(item: Work, expected: type[S]) -> S:
    """Return the typed spec of a change that has one.

    Raises:
        TypeError: The change has no resource, or one of another kind: a bug.
    """
    if item.resource is None or not isinstance(item.resource.spec, expected):
        raise TypeError(f"{item.change.address} has no {expected.__name__}")
    return item.resource.spec


def record(resource: Resource, **data: object) -> Record:
    """Return the ledger entry of a resource."""
    return Record(resource.address, resource.digest, data)


def ledger_addresses(kind: str, world: Observed) -> tuple[str, ...]:
    """Return the addresses of one kind that the ledger knows, sorted."""
    return tuple(sorted(e.address for e in world.answer.ledger if e.address.split(".", 1)[0] == kind))


def recorded_path(entry: LedgerEntry | None, address: str) -> str:
    """Return the path of something that only the ledger still knows, by its entry, else by its address."""
    known = entry.data.get("path") if entry else None
    return known if isinstance(known, str) else address.split(".", 1)[1]


def cause_of(resource: Resource, world: Observed) -> Cause:
    """Return why an inside resource differs: the spec moved on since it was applied, or the world did."""
    entry = world.answer.entry(resource.address)
    return Cause.DRIFT if entry and entry.digest == resource.digest else Cause.SPEC


def because(cause: Cause) -> str:
    """Return a cause in words that begin a reason."""
    return {
        Cause.SPEC: "the file asks for it",
        Cause.DRIFT: "changed outside envspec",
        Cause.ENGINE: "lost by a restart",
    }[cause]
