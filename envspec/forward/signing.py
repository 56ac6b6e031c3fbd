"""Whether git can sign inside, and with which of the user's SSH keys.

A key that is out of reach would make every commit fail. In reach is one that the agent holds, and one whose file comes
along and opens without a passphrase. Sources: ``user.signingKey`` in ``git-config(1)``; the protocol of agents,
draft-miller-ssh-agent; PROTOCOL.key of OpenSSH.
"""

from __future__ import annotations

import base64
import binascii
import re
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from envspec.forward import ssh
from envspec.forward.values import SshWish

_PUBLIC_KEY = re.compile(r"(?:key::)?((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ ([A-Za-z0-9+/=]+))")
_OPENSSH = re.compile(r"-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END")
_MAGIC = b"openssh-key-v1\0"
_LENGTH = struct.Struct(">I")
_REQUEST, _ANSWER = 11, 12
"""Numbers of the messages by which an agent is asked for its keys, and tells them."""

MAX_ANSWER = 1024 * 1024
"""Bytes of the longest answer of an agent that is read."""


def held(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the public keys that the agent holds, in base64; none where no agent answers."""
    path, _ = ssh.agent(environ)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ssh.AGENT_PATIENCE)
            connection.connect(path)
            connection.sendall(_LENGTH.pack(1) + bytes([_REQUEST]))
            with connection.makefile("rb") as answers:
                (length,) = _LENGTH.unpack(answers.read(_LENGTH.size))
                return frozenset(_keys(answers.read(min(length, MAX_ANSWER))))
    except (OSError, struct.error):
        return frozenset()


def key_inside(value: str, wish: SshWish, home: Path, in_agent: frozenset[str]) -> str:
    """Return git's ``user.signingkey`` as it has to read inside, "" for one that is out of reach there.

    Args:
        value: The value on the host: a public key, or the path of a key.
        wish: How keys come inside.
        home: The user's home.
        in_agent: What the agent holds.
    """
    if not wish or not value:
        return ""
    literal = _PUBLIC_KEY.match(value)
    path = home / value.removeprefix("~/") if value.startswith("~/") else Path(value)
    if wish == "agent":
        known = literal or _public(path)
        return f"key::{known[1]}" if known and known[2] in in_agent else ""
    root = home / ".ssh"
    if literal:
        pairs = sorted(root.glob("*.pub"))
        path = next((pair for pair in pairs if (known := _public(pair)) and known[2] == literal[2]), root / "none")
    return f"~/.ssh/{path.relative_to(root)}" if path.is_relative_to(root) and _opens(path) else ""


def _keys(answer: bytes) -> list[str]:
    """Return the keys of an agent's answer; each is followed by a comment."""
    if answer[:1] != bytes([_ANSWER]):
        return []
    (count,) = _LENGTH.unpack_from(answer, 1)
    found, place = [], 1 + _LENGTH.size
    for _ in range(count):
        blob, place = _text(answer, place)
        _, place = _text(answer, place)
        found.append(base64.b64encode(blob).decode())
    return found


def _text(data: bytes, place: int) -> tuple[bytes, int]:
    """Return the string at a place, and the place behind it."""
    (length,) = _LENGTH.unpack_from(data, place)
    start = place + _LENGTH.size
    return data[start : start + length], start + length


def _public(path: Path) -> re.Match[str] | None:
    """Return the public half of a key, by the path of either half."""
    public = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    return _PUBLIC_KEY.match(_read(public))


def _opens(path: Path) -> bool:
    """Say whether a key's private half, by the path of either, is there and asks for no passphrase."""
    text = _read(path.with_suffix("") if path.suffix == ".pub" else path)
    found = _OPENSSH.search(text)
    if not found:
        return "PRIVATE KEY-----" in text and "ENCRYPTED" not in text
    try:
        data = base64.b64decode("".join(found[1].split()))
        return data.startswith(_MAGIC) and _text(data, len(_MAGIC))[0] == b"none"
    except (binascii.Error, struct.error):
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")[: ssh.MAX_FILE_BYTES] if path.is_file() else ""
    except (OSError, ValueError):
        return ""
