"""The script that a fresh machine runs."""

from __future__ import annotations

import subprocess

import pytest

from tests.engines import fresh
from tests.engines.fresh import script


@pytest.mark.parametrize(("steps", "printed", "code"), [(("true", "echo b"), "b", 0), (("false", "echo b"), "", 1)])
def test_the_first_step_that_fails_is_the_last(
    monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...], printed: str, code: int
) -> None:
    monkeypatch.setattr(fresh, "CLONE", "/")
    done = subprocess.run(["sh", "-c", script(steps)], capture_output=True, text=True, check=False)
    said = [line for line in done.stdout.splitlines() if line[:1] not in "+ "]
    assert ("".join(said), done.returncode) == (printed, code)
