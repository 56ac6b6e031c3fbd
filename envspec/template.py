"""Renders a purpose's Dockerfile template, and trusts neither the template nor the values.

A template may print names, compare, and choose with ``if``. That is all that a Dockerfile needs, and it bounds the
result by the size of the input: a sandbox alone stops neither ``10**(10**8)`` nor nested loops. What comes out is
parsed again and must hold no instruction that the template does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from envspec.dockerfile import Instruction, instructions
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
        SpecError: The Dockerfile is none, has a parser directive or needs a build context, or holds an instruction
            or a here-document that the template does not.
    """
    lines = tuple(_lines(fill(_numbered(text), values, file)))
    rendered = _instructions(lines, file)
    within = {position for item in rendered for position in range(*item.body)}
    faults = Faults()
    for position, line in enumerate(lines):
        if position not in within and _DIRECTIVE.match(line.text):
            told = f"the Dockerfile has a parser directive: {line.text.strip()}"
            hint = "take it out: `# syntax=` makes the engine fetch a frontend from a registry"
            faults.add(_fault(told, file, line.number, hint))
    unprinted = _UNPRINTED.sub(lambda tag: "\n" * tag[0].count("\n"), _PRINTED.sub("x", text))
    own = _instructions([_Line(number, line) for number, line in enumerate(unprinted.split("\n"), start=1)], file)
    with faults:
        _check_shape(rendered, own, file)
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


def _instructions(lines: Sequence[_Line], file: str) -> tuple[Instruction, ...]:
    """Return the instructions of a Dockerfile in order.

    Raises:
        SpecError: A line is no instruction.
    """
    found = tuple(instructions([(line.number, line.text) for line in lines]))
    for index, item in enumerate(found):
        if item.keyword not in INSTRUCTIONS:
            for open_one in (one for one in found[:index] if not one.ended):  # its body, in all likelihood
                _check_instruction(open_one, file)
            told = f"the Dockerfile has a line that is not an instruction: {item.keyword[:40]!r}"
            raise _fault(told, file, item.line)
    return found


def _check_shape(rendered: Sequence[Instruction], own: Sequence[Instruction], file: str) -> None:
    """Hold the rendered instructions against the template's: a part of them, in their order.

    A here-document that a value begins would swallow what follows, so each must be one of the template's same line.
    """
    if not rendered or rendered[0].keyword not in ("FROM", "ARG"):
        raise _fault("a Dockerfile begins with FROM", file, hint="FROM {{ base }}")
    remaining = iter([item.keyword for item in own])
    is_part = all(item.keyword in remaining for item in rendered)
    bodies = {(item.line, item.heredocs) for item in own}
    is_part = is_part and all((item.line, item.heredocs) in bodies for item in rendered if item.heredocs)
    runs, own_runs = (sum(item.keyword == "RUN" for item in items) for items in (rendered, own))
    if not is_part or runs > own_runs:
        raise SpecError(
            "the rendered Dockerfile has instructions that its template does not have",
            code="purpose.shape",
            hint="a param's value must not add instructions: tighten its pattern",
            where=Where(file=file),
        )


def _check_instruction(item: Instruction, file: str) -> None:
    if not item.ended:
        told = f"a here-document of {item.keyword} has no end"
        raise _fault(told, file, item.line, f"end it with a line `{item.heredocs[-1].name}`")
    if item.keyword not in ("COPY", "ADD"):
        return
    words = item.rest.split()
    sources = [word for word in words if not word.startswith("--")][:-1]
    own = all("<<" in word or word.startswith(("http://", "https://")) for word in sources)
    if not sources or not (own or any(word.startswith("--from=") for word in words)):
        raise _fault(
            f"{item.keyword} needs a build context, and a purpose has none",
            file,
            item.line,
            hint="write files with a here-document or RUN printf, or put them in `config_files` of the spec",
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
