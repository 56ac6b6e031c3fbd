"""Reads a Dockerfile as BuildKit and buildah do: instructions, their continued lines, and here-documents; pure.

A here-document is not an instruction. Its words and ends are those of BuildKit's parser, frontend/dockerfile/parser:
``RUN <<EOF``, ``COPY <<-"EOF" /etc/file``, several in one line; a body ends at a line that is its name alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TAKES_BODIES = ("ADD", "COPY", "RUN")
"""Instructions that may have here-documents, also behind ``ONBUILD``."""

_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""", re.DOTALL)
_HEREDOC = re.compile(r"[0-9]*<<(-?)([^<]+)")
_DIRECTIVE = re.compile(r"#\s*(syntax|escape|check)\s*=\s*(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """The beginning of a here-document.

    Attributes:
        name: The line that ends it.
        chomps: Whether tabs before its lines do not count.
    """

    name: str
    chomps: bool = False


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile.

    Attributes:
        line: Line that it begins on, as the line before it was numbered.
        keyword: ``RUN``, in capitals.
        rest: All that follows the keyword, its lines joined, bodies left out.
        heredocs: Its here-documents.
        body: Positions among the lines, first and one past the last, of the bodies and what ends them.
        ended: Whether all of its here-documents end; where one does not, what follows is read as instructions.
    """

    line: int
    keyword: str
    rest: str
    heredocs: tuple[Heredoc, ...] = ()
    body: tuple[int, int] = (0, 0)
    ended: bool = True


def instructions(lines: Sequence[tuple[int, str]], escape: str = "\\") -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile in order.

    Args:
        lines: Its lines, each with the number that an error names.
        escape: The character that continues a line at its end.
    """
    continued = re.compile(rf"{re.escape(escape)}[ \t]*$")
    start, parts, position = 0, list[str](), 0
    while position < len(lines):
        number, text = lines[position]
        position += 1
        bare = text.strip()
        if not bare or bare.startswith("#"):
            continue  # both may stand between the lines of one instruction
        start = start or number
        parts.append(continued.sub("", text))
        if continued.search(text) and position < len(lines):
            continue
        found = _instruction(start, " ".join(parts))
        end, ended = _end(lines, position, found.heredocs)
        yield Instruction(start, found.keyword, found.rest, found.heredocs, (position, end), ended)
        start, parts, position = 0, [], end
    if parts:
        yield _instruction(start, " ".join(parts))


def first_heredoc(text: str) -> int:
    """Return the line of a Dockerfile's first instruction with a here-document, from 1; 0 where there is none."""
    lines = tuple(enumerate(text.split("\n"), start=1))
    found = (item.line for item in instructions(lines, directives(text).get("escape", "\\")) if item.heredocs)
    return next(found, 0)


def directives(text: str) -> dict[str, str]:
    """Return the parser directives at the top of a Dockerfile, by name."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        match = _DIRECTIVE.match(line.strip())
        if not match:
            break
        found[match[1].lower()] = match[2]
    return found


def _instruction(line: int, text: str) -> Instruction:
    keyword, _, rest = text.strip().partition(" ")
    keyword, rest = keyword.upper(), rest.strip()
    inner = rest.partition(" ")[0].upper() if keyword == "ONBUILD" else keyword
    return Instruction(line, keyword, rest, tuple(_heredocs(rest)) if inner in TAKES_BODIES else ())


def _heredocs(rest: str) -> Iterator[Heredoc]:
    for word in _WORD.findall(rest):
        match = _HEREDOC.fullmatch(word)
        if match is None:
            continue
        try:
            names = shlex.split(match[2])
        except ValueError:
            continue
        if len(names) == 1:
            yield Heredoc(names[0], bool(match[1]))


def _end(lines: Sequence[tuple[int, str]], position: int, heredocs: Sequence[Heredoc]) -> tuple[int, bool]:
    """Return the position past the bodies of here-documents, and whether all of them end."""
    end = position
    for heredoc in heredocs:
        while end < len(lines):
            text = lines[end][1]
            end += 1
            if (text.lstrip("\t") if heredoc.chomps else text) == heredoc.name:
                break
        else:
            return position, False
    return end, True
