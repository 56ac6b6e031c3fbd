"""The fixtures of the engine tests, on the one engine that ``ENVSPEC_ENGINE`` names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envspec.engine.choice import VARIABLE
from envspec.engine.whales import WhalesEngine
from tests.engine.conftest import docker_base, docker_engine, podman_base, podman_engine
from tests.engine.e2e import engine_name, git_image, places

__all__ = ["bare_engine", "docker_base", "docker_engine", "git_image", "places", "podman_base", "podman_engine"]


@pytest.fixture(scope="module")
def bare_engine(request: pytest.FixtureRequest) -> Iterator[WhalesEngine]:
    """The engine under test, asked for as a user would ask."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, engine_name())
        yield request.getfixturevalue(f"{engine_name()}_engine")
