"""The mutex of an environment, an object on the engine itself, which shows whether its holder lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec.api import lock
from envspec.api.lock import locked
from envspec.engine.base import Engine, Reader
from envspec.engine.mutex import EMPTY_IMAGE, LOCK_LABEL, OWNER_LABEL
from envspec.engine.objects import Proof
from envspec.engine.podman_engine import PodmanEngine
from envspec.engine.runner import Runner
from envspec.engine.whales import WhalesEngine
from envspec.errors import Conflict
from tests.engine.contract import World
from tests.engine.e2e import ROOT, until

pytestmark = pytest.mark.engine

HOLD = """
import sys, time
from envspec.engine.runner import Runner
from envspec.engine.{module} import {engine}
assert {engine}(Runner()).lock({env!r}, "elsewhere:1", {{"dev.envspec.pauses": "a b"}})
print("held", flush=True)
time.sleep(600)
"""
"""Takes a mutex and keeps it."""


@pytest.fixture
def env(world: World) -> Iterator[str]:
    name = world.name()
    yield name
    world.engine.unlock(name)


def owner_of(world: World, env: str) -> str | None:
    holder = world.engine.lock_holder(env)
    return holder.owner if holder else None


def test_an_engine_is_one_by_its_methods(world: World) -> None:
    assert isinstance(world.engine, Engine)
    assert isinstance(world.engine, Reader)
    assert world.engine.name in ("docker", "podman")


def test_a_free_lock_is_taken_once(world: World, env: str) -> None:
    assert world.engine.lock_holder(env) is None
    assert world.engine.lock(env, "host:1", {"dev.envspec.restores": "before"})
    holder = world.engine.lock_holder(env)
    assert holder is not None
    assert (holder.owner, holder.proof, holder.notes["dev.envspec.restores"]) == ("host:1", Proof.LIVES, "before")
    assert not world.engine.lock(env, "host:2")
    assert not world.engine.lock(env, "host:1")
    assert owner_of(world, env) == "host:1"


def test_a_lock_that_was_given_back_is_free(world: World, env: str) -> None:
    assert world.engine.lock(env, "host:1")
    world.engine.unlock(env)
    world.engine.unlock(env)
    assert world.engine.lock_holder(env) is None
    assert world.engine.lock(env, "host:2")


def test_a_lock_is_given_back_by_whom_it_belongs_to(world: World, env: str) -> None:
    assert world.engine.lock(env, "host:2")
    world.engine.unlock(env, "host:1")
    assert owner_of(world, env) == "host:2"
    world.engine.unlock(env, "host:2")
    assert world.engine.lock_holder(env) is None


def test_locks_of_two_environments_do_not_meet(world: World, env: str) -> None:
    other = f"{env}-2"
    try:
        assert world.engine.lock(env, "host:1")
        assert world.engine.lock(other, "host:2")
        assert (owner_of(world, env), owner_of(world, other)) == ("host:1", "host:2")
    finally:
        world.engine.unlock(other)


def test_an_owner_may_be_any_text(world: World, env: str) -> None:
    owner = 'pid 1 on it\'s "host" $x, é {"a": 1}'
    assert world.engine.lock(env, owner)
    assert owner_of(world, env) == owner


def test_a_lock_is_no_container_of_the_environment(world: World, env: str) -> None:
    assert world.engine.lock(env, "host:1")
    assert world.engine.containers(env) == ()
    assert env not in {state.labels.get("dev.envspec.env") for state in world.engine.containers()}


def test_the_lock_of_the_living_cannot_be_broken(world: World, env: str) -> None:
    assert world.engine.lock(env, "host:1")
    world.engine.break_lock(env, "host:1")
    assert owner_of(world, env) == "host:1"


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
    assert won == [owner_of(world, env)]


# ── the holder in a process of its own ───────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["docker", "podman"])
def real(request: pytest.FixtureRequest) -> WhalesEngine:
    """Each real engine: a client of its own, so that what becomes of it touches no other test."""
    request.getfixturevalue(f"{request.param}_engine")
    return PodmanEngine(Runner()) if request.param == "podman" else WhalesEngine(Runner())


class Holding:
    """A process that holds a mutex and has no child in its own process group."""

    def __init__(self, engine: WhalesEngine, env: str, *prefix: str) -> None:
        module = "podman_engine" if isinstance(engine, PodmanEngine) else "whales"
        script = HOLD.format(module=module, engine=type(engine).__name__, env=env)
        self.process = subprocess.Popen([*prefix, sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"held\n"

    def kill(self, *, children: bool) -> None:
        for pid in (self.process.pid, *(_below(self.process.pid) if children else ())):
            os.kill(pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def _below(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "--parent", str(pid)], capture_output=True, text=True, check=False)
    return [below for child in map(int, found.stdout.split()) for below in (child, *_below(child))]


@pytest.fixture
def mine(real: WhalesEngine) -> Iterator[str]:
    name = f"evt-lock-{os.getpid()}-{time.monotonic_ns()}"
    yield name
    real.unlock(name)


@pytest.mark.parametrize("children", [True, False])
def test_a_killed_holder_s_lock_is_taken_at_once(real: WhalesEngine, mine: str, children: bool) -> None:
    holding = Holding(real, mine)
    holding.kill(children=children)
    began = time.monotonic()
    until(lambda: lock.abandoned(real, mine), "the engine sees that the holder died")
    with locked(real, mine) as stolen:
        assert stolen
    assert time.monotonic() - began < 10
    assert real.lock_holder(mine) is None


def test_a_living_holder_s_lock_is_kept_though_its_process_cannot_be_seen(real: WhalesEngine, mine: str) -> None:
    """It is in a PID namespace of its own where the engine is a daemon, calls itself another host's, and is stopped."""
    apart = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc") if real.name == "docker" else ()
    holding = Holding(real, mine, *apart)
    try:
        for pid in (holding.process.pid, *_below(holding.process.pid)):
            if Path(f"/proc/{pid}/exe").resolve() == Path(sys.executable).resolve():
                os.kill(pid, signal.SIGSTOP)
        with pytest.raises(Conflict, match="process 1 on elsewhere"), locked(real, mine):
            pytest.fail("it was taken")
        real.break_lock(mine, "elsewhere:1")
        holder = real.lock_holder(mine)
        assert holder is not None
        assert (holder.owner, holder.proof) == ("elsewhere:1", Proof.LIVES)
    finally:
        holding.close()
    until(lambda: lock.abandoned(real, mine), "the engine sees that the holder died")


