"""What came of things that were to end, as text."""

from __future__ import annotations

from envspec.api import Ended
from envspec.cli.output import Painter, megabytes, table

SHOWN = 5
"""How many of the things that went with an environment are named; JSON has them all."""


def lines(found: tuple[Ended, ...], paint: Painter, *, dry_run: bool) -> list[str]:
    """Return a line for each thing, and what was freed.

    Args:
        found: What came of each.
        paint: Gives colour.
        dry_run: Whether nothing was done.
    """
    if not found:
        return ["There is nothing to remove."]
    rows = [(_word(item, dry_run=dry_run), item.name, _why(item)) for item in found]
    told = [paint.bad(line) if item.kept else line for item, line in zip(found, table(rows), strict=True)]
    freed = sum(item.freed for item in found)
    return told + ([f"Freed up to {megabytes(freed)} of images."] if freed else [])


def _word(item: Ended, *, dry_run: bool) -> str:
    if item.kept:
        return "kept"
    return "would remove" if dry_run else "removed"


def _why(item: Ended) -> str:
    if item.kept:
        return f"{item.why}, but {item.kept}"
    more = f" and {len(item.lost) - SHOWN} more" if len(item.lost) > SHOWN else ""
    return f"{item.why}; with it went {', '.join(item.lost[:SHOWN])}{more}" if item.lost else item.why
