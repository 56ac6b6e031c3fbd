"""Published ports as engines list them: ``127.0.0.1:8080->80/tcp, 0.0.0.0:5000-5001->5000-5001/tcp``."""

from __future__ import annotations

import re

from envspec.engine.objects import Port

_PUBLISHED = re.compile(
    r"(?:(?P<address>\S*):)?(?P<first>\d+)(?:-(?P<last>\d+))?->(?P<inner>\d+)(?:-\d+)?/(?P<protocol>\w+)"
)


def published(listed: str) -> tuple[Port, ...]:
    """Return the ports of the host in a column of ``ps``; ports that are merely exposed are none.

    Args:
        listed: The column of one container.
    """
    found: list[Port] = []
    for part in listed.split(","):
        match = _PUBLISHED.fullmatch(part.strip())
        if match is None:
            continue
        address = (match["address"] or "").strip("[]")
        if address in ("", ":", "::"):
            address = "::" if address else "0.0.0.0"
        first, inner = int(match["first"]), int(match["inner"])
        offsets = range(int(match["last"] or first) - first + 1)
        found += [Port(inner + offset, first + offset, address, match["protocol"]) for offset in offsets]
    return tuple(found)
