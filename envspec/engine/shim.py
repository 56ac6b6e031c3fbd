"""Whether what goes by Docker's name is Podman: the command of the package podman-docker, or a socket.

Podman speaks most of Docker's language, and differs where it matters: in labels, templates, limits, networks. So a
socket is asked what it is where that is not plain, and a script is read. Nothing is started, and an ordinary Docker is
asked nothing: every command would pay for that.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

ASK_DEADLINE = 5.0
"""Seconds for Podman to say what it is; its socket may have to start it."""

PRODUCT = b'"Podman Engine"'
"""What stands among the components of Podman's answer to ``/version``, and of no other."""

_HANDS_OVER = re.compile(rb"^\s*(exec\s+)?([\w/.-]*/)?podman(-remote)?\s", re.MULTILINE)
_REQUEST = b"GET /version HTTP/1.0\r\nHost: d\r\n\r\n"
_MOST = 1 << 16
_UNIX = "unix://"


def command_is_podman(environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether the command ``docker`` is Podman's: a link to it, or a script that hands over to it."""
    found = shutil.which("docker", path=environ.get("PATH"))
    if found is None:
        return False
    path = Path(found)
    try:
        return path.resolve().name == "podman" or _HANDS_OVER.search(_script(path)) is not None
    except OSError:
        return False


def socket_is_podman(endpoint: str, default: str) -> bool:
    """Say whether Podman answers at an endpoint of Docker's.

    Args:
        endpoint: Where the docker command goes; one that is not a socket of this host is not asked.
        default: Docker's own endpoint, asked only where a link leads from it to somewhere else.
    """
    path = endpoint.removeprefix(_UNIX)
    if not endpoint.startswith(_UNIX) or (endpoint == default and not Path(path).is_symlink()):
        return False
    return PRODUCT in _answer(path)


def own_socket(endpoint: str, uid: int) -> bool:
    """Say whether an endpoint is the socket of the Podman that this user's ``podman`` command works on."""
    run = "/run/podman" if uid == 0 else f"/run/user/{uid}/podman"
    return os.path.realpath(endpoint.removeprefix(_UNIX)) == os.path.realpath(f"{run}/podman.sock")


def _script(path: Path) -> bytes:
    """Return the text of a script, b"" of a program."""
    with path.open("rb") as file:
        return file.read(_MOST) if file.read(2) == b"#!" else b""


def _answer(path: str) -> bytes:
    """Return what answers at a socket to the question for its version, b"" where nothing does."""
    import socket  # noqa: PLC0415 - only an unusual socket pays for it

    answer = b""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ASK_DEADLINE)
        try:
            client.connect(path)
            client.sendall(_REQUEST)
            while len(answer) < _MOST and (chunk := client.recv(_MOST)):
                answer += chunk
        except OSError:
            return answer
    return answer
