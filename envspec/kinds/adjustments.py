"""What workspaces and services alike have changed on a container that stays: limits, and the networks that it is on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from envspec.engine.objects import Limits
from envspec.model import Diff
from envspec.steps.base import Container, StepList
from envspec.steps.containers import UpdateContainer
from envspec.steps.networks import Connect, Disconnect


@dataclass(frozen=True, slots=True)
class Adjustments:
    """Limits and networks of a container that are changed in place.

    Attributes:
        limits: Limits to set.
        leave: Networks to leave: name and ID.
        join: Networks to join: name, and the names under which it is reached there.
    """

    limits: Limits = field(default_factory=Limits)
    leave: tuple[tuple[str, str], ...] = ()
    join: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def add_to(
        self, sequence: StepList, container: Container, *, called: tuple[str, ...] = (), detail: str = ""
    ) -> None:
        """Add the steps that make them.

        Args:
            sequence: Takes the steps.
            container: The container.
            called: Names under which it is reached on every network besides.
            detail: What the report says.
        """
        if self.limits != Limits():
            sequence.then(UpdateContainer(container, self.limits), detail=detail)
        for network, network_id in self.leave:
            sequence.then(Disconnect(network, network_id, container), detail=detail)
        for network, aliases in self.join:
            sequence.then(Connect(network, container, (*called, *aliases)), detail=detail)


def adjustments(limits: Limits, joined: Mapping[str, str], networks: Iterable[tuple[str, Diff]]) -> Adjustments:
    """Return what is changed on a container.

    Args:
        limits: Limits to set.
        joined: IDs of the networks that it is on, by name.
        networks: What differs of networks, by name.
    """
    found = tuple(networks)
    return Adjustments(
        limits,
        leave=tuple((name, joined[name]) for name, _ in found if name in joined),
        join=tuple((name, tuple(diff.after)) for name, diff in found if diff.after is not None),
    )
