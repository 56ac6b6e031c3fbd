"""Text of YAML as YAML 1.2 and JSON mean it, for a parser of YAML 1.1.

PyYAML takes NEL and the Unicode line and paragraph separators for line breaks, which no editor and no YAML 1.2 does;
it refuses characters that a JSON text may hold; and libyaml refuses the surrogate pairs that JSON's writers make of
every character beyond the first plane. All these are hidden from it, one character for one, so that every place holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_SURROGATE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?=u[dD][89a-fA-F][0-9a-fA-F]{2})")
"""The backslash of an escape for half of a surrogate pair: one behind an even number of others."""

_STAND_INS = range(0x10FFFD, 0x100000, -1)
"""Code points of the last private plane, from the end."""


@dataclass(frozen=True, slots=True)
class YamlText:
    """A text in which what the parser would misread is hidden.

    Attributes:
        text: What the parser is given.
        hidden: The characters that stand in for others, with those.
        backslash: The character that stands in for the backslash of a surrogate's escape.
    """

    text: str
    hidden: dict[int, str] = field(default_factory=dict)
    backslash: str = ""

    def restore(self, value: str, style: str | None) -> str:
        """Return a scalar as it was written.

        Args:
            value: Its value as the parser has it.
            style: Its style as the parser has it; escapes count in the one with double quotes only.

        Returns:
            The value, surrogate pairs joined; half a pair stays what it is.
        """
        if self.backslash and self.backslash in value:
            if style != '"':
                value = value.replace(self.backslash, "\\")
            halves = re.compile(f"{self.backslash}u([0-9a-fA-F]{{4}})")
            value = halves.sub(lambda half: chr(int(half[1], 16)), value)
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return value.translate(self.hidden)


def yaml_text(text: str) -> YamlText:
    """Hide what the parser would misread.

    Args:
        text: The text of a YAML file.
    """
    characters = sorted(set(_HIDDEN.findall(text)))
    free = (chr(code) for code in _STAND_INS if chr(code) not in text)
    stand_ins: dict[str, str] = {character: next(free) for character in characters}
    shown = text.translate({ord(character): stand_in for character, stand_in in stand_ins.items()})
    backslash = next(free) if _SURROGATE.search(shown) else ""
    if backslash:
        shown = _SURROGATE.sub(rf"\1{backslash}", shown)
    return YamlText(shown, {ord(stand_in): character for character, stand_in in stand_ins.items()}, backslash)
