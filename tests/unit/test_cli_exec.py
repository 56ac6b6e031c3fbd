"""`exec`: streams, exit codes and deadlines, with a stand-in for the docker command on PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.cli import light
from envspec.cli.options import is_file

DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >>"$FAKE_LOG"
case "$1" in
ps) printf 'shop\\nblog\\nshop\\n\\n' ;;
container)
    case "$5" in
    shop-workspace) echo "true false 1000:1000 shop" ;;
    stopped-workspace) echo "false false 1000:1000 stopped" ;;
    foreign-workspace) echo "true false  " ;;
    *) echo "Error: No such container: $5" >&2; exit 1 ;;
    esac ;;
exec)
    while [ "$1" != sh ]; do shift; done
    exec "$@" ;;
esac
"""

Exec = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    kept = tmp_path / "log"
    monkeypatch.setenv("PATH", f"{docker.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LOG", str(kept))
    monkeypatch.setenv("ENVSPEC_ENGINE", "docker")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return kept


@pytest.fixture
def run(log: Path) -> Exec:
    assert not log.exists()

    def call(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (sys.executable, "-m", "envspec.cli.main", "exec", *words),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            cwd=Path(__file__).parents[2],
        )

    return call


def test_streams_and_exit_code_are_the_commands_own(run: Exec) -> None:
    done = run("shop", "--", "sh", "-c", "cat; echo oops >&2; exit 7", stdin="hello")
    assert (done.stdout, done.stderr, done.returncode) == ("hello", "oops\n", 7)


def test_a_failing_command_that_talks_like_the_engine_is_still_its_own(run: Exec) -> None:
    done = run("shop", "--", "sh", "-c", "echo No such container >&2; exit 1")
    assert (done.stderr, done.returncode) == ("No such container\n", 1)


def test_arguments_arrive_as_they_are(run: Exec) -> None:
    words = ("a b", "$HOME", "--json", "", "'\"")
    assert run("shop", "--", "printf", "%s|", *words).stdout == "a b|$HOME|--json||'\"|"


def test_a_command_runs_as_the_environments_user(run: Exec, log: Path) -> None:
    run("shop", "--", "true")
    assert log.read_text().splitlines()[1].startswith("exec --interactive --user 1000:1000 shop-workspace sh -c")


def test_options_reach_the_engine(run: Exec, log: Path) -> None:
    run("shop", "--root", "--workdir", "/srv", "--", "true")
    assert (
        log.read_text().splitlines()[1].startswith("exec --interactive --user 0:0 --workdir /srv shop-workspace sh -c")
    )


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("absent", 3, "there is no environment absent"),
        ("foreign", 3, "there is no environment foreign"),
        ("stopped", 6, "is stopped"),
    ],
)
def test_an_environment_that_cannot_be_entered_is_our_error(run: Exec, name: str, code: int, told: str) -> None:
    done = run(name, "--", "true")
    assert done.returncode == code
    assert told in done.stderr


def test_a_command_is_required(run: Exec) -> None:
    assert run("shop").returncode == 3


def test_a_deadline_that_is_kept_changes_nothing(run: Exec) -> None:
    assert run("shop", "--timeout", "20", "--", "sh", "-c", "exit 5").returncode == 5


def test_a_passed_deadline_exits_124_and_kills_inside(run: Exec, log: Path) -> None:
    assert run("shop", "--timeout", "0.2", "--", "sleep", "60").returncode == light.TIMED_OUT
    started, killed = log.read_text().splitlines()[1:]
    marker = next(word for word in started.split() if word.startswith(light.MARKER))
    assert killed.endswith(f"envspec {marker}")


def test_environments_complete_and_are_sorted(log: Path) -> None:
    assert light.environment_names() == ("blog", "shop")
    assert "--filter label=dev.envspec.env" in log.read_text()


def test_completion_survives_an_engine_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert light.environment_names() == ()


@pytest.mark.parametrize("target", ["./shop", "shop/", "/srv/shop", "shop.yaml", "shop.yml", ".", ".."])
def test_a_path_is_told_from_a_name(target: str) -> None:
    assert is_file(target)
    assert not is_file("shop")
