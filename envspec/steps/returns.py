"""Carriage returns at the ends of a script's lines: what they look like when the script fails, and what to do."""

from __future__ import annotations

import re

HOW_TO_REMOVE = "`sed -i 's/\\r$//' FILE` takes them out; with `git config core.autocrlf input` git adds none"
"""What to do about them."""

_SURE = re.compile(r"\$?'[^'\n]*\\r'|\^M|\w[\r\n]+: ")
"""How bash, ``env`` and others show one in what they say; as a line break where output is taken line by line."""

_LIKELY = re.compile(r"required file not found|bad interpreter|exec [^\n]*: no such file or directory")
"""What the kernel's refusal of a script's first line reads like; a missing interpreter looks the same."""


def hint(said: str) -> str:
    """Return a hint where what a program said shows that a script has carriage returns, "" elsewhere.

    Args:
        said: The last lines of what it said.
    """
    if _SURE.search(said):
        return f"a script has carriage returns at its line ends, as Windows writes them: {HOW_TO_REMOVE}"
    if _LIKELY.search(said):
        cause = "the script's first line names a program that is not there, or ends in a carriage return"
        return f"{cause}: {HOW_TO_REMOVE}"
    return ""
