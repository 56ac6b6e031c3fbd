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
    if wish == "host":
        return _host(host)
    uid, _, gid = wish.partition(":")
    number = 0 if wish == "root" else int(uid)
    group = int(gid or number)
    if number == 0:
        outside = f"; outside that is {host.user}, for the engine runs without root" if host.maps else ""
        return Identity("root", 0, group, f"user: root, as the file asks{outside}")
    name = _login(host.user, number) if number == host.uid else "dev"
    own = number == host.uid and host.maps == "keep-id"
    outside = "; outside that is a subordinate id, for the engine runs without root" if host.maps and not own else ""
    return Identity(name, number, group, f"user: {_named(name, number, group)}, as the file asks{outside}")


def _host(host: HostFacts) -> Identity:
    """Return the host's user as they are inside."""
    if host.uid == 0:
        return Identity("root", 0, 0, "user: root, because the host's user is root")
    if host.maps == "root":
        why = f"user: root, who is {host.user} outside: an engine without root cannot map that user to another"
        return Identity("root", 0, 0, why)
    name = _login(host.user, host.uid)
    kept = " (Podman's keep-id)" if host.maps == "keep-id" else ""
    called = _named(name, host.uid, host.gid)
    why = f"user: {called}, the host's user, so that files belong to them on both sides{kept}"
    return Identity(name, host.uid, host.gid, why)


def _named(name: str, uid: int, gid: int) -> str:
    """Return who that is inside; an account of the image that has the uid keeps its name."""
    return f"{uid}:{gid}, called {name} unless the image has a name for it"


def _login(name: str, uid: int) -> str:
    """Return a name that every system takes as a login."""
    fits = name.isascii() and name[:1].isalpha() and all(c.isalnum() or c in "-_" for c in name) and len(name) <= 32
    return name.lower() if fits and name != "root" else f"user{uid}"
