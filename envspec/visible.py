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
_LONG = {shown[1]: character for character, shown in _SHORT.items()}
_ESCAPED = re.compile(r"\\(?:x(?P<byte>[0-9a-f]{2})|u(?P<code>[0-9a-f]{4})|(?P<short>[nrt]))")


def visible(text: str) -> str:
    r"""Return text of several lines with every steering character as an escape, such as ``\x1b`` or ``\u202e``."""
    return _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    """Return text as one line: as :func:`visible`, and line feeds and tabs are escapes too."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def within_json(text: str) -> str:
    r"""Return a JSON document in which the characters that JSON leaves as they are steer no terminal either.

    It says the same to whoever reads it as JSON: they can only stand within its strings. A byte that is not UTF-8, for
    which JSON has no form, is the text ``\xff``, as :func:`visible` shows it.
    """
    return _UNSAFE.sub(_escape_json, text)


def from_visible(text: str) -> str:
    """Return the text that :func:`one_line` made another of, as far as can be told; it does not mark backslashes."""
    return _ESCAPED.sub(_unescape, text)


def _escape_json(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\{_escape(match)}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _unescape(match: re.Match[str]) -> str:
    if match["short"]:
        return _LONG[match["short"]]
    code = int(match["byte"] or match["code"], 16)
    return chr(code + 0xDC00 if match["byte"] and code >= 0x80 else code)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return _SHORT.get(match[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
