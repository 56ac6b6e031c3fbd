"""What an image is built from: a digest of the build's settings and of every file in its context."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from envspec import hostpath
from envspec.compose.read import REMOTE
from envspec.errors import SpecError, Where
from envspec.spec.values import shown

MAX_FILES = 20_000
"""Files of one context; whoever has more lacks a ``.dockerignore``."""

MAX_BYTES = 1 << 30
"""Bytes of one context."""

_CHUNK = 1 << 20


def digest(build: Mapping[str, Any], address: str) -> str:
    """Return the digest of everything that a build is given.

    Args:
        build: The ``build`` of a resolved service.
        address: Address of the service.

    Raises:
        SpecError: The context is missing, or too large to be looked through at every plan.
    """
    settings = {key: value for key, value in build.items() if key not in ("labels", "tags")}
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    context = str(build.get("context") or "")
    if context and not REMOTE.match(context):
        root = Path(context)
        if not hostpath.is_dir(root):
            told = f"the build context {shown(context)} is not a directory"
            raise _fault(told, "create it, or change `build`", address)
        _add(found, root, address)
    return found.hexdigest()


def _add(found: Any, root: Path, address: str) -> None:
    ignored = _Ignored(root)
    total = 0
    for number, path in enumerate(sorted(_files(root, ignored))):
        stat = path.lstat()
        total += stat.st_size
        if number >= MAX_FILES or total > MAX_BYTES:
            told = f"the build context {root} holds more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB"
            raise _fault(told, "leave out what the build does not need with a `.dockerignore`", address)
        found.update(f"\0{path.relative_to(root)}\0{stat.st_mode:o}\0".encode(errors="surrogateescape"))
        if path.is_symlink():
            found.update(os.fsencode(path.readlink()))
        elif path.is_file():
            _hash(found, path, address)


def _hash(found: Any, path: Path, address: str) -> None:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
    except OSError as error:
        raise _fault(f"{path} cannot be read: {error.strerror}", "name it in `.dockerignore`", address) from None


def _files(root: Path, ignored: _Ignored) -> Iterator[Path]:
    for directory, folders, files in os.walk(root):
        here = Path(directory)
        folders[:] = [name for name in folders if not ignored.prunes(here / name)]
        links = [name for name in folders if (here / name).is_symlink()]
        yield from (here / name for name in (*files, *links) if not ignored(here / name))


class _Ignored:
    """What a ``.dockerignore`` leaves out; ``.git`` where there is none, for it changes with every commit.

    Args:
        root: The context.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._patterns = [(".git", False)]
        file = root / ".dockerignore"
        if file.is_file():
            lines = (line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines())
            kept = [line for line in lines if line and not line.startswith("#")]
            self._patterns = [(line.lstrip("!").strip("/"), line.startswith("!")) for line in kept]
        self._excepts = any(back for _, back in self._patterns)

    def __call__(self, path: Path) -> bool:
        """Say whether a path is left out; the last pattern that matches it, or what holds it, decides."""
        relative = PurePosixPath(path.relative_to(self._root))
        names = [str(relative), *(str(parent) for parent in relative.parents if str(parent) != ".")]
        out = False
        for pattern, back in self._patterns:
            if any(_matches(name, pattern) for name in names):
                out = not back
        return out

    def prunes(self, path: Path) -> bool:
        """Say whether a directory need not be looked into: it is left out, and nothing in it is taken back."""
        return not self._excepts and self(path)


def _matches(name: str, pattern: str) -> bool:
    """Match as Docker does: ``*`` stays within one directory, ``**`` does not."""
    if "**" in pattern:
        return fnmatch.fnmatchcase(name, pattern.replace("**/", "*")) or fnmatch.fnmatchcase(name, pattern)
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)


def _fault(message: str, hint: str, address: str) -> SpecError:
    return SpecError(message, code="compose.context", hint=hint, where=Where(address=address))
