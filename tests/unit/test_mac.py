"""A Mac as far as it can be played on Linux: what its Python lacks, where its engines listen, what preflight says."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from envspec.engine import private, shelf, whales
from envspec.engine.operations import Completed
from envspec.engine.pipe import opened
from envspec.engine.runner import Runner
from envspec.errors import EngineCallFailed, EngineNotReady
from envspec.preflight import system
from envspec.preflight.steps import steps, supported
from envspec.preflight.system import System
from envspec.preflight.values import Need, State
from tests.unit.test_preflight import FakeRun, info_run, look

MAC = System(os_release={"ID": "macos", "PRETTY_NAME": "macOS"}, uid=501, user="ada", tools={"docker": "/opt/docker"})


def test_without_files_in_memory_a_secret_is_in_a_file_of_ones_own_that_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with private.in_memory("secret") as path:
        assert path.read_text() == "secret"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()


def test_pipes_are_used_at_the_size_that_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fcntl, "F_SETPIPE_SZ")
    with opened(Runner(), ["cat"], idle=10.0) as pipe:
        pipe.write(b"through")
        assert pipe.read() == b"through"


def test_without_mounts_to_look_at_nothing_counts_as_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "PLACE", tmp_path / "shm")
    monkeypatch.setattr(shelf, "MOUNTS", tmp_path / "mounts")
    assert shelf.read("shop") == {}
    with pytest.raises(EngineCallFailed) as caught:
        shelf.write("shop", "db", {"tok": "secret"})
    assert caught.value.code == "service.no_shelf"


def test_the_command_that_keeps_deadlines_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = whales.WhalesEngine()
    monkeypatch.setattr(engine, "_prefix", ("no-such-program", "1"))
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(EngineNotReady) as caught:
        engine.tag("a", "b")
    assert caught.value.hint == "brew install coreutils"


def test_a_mac_is_told_to_start_the_machine_of_its_engine() -> None:
    assert system._os_release("darwin")["ID"] == "macos"
    checks = look(MAC, info_run({}, code=1, stderr="Cannot connect"))
    assert checks["engine"].status is State.FAIL
    assert "Docker Desktop" in checks["engine"].detail
    assert [command.argv for command in checks["engine"].fix] == [("colima", "start")]
    assert checks["bootstrap"].needs == ()
    assert not supported(MAC)


def test_what_a_mac_lacks_comes_with_brew() -> None:
    (command,) = steps(MAC, (Need.ENGINE, Need.CLI, Need.COMPOSE, Need.BUILDX))
    assert command.argv == ("brew", "install", "colima", "coreutils", "docker", "docker-buildx", "docker-compose")
    checks = look(System(os_release=MAC.os_release), FakeRun({"docker info": Completed(127)}))
    assert checks["engine"].needs == (Need.ENGINE, Need.START)
