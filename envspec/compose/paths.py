"""Where paths of a document really lead: inside the project, out of it, or to an engine."""

from __future__ import annotations

import os
from pathlib import Path

from envspec import hostpath

SOCKETS = (
    "/run/docker.sock",
    "/run/containerd",
    "/run/crio",
    "/run/podman",
    "/run/buildkit",
    "/run/user",
)
"""Where engines listen; whoever is given one of these is given the host."""

SOCKET_NAMES = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock", "buildkitd.sock")
"""What engines call their sockets, wherever they lie."""


def real(path: str | Path, directory: Path) -> Path:
    """Return where a path leads, symlinks followed, relative ones from a directory."""
    return hostpath.real(directory / path)


def expanded(path: str) -> str:
    """Return a path with the home that it begins with, as it is where nobody has that name."""
    return os.path.expanduser(path)  # noqa: PTH111 - the other one raises where there is no such user


def is_missing(path: Path) -> bool:
    """Say whether nothing lies at a path; where that cannot be told, something may."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def lies_inside(path: Path, directory: Path) -> bool:
    """Say whether a real path is a directory or lies below it."""
    return path.is_relative_to(hostpath.real(directory))


def reaches_engine(path: Path) -> bool:
    """Say whether a bind of a real path shows an engine's socket: it is one, or lies above or below a known place."""
    if path.name in SOCKET_NAMES:
        return True
    places = [hostpath.real(Path(place)) for place in (*SOCKETS, *_own_socket())]
    return any(place.is_relative_to(path) or path.is_relative_to(place) for place in places)


def _own_socket() -> tuple[str, ...]:
    """Return the socket that this process would talk to, where the environment names one."""
    host = os.environ.get("DOCKER_HOST", "")
    return (host.removeprefix("unix://"),) if host.startswith("unix://") else ()
