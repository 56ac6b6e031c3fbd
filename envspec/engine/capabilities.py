"""What an engine really honours: on a container that exists, and of the paths that it is to mount.

Measured, not read: ``docker update`` exits 0 for changes that it ignores, so whatever is not in this table takes a new
container. The contract tests set, change and unset every attribute of it on a real engine. What keys of a Compose
document need is in :mod:`envspec.compose.needs`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from envspec.engine.objects import UNLIMITED

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Honoured:
    """Which limits of a container that exists an engine changes, for good and told by ``inspect``.

    Attributes:
        since: First version that is known to.
        set: Attributes that it sets to a value.
        taken_away: Attributes that it takes away; of the others it only says so.
    """

    since: Version = ()
    set: frozenset[str] = frozenset()
    taken_away: frozenset[str] = frozenset()


_LIMITS = frozenset({"memory", "swap", "memory_reservation", "cpus", "cpu_shares", "cpuset_cpus", "pids", "restart"})

IN_PLACE: Mapping[str, Honoured] = MappingProxyType(
    {
        "docker": Honoured((), _LIMITS | {"retries"}, frozenset({"pids", "retries", "swap"})),
        "podman": Honoured((5, 4), _LIMITS | {"retries"}, frozenset({"pids", "retries"})),
    }
)
"""What each engine honours. Without swap is a value of its own, and swap without a limit is a limit taken away.

Podman 4 takes memory and cpus, tells the old ones in ``inspect``, and goes back to them with the next start; it knows
no option for the others. Podman 5.4 and 5.8 keep what they are given, but for ``--memory-swap -1``.
"""


def changes_in_place(engine: str, attribute: str, after: Any, version: Callable[[], Version] = tuple) -> bool:
    """Say whether an engine honours a change of an attribute without a new container.

    Args:
        engine: ``docker`` or ``podman``.
        attribute: Field of :class:`envspec.engine.objects.ContainerConfig`.
        after: The value it shall have; ``None`` takes a limit away.
        version: Returns the engine's version; it is called only where that decides.
    """
    honoured = IN_PLACE.get(engine, Honoured())
    gone = after == UNLIMITED if attribute == "swap" else after is None
    known = attribute in (honoured.taken_away if gone else honoured.set)
    return known and (not honoured.since or version() >= honoured.since)


UNMOUNTABLE = ',:"\n'
"""Characters of a path at which the engine's command line would cut a mount."""

GATEWAY = "host-gateway"
"""Stands for the host's address among extra hosts."""

GATEWAY_PODMAN: Version = (5,)
"""First version of Podman that is known to take it; 4.3 does not."""


HEREDOCS: Mapping[str, Version] = MappingProxyType({"docker": (23,), "podman": (4, 9)})
"""First versions whose builds know here-documents without a frontend from a registry: BuildKit of Docker 23, and
buildah 1.33. Measured: Docker 20.10 and Podman 4.3 do not know them; Docker 26 and 28 and Podman 5.8 do."""


def lacks_heredocs(engine: str, version: Callable[[], Version]) -> str:
    """Return what to have for here-documents where an engine is known to be too old for them, else ""."""
    wanted, there = HEREDOCS.get(engine, ()), version()
    if not there or there >= wanted:
        return ""
    return f"it takes {engine.capitalize()} {_text(wanted)}, and this is {_text(there)}"


def _text(version: Version) -> str:
    return ".".join(map(str, version))


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
