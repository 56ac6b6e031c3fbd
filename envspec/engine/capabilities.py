"""What an engine really honours: on a container that exists, and of the paths that it is to mount.

Measured, not read: ``docker update`` exits 0 for changes that it ignores, so whatever is not in this table takes a new
container. The contract tests set, change and unset every attribute of it on a real engine. What keys of a Compose
document need is in :mod:`envspec.compose.needs`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

IN_PLACE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "docker": frozenset(
            {"memory", "swap", "memory_reservation", "cpus", "cpu_shares", "cpuset_cpus", "pids", "restart", "retries"}
        ),
        "podman": frozenset(),
    }
)
"""Attributes of a container that each engine changes in place, when they are set to a value.

Podman 4 takes memory and cpus, tells the old ones in ``inspect``, and goes back to them with the next start; it knows
no option for the others.
"""

TAKEN_AWAY: Mapping[str, frozenset[str]] = MappingProxyType(
    {"docker": frozenset({"pids", "retries", "swap"}), "podman": frozenset()}
)
"""Limits that each engine takes away in place; of the others it only says so. Without swap is a value of its own."""


def changes_in_place(engine: str, attribute: str, after: Any) -> bool:
    """Say whether an engine honours a change of an attribute without a new container.

    Args:
        engine: ``docker`` or ``podman``.
        attribute: Field of :class:`envspec.engine.objects.ContainerConfig`.
        after: The value it shall have; ``None`` takes a limit away.
    """
    table = TAKEN_AWAY if after is None else IN_PLACE
    return attribute in table.get(engine, frozenset())


UNMOUNTABLE = ',:"\n'
"""Characters of a path at which the engine's command line would cut a mount."""

Version = tuple[int, ...]

GATEWAY = "host-gateway"
"""Stands for the host's address among extra hosts."""

GATEWAY_PODMAN: Version = (5,)
"""First version of Podman that is known to take it; 4.3 does not."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of an engine and of its Compose; ``()`` where one is not known."""

    engine: Version = ()
    compose: Version = ()


def version_of(text: str) -> Version:
    """Return the numbers of a version: ``20.10.24+dfsg1`` is ``(20, 10, 24)``; ``()`` where there are none."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", text.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def is_mountable(path: str) -> bool:
    """Say whether the engine's command line can carry a path that is to be mounted."""
    return not any(character in path for character in UNMOUNTABLE)
