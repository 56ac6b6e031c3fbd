"""What a ``.dockerignore`` leaves out of a build, by the rules that BuildKit goes by.

The rules (docs.docker.com/build/concepts/context, ``moby/patternmatcher``; measured on BuildKit 0.8 of Docker 20.10):

- A ``#`` at the very beginning of a line makes a comment. White space around a pattern, ``./``, a slash at its
  beginning or end, and ``x/..`` in it mean nothing.
- ``*`` and ``?`` stay within one component of a path, ``**`` stands for any number of whole components, ``[a-z]`` for
  one character, and a backslash takes the next character as it is.
- ``**`` at the very beginning stands for any characters, not components alone, where a name without other wildcards
  follows it directly: ``**build`` matches ``src/prebuild``, ``**/build`` does not.
- The last pattern that matches decides, and one that begins with ``!`` takes back in.
- A pattern that matches a directory matches all that lies below it, but only where it changed what the patterns before
  it had said of the directory: after ``src`` and ``!src/app.py``, a line ``src*`` leaves ``src/app.py`` in.
- ``NAME.dockerignore`` beside a Dockerfile called NAME stands for ``.dockerignore``, which is not read then.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from envspec.errors import SpecError, Where

NAME = ".dockerignore"

_TAKEN_LITERALLY = frozenset(".+()|{}$^")
"""Characters that mean something in a regular expression and nothing in a pattern."""

_WILD = frozenset("*?[]\\")
"""Characters that mean something in a pattern."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """One line: what it matches, and whether that is taken back in."""

    matches: re.Pattern[str]
    back: bool


class Ignored:
    """Says of the paths of a context whether they are left out.

    Args:
        context: Directory of the context.
        dockerfile: Path of the Dockerfile; none where its text is in the Compose document.

    Raises:
        SpecError: A line is not a pattern, or the file cannot be read.
    """

    def __init__(self, context: Path, dockerfile: Path | None) -> None:
        self._context = context
        own = dockerfile and dockerfile.with_name(f"{dockerfile.name}{NAME}")
        file = own if own and own.is_file() else context / NAME
        # Without such a file, `.git` alone is left out: it changes with every commit.
        self._rules = _read(file) if file.is_file() else (_Rule(_pattern(".git"), back=False),)
        self._takes_back = any(rule.back for rule in self._rules)

    def __call__(self, path: Path) -> bool:
        """Say whether a path is left out; the last line that matches it, or what holds it, decides."""
        relative = PurePosixPath(path.relative_to(self._context))
        out = False
        above: tuple[bool, ...] = (False,) * len(self._rules)
        for name in (*(str(parent) for parent in reversed(relative.parents) if parent.name), str(relative)):
            out, above = self._looked_at(name, above)
        return out

    def _looked_at(self, name: str, above: tuple[bool, ...]) -> tuple[bool, tuple[bool, ...]]:
        """Return whether a name is left out, and which rules hold it, from those that hold its parent."""
        out = False
        taken = []
        for rule, held in zip(self._rules, above, strict=True):
            takes = held or (rule.back == out and bool(rule.matches.fullmatch(name)))
            taken.append(takes)
            if takes:
                out = not rule.back
        return out, tuple(taken)

    def prunes(self, path: Path) -> bool:
        """Say whether a directory need not be looked into: it is left out, and nothing in it can be taken back."""
        return not self._takes_back and self(path)


def _read(file: Path) -> tuple[_Rule, ...]:
    try:
        text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise _fault(f"{file.name} cannot be read: {error.strerror}", file) from None
    return tuple(_rules(text, file))


def _rules(text: str, file: Path) -> Iterator[_Rule]:
    for number, line in enumerate(text.split("\n"), 1):
        words = line.strip()
        if not words or line.startswith("#"):
            continue
        back = words.startswith("!")
        if words == "!":
            raise _fault("`!` has no pattern behind it", file, number)
        cleaned = _cleaned(words[1:].strip() if back else words)
        if cleaned == "." and not back:
            continue
        try:
            yield _Rule(_pattern(cleaned), back)
        except re.error:
            raise _fault(f"`{words[:60]}` is not a pattern", file, number) from None


def _cleaned(pattern: str) -> str:
    """Return a pattern without what means nothing in a path."""
    return posixpath.normpath(pattern).lstrip("/") or "."


def _pattern(pattern: str) -> re.Pattern[str]:
    """Return what matches the paths that a pattern does.

    Raises:
        re.error: It is not a pattern.
    """
    if pattern.startswith("**") and not _WILD.intersection(pattern[2:]) and not pattern.startswith("**/"):
        return re.compile(f".*{re.escape(pattern[2:])}", re.DOTALL)
    found = ""
    place = 0
    while place < len(pattern):
        character = pattern[place]
        place += 1
        if character == "*" and pattern[place : place + 1] == "*":
            place += 1
            if pattern[place : place + 1] == "/":
                place += 1
            found += "(.*/)?" if place < len(pattern) else ".*"
        elif character == "*":
            found += "[^/]*"
        elif character == "?":
            found += "[^/]"
        elif character == "\\":
            found += re.escape(pattern[place : place + 1] or "\\")
            place += 1
        elif character == "[":
            end = pattern.find("]", place + 1)
            if end < 0:
                raise re.error("a class is not closed")
            found += f"[{pattern[place:end]}]"
            place = end + 1
        else:
            found += f"\\{character}" if character in _TAKEN_LITERALLY else character
    return re.compile(found, re.DOTALL)


def _fault(message: str, file: Path, line: int = 0) -> SpecError:
    hint = "correct the line: `*`, `**`, `?`, `[a-z]` and `!` have a meaning, and a backslash takes it away"
    return SpecError(message, code="compose.dockerignore", hint=hint, where=Where(str(file), line))
