"""`envspec exec` on a real engine: its streams, its variables, and a deadline that holds inside."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from envspec.cli.light import TIMED_OUT
from envspec.engine.facts import ENV_FILE
from envspec.engine.objects import ContainerConfig
from envspec.engine.whales import WhalesEngine
from envspec.kinds import names

pytestmark = pytest.mark.engine

PATIENCE = 10.0
"""Seconds until a killed process must be gone."""


@pytest.fixture
def container(docker_engine: WhalesEngine, docker_base: str, env: str) -> str:
    config = ContainerConfig(docker_base, user="1000:1000", workdir="/tmp")
    name = names.container(env)
    docker_engine.start(docker_engine.create_container(name, config, names.labels(env, "container", names.WORKSPACE)))
    variables = f"umask 022; echo \"export COLOUR='deep blue'\" >{ENV_FILE}"
    subprocess.run(("docker", "exec", "--user", "0", name, "sh", "-c", variables), check=True, timeout=60)
    return name


def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "envspec.cli.main", "exec", *words),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def processes(container: str) -> str:
    listing = "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null"
    done = subprocess.run(
        ("docker", "exec", "--user", "0", container, "sh", "-c", listing),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.usefixtures("container")
def test_streams_variables_user_and_exit_code_pass_through(env: str) -> None:
    done = run(env, "--", "sh", "-c", 'cat; echo "$COLOUR $(id -u) $PWD"; echo oops >&2; exit 7', stdin="in ")
    assert (done.stdout, done.stderr, done.returncode) == ("in deep blue 1000 /tmp\n", "oops\n", 7)


@pytest.mark.usefixtures("container")
def test_root_and_another_directory(env: str) -> None:
    assert run(env, "--root", "--workdir", "/etc", "--", "sh", "-c", 'echo "$(id -u) $PWD"').stdout == "0 /etc\n"


@pytest.mark.parametrize("who", [(), ("--root",)])
def test_a_passed_deadline_leaves_nothing_running_inside(env: str, container: str, who: tuple[str, ...]) -> None:
    done = run(env, *who, "--timeout", "1", "--", "sh", "-c", "setsid sleep 4321 & sleep 4322")
    assert done.returncode == TIMED_OUT
    end = time.monotonic() + PATIENCE
    while "sleep 432" in processes(container) and time.monotonic() < end:
        pass
    assert "sleep 432" not in processes(container)


def test_a_stopped_environment_is_told_from_a_failing_command(
    env: str, container: str, docker_engine: WhalesEngine
) -> None:
    docker_engine.stop(container, grace=0)
    done = run(env, "--", "true")
    assert done.returncode == 6
    assert "is stopped" in done.stderr
