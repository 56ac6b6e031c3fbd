"""What is read of the host, and what was found: variables, files, and where they came from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from envspec.engine.facts import RUN_DIR
from envspec.model import Hidden

MAX_BYTES = 1024 * 1024
"""A larger file is no configuration of a package manager."""

_OWN_HOSTS = ("localhost", "127.0.0.1", "::1", "0.0.0.0")


@dataclass(frozen=True, slots=True)
class Host:
    """Where to look.

    Attributes:
        environ: The process's environment.
        home: Home directory of the user.
        root: Directory that stands for ``/``.
        has_ca: Whether a CA bundle comes inside.
    """

    environ: Mapping[str, str]
    home: Path
    root: Path = Path("/")
    has_ca: bool = False

    def system(self, path: str) -> Path:
        """Return a path below ``/``."""
        return self.root / path.lstrip("/")

    @property
    def config(self) -> Path:
        """Return the directory of the user's configuration; XDG base directory specification."""
        return Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config")

    def first(self, *names: str) -> str:
        """Return the value of the first variable that is set, "" when none is."""
        return next((value for name in names if (value := self.environ.get(name, ""))), "")


@dataclass(frozen=True, slots=True)
class Found:
    """What one package manager is told on the host.

    Attributes:
        variables: Variables by which it is told the same inside; :class:`Hidden` where they carry credentials.
        files: Files of the tmpfs, by name; likewise.
        machines: Names of the hosts that it asks, for ``netrc``.
        told: Where this comes from, in words without a URL.
    """

    variables: Mapping[str, str | Hidden] = field(default_factory=dict)
    files: Mapping[str, str | Hidden] = field(default_factory=dict)
    machines: frozenset[str] = frozenset()
    told: tuple[str, ...] = ()


def in_tmpfs(name: str) -> str:
    """Return where a file of ours lies, in containers and in builds alike."""
    return f"{RUN_DIR}/{name}"


def text_of(path: Path) -> str:
    """Return a file's text, "" where it cannot be read or is no such file."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return ""
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def toml_of(path: Path) -> Mapping[str, Any]:
    """Return the content of a TOML file, nothing where it is none."""
    try:
        return tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError:
        return {}


def table(value: object) -> Mapping[str, Any]:
    """Return a table of a configuration, an empty one where something else stands."""
    return value if isinstance(value, Mapping) else {}


def machine_of(url: str) -> str:
    """Return the host that a URL of the web names; "" for other URLs and for this host itself, out of reach inside."""
    try:
        parts = urlsplit(url)
        name = parts.hostname or ""
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or any(character.isspace() for character in url):
        return ""
    return "" if name in _OWN_HOSTS or name.endswith(".localhost") else name


def reachable(urls: Iterable[str]) -> tuple[str, ...]:
    """Return those URLs that may be reached from inside, in order, each once."""
    return tuple(dict.fromkeys(url for url in urls if machine_of(url)))


def has_credentials(text: str) -> bool:
    """Say whether a URL among the words of a text carries credentials."""
    for word in text.replace(",", " ").replace("|", " ").split():
        _, mark, rest = word.partition("://")
        if mark and "@" in rest.partition("/")[0]:
            return True
    return False


def guarded(text: str) -> str | Hidden:
    """Return a text, hidden where it carries credentials."""
    return Hidden(text) if has_credentials(text) else text
