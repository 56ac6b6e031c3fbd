"""The command group: quick to start, and the one place where errors become text, JSON and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from envspec.cli import failures
from envspec.cli.main import COMMANDS, cli, main
from envspec.errors import Conflict, EngineNotReady, EnvspecError, Refused, SpecError, SpecFaults, StepFailed, Where

HEAVY = {"pydantic", "jinja2", "networkx", "yaml", "python_on_whales", "rich"}


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        (sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return set(done.stdout.split())


def leave(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_help_and_exec_import_nothing_heavy() -> None:
    loaded = modules_after(
        "import contextlib, io\n"
        "from envspec.cli.main import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main(['--help'])\n"
        "from envspec.cli.commands import exec_command\n"
        "from envspec.cli import light\n"
    )
    assert not loaded & HEAVY
    assert "envspec.api" not in loaded


def test_every_command_that_help_lists_can_be_called() -> None:
    context = click.Context(cli)
    for name, _ in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None, name
        assert command.help, name


def test_help_goes_to_standard_output_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("--help") == 0
    assert "Exit codes" in capsys.readouterr().out
    assert leave() == 0


def test_an_unknown_command_names_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("aply") == 3
    assert "did you mean `envspec apply`?" in capsys.readouterr().err


def test_a_usage_error_does_not_exit_like_pending_changes(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("plan", "--nope") == 3
    assert "`envspec plan --help`" in capsys.readouterr().err


def test_a_usage_error_is_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("plan", "--json", "--nope") == 3
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["error"]["category"] == "usage"


def test_json_of_a_command_that_is_run_inside_is_not_ours() -> None:
    assert failures.wants_json(["plan", "--json"])
    assert not failures.wants_json(["exec", "shop", "--", "tool", "--json"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StepFailed("x"), 1),
        (SpecError("x"), 3),
        (Refused("x"), 4),
        (EngineNotReady("x"), 5),
        (Conflict("x"), 6),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert failures.show(error, as_json=False) == code


def test_an_error_is_message_place_and_hint_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    failures.show(SpecError("unknown key", hint="try `memory`", where=Where("env.yaml", 3, 1)), as_json=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: env.yaml:3:1: unknown key\n  hint: try `memory`\n"


def test_every_fault_of_a_file_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    faults = SpecFaults((SpecError("one", where=Where("env.yaml", 1)), SpecError("two", where=Where("env.yaml", 2))))
    failures.show(faults, as_json=False)
    assert capsys.readouterr().err == "error: env.yaml:1: one\nerror: env.yaml:2: two\n"


def test_a_bug_has_no_traceback_but_says_where_it_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv(failures.DEBUG, raising=False)
    assert failures.show(RuntimeError("inner detail"), as_json=False) == 70
    (kept,) = tmp_path.iterdir()
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert str(kept) in told
    assert "RuntimeError: inner detail" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_bug_is_json_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert failures.show(ZeroDivisionError(), as_json=True) == 70
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "internal.bug"


@pytest.mark.parametrize("words", [("schema", "spec"), ("purposes", "--json"), ("--help",)])
def test_a_full_disk_is_no_bug(words: tuple[str, ...]) -> None:
    """Neither where the output goes to it, nor where the error that tells so does as well."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        argv = [sys.executable, "-m", "envspec.cli.main", *words]
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "the output is not whole: no space is left there" in done.stderr
    assert "Traceback" not in done.stderr


def test_debugging_prints_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(failures.DEBUG, "1")
    failures.show(EnvspecError("boom"), as_json=False)
    assert "EnvspecError: boom" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_us_back(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("completion", shell) == 0
    assert "_ENVSPEC_COMPLETE" in capsys.readouterr().out


def test_a_reader_that_leaves_causes_no_complaint() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            (sys.executable, "-m", "envspec.cli.main", "--help"),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    finally:
        os.close(writing)
    assert done.stderr == b""
