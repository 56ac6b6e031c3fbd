"""What people and agents type: a command without ``--``, several environments, a directory, words of other tools."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from envspec.cli import light
from envspec.cli.examples import EXAMPLES
from envspec.cli.main import COMMANDS, cli
from envspec.cli.other_words import ANSWERS
from envspec.engine.choice import EngineChoice
from envspec.engine.fake import FakeEngine
from tests.unit.test_cli_commands import SPEC, Terminal, engine, envspec, spec
from tests.unit.test_cli_exec import Exec, log, run, started

__all__ = ["engine", "envspec", "log", "run", "spec"]


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (("shop", "printf", "%s|", "-la", "--json"), "-la|--json|"),
        (("shop", "--root", "printf", "%s|", "--", "x"), "--|x|"),
        (("--env", "A=1", "shop", "sh", "-c", "echo $A"), "1\n"),
        (("shop", "echo one && echo two"), "one\ntwo\n"),
        (("shop", "true"), ""),
    ],
)
def test_a_command_is_run_as_it_was_typed_without_a_separator(run: Exec, words: tuple[str, ...], out: str) -> None:
    done = run(*words)
    assert (done.stdout, done.returncode) == (out, 0), done.stderr


def test_shell_text_behind_the_separator_is_a_name_and_a_hint_says_so(run: Exec) -> None:
    done = run("shop", "--", "echo one && echo two")
    assert done.returncode == 127
    assert "hint: one word behind -- is the name of a program" in done.stderr


def test_an_option_of_the_command_does_not_turn_an_error_of_ours_into_json(run: Exec) -> None:
    done = run("shop", "--user", "1", "--root", "ls", "--json")
    assert (done.stdout, done.returncode) == ("", 3)
    assert done.stderr.startswith("error: --root and --user both say whom to run as")


def test_a_number_without_an_account_takes_its_own_group_and_not_roots(run: Exec, log: Path) -> None:
    run("shop", "--user", "54321", "--", "true")
    assert "exec --interactive --user 54321:54321 " in log.read_text()


def test_a_number_with_an_account_keeps_the_groups_of_that_account(run: Exec, log: Path) -> None:
    run("shop", "--user", "0", "--", "true")
    assert "exec --interactive --user 0 --env" in log.read_text()
    assert started(log)


@pytest.mark.parametrize("word", ["create", "exec-background", "copy_in", "destroy_all", "exec_interactive_hint"])
def test_words_of_the_containers_tool_get_what_does_the_same_here(envspec: Terminal, word: str) -> None:
    assert envspec(word, "shop") == 3
    assert "hint: that is `envspec " in envspec.err


def test_every_operation_of_the_containers_tool_is_a_command_or_has_an_answer() -> None:
    operations = """preflight create exec exec_interactive_hint list status destroy destroy_all copy_in copy_out
        snapshot restore create_network destroy_network cache_clear
        exec_background exec_poll exec_cancel wait_healthy"""
    assert set(operations.split()) <= {name for name, _ in COMMANDS} | ANSWERS.keys()
    assert not {name for name, _ in COMMANDS} & ANSWERS.keys()


def leaves(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    """Return a command and those below it, by their words."""
    below = command.commands.items() if isinstance(command, click.Group) else ()
    return [(name, command), *(found for word, item in below for found in leaves(item, f"{name} {word}"))]


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_every_help_ends_with_examples_that_the_command_line_understands(name: str) -> None:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    for words, command in leaves(found, name):
        assert "Examples:\n" in command.get_help(click.Context(command, info_name=words)), words
        for line in EXAMPLES[words]:
            assert f"envspec {words}" in line or f" {words}" in line


@pytest.mark.usefixtures("engine")
def test_destroy_takes_several_names_a_directory_and_force(envspec: Terminal, spec: Path) -> None:
    spec.with_name("api.yaml").write_text(SPEC.replace("name: shop", "name: api"))
    for file in ("env.yaml", "api.yaml"):
        assert envspec("apply", file) == 0
    assert envspec("destroy", "shop", "api", "--force") == 0
    assert "Destroyed: shop" in envspec.out
    assert "Destroyed: api" in envspec.out
    assert envspec("apply") == 0
    assert envspec("destroy", ".", "--force") == 0
    assert "Destroyed: shop" in envspec.out


@pytest.mark.usefixtures("engine")
def test_destroying_a_session_names_what_goes_and_keeps_what_is_persistent(envspec: Terminal, spec: Path) -> None:
    spec.with_name("api.yaml").write_text(SPEC.replace("name: shop", "name: api\npersistent: true"))
    spec.with_name("web.yaml").write_text(SPEC.replace("name: shop", "name: web"))
    for file, session in (("env.yaml", "s1"), ("api.yaml", "s1"), ("web.yaml", "s2")):
        assert envspec("apply", file, "--session", session) == 0
    assert envspec("session", "list") == 0
    assert [line.split() for line in envspec.out.splitlines()[1:]] == [
        ["s1", "api", "(persistent),", "shop"],
        ["s2", "web"],
    ]
    code, document = envspec.json("session", "list")
    assert (code, document["result"][0]) == (0, {"session": "s1", "environments": ["shop"], "persistent": ["api"]})
    assert envspec("destroy", "--all", "--session", "s1") == 4
    assert "destroy the environments of the session s1: shop" in envspec.err
    assert envspec("destroy", "--all", "--session", "s1", "--yes") == 0
    assert "kept  api: it is persistent" in envspec.err
    assert envspec("list") == 0
    assert [line.split()[0] for line in envspec.out.splitlines()[1:]] == ["api", "web"]


@pytest.mark.usefixtures("engine", "spec")
def test_list_says_that_another_engine_has_more(envspec: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light, "names_on_the_other_engine", lambda: ("podman", ("far", "near")))
    assert envspec("list") == 0
    assert envspec.err == "podman has more: far, near (`envspec --engine podman list`)\n"


def test_the_other_engine_is_asked_only_where_it_is_installed_and_nothing_leads_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def choose(asked: str = "", _context: str = "") -> EngineChoice:
        return EngineChoice(asked or "docker", (asked or "docker",))

    monkeypatch.setattr(light, "choose", choose)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    told = json.dumps([{"Id": name, "Labels": {"dev.envspec.env": name}} for name in "baa"]).encode()
    monkeypatch.setattr(subprocess, "run", lambda argv, **_: subprocess.CompletedProcess(argv, 0, told))
    assert light.names_on_the_other_engine() == ("podman", ("a", "b"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert light.names_on_the_other_engine() is None


@pytest.mark.usefixtures("spec")
def test_a_shell_for_root_is_opened_as_root(envspec: Terminal, engine: FakeEngine) -> None:
    assert engine
    assert envspec("apply") == 0
    assert envspec("connect", "shop", "--root") == 0
    assert " --user 0:0 " in envspec.out


def test_help_and_exec_stay_light() -> None:
    code = "import sys; from envspec.cli import trailing, examples, other_words, light; print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True, timeout=60)
    assert not {"pydantic", "jinja2", "networkx", "yaml", "python_on_whales"} & {*done.stdout.split()}
