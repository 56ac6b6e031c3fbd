"""Keeping secrets out of what people and machines get to see.

A secret reaches the inside of a container by standard input and nothing else. The net below that rule is here:
whatever leaves the engine package as text passes a :class:`Redactor`. So is the *seal*, by which the secret inside is
compared with the one that is wanted although neither is shown.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading

MASK = "***"
"""What stands in a secret's place."""

SHORTEST = 4
"""Shorter values are not masked: they would turn every text that holds them by chance into noise."""

SHORTEST_LINE = 10
"""The same of one line of a whole file, for a line such as ``User git`` of a configuration is no secret."""

COMMON = frozenset({"auto", "false", "none", "null", "true"})
"""Values that are no secret although they come by a secret's way, and are not masked for the same reason."""

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s/@]+@")


def new_key() -> str:
    """Return a key for seals: 32 random bytes, in hex."""
    return secrets.token_hex(32)


def seal(key: str, content: bytes) -> str:
    """Return the keyed digest of a content, in hex: who has not the key can neither read nor guess the content from it.

    It is HMAC's nested form with both hashes keyed by a prefix, for a POSIX shell with ``sha256sum`` has to make the
    same one; a key of fixed length in front and the digest hashed once more are what makes that sound.

    Args:
        key: What :func:`new_key` returned.
        content: What to seal.
    """
    inner = hashlib.sha256(key.encode() + content).hexdigest()
    return hashlib.sha256(f"{key}{inner}".encode()).hexdigest()


class Redactor:
    """Masks known secret values, and the credentials that a URL carries.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: frozenset[str] = frozenset()

    def add(self, value: str) -> None:
        """Mask a value, and each of its lines, from now on.

        Values shorter than :data:`SHORTEST` are passed over, and lines of several shorter than :data:`SHORTEST_LINE`.
        """
        whole = value.strip()
        lines = {line.strip() for line in whole.splitlines()} - {whole}
        parts = {whole} if len(whole) >= SHORTEST and whole.lower() not in COMMON else set()
        with self._lock:
            self._values |= parts | {line for line in lines if len(line) >= SHORTEST_LINE}

    def text(self, text: str) -> str:
        """Return the text with every secret masked, the longest first."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, MASK)
        return _USERINFO.sub(rf"\g<scheme>{MASK}@", text)

    def data(self, data: bytes) -> bytes:
        """Return bytes with every known value masked, all other bytes as they were."""
        for value in sorted(self._values, key=len, reverse=True):
            data = data.replace(value.encode(errors="surrogateescape"), MASK.encode())
        return data
