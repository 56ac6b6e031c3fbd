"""More than one container of a service: each further one is a resource of its own, ``service.web[2]``.

Compose counts a new container on from the highest number that there is, so what was removed in between would come back
under another name. So it is handed each further container as a service of its own, under the name that it would have
given it, and reached by the name of them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 64
"""Containers of one service; each is looked at in every plan."""

_ADDRESSES = ("ipv4_address", "ipv6_address")


def count(service: Mapping[str, Any]) -> int:
    """Return how many containers a resolved service asks for; Compose has refused two different numbers."""
    wished = (service.get("deploy") or {}).get("replicas", service.get("scale", 1))
    return 1 if wished is None else int(wished)


def fault(service: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why a service cannot have as many containers as it asks for, and what helps; ``None`` when it can."""
    number = count(service)
    if number < 0 or number > MOST:
        return f"{number} containers of a service are not made", f"ask for at most {MOST}"
    if number < 2:
        return None
    if service.get("container_name"):
        return f"{number} containers cannot have one name", "leave `container_name` out"
    fixed = [str(port["published"]) for port in service.get("ports") or () if str(port.get("published") or "0") != "0"]
    if any("-" not in port for port in fixed):
        told = f"{number} containers cannot all have the host's port {fixed[0]}"
        return told, "leave the host's port open, or give as many: `8080-8089:80`"
    if any((wish or {}).get(key) for wish in (service.get("networks") or {}).values() for key in _ADDRESSES):
        return f"{number} containers cannot all have one address", "leave the address out"
    return None


def name(service: str, number: int) -> str:
    """Return what the container of a number is called in addresses; the first is called as the service."""
    return service if number == 1 else f"{service}[{number}]"


def names(service: str, number: int) -> tuple[str, ...]:
    """Return what the containers of a service are called, all of a number of them."""
    return tuple(name(service, each) for each in range(1, number + 1))


def further(service: Mapping[str, Any], called: str, container: str) -> dict[str, Any]:
    """Return a further container of a service as a service of its own.

    Args:
        service: The service, as Compose is handed it.
        called: Its name.
        container: Name of the container.
    """
    made = {**service, "container_name": container}
    if service.get("networks"):
        made["networks"] = {key: _reached(wish or {}, called) for key, wish in service["networks"].items()}
    return made


def _reached(wish: Mapping[str, Any], called: str) -> dict[str, Any]:
    return {**wish, "aliases": sorted({*(wish.get("aliases") or ()), called})}
