"""The fixtures of the engine tests, on the one engine that ``ENVSPEC_ENGINE`` names."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from envspec.engine.choice import VARIABLE
from envspec.engine.whales import WhalesEngine
from tests.engine.conftest import docker_base, docker_engine, podman_base, podman_engine
from tests.engine.e2e import engine_name, git_image, places
from tests.engines.inside import WITHOUT_CGROUPS

__all__ = ["bare_engine", "docker_base", "docker_engine", "git_image", "places", "podman_base", "podman_engine"]


@pytest.fixture(scope="module")
def bare_engine(request: pytest.FixtureRequest) -> Iterator[WhalesEngine]:
    """The engine under test, asked for as a user would ask."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, engine_name())
        yield request.getfixturevalue(f"{engine_name()}_engine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs cgroups where the engine has none."""
    if os.environ.get(WITHOUT_CGROUPS):
        left_out = [item for item in items if item.get_closest_marker("cgroups")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
