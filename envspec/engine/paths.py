"""Where a path leads in a container that does not run and so cannot be asked: its links are followed one by one."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from envspec.engine.archive import PathFact
from envspec.errors import EngineCallFailed

MAX_LINKS = 40
"""Links that one path may lead through; Linux's own limit, path_resolution(7)."""

LINK = "link"

SHARED = 0o022
"""Permission bits by which others than its owner may write to a directory."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is at one path, whose directories are real ones; a link is not followed.

    Attributes:
        type: ``file``, ``dir``, ``link`` or ``other``; "" when nothing is there.
        link: Where a link leads, relative to its directory unless absolute.
        uid: Numeric owner, -1 where nobody knows.
        shared: Whether others than the owner may write to it.
    """

    type: str
    link: str = ""
    uid: int = 0
    shared: bool = False


def follow(path: str, look: Callable[[str], Seen]) -> PathFact:
    """Say where a path leads, as the kernel would in a container.

    Args:
        path: Absolute path.
        look: Says what is at a path.

    Raises:
        EngineCallFailed: It is a link that leads nowhere.
    """
    waiting = path.split("/")[::-1]
    real, kind, links, is_link = "/", "dir", 0, False
    passed, whose = {"/": Seen("dir")}, {0}
    while waiting:
        name = waiting.pop()
        if name in ("", "."):
            continue
        here = posixpath.dirname(real) if name == ".." else posixpath.join(real, name)
        seen = passed[here] if name == ".." else look(here) if kind == "dir" else Seen("")
        passed[here] = seen
        if seen.type == LINK:
            above = passed[posixpath.dirname(here)]
            whose.add(-1 if above.shared else above.uid)
            links += 1
            is_link = is_link or not any(waiting)
            waiting += seen.link.split("/")[::-1]
            real = "/" if seen.link.startswith("/") else real
        elif seen.type:
            real, kind = here, seen.type
        if not seen.type or links > MAX_LINKS:
            if is_link or links > MAX_LINKS:
                raise leads_nowhere(path)
            return PathFact("", path)
    others = whose - {0}
    foreign = -1 if len(others) > 1 else sum(others)
    return PathFact(kind, real, foreign, passed[real if kind == "dir" else posixpath.dirname(real)].uid)


def leads_nowhere(path: str) -> EngineCallFailed:
    """Return the error of a link that leads nowhere."""
    return EngineCallFailed(
        f"{path} is a link that leads nowhere", code="copy.link", hint="name the path that it must lead to"
    )
