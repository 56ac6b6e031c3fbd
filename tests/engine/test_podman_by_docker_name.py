"""Podman behind Docker's name: the command of podman-docker, and its service at a socket that is asked as Docker's."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec.engine.choice import VARIABLE, choose
from tests.engine.e2e import Place, until
from tests.unit.test_choice import SHIM

pytestmark = pytest.mark.engine


@pytest.fixture
def shim(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/docker"
    command.write_text(SHIM)
    command.chmod(0o755)
    return {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Podman's own service, which ends by itself a while after it is asked last."""
    path = tmp_path / "docker.sock"
    words = ("podman", "system", "service", "--time", "60", f"unix://{path}")
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as server:
        until(path.exists, "the service listens")
        yield {"DOCKER_HOST": f"unix://{path}"}
        server.terminate()


@pytest.mark.parametrize("way", ["shim", "service"])
def test_it_is_known_worked_with_as_podman_and_said_once(
    request: pytest.FixtureRequest, tmp_path: Path, podman_base: str, way: str
) -> None:
    environ = {**request.getfixturevalue(way), VARIABLE: "docker"}
    (tmp_path / "place").mkdir()
    place = Place(tmp_path / "place", f"evt-{uuid.uuid4().hex[:8]}", podman_base, environ=environ)
    place.write()
    plan = place.told("plan", ".").result
    assert [note for note in plan["notes"] if "is Podman" in note] == [
        f"{choose(environ={**os.environ, **environ}).alias} is Podman, and is worked with as Podman; "
        "`--engine podman` says the same"
    ]
    assert place.run("plan", ".").stdout.count("is Podman") == 1
    assert place.told("list").events == []
