"""Finds the data files that come with envspec: its purposes and its schemas."""

from __future__ import annotations

from pathlib import Path


def directory(name: str) -> Path:
    """Return the directory of the files of one sort.

    Args:
        name: ``purposes`` or ``schemas``.
    """
    package = Path(__file__).parent
    in_wheel = package / "_data" / name
    return in_wheel if in_wheel.is_dir() else package.parent / name
