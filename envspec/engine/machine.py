"""Which machine an engine runs on: a socket of this host may lead into a virtual machine, or by SSH to another host.

From here they look alike, so the engine is asked through its socket what it calls its host. That is remembered until
the socket is made again, so that one look after another asks nothing. No process is started.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envspec.engine import remembered, unix_socket
from envspec.engine.part import Part

ASK_DEADLINE = 5.0
"""Seconds for an engine to say what it is."""

LISTENERS = frozenset({"dockerd", "init", "systemd"})
"""Programs that listen at the socket of an engine of this host: the daemon, or what starts it on demand."""

DESKTOP = "Docker Desktop"

PRODUCTS = (
    (DESKTOP, re.compile(r"docker.desktop|^linuxkit-", re.IGNORECASE)),
    ("OrbStack", re.compile(r"orbstack", re.IGNORECASE)),
    ("Rancher Desktop", re.compile(r"rancher.desktop", re.IGNORECASE)),
    ("Colima", re.compile(r"^colima", re.IGNORECASE)),
    ("Lima", re.compile(r"^lima-", re.IGNORECASE)),
)
"""Names of products, and what their engines call themselves or their hosts."""

SHARING = {
    DESKTOP: "share it with Docker Desktop (Settings, Resources, File sharing)",
    "OrbStack": "put it on a disk of this Mac",
    "Rancher Desktop": "share it in the `mounts` of Rancher Desktop's override.yaml",
    "Colima": "share it with `colima start --mount DIRECTORY:w`",
    "Lima": "share it in the `mounts` of the instance",
}
"""How a directory comes into the virtual machine of a product."""

FORWARD_AGENT = {
    "Colima": "start it with `colima start --ssh-agent`",
    "Rancher Desktop": "set `ssh: {forwardAgent: true}` in its override.yaml",
    "Lima": "set `ssh: {forwardAgent: true}` in its configuration",
}
"""How the host's SSH agent comes into the virtual machine of a product that does not bring it by itself."""

KNOW_THE_HOST = frozenset({DESKTOP, "OrbStack", "Rancher Desktop", "Colima"})
"""Products by whose ``host-gateway`` and ``host.docker.internal`` containers reach the host of the virtual machine."""

_REQUEST = b"GET /info HTTP/1.0\r\nHost: d\r\n\r\n"
_MOST = 1 << 20
_HIDDEN = "?"
"""Stands for a listener that the kernel does not let us see."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that an engine runs on, as the engine calls it.

    Attributes:
        id: The engine's ID, "" where it was not asked.
        hostname: Name of the machine.
        kernel: Release of its kernel.
        system: Its operating system.
        here: Whether it is this host, so that what is bound is what lies here.
        rootless: Whether the engine runs without root, where it was asked.
    """

    id: str = ""
    hostname: str = ""
    kernel: str = ""
    system: str = ""
    here: bool = True
    rootless: bool = False

    @property
    def key(self) -> str:
        """Return what answers are remembered by: machines that were copied from one image may share the engine's ID."""
        return f"{self.id}@{self.hostname}"

    @property
    def product(self) -> str:
        """Return which of :data:`PRODUCTS` runs it, "" for none of them."""
        told = (self.system, self.hostname)
        return next((name for name, known in PRODUCTS if any(known.search(text) for text in told)), "")

    @property
    def title(self) -> str:
        """Return what to call it in a message."""
        name = f"the machine {self.hostname}" if self.hostname else "another machine"
        return f"the virtual machine of {self.product}" if self.product else name

    @property
    def sharing(self) -> str:
        """Return how one of this host's directories comes to be seen there."""
        return SHARING.get(self.product, "put it where that machine has it too")

    @property
    def knows_the_host(self) -> bool:
        """Return whether containers there reach this host by ``host-gateway``."""
        return self.here or self.product in KNOW_THE_HOST


def machine_of(path: str, memory: remembered.Memory | None = None) -> Machine:
    """Return the machine that the engine behind a socket runs on; this host where nothing usable answers.

    Args:
        path: The socket.
        memory: What was asked before; the user's own when ``None``.
    """
    memory = memory or remembered.Memory()
    stamp = _stamp(path)
    facts = memory.engine_at(path, stamp) if stamp else None
    if facts is None:
        facts = _ask(path)
        if stamp and facts.get("id"):
            memory.keep_engine(path, stamp, facts)
    return _judged(facts) if facts.get("id") else Machine()


def _judged(facts: dict[str, str]) -> Machine:
    """Return a machine from what was told, with whether it is this host."""
    ours = os.uname()
    told = {key: facts.get(key, "") for key in ("id", "hostname", "kernel", "system")}
    alike = (told["hostname"], told["kernel"]) == (ours.nodename, ours.release)
    here = alike and facts.get("listener") in LISTENERS | {_HIDDEN}
    return Machine(**told, here=here, rootless=facts.get("rootless") == "yes")


def _stamp(path: str) -> str:
    """Return what tells a socket from one that was made at its path before or after, "" where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return ""
    ours = os.uname()  # a host that has another name by now may be the one that the engine tells of
    return f"{found.st_dev}:{found.st_ino}:{found.st_mtime_ns}:{ours.nodename}:{ours.release}"


def _ask(path: str) -> dict[str, str]:
    """Return what the engine behind a socket says of its host, and who listens there; nothing where none answers."""
    answer, listener = b"", ""
    with unix_socket.connected(path, ASK_DEADLINE) as client:
        if client is None:
            return {}
        try:
            listener = _listener(client)
            client.sendall(_REQUEST)
            while len(answer) < _MOST and (chunk := client.recv(1 << 16)):
                answer += chunk
        except OSError:
            return {}
    info = Part(_json(answer.partition(b"\r\n\r\n")[2]))
    keys = {"id": "ID", "hostname": "Name", "kernel": "KernelVersion", "system": "OperatingSystem"}
    rootless = "name=rootless" in info.texts("SecurityOptions")
    told = {name: info.text(key) for name, key in keys.items()}
    return told | {"listener": listener, "rootless": "yes" if rootless else "no"}


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _listener(client: Any) -> str:
    """Return which program of this host listens at the other end of a connection.

    Returns:
        Its name; "" where it is none that this process could see, as in a container that was handed the socket, or
        where the kernel does not tell (only Linux has SO_PEERCRED); :data:`_HIDDEN` for one that is kept from us.
    """
    found = unix_socket.listener(client)
    pid = found[0] if found else 0
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip() if pid else ""
    except OSError:
        return _HIDDEN
