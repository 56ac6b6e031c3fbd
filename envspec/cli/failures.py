"""Turns whatever was raised into text or JSON, and into an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence

import click

from envspec.cli import output
from envspec.errors import EnvspecError, Interrupted, SpecFaults, StepFailed, UsageError, near

DEBUG = "ENVSPEC_DEBUG"
"""Variable that, set to 1, prints tracebacks."""

BUG_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits(3)."""

_LONGEST_PATH = 80
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNUSABLE = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS})
"""What is wrong with a path that somebody gave, and never with envspec."""


def wants_json(words: Sequence[str]) -> bool:
    """Say whether a command line asks for JSON; what follows ``--`` is somebody else's command."""
    own = words[: words.index("--")] if "--" in words else words
    return "--json" in own


def show(error: BaseException, *, as_json: bool) -> int:
    """Print an error where it belongs and return the exit code.

    Args:
        error: What was raised.
        as_json: Whether to print the JSON envelope on standard output instead of text on standard error.
    """
    known = _known(error)
    if os.environ.get(DEBUG) == "1":
        sys.excepthook(type(error), error, error.__traceback__)
    if known is None:
        known = _bug(error)
    try:
        if as_json:
            output.print_json({"ok": False, "error": known.as_json()})
        else:
            _print(known)
    except OSError:  # where nothing can be written, the other stream and the exit code have to tell
        with contextlib.suppress(OSError):
            _print(known)
    _drop_unwritten()
    return known.exit_code


def _drop_unwritten() -> None:
    """Let go of output that cannot be written, or Python would try once more as it ends, and then exit with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def unknown_command(name: str, known: Sequence[str]) -> UsageError:
    """Return the error for a command that does not exist, with the nearest one as a hint."""
    from envspec.cli.other_words import answer  # noqa: PLC0415 - only a mistake pays for it

    meant = near(name, known)
    hint = f"did you mean `envspec {meant}`?" if meant else "`envspec --help` lists the commands"
    hint = answer(name) or hint
    return UsageError(f"there is no command `{name}`", code="usage.command", hint=hint)


def unknown_purpose(name: str, known: Sequence[str]) -> UsageError:
    """Return the error for a purpose that there is not."""
    meant = near(name, known)
    hint = f"did you mean `{meant}`?" if meant else "`envspec purposes` lists them"
    return UsageError(f"there is no purpose `{name[:60]}`", code="purpose.unknown", hint=hint)


def _known(error: BaseException) -> EnvspecError | None:
    """Return the error as one of ours, ``None`` when it is a bug."""
    if isinstance(error, EnvspecError):
        return error
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Interrupted("interrupted")
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "envspec"
        return UsageError(_sentence(error.format_message()), hint=f"`{path} --help` shows the usage")
    if isinstance(error, click.ClickException):
        return UsageError(_sentence(error.format_message()))
    return _of_the_host(error) if isinstance(error, OSError) else None


def _of_the_host(error: OSError) -> EnvspecError | None:
    """Return an error of this host's files as one of ours, ``None`` when it can only be a bug."""
    if error.errno in _FULL:
        where = f"{error.filename} cannot be written" if error.filename else "the output is not whole"
        return StepFailed(f"{where}: no space is left there", code="host.no_space", hint="free some, and try again")
    if error.errno in _UNUSABLE and error.filename is not None:
        path = os.fsdecode(error.filename) if not isinstance(error.filename, int) else str(error.filename)
        told = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
        why = str(error.strerror).lower()
        return UsageError(f"{told} cannot be used: {why}", code="host.path", hint="give another path, or fix that one")
    return None


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _bug(error: BaseException) -> EnvspecError:
    """Save the traceback and return an error that says how to report it."""
    import traceback  # noqa: PLC0415 - only a bug pays for it

    text = "".join(traceback.format_exception(error))
    name = type(error).__name__
    hint = f"please report it with the traceback, which is in {_save(text)}"
    return EnvspecError(f"this is a bug in envspec ({name})", code="internal.bug", hint=hint)


def _save(text: str) -> str:
    import tempfile  # noqa: PLC0415 - only a bug pays for it

    handle, name = tempfile.mkstemp(prefix="envspec-crash-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return name


def _print(error: EnvspecError) -> None:
    paint = output.painter(sys.stderr)
    for item in error.faults if isinstance(error, SpecFaults) else (error,):
        where = f"{item.where}: " if str(item.where) else ""
        output.say(f"{paint.bad('error')}: {where}{item.message}")
        if item.hint:
            output.say(f"  {paint.dim('hint')}: {item.hint}")
