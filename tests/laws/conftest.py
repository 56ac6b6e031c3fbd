"""How many histories the laws see, and a state directory that is nobody's."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from envspec import purposes

COMMON = settings(
    deadline=None,  # a slow machine is no broken law
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("local", COMMON, max_examples=150)
settings.register_profile("full", COMMON, max_examples=190, derandomize=True)
settings.load_profile(os.environ.get("ENVSPEC_LAWS", "local"))


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
