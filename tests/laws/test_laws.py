"""The laws, held up by drawn histories."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envspec.engine.objects import ContainerConfig
from envspec.errors import Conflict

from . import laws
from .fixed import BACK, FOUND, OTHER, REPLACES, RICH
from .strategies import History, pairs, singles
from .world import Doc, World, insist_equal


@given(history=pairs())
def test_a_plan_is_a_pure_and_deterministic_value(history: History, directory: Path) -> None:
    laws.plan_is_a_value(history, directory)


@given(history=pairs(moving=False))
def test_after_an_apply_the_plan_is_empty(history: History, directory: Path) -> None:
    laws.applying_converges(history, directory)


@given(history=pairs(moving=False))
def test_every_path_leads_to_one_place(history: History, directory: Path) -> None:
    laws.every_path_leads_to_one_place(history, directory)


@given(history=pairs(moving=False), point=st.floats(0, 1))
def test_a_kill_anywhere_leaves_no_trace(history: History, directory: Path, point: float) -> None:
    laws.kills_leave_no_trace(history, directory, point)


@given(history=pairs())
def test_a_plan_changes_nothing(history: History, directory: Path) -> None:
    laws.planning_changes_nothing(history, directory)


@given(history=singles(), choice=st.floats(0, 1))
def test_tampering_with_anything_declared_shows_and_is_healed(history: History, directory: Path, choice: float) -> None:
    laws.tampering_shows_and_heals(history, directory, choice)


@given(history=pairs(moving=False), point=st.floats(0, 1))
def test_a_failure_keeps_what_ran_and_is_made_up_for(history: History, directory: Path, point: float) -> None:
    laws.failures_keep_what_ran(history, directory, point)


@given(history=pairs(moving=False))
def test_what_is_not_ours_is_left_alone(history: History, directory: Path) -> None:
    laws.strangers_are_left_alone(history, directory)


@given(history=singles(), volumes=st.booleans())
def test_a_destroy_leaves_nothing(history: History, directory: Path, volumes: bool) -> None:
    laws.destroying_leaves_nothing(history, directory, volumes=volumes)


@given(history=pairs(moving=False))
def test_no_secret_is_anywhere_but_in_the_tmpfs(history: History, directory: Path) -> None:
    laws.secrets_stay_inside(history, directory)


@given(history=pairs(moving=False))
def test_work_is_not_lost_unasked(history: History, directory: Path) -> None:
    laws.work_is_not_lost_unasked(history, directory)


@given(history=pairs(moving=False), choice=st.floats(0, 1))
def test_a_target_is_kept_to(history: History, directory: Path, choice: float) -> None:
    laws.targets_are_kept_to(history, directory, choice)


@pytest.mark.parametrize("taken", ["shop-workspace", "shop-workspace-next"])
def test_a_container_of_someone_else_that_bears_our_name_is_a_conflict(directory: Path, taken: str) -> None:
    world = World(directory)
    world.engine.create_container(taken, ContainerConfig("debian:13"), {})
    _conflicts(world, {"image": "debian:13"})


@pytest.mark.parametrize("doc", [{"volumes": ["data:/data"]}, {"mount_cwd": False}])
def test_a_volume_of_someone_else_that_bears_our_name_is_a_conflict(directory: Path, doc: Doc) -> None:
    world = World(directory)
    for name in ("shop-data", "shop-workspace"):
        world.engine.create_volume(name, {"dev.envspec.env": "other"})
    _conflicts(world, {"image": "debian:13", **doc})


def _conflicts(world: World, doc: Doc) -> None:
    calls = list(world.engine.calls)
    with pytest.raises(Conflict) as conflict:
        world.apply(doc)
    assert conflict.value.code == "conflict.name"
    assert conflict.value.hint
    assert world.engine.calls == calls


def test_every_boundary_of_a_replace_survives_a_kill_and_a_failure(directory: Path) -> None:
    for history in REPLACES:
        assert laws.kills_leave_no_trace(history, directory) > 20
        assert laws.failures_keep_what_ran(history, directory) > 10


@pytest.mark.parametrize("history", BACK, ids=["another user", "much else"])
def test_a_change_that_was_killed_can_be_taken_back(history: History, directory: Path) -> None:
    assert laws.kills_leave_the_way_back(history, directory) > 10


@pytest.mark.parametrize("history", FOUND, ids=lambda history: " to ".join(str(doc["user"]) for doc in history.docs))
def test_a_history_that_once_broke_a_law_keeps_them_all(history: History, directory: Path) -> None:
    laws.applying_converges(history, directory)
    laws.every_path_leads_to_one_place(history, directory)
    laws.kills_leave_no_trace(history, directory)
    laws.failures_keep_what_ran(history, directory)


def test_every_tampering_with_a_rich_environment_is_healed(directory: Path) -> None:
    assert laws.tampering_shows_and_heals(History((RICH,)), directory) > 20


def test_steps_that_really_run_at_once_end_in_the_same_place(directory: Path) -> None:
    threads, turns = World(directory, parallel=True), World(directory)
    for doc in (RICH, OTHER):
        threads.applied(doc)
        turns.applied(doc)
        insist_equal(threads.state(), turns.state(), "threads made another environment")
