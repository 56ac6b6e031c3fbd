"""Where a key of a document stands: file, line and column, whichever of its files it is written in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from envspec.errors import Where
from envspec.model import Effect
from envspec.spec.tree import Node
from envspec.spec.values import Scalar

Part = str | int

_ADDITIONAL = re.compile(r"Additional property (\S+) is not allowed")
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def dotted(path: tuple[Part, ...]) -> str:
    """Return a path of keys as one text: ``services.web.ports[0]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the document: what errors call it, its tree, and the keys above the document in it."""

    name: str
    top: Node
    above: tuple[Part, ...] = ()


@dataclass(slots=True)
class Places:
    """The trees of all files that a document is made of, the one that the spec names first.

    Attributes:
        file: What errors call the first one.
    """

    file: str = ""
    _files: list[_File] = field(default_factory=list)

    def add(self, file: str, top: Node, *above: Part) -> None:
        """Add a file.

        Args:
            file: What errors call it.
            top: Its tree.
            above: Keys above the document, where it is only a part of the file.
        """
        self.file = self.file or file
        self._files.append(_File(file, top, above))

    def where(self, *path: Part) -> Where:
        """Return where a key stands, or the nearest one above it, in the file that has most of the path."""
        found = [(depth, -index) for index, depth in enumerate(_depth(file, path) for file in self._files)]
        if not found:
            return Where(self.file, address=dotted(path))
        file = self._files[-max(found)[1]]
        value, key = file.top.find((*file.above, *path))
        node = key or value
        return Where(file.name, node.line, node.column, dotted(path))

    def said(self, text: str) -> Where:
        """Return where a key stands that a message of Compose names, the nearest place where it names none."""
        return self.where(*self.said_path(text))

    def said_path(self, text: str) -> tuple[Part, ...]:
        """Return the key that a message of Compose names, ``()`` where it names none."""
        known = {str(key) for file in self._files for key in _mapping(_at(file))}
        for word in re.findall(r"[\w.\[\]@-]+", text):
            parts = (name or number for name, number in _PART.findall(word.strip(".:")))
            path: tuple[Part, ...] = tuple(int(part) if part.isdigit() else part for part in parts)
            if len(path) > 1 and path[0] in known:
                return (*path, *_ADDITIONAL.findall(text)[:1])
        for name in re.findall(r'"([^"]+)"', text):
            for section in ("services", "volumes", "networks", "secrets", "configs"):
                if any(_depth(file, (section, name)) == 2 for file in self._files):
                    return (section, name)
        return self._only_one_with(text.rsplit(maxsplit=1)[-1].strip("'\"`.,"))

    def _only_one_with(self, word: str) -> tuple[Part, ...]:
        """Return the key of the one value that has a word of a message in it, ``()`` where none or several have."""
        speaks = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        found = [path for file in self._files for path, node in _leaves(_at(file)) if speaks.search(str(node.value))]
        return found[0] if word and len(found) == 1 else ()

    def effect(self, effect: Effect) -> Where:
        """Return where an effect stands: at the text that its words repeat, else at whatever has it."""
        section, _, name = effect.address.partition(".")
        path = (f"{section.removesuffix('s')}s", name) if name else (section,)
        file = max(self._files, key=lambda file: _depth(file, path), default=None)
        if file and _depth(file, path) == len(path):
            below = file.top.find((*file.above, *path))[0]
            told = effect.detail.partition(",")[0]
            for node in _scalars(below):
                text = str(node.value)
                if text and (text in told or told in text):
                    return Where(file.name, node.line, node.column)
        return self.where(*path)

    def variable(self, name: str) -> Where:
        """Return the first place whose text speaks of a variable of interpolation."""
        wanted = re.compile(
            rf"(?<!\$)(?:\$\$)*\$(?:{re.escape(name)}(?![A-Za-z0-9_])|\{{{re.escape(name)}(?![A-Za-z0-9_]))"
        )
        for file in self._files:
            for node in _scalars(_at(file)):
                if wanted.search(str(node.value)):
                    return Where(file.name, node.line, node.column)
        return Where(self.file)


def _at(file: _File) -> Node:
    return file.top.find(file.above)[0]


def _mapping(node: Node) -> dict[str, tuple[Node, Node]]:
    return node.value if isinstance(node.value, dict) else {}


def _depth(file: _File, path: tuple[Part, ...]) -> int:
    """Return how many parts of a path a file has."""
    node = _at(file)
    for depth, part in enumerate(path):
        if isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif isinstance(node.value, dict) and str(part) in node.value:
            node = node.value[str(part)][1]
        else:
            return depth
    return len(path)


def _scalars(node: Node) -> Iterator[Node]:
    """Yield the texts below a node, in the order of the file."""
    yield from (leaf for _, leaf in _leaves(node))


def _leaves(node: Node, path: tuple[Part, ...] = ()) -> Iterator[tuple[tuple[Part, ...], Node]]:
    """Yield the texts below a node with their paths, in the order of the file."""
    if isinstance(node.value, Scalar):
        yield path, node
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from _leaves(item, (*path, index))
    else:
        for key, (_, item) in node.value.items():
            yield from _leaves(item, (*path, key))
