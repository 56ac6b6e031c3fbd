"""Files of variables, read by Compose itself: no other reading agrees with its quotes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from envspec.compose import beside
from envspec.errors import SpecError, Where

Variables = Callable[[Sequence[bytes]], Mapping[str, str]]
"""Reads files of variables; see :meth:`envspec.engine.base.Reader.compose_variables`."""


@dataclass(frozen=True, slots=True)
class VariableFile:
    """A file of variables: where it lies, and its content."""

    path: Path
    text: bytes = field(repr=False)


def values_of(files: Sequence[VariableFile], variables: Variables, *, steered: bool = True) -> dict[str, str]:
    """Return the variables of some files, of which a later one goes before those before it.

    Args:
        files: The files.
        variables: Reads them.
        steered: Whether there may be variables among them that steer the engine's own tools.

    Raises:
        SpecError: A file is no file of variables, or has a variable that it may not have.
    """
    if not files:
        return {}
    try:
        found = dict(variables([file.text for file in files]))
    except SpecError:
        for number, file in enumerate(files, 1):
            _read(files[:number], file.path, variables)
        raise
    for name in () if steered else filter(beside.steers, sorted(found)):
        file = next(file for file in files if name.encode() in file.text)
        line = next(n for n, text in enumerate(file.text.splitlines(), 1) if name.encode() in text)
        raise SpecError(
            f"{file.path.name} sets {name}, which steers the engine's tools",
            code="compose.env_file",
            hint="take the line out: it has no effect here",
            where=Where(str(file.path), line),
        )
    return found


def _read(files: Sequence[VariableFile], path: Path, variables: Variables) -> None:
    """Read files of which the last may be the faulty one."""
    try:
        variables([file.text for file in files])
    except SpecError as error:
        where = Where(str(path), error.where.line)
        raise SpecError(f"{path.name}: {error.message}", code=error.code, hint=error.hint, where=where) from None
