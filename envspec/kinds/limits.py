"""Limits of a container: which of them are compared, how they are shown, and what an update in place sets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from envspec.engine.objects import UNCOUNTED, UNLIMITED, Limits

UNASKED = (
    "blkio_weight",
    "cpu_period",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpuset_cpus",
    "cpuset_mems",
    "kernel_memory",
    "memory_reservation",
    "retries",
    "swap",
)
"""Limits that no spec asks of a workspace: one that is there was set by hand."""

LIMITS = ("memory", "cpus", "pids", "restart", *UNASKED)
"""Attributes of a container that can be set while it exists."""

_DISCARDED = ("blkio_weight", "cpu_shares", "cpuset_cpus", "memory_reservation")
"""Limits that an engine leaves out where the host's kernel has none of the kind."""

_SIZES = ("memory", "swap", "memory_reservation", "kernel_memory", "shm_size")


def _mount(item: Mapping[str, Any]) -> str:
    return f"{item['source']}:{item['target']}{':ro' if item['read_only'] else ''}"


def _port(item: Mapping[str, Any]) -> str:
    address = f"[{item['address']}]" if ":" in item["address"] else item["address"]
    protocol = "" if item["protocol"] == "tcp" else f"/{item['protocol']}"
    return f"{address}:{item['host'] or 'any'}:{item['container']}{protocol}"


_SHORT: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"mounts": _mount, "ports": _port}
"""How an item of an attribute is written, by attribute."""


def differs(name: str, before: Any, after: Any) -> bool:
    """Say whether an attribute is another than it shall be; what the host does not honour can be no other.

    Args:
        name: Field of :class:`envspec.engine.objects.ContainerConfig`.
        before: Its value.
        after: The value that it shall have.
    """
    if before == UNCOUNTED or (before is None and name in _DISCARDED):
        return False
    return bool(before != after)


def told(name: str, value: Any) -> Any:
    """Return a value as people write it: sizes with their unit, mounts and ports in the short form of the spec."""
    if name in _SHORT:
        return [_SHORT[name](item) for item in value]
    if name not in _SIZES or not isinstance(value, int):
        return value
    if value == UNLIMITED:
        return "unlimited"
    for unit, size in (("g", 1024**3), ("m", 1024**2), ("k", 1024)):
        if value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


def update_of(wanted: Mapping[str, Any], changed: Collection[str]) -> Limits:
    """Return what to set in place.

    Args:
        wanted: What the container shall have, by attribute.
        changed: Attributes that differ, perhaps among others.
    """
    given = {
        name: wanted.get(name)
        for name in ("cpus", "memory_reservation", "cpu_shares", "cpuset_cpus")
        if name in changed
    }
    if "memory" in changed or "swap" in changed:
        given |= {"memory": wanted.get("memory"), "swap": wanted.get("swap")}
    if "pids" in changed:
        given["pids"] = wanted.get("pids") or UNLIMITED
    if "restart" in changed or "retries" in changed:
        policy, retries = wanted.get("restart"), wanted.get("retries")
        given["restart"] = f"{policy}:{retries}" if retries else policy
    return Limits(**given)
