"""Volumes that only services mount: an empty one is not asked for when an environment goes."""

from __future__ import annotations

import pytest

from envspec import observe
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig, Mount
from envspec.errors import EngineCallFailed
from envspec.kinds import names
from envspec.kinds.base import Observed
from envspec.kinds.service import Service
from envspec.kinds.volume import Volume

ENV, BOX = "shop", "shop-db-1"


@pytest.fixture
def engine() -> FakeEngine:
    """Return an engine with a service that has a volume with a name, and one without."""
    made = FakeEngine(images=("debian:13",))
    made.add_image("db:1", volumes=("/un",))
    made.create_volume("shop-own", names.labels(ENV, "volume", "volume.own"))
    config = ContainerConfig("db:1", mounts=(Mount("/own", "volume", "shop-own"),))
    made.start(made.create_container(BOX, config, names.labels(ENV, "service", "service.db")))
    return made


def lost(engine: FakeEngine) -> tuple[str, ...]:
    world = observe.without_files(engine, Observed(ENV, containers=engine.containers(ENV), volumes=engine.volumes()))
    removals = (Volume().removal("volume.own", world), Service().removal("service.db", world))
    return tuple(what for verdict in removals if verdict for what in (lost.text for lost in verdict.losses))


def test_an_empty_volume_of_a_service_is_not_asked_for(engine: FakeEngine) -> None:
    assert lost(engine) == ()
    engine.tamper.write_file(BOX, "/own/deep/file", "x")
    assert lost(engine) == ("volume shop-own and all that is in it",)
    engine.tamper.write_file(BOX, "/un/file", "x")
    assert lost(engine) == ("volume shop-own and all that is in it", "what is in /un (a volume without a name)")


def test_a_volume_that_cannot_be_looked_into_is_asked_for(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(container_id: str, path: str) -> None:
        raise EngineCallFailed(f"cannot read {path} of {container_id}")

    monkeypatch.setattr(engine, "read_archive", refuse)
    assert len(lost(engine)) == 2
