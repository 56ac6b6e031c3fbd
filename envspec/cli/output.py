"""What every command prints with: the JSON envelope, colours, tables."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TextIO

import click

from envspec.errors import EnvspecError
from envspec.visible import one_line, visible, within_json


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
        return self._style(text, fg="green")

    def bad(self, text: str) -> str:
        """Return text for what failed or is lost."""
        return self._style(text, fg="red")

    def change(self, text: str) -> str:
        """Return text for what changes."""
        return self._style(text, fg="yellow")

    def bold(self, text: str) -> str:
        """Return text that stands out."""
        return self._style(text, bold=True)

    def dim(self, text: str) -> str:
        """Return text that stands back."""
        return self._style(text, dim=True)

    def _style(self, text: str, **style: Any) -> str:
        if not self.enabled:
            return text
        # Whatever the text brings along has no mark before it, and shows as an escape.
        begin, _, end = click.style("\0", **style).partition("\0")
        return f"{_mark()}{begin}{text}{_mark()}{end}"


@functools.cache
def _mark() -> str:
    """Return what stands before every colour of ours until it is printed; nobody else can know it."""
    return "".join(chr(0x100000 + int.from_bytes(os.urandom(2)) % 0xFFFD) for _ in range(4))


def terminal_text(text: str) -> str:
    """Return text as it goes to a terminal: our own colours as they are, all else that would steer it as escapes."""
    return _but_colours(visible, text)


def line(text: str) -> str:
    """Return text that is one line, with the marks of our own colours; a line feed in it is an escape."""
    return _but_colours(one_line, text, _mark())


def _but_colours(shown: Callable[[str], str], text: str, kept: str = "") -> str:
    """Pass all but our own colours through a function; ``kept`` stands before them afterwards."""
    parts = re.split(rf"{_mark()}(\x1b\[\d+m)", text)
    return "".join(f"{kept}{part}" if index % 2 else shown(part) for index, part in enumerate(parts))


def painter(stream: TextIO) -> Painter:
    """Return the painter for a stream: colours on a terminal only, and never against https://no-color.org."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return Painter(stream.isatty() and not plain)


def is_interactive(stream: TextIO) -> bool:
    """Say whether a person can be asked on a stream."""
    return stream.isatty()


def print_text(text: str) -> None:
    """Print text on standard output, with the colours that a painter gave it; see :func:`terminal_text`."""
    click.echo(terminal_text(text), color=True)


def say(text: str) -> None:
    """Print text on standard error, likewise."""
    click.echo(terminal_text(text), err=True, color=True)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output, on one line, as the events before it are."""
    import json  # noqa: PLC0415 - `exec` and `--help` do without it

    click.echo(within_json(json.dumps(document, ensure_ascii=False)))


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


def is_utf8(data: bytes) -> bool:
    """Say whether bytes are text, so that JSON can hold them as they are."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def megabytes(size: int) -> str:
    """Return a number of bytes as engines print sizes: in megabytes of a million."""
    return f"{size / 1_000_000:.0f} MB"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns, the last one ragged; no cell breaks its line."""
    rows = [[line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
