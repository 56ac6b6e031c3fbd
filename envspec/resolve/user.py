"""Who works inside: one function knows all cases, and says which it chose."""

from __future__ import annotations

from dataclasses import dataclass

from envspec.host import HostFacts


@dataclass(frozen=True, slots=True)
class Identity:
    """The account that everything but the setting up runs as.

    Attributes:
        name: Login name to give where the image has none for the uid.
        uid: Numeric user.
        gid: Numeric group.
        why: The choice in words.
    """

    name: str
    uid: int
    gid: int
    why: str


def identify(wish: str, host: HostFacts) -> Identity:
    """Say who works inside.

    Args:
        wish: The spec's ``user``: ``host``, ``root``, ``uid`` or ``uid:gid``.
        host: Facts of the host.
    """
    if wish == "root":
        return Identity("root", 0, 0, "user: root, as the file asks")
    if wish == "host":
        if host.uid == 0:
            return Identity("root", 0, 0, "user: root, because the host's user is root")
        name = _login(host.user, host.uid)
        why = f"user: {name} ({host.uid}:{host.gid}), the host's user, so that files belong to them on both sides"
        return Identity(name, host.uid, host.gid, why)
    uid, _, gid = wish.partition(":")
    number, group = int(uid), int(gid or uid)
    if number == 0:
        return Identity("root", 0, group, "user: root, as the file asks")
    name = _login(host.user, number) if number == host.uid else "dev"
    return Identity(name, number, group, f"user: {name} ({number}:{group}), as the file asks")


def _login(name: str, uid: int) -> str:
    """Return a name that every system takes as a login."""
    fits = name.isascii() and name[:1].isalpha() and all(c.isalnum() or c in "-_" for c in name) and len(name) <= 32
    return name.lower() if fits and name != "root" else f"user{uid}"