def test_who_loses_the_lock_does_nothing_more(real: WhalesEngine, mine: str) -> None:
    assert real.lock(mine, "host:1")
    subprocess.run([*real.command, "rm", "--force", f"envspec-lock-{mine}"], check=True, capture_output=True)
    with pytest.raises(Conflict, match=f"the lock of {mine} was lost"):
        until(lambda: not real.networks(), "the loss is seen")


@pytest.mark.parametrize(
    ("owner", "taken"),
    [
        (f"{os.uname().nodename}:4194304:1@{lock._boot()}", True),
        (f"{os.uname().nodename}:{os.getpid()}:{lock._started(os.getpid())}@{lock._boot()}", False),
        (f"{os.uname().nodename}:7:{lock._started(os.getpid())}@{lock._boot()}", False),
        (f"{os.uname().nodename}:4194304:1@another-boot", False),
    ],
    # The values differ from one process of the test run to the next.
    ids=["nobody", "this process", "another process", "before a restart"],
)
def test_a_lock_of_an_earlier_version_goes_only_when_nothing_of_this_host_can_be_its_holder(
    real: WhalesEngine, mine: str, owner: str, taken: bool
) -> None:
    if lock._namespace() != lock._FIRST_NAMESPACE:
        taken = False
    real._run("image", "import", "-", EMPTY_IMAGE, stdin=bytes(10240))
    labels = ("--label", f"{LOCK_LABEL}={mine}", "--label", f"{OWNER_LABEL}={owner}")
    real._listed("create", "--name", f"envspec-lock-{mine}", "--network", "none", *labels, EMPTY_IMAGE, "lock")
    if taken:
        with locked(real, mine) as stolen:
            assert stolen
    else:
        with pytest.raises(Conflict, match="another envspec works on"), locked(real, mine):
            pytest.fail("it was taken")
