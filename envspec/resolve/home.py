"""Files of the user's home inside: secret ones as links into the tmpfs, settings as copies; then the purpose's setup.

Settings are copied and not declared as files are: what runs inside goes on writing them, and that is no drift.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator

from envspec.engine.facts import RUN_DIR
from envspec.engine.operations import RunFile
from envspec.forward.values import Forwarded
from envspec.kinds.command import CommandSpec
from envspec.kinds.file import FileSpec
from envspec.model import Hidden
from envspec.resolve.user import Identity
from envspec.spec.models import Spec

PLACE = "home"
"""Directory of the tmpfs that the files lie in."""

TIMEOUT = 1800.0
"""Seconds that one command of a purpose's setup may take; as for a setup command that names no ``timeout``."""


def run_files(found: Forwarded, who: Identity) -> tuple[RunFile, ...]:
    """Return the files of the tmpfs."""
    files = (*found.secret, *found.seed)
    return tuple(RunFile(f"{PLACE}/{file.path}", Hidden(file.text), 0o400, who.uid, who.gid) for file in files)


def links(spec: Spec, found: Forwarded, who: Identity) -> tuple[FileSpec, ...]:
    """Return the links in the home to those that are secret."""
    if spec.security.read_only:
        return ()
    return tuple(
        FileSpec(f"~{who.uid}/{file.path}", _inside(file.path).encode(), 0o777, who.uid, who.gid, link=True)
        for file in found.secret
    )


def commands(spec: Spec, found: Forwarded, setup: tuple[str, ...], who: Identity) -> Iterator[tuple[str, CommandSpec]]:
    """Yield address and command of each copy, then of the purpose's setup, which runs again after a new copy.

    Args:
        spec: The spec.
        found: What was found on the host.
        setup: The commands of the purpose.
        who: Who runs them.
    """
    copies = () if spec.security.read_only else found.seed
    for file in copies:
        text = f"install -D -m 600 {_inside(file.path)} ~/{file.path}"
        trigger = hashlib.sha256(file.text.encode()).hexdigest()
        yield f"command.home.{file.path}", CommandSpec(text, spec.workspace, who.uid, who.gid, TIMEOUT, trigger=trigger)
    trigger = hashlib.sha256("\0".join(file.text for file in copies).encode()).hexdigest() if copies else ""
    for number, text in enumerate(setup):
        run = CommandSpec(text, spec.workspace, who.uid, who.gid, TIMEOUT, trigger=trigger)
        yield f"command.purpose[{number}]", run


def _inside(path: str) -> str:
    return posixpath.join(RUN_DIR, PLACE, path)
