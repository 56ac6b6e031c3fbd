"""Fixed ports of the host that an environment wants, and who holds them already."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

from envspec.engine.base import Reader
from envspec.engine.objects import ContainerState, Port
from envspec.errors import Conflict, Where
from envspec.kinds import names
from envspec.kinds.container import ContainerSpec
from envspec.kinds.service_state import ServiceSpec
from envspec.model import Desired, Resource

EVERYWHERE = frozenset({"0.0.0.0", "::"})
"""Addresses that stand for all of a host."""

SOMEBODY = "a program of this host"


def insist_on_ports(reader: Reader, desired: Desired, hint: str) -> None:
    """Insist that nobody else holds a fixed port of the host that an environment wants.

    What the environment itself holds does not count. Programs of the host are seen where the engine is on it.

    Args:
        reader: The engine.
        desired: What shall be.
        hint: How to want other ports.

    Raises:
        Conflict: Somebody does.
    """
    boxes = reader.containers()
    own = [port for box in boxes if box.labels.get(names.ENV) == desired.env for port in box.published]
    others = [box for box in boxes if box.labels.get(names.ENV) != desired.env]
    taken = []
    for resource in desired.resources:
        for port in _fixed(resource):
            holder = _holder(port, others)
            if not holder and not reader.remote and not any(_meet(port, held) for held in own) and _is_bound(port):
                holder = SOMEBODY
            if holder:
                taken.append((resource.address, f"{port.address}:{port.host}/{port.protocol} is held by {holder}"))
    if taken:
        address = taken[0][0]
        told = "; ".join(what for _, what in taken)
        raise Conflict(f"{desired.env}: {told}", code="conflict.port", hint=hint, where=Where(address=address))


def _fixed(resource: Resource) -> Iterator[Port]:
    spec = resource.spec
    if isinstance(spec, ContainerSpec):
        yield from (port for port in spec.config.ports if port.host)
    elif isinstance(spec, ServiceSpec):
        for item in spec.settings.get("ports") or ():
            published = str(item.get("published") or "")
            if published.isdigit():  # a range lets the engine choose
                address = str(item.get("host_ip") or "0.0.0.0")
                yield Port(int(item["target"]), int(published), address, str(item.get("protocol", "tcp")))


def _holder(port: Port, boxes: list[ContainerState]) -> str:
    """Return which container holds a port, in words, "" when none does."""
    for box in boxes:
        if any(_meet(port, held) for held in box.published):
            return f"{box.name}, of the environment {box.labels.get(names.ENV, '')}"
    return ""


def _meet(one: Port, other: Port) -> bool:
    if (one.host, one.protocol) != (other.host, other.protocol):
        return False
    return one.address == other.address or bool(EVERYWHERE & {one.address, other.address})


def _is_bound(port: Port) -> bool:
    """Say whether a program of this host has bound a port; what cannot be told is left to the engine."""
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:  # what only waits for late packets holds nothing
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.address, port.host))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
