"""Secrets and plain variables reach every place where work is done, change in place, and go with a stop."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from envspec.engine.objects import Build
from envspec.engine.whales import WhalesEngine
from tests.engine.contract import TEST_LABEL
from tests.engine.e2e import ENVSPEC, Place, Places, bare, causes, change, engine_name

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

USER = "1234:1234"
PLAIN = "it's plain"
PATH = "/opt/evt/bin:/usr/local/bin:/usr/bin:/bin"
FROM_ENV = 'canary "one" $HOME'
FROM_FILE = "canary two\n second line"
PASSED = "canary-three"
NAMES = ("EVT_FILE", "EVT_OPENAI_API_KEY", "EVT_SECRET")


def digest(*values: str) -> str:
    return hashlib.sha256("|".join(values).encode()).hexdigest()


EXPECTED = digest(PLAIN, PATH, FROM_ENV, FROM_FILE, PASSED)
TELL = 'printf "%s|%s|%s|%s|%s" "$PLAIN" "$PATH" "$EVT_SECRET" "$EVT_FILE" "$EVT_OPENAI_API_KEY" | sha256sum'
"""Prints a digest, so that the test itself puts no secret into an argument or an output."""


SHELLS = "envspec-test/shells:1"
DOCKERFILE = r"""FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends fish zsh && rm -rf /var/lib/apt/lists/*
ENV EVT_IMAGE="it's the image's" EVT_LEFT=image
"""


@pytest.fixture(scope="module")
def settled(places: Places, bare_engine: WhalesEngine, git_image: str) -> Place:
    """A converged environment with secrets of every source; its setup commands left what they saw."""
    bare_engine.build(Build(DOCKERFILE.format(base=git_image), SHELLS, {TEST_LABEL: "1"}))
    place = places()
    place.image = SHELLS
    place.environ = {**place.environ, "EVT_HOST": FROM_ENV, "EVT_OPENAI_API_KEY": PASSED}
    (place.directory / "key").write_text(FROM_FILE + "\n")
    wish(place)
    place.apply()
    return place


def wish(place: Place, **env: object) -> None:
    sources = {"EVT_SECRET": {"from_env": "EVT_HOST"}, "EVT_FILE": {"from_file": "./key"}}
    place.write(
        user=USER,
        mount_cwd=False,
        env={"PLAIN": PLAIN, "PATH": PATH, "EVT_IMAGE": "spec", **sources, **env},
        setup_commands=[f"{TELL} > /tmp/by-user", {"run": f"{TELL} > /tmp/by-root", "as_root": True}],
    )


def seen(place: Place, *argv: str, user: str = "0") -> str:
    """Return what the engine's own exec of a command prints."""
    return bare("exec", "-i", "-u", user, place.box, *argv).split()[0]


@pytest.mark.parametrize("user", ["0", "1234"])
@pytest.mark.parametrize(
    "argv", [("bash", "-ic"), ("bash", "-lc"), ("bash", "-c"), ("sh", "-ic"), ("sh", "-lc")], ids=" ".join
)
def test_a_plain_exec_of_a_shell_has_them(settled: Place, argv: tuple[str, ...], user: str) -> None:
    assert seen(settled, *argv, TELL, user=user) == EXPECTED


@pytest.mark.parametrize("words", [(), ("--root",)], ids=["user", "root"])
def test_our_own_doors_have_them(settled: Place, words: tuple[str, ...]) -> None:
    argv = ("exec", *words, settled.name, "--", "sh", "-c", TELL)
    assert settled.run(*argv).stdout.split()[0] == EXPECTED


@pytest.mark.parametrize("argv", [("fish", "-c"), ("fish", "-lc"), ("zsh", "-c"), ("zsh", "-lc")], ids=" ".join)
def test_shells_of_another_kind_have_them(settled: Place, argv: tuple[str, ...]) -> None:
    assert seen(settled, *argv, f"sh -c '{TELL}'", user="1234") == EXPECTED


SHOW = 'printf "%s|%s|%s|%s|%s" "$PLAIN" "$EVT_SECRET" "$EVT_IMAGE" "$EVT_LEFT" "$PATH"'
MINE = 'PLAIN= EVT_SECRET=mine EVT_IMAGE=mine PATH="/opt/mine:$PATH"'


@pytest.fixture(scope="module")
def script(settled: Place) -> str:
    """A bash script inside that prints what it sees."""
    path = "/tmp/evt-show"
    settled.inside(f"cat > {path} && chmod 755 {path}", stdin=f"#!/bin/bash\n{SHOW}\n")
    return path


@pytest.mark.parametrize("nested", [False, True], ids=["outermost", "nested"])
@pytest.mark.parametrize(
    "argv",
    [("sh", "-c"), ("bash", "-c"), ("bash", "-lc"), ("bash", "-ic"), ("zsh", "-c"), ("fish", "-c")],
    ids=" ".join,
)
def test_what_a_caller_sets_reaches_a_script(settled: Place, script: str, argv: tuple[str, ...], nested: bool) -> None:
    line = f"bash -c '{MINE} {script}'" if nested else f"{MINE} {script}"
    shown = bare("exec", "-u", "1234", settled.box, *argv, line).split("|")
    assert shown[:4] == ["", "mine", "mine", "image"]
    assert shown[4].startswith("/opt/mine:/")
    assert (PATH in shown[4]) == (nested or argv[0] != "sh")


def test_what_a_caller_gives_to_the_engine_reaches_a_script(settled: Place, script: str) -> None:
    shown = bare("exec", "-u", "1234", "--env", "PLAIN=mine", "--env", "PATH=/opt/mine:/bin", settled.box, script)
    assert shown == f"mine|{FROM_ENV}|spec|image|/opt/mine:/bin"


def test_our_own_exec_lets_what_it_was_given_win(settled: Place, script: str) -> None:
    given = ("--env", "PLAIN=mine", "--env", "EVT_SECRET=mine")
    shown = settled.run("exec", *given, settled.name, "--", "bash", "-c", f"PATH=/opt/mine:$PATH {script}").stdout
    assert shown == f"mine|mine|spec|image|/opt/mine:{PATH}"


@pytest.mark.parametrize("login", [True, False], ids=["login", "script"])
def test_what_only_the_image_set_gives_way_to_them(settled: Place, script: str, login: bool) -> None:
    argv = ("env", "-i", "HOME=/nonexistent", "bash", "-lc", script) if login else (script,)
    left = "" if login else "image"
    assert bare("exec", "-u", "1234", settled.box, *argv) == f"{PLAIN}|{FROM_ENV}|spec|{left}|{PATH}"


def test_setup_commands_had_them(settled: Place) -> None:
    assert {line.split()[0] for line in settled.inside("cat /tmp/by-user /tmp/by-root").splitlines()} == {EXPECTED}


def test_a_background_job_has_them(settled: Place) -> None:
    job = settled.run("job", "start", settled.name, "--", "sh", "-c", TELL).stdout.strip()
    settled.run("job", "wait", job)
    assert settled.run("job", "logs", job).stdout.split()[0] == EXPECTED


@pytest.mark.parametrize("door", ["plain exec", "envspec shell"])
def test_a_terminal_has_them(settled: Place, door: str) -> None:
    plain = (shutil.which(engine_name()) or "", "exec", "-it", "--user", USER, settled.box, "bash")
    argv = plain if door == "plain exec" else (*ENVSPEC, "shell", settled.name)
    assert EXPECTED in typed(argv, f"{TELL}; exit\n", {**os.environ, **settled.environ})


def typed(argv: tuple[str, ...], text: str, environ: dict[str, str]) -> str:
    """Return what a command shows on a terminal on which a text is typed."""
    script = f"import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({list(argv)!r})))"
    done = subprocess.run(
        [sys.executable, "-c", script], input=text, capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    return done.stdout


def test_status_names_them_and_plans_nothing(settled: Place) -> None:
    told = settled.told("status", settled.name)
    assert tuple(told.result["secrets"]) == NAMES
    assert "canary" not in str(told.envelope)
    assert "EVT_SECRET" in settled.run("status", settled.name).stdout
    assert settled.plan()["changes"] == []


def test_a_rotation_on_the_host_is_an_update_in_place_that_names_it(settled: Place) -> None:
    before = settled.id
    settled.environ = {**settled.environ, "EVT_HOST": "canary rotated"}
    plan = settled.plan()
    found = change(plan, "environment.workspace")
    assert [item["address"] for item in plan["changes"]] == ["environment.workspace"]
    assert (found["action"], found["disruption"]) == ("update", "write")
    assert [diff["path"] for diff in found["diff"]] == ["env.EVT_SECRET"]
    assert "env.EVT_SECRET has another value on this host" in settled.run("plan", ".").stdout
    settled.apply()
    assert settled.exec("sh", "-c", 'printf %s "$EVT_SECRET" | sha256sum').split()[0] == digest("canary rotated")
    assert settled.plan()["changes"] == []
    settled.environ = {**settled.environ, "EVT_HOST": FROM_ENV}
    settled.apply()
    assert settled.id == before


def test_one_comes_and_goes_in_place(settled: Place) -> None:
    before = settled.id
    wish(settled, EVT_MORE={"from_env": "EVT_HOST"})
    assert causes(settled.plan(), "environment.workspace") == {"env.EVT_MORE": "spec"}
    settled.apply()
    assert settled.told("status", settled.name).result["secrets"] == sorted([*NAMES, "EVT_MORE"])
    wish(settled)
    settled.apply()
    assert settled.exec("sh", "-c", 'echo "${EVT_MORE-gone}"') == "gone"
    assert settled.id == before


def test_a_hand_that_changes_one_is_healed(settled: Place) -> None:
    settled.inside("echo \"export EVT_SECRET='mine'\" > /run/envspec/secrets")
    assert causes(settled.plan(), "environment.workspace") == {"secrets": "drift"}
    settled.apply()
    assert settled.exec("sh", "-c", TELL).split()[0] == EXPECTED


def test_a_missing_one_is_told_before_anything_happens(settled: Place) -> None:
    before = settled.inspect("{{.State.StartedAt}}")
    wish(settled, EVT_MORE={"from_env": "EVT_NOT_SET"})
    told = settled.told("apply", ".", "--yes", code=3)
    assert told.error["code"] == "spec.secret_missing"
    assert told.error["where"]["file"].endswith("env.yaml")
    assert (told.error["where"]["line"], told.events) == (line_of(settled, "EVT_NOT_SET"), [])
    assert settled.inspect("{{.State.StartedAt}}") == before
    wish(settled)


def line_of(place: Place, text: str) -> int:
    return next(number for number, line in enumerate(place.file.read_text().splitlines(), 1) if text in line)


def test_a_stop_takes_them_away_and_an_apply_brings_them_back(settled: Place) -> None:
    before = settled.id
    bare("restart", "-t", "0", settled.box)
    assert settled.inside("ls -A /run/envspec") == ""
    assert seen(settled, "bash", "-ic", TELL) != EXPECTED
    assert settled.told("status", settled.name).result["secrets"] == []
    found = change(settled.plan(), "environment.workspace")
    assert found["reason"] == "a stop emptied the tmpfs that holds them"
    assert {"env.PLAIN", *(f"env.{name}" for name in NAMES)} <= {diff["path"] for diff in found["diff"]}
    settled.apply()
    assert seen(settled, "bash", "-ic", TELL) == EXPECTED
    assert settled.id == before


def test_a_replace_takes_them_along(settled: Place) -> None:
    before = settled.id
    settled.apply("--replace", "container.workspace")
    assert settled.id != before
    assert seen(settled, "bash", "-lc", TELL, user="1234") == EXPECTED
    assert shlex.quote(PLAIN) in settled.inside("cat /run/envspec/env")
