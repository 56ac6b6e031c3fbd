"""What does not count as work, in one table: caches, logs, and packages that known managers installed.

Whoever asks for files that nobody declared, because a destructive step would lose them, passes these over. Everything
else counts. The probe is sent the table with its questions (``scripts/probe.sh``); four rules need more than a
pattern, and stand there and in :mod:`envspec.engine.fake_probe`:

- A directory that holds ``CACHEDIR.TAG`` is a cache (https://bford.info/cachedir/), such as cargo's ``target``.
- A directory that holds ``pyvenv.cfg`` is a virtual environment: what its making put there is no work, what else lies
  in it is.
- What the ``RECORD`` of an installed Python package lists, outside ``site-packages`` too, is that package.
- What changed in the system's own directories while dpkg ran, by its log, is dpkg's; what changed there at another
  time, such as a configuration file that somebody edited, is work. Of apk, dnf and rpm only their databases are known.

What a manager writes to be committed, such as ``Cargo.lock`` or ``package-lock.json``, is work: git says whether it is
ignored, and a lock file that nobody committed is one that somebody may miss.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Row:
    """What one manager or habit leaves behind.

    Attributes:
        of: Whose it is.
        names: Patterns of the names of files or directories, wherever they are.
        paths: Patterns of absolute paths; ``*`` stands for any text, slashes too.
        links: Patterns of what a symbolic link leads to, for commands that are links into an installed package.
    """

    of: str
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


TABLE = (
    Row("envspec", names=(".envspec-*",)),
    Row(
        "the system",
        paths=(
            *("/tmp", "/var/tmp", "/run", "/proc", "/sys", "/dev", "/var/cache", "/var/log"),
            *("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/.dockerenv"),
        ),
    ),
    Row("apt and dpkg", paths=("/var/lib/apt", "/var/lib/dpkg")),
    Row("apk", paths=("/lib/apk/db", "/usr/lib/apk/db", "/var/lib/apk")),
    Row("dnf and rpm", paths=("/var/lib/dnf", "/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/lib/sysimage/libdnf5")),
    Row("caches by their name", names=(".cache", "__pycache__", "*.pyc")),
    Row("shells, pagers, editors", names=(".*_history", ".lesshst", ".viminfo", ".wget-hsts")),
    Row("ssh", paths=("*/.ssh/known_hosts", "*/.ssh/known_hosts.old")),
    Row(
        "Python: pip, uv, pipx, test runners",
        names=(
            *(".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox"),
            *(".eggs", "*.egg-info", ".ipynb_checkpoints"),
        ),
        paths=("*/.local/share/uv", "*/.local/share/pipx", "*/.local/pipx", "*/.local/share/virtualenv"),
        links=("*/uv/tools/*", "*/uv/python/*", "*/pipx/venvs/*"),
    ),
    Row(
        "Node: npm, yarn, pnpm, bun",
        names=("node_modules", ".npm", ".pnpm-store"),
        paths=("*/.yarn/cache", "*/.yarn/berry", "*/.local/share/pnpm", "*/.bun/install", "*/.config/configstore"),
        links=("*node_modules/*",),
    ),
    Row(
        "Rust: cargo, rustup",
        names=(".rustup",),
        paths=tuple(
            f"*{home}/{part}"
            for home in ("/.cargo", "/usr/local/cargo")
            for part in ("registry", "git", "bin", ".package-cache*", ".global-cache*", ".crates.toml", ".crates2.json")
        ),
    ),
    Row("Go", paths=("*/go/pkg/mod", "*/go/pkg/sumdb", "*/go/bin", "*/.config/go/telemetry")),
    Row("Java: Maven, Gradle", paths=("*/.m2/repository", "*/.gradle/caches", "*/.gradle/wrapper", "*/.gradle/daemon")),
    Row("Ruby", paths=("*/.gem", "*/.local/share/gem", "*/.bundle/cache")),
    Row(".NET", paths=("*/.nuget/packages", "*/.dotnet")),
)
"""What does not count as work."""

NAMES = tuple(name for row in TABLE for name in row.names)
PATHS = tuple(path for row in TABLE for path in row.paths)
LINKS = tuple(link for row in TABLE for link in row.links)

PACKAGES = re.compile(r"/(site|dist)-packages/")
"""Begins, in a path, what Python's installers put there."""

MADE_WITH_ENVIRONMENT = re.compile(
    r"(pyvenv\.cfg|CACHEDIR\.TAG|\.gitignore|\.lock|lib64|include/.*|bin/(python|pypy|activate|Activate|deactivate|pydoc)[^/]*)"
)
"""What is in a virtual environment, relative to it, before anything is installed."""


def passed_over(path: str) -> bool:
    """Say whether the names in a path alone say that it is no work.

    Args:
        path: A path, absolute or relative.
    """
    if PACKAGES.search(path):
        return True
    parts = path.split("/")
    if any(fnmatchcase(part, name) for part in parts for name in NAMES):
        return True
    tops = ("/".join(parts[: number + 1]) for number in range(len(parts)))
    return any(fnmatchcase(top, pattern) for top in tops for pattern in PATHS)
