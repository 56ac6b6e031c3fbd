"""Environments that begin at once do not pass `max_environments` together, on each engine."""

from __future__ import annotations

import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from envspec.api.lock import abandoned
from envspec.api.room import claimed
from envspec.engine.base import Engine
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerState, VolumeState
from envspec.errors import Refused
from envspec.kinds import names
from tests.engine.e2e import until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


def died(engine: Engine, env: str) -> None:
    """Leave the mutex of a holder that died."""
    if isinstance(engine, FakeEngine):
        engine.lock(env, "elsewhere:1:1")
        engine.end_holders()
        return
    holder = type(engine)()
    holder.lock(env, "elsewhere:1:1")
    subprocess.run([*engine.command, "kill", f"envspec-lock-{env}"], check=True, capture_output=True, timeout=60)
    until(lambda: abandoned(engine, env), "the engine sees that the holder died")


class Alone:
    """An engine as it would be without the environments of all other tests."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.prefix = f"evt-{uuid.uuid4().hex[:10]}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def name(self, suffix: object) -> str:
        return f"{self.prefix}-{suffix}"

    def containers(self) -> tuple[ContainerState, ...]:
        return tuple(b for b in self.engine.containers() if b.labels.get(names.ENV, "").startswith(self.prefix))

    def volumes(self) -> tuple[VolumeState, ...]:
        return tuple(v for v in self.engine.volumes() if v.labels.get(names.ENV, "").startswith(self.prefix))

    def locked_envs(self) -> tuple[str, ...]:
        return tuple(name for name in self.engine.locked_envs() if name.startswith(self.prefix))


@pytest.fixture
def alone(engine: Engine) -> Iterator[Alone]:
    """The engine; all mutexes of a test are gone behind it."""
    made = Alone(engine)
    try:
        yield made
    finally:
        for name in made.locked_envs():
            engine.unlock(name)


def allow(most: int, tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    (tmp_path / "envspec").mkdir()
    (tmp_path / "envspec" / "config.yaml").write_text(f"max_environments: {most}\n")
    patch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_of_several_that_begin_at_once_as_many_get_in_as_there_may_be(
    alone: Alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(2, tmp_path, monkeypatch)
    decided, told = threading.Barrier(4), []

    def begin(number: int) -> None:
        try:
            with claimed(cast("Engine", alone), alone.name(number), new=True):
                told.append("in")
                decided.wait(60)
        except Refused as error:
            told.append(error.code)
            decided.wait(60)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["in", "in", "refused.max_environments", "refused.max_environments"]
    assert alone.locked_envs() == ()


def test_what_died_as_it_began_and_what_is_no_environment_take_no_room(
    alone: Alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(1, tmp_path, monkeypatch)
    died(alone.engine, alone.name("dead"))
    alone.engine.lock(f"{alone.name('network')}.net", "elsewhere:1:1")
    with claimed(cast("Engine", alone), alone.name("first"), new=True):
        with (
            pytest.raises(Refused, match="max_environments is 1"),
            claimed(cast("Engine", alone), alone.name("second"), new=True),
        ):
            pytest.fail("there is no room")
        with claimed(cast("Engine", alone), alone.name("known"), new=False):
            pass
    with claimed(cast("Engine", alone), alone.name("second"), new=True):
        pass
