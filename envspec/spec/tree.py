"""YAML as a tree of texts that knows its lines, read with bounds that a hostile file cannot pass.

PyYAML's composer and constructors are not used: they recurse, expand aliases without end, keep the last of duplicate
keys and turn texts into other things. The parser's *events* come one by one, so the tree is built from them and the
first one too many ends the reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from envspec.errors import SpecError, SpecFaults, Where
from envspec.spec.values import Scalar, shown
from envspec.yaml_text import YamlText, yaml_text

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 20_000
"""Values in one file, each counted as often as aliases repeat it."""
MAX_DIGITS = 24
"""Characters of the longest number: as many as Python writes of a float."""

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TOO_DEEP = "maximum nesting depth"
"""Part of what libyaml 0.2.6 and later (PyYAML 6.0.4) says of more than 1,000 open brackets."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""What no key holds."""
_RAW = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What no file holds, in YAML and in JSON."""
_QUOTED = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]")
"""What only a text in quotes holds: in JSON too it may stand there as it is."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_BREAK = re.compile("\r\n?|\n")
_NUMBER = re.compile(r"[-+]?[0-9][0-9_.]*(?:[eE][-+]?[0-9]+)?")


@dataclass(slots=True, eq=False)
class Node:
    """A value of the file.

    Attributes:
        line: Its line, from 1.
        column: Its column, from 1.
        value: A text, a list of nodes, or a mapping from key to the key's and the value's node.
        size: How many values it holds, itself included.
        height: How deep it is, 1 for a text.
    """

    line: int
    column: int
    value: Scalar | list[Node] | dict[str, tuple[Node, Node]]
    size: int = 1
    height: int = 1

    def plain(self) -> Any:
        """Return the data alone: texts, lists and dicts."""
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {key: item.plain() for key, (_, item) in self.value.items()}
        return self.value

    def find(self, loc: tuple[str | int, ...]) -> tuple[Node, Node | None]:
        """Return the node at a place, or the nearest one above it that exists, and the node of its key.

        Parts of the place that lead nowhere are passed over: pydantic names the parts of unions and defaults too.
        """
        node, key = self, None
        for part in loc:
            if isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node, key = node.value[part], None
            elif isinstance(node.value, dict) and part in node.value:
                key, node = node.value[str(part)]
        return node, key


@dataclass(slots=True, eq=False)
class _Frame:
    """A list or mapping that is still open, with its anchor, the key that waits for its value, and what it merges."""

    node: Node
    anchor: str | None
    key: Node | None = None
    merged: list[Node] = field(default_factory=list)


