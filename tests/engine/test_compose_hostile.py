"""Hostile Compose documents are refused at once, before any engine is asked.

Each ``tests/cases/compose/hostile/NAME.yaml`` has a ``NAME.txt`` beside it: the code of its refusal, with effect and
address where it is one, and ``before any process`` where not even Compose may see it. The engine they are applied to
is not there, so whoever asked it would get another error.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from envspec import api
from envspec.api import Options
from envspec.engine.runner import Runner
from envspec.engine.whales import WhalesEngine
from envspec.errors import EnvspecError

NEWER = ("privileged_hook",)
"""Cases that an older Compose does not know at all, which is said before what they would do."""

CASES = sorted((Path(__file__).parents[1] / "cases" / "compose" / "hostile").glob("*.yaml"))
SPEC = "name: hostile\nimage: debian:13\ncompose: {file: compose.yaml}\n"


def refused(project: Path, *allow: str) -> tuple[EnvspecError, int, float]:
    """Apply a project that must be refused; return the error, the processes started, and the seconds it took."""
    runner = Runner()
    (project / "env.yaml").write_text(SPEC)
    began = time.monotonic()
    with pytest.raises(EnvspecError) as caught:
        api.apply(
            project,
            Options(yes=True, allow=allow),
            emit=lambda _: None,
            confirm=lambda _: True,
            cancel=api.Cancel(),
            engine=WhalesEngine(runner),
        )
    return caught.value, runner.calls, time.monotonic() - began


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with what the documents name inside of it."""
    made = tmp_path / "project"
    made.mkdir()
    (made / "part.yaml").write_text("services: {}\n")
    (made / "Dockerfile").write_text("FROM scratch\n")
    return made


@pytest.mark.parametrize("case", [pytest.param(path, id=path.stem) for path in CASES])
def test_a_hostile_document_is_refused_before_any_engine_is_asked(case: Path, project: Path) -> None:
    (project / "compose.yaml").write_bytes(case.read_bytes())
    expected, *early = case.with_suffix(".txt").read_text().splitlines()
    code, _, effect = expected.partition(" ")
    error, calls, seconds = refused(project)
    if case.stem in NEWER and error.code == "compose.unsupported":
        assert error.exit_code == 3
        return
    assert error.code == code, error.message
    if effect:
        name, _, address = effect.partition(" ")
        assert f"{name}: {address}" in error.message
        assert (error.exit_code, f"--allow {name}" in error.hint) == (4, True)
    assert calls == 0 if early else 1 <= calls <= 2  # asked once more, without what it named, for what else is at fault
    assert seconds < 10  # minutes, where Compose reads a bomb


def test_there_are_many() -> None:
    assert len(CASES) >= 40


def test_a_link_in_the_project_to_a_socket_is_the_socket(project: Path, tmp_path: Path) -> None:
    (tmp_path / "docker.sock").touch()
    (project / "harmless").symlink_to(tmp_path / "docker.sock")
    (project / "compose.yaml").write_text("services: {x: {image: debian:13, volumes: ['./harmless:/h']}}\n")
    error, _, _ = refused(project)
    assert "engine-socket: service.x" in error.message


def test_links_over_links_are_followed_to_where_they_lead(project: Path) -> None:
    (project / "a").mkdir()
    (project / "a" / "b").symlink_to("../c")
    (project / "c").symlink_to("/etc")
    (project / "compose.yaml").write_text("services: {x: {image: debian:13, volumes: ['./a/b/ssl:/h']}}\n")
    error, _, _ = refused(project)
    assert "host-bind: service.x" in error.message


