"""The client of an engine that loses what it should pass on: where an exec begins, and where it ends."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from envspec.engine import client
from envspec.engine.client import Client
from envspec.engine.facts import Questions
from envspec.engine.script import Script
from envspec.errors import EngineCallFailed, EngineTimeout

LOCAL = """#!/bin/sh
[ "$1" = exec ] || { echo '[{"Config": {"WorkingDir": "/"}, "State": {"Status": "running"}}]'; exit 0; }
echo call >> "$0.calls"
%s
while [ "$1" != /bin/sh ]; do
  [ "$1" != --env ] || export "$2"
  shift
done
%s
"""
"""A stand-in for an engine's command, whose only container is this machine."""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(client, "PROBE_BEGINS", 1.0)
    return tmp_path / "docker"


def standing_in(path: Path, before: str = "", after: str = 'exec "$@"') -> Client:
    path.write_text(LOCAL % (before, after))
    path.chmod(0o755)
    return Client(command=(str(path),))


def calls(path: Path) -> int:
    return len(Path(f"{path}.calls").read_text().splitlines())


def test_a_probe_that_never_begins_is_asked_once_more(engine: Path) -> None:
    stuck = standing_in(engine, '[ "$(wc -l < "$0.calls")" -gt 1 ] || exec sleep 60')
    assert stuck.probe("box", Questions(exists=("/etc/passwd",))).exists == {"/etc/passwd"}
    assert calls(engine) == 2


def test_a_probe_whose_input_never_ends_is_asked_once_more(engine: Path) -> None:
    stuck = standing_in(engine, after='[ "$(wc -l < "$0.calls")" -gt 1 ] && exec "$@"; sleep 60 | "$@"')
    assert stuck.probe("box", Questions(exists=("/etc/passwd",))).exists == {"/etc/passwd"}
    assert calls(engine) == 2


def test_a_probe_that_never_answers_is_given_up(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PROBE_DEADLINE", 2.0)
    with pytest.raises(EngineTimeout, match="did not end within 2 s"):
        standing_in(engine, "exec sleep 60").probe("box", Questions())
    assert calls(engine) == 2


def test_an_answer_is_taken_though_the_engine_never_tells_that_its_exec_ended(engine: Path) -> None:
    began = time.monotonic()
    answer = standing_in(engine, after='"$@"; exec sleep 60').probe("box", Questions(exists=("/etc/passwd",)))
    assert answer.exists == {"/etc/passwd"}
    assert time.monotonic() - began < 30
    assert calls(engine) == 1


def test_an_operation_has_its_own_exit_code_though_its_exec_never_ends(engine: Path) -> None:
    script = Script('cat; printf "envspec-ended %s 5\\n" "$ENVSPEC_STEP" >&2', stdin=b"data")
    done = standing_in(engine, after='"$@"; exec sleep 60').run_script("box", script)
    assert (done.code, done.stdout) == (5, b"data")


@pytest.mark.parametrize("code", [0, 126, 127])
def test_an_engine_that_is_slow_to_let_somebody_in_is_asked_again(engine: Path, code: int) -> None:
    slow = standing_in(engine, f'[ "$(wc -l < "$0.calls")" -gt 2 ] || exit {code}')
    assert slow.probe("box", Questions(exists=("/etc/passwd",))).exists == {"/etc/passwd"}
    assert calls(engine) == 3
    Path(f"{engine}.calls").unlink()
    script = Script('printf "envspec-ended %s 0\\n" "$ENVSPEC_STEP" >&2')
    assert slow.run_script("box", script, repeatable=True).code == 0
    assert calls(engine) == 3


@pytest.mark.parametrize("code", [0, 126, 127])
def test_a_command_that_may_have_run_is_not_run_again(engine: Path, code: int) -> None:
    with pytest.raises(EngineCallFailed, match="cannot be entered"):
        standing_in(engine, f"exit {code}").run_script("box", Script("true"))
    assert calls(engine) == 1


def test_a_container_that_never_lets_anybody_in_is_given_up(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SLOW_START", 0.5)
    with pytest.raises(EngineCallFailed, match="cannot be entered"):
        standing_in(engine, "exit 126").probe("box", Questions())
    assert 1 < calls(engine) < 5
