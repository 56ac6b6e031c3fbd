"""Proxies of Go modules; sources: ``go help environment``, https://go.dev/ref/mod#environment-variables."""

from __future__ import annotations

import re
from pathlib import Path

from envspec.host_network.values import Found, Host, guarded, machine_of, text_of
from envspec.model import Hidden

DEFAULTS = {"GOPROXY": "https://proxy.golang.org,direct", "GOSUMDB": "sum.golang.org"}

NAMES = ("GOFLAGS", "GOINSECURE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOVCS")
"""What tells Go where modules come from, and which of them are nobody else's business."""


def find(host: Host) -> Found:
    """Return what Go is told, by variables or by ``go env -w``."""
    named = host.environ.get("GOENV", "")
    path = Path(named) if named else host.config / "go" / "env"
    written = {} if named == "off" else dict(_pairs(text_of(path)))
    values = {name: host.environ.get(name) or written.get(name, "") for name in NAMES}
    kept = {name: value for name, value in values.items() if value and value != DEFAULTS.get(name)}
    kept = {name: value for name, value in kept.items() if _is_usable(name, value)}
    variables: dict[str, str | Hidden] = {name: guarded(value) for name, value in kept.items()}
    machines = frozenset(filter(None, map(machine_of, re.split(r"[,|]", kept.get("GOPROXY", "")))))
    sources = [name if host.environ.get(name) else str(path) for name in kept]
    told = (f"go from {', '.join(dict.fromkeys(sources))}",) if kept else ()
    return Found(variables, machines=machines, told=told)


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return [(name.strip(), value.strip()) for name, _, value in lines]


def _is_usable(name: str, value: str) -> bool:
    """Leave out what names a place of this host: a proxy that is a directory, flags with paths."""
    if name == "GOPROXY":
        return all(word in ("direct", "off") or machine_of(word) for word in re.split(r"[,|]", value.strip()))
    return name != "GOFLAGS" or "/" not in value
