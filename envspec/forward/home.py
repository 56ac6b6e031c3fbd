"""Files of the user's home that a purpose brings along: secrets, and settings that are copied."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from envspec.forward.values import HomeFile

MAX_BYTES = 256 * 1024
"""A larger file is no file of settings."""

CREDENTIAL = re.compile(
    r"""(?<![\w.-])([\w.-]*(?:api[_-]?key|credential|passw(?:or)?d|secret|token))["']?"""
    r"""[ \t]*[:=][ \t]*["']?(?!\$)[^\s"']{8,}""",
    re.IGNORECASE,
)
"""A line of YAML, TOML, JSON or a shell that gives a credential, and not the name of a variable that holds it."""


def read(home: Path, paths: tuple[str, ...]) -> tuple[HomeFile, ...]:
    """Return those of the files that are there and are text, sorted by path.

    Args:
        home: The user's home.
        paths: Paths below it.
    """
    found = ((path, _text(home / path)) for path in sorted(set(paths)))
    return tuple(HomeFile(path, text) for path, text in found if text is not None)


def without_credentials(files: tuple[HomeFile, ...]) -> tuple[tuple[HomeFile, ...], tuple[str, ...]]:
    """Return the files that may lie in a container's filesystem, and what to tell of the others."""
    told, kept = [], []
    for file in files:
        match = CREDENTIAL.search(file.text)
        if match is None:
            kept.append(file)
            continue
        line = file.text.count("\n", 0, match.start(1)) + 1
        told.append(f"~/{file.path} stays on the host, for line {line} looks like a credential: name a variable there")
    return tuple(kept), tuple(told)


def _text(path: Path) -> str | None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
