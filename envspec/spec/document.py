"""A file in, a checked model or all of its faults with their lines out; what a spec and the user's settings share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from envspec import hostpath
from envspec.errors import SpecError, SpecFaults, Where, near
from envspec.spec import tree
from envspec.spec.forms import Form
from envspec.spec.values import Fault, shown

M = TypeVar("M", bound=Form)

_MAX_GUESSES = 100
"""Unknown keys that are compared with the known ones; a file with more is not a misspelt one."""


@dataclass(frozen=True, slots=True)
class Grammar(Generic[M]):
    """What a file may say.

    Attributes:
        model: The form of the whole file.
        forms: The forms of those of its keys whose values have keys of their own.
    """

    model: type[M]
    forms: Mapping[str, type[Form]]

    def at(self, loc: tuple[str | int, ...]) -> type[Form]:
        """Return the form whose key a place names."""
        return self.forms[str(loc[0])] if len(loc) > 1 else self.model


def content_of(file: Path) -> bytes:
    """Return the content of a file, at most one byte more than is read of one.

    Raises:
        SpecError: It is no regular file, or cannot be read (``spec.unreadable``).
    """
    if not hostpath.is_file(file):
        raise SpecError(
            f"`{file}` is not a file", code="spec.unreadable", hint="name a YAML file", where=Where(str(file))
        )
    try:
        with file.open("rb") as stream:
            return stream.read(tree.MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(
            f"`{file}` cannot be read: {error.strerror}",
            code="spec.unreadable",
            hint="look at the file's permissions",
            where=Where(str(file)),
        ) from None


def check(data: bytes, file: str, grammar: Grammar[M]) -> tuple[M | None, tree.Node, list[SpecError]]:
    """Read a document and check it.

    Args:
        data: The YAML text.
        file: What errors call it.
        grammar: What it may say.

    Returns:
        The model, ``None`` where it cannot be made; the file's tree; and the faults found.

    Raises:
        SpecFaults: It is no YAML, no mapping, or passes a bound.
    """
    top, faults = tree.read(data, file)
    try:
        return grammar.model.model_validate(top.plain()), top, faults
    except ValidationError as error:
        return None, top, [*faults, *_faults(error, top, file, grammar)]


def all_of(faults: Iterable[SpecError]) -> SpecFaults:
    """Return the one error for some faults, in the order of the file."""
    return SpecFaults(tuple(sorted(faults, key=lambda fault: (fault.where, fault.message))))


def _faults(error: ValidationError, top: tree.Node, file: str, grammar: Grammar[M]) -> list[SpecError]:
    """Turn pydantic's errors into faults at their places; an alias used twice is one fault."""
    guesses = iter(range(_MAX_GUESSES))
    found: dict[tuple[Where, str], SpecError] = {}
    for detail in error.errors(include_url=False, include_input=False):
        for fault in _of(detail, guesses, grammar):
            loc = (*detail["loc"], *fault.at)
            node, key = top.find(tuple(part for part in loc if part != "[key]"))
            place = key if key and (loc[-1] == "[key]" or fault.code == "spec.unknown_key") else node
            where = Where(file, place.line, place.column)
            found[where, fault.message] = SpecError(fault.message, code=fault.code, hint=fault.hint, where=where)
    return list(found.values())


def _of(detail: Any, guesses: Iterator[int], grammar: Grammar[M]) -> tuple[Fault, ...]:
    """Return the faults that one of pydantic's errors stands for."""
    loc = detail["loc"]
    if detail["type"] == "spec":
        return tuple(detail["ctx"]["faults"])
    if detail["type"] == "extra_forbidden":
        return (_unknown(loc, guesses, grammar),)
    if detail["type"] == "missing":
        form = grammar.forms.get(str(loc[0]), grammar.model)
        return (Fault("spec.missing", f"the key {shown(loc[-1])} is missing", form.written),)
    return (Fault("spec.value", f"{shown(loc[-1])} is not valid: {detail['msg']}", "`envspec schema` says what is"),)


def _unknown(loc: tuple[str | int, ...], guesses: Iterator[int], grammar: Grammar[M]) -> Fault:
    """Return the fault for an unknown key, with the known key that it resembles most."""
    name = str(loc[-1])
    known = sorted(grammar.at(loc).model_fields)
    if next(guesses, None) is not None and (meant := near(name, known)):
        hint = f"did you mean `{meant}`?"
    else:
        hint = "the keys here are " + ", ".join(f"`{key}`" for key in known)
    return Fault("spec.unknown_key", f"unknown key {shown(name)}", hint)
