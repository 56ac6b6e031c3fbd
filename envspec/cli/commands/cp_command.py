"""``envspec cp``: copy files and trees into an environment and out of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from envspec.cli import options, output
from envspec.errors import UsageError

if TYPE_CHECKING:
    from envspec.inside.copy_box import Copied

_MIB = 1 << 20


@click.command()
@options.engine_options
@click.argument("source", metavar="SRC|ENV:SRC|-")
@click.argument("destination", metavar="ENV:DST|DST|-")
@options.json_option
def command(source: str, destination: str, as_json: bool) -> None:
    """Copy a file or a tree into ENV, or out of it; ENV need not run.

    A directory takes the source under its name, else the source gets the name DST. `SRC/.` stands for what is in SRC.
    Paths inside are relative to the workspace. `-` is a tar stream. A local path with a colon begins with `./`.

    What comes in belongs to the environment's user; modes and times are kept. What comes out belongs to you, without
    setuid and write permission for others; devices and links that lead out are left out, and named.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import output, progress  # noqa: PLC0415 - the same

    coming, going = _parse(source), _parse(destination)
    if (coming is None) is (going is None):
        raise UsageError("one of the two must be ENV:PATH", code="copy.usage", hint="`envspec cp file shop:/etc/`")
    if destination == "-" and as_json:
        raise UsageError("standard output is the tar stream's", code="copy.usage", hint="leave --json out")
    engine = options.open_engine()
    shown = progress.progress(as_json=as_json)
    try:
        if going:
            stream = sys.stdin.buffer if source == "-" else source
            copied = api.copy_in(stream, *going, emit=shown, engine=engine)
        else:
            assert coming is not None
            out = sys.stdout.buffer if destination == "-" else destination
            copied = api.copy_out(*coming, out, emit=shown, engine=engine)
    finally:
        shown.pause()
    if as_json:
        output.print_result(copied)
        return
    _tell(copied)


def _parse(text: str) -> tuple[str, str] | None:
    """Return environment and path of ``ENV:PATH``, ``None`` of a local path."""
    env, colon, path = text.partition(":")
    if not colon or "/" in env or not env:
        return None
    return env, path


def _tell(copied: Copied) -> None:
    for item in copied.left_out:
        output.say(output.line(f"left out: {item.path} {item.reason}"))
    for note in copied.notes:
        output.say(output.line(f"note: {note}"))
    count = f"{copied.files} {'file' if copied.files == 1 else 'files'}"
    output.say(output.line(f"{copied.target}: {count}, {copied.bytes / _MIB:.1f} MiB"))
