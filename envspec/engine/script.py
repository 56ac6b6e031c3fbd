"""Shell scripts that run inside containers, and how those are put together that find and end what others started."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOADER = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")
"""Variables that an image may have and that have the first shell already run what the container's user wrote."""

_WORD_BACK = """\
word=$(printf '%b_' "$1")
shift
set -- "$@" "${word%_}"
"""
"""Moves a word from the front to the back, and makes bytes again of what :func:`octal` made of it."""


@dataclass(frozen=True, slots=True)
class Script:
    """A shell script with its arguments and what it reads.

    Attributes:
        text: The script.
        args: Its positional arguments.
        stdin: What it reads.
    """

    text: str
    args: tuple[str, ...] = ()
    stdin: bytes = b""


def text_of(name: str) -> str:
    """Return the text of one script by its name without suffix."""
    return (Path(__file__).parent / "scripts" / f"{name}.sh").read_text(encoding="utf-8")


def shell(words: Sequence[str]) -> tuple[str, ...]:
    """Return the command that runs ``/bin/sh`` inside as root, with nothing of the image's or a user's variables.

    Args:
        words: What that shell is given; behind ``-c``, a text and a name the arguments may be of any bytes.
    """
    if words[0] == "-c":
        text, arguments = carried(words[1], words[3:])
        words = ("-c", text, words[2], *arguments) if arguments else words
    return ("/bin/sh", "-c", text_of("entry"), "envspec", *words)


def is_text(word: str) -> bool:
    """Say whether a word is UTF-8; Python keeps the bytes that are not as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in word)


def octal(word: str) -> str:
    r"""Return a word with each of its bytes as printf's ``%b`` reads it, such as ``\0377``."""
    return "".join(f"\\0{byte:03o}" for byte in os.fsencode(word))


def carried(text: str, arguments: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return a script and its arguments as they reach a container with all their bytes.

    The engines pass a command on as JSON text, which has no other bytes than those of UTF-8.

    Args:
        text: The script.
        arguments: Its arguments.
    """
    if all(map(is_text, arguments)):
        return text, tuple(arguments)
    return f"{_WORD_BACK * len(arguments)}unset word\n{text}", tuple(map(octal, arguments))


def shielded() -> tuple[str, ...]:
    """Return the options of an exec that keep the image's variables from the loader of its first program."""
    return tuple(word for name in LOADER for word in ("--env", f"{name}="))


def entering() -> str:
    """Return the script that becomes a command with the environment's variables."""
    return "\n".join(map(text_of, ("enter", "variables", "enter_command")))


def operation(*names: str) -> str:
    """Return the text of an operation.

    Args:
        names: Names of what it consists of, behind the prelude.
    """
    return "\n".join((f"VARIABLES={shlex.quote(text_of('variables'))}", *map(text_of, ("prelude", *names))))


def with_tree(*names: str, args: tuple[str, ...] = (), stdin: bytes = b"") -> Script:
    """Return a script that finds and ends process trees, with what it needs for that.

    Args:
        names: Its texts, by name.
        args: Its positional arguments.
        stdin: What it reads.
    """
    return Script(operation("tree", *names), args, stdin)


def reap(token: str = "", grace: int = 0) -> Script:
    """Return the script that ends one operation's processes, or those of every operation that was cut off.

    Args:
        token: The operation, "" for all that were cut off.
        grace: Seconds between asking them to end and killing them.
    """
    return with_tree("reap", args=(token, str(grace)) if token else ())
