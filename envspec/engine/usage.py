"""What containers use of the host, as the engines' ``stats`` tell it; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SIZE = re.compile(r"([0-9.]+)\s*([kKMGTP]?)(i?)B")
_POWERS = {unit: power for power, unit in enumerate(("", "k", "M", "G", "T", "P"))}


@dataclass(frozen=True, slots=True)
class Usage:
    """What one container uses at the moment.

    Attributes:
        container: ID of the container, shortened as the engine prints it.
        cpu_percent: Percent of one processor.
        memory: Bytes of memory.
        memory_limit: Bytes that it may use, the host's memory where there is no limit.
        pids: Processes and threads.
    """

    container: str
    cpu_percent: float
    memory: int
    memory_limit: int
    pids: int


def read(text: str) -> tuple[Usage, ...]:
    """Return what ``stats --no-stream --format json`` printed: Docker an object a line, Podman one list."""
    documents = json.loads(text) if text.lstrip().startswith("[") else map(json.loads, text.splitlines())
    return tuple(map(_one, documents))


def _one(found: Mapping[str, Any]) -> Usage:
    fields = {name.replace("_", "").lower(): str(value) for name, value in found.items()}
    used, _, limit = fields.get("memusage", "").partition("/")
    cpu = fields.get("cpuperc") or fields.get("cpupercent") or ""
    pids = fields.get("pids", "")
    return Usage(fields.get("id", ""), _number(cpu), _bytes(used), _bytes(limit), int(_number(pids)))


def _number(text: str) -> float:
    try:
        return float(text.removesuffix("%"))
    except ValueError:  # `--`, of a container that stopped meanwhile
        return 0.0


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if not match:
        return 0
    unit = "k" if match[2] == "K" else match[2]
    factor: int = (1024 if match[3] else 1000) ** _POWERS[unit]
    return round(float(match[1]) * factor)
