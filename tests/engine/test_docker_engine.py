"""What only a real Docker shows: how few calls reading takes, what errors say, and where secrets do not go."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from envspec.engine.client import Client
from envspec.engine.facts import Questions
from envspec.engine.objects import LABEL, Build, ContainerConfig
from envspec.engine.operations import FilePut, PutEnvironment, PutFiles, Record
from envspec.engine.runner import Runner
from envspec.engine.whales import WhalesEngine
from envspec.errors import EngineCallFailed, EngineNotReady, Interrupted

pytestmark = pytest.mark.engine

CANARY = "canary-7f3a9c"


@pytest.fixture
def box(docker_engine: WhalesEngine, docker_base: str, env: str) -> str:
    made = docker_engine.create_container(env, ContainerConfig(docker_base, hostname=env), {f"{LABEL}env": env})
    docker_engine.start(made)
    return made


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.parametrize("count", [3, 60])
def test_looking_at_everything_takes_six_calls(
    docker_engine: WhalesEngine, docker_base: str, env: str, box: str, count: int
) -> None:
    paths = tuple(f"/opt/{number}" for number in range(count))
    files = tuple(FilePut(path, b"x", 0o644, 0, 0, Record(f"file.{path}", "d")) for path in paths)
    assert docker_engine.perform(box, PutFiles(files)).code == 0
    runner = Runner()
    reader = Client(runner)
    (state,) = reader.containers(env)
    reader.images((docker_base, state.image_id))
    reader.networks()
    reader.volumes()
    answer = reader.probe(state.id, Questions(files=paths))
    assert len(answer.files) == len(answer.ledger) == count
    assert runner.calls == 6


def test_without_containers_nothing_is_inspected(env: str) -> None:
    runner = Runner()
    assert Client(runner).containers(env) == ()
    assert runner.calls == 1


def test_reading_imports_no_heavy_library() -> None:
    text = (
        "import sys; from envspec.engine.client import Client; from envspec.engine.whales import WhalesEngine;"
        "WhalesEngine().networks(); print(sorted({'python_on_whales', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


@pytest.mark.usefixtures("nowhere")
def test_an_engine_that_does_not_answer_is_not_ready_and_says_what_to_do() -> None:
    engine = WhalesEngine(Runner())
    calls = (
        lambda: engine.containers("x"),
        lambda: engine.images(["x"]),
        engine.networks,
        lambda: engine.probe("x", Questions()),
        lambda: engine.start("x"),
        lambda: engine.remove_volume("x"),
        lambda: engine.build(Build("FROM scratch\n", "x", {})),
        lambda: engine.lock("x", "me"),
    )
    for call in calls:
        with pytest.raises(EngineNotReady) as error:
            call()
        assert error.value.code == "engine.no_answer"
        assert "DOCKER_HOST" in error.value.hint


def test_a_refusal_tells_the_reason_without_the_command_line(docker_engine: WhalesEngine, env: str) -> None:
    config = ContainerConfig("envspec-test/none:1", env={"TOKEN": CANARY})
    with pytest.raises(EngineCallFailed) as error:
        docker_engine.create_container(env, config, {f"{LABEL}env": env})
    assert "No such image" in error.value.message
    assert CANARY not in str(error.value)
    assert error.value.__cause__ is None
    assert CANARY not in repr(error.value.__context__ or "")


def test_a_call_past_its_deadline_is_ended(docker_engine: WhalesEngine, tmp_path: Path) -> None:
    stuck = tmp_path / "stuck"
    stuck.write_text("#!/bin/sh\nexec sleep 1000\n")
    stuck.chmod(0o755)
    engine = WhalesEngine(Runner(), (str(stuck),))
    with pytest.raises(EngineNotReady) as error:
        engine._call("cannot start", ("start",), lambda d: d.container.start("x"), deadline=0.3)
    assert error.value.code == "engine.hangs"
    assert docker_engine.networks()


def test_after_cancel_every_call_is_refused() -> None:
    engine = WhalesEngine(Runner())
    engine.cancel()
    for call in (engine.networks, lambda: engine.start("x"), lambda: engine.perform("x", PutFiles(()))):
        with pytest.raises(Interrupted):
            call()


def test_a_failed_build_shows_its_last_lines_with_secrets_masked(docker_base: str) -> None:
    runner = Runner()
    runner.redactor.add(CANARY)
    engine = WhalesEngine(runner)
    lines: list[str] = []
    text = f"FROM {docker_base}\nRUN --mount=type=secret,id=token cat /run/secrets/token && exit 3\n"
    with pytest.raises(EngineCallFailed) as error:
        engine.build(
            Build(text, "envspec-test/failed:1", {}, {"token": CANARY.encode()}, no_cache=True), on_line=lines.append
        )
    assert error.value.code == "engine.build_failed"
    assert "exit code: 3" in error.value.message
    assert any("***" in line for line in lines)
    assert CANARY not in error.value.message + "\n".join(lines)


def test_a_build_secret_is_in_no_layer_and_no_file_is_left(
    docker_engine: WhalesEngine, docker_base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ref = "envspec-test/secret:1"
    text = f"FROM {docker_base}\nRUN --mount=type=secret,id=token test -s /run/secrets/token && touch /done\n"
    try:
        docker_engine.build(Build(text, ref, {f"{LABEL}test": "1"}, {"token": CANARY.encode()}))
        told = docker("image", "inspect", ref) + docker("history", "--no-trunc", ref)
        assert json.loads(docker("image", "inspect", ref))[0]["Config"]["Labels"][f"{LABEL}test"] == "1"
    finally:
        docker_engine.remove_image(ref)
    assert CANARY not in told
    assert list(tmp_path.iterdir()) == []


def test_variables_are_nowhere_but_in_the_tmpfs(docker_engine: WhalesEngine, box: str) -> None:
    record = Record("environment.env", "d")
    done = docker_engine.perform(box, PutEnvironment(f"export TOKEN='{CANARY}'\n", 0, 0, b"", record))
    assert done.code == 0
    assert CANARY in (docker_engine.probe(box, Questions()).environment or "")
    assert CANARY not in docker("inspect", box)
    assert CANARY not in docker("diff", box)
    search = ["exec", box, "sh", "-c", f"grep -rl {CANARY[:6]} / --exclude-dir=proc --exclude-dir=sys || true"]
    assert docker(*search).split() == ["/run/envspec/env"]


def test_the_mutex_is_no_part_of_an_environment(docker_engine: WhalesEngine, env: str) -> None:
    assert docker_engine.lock(env, "me")
    assert docker_engine.containers(env) == ()
    assert f"envspec-lock-{env}" not in {state.name for state in docker_engine.containers()}
    docker_engine.unlock(env)
