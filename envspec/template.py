"""Renders a purpose's Dockerfile template, and trusts neither the template nor the values.

A template may print names, compare, and choose with ``if``. That is all that a Dockerfile needs, and it bounds the
result by the size of the input: a sandbox alone stops neither ``10**(10**8)`` nor nested loops. What comes out is
parsed again and must hold no instruction that the template does not have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from envspec.errors import SpecError, Where

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
    for node in _walk(tree):
        if not isinstance(node, _ALLOWED_NODES):
            raise _fault(
                f"a purpose's template cannot use `{type(node).__name__.lower()}`",
                file,
                node.lineno,
                hint="print names with {{ }}, and choose with {% if %}, ==, in, and, or, not; nothing else",
            )
        if isinstance(node, nodes.Name) and node.name not in names:
            raise _fault(
                f"the template uses `{node.name}`, which nothing defines",
                file,
                node.lineno,
                hint=f"declare it under params; defined are {', '.join(sorted(names))}",
            )


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
    dockerfile = fill(text, values, file).strip("\n") + "\n"
    for number, line in enumerate(dockerfile.splitlines(), start=1):
        if _DIRECTIVE.match(line):
            raise _fault(
                f"line {number} of the Dockerfile is a parser directive: {line.strip()}",
                file,
                hint="take it out: `# syntax=` makes the engine fetch a frontend from a registry",
            )
    rendered = tuple(instructions(dockerfile, file))
    own = tuple(instructions(_UNPRINTED.sub("", _PRINTED.sub("x", text)), file))
    _check_shape([item.keyword for item in rendered], [item.keyword for item in own], file)
    for item in rendered:
        _check_instruction(item, file)
    return dockerfile


def instructions(dockerfile: str, file: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile in order.

    Raises:
        SpecError: A line is no instruction.
    """
    start, parts = 0, list[str]()
    for number, line in enumerate(dockerfile.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue  # both may stand between the lines of one instruction
        start = start or number
        parts.append(_CONTINUED.sub("", line))
        if not _CONTINUED.search(line):
            yield _instruction(start, " ".join(parts), file)
            start, parts = 0, []
    if parts:
        yield _instruction(start, " ".join(parts), file)


def _instruction(line: int, text: str, file: str) -> Instruction:
    keyword, _, rest = text.strip().partition(" ")
    if keyword.upper() not in INSTRUCTIONS:
        raise _fault(f"the Dockerfile has a line that is no instruction: {keyword[:40]!r}", file, line)
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
            hint="write the lines with printf '%s\\n' …",
        )
    words = item.rest.split()
    if item.keyword in ("COPY", "ADD") and not any(
        word.startswith(("--from=", "http://", "https://")) for word in words
    ):
        raise _fault(
            f"{item.keyword} needs a build context, and a purpose has none",
            file,
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
