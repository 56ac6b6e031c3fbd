"""Plans as a user reads them, held against the files of :mod:`tests.plans`.

``pytest tests/unit/test_golden_plans.py --update-goldens`` writes them anew.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec import purposes
from envspec.kinds.every import all_kinds
from tests.conftest import UPDATE_GOLDENS
from tests.plans import CASES, printed

NAMES = sorted(case.name for case in CASES.iterdir())


@pytest.fixture(scope="module", autouse=True)
def _read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purposes, "read", functools.cache(purposes.read))  # half of the time goes into reading them
        yield


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_reads_as_it_did(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    (tmp_path / "host" / "aside").mkdir(parents=True)
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
