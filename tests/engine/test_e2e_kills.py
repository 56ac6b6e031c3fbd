"""Kill loops: cut off anywhere, alone or with all its children, and whole after one more command."""

from __future__ import annotations

import os

import pytest

from tests.engine.e2e import Place
from tests.engine.kills import SAMPLE, SCENARIOS, kill_loop

KILLS = int(os.environ.get("ENVSPEC_KILLS") or 0)
"""How often each scenario is killed; a sample of a few where it is not set. `make test-kills` sets it."""

SAMPLE_KILLS = 1
SEED = 20261125

pytestmark = [pytest.mark.engine, pytest.mark.kills, pytest.mark.timeout(7200 if KILLS else 600)]


@pytest.mark.parametrize("scenario", SCENARIOS if KILLS else SAMPLE)
def test_killed_anywhere_one_more_command_makes_it_whole(
    place: Place, scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    count = 0
    for told in kill_loop(SCENARIOS[scenario](place), KILLS or SAMPLE_KILLS, SEED):
        count += 1
        with capsys.disabled():
            print(f"\n{told}", end="", flush=True)
    assert count == (KILLS or SAMPLE_KILLS)
