"""The laws, held up by drawn histories."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from . import laws
from .strategies import History, pairs


@given(history=pairs())
def test_a_plan_is_a_pure_and_deterministic_value(history: History, directory: Path) -> None:
    laws.plan_is_a_value(history, directory)


@given(history=pairs())
def test_after_an_apply_the_plan_is_empty(history: History, directory: Path) -> None:
    laws.applying_converges(history, directory)


@given(history=pairs(moving=False))
def test_every_path_leads_to_one_place(history: History, directory: Path) -> None:
    laws.every_path_leads_to_one_place(history, directory)


@given(history=pairs(), point=st.floats(0, 1))
def test_a_kill_anywhere_leaves_no_trace(history: History, directory: Path, point: float) -> None:
    laws.kills_leave_no_trace(history, directory, point)


@given(history=pairs())
def test_a_plan_changes_nothing(history: History, directory: Path) -> None:
    laws.planning_changes_nothing(history, directory)
