"""`envspec try`: repositories of every kind come up from their URL, and pass their own tests inside."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.engine.by_hand import gateway
from tests.engine.e2e import NOTHING, ON_DOCKER, ON_PODMAN, Place, objects, until
from tests.engine.repositories import REPOSITORIES, Repository

pytestmark = [pytest.mark.engine, pytest.mark.build, pytest.mark.timeout(900)]

BEHIND_A_URL = "python-uv"
ON_BOTH_ENGINES = ("python-requirements", "node-npm")


def bring_up(place: Place, url: str, repository: Repository) -> None:
    """Try a repository from its URL, and hold the report and the environment against what it needs."""
    report = place.told("try", url, "--name", place.name).result
    assert report["ok"] is True
    assert report["image"].startswith(f"envspec/{repository.purpose}:")
    installs = [note.removeprefix("installs with: ") for note in report["notes"] if note.startswith("installs with: ")]
    assert tuple(installs) == repository.install
    workdir = f"/workspace/{url.rpartition('/')[2]}"
    ran = place.run("exec", "--workdir", workdir, place.name, "--", "sh", "-c", repository.test)
    assert repository.prints in ran.stdout + ran.stderr


@ON_DOCKER
@pytest.mark.parametrize("kind", sorted(set(REPOSITORIES) - {BEHIND_A_URL}))
def test_a_repository_comes_up_and_passes_its_own_tests(place: Place, kind: str) -> None:
    bring_up(place, str(REPOSITORIES[kind].make(place.directory / kind)), REPOSITORIES[kind])


@ON_PODMAN
@pytest.mark.parametrize("kind", ON_BOTH_ENGINES)
def test_it_does_on_podman_too(place: Place, kind: str) -> None:
    bring_up(place, str(REPOSITORIES[kind].make(place.directory / kind)), REPOSITORIES[kind])


@pytest.fixture
def served(place: Place) -> Iterator[str]:
    """The URL of a repository on a server, the same for this host and for containers."""
    root = place.directory / "served"
    REPOSITORIES[BEHIND_A_URL].make(root / BEHIND_A_URL)
    address = gateway()
    with socket.socket() as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    words = ("--export-all", f"--listen={address}", f"--port={port}", f"--base-path={root}", str(root))
    server = subprocess.Popen(["git", "daemon", "--reuseaddr", *words])
    try:
        until(lambda: answers(address, port), "git daemon answers")
        yield f"git://{address}:{port}/{BEHIND_A_URL}"
    finally:
        server.terminate()
        server.wait(10)


def answers(address: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((address, port)) == 0


@ON_DOCKER
def test_what_was_tried_by_url_is_an_environment_as_any_other(
    place: Place, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_API_KEY", "canary")
    bring_up(place, served, REPOSITORIES[BEHIND_A_URL])
    assert "canary" not in place.exec("env")
    assert place.exec("ls", "/workspace") == BEHIND_A_URL
    assert place.told("status", place.name).result["status"] == "running"

    box = place.id
    again = place.told("try", served, "--name", place.name).result
    assert (again["ok"], again["outcomes"], place.id) == (True, [], box)
    assert "python 3.13 stands in for 3.12 (.python-version), which bootstrap does not have" in again["notes"]
    other = place.told("try", f"{served}-other", "--name", place.name, code=6)
    assert other.error["code"] == "conflict.name"

    place.told("destroy", place.name, "--yes", "--volumes")
    assert objects(place.name) == NOTHING


@ON_DOCKER
def test_a_file_that_tries_a_repository_is_planned_without_it_once_it_stands(place: Place) -> None:
    source = REPOSITORIES["python-uv"].make(place.directory / "app")
    place.write(purpose="try-repo", repo_url="./app", setup_commands=["test -O app/uv.lock"], user="1000:1000")
    assert place.told("validate", ".").result["valid"] is True
    assert place.told("render", ".").result["dockerfile"].startswith("FROM ")
    assert place.apply().result["ok"] is True
    assert place.exec("sh", "-c", "cd app && uv run --frozen python -m unittest 2>&1 && id -u").endswith("OK\n1000")
    (source / ".git").rename(source / "gone")
    assert place.plan()["changes"] == []
