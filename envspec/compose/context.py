"""What an image is built from: a digest of the build's settings and of every file in its context."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envspec import hostpath
from envspec.compose.dockerignore import Ignored
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
        # The text of one in the document is part of the settings; no `Dockerfile.dockerignore` is read then.
        dockerfile = None if build.get("dockerfile_inline") else root / str(build.get("dockerfile") or "Dockerfile")
        _add(found, root, Ignored(root, dockerfile), address)
        if (
            dockerfile and dockerfile.is_file()
        ):  # it counts where the context leaves it out, and where it lies elsewhere
            _hash(found, dockerfile, address)
    return found.hexdigest()


def _add(found: Any, root: Path, ignored: Ignored, address: str) -> None:
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


def _files(root: Path, ignored: Ignored) -> Iterator[Path]:
    for directory, folders, files in os.walk(root):
        here = Path(directory)
        folders[:] = [name for name in folders if not ignored.prunes(here / name)]
        links = [name for name in folders if (here / name).is_symlink()]
        yield from (here / name for name in (*files, *links) if not ignored(here / name))


def _fault(message: str, hint: str, address: str) -> SpecError:
    return SpecError(message, code="compose.context", hint=hint, where=Where(address=address))
