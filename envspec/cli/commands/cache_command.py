"""``envspec cache``: the images that environments share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from envspec.cli import options, output

if TYPE_CHECKING:
    from envspec import api


_SPANS = ((86400, "d"), (3600, "h"), (60, "min"))


@click.group()
def command() -> None:
    """List and clear the images that environments share: those of purposes, and bootstrapped bases."""


@command.command("list")
@options.engine_options
@options.json_option
def list_(as_json: bool) -> None:
    """List them with their sizes and when each was last used.

    That is when the newest container which exists of it was made, or else when it was built: engines remember no
    container that is gone. Sizes include the layers that images share.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    rows = api.cached_images(engine=options.open_engine())
    if as_json:
        output.print_result(rows)
    elif rows:
        head = ("IMAGE", "PURPOSE", "SIZE", "LAST USED", "USED BY")
        output.print_text("\n".join(output.table([head, *map(_line, rows)])))
    else:
        output.print_text("There is no image of envspec on this engine.")


@command.command("clear")
@options.engine_options
@click.argument("purpose", required=False, default="")
@options.json_option
def clear(purpose: str, as_json: bool) -> None:
    """Remove the images that no container uses: all, or those of PURPOSE (`base` for bootstrapped bases).

    The next apply that wants one builds it again.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    cleared = api.clear_cache(purpose, engine=options.open_engine())
    if as_json:
        output.print_result(cleared)
        return
    lines = [f"removed  {ref}" for ref in cleared.removed]
    lines += [f"kept     {ref}: {why}" for ref, why in cleared.kept]
    lines.append(f"Freed up to {output.megabytes(cleared.freed)}." if cleared.removed else "Nothing to remove.")
    output.print_text("\n".join(lines))


def _line(row: api.CachedImage) -> tuple[str, ...]:
    by = row.last_used_by or "no container"
    return (
        row.ref,
        row.purpose,
        output.megabytes(row.size),
        f"{_ago(time.time() - row.last_used)} ({by})",
        ", ".join(row.used_by),
    )


def _ago(seconds: float) -> str:
    """Return how long ago something was, in the largest unit that fits."""
    for span, unit in _SPANS:
        if seconds >= span:
            return f"{seconds // span:.0f} {unit} ago"
    return "just now"
