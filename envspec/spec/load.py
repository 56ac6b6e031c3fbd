"""Loading a spec: one file in, either a spec or all of its faults with their lines out."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envspec.errors import SpecError, SpecFaults, Where
from envspec.spec import tree
from envspec.spec.models import FORMS, LATER, Spec
from envspec.spec.values import Fault, shown

FILE_NAMES = ("env.yaml", "env.yml")
"""What a spec is called when only its directory is given."""

_MAX_GUESSES = 100
"""Unknown keys that are compared with the known ones; a file with more is not a misspelt spec."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A spec and where it comes from.

    Attributes:
        spec: The spec, its name filled in.
        path: Absolute real path of its file, ``None`` when it came from elsewhere.
        directory: Absolute directory that relative paths in it are relative to.
        file: The file as the user wrote it, for errors.
        top: The file's tree, for errors; see :meth:`where`.
    """

    spec: Spec
    path: Path | None
    directory: Path
    file: str = ""
    top: tree.Node | None = field(default=None, repr=False, compare=False)

    def where(self, *loc: str | int) -> Where:
        """Return the place in the file of a value of the spec, such as ``("repos", 0, "url")``."""
        if self.top is None:
            return Where(self.file)
        node, _ = self.top.find(loc)
        return Where(self.file, node.line, node.column)


def load(path: Path) -> Loaded:
    """Load a spec from a file, or from ``env.yaml`` in a directory.

    Args:
        path: File or directory, as the user wrote it.

    Returns:
        The spec and where it comes from.

    Raises:
        SpecError: There is no such file (``spec.not_found``), or it cannot be read (``spec.unreadable``).
        SpecFaults: All faults of the file, in its order.
    """
    file = path
    if path.is_dir():
        file = next((path / name for name in FILE_NAMES if (path / name).exists()), path / FILE_NAMES[0])
    if not file.exists():
        raise SpecError(
            f"there is no file `{file}`",
            code="spec.not_found",
            hint="`envspec init` writes one to start from",
            where=Where(str(file)),
        )
    if not file.is_file():
        raise SpecError(
            f"`{file}` is not a file", code="spec.unreadable", hint="name a YAML file", where=Where(str(file))
        )
    try:
        with file.open("rb") as stream:
            data = stream.read(tree.MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(
            f"`{file}` cannot be read: {error.strerror}",
            code="spec.unreadable",
            hint="look at the file's permissions",
            where=Where(str(file)),
        ) from None
    return _load(data, str(file), file.parent.resolve(), file.resolve())


def loads(text: bytes, file: str, directory: Path) -> Loaded:
    """Load a spec from bytes.

    Args:
        text: The YAML text.
        file: What errors call it.
        directory: What relative paths in it are relative to; its name is the default of ``name``.

    Returns:
        The spec; its ``path`` is ``None``.

    Raises:
        SpecFaults: All faults of the text, in its order.
    """
    return _load(text, file, directory.resolve(), None)


def slug_of(directory: Path) -> str:
    """Return the name that an environment takes from its directory, "" when nothing of it can be used."""
    plain = unicodedata.normalize("NFKD", directory.name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")


def _load(data: bytes, file: str, directory: Path, path: Path | None) -> Loaded:
    top, faults = tree.read(data, file)
    spec: Spec | None = None
    try:
        spec = Spec.model_validate(top.plain())
    except ValidationError as error:
        faults += _faults(error, top, file)
    if spec and spec.name is None:
        spec = spec.model_copy(update={"name": slug_of(directory)})
        if not spec.name:
            message = f"no name can be made from the directory {shown(directory.name)}"
            faults.append(SpecError(message, code="spec.value", hint="write `name: …`", where=Where(file, 1, 1)))
    if faults or spec is None:
        raise SpecFaults(tuple(sorted(faults, key=lambda fault: (fault.where, fault.message))))
    return Loaded(spec, path, directory, file, top)


def _faults(error: ValidationError, top: tree.Node, file: str) -> list[SpecError]:
    """Turn pydantic's errors into faults at their places; an alias used twice is one fault."""
    guesses = iter(range(_MAX_GUESSES))
    found: dict[tuple[Where, str], SpecError] = {}
    for detail in error.errors(include_url=False, include_input=False):
        for fault in _of(detail, guesses):
            loc = (*detail["loc"], *fault.at)
            node, key = top.find(tuple(part for part in loc if part != "[key]"))
            place = key if key and (loc[-1] == "[key]" or fault.code == "spec.unknown_key") else node
            where = Where(file, place.line, place.column)
            found[where, fault.message] = SpecError(fault.message, code=fault.code, hint=fault.hint, where=where)
    return list(found.values())


def _of(detail: Any, guesses: Iterator[int]) -> tuple[Fault, ...]:
    """Return the faults that one of pydantic's errors stands for."""
    loc = detail["loc"]
    if detail["type"] == "spec":
        return tuple(detail["ctx"]["faults"])
    if detail["type"] == "extra_forbidden":
        return (_unknown(loc, guesses),)
    if detail["type"] == "missing":
        form = FORMS.get(str(loc[0]), Spec)
        return (Fault("spec.missing", f"the key {shown(loc[-1])} is missing", form.written),)
    return (Fault("spec.value", f"{shown(loc[-1])} is not valid: {detail['msg']}", "`envspec schema` says what is"),)


def _unknown(loc: tuple[str | int, ...], guesses: Iterator[int]) -> Fault:
    """Return the fault for an unknown key, with the known key that it resembles most."""
    name = str(loc[-1])
    known = sorted((FORMS[str(loc[0])] if len(loc) > 1 else Spec).model_fields)
    if len(loc) == 1 and name in LATER:
        hint = f"`{name}` is not supported by this version"
    elif next(guesses, None) is not None and (near := difflib.get_close_matches(name[:40], known, 1, 0.6)):
        hint = f"did you mean `{near[0]}`?"
    else:
        hint = "the keys here are " + ", ".join(f"`{key}`" for key in known)
    return Fault("spec.unknown_key", f"unknown key {shown(name)}", hint)
