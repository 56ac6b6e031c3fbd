"""Fixed ports of the host that an environment wants, and who holds them already."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from envspec.engine.base import Reader
from envspec.engine.objects import ContainerState, Port
from envspec.errors import Conflict, Where
from envspec.kinds import names
from envspec.kinds.container import ContainerSpec
from envspec.kinds.service_state import ServiceSpec
from envspec.model import Desired, Plan, Resource

EVERYWHERE = frozenset({"0.0.0.0", "::"})
"""Addresses that stand for all of a host."""

SOMEBODY = "a program of this host"

_LISTENS = "0A"
"""State of a TCP socket that listens, in ``/proc/net/tcp``."""


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
    found = taken(reader, desired.env, desired.resources)
    if found:
        told = "; ".join(what for _, what in found)
        raise Conflict(f"{desired.env}: {told}", code="conflict.port", hint=hint, where=Where(address=found[0][0]))


def foreseen(reader: Reader, desired: Desired, plan: Plan) -> Plan:
    """Return a plan with a note for each fixed port that a changed container wants and somebody else holds now.

    It is a note, for whoever holds the port may be gone by the time of the apply.

    Args:
        reader: The engine; it is asked only where a container that changes has a fixed port.
        desired: The desired state.
        plan: The plan.
    """
    changed = {change.address for change in plan.changes}
    held = taken(reader, desired.env, (one for one in desired.resources if one.address in changed))
    notes = tuple(f"{address}: {what}; apply fails unless it is free by then" for address, what in held)
    return dataclasses.replace(plan, notes=(*plan.notes, *notes)) if notes else plan


def taken(reader: Reader, env: str, resources: Iterable[Resource]) -> list[tuple[str, str]]:
    """Return the fixed ports that resources want and somebody else holds: each with the address, and who, in words.

    Args:
        reader: The engine.
        env: The environment, whose own containers do not count.
        resources: What wants ports.
    """
    wanted = [(resource.address, port) for resource in resources for port in _fixed(resource)]
    if not wanted:
        return []
    boxes = reader.containers()
    own = {box.name: box.published for box in boxes if box.labels.get(names.ENV) == env}
    others = [box for box in boxes if box.labels.get(names.ENV) != env]
    foreign = {name: ports for name, ports in reader.publishers().items() if name not in own}
    found = []
    for address, port in wanted:
        holder = _holder(port, others) or _foreign_holder(port, foreign)
        mine = any(_meet(port, held) for ports in own.values() for held in ports)
        if not holder and not reader.remote and not mine and _is_bound(port):
            holder = program_at(port) or SOMEBODY
        if holder:
            found.append((address, f"{port.address}:{port.host}/{port.protocol} is held by {holder}"))
    return found


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


def _foreign_holder(port: Port, foreign: Mapping[str, tuple[Port, ...]]) -> str:
    """Return which container that is not of envspec holds a port, in words, "" when none does."""
    found = sorted(name for name, ports in foreign.items() if any(_meet(port, held) for held in ports))
    return f"the container {found[0]}" if found else ""


def program_at(port: Port, proc: Path = Path("/proc")) -> str:
    """Return which process of this host has bound a port, ``nginx (process 812)``; "" where it cannot be seen.

    See ``proc(5)``: the kernel lists sockets with their inodes, and each process what it has open.
    """
    inodes = {inode for name in (port.protocol, f"{port.protocol}6") for inode in _inodes(proc / "net" / name, port)}
    for directory in sorted(proc.glob("[0-9]*/fd")) if inodes else ():
        with contextlib.suppress(OSError):  # it is somebody else's, or ended meanwhile
            if any(str(link.readlink()) in inodes for link in directory.iterdir()):
                return f"{(directory.parent / 'comm').read_text().strip()} (process {directory.parent.name})"
    return ""


def _inodes(table: Path, port: Port) -> Iterator[str]:
    """Yield the sockets that are bound to a port and listen, or may receive, as a process's list of files has them."""
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return
    for fields in map(str.split, lines):
        bound = int(fields[1].rpartition(":")[2], 16)
        if bound == port.host and (port.protocol != "tcp" or fields[3] == _LISTENS):
            yield f"socket:[{fields[9]}]"


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
