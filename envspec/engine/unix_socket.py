"""Connections to sockets of this host: whether somebody takes one, and who listens there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


@contextlib.contextmanager
def connected(path: str, deadline: float) -> Iterator[socket.socket | None]:
    """Give a connection to a socket, ``None`` where nothing takes one.

    Args:
        path: The socket.
        deadline: Seconds for each call on it.
    """
    import socket  # noqa: PLC0415 - not every command has an engine

    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(deadline)
        try:
            client.connect(path)
        except OSError:
            yield None
        else:
            yield client


def takes_connections(path: str, deadline: float) -> bool:
    """Say whether somebody takes connections at a socket."""
    with connected(path, deadline) as client:
        return client is not None


def listener(client: socket.socket) -> tuple[int, int] | None:
    """Return PID and user of the one who listens at the other end, as the kernel remembers.

    The PID is 0 for one that this process could not see, as in a container that was handed the socket. ``None`` where
    the kernel does not tell: only Linux has SO_PEERCRED.
    """
    import socket  # noqa: PLC0415 - as above
    import struct  # noqa: PLC0415 - as above

    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    form = struct.Struct("3i")
    pid, uid, _ = form.unpack(client.getsockopt(socket.SOL_SOCKET, option, form.size))
    return pid, uid
