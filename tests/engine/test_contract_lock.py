"""The mutex of an environment, an object on the engine itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from envspec.engine.base import Engine, Reader
from tests.engine.contract import World

pytestmark = pytest.mark.engine


@pytest.fixture
def env(world: World) -> Iterator[str]:
    name = world.name()
    yield name
    world.engine.unlock(name)


def test_an_engine_is_one_by_its_methods(world: World) -> None:
    assert isinstance(world.engine, Engine)
    assert isinstance(world.engine, Reader)
    assert world.engine.name in ("docker", "podman")


def test_a_free_lock_is_taken_once(world: World, env: str) -> None:
    assert world.engine.lock_owner(env) is None
    assert world.engine.lock(env, "host:1")
    assert world.engine.lock_owner(env) == "host:1"
    assert not world.engine.lock(env, "host:2")
    assert not world.engine.lock(env, "host:1")
    assert world.engine.lock_owner(env) == "host:1"


def test_a_lock_that_was_given_back_is_free(world: World, env: str) -> None:
    assert world.engine.lock(env, "host:1")
    world.engine.unlock(env)
    world.engine.unlock(env)
    assert world.engine.lock_owner(env) is None
    assert world.engine.lock(env, "host:2")


def test_a_lock_is_given_back_by_whom_it_belongs_to(world: World, env: str) -> None:
    assert world.engine.lock(env, "host:2")
    world.engine.unlock(env, "host:1")
    assert world.engine.lock_owner(env) == "host:2"
    world.engine.unlock(env, "host:2")
    assert world.engine.lock_owner(env) is None


def test_locks_of_two_environments_do_not_meet(world: World, env: str) -> None:
    other = f"{env}-2"
    try:
        assert world.engine.lock(env, "host:1")
        assert world.engine.lock(other, "host:2")
        assert (world.engine.lock_owner(env), world.engine.lock_owner(other)) == ("host:1", "host:2")
    finally:
        world.engine.unlock(other)


def test_an_owner_may_be_any_text(world: World, env: str) -> None:
    owner = 'pid 1 on it\'s "host" $x, é {"a": 1}'
    assert world.engine.lock(env, owner)
    assert world.engine.lock_owner(env) == owner


def test_a_lock_is_no_container_of_the_environment(world: World, env: str) -> None:
    assert world.engine.lock(env, "host:1")
    assert world.engine.containers(env) == ()
    assert env not in {state.labels.get("dev.envspec.env") for state in world.engine.containers()}


def test_of_many_that_want_it_one_gets_it(world: World, env: str) -> None:
    won: list[str] = []
    barrier = threading.Barrier(4)

    def take(owner: str) -> None:
        barrier.wait()
        if world.engine.lock(env, owner):
            won.append(owner)

    threads = [threading.Thread(target=take, args=(f"host:{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [world.engine.lock_owner(env)]
