"""Texts of a resolved document, as they are meant."""

from __future__ import annotations

from typing import Any

from envspec.secrets import SHORTEST


def plain(value: Any) -> Any:
    """Return a value of a resolved document with the doubled ``$`` of Compose made single."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def is_telling(value: str) -> bool:
    """Say whether a variable's value is one to mask: a port or a yes would turn every text that holds it to noise."""
    return len(value) >= SHORTEST and not (value.isdigit() and len(value) <= len("65535"))
