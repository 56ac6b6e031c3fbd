"""The versions that a repository asks for, read from the files where each language writes them. Pure.

A requirement is held as ranges of versions, for one question only: does what a source has satisfy it?
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FILES = frozenset(
    [
        *(".python-version", "pyproject.toml", "setup.py", ".nvmrc", ".node-version", "package.json"),
        *("rust-toolchain", "rust-toolchain.toml", "Cargo.toml", "go.mod"),
    ]
)
"""Names of the files that say something of a version."""

_MAX_TEXT = 100
_NUMBERS = re.compile(r"v?(\d+(?:\.\d+)*)")
_TERM = re.compile(r"(\^|~=|~>|~|===?|!=|>=|<=|>|<)?\s*v?(\d+(?:\.(?:\d+|[x*]))*|[x*])[^\s,|]*")
_PYTHON_REQUIRES = re.compile(r"""python_requires\s*=\s*["']([^"']+)["']""")
_GO_LINE = re.compile(r"^go[ \t]+(\d+(?:\.\d+)*)", re.MULTILINE)

Version = tuple[int, ...]
Range = tuple[Version, Version | None]
"""The first version that is in it, and the first that is not any more (``None``: it has no end)."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A version that a repository asks for.

    Attributes:
        text: As it is written: ``>=3.11``, ``20``, ``stable``.
        file: Path of the file that says it.
        pin: Whether it names the version that its authors work with, and not the range that will do.
    """

    text: str
    file: str
    pin: bool = False

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Return the ranges of versions that satisfy it; none when it cannot be told, as of ``lts/iron``."""
        return tuple(_alternatives(self.text))

    def allows(self, version: str) -> bool:
        """Say whether some version that begins so satisfies it; one that cannot be told allows all."""
        low = numbers(version)
        high = _next(low)
        return not self.ranges or any(low < (end or (low[0] + 1,)) and first < high for first, end in self.ranges)

    def is_older_than(self, version: str) -> bool:
        """Say whether all that it allows is older than a version."""
        return bool(self.ranges) and all(end is not None and end <= numbers(version) for _, end in self.ranges)


def requirements(language: str, texts: Mapping[str, str], place: str = "") -> tuple[Requirement, ...]:
    """Return what the files of one directory ask of a language.

    Args:
        language: ``python``, ``node``, ``rust`` or ``go``; others ask for nothing.
        texts: Text of the files by name.
        place: Directory of the files, "" or ``name/``.
    """
    read = {"python": _python, "node": _node, "rust": _rust, "go": _go}.get(language)
    found = read(texts) if read else iter(())
    short = ((text.strip(), name, pin) for text, name, pin in found)
    return tuple(
        Requirement(text, place + name, pin)
        for text, name, pin in short
        if text.isprintable() and 0 < len(text) < _MAX_TEXT
    )


def numbers(version: str) -> Version:
    """Return the numbers of a version, ``v20.1.0-rc1`` as (20, 1, 0); those of what is none are ()."""
    match = _NUMBERS.match(version.strip())
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


_Found = Iterator[tuple[str, str, bool]]


def _python(texts: Mapping[str, str]) -> _Found:
    yield from _first_line(texts, ".python-version")
    data = _toml(texts.get("pyproject.toml", ""))
    for path in (("project", "requires-python"), ("tool", "poetry", "dependencies", "python")):
        yield _text(data, *path), "pyproject.toml", False
    if match := _PYTHON_REQUIRES.search(texts.get("setup.py", "")):
        yield match.group(1), "setup.py", False


def _node(texts: Mapping[str, str]) -> _Found:
    yield from _first_line(texts, ".nvmrc")
    yield from _first_line(texts, ".node-version")
    try:
        data = json.loads(texts.get("package.json", ""))
    except (ValueError, RecursionError):
        data = {}
    yield _text(data, "engines", "node"), "package.json", False


def _rust(texts: Mapping[str, str]) -> _Found:
    if "[" not in texts.get("rust-toolchain", ""):
        yield from _first_line(texts, "rust-toolchain")
    for name in ("rust-toolchain", "rust-toolchain.toml"):
        yield _text(_toml(texts.get(name, "")), "toolchain", "channel"), name, True
    least = _text(_toml(texts.get("Cargo.toml", "")), "package", "rust-version")
    yield least and f">={least}", "Cargo.toml", False


def _go(texts: Mapping[str, str]) -> _Found:
    if match := _GO_LINE.search(texts.get("go.mod", "")):
        yield f">={match.group(1)}", "go.mod", False


def _first_line(texts: Mapping[str, str], name: str) -> _Found:
    lines = (line.partition("#")[0].strip() for line in texts.get(name, "").splitlines())
    yield next((line for line in lines if line), ""), name, True


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _text(data: Any, *path: str) -> str:
    """Return the text at a path of a document, "" when there is none."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, str) else ""


def _alternatives(text: str) -> Iterator[Range]:
    """Yield the range of each alternative of a requirement in npm's, Python's or Cargo's words."""
    for part in text.split("||"):
        spread = re.fullmatch(r"\s*v?(\d[\d.]*)\s+-\s+v?(\d[\d.]*)\s*", part)
        words = f">={spread.group(1)} <={spread.group(2)}" if spread else part
        terms = [_range(match.group(1) or "", match.group(2)) for match in _TERM.finditer(words)]
        if not terms or _TERM.sub("", words).strip(" ,"):
            continue
        ends = [end for _, end in terms if end is not None]
        yield max(first for first, _ in terms), _trimmed(min(ends)) if ends else None


def _range(operator: str, version: str) -> Range:
    low = tuple(int(part) for part in re.split(r"\.?[x*]", version)[0].split(".") if part)
    everything: Range = ((0,), None)
    if not low or operator == "!=":
        return everything
    if operator == "^":
        return low, _next(_to_first_number(low))
    if operator in ("~=", "~>"):
        return low, _next(low[:-1] or low)
    if operator == "~":
        return low, _next(low[:2])
    return {
        ">=": (low, None),
        ">": (_next(low), None),
        "<": ((0,), low),
        "<=": ((0,), _next(low)),
    }.get(operator, (low, _next(low)))


def _to_first_number(version: Version) -> Version:
    """Cut a version behind its first number that is not 0."""
    zeros = next((index for index, number in enumerate(version) if number), len(version) - 1)
    return version[: zeros + 1]


def _trimmed(version: Version) -> Version:
    """Cut off zeros at the end: what ends before 3.13.0 ends before 3.13."""
    while version[1:] and version[-1] == 0:
        version = version[:-1]
    return version


def _next(version: Version) -> Version:
    """Return the first version that no longer begins as this one does."""
    return (*version[:-1], version[-1] + 1)
