"""Keeping secrets out of what people and machines get to see.

A secret reaches the inside of a container by standard input and nothing else; this module is the net below that
rule: whatever leaves the engine package as text passes a :class:`Redactor`.
"""

from __future__ import annotations

import re
import threading

MASK = "***"
"""What stands in a secret's place."""

SHORTEST = 4
"""Shorter values are not masked: they would turn every text that holds them by chance into noise."""

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s/@]+@")


class Redactor:
    """Masks known secret values, and the credentials that a URL carries.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: frozenset[str] = frozenset()

    def add(self, value: str) -> None:
        """Mask a value, and each of its lines, from now on; values shorter than :data:`SHORTEST` are passed over."""
        parts = {part.strip() for part in (value, *value.splitlines())}
        with self._lock:
            self._values |= {part for part in parts if len(part) >= SHORTEST}

    def text(self, text: str) -> str:
        """Return the text with every secret masked, the longest first."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, MASK)
        return _USERINFO.sub(rf"\g<scheme>{MASK}@", text)

    def data(self, data: bytes) -> bytes:
        """Return bytes with every known value masked, all other bytes as they were."""
        for value in sorted(self._values, key=len, reverse=True):
            data = data.replace(value.encode(), MASK.encode())
        return data
