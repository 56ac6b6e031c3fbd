"""Loading a spec: one file in, either a spec or all of its faults with their lines out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from envspec.errors import SpecError, Where
from envspec.spec import tree
from envspec.spec.document import Grammar, all_of, check, content_of
from envspec.spec.models import FORMS, Spec
from envspec.spec.values import shown

FILE_NAMES = ("env.yaml", "env.yml")
"""What a spec is called when only its directory is given."""

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
    return _load(content_of(file), str(file), file.parent.resolve(), file.resolve())


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
    spec, top, faults = check(data, file, GRAMMAR)
    if spec and spec.name is None:
        spec = spec.model_copy(update={"name": slug_of(directory)})
        if not spec.name:
            message = f"no name can be made from the directory {shown(directory.name)}"
            faults.append(SpecError(message, code="spec.value", hint="write `name: …`", where=Where(file, 1, 1)))
    if faults or spec is None:
        raise all_of(faults)
    return Loaded(spec, path, directory, file, top)
