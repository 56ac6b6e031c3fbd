"""What a killed Podman leaves of a container that it was about to create: a place in its storage, which keeps the name.

No list shows it but the one of ``--external``, and Podman refuses to create a container of its name. While a container
is created it looks the same for a moment, so only what stays so is left over.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator

from envspec.engine.operations import Completed
from envspec.engine.part import Part

AGE = 10.0
"""Seconds after which a container whose creation goes on is there; it took 0.3 s at most when both cores were busy."""

INTERVAL = 0.2
"""Seconds between two looks."""

STORAGE = "storage"
"""Podman's word for the state, and the command, of what is in its storage only; a build's command is ``buildah``."""

ASK = ("ps", "--all", "--external", "--no-trunc", "--format", "json")

Run = Callable[..., Completed]


def remove_leftovers(run: Run, pattern: str) -> bool:
    """Remove what a kill left of containers, and say whether a name may be free that was not.

    Args:
        run: Runs a command of Podman's.
        pattern: Regular expression that their names match as a whole.
    """
    until, seen = time.monotonic() + AGE, False
    while found := tuple(_leftovers(run, pattern)):
        seen = True
        if time.monotonic() > until or all(time.time() - created > AGE for _, created in found):
            run("rm", "--force", "--", *(identity for identity, _ in found))
            break
        time.sleep(INTERVAL)
    return seen


def _leftovers(run: Run, pattern: str) -> Iterator[tuple[str, float]]:
    """Yield ID and time of creation of what is in the storage only."""
    for row in _rows(run(*ASK)):
        is_left = row.text("State") == STORAGE and row.texts("Command") == (STORAGE,)
        if is_left and any(re.fullmatch(pattern, name) for name in row.texts("Names")):
            yield row.text("Id"), row.number("Created")


def _rows(completed: Completed) -> Iterator[Part]:
    try:
        rows = json.loads(completed.stdout)
    except ValueError:
        return
    yield from map(Part, rows if isinstance(rows, list) else ())
