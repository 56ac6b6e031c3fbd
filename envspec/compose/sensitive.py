"""Places of the host that no container is given, and no file taken from, unless the user allows it by name.

Paths are judged by where they really lead, symlinks followed. A bind of a directory above such a place gives the place
away too.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from envspec import hostpath

SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr"),
    *("/var/lib", "/var/spool"),
)
"""The host's own: its programs, configuration, devices, kernel, accounts, and what its services keep (CIS 5.5)."""

OPEN = (
    *("/dev/shm", "/run/secrets", "/run/credentials"),
    *("/etc/ca-certificates", "/etc/localtime", "/etc/ssl/certs", "/etc/timezone"),
    *("/usr/local/share/ca-certificates", "/usr/share/ca-certificates", "/usr/share/zoneinfo", "/usr/src"),
)
"""Places below those that are made to be handed on: certificates, the time zone, memory, secrets of a service."""

PRIVATE = (
    *(".aws", ".azure", ".bash_history", ".config/gcloud", ".config/gh", ".docker", ".git-credentials", ".gnupg"),
    *(".kube", ".local/share/keyrings", ".mozilla", ".netrc", ".password-store", ".ssh", ".config/google-chrome"),
    *(".bash_profile", ".bashrc", ".config/autostart", ".config/systemd", ".profile", ".zshrc"),
)
"""What lies in homes and lets its reader or writer be the user: keys, logins, and what starts with a session."""

_HOMES = Path("/home")


def why(path: Path) -> str:
    """Return why the user is asked about a real path, "" where they are not.

    Args:
        path: A real path, as :func:`envspec.compose.paths.real` returns it.
    """
    own = _own_homes()
    for home in sorted({*own, *_homes_of(path)}):
        if home.is_relative_to(path):
            return f"{path} is a whole home" if path == home else f"{path} holds the home {home}"
        private = next((home / name for name in PRIVATE if _touch(path, home / name)), None)
        if private:
            verb = "holds" if private.is_relative_to(path) else "lies in"
            return f"{path} is private" if path == private else f"{path} {verb} {private}"
    if any(path.is_relative_to(home) for home in own) or any(_lies_in(path, place) for place in OPEN):
        return ""
    found = next((place for place in (*SYSTEM, "/root") if _touch(path, Path(place))), "")
    if not found:
        return ""
    return f"{path} holds {found} of the host" if _above(path, found) else f"{path} is the host's own"


def _own_homes() -> set[Path]:
    """Return the homes of whoever runs this: the one of the environment and the one of the account."""
    named = [os.environ.get("HOME", "")]
    with contextlib.suppress(KeyError):
        named.append(pwd.getpwuid(os.geteuid()).pw_dir)
    # A service's account may have a home such as `/`, which makes nothing below it the user's.
    homes = (hostpath.real(Path(name)) for name in named if name.startswith("/"))
    return {home for home in homes if len(home.parts) > 1 and not any(_lies_in(home, place) for place in SYSTEM[:-2])}


def _homes_of(path: Path) -> Iterator[Path]:
    """Yield the homes of others that a path is, or lies in."""
    if path.is_relative_to(_HOMES):
        yield _HOMES / path.relative_to(_HOMES).parts[0] if path != _HOMES else _HOMES / "everybody"


def _touch(path: Path, place: Path) -> bool:
    """Say whether one of two paths is the other or lies below it, symlinks of the place followed."""
    real = hostpath.real(Path(place))
    return path.is_relative_to(real) or real.is_relative_to(path)


def _lies_in(path: Path, place: str) -> bool:
    return path.is_relative_to(hostpath.real(Path(place))) or path.is_relative_to(place)


def _above(path: Path, place: str) -> bool:
    return path != Path(place) and hostpath.real(Path(place)).is_relative_to(path)
