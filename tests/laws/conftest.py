"""A directory of the host, and a state directory that belongs to nobody."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec import purposes


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the host that specs lie in."""
    made = tmp_path_factory.mktemp("host")
    (made / "aside").mkdir()
    return made


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        # A history reads one purpose a dozen times, which is a third of its cost; the files do not change meanwhile.
        patch.setattr(purposes, "read", functools.cache(purposes.read))
        yield
