"""Steps that are one verb of the engine: images, networks, volumes and containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from envspec.engine import objects
from envspec.engine.objects import ContainerConfig, Limits, Mount
from envspec.errors import EngineCallFailed, StepFailed, Where
from envspec.steps.agent import standing_in
from envspec.steps.base import Container, Done, Run, Verb

# ── images ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PullImage(Verb):
    """Pull an image, perhaps from a mirror of its registry."""

    ref: str
    origin: str = ""

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"pull {self.ref}" + (f" from {self.origin}" if self.origin else "")

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.pull(self.ref, on_line=run.on_line, origin=self.origin)
        return Done(f"pulled {self.ref}")


@dataclass(frozen=True, slots=True)
class BootstrapImage(Verb):
    """Create a base image from packages; ``sources`` is the ID of the build secret that says where they are."""

    recipe: str
    ref: str
    labels: Mapping[str, str]
    sources: str = ""

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"bootstrap {self.ref} from packages ({self.recipe})"

    def run(self, run: Run) -> Done:
        """Do it."""
        sources = run.build_secrets.get(self.sources, b"")
        run.engine.bootstrap(self.recipe, self.ref, self.labels, on_line=run.on_line, sources=sources)
        return Done(f"bootstrapped {self.ref}")


@dataclass(frozen=True, slots=True)
class RequireImage(Verb):
    """Insist that an image is there."""

    ref: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"require {self.ref}, which only this engine could have"

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: The image is not there.
        """
        if self.ref in run.engine.images((self.ref,)):
            return Done(f"found {self.ref}", cached=True)
        raise StepFailed(
            f"image {self.ref} is not on this engine",
            code="image.missing",
            hint="build or load it, or set `image_source: registry`",
            where=Where(address=run.address),
        )


@dataclass(frozen=True, slots=True)
class TagImage(Verb):
    """Give an image that is there a reference."""

    image_id: str
    ref: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"tag {self.image_id.removeprefix('sha256:')[:12]} as {self.ref}"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.tag(self.image_id, self.ref)
        return Done(cached=True)


@dataclass(frozen=True, slots=True)
class BuildImage(Verb):
    """Build an image on a base image, whose ID becomes a label.

    Attributes:
        dockerfile: The Dockerfile.
        ref: Reference to give.
        base: Reference of the base image.
        base_label: Name of the label that holds the base image's ID.
        labels: Other labels.
        no_cache: Whether everything is built afresh.
    """

    dockerfile: str
    ref: str
    base: str
    base_label: str
    labels: Mapping[str, str]
    no_cache: bool = False

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"build {self.ref} from {self.base}" + (" without the cache" if self.no_cache else "")

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: The base image is gone.
        """
        base = run.engine.images((self.base,)).get(self.base)
        if base is None:
            raise StepFailed(
                f"base image {self.base} is gone",
                code="image.missing",
                hint="apply again: the base image is built again",
                where=Where(address=run.address),
            )
        labels = {**self.labels, self.base_label: base.id}
        build = objects.Build(self.dockerfile, self.ref, labels, run.build_secrets, no_cache=self.no_cache)
        run.engine.build(build, on_line=run.on_line)
        return Done(f"built {self.ref}")


@dataclass(frozen=True, slots=True)
class RemoveImage(Verb):
    """Remove a reference of an image that no container uses; a failure is reported and stops nothing."""

    ref: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"remove image {self.ref}"

    def run(self, run: Run) -> Done:
        """Do it."""
        try:
            run.engine.remove_image(self.ref)
        except EngineCallFailed as error:
            return Done(f"removed; its image stays: {error.message}")
        return Done("removed with its image")


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CreateNetwork(Verb):
    """Create a network."""

    name: str
    labels: Mapping[str, str]
    internal: bool = False

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"create {'internal ' if self.internal else ''}network {self.name}"

    def run(self, run: Run) -> Done:
        """Do it; one that another apply made since the plan is as good."""
        try:
            run.engine.create_network(self.name, self.labels, internal=self.internal)
        except EngineCallFailed:
            if not any((net.name, net.internal) == (self.name, self.internal) for net in run.engine.networks()):
                raise
            return Done("another apply made it")
        return Done()


@dataclass(frozen=True, slots=True)
class RemoveNetwork(Verb):
    """Remove a network; ``if_unused`` leaves one alone that containers are attached to."""

    id: str
    name: str
    if_unused: bool = False

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"remove network {self.name} ({self.id[:12]})" + (" if nothing uses it" if self.if_unused else "")

    def run(self, run: Run) -> Done:
        """Do it."""
        if self.if_unused and run.engine.network_users(self.id):
            return Done()
        run.engine.remove_network(self.id)
        return Done()


@dataclass(frozen=True, slots=True)
class RequireOwnUsers(Verb):
    """Insist that only these containers are attached to a network."""

    id: str
    name: str
    env: str
    users: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"check that only {', '.join(self.users) or 'nothing'} is on network {self.name}"

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: Others are attached too.
        """
        others = {*run.engine.network_users(self.id)} - {*self.users}
        if others:
            raise StepFailed(
                f"{self.name} is used by {', '.join(sorted(others))}, which are not of {self.env}",
                hint="stop those, or leave `internal` as it was",
                where=Where(address=f"network.{self.name}"),
            )
        return Done()


@dataclass(frozen=True, slots=True)
class Connect(Verb):
    """Attach a container to a network, found by its name.

    Attributes:
        network: Name of the network.
        container: The container.
        aliases: Names under which it is reached there.
        if_left: ID of a :class:`LeaveNetwork`: only a container that did leave is attached again; "" for any.
    """

    network: str
    container: Container
    aliases: tuple[str, ...]
    if_left: str = ""

    @property
    def text(self) -> str:
        """Return what it does."""
        called = f" as {', '.join(self.aliases)}" if self.aliases else ""
        return f"connect {self.container.name} to network {self.network}{called}"

    def run(self, run: Run) -> Done:
        """Do it."""
        if not self.if_left or run.output(self.if_left):
            run.engine.connect(run.network_id(self.network), run.container_id(self.container), self.aliases)
        return Done()


@dataclass(frozen=True, slots=True)
class Disconnect(Verb):
    """Detach a container from a network."""

    network: str
    network_id: str
    container: Container

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"disconnect {self.container.name} from network {self.network}"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.disconnect(self.network_id, run.container_id(self.container))
        return Done()


@dataclass(frozen=True, slots=True)
class LeaveNetwork(Verb):
    """Detach a container from a network that is recreated, if it is there and attached still."""

    network: str
    network_id: str
    container: Container

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"disconnect {self.container.name} from network {self.network} for now"

    def run(self, run: Run) -> Done:
        """Do it."""
        if self.container.name not in run.engine.network_users(self.network_id):
            return Done()
        run.engine.disconnect(self.network_id, run.container_id(self.container))
        return Done(output=b"left")


# ── volumes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CreateVolume(Verb):
    """Create a volume."""

    name: str
    labels: Mapping[str, str]
    driver: str = "local"
    options: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"create volume {self.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.create_volume(self.name, self.labels, driver=self.driver, options=dict(self.options))
        return Done()


@dataclass(frozen=True, slots=True)
class RemoveVolume(Verb):
    """Remove a volume."""

    name: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"remove volume {self.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.remove_volume(self.name)
        return Done()


# ── containers ───────────────────────────────────────────────────────────────────────────────────────────────────


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
