"""Which container is the workspace has one answer, also after somebody renamed it."""

from __future__ import annotations

import pytest

from envspec.api import inventory
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig
from envspec.errors import UsageError
from envspec.inside.copy_box import find_box
from envspec.kinds import names
from envspec.kinds.base import workspace_of

IMAGE = "debian:13"


def made(engine: FakeEngine, *called: str, kind: str = "container", env: str = "shop") -> None:
    for name in called:
        engine.create_container(name, ContainerConfig(IMAGE), names.labels(env, kind, f"{kind}.workspace"))


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(images=(IMAGE,))


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (("shop-workspace",), "shop-workspace"),
        (("shop-workspace-next", "shop-workspace"), "shop-workspace"),
        (("other", "shop-workspace-next"), "shop-workspace-next"),
        (("renamed",), "renamed"),
        ((), None),
    ],
)
def test_it_is_the_one_of_its_name_else_its_heir_else_one_that_was_renamed(
    engine: FakeEngine, there: tuple[str, ...], chosen: str | None
) -> None:
    made(engine, *there)
    found = workspace_of(engine.containers("shop"), "shop")
    assert (found.name if found else None) == chosen


def test_services_and_helpers_and_others_are_no_workspace(engine: FakeEngine) -> None:
    made(engine, "shop-db-1", kind="service")
    made(engine, "shop-snapshot", kind=names.SNAPSHOT_HELPER)
    made(engine, "shop-workspace", env="other")
    assert workspace_of(engine.containers(), "shop") is None


def test_every_command_finds_one_that_was_renamed(engine: FakeEngine) -> None:
    made(engine, "renamed")
    engine.start(engine.containers("shop")[0].id)
    assert inventory.find(engine, "shop").name == "renamed"
    assert find_box(engine, "shop").state.name == "renamed"
    assert " renamed " in inventory.connect(engine, "shop").command


def test_no_command_takes_what_belongs_to_another(engine: FakeEngine) -> None:
    made(engine, "shop-workspace", env="other")
    with pytest.raises(UsageError, match="there is no environment shop"):
        find_box(engine, "shop")
