"""Waiting: how often, for what, and what it tells, on an engine in memory."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from envspec import api
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import LABEL, ContainerConfig
from envspec.errors import UsageError
from envspec.inside.wait import Attempt, Patience, containers_are_healthy, until_ready
from envspec.kinds import names

AT_ONCE = Patience(interval=0, retries=3)


def attempts(*ready: bool) -> list[Attempt]:
    return [Attempt(found, f"try {number}", int(not found)) for number, found in enumerate(ready, 1)]


@pytest.mark.parametrize(
    ("tries", "count", "ready"),
    [
        ((True,), 1, True),
        ((False, False, True), 3, True),
        ((False,) * 4, 4, False),
        ((False,) * 4 + (True,), 4, False),
    ],
)
def test_it_tries_until_all_is_ready_or_the_retries_are_used_up(
    tries: tuple[bool, ...], count: int, ready: bool
) -> None:
    left = iter(attempts(*tries))
    waited = until_ready("shop", "command", lambda: next(left), AT_ONCE)
    assert (waited.ready, waited.attempts, waited.output, waited.code) == (ready, count, f"try {count}", int(not ready))


@pytest.fixture
def engine() -> FakeEngine:
    made = FakeEngine(images=("debian:13",))
    for name, kind in (("shop-workspace", "container"), ("shop-db-1", "service")):
        labels = {f"{LABEL}env": "shop", f"{LABEL}kind": kind, f"{LABEL}address": "service.db"}
        made.start(made.create_container(name, ContainerConfig("debian:13"), labels))
    return made


def test_a_container_without_a_check_is_ready_when_it_runs(engine: FakeEngine) -> None:
    assert containers_are_healthy(engine, "shop", ("shop-db-1",)).ready
    engine.stop("shop-db-1")
    looked = containers_are_healthy(engine, "shop", ("shop-db-1",))
    assert not looked.ready
    assert looked.output == "shop-db-1 is exited\nlog of shop-db-1"
    engine.remove_container("shop-db-1")
    assert containers_are_healthy(engine, "shop", ("shop-db-1",)) == Attempt(False, "there is no container shop-db-1")


def test_a_check_that_does_not_pass_is_not_ready_though_it_runs(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = engine.containers
    monkeypatch.setattr(engine, "containers", lambda env: tuple(replace(box, health="starting") for box in real(env)))
    looked = containers_are_healthy(engine, "shop", ("shop-db-1",))
    assert (looked.ready, looked.output.splitlines()[0]) == (False, "shop-db-1 is running (starting)")


def test_a_service_is_asked_for_by_its_name(engine: FakeEngine) -> None:
    waited = api.wait("shop", service="db", engine=engine)
    assert (waited.what, waited.ready, waited.attempts) == ("service db", True, 1)
    with pytest.raises(UsageError, match="no service cache"):
        api.wait("shop", service="cache", engine=engine)
    with pytest.raises(UsageError, match="two things"):
        api.wait("shop", service="db", command="true", engine=engine)


@pytest.mark.parametrize(
    ("restart", "ends", "code", "ready"),
    [("no", True, 0, True), ("no", True, 3, False), ("no", False, 0, False), ("always", True, 0, False)],
)
def test_a_service_that_was_made_to_end_is_ready_when_it_ended_well(
    *, restart: str, ends: bool, code: int, ready: bool
) -> None:
    made = FakeEngine(images=("debian:13",))
    labels = {f"{LABEL}env": "shop", f"{LABEL}kind": "service", f"{LABEL}address": "service.job"}
    labels[names.SETTINGS] = json.dumps({"ends": ends})
    made.start(made.create_container("shop-job-1", ContainerConfig("debian:13", restart=restart), labels))
    made.container("shop-job-1").halt(code)
    assert containers_are_healthy(made, "shop", ("shop-job-1",)).ready is ready
    assert api.environments(engine=made)[0].services_up == int(ready)
