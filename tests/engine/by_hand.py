"""What tests make and ask with the engine's own client, past envspec."""

from __future__ import annotations

import fcntl
import socket
import struct
import tempfile
from pathlib import Path

import pytest

from tests.engine.e2e import bare, engine_name

_SIOCGIFADDR = 0x8915
"""Asks Linux for the address of a link (netdevice(7))."""


def bare_build(ref: str, dockerfile: str, *options: str) -> None:
    """Build an image with the engine's own client; on standard input, buildx would leave the file behind."""
    with tempfile.TemporaryDirectory() as context:
        Path(context, "Dockerfile").write_text(dockerfile)
        bare("build", "--quiet", *options, "--tag", ref, context)


def gateway() -> str:
    """Return the host's address as containers on the default network see it."""
    if engine_name() == "podman":
        return bare("network", "inspect", "--format", "{{range .Subnets}}{{.Gateway}}{{end}}", "podman")
    known = bare("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}}{{end}}", "bridge")
    return known or _address_of_bridge()


def _address_of_bridge() -> str:
    """Return the address of Docker's default bridge; the engine forgets it when the link was made again."""
    option = '{{index .Options "com.docker.network.bridge.name"}}'
    link = bare("network", "inspect", "--format", option, "bridge") or "docker0"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            found = fcntl.ioctl(asked.fileno(), _SIOCGIFADDR, struct.pack("256s", link.encode()))
        except OSError as error:
            pytest.fail(f"Docker's default network has no gateway, and its link {link} no address: {error}")
    return socket.inet_ntoa(found[20:24])
