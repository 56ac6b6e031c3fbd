"""The commands, end to end on an engine in memory: what they print, and what they exit with."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from envspec import api
from envspec.cli import work
from envspec.cli.commands.init_command import SCHEMA_FILE, detected
from envspec.cli.main import main
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import LABEL, ContainerConfig
from envspec.kinds import names
from envspec.spec.load import load

BASE = "debian:13"

SPEC = f"""\
name: shop
image: {BASE}
image_source: local
mount_cwd: false
config_files:
  /etc/shop.conf: open
memory: 1g
"""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    made = FakeEngine(images=(BASE,))
    monkeypatch.setattr(api, "open_engine", lambda *_: made)
    return made


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "env.yaml"
    file.write_text(SPEC)
    return file


class Terminal:
    """The command line, called as a person or an agent calls it."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured
        self.out = ""
        self.err = ""

    def __call__(self, *words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(words)
        self.out, self.err = self._captured.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def json(self, *words: str) -> tuple[int, Any]:
        code = self(*words, "--json")
        return code, json.loads(self.out.splitlines()[-1])


@pytest.fixture
def envspec(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


@pytest.mark.usefixtures("engine", "spec")
def test_a_workflow_from_validate_to_destroy(envspec: Terminal) -> None:
    assert envspec("validate") == 0
    assert "environment shop" in envspec.out
    assert envspec("plan", "--detailed-exitcode") == 2
    assert "  + container.workspace" in envspec.out
    assert envspec("apply") == 0
    assert "Converged: shop" in envspec.out
    assert "Go inside: docker exec -it --user " in envspec.out
    assert envspec("plan", "--detailed-exitcode") == 0
    assert envspec.out.endswith("No changes. shop is converged.\n")
    assert envspec("list") == 0
    assert envspec.out.splitlines()[1].startswith("shop  running")
    assert envspec("status", "shop") == 0
    assert "memory 1g" in envspec.out
    assert envspec("connect", "shop") == 0
    assert envspec.out.startswith("docker exec -it --user ")
    assert envspec("destroy", "shop", "--yes") == 0
    assert "Destroyed: shop" in envspec.out
    assert envspec("destroy", "shop", "--yes") == 0
    assert "There is nothing of shop." in envspec.out


@pytest.mark.usefixtures("engine", "spec")
def test_json_is_events_then_one_document_all_a_line_each(envspec: Terminal) -> None:
    code, document = envspec.json("apply")
    assert code == 0
    assert document["ok"] is True
    assert document["result"]["env"] == "shop"
    events = [json.loads(line) for line in envspec.out.splitlines()[:-1]]
    assert {"step_started", "step_finished"} <= {event["event"] for event in events}
    assert envspec.err == ""


@pytest.mark.usefixtures("engine", "spec")
def test_every_json_answer_is_an_envelope(envspec: Terminal) -> None:
    envspec("apply")
    for words in (("validate",), ("plan",), ("list",), ("status", "shop"), ("connect", "shop"), ("purposes",)):
        code, document = envspec.json(*words)
        assert (code, document["ok"]) == (0, True), words
        assert set(document) == {"ok", "result"}, words


def test_what_ends_something_needs_a_yes_where_nobody_can_be_asked(
    envspec: Terminal, engine: FakeEngine, spec: Path
) -> None:
    envspec("apply")
    before = engine.containers("shop")
    spec.write_text(SPEC.replace("memory: 1g", "memory: none"))
    assert envspec("apply") == 4
    assert "--yes" in envspec.err
    assert engine.containers("shop") == before
    assert envspec("apply", "--yes") == 0
    assert engine.containers("shop")[0].config.memory is None


@pytest.mark.usefixtures("engine", "spec")
def test_a_saved_plan_is_applied_and_a_stale_one_refused(envspec: Terminal) -> None:
    assert envspec("plan", "--out", "first.json") == 0
    assert envspec("apply", "first.json") == 0
    assert envspec("apply", "first.json") == 6


def test_a_failing_step_exits_1_and_its_report_is_in_the_error(
    envspec: Terminal, engine: FakeEngine, spec: Path
) -> None:
    spec.write_text(SPEC + 'setup_commands: ["exit 7"]\n')
    code, document = envspec.json("apply")
    assert code == 1
    assert document["ok"] is False
    assert document["error"]["code"] == "step.failed"
    report = document["error"]["report"]
    assert report["ok"] is False
    assert [step["address"] for step in report["outcomes"] if step["status"] == "failed"] == ["command.setup[0]"]
    assert envspec("apply") == 1
    assert "Not converged: shop" in envspec.out
    assert "did not converge" in envspec.err
    del engine


@pytest.mark.usefixtures("engine")
def test_all_faults_of_a_spec_are_told_with_their_lines(envspec: Terminal, spec: Path) -> None:
    spec.write_text("image: debian:13\nmemmory: 1g\nports: [x]\n")
    assert envspec("validate") == 3
    assert "env.yaml:2:1: " in envspec.err
    assert "env.yaml:3:" in envspec.err
    code, document = envspec.json("validate")
    assert code == 3
    assert len(document["error"]["faults"]) == 2


@pytest.mark.usefixtures("engine", "spec")
def test_destroy_all_needs_a_yes_and_leaves_what_is_not_ours(envspec: Terminal, engine: FakeEngine) -> None:
    engine.create_container("stranger", ContainerConfig(BASE), {f"{LABEL}kind": "none"})
    envspec("apply")
    assert envspec("destroy", "--all") == 4
    assert engine.containers("shop")
    code, document = envspec.json("destroy", "--all", "--yes")
    assert (code, [report["env"] for report in document["result"]]) == (0, ["shop"])
    assert engine.containers("shop") == ()
    assert engine.containers(names=("stranger",))
    assert envspec.json("destroy", "--all", "--yes") == (0, {"ok": True, "result": []})


@pytest.mark.usefixtures("engine", "spec")
def test_destroy_wants_either_a_name_or_all(envspec: Terminal) -> None:
    assert envspec("destroy") == 3
    assert envspec("destroy", "shop", "--all") == 3


@pytest.mark.usefixtures("engine", "spec")
def test_an_unknown_environment_is_a_usage_error(envspec: Terminal) -> None:
    for command in ("status", "connect", "shell"):
        assert envspec(command, "absent") == 3
        assert "there is no environment absent" in envspec.err


@pytest.mark.usefixtures("spec")
def test_a_shell_without_a_terminal_says_what_to_use_instead(
    envspec: Terminal, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.start(
        engine.create_container("shop-workspace", ContainerConfig(BASE), names.labels("shop", "container", ""))
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("ls\n"))
    assert envspec("shell", "shop") == 3
    assert "`envspec exec shop -- sh`" in envspec.err


def test_init_takes_the_purpose_that_the_files_show(
    envspec: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "My Shop"
    project.mkdir()
    (project / "package.json").write_text("{}")
    monkeypatch.chdir(project)
    code, document = envspec.json("init")
    assert code == 0
    assert document["result"] == {
        "file": "env.yaml",
        "schema": SCHEMA_FILE,
        "name": "my-shop",
        "purpose": "node",
    }
    loaded = load(project)
    assert loaded.spec.name == "my-shop"
    assert (project / "env.yaml").read_text().startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")
    assert json.loads((project / SCHEMA_FILE).read_text())["title"] == "envspec spec"


def test_init_overwrites_nothing(envspec: Terminal, tmp_path: Path) -> None:
    (tmp_path / "env.yml").write_text("image: debian:13\n")
    assert envspec("init", str(tmp_path)) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["env.yml"]


@pytest.mark.parametrize("words", [("--name", "Not A Name"), ("--purpose", "cobol")])
def test_init_writes_nothing_that_is_not_valid(envspec: Terminal, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert envspec("init", str(tmp_path), *words) == 3
    assert list(tmp_path.iterdir()) == []


def test_the_purpose_with_most_files_wins_and_none_is_general(tmp_path: Path) -> None:
    rows = ({"name": "go", "detect": ("go.mod",)}, {"name": "node", "detect": ("package.json", "yarn.lock")})
    assert detected(rows, tmp_path) == "general"
    for name in ("go.mod", "package.json", "yarn.lock"):
        (tmp_path / name).touch()
    assert detected(rows, tmp_path) == "node"


@pytest.mark.parametrize("name", ["spec", "plan", "report", "event"])
def test_schemas_are_printed(envspec: Terminal, name: str) -> None:
    assert envspec("schema", name) == 0
    assert json.loads(envspec.out)["title"] == f"envspec {name}"


@pytest.mark.usefixtures("spec")
def test_a_purpose_is_shown_and_rendered(envspec: Terminal) -> None:
    assert envspec("purposes", "python") == 0
    assert "version" in envspec.out
    assert envspec("render", "--purpose", "python", "--param", "version=3.11", "--image-source", "registry") == 0
    assert envspec.out.startswith("FROM python:3.11")
    assert envspec("render", "--purpose", "python", "--param", "version") == 3
    assert envspec("purposes", "cobol") == 3


def test_the_first_interrupt_asks_for_an_end_and_the_second_stops(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stopped = threading.Event()
    monkeypatch.setattr(engine, "cancel", stopped.set)
    before = signal.getsignal(signal.SIGINT)
    with work.job(as_json=False, verbose=False) as job:
        os.kill(os.getpid(), signal.SIGINT)
        assert job.cancel.requested
        assert not stopped.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped.wait(10)
    assert signal.getsignal(signal.SIGINT) is before
    told = capfd.readouterr().err
    assert work.FIRST_TIME in told
    assert work.SECOND_TIME in told


def test_a_termination_stops_at_once(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()
    monkeypatch.setattr(engine, "cancel", stopped.set)
    with work.job(as_json=False, verbose=False) as job:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped.wait(10)
    assert job.cancel.requested
