"""Renders a purpose's Dockerfile template, and trusts neither the template nor the values.

A template may print names, compare, and choose with ``if``. That is all that a Dockerfile needs, and it bounds the
result by the size of the input: a sandbox alone stops neither ``10**(10**8)`` nor nested loops. What comes out is
parsed again and must hold no instruction that the template does not have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from envspec.errors import Faults, SpecError, Where

INSTRUCTIONS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
"""The instructions of a Dockerfile; https://docs.docker.com/reference/dockerfile/."""

_ALLOWED_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.List,
    nodes.Tuple,
)
_PRINTED = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_UNPRINTED = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_DIRECTIVE = re.compile(r"\s*#\s*(syntax|escape|check)\s*=", re.IGNORECASE)
_HEREDOC = re.compile(r"(?<!<)<<(?!<)")
_CONTINUED = re.compile(r"\\[ \t]*$")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile.

    Attributes:
        line: Line that it begins on, from 1.
        keyword: ``RUN``, in capitals.
        rest: All that follows the keyword, its lines joined.
    """

    line: int
    keyword: str
    rest: str


def check(text: str, names: frozenset[str], file: str) -> None:
    """Check a template without rendering it.

    Args:
        text: The template.
        names: Names that it may print and compare.
        file: Its path, for errors.

    Raises:
        SpecError: It is no template, does more than print, compare and choose, or uses an unknown name.
    """
    try:
        tree = _environment().parse(text)
    except TemplateSyntaxError as error:
        raise _fault(f"the template cannot be read: {error.message}", file, error.lineno) from None
    except RecursionError:
        raise _fault("the template is nested too deeply", file) from None
    faults = Faults()
    for node in _walk(tree):
        if not isinstance(node, _ALLOWED_NODES):
            told = f"a purpose's template cannot use `{type(node).__name__.lower()}`"
            hint = "print names with {{ }}, and choose with {% if %}, ==, in, and, or, not; nothing else"
            faults.add(_fault(told, file, node.lineno, hint))
        if isinstance(node, nodes.Name) and node.name not in names:
            told = f"the template uses `{node.name}`, which nothing defines"
            hint = f"declare it under params; defined are {', '.join(sorted(names))}"
            faults.add(_fault(told, file, node.lineno, hint))
    faults.stop()


def fill(text: str, values: Mapping[str, str], file: str) -> str:
    """Print values into a checked template.

    Raises:
        SpecError: A value is missing.
    """
    try:
        return _environment().from_string(text).render(dict(values))
    except TemplateError as error:
        raise _fault(f"the template cannot be rendered: {error.message}", file) from None


def render(text: str, values: Mapping[str, str], file: str) -> str:
    """Render a checked template to a Dockerfile.

    Args:
        text: The template.
        values: What its names stand for.
        file: Its path, for errors.

    Returns:
        The Dockerfile, without the blank lines around it.

    Raises:
        SpecError: The Dockerfile is none, needs a newer BuildKit than 20.10's or a build context, or holds an
            instruction that the template does not.
    """
    lines = tuple(_lines(fill(_numbered(text), values, file)))
    faults = Faults()
    for line in lines:
        if _DIRECTIVE.match(line.text):
            told = f"the Dockerfile has a parser directive: {line.text.strip()}"
            hint = "take it out: `# syntax=` makes the engine fetch a frontend from a registry"
            faults.add(_fault(told, file, line.number, hint))
    rendered = tuple(_instructions(lines, file))
    unprinted = _UNPRINTED.sub(lambda tag: "\n" * tag[0].count("\n"), _PRINTED.sub("x", text))
    own = tuple(_instructions(_counted(unprinted), file))
    with faults:
        _check_shape([item.keyword for item in rendered], [item.keyword for item in own], file)
    for item in rendered:
        with faults:
            _check_instruction(item, file)
    faults.stop()
    return "\n".join(line.text for line in lines).strip("\n") + "\n"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a Dockerfile, and its number in the template."""

    number: int
    text: str


