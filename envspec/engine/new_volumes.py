"""Volumes of a service that runs as a user by number: a new one belongs to root, and the service cannot write to it.

Podman gives a new volume to the user of the first container that mounts it. Docker copies what the image has at the
place, its owner too, and where the image has nothing there the volume stays root's.
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """A volume that somebody has to be able to write to.

    Attributes:
        path: Where it is mounted.
        uid: Numeric user.
        gid: Numeric group.
    """

    path: str
    uid: int
    gid: int


def claims(document: str, service: str) -> tuple[Claim, ...]:
    """Return the named volumes of a service whose document names its user by number; root needs none.

    Args:
        document: The resolved document as JSON, ``$`` doubled.
        service: Which.
    """
    asked = json.loads(document)["services"][service]
    uid, _, gid = str(asked.get("user") or "").partition(":")
    if not uid.isdecimal() or int(uid) == 0 or not (gid.isdecimal() or not gid):
        return ()
    mounts = (mount for mount in asked.get("volumes") or () if mount.get("type") == "volume" and mount.get("source"))
    paths = (str(mount["target"]).replace("$$", "$") for mount in mounts if not mount.get("read_only"))
    return tuple(Claim(posixpath.normpath(path), int(uid), int(gid or 0)) for path in sorted(paths))


def container_name(document: str, project: str, service: str) -> str:
    """Return the name of a service's container."""
    asked = json.loads(document)["services"][service]
    return str(asked.get("container_name") or f"{project}-{service}-1").replace("$$", "$")
