"""What an engine really honours on a container that exists.

Measured, not read: ``docker update`` exits 0 for changes that it ignores, so whatever is not in this table takes a new
container. The contract tests set, change and unset every attribute of it on a real engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

IN_PLACE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "docker": frozenset({"memory", "cpus", "pids", "restart"}),
        "podman": frozenset(),
    }
)
"""Attributes of a container that each engine changes in place, when they are set to a value.

Podman 4 takes memory and cpus, tells the old ones in ``inspect``, and goes back to them with the next start; it knows
no option for the others.
"""

TAKEN_AWAY: Mapping[str, frozenset[str]] = MappingProxyType({"docker": frozenset({"pids"}), "podman": frozenset()})
"""Limits that each engine takes away in place; of the others it only says so."""


def changes_in_place(engine: str, attribute: str, after: Any) -> bool:
    """Say whether an engine honours a change of an attribute without a new container.

    Args:
        engine: ``docker`` or ``podman``.
        attribute: Field of :class:`envspec.engine.objects.ContainerConfig`.
        after: The value it shall have; ``None`` takes a limit away.
    """
    table = TAKEN_AWAY if after is None else IN_PLACE
    return attribute in table.get(engine, frozenset())
