"""Steps that are one verb of the engine on a network or a volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from envspec.errors import EngineCallFailed, StepFailed, Where
from envspec.steps.base import Container, Done, Run, Verb


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
