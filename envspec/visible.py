"""Text of others as a terminal or a log may have it: what would steer the terminal, or turn the line, as escapes.

Names of files and branches, what builds and commands print, labels and messages of engines are written by whoever made
them; a terminal obeys the control characters in them.
"""

from __future__ import annotations

import re

_STEERING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of what follows
    "\u2028\u2029"  # what some take for the end of a line
    "\ud800-\udfff"  # bytes that are not UTF-8, as Python keeps them
)
_UNSAFE = re.compile(f"[{_STEERING}]")
_UNSAFE_IN_LINE = re.compile(f"[{_STEERING}\n\t]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""Return text of several lines with every steering character as an escape, such as ``\x1b`` or ``\u202e``."""
    return _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    """Return text as one line: as :func:`visible`, and line feeds and tabs are escapes too."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def within_json(text: str) -> str:
    """Return a JSON document in which the characters that JSON leaves as they are steer no terminal either.

    It says the same to whoever reads it as JSON: they can only stand within its strings.
    """
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return _SHORT.get(match[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
