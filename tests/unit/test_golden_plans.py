"""Plans as a user reads them: each case of ``tests/cases/plans`` is a spec, what becomes of it, and what is printed.

A case is a directory: ``before.yaml`` is applied first and may be missing; ``after.yaml`` is planned, and where it is
missing, the environment is to go. ``plan.txt`` and ``steps.txt`` are what ``envspec plan --steps`` prints.
``pytest tests/unit/test_golden_plans.py --update-goldens`` writes them anew.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from envspec import purposes
from envspec.cli.output import Painter
from envspec.cli.plan_text import plan_lines
from envspec.cli.steps_text import step_lines
from envspec.kinds.every import all_kinds
from tests.conftest import UPDATE_GOLDENS
from tests.laws.world import World

CASES = Path(__file__).parents[1] / "cases" / "plans"
NAMES = sorted(case.name for case in CASES.iterdir())
PLAIN = Painter(enabled=False)

_IMAGE = re.compile(r"(envspec/[a-z-]+):[0-9a-f]{12}")
"""An image's tag changes with every change of its purpose, which is no change of how a plan reads."""


def spec(case: Path, name: str) -> dict[str, Any] | None:
    file = case / name
    return yaml.safe_load(file.read_text()) if file.exists() else None


def printed(case: Path, directory: Path) -> dict[str, str]:
    world = World(directory)
    before = spec(case, "before.yaml")
    if before is not None:
        world.applied(before)
    plan = world.look(spec(case, "after.yaml")).plan
    texts = {"plan.txt": plan_lines(plan, PLAIN), "steps.txt": step_lines(plan, PLAIN)}
    return {
        name: _IMAGE.sub(r"\1:DIGEST", "".join(f"{line}\n" for line in lines)).replace(str(directory), "/host")
        for name, lines in texts.items()
    }


@pytest.fixture(scope="module", autouse=True)
def _read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purposes, "read", functools.cache(purposes.read))  # half of the time goes into reading them
        yield


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_reads_as_it_did(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "host").mkdir()
    found = printed(CASES / name, tmp_path / "host")
    if pytestconfig.getoption(UPDATE_GOLDENS):
        for file, text in found.items():
            (CASES / name / file).write_text(text)
    assert found == {file: (CASES / name / file).read_text() for file in found}


def test_every_kind_and_every_action_is_read_at_least_once() -> None:
    lines = [line for name in NAMES for line in (CASES / name / "plan.txt").read_text().splitlines()]
    shown = [match for line in lines if (match := re.match(r" *(-/\+|[-+~!]) ([a-z_]+)\.", line))]
    assert {match[1] for match in shown} == {"+", "~", "-/+", "-", "!"}
    assert {match[2] for match in shown} == set(all_kinds())
