"""Environments as text: pure functions from values to lines."""

from __future__ import annotations

from envspec.api import EnvironmentRow, EnvironmentStatus, ServiceRow
from envspec.cli.output import Painter, line, megabytes, table
from envspec.engine.usage import Usage


def list_lines(rows: tuple[EnvironmentRow, ...]) -> list[str]:
    """Return a table of environments."""
    if not rows:
        return ["There is no environment on this engine."]
    head = ("NAME", "STATUS", "SERVICES", "PURPOSE", "IMAGE", "PORTS", "SPEC")
    return table([head, *(_row(row) for row in rows)])


def _row(row: EnvironmentRow) -> tuple[str, ...]:
    up = f"{row.services_up}/{len(row.services)} up" if row.services else ""
    status = f"{row.status} (cannot be read: {', '.join(row.unread)})" if row.unread else row.status
    return (row.name, status, up, row.purpose, row.image, ", ".join(row.ports), row.spec)


def status_lines(status: EnvironmentStatus, paint: Painter) -> list[str]:
    """Return one environment, a fact a line; what it does not have is left out."""
    state = paint.good(status.status) if status.status == "running" else paint.bad(status.status)
    limits = (f"{name} {_limit(name, value)}" for name, value in sorted(status.limits.items()))
    facts = (
        ("status", state),
        ("health", status.health),
        ("container", f"{status.container} ({status.container_id[:12]})"),
        ("image", status.image),
        ("base image", status.base),
        ("spec", status.spec),
        ("user", status.user),
        ("workspace", status.workdir),
        ("services", "\n".join(_service(service) for service in status.services)),
        ("limits", ", ".join(limits)),
        ("uses", "\n".join(f"{name}: {_used(usage)}" for name, usage in sorted(status.usage.items()))),
        ("ports", ", ".join(status.ports)),
        ("networks", ", ".join(status.networks)),
        ("mounts", "\n".join(status.mounts)),
        ("volumes", ", ".join(status.volumes)),
        ("variables", ", ".join(status.variables)),
        ("secrets", ", ".join(status.secrets)),
        ("secret files", "\n".join(status.secret_files)),
        ("session", status.session),
        ("persistent", "yes" if status.persistent else ""),
        ("expires", status.expires),
        ("ends", status.ends),
        ("cannot read", "\n".join(status.unread)),
        ("drift", "\n".join(status.drift or (() if status.drift is None else ("none",)))),
        ("applied", "\n".join(status.applied)),
        ("go inside", status.connect),
    )
    rows = [
        (name if index == 0 else "", text)
        for name, value in facts
        for index, text in enumerate(value.split("\n"))
        if value
    ]
    return [line(paint.bold(status.name)), *table(rows)]


def _service(row: ServiceRow) -> str:
    ports = f", {', '.join(row.ports)}" if row.ports else ""
    return f"{row.name}: {row.status}, {row.image}{ports}"


def _used(usage: Usage) -> str:
    memory = f"{megabytes(usage.memory)} of {megabytes(usage.memory_limit)}"
    return f"{memory}, {usage.cpu_percent:.1f} % of a processor, {usage.pids} processes"


def _limit(name: str, value: object) -> str:
    """Return a limit as people write it: bytes in the largest unit that divides them."""
    if name not in ("memory", "shm_size") or not isinstance(value, int):
        return str(value)
    for unit, size in (("g", 1024**3), ("m", 1024**2), ("k", 1024)):
        if value % size == 0:
            return f"{value // size}{unit}"
    return str(value)
