"""Loading a spec: one file in, either a spec or all of its faults with their lines out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from envspec import hostpath
from envspec.errors import SpecError, Where
from envspec.spec import tree
from envspec.spec.document import Grammar, all_of, check, content_of
from envspec.spec.models import FORMS, Spec
from envspec.spec.values import shown

FILE_NAMES = ("env.yaml", "env.yml")
"""What a spec is called when only its directory is given."""

STAND_IN = "envspec/unknown"
"""Reference of the image of a spec whose own cannot be known."""

_ROUNDS = 3

GRAMMAR = Grammar(Spec, FORMS)
"""What a spec may say."""


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
    return _whole(*_load(*_content(path)))


def load_partly(path: Path) -> tuple[Loaded | None, tuple[SpecError, ...]]:
    """Load what can be read of a spec although some of its keys are at fault, so that the other ones can be checked.

    Args:
        path: File or directory, as the user wrote it.

    Returns:
        The spec without the keys at fault, ``None`` where nothing can be made of it; and the faults. A purpose at
        fault is stood in for by the image :data:`STAND_IN`.

    Raises:
        SpecError: As :func:`load`, when the file cannot be read as a mapping at all.
    """
    return _load(*_content(path), partly=True)


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
    return _whole(*_load(text, file, hostpath.real(directory), None))


def slug_of(directory: Path) -> str:
    """Return the name that an environment takes from its directory, "" when nothing of it can be used."""
    plain = unicodedata.normalize("NFKD", directory.name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")


def _content(path: Path) -> tuple[bytes, str, Path, Path]:
    """Return the content of a spec's file, what errors call it, its directory, and where it really is."""
    file = path
    if hostpath.is_dir(path):
        file = next((path / name for name in FILE_NAMES if hostpath.is_there(path / name)), path / FILE_NAMES[0])
    if trouble := hostpath.trouble(file):
        raise _not_found(file, trouble)
    return content_of(file), str(file), hostpath.real(file.parent), hostpath.real(file)


def _not_found(file: Path, trouble: str) -> SpecError:
    """Return the error of a path at which there is no spec; it may be the text of one."""
    told = shown(str(file))
    if "\n" in str(file) or ": " in str(file):
        hint = "give the path of a spec; one that is only a text can be written to a file first"
        return SpecError(f"{told} is not the path of a file", code="spec.not_found", hint=hint)
    missing = trouble == "does not exist"
    return SpecError(
        f"there is no file {told}" if missing else f"{told} {trouble}",
        code="spec.not_found",
        hint="`envspec init` writes one to start from" if missing else "give the path of a spec",
        where=Where(str(file) if missing else ""),
    )


def _whole(found: Loaded | None, faults: tuple[SpecError, ...]) -> Loaded:
    """Return a spec that has no fault.

    Raises:
        SpecFaults: It has.
    """
    if faults or found is None:
        raise all_of(faults)
    return found


def _load(
    data: bytes, file: str, directory: Path, path: Path | None, *, partly: bool = False
) -> tuple[Loaded | None, tuple[SpecError, ...]]:
    spec, top, faults = check(data, file, GRAMMAR)
    if spec is None and partly:
        spec = _rest(top)
    if spec and spec.name is None:
        spec = spec.model_copy(update={"name": slug_of(directory)})
        if not spec.name:
            message = f"no name can be made from the directory {shown(directory.name)}"
            faults.append(SpecError(message, code="spec.value", hint="write `name: …`", where=Where(file, 1, 1)))
    return Loaded(spec, path, directory, file, top) if spec else None, tuple(faults)


def _rest(top: tree.Node) -> Spec | None:
    """Return the spec of those keys that have no fault; taking one out may show that another cannot do without it."""
    data = top.plain()
    for _ in range(_ROUNDS):
        try:
            return Spec.model_validate(data)
        except ValidationError as error:
            faulty = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
        if faulty & {"purpose", "repo_url", "image"}:
            faulty |= {"purpose", "repo_url", "image"}
        data = {key: value for key, value in data.items() if key not in faulty}
        if "purpose" in faulty:
            data["image"] = STAND_IN
    return None
