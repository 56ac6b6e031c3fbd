"""The user's SSH: the agent that holds their keys, the files of ``~/.ssh``, the hosts that they know."""

from __future__ import annotations

import re
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from envspec import hostpath
from envspec.forward.values import SshFile

MAX_FILE_BYTES = 1024 * 1024
"""A larger file is neither key nor configuration."""

MAX_FILES = 256
"""Files of ``~/.ssh`` that are taken along; whoever has more keeps something else there."""

MAX_DEPTH = 3
"""How deep below ``~/.ssh`` files are looked for, such as ``config.d/work/hosts``."""

AGENT_PATIENCE = 1.0
"""Seconds within which an agent takes a connection."""

LEFT_BEHIND = re.compile(r"authorized_keys2?|environment|rc|agent|.*\.(old|bak|swp|lock)|.*~|s\..*|known_hosts\..*")
"""What decides who may come in here, sockets' directories and leftovers."""


def agent(environ: Mapping[str, str]) -> tuple[str, int]:
    """Return the real path of the agent's socket and its owner; "" for the path where none takes a connection."""
    path = hostpath.real(Path(environ.get("SSH_AUTH_SOCK") or "/"))
    try:
        status = path.stat()
        if not stat.S_ISSOCK(status.st_mode):
            return "", 0
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(AGENT_PATIENCE)
            connection.connect(str(path))
    except OSError:
        return "", 0
    return str(path), status.st_uid


def files(home: Path) -> tuple[tuple[SshFile, ...], tuple[str, ...]]:
    """Return the files of ``~/.ssh`` to take along, sorted, and in words what stays behind although it looks wanted."""
    root = home / ".ssh"
    found, told = [], []
    for path in _walk(root, 0):
        name = str(path.relative_to(root))
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                continue
            if status.st_size > MAX_FILE_BYTES:
                told.append(f"~/.ssh/{name} is larger than 1 MiB and stays behind")
            else:
                found.append(SshFile(name, path.read_bytes().decode(errors="surrogateescape")))
        except OSError as error:
            told.append(f"~/.ssh/{name} stays behind: {error.strerror}")
    if len(found) > MAX_FILES:
        told.append(f"~/.ssh has {len(found)} files: only the first {MAX_FILES} are taken along")
    return tuple(found[:MAX_FILES]), tuple(told)


def known_hosts(home: Path) -> bytes:
    """Return the hosts that the user's SSH knows, with a line break at the end; ``b""`` for none."""
    path = home / ".ssh" / "known_hosts"
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return b""
        content = path.read_bytes()
    except OSError:
        return b""
    return content.rstrip(b"\n") + b"\n" if content.strip() else b""


def _walk(directory: Path, depth: int) -> Iterator[Path]:
    """Yield what lies below a directory and is not a directory itself, sorted; links of the user's own are followed."""
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return
    for path in entries:
        if LEFT_BEHIND.fullmatch(path.name) or not path.name.isprintable():
            continue
        if path.is_dir():
            if depth < MAX_DEPTH and not path.is_symlink():
                yield from _walk(path, depth + 1)
        else:
            yield path