def read(data: bytes, file: str) -> tuple[Node, list[SpecError]]:
    """Read one YAML document.

    Args:
        data: The file's content.
        file: Its path, for errors.

    Returns:
        The mapping at its top, and the faults that did not stop the reading: duplicate keys.

    Raises:
        SpecFaults: It is no YAML, no mapping, or passes a bound.
    """
    reader = _Reader(file)
    text = reader.decode(data)
    try:
        return _parsed(reader, text, _PARSER)
    except yaml.YAMLError as error:
        if _TOO_DEEP not in str(error):
            raise reader.syntax(error) from None
    # The scanner reads ahead of our count. PyYAML's own has no limit, so it stops where ours is passed.
    reader = _Reader(file)
    try:
        return _parsed(reader, text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise reader.syntax(error) from None


def _parsed(reader: _Reader, text: str, parser: Any) -> tuple[Node, list[SpecError]]:
    """Return the tree that a parser's events make, and the faults that did not stop the reading."""
    for event in yaml.parse(reader.hide(text), Loader=parser):
        reader.take(event)
    return reader.root(), reader.faults


class _Reader:
    """Builds the tree from events."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[SpecError] = []
        self._open: list[_Frame] = []
        self._anchors: dict[str, Node | None] = {}
        self._documents: list[Node] = []
        self._count = 0
        self._text = YamlText("")

    def hide(self, text: str) -> str:
        """Return the text as the parser is given it."""
        self._text = yaml_text(text)
        return self._text.text

    def fault(self, code: str, message: str, hint: str, line: int = 0, column: int = 0) -> SpecError:
        """Return a fault of this file."""
        return SpecError(message, code=f"spec.{code}", hint=hint, where=Where(self.file, line, column))

    def stop(self, code: str, message: str, hint: str, line: int = 0, column: int = 0) -> SpecFaults:
        """Return the fault that ends the reading."""
        return SpecFaults((self.fault(code, message, hint, line, column),))

    def decode(self, data: bytes) -> str:
        """Return the text, without a byte order mark."""
        if len(data) > MAX_BYTES:
            hint = "move large contents to files and name them with `source`"
            raise self.stop("too_large", f"the file is larger than {MAX_BYTES // 1024} KiB", hint)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            column = error.start - data.rfind(b"\n", 0, error.start)
            raise self.stop("encoding", "the file is not UTF-8 text", "save it as UTF-8", line, column) from None
        if match := _RAW.search(text):
            breaks = [found.end() for found in _BREAK.finditer(text, 0, match.start())]
            raise self._control(match[0], len(breaks) + 1, match.start() - (breaks[-1] if breaks else 0) + 1)
        return text

    def _control(self, character: str, line: int, column: int) -> SpecFaults:
        message = f"the control character U+{ord(character):04X} cannot be here"
        hint = f'take it out; in the text of a value it can be written as "\\u{ord(character):04x}"'
        return self.stop("control_character", message, hint, line, column)

    def syntax(self, error: yaml.YAMLError) -> SpecFaults:
        """Return the fault for what the parser could not read."""
        mark = getattr(error, "problem_mark", None)
        problem = self._text.restore(getattr(error, "problem", None) or "it cannot be read", None)
        hint = "look at the indentation, quotes and colons near this place"
        if "cannot start any token" in problem:
            hint = "indent with spaces, not tabs, and quote a text that begins with a special character"
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return self.stop("syntax", f"this is not YAML: {problem}", hint, *place)

    def root(self) -> Node:
        """Return the top of the one document."""
        top = self._documents[0] if self._documents else None
        if top is None or (isinstance(top.value, Scalar) and top.value.plain and not top.value):
            raise self.stop("empty", "the file is empty", "`envspec init` writes one to start from")
        if not isinstance(top.value, dict):
            hint = "write keys such as `purpose: python` at the left margin"
            raise self.stop("not_a_mapping", "the file is not a mapping of keys to values", hint, top.line, top.column)
        return top

    def take(self, event: yaml.Event) -> None:
        """Take one event of the parser."""
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        if isinstance(event, yaml.DocumentStartEvent) and self._documents:
            raise self.stop("documents", "the file holds more than one document", "keep one", line, column)
        if isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._aliased(event.anchor, line, column), line, column)
        elif isinstance(event, yaml.NodeEvent):
            if event.tag is not None:  # type: ignore[attr-defined]  # every node event but an alias has a tag
                hint = "take the tag out; quotes make a text"
                raise self.stop("tag", f"the tag {shown(event.tag)} cannot be in a spec", hint, line, column)  # type: ignore[attr-defined]  # as above
            self._node(event, line, column)

    def _node(self, event: yaml.NodeEvent, line: int, column: int) -> None:
        """Add a scalar, or open a list or mapping; an anchor stands for ``None`` until its node is complete."""
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = Node(line, column, self._scalar(event, line, column))
            self._add(node, line, column)
            if event.anchor is not None:
                self._anchors[event.anchor] = node
        else:
            self._bound(1, 1, line, column)
            node = Node(line, column, [] if isinstance(event, yaml.SequenceStartEvent) else {})
            self._open.append(_Frame(node, event.anchor))

    def _scalar(self, event: yaml.ScalarEvent, line: int, column: int) -> Scalar:
        plain, value = not event.style, self._text.restore(event.value, event.style)
        if match := _SURROGATE.search(value):
            hint = "write both halves, or the character itself"
            message = f"`\\u{ord(match[0]):04x}` is half of a surrogate pair, and no character"
            raise self.stop("control_character", message, hint, line, column)
        if event.style not in ("'", '"') and (match := _QUOTED.search(value)):
            raise self._control(match[0], line, column)
        if plain and len(value) > MAX_DIGITS and _NUMBER.fullmatch(value):
            hint = "put it in quotes if it is a text"
            raise self.stop("number", f"a number has more than {MAX_DIGITS} digits", hint, line, column)
        return Scalar(value, plain=plain)

    def _aliased(self, name: str | None, line: int, column: int) -> Node:
        if name is None or name not in self._anchors:
            hint = f"define it with `&{name}` before, or quote a text that begins with `*`"
            raise self.stop("alias", f"the alias {shown(name)} refers to nothing", hint, line, column)
        node = self._anchors[name]
        if node is None:
            raise self.stop("alias", f"the alias {shown(name)} contains itself", "write the value out", line, column)
        return node

    def _bound(self, size: int, height: int, line: int, column: int) -> None:
        """Count values and depth, and stop when they pass what any honest spec needs."""
        self._count += size
        if self._count > MAX_NODES:
            message = f"the file holds more than {MAX_NODES} values, aliases written out"
            raise self.stop("too_many_values", message, "write fewer values or aliases", line, column)
        if len(self._open) + height > MAX_DEPTH:
            message = f"lists and mappings are nested more than {MAX_DEPTH} deep"
            raise self.stop("too_deep", message, "no key needs that; look for brackets left open", line, column)

    def _add(self, node: Node, line: int, column: int) -> None:
        """Put a scalar or an alias into what is open."""
        self._bound(node.size, node.height, line, column)
        self._put(node, line, column)

    def _put(self, node: Node, line: int, column: int) -> None:
        if not self._open:
            self._documents.append(node)
            return
        frame = self._open[-1]
        parent = frame.node
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict) and frame.key is not None:
            self._pair(frame, parent.value, frame.key, node)
            frame.key = None
        elif isinstance(node.value, Scalar):
            if match := _CONTROL.search(node.value):
                raise self._control(match[0], line, column)
            frame.key = node
        else:
            raise self.stop("key", "a key must be a text", "quote it if it begins with `[` or `{`", line, column)

    def _pair(self, frame: _Frame, mapping: dict[str, tuple[Node, Node]], key: Node, node: Node) -> None:
        """Put a key and its value into a mapping, or keep the value for merging."""
        name = str(key.value)
        if name == "<<" and isinstance(key.value, Scalar) and key.value.plain:
            frame.merged += node.value if isinstance(node.value, list) else [node]
        elif name in mapping:
            first = mapping[name][0].line
            message = f"key {shown(name)} is given twice, on lines {first} and {key.line}"
            self.faults.append(self.fault("duplicate_key", message, "keep one of them", key.line, key.column))
        else:
            mapping[name] = (key, node)

    def _close(self) -> None:
        """Finish the innermost list or mapping: merge what `<<` brings, and let aliases to it be used."""
        frame = self._open.pop()
        node = frame.node
        for source in frame.merged:
            if not isinstance(source.value, dict) or not isinstance(node.value, dict):
                hint = "write `<<: *name` of a mapping"
                raise self.stop("merge", "only a mapping can be merged", hint, source.line, source.column)
            for key, pair in source.value.items():
                node.value.setdefault(key, pair)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = node
        self._put(node, node.line, node.column)
