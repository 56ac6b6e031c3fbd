"""The one seam to an engine: the protocol of reading and of doing.

Everything above this package speaks it and the values of :mod:`~envspec.engine.objects`,
:mod:`~envspec.engine.facts` and :mod:`~envspec.engine.operations` only. Two implementations keep the same contract,
and the tests in ``tests/engine`` hold both to it: :mod:`envspec.engine.whales` (a real engine) and
:mod:`envspec.engine.fake` (in memory, refusing what Docker refuses).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from envspec.engine.archive import Archiver, ArchiveReader
from envspec.engine.capabilities import Versions
from envspec.engine.facts import Answer, Questions
from envspec.engine.machine import Machine
from envspec.engine.objects import (
    LINE,
    Build,
    ContainerConfig,
    ContainerState,
    Holder,
    ImageState,
    Limits,
    NetworkState,
    Port,
    StoredImage,
    VolumeState,
)
from envspec.engine.operations import Completed, Operation
from envspec.engine.stack import ComposeConfig, ComposeSource, ComposeUp
from envspec.engine.usage import Usage
from envspec.model import Hidden


class Inquiry(Protocol):
    """A probe that is inside, or on its way there, before it is asked."""

    def ask(self, questions: Questions) -> Answer:
        """Answer questions, once.

        Raises:
            EngineCallFailed: The container is gone, does not run, or cannot be entered.
            EngineTimeout: It gave no answer in time.
        """
        ...

    def close(self) -> None:
        """Let it go, asked or not."""
        ...


@runtime_checkable
class Reader(ArchiveReader, Protocol):
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

    @property
    def rootless(self) -> bool:
        """Return whether the engine runs without root, as the user whom it serves."""
        ...

    @property
    def alias(self) -> str:
        """Return what goes by another engine's name and led to this one, "" where nothing did."""
        ...

    def machine(self) -> Machine:
        """Return the machine that the engine runs on, asked once for each time that its socket was made.

        Where nothing answers it is this host: what is asked next says so.
        """
        ...

    def sees(self, paths: Sequence[str]) -> Mapping[str, bool]:
        """Say of files and directories of this host whether the engine sees what lies there; see ``engine.sight``.

        What it cannot be asked is left out: it has no image to ask with. Nothing is left behind there. Asked too are
        :data:`envspec.engine.shelf.PLACE` and :data:`envspec.engine.sight.AGENT_THERE`.
        """
        ...

    def containers(self, env: str = "", names: Sequence[str] = ()) -> tuple[ContainerState, ...]:
        """Return the containers of an environment (of all, when ``env`` is ""), and those that bear the names."""
        ...

    def images(self, refs: Sequence[str]) -> Mapping[str, ImageState]:
        """Return those of the references, or IDs, that exist locally."""
        ...

    def stored_images(self) -> tuple[StoredImage, ...]:
        """Return the images of purposes and the bootstrapped bases, sorted by their first reference.

        One whose only references are somebody else's, or that has none, is not among them: it may be built upon ours.
        """
        ...

    def networks(self) -> tuple[NetworkState, ...]:
        """Return all networks, sorted by name, then ID."""
        ...

    def network_users(self, network_id: str) -> tuple[str, ...]:
        """Return the names of the containers, stopped ones too, that are attached to a network, sorted."""
        ...

    def publishers(self) -> Mapping[str, tuple[Port, ...]]:
        """Return the ports of the host that running containers hold, whoever made them, by the container's name."""
        ...

    def volumes(self) -> tuple[VolumeState, ...]:
        """Return all named volumes, sorted by name."""
        ...

    def probe(self, container_id: str, questions: Questions) -> Answer:
        """Answer questions about the inside of a running container, in one exec."""
        ...

    def inquire(self, container_id: str) -> Inquiry:
        """Go inside a running container to be asked later; the answer tells how things are by then."""
        ...

    def replaced_binds(self, containers: Sequence[ContainerState]) -> Mapping[str, tuple[str, ...]]:
        """Return, by container ID, the targets of binds whose source is another file or directory by now.

        Containers that have none are left out, and so is whatever cannot be told: what does not run, an engine on
        another machine, a source that is gone. A start binds what lies at the source then.
        """
        ...

    def usage(self, container_ids: Sequence[str]) -> Mapping[str, Usage]:
        """Return what running containers use of the host at the moment, by ID; takes a second or two on Docker."""
        ...

    def logs(self, container_id: str, lines: int) -> str:
        """Return the last lines that a container's main process printed, "" when the container is gone."""
        ...

    def hide(self, text: str) -> None:
        """Mask a secret, from now on, in all that operations print and errors tell."""
        ...

    def shelf(self, env: str) -> str:
        """Return the directory, in the memory of the engine's host, of what services bind; "" on another host.

        See :mod:`envspec.engine.shelf`.
        """
        ...

    def shelved(self, env: str) -> Mapping[str, Hidden]:
        """Return what lies there, by ``SERVICE/NAME``."""
        ...

    def compose_config(self, source: ComposeSource) -> ComposeConfig:
        """Resolve a Compose document to JSON, with ``$`` doubled. Asks Compose, but no engine.

        Raises:
            SpecError: The document is none, or a variable that it insists on is missing.
            EngineNotReady: Compose is not installed.
        """
        ...

    def compose_variables(self, files: Sequence[bytes]) -> Mapping[str, str]:
        """Return the variables of some files as Compose reads them; a later file goes before those before it.

        Raises:
            SpecError: Compose cannot read one; its place has the line, and nothing of what stands there is told.
            EngineNotReady: Compose is not installed.
        """
        ...

    def versions(self) -> Versions:
        """Return the versions of the engine and of its Compose, asked once; none of what does not answer."""
        ...