_NUMBER = re.compile("\ue000([0-9]+)\ue001")
"""Stands before each line of a template while it is rendered; no value holds its characters, which no one can print."""


def _numbered(text: str) -> str:
    """Return a template whose lines begin with their number, but for those that begin with a tag or within one."""
    inside = [tag.span() for tag in re.finditer(rf"{_PRINTED.pattern}|{_UNPRINTED.pattern}", text, re.DOTALL)]
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    pieces = []
    for number, (start, end) in enumerate(pairwise((*starts, len(text))), start=1):
        line = text[start:end]
        # Blanks before a tag that begins a line go with it, which they would not behind a number.
        is_tag = line.lstrip().startswith(("{%", "{#")) or any(first < start < last for first, last in inside)
        pieces.append(line if is_tag else f"\ue000{number}\ue001{line}")
    return "".join(pieces)


def _lines(rendered: str) -> Iterator[_Line]:
    """Yield the lines of what a numbered template was rendered to; a line knows the last number before its text."""
    for line in rendered.split("\n"):
        numbers = _NUMBER.findall(line)
        yield _Line(int(numbers[-1]) if numbers else 0, _NUMBER.sub("", line))


def _counted(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), start=1):
        yield _Line(number, line)


def _instructions(lines: Iterable[_Line], file: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile in order.

    Raises:
        SpecError: A line is no instruction.
    """
    start, parts = 0, list[str]()
    for line in lines:
        bare = line.text.strip()
        if not bare or bare.startswith("#"):
            continue  # both may stand between the lines of one instruction
        start = start or line.number
        parts.append(_CONTINUED.sub("", line.text))
        if not _CONTINUED.search(line.text):
            yield _instruction(start, " ".join(parts), file)
            start, parts = 0, []
    if parts:
        yield _instruction(start, " ".join(parts), file)


def _instruction(line: int, text: str, file: str) -> Instruction:
    keyword, _, rest = text.strip().partition(" ")
    if keyword.upper() not in INSTRUCTIONS:
        raise _fault(f"the Dockerfile has a line that is not an instruction: {keyword[:40]!r}", file, line)
    return Instruction(line, keyword.upper(), rest.strip())


def _check_shape(rendered: list[str], own: list[str], file: str) -> None:
    """Hold the rendered instructions against the template's: a part of them, in their order."""
    if rendered[:1] not in (["FROM"], ["ARG"]):
        raise _fault("a Dockerfile begins with FROM", file, hint="FROM {{ base }}")
    remaining = iter(own)
    is_part = all(keyword in remaining for keyword in rendered)
    if not is_part or Counter(rendered)["RUN"] > Counter(own)["RUN"]:
        raise SpecError(
            "the rendered Dockerfile has instructions that its template does not have",
            code="purpose.shape",
            hint="a param's value must not add instructions: tighten its pattern",
            where=Where(file=file),
        )


def _check_instruction(item: Instruction, file: str) -> None:
    if item.keyword in ("RUN", "COPY", "ADD") and _HEREDOC.search(item.rest):
        raise _fault(
            f"{item.keyword} uses a here-document, which the BuildKit of Docker 20.10 does not know",
            file,
            item.line,
            hint="write the lines with printf '%s\\n' …",
        )
    words = item.rest.split()
    if item.keyword in ("COPY", "ADD") and not any(
        word.startswith(("--from=", "http://", "https://")) for word in words
    ):
        raise _fault(
            f"{item.keyword} needs a build context, and a purpose has none",
            file,
            item.line,
            hint="write files with RUN printf, or put them in `config_files` of the spec",
        )


def _environment() -> ImmutableSandboxedEnvironment:
    # Autoescape has no meaning in a Dockerfile; values are checked before, and the result after rendering.
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(current.iter_child_nodes())


def _fault(message: str, file: str, line: int = 0, hint: str = "") -> SpecError:
    return SpecError(message, code="purpose.template", hint=hint, where=Where(file=file, line=line))
