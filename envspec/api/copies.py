"""Files and trees into an environment and out of it, for Python."""

from __future__ import annotations

import os
from typing import BinaryIO

from envspec.api.targets import locate, open_engine
from envspec.engine.base import Engine
from envspec.events import Emit, silent
from envspec.inside import copy_in as into
from envspec.inside import copy_out as out
from envspec.inside.copy_box import Copied


def copy_in(
    source: str | os.PathLike[str] | BinaryIO,
    target: str,
    destination: str,
    *,
    emit: Emit = silent,
    engine: Engine | None = None,
) -> Copied:
    """Copy a file, a tree or a tar stream into an environment, which need not run.

    It belongs to the environment's user there; modes and times are kept.

    Args:
        source: Path on this host, or a stream to read from. ``DIR/.`` stands for what is in a directory.
        target: Name of the environment, or its spec.
        destination: Path inside, relative to the workspace unless absolute. A directory takes the source under its
            name; else the source gets this very name, in a directory that is there.
        emit: Takes progress.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no such environment, or no such source.
        Refused: The destination lies on a tmpfs.
        StepFailed: The destination is not where something can be put, or the source cannot be read.
        EngineCallFailed: The engine refused.
    """
    plain = os.fspath(source) if isinstance(source, str | os.PathLike) else source
    return into.copy_in(engine or open_engine(), locate(target), plain, destination, emit)


def copy_out(
    target: str,
    source: str,
    destination: str | os.PathLike[str] | BinaryIO,
    *,
    emit: Emit = silent,
    engine: Engine | None = None,
) -> Copied:
    """Copy a file or a tree out of an environment, which need not run, and nothing unsafe with it.

    Args:
        target: Name of the environment, or its spec.
        source: Path inside, relative to the workspace unless absolute. ``DIR/.`` stands for what is in a directory.
        destination: Path on this host, or a stream that gets a tar archive. A directory takes the source under its
            name; else the source gets this very name, in a directory that is there.
        emit: Takes progress.
        engine: The engine, by default this host's.

    Returns:
        What was copied, and what was left out: devices, pipes, sockets, and links that lead out.

    Raises:
        UsageError: There is no such environment, or no such source.
        Refused: The source lies on a tmpfs.
        StepFailed: The destination is not where something can be put, or a link there is in the way.
        EngineCallFailed: The engine refused.
    """
    plain = os.fspath(destination) if isinstance(destination, str | os.PathLike) else destination
    return out.copy_out(engine or open_engine(), locate(target), source, plain, emit)
