"""Errors that few people meet: each is provoked once, on an engine in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.test_cli_commands import Terminal, engine, envspec, spec

__all__ = ["engine", "envspec", "spec"]

pytestmark = pytest.mark.usefixtures("engine", "spec")


def refused(envspec: Terminal, *words: str) -> tuple[int, str]:
    code, document = envspec.json(*words)
    return code, document["error"]["code"]


def test_a_plan_that_cannot_be_written(envspec: Terminal) -> None:
    assert refused(envspec, "plan", "--out", "missing/shop.plan") == (3, "plan.unwritable")


def test_a_saved_plan_that_lacks_parts(envspec: Terminal) -> None:
    assert envspec("plan", "--out", "shop.plan") == 0
    saved = Path("shop.plan")
    saved.write_text(json.dumps({k: v for k, v in json.loads(saved.read_text()).items() if k != "plan"}))
    assert refused(envspec, "apply", "shop.plan") == (3, "plan.unreadable")


def test_an_unknown_command(envspec: Terminal) -> None:
    assert refused(envspec, "no-such-command") == (3, "usage.command")


def test_a_repository_whose_path_no_engine_can_mount(envspec: Terminal) -> None:
    assert refused(envspec, "try", "./\udcff") == (3, "trial.path")


def test_a_shell_without_a_terminal(envspec: Terminal) -> None:
    assert envspec("apply") == 0
    assert envspec("shell", "shop") == 3
    assert "a shell needs a terminal" in envspec.err
