"""Whether what goes by Docker's name is Podman: the command of the package podman-docker, or a socket.

Podman speaks most of Docker's language, and differs where it matters: in labels, templates, limits, networks. So a
socket is asked what it is, by a ping that costs a millisecond, and a script is read. Nothing is started.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from envspec.engine import unix_socket

if TYPE_CHECKING:
    import socket

ASK_DEADLINE = 2.0
"""Seconds for Podman to say what it is; its socket may have to start it."""

PRODUCT = b"libpod-api-version:"
"""Header, in small letters, of Podman's answer to ``/_ping``, and of no other's."""

_HANDS_OVER = re.compile(rb"^\s*(exec\s+)?([\w/.-]*/)?podman(-remote)?\s", re.MULTILINE)
_REQUEST = b"GET /_ping HTTP/1.0\r\nHost: d\r\n\r\n"
_HEAD_ENDS = b"\r\n\r\n"
_MOST = 1 << 16
_UNIX = "unix://"
_SERVERS = ("podman", "systemd")
"""Programs that listen at a socket of Podman's: itself, or what starts it."""


def command_is_podman(environ: Mapping[str, str] = os.environ) -> str:
    """Return the path of the command ``docker`` where it is Podman's, "" where it is not.

    It is a link to Podman, or a script that hands over to it.
    """
    found = shutil.which("docker", path=environ.get("PATH"))
    if found is None:
        return ""
    path = Path(found)
    try:
        is_podman = path.resolve().name == "podman" or _HANDS_OVER.search(_script(path)) is not None
    except OSError:
        return ""
    return found if is_podman else ""


def socket_is_podman(endpoint: str) -> bool:
    """Say whether Podman answers at an endpoint of Docker's; one that is not a socket of this host is not asked."""
    if not endpoint.startswith(_UNIX):
        return False
    with _connected(endpoint) as client:
        return client is not None and PRODUCT in _answer(client).lower()


def own_socket(endpoint: str, proc: Path = Path("/proc")) -> bool:
    """Say whether an endpoint leads to the Podman that this user's ``podman`` command works on.

    That is so where the one who listens is this user, sees the same files, and is Podman with its ordinary store or
    the systemd that starts it. A socket from outside a container, or one that SSH forwards, leads to another Podman.

    Args:
        endpoint: Address of the socket.
        proc: Where the kernel tells of processes.
    """
    pid, uid = _listener(endpoint)
    listener = proc / str(pid)
    try:
        program = (listener / "exe").readlink().name
        same_files = (listener / "ns/mnt").readlink() == (proc / "self/ns/mnt").readlink()
        elsewhere = b"--root" in (listener / "cmdline").read_bytes()
    except OSError:
        return False
    return uid == os.geteuid() and same_files and program in _SERVERS and not elsewhere


def listens_as_root(endpoint: str) -> bool:
    """Say whether root listens at a socket, as it does for every Docker that is neither rootless nor in a VM."""
    return _listener(endpoint)[1] <= 0


def _listener(endpoint: str) -> tuple[int, int]:
    """Return PID and user of the one who listens at a socket; -1 where nobody does, or the kernel does not tell."""
    with _connected(endpoint) as client:
        return (client and unix_socket.listener(client)) or (-1, -1)


def _script(path: Path) -> bytes:
    """Return the text of a script, b"" of a program."""
    with path.open("rb") as file:
        return file.read(_MOST) if file.read(2) == b"#!" else b""


def _connected(endpoint: str) -> AbstractContextManager[socket.socket | None]:
    return unix_socket.connected(endpoint.removeprefix(_UNIX), ASK_DEADLINE)


def _answer(client: socket.socket) -> bytes:
    """Return the head of what is answered to a ping, b"" where nothing is."""
    answer = b""
    try:
        client.sendall(_REQUEST)
        while len(answer) < _MOST and _HEAD_ENDS not in answer and (chunk := client.recv(_MOST)):
            answer += chunk
    except OSError:
        return answer
    return answer
