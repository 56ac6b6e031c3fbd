"""What every command prints with: the JSON envelope, colours, tables."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

import click

from envspec.errors import EnvspecError


def leave(code: int) -> NoReturn:
    """Leave the process at once: to take itself down costs Python as much again as half of a light command's work."""
    with contextlib.suppress(OSError):  # what is printed is flushed as it is, and a failure told by then
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


class Painter:
    """Gives text its colour, or leaves it as it is.

    Args:
        enabled: Whether the reader shows colours.
    """

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def good(self, text: str) -> str:
        """Return text for what went well or is added."""
        return self._style(text, "green")

    def bad(self, text: str) -> str:
        """Return text for what failed or is lost."""
        return self._style(text, "red")

    def change(self, text: str) -> str:
        """Return text for what changes."""
        return self._style(text, "yellow")

    def bold(self, text: str) -> str:
        """Return text that stands out."""
        return click.style(text, bold=True) if self.enabled else text

    def dim(self, text: str) -> str:
        """Return text that stands back."""
        return click.style(text, dim=True) if self.enabled else text

    def _style(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour) if self.enabled else text


def painter(stream: TextIO) -> Painter:
    """Return the painter for a stream: colours on a terminal only, and never against https://no-color.org."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return Painter(stream.isatty() and not plain)


def is_interactive(stream: TextIO) -> bool:
    """Say whether a person can be asked on a stream."""
    return stream.isatty()


def print_text(text: str) -> None:
    """Print text on standard output, with the colours that it has."""
    click.echo(text, color=True)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output, on one line, as the events before it are."""
    import json  # noqa: PLC0415 - `exec` and `--help` do without it

    click.echo(json.dumps(document, ensure_ascii=False))


def print_result(result: Any) -> None:
    """Print the envelope of a command that did what it was asked.

    Args:
        result: A value that :func:`envspec.model.to_json` has a form for.
    """
    from envspec.model import to_json  # noqa: PLC0415 - `exec` and `--help` do without the model

    print_json({"ok": True, "result": to_json(result)})


def print_failure(error: EnvspecError) -> None:
    """Print the envelope of a command that failed in a way it reports itself."""
    print_json({"ok": False, "error": error.as_json()})


def megabytes(size: int) -> str:
    """Return a number of bytes as engines print sizes: in megabytes of a million."""
    return f"{size / 1_000_000:.0f} MB"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns, the last one ragged."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
