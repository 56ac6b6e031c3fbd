"""The Compose of an envspec that was killed is ended, and no other process."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from envspec.engine.orphans import end_compose, is_up

PLACES = ["--file", "/proc/7/fd/5", "--env-file", "/dev/null"]
UP = ["up", "--detach", "--no-color", "--no-deps", "--pull", "missing", "db"]


@pytest.mark.parametrize(
    "start",
    [["docker"], ["timeout", "--kill-after=5", "3600", "docker"], ["/usr/libexec/docker/cli-plugins/docker-compose"]],
)
def test_compose_bringing_a_service_of_the_project_up_is_told(start: list[str]) -> None:
    words = [*start, "compose", *PLACES, "--project-name", "shop", "--project-directory", "/srv", *UP]
    assert is_up(words, "shop")
    assert not is_up(words, "sho")


@pytest.mark.parametrize(
    "words",
    [
        ["docker", "compose", *PLACES, "--project-name", "shop", "config"],
        ["docker", "compose", "--project-name", "shop", "up", "--detach"],
        ["docker", "run", "--project-name", "shop", *UP],
        ["docker", "compose", *UP],
        [],
    ],
)
def test_other_commands_are_let_be(words: list[str]) -> None:
    assert not is_up(words, "shop")


def test_it_is_gone_afterwards_and_another_project_goes_on() -> None:
    ours, other = (f"evt-{uuid.uuid4().hex[:10]}" for _ in range(2))
    sleep = [sys.executable, "-c", "import time; time.sleep(60)", "compose"]
    with (
        subprocess.Popen([*sleep, "--project-name", ours, *UP]) as ended,
        subprocess.Popen([*sleep, "--project-name", other, *UP]) as spared,
    ):
        try:
            end_compose(ours)
            assert ended.wait(10) == -9
            assert spared.poll() is None
        finally:
            ended.kill()
            spared.kill()