@runtime_checkable
class Engine(Reader, Archiver, Protocol):
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

    def remove_container(self, container_id: str, *, borrows: bool = False) -> None:
        """Kill and remove a container with its anonymous volumes; one that is gone is left alone.

        An anonymous volume that another container uses too stays.

        Args:
            container_id: The container.
            borrows: Whether anonymous volumes that it was created with are somebody else's, and stay.
        """
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

    def create_network(self, name: str, labels: Mapping[str, str], *, internal: bool = False) -> str:
        """Create a bridge network and return its ID. Fails when the name is taken, but two at once may be made.

        An internal one reaches nothing but the containers on it.
        """
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

    def pull(self, ref: str, on_line: LINE | None = None, *, origin: str = "") -> None:
        """Pull an image.

        Args:
            ref: Its reference.
            on_line: Takes progress.
            origin: Reference to pull instead, at a mirror; the image bears ``ref`` alone afterwards. "" for none.
        """
        ...

    def bootstrap(
        self, recipe: str, ref: str, labels: Mapping[str, str], on_line: LINE | None = None, *, sources: bytes = b""
    ) -> None:
        """Make a base image from the distribution's package mirror.

        Args:
            recipe: Name of a recipe of :mod:`envspec.engine.bootstrap`, ``debian-13``.
            ref: Reference to give.
            labels: Labels to give.
            on_line: Takes progress.
            sources: Lines of ``sources.list(5)`` to take packages from, ``b""`` for the distribution's own; may hold
                logins, and leave no trace in the image.
        """
        ...

    def build(self, build: Build, on_line: LINE | None = None) -> None:
        """Build an image."""
        ...

    def tag(self, image_id: str, ref: str) -> None:
        """Give an image one more reference, taking it from the image that had it."""
        ...

    def mark_used(self, refs: Sequence[str]) -> None:
        """Note that images are in use now, where the engine can (:attr:`StoredImage.marked`); what is gone stays so."""
        ...

    def release_images(self) -> None:
        """Remove what keeps images for containers that are gone, where the engine needs such a thing."""
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

    def shelve(self, env: str, service: str, files: Mapping[str, Hidden]) -> None:
        """Let the shelf hold these files of a service, by name, and no others.

        A container that runs still has what it was started with.
        """
        ...

    def end_orphans(self, env: str) -> None:
        """End what a killed apply of the environment left running on this host, and wait until it is gone."""
        ...

    def lock(self, env: str, owner: str, notes: Mapping[str, str] | None = None) -> bool:
        """Take the environment's mutex, an object on the engine itself, and say whether it was free.

        It is held until it is given back or this process dies; the engine sees either, wherever this process runs.

        Args:
            env: Name of the environment.
            owner: Who takes it.
            notes: What others are to know of the holder, by label.
        """
        ...

    def lock_holder(self, env: str) -> Holder | None:
        """Return who holds the mutex, ``None`` when nobody does."""
        ...

    def break_lock(self, env: str, owner: str) -> None:
        """Remove the mutex of a holder that died; one that is held after all, or by somebody else, is left alone."""
        ...

    def locked_envs(self) -> tuple[str, ...]:
        """Return the environments whose mutex is held, sorted."""
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
