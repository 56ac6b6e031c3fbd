"""Engines to test against, an image to start from, and names that clean up behind them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from envspec.engine.base import Engine
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import LABEL
from envspec.engine.podman_engine import PodmanEngine
from envspec.engine.runner import Runner
from envspec.engine.whales import WhalesEngine
from envspec.errors import EngineCallFailed, EngineNotReady
from tests.engine.contract import box, world
from tests.engine.e2e import bare_engine, git_image, place, places
from tests.engine.hostile import target

__all__ = [
    "bare_engine",
    "base_image",
    "box",
    "docker_base",
    "docker_engine",
    "engine",
    "env",
    "git_image",
    "place",
    "places",
    "target",
    "world",
]
# box and world are what the contract tests share, places those of whole commands, target
# the hostile ones; named here, pytest finds them.

BASE = "envspec/base:debian-13"
RECIPE = "debian-13"
E = TypeVar("E", bound=WhalesEngine)

PODMAN = "ENVSPEC_PODMAN"
"""Says which of the tests that Docker has as well run on Podman: ``first``, ``rest``, or all when it is not set.

Docker has all of them every time. What is left over for ``rest`` runs in CI.
"""

ONLY = "ENVSPEC_ONLY_ENGINE"
"""Names the one engine that is there: tests of another, of none and of the fake one are left out."""

PODMAN_FIRST = ("test_e2e_kills", "test_e2e_walk")
"""Files that Podman has every time too: a few crashes, and every command once."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what another run of the same suite has, as :data:`PODMAN` and :data:`ONLY` say."""
    part, only = os.environ.get(PODMAN, ""), os.environ.get(ONLY, "")
    if part:
        wanted = {"always", "first"} if part == "first" else {part}
        _leave(config, items, lambda item: _part_of(item) in wanted)
    if only:
        _leave(config, items, lambda item: only in _engines_of(item))


def _leave(config: pytest.Config, items: list[pytest.Item], wanted: Callable[[pytest.Item], bool]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = filter(wanted, items)


def _engines_of(item: pytest.Item) -> set[object]:
    callspec = getattr(item, "callspec", None)
    return set() if callspec is None else {callspec.params.get("bare_engine"), callspec.params.get("engine")}


def _part_of(item: pytest.Item) -> str:
    if "podman" not in _engines_of(item):
        return "always"
    return "first" if item.path.stem in PODMAN_FIRST else "rest"


@pytest.fixture(scope="session")
def docker_engine() -> WhalesEngine:
    """A real Docker; without one the tests fail, for a skipped engine test proves nothing."""
    return answering(WhalesEngine(Runner()))


@pytest.fixture(scope="session")
def podman_engine() -> PodmanEngine:
    """A real Podman, no less wanted than Docker."""
    return answering(PodmanEngine(Runner()))


def answering(engine: E) -> E:
    """Return an engine that answers; without one the tests fail."""
    try:
        engine.networks()
    except EngineNotReady as error:
        fix = f"envspec preflight --fix --engine {engine.name}"
        where = "in CI" if os.environ.get("CI") else f"here: `{fix}` brings one"
        pytest.fail(f"no {engine.name} answers {where}: {error.message}", pytrace=False)
    return engine


@pytest.fixture(scope="session")
def docker_base(docker_engine: WhalesEngine) -> str:
    """The base image on the real Docker, bootstrapped from the package mirror when it is missing."""
    return with_base(docker_engine)


@pytest.fixture(scope="session")
def podman_base(podman_engine: PodmanEngine) -> str:
    """The base image on the real Podman."""
    return with_base(podman_engine)


def with_base(engine: WhalesEngine) -> str:
    """Return the base image's reference, once the engine has it; workers that want it at once make it once."""
    with (Path(tempfile.gettempdir()) / f"evt-base-{engine.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not engine.images([BASE]):
            engine.bootstrap(RECIPE, BASE, {f"{LABEL}kind": "base_image"})
    return BASE


@pytest.fixture(scope="session", params=["fake", "docker", "podman"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn: what passes on one has to pass on the other."""
    if request.param == "fake":
        return FakeEngine(images=(BASE,))
    real: Engine = request.getfixturevalue(f"{request.param}_engine")
    return real


@pytest.fixture(scope="session")
def base_image(engine: Engine) -> str:
    """A base image that the engine under test has."""
    return with_base(engine) if isinstance(engine, WhalesEngine) else BASE


@pytest.fixture
def env(docker_engine: WhalesEngine) -> Iterator[str]:
    """The name of an environment of one's own; all that bears its label goes at the end, come what may."""
    name = f"evt-{uuid.uuid4().hex[:10]}"
    try:
        yield name
    finally:
        remove_environment(docker_engine, name)


def remove_environment(engine: WhalesEngine, env: str) -> None:
    """Remove every container, network and volume of an environment, and its mutex."""
    label = f"{LABEL}env"
    engine.unlock(env)
    for container in engine.containers(env):
        engine.remove_container(container.id)
    for network in engine.networks():
        if network.labels.get(label) == env:
            engine.remove_network(network.id)
    for volume in engine.volumes():
        if volume.labels.get(label) == env:
            with contextlib.suppress(EngineCallFailed):
                engine.remove_volume(volume.name)
