"""Steps that are one verb of the engine on a container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from envspec.engine.objects import ContainerConfig, Limits, Mount
from envspec.errors import EngineCallFailed, StepFailed, Where
from envspec.steps.agent import standing_in
from envspec.steps.base import Container, Done, Run, Verb


@dataclass(frozen=True, slots=True)
class CreateContainer(Verb):
    """Create a container, not started.

    Attributes:
        name: Its name.
        config: What it is created with.
        labels: Its labels.
        marked: Whether it gets the labels too that say whose the environment is.
        expires_label: Name of the label for the moment at which the environment expires.
        ttl: Seconds until then, ``None`` for no such moment.
        inherits: Unnamed volumes of the container that it replaces: it takes over those at whose path its image has a
            ``VOLUME`` by now.
        promised: Paths of those that the plan said it takes over.
    """

    name: str
    config: ContainerConfig
    labels: Mapping[str, str]
    marked: bool = False
    expires_label: str = ""
    ttl: float | None = None
    inherits: tuple[Mount, ...] = ()
    promised: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"create {self.name} from {self.config.image}"

    def run(self, run: Run) -> Done:
        """Do it."""
        binds = [mount.source for mount in self.config.mounts if mount.type == "bind"]
        run.on_line(f"mounting {', '.join(binds)}" if binds else "no host directory is mounted")
        marks = run.marks if self.marked else {}
        labels = {**self.labels, **{name: value for name, value in marks.items() if value}}
        if self.ttl:
            labels[self.expires_label] = moment(self.ttl)
        config = replace(self.config, mounts=self._mounts(run)) if self.inherits else self.config
        created = run.engine.create_container(self.name, config, labels)
        return Done(container=created)

    def _mounts(self, run: Run) -> tuple[Mount, ...]:
        """Return the mounts, by the image as it is by now, which the plan may not have known.

        Raises:
            StepFailed: It has lost a ``VOLUME`` since the plan was made, so that more would be lost than was agreed to.
        """
        ref = self.config.image
        image = run.engine.images((ref,)).get(ref)
        places = {*(image.volumes if image else ())} - {mount.target for mount in self.config.mounts}
        taken = [mount for mount in self.inherits if mount.target in places]
        if gone := sorted({*self.promised} - {mount.target for mount in taken}):
            raise StepFailed(
                f"{ref} has no VOLUME at {gone[0]} any more, where the workspace has data",
                code="container.volume_gone",
                hint="apply again: the plan then says what would be lost",
                where=Where(address=run.address),
            )
        return tuple(sorted((*self.config.mounts, *taken)))


@dataclass(frozen=True, slots=True)
class StartContainer(Verb):
    """Start a container; where its agent's socket is gone, an empty file stands in for it.

    Attributes:
        container: The container.
        mounts: Its mounts.
        hint: The next step where it does not start; "" to report the engine's error as it is.
    """

    container: Container
    mounts: tuple[Mount, ...] = ()
    hint: str = ""

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"start {self.container.name}"

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: It does not start.
        """
        try:
            with standing_in(self.mounts):
                run.engine.start(run.container_id(self.container))
        except EngineCallFailed as error:
            if not self.hint:
                raise
            raise StepFailed(
                f"{self.container.name} does not start: {error.message}",
                hint=error.hint or self.hint,
                where=Where(address=run.address),
            ) from error
        return Done()


@dataclass(frozen=True, slots=True)
class StopContainer(Verb):
    """Stop a container, for a reason that its log tells."""

    container: Container
    why: str = ""

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"stop {self.container.name}" + (f": {self.why}" if self.why else "")

    def run(self, run: Run) -> Done:
        """Do it."""
        if self.why:
            run.on_line(f"stopping the old container: {self.why}")
        run.engine.stop(run.container_id(self.container))
        return Done()


@dataclass(frozen=True, slots=True)
class UnpauseContainer(Verb):
    """Let a paused container go on."""

    container: Container

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"unpause {self.container.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.unpause(run.container_id(self.container))
        return Done()


@dataclass(frozen=True, slots=True)
class RenameContainer(Verb):
    """Rename a container."""

    container: Container
    name: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"rename {self.container.name} to {self.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.rename(run.container_id(self.container), self.name)
        return Done()


@dataclass(frozen=True, slots=True)
class UpdateContainer(Verb):
    """Set limits of a container in place."""

    container: Container
    limits: Limits

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"set limits of {self.container.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.update(run.container_id(self.container), self.limits)
        return Done()


@dataclass(frozen=True, slots=True)
class RemoveContainer(Verb):
    """Remove a container with its unnamed volumes, unless it only ``borrows`` them; one that is gone is left alone."""

    container: Container
    borrows: bool = False

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"remove {self.container.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        if found := run.container_id(self.container):
            run.engine.remove_container(found, borrows=self.borrows)
        return Done()


def moment(ttl: float) -> str:
    """Return the moment that lies ``ttl`` seconds ahead, in ISO 8601."""
    return (datetime.now(UTC) + timedelta(seconds=ttl)).isoformat(timespec="seconds")
