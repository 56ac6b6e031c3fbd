"""What lies at a path of a Podman container that does not run.

``podman cp`` follows links and does not say where they led. Podman's API does, save for one that goes through another
link and up again (``link/../x``): Podman takes that by its text, here as when it copies. Of what is mounted it looks
into the volume alone, in which an absolute link leads elsewhere, so there the host's own files are looked at.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from envspec.engine.paths import LINK, SHARED, Seen
from envspec.errors import EngineCallFailed

DEADLINE = 60.0
"""Seconds for one question."""

ASK = "/v1.40/containers/{}/archive?path={}"
"""The call of Docker's API, which Podman has too, that describes a path."""

ANSWER = "X-Docker-Container-Path-Stat"
"""Header with the description: JSON in base64."""

_SYMLINK, _DIRECTORY = 1 << 27, 1 << 31
_NO_FILE = _SYMLINK | _DIRECTORY | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19
"""Bits of Go's ``fs.FileMode``."""


def look(socket_path: str, inspected: Mapping[str, Any], path: str) -> Seen:
    """Say what is at a path of a container whose directories are real ones.

    Args:
        socket_path: Path of the API's socket.
        inspected: What ``inspect`` told of the container.
        path: Absolute path inside.

    Raises:
        EngineCallFailed: The API refused.
    """
    places = {m["Destination"]: str(m.get("Source", "")) for m in inspected.get("Mounts") or ()}
    holding = max((place for place in places if f"{path}/".startswith(f"{place}/")), key=len, default="")
    if places.get(holding, "").startswith("/"):
        return on_host(Path(places[holding] + path.removeprefix(holding)))
    return _asked(socket_path, str(inspected["Id"]), path)


def on_host(path: Path) -> Seen:
    """Describe a path of this host; that none of its directories is a link the caller sees to."""
    try:
        if path.is_symlink():
            return Seen(LINK, str(path.readlink()))
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Seen("")
    except OSError as error:
        raise _unknown(str(path), error.strerror) from None
    mode, ours = found.st_mode, os.geteuid()
    # Without root the engine maps its users: this one is its root, and who the others are inside is not known here.
    uid = found.st_uid if ours == 0 else 0 if found.st_uid == ours else -1
    kind = "dir" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"
    return Seen(kind, uid=uid, shared=bool(mode & SHARED))


def _asked(socket_path: str, container_id: str, path: str) -> Seen:
    connection = _Connection(socket_path)
    try:
        connection.request("HEAD", ASK.format(container_id, quote(path, safe="/")))
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise _unknown(path, error) from None
    finally:
        connection.close()
    told = response.getheader(ANSWER, "")
    if not told and response.status == http.HTTPStatus.NOT_FOUND:
        return Seen("")
    if not told:  # Podman follows a link before it describes it: one that leads in a circle is an error of its own
        raise _unknown(path, response.reason)
    fact = json.loads(base64.b64decode(told))
    if fact["mode"] & _SYMLINK:
        return Seen(LINK, fact["linkTarget"])
    kind = "dir" if fact["mode"] & _DIRECTORY else "other" if fact["mode"] & _NO_FILE else "file"
    return Seen(kind, uid=-1)  # whose it is the API does not say


def _unknown(path: str, why: object) -> EngineCallFailed:
    return EngineCallFailed(
        f"what {path} is cannot be found out while the environment does not run: {why}",
        code="copy.link",
        hint="`envspec apply` its file to start it, and copy then",
    )


class _Connection(http.client.HTTPConnection):
    """A connection to a socket of this host."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=DEADLINE)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
