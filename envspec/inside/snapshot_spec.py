"""The spec of a snapshot, for the same environment or under another name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from envspec import hostpath
from envspec.errors import SpecError, UsageError, Where
from envspec.inside.snapshot_manifest import Manifest
from envspec.spec.load import Loaded, load, loads

_NAME_KEY = re.compile(r"^name[ \t]*:[^\n]*$", re.MULTILINE)
_HEAD = re.compile(r"\A(?:(?:[ \t]*(?:#[^\n]*)?\n|%[^\n]*\n)*---[^\n]*\n)?")


def text_for(manifest: Manifest, env: str) -> str:
    """Return the text of a snapshot's spec with another name in it; all else stays as the author wrote it.

    Raises:
        UsageError: The text is laid out so that its name cannot be told.
    """
    if env == manifest.env:
        return manifest.spec
    line = f"name: {env}"
    text, count = _NAME_KEY.subn(line, manifest.spec, count=1)
    if not count:
        text = _HEAD.sub(lambda found: f"{found[0]}{line}\n", manifest.spec, count=1)
    try:
        name = loads(text.encode(), manifest.file, Path(manifest.directory)).spec.name
    except SpecError:
        name = None
    if name != env:
        raise UsageError(
            f"the spec of {manifest.name} cannot be given the name {env}",
            code="snapshot.rename",
            hint=f"`envspec snapshot show {manifest.name} --spec > FILE`, name it there, and restore with --spec FILE",
        )
    return text


def loaded_for(manifest: Manifest, env: str, file: Path | None) -> Loaded:
    """Return the spec of an environment that a snapshot becomes.

    Args:
        manifest: The snapshot.
        env: Name of the environment; "" for the snapshot's own, or for what the file says.
        file: Spec to use, which is written where it is not there; ``None`` for the snapshot's own, as it lay.

    Raises:
        SpecError: The spec is faulty.
        UsageError: It has another name, it cannot be written, or its directory is not there.
    """
    if file and hostpath.is_there(file):
        loaded = load(file)
        if env and loaded.spec.name != env:
            raise UsageError(
                f"{file} is the spec of {loaded.spec.name}, not of {env}",
                code="snapshot.other_spec",
                hint=f"write `name: {env}` in it, or leave --as out",
                where=Where(str(file)),
            )
        return loaded
    env = env or manifest.env
    text = text_for(manifest, env)
    if file:
        return _written(file, text)
    directory = Path(manifest.directory)
    if not hostpath.is_dir(directory):
        raise UsageError(
            f"{directory}, where the spec of the snapshot lay, is not on this host",
            code="snapshot.no_directory",
            hint="name a file with --spec: the spec is written there, and its directory takes the place of that one",
        )
    loaded = loads(text.encode(), manifest.file or manifest.name, directory)
    path = Path(manifest.file) if env == manifest.env and manifest.file else None
    return replace(loaded, path=path)


def _written(file: Path, text: str) -> Loaded:
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}",
            code="snapshot.unwritable",
            hint="name a file in a directory that you may write to",
        ) from None
    return load(file)