@pytest.mark.parametrize("key", ["env_file", "extends", "secret", "build"])
def test_a_link_out_of_the_project_is_outside(key: str, project: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("services: {x: {image: debian:13}}\n")
    (project / "link").symlink_to(tmp_path / "outside")
    texts = {
        "env_file": "services: {x: {image: debian:13, env_file: link/file}}",
        "extends": "services: {x: {extends: {file: link/file, service: x}}}",
        "secret": "services: {x: {image: debian:13, secrets: [s]}}\nsecrets: {s: {file: link/file}}",
        "build": "services: {x: {build: link}}",
    }
    (project / "compose.yaml").write_text(texts[key])
    error, _, _ = refused(project)
    assert ("build-outside" if key == "build" else "outside-file") in error.message


def test_what_an_included_file_extends_is_found(project: Path) -> None:
    (project / "deep").mkdir()
    (project / "compose.yaml").write_text("include: [deep/one.yaml]\nservices: {}\n")
    (project / "deep" / "one.yaml").write_text("services: {x: {extends: {file: two.yaml, service: y}}}\n")
    (project / "deep" / "two.yaml").write_text("services: {y: {image: debian:13, pid: host}}\n")
    error, calls, _ = refused(project)
    assert ("host-pid: service.x" in error.message, calls) == (True, 1)


def test_what_is_included_by_an_included_file_is_looked_at_like_all_else(project: Path) -> None:
    (project / "a" / "b").mkdir(parents=True)
    (project / "compose.yaml").write_text("include: [a/one.yaml]\nservices: {}\n")
    (project / "a" / "one.yaml").write_text("include: [b/two.yaml]\n")
    two = project / "a" / "b" / "two.yaml"
    two.write_text("services: {x: {image: debian:13, volumes: ['../../..:/h']}}\n")
    error, calls, _ = refused(project)
    assert ("host-bind: service.x" in error.message, calls) == (True, 1)
    two.write_text("include: [../../../outside.yaml]\n")
    error, calls, _ = refused(project)
    assert ("outside-file: include" in error.message, calls) == (True, 0)
    two.write_text("include: [../one.yaml]\n")
    assert refused(project)[0].code == "compose.invalid"


def test_one_file_is_looked_at_from_every_directory_that_its_paths_start_from(project: Path) -> None:
    (project / "a").mkdir()
    two = "{path: a/one.yaml, project_directory: a}, {path: a/one.yaml, project_directory: .}"
    (project / "compose.yaml").write_text(f"include: [{two}]\nservices: {{}}\n")
    (project / "a" / "one.yaml").write_text("services: {x: {extends: {file: ../part.yaml, service: y}}}\n")
    error, calls, _ = refused(project)
    assert ("outside-file" in error.message, calls) == (True, 0)


def test_a_bomb_in_an_included_file_is_found_before_compose_reads_it(project: Path) -> None:
    bomb = next(path for path in CASES if path.stem == "alias_bomb")
    (project / "compose.yaml").write_text("include: [part.yaml]\nservices: {}\n")
    (project / "part.yaml").write_bytes(bomb.read_bytes())
    error, calls, seconds = refused(project)
    assert (error.code, calls, seconds < 1) == ("spec.too_many_values", 0, True)


def test_a_document_that_is_a_pipe_is_not_waited_for(project: Path) -> None:
    os.mkfifo(project / "compose.yaml")
    error, calls, seconds = refused(project)
    assert (error.code, calls, seconds < 1) == ("compose.unreadable", 0, True)


def test_variables_of_a_file_that_would_steer_the_tools_are_refused(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {x: {image: debian:13}}\n")
    (project / "vars.env").write_text("DOCKER_HOST=tcp://evil:2375\n")
    spec = SPEC.replace("compose.yaml}", "compose.yaml, env_file: [vars.env]}")
    (project / "other.yaml").write_text(spec)
    with pytest.raises(EnvspecError) as caught:
        api.plan(project / "other.yaml", Options(), engine=WhalesEngine(Runner()))
    assert caught.value.code == "compose.env_file"


def test_an_effect_that_is_allowed_by_name_passes_and_no_other_does(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {x: {image: debian:13, privileged: true, pid: host}}\n")
    error, _, _ = refused(project, "privileged")
    assert "host-pid" in error.message
    assert "privileged" not in error.message
    allowed, _, _ = refused(project, "privileged", "host-pid")
    assert allowed.category == "engine"


def test_the_workspace_asks_for_the_same_permissions(project: Path, tmp_path: Path) -> None:
    (tmp_path / "docker.sock").touch()
    text = f"name: hostile\nimage: debian:13\nmounts: ['{tmp_path}/docker.sock:/s']\nsecurity: {{privileged: true}}\n"
    (project / "env.yaml").write_text(text)
    with pytest.raises(EnvspecError) as caught:
        api.apply(
            project,
            Options(yes=True),
            emit=lambda _: None,
            confirm=lambda _: True,
            cancel=api.Cancel(),
            engine=WhalesEngine(Runner()),
        )
    assert "engine-socket: container.workspace" in caught.value.message
    assert "privileged: container.workspace" in caught.value.message
    assert caught.value.exit_code == 4
