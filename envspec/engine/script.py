"""Shell scripts that run inside containers, and how those are put together that find and end what others started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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


def with_tree(*names: str, args: tuple[str, ...] = (), stdin: bytes = b"") -> Script:
    """Return a script that finds and ends process trees, with what it needs for that.

    Args:
        names: Its texts, by name.
        args: Its positional arguments.
        stdin: What it reads.
    """
    return Script("\n".join(map(text_of, ("prelude", "tree", *names))), args, stdin)


def reap(token: str = "", grace: int = 0) -> Script:
    """Return the script that ends one operation's processes, or those of every operation that was cut off.

    Args:
        token: The operation, "" for all that were cut off.
        grace: Seconds between asking them to end and killing them.
    """
    return with_tree("reap", args=(token, str(grace)) if token else ())
