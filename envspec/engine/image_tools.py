"""What an image has of the tools that work inside needs, seen in its layers where they lie on this host.

Both engines tell where the layers of an overlay lie. Who may read them, root here, learns before anything is made what
a container of the image would show too late; everybody else learns it from that container.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from envspec.engine.part import Part

TOOLS = ("awk", "find", "sh", "sha256sum", "sleep", "stat", "tar")
"""What the scripts call; the image of a workspace has them in one of :data:`PLACES`."""

PLACES = ("usr/sbin", "usr/bin", "sbin", "bin")
"""The directories where root looks programs up, as in ``entry.sh``."""


def layers_of(graph: Part) -> tuple[str, ...]:
    """Return the directories of an image's layers, the topmost first, () where it has no overlay.

    Args:
        graph: ``GraphDriver`` of its ``inspect``.
    """
    data = graph.part("Data")
    if graph.text("Name") not in {"overlay", "overlay2"} or not (upper := data.text("UpperDir")):
        return ()
    return (upper, *filter(None, data.text("LowerDir").split(":")))


def lacking(layers: Sequence[str]) -> tuple[str, ...]:
    """Return the tools that an image does not have, sorted; () also where that cannot be seen.

    Args:
        layers: Directories of its layers, the topmost first.
    """
    roots = [Path(layer) for layer in layers]
    if not roots or not all(os.access(root, os.R_OK | os.X_OK) for root in roots):
        return ()
    if any(_leads_elsewhere(root / place) for root in roots for place in PLACES):
        return ()
    return tuple(tool for tool in TOOLS if not any(_has(roots, f"{place}/{tool}") for place in PLACES))


def _leads_elsewhere(place: Path) -> bool:
    """Say whether a directory is a link to one where nobody looks here."""
    return place.is_symlink() and str(place.readlink()).strip("/") not in PLACES


def _has(roots: Sequence[Path], path: str) -> bool:
    """Say whether the topmost layer that knows of a path has something there: a device 0, 0 hides what lies below."""
    for root in roots:
        if (root / path).parent.is_symlink():
            continue
        try:
            found = (root / path).lstat()
        except OSError:
            continue
        return not (stat.S_ISCHR(found.st_mode) and found.st_rdev == 0)
    return False
