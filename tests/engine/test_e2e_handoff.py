"""Handing an environment to a person: waiting until it is ready, the way in, and what they read there."""

from __future__ import annotations

import os
import pty
import select
import shlex
import subprocess
import time
from collections.abc import Sequence

import pytest

from tests.engine.contract import REMOTE
from tests.engine.e2e import ENVSPEC, PATIENCE, Place, Places, bare, engine_name

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

SLEEPER = {"command": ["sh", "-c", "touch /tmp/up; sleep infinity"], "init": True}


@pytest.fixture(scope="module")
def stands(places: Places) -> Place:
    """An environment with a repository, a service and a health check."""
    place = places()
    check = {"test": ["CMD", "test", "-e", "/tmp/up"], "interval": "1s", "start_period": "1s"}
    place.write(
        mount_cwd=False,
        repos=[{"url": REMOTE, "path": "app"}],
        env={"COLOUR": "blue"},
        setup_commands=[{"run": "touch /opt/ready", "as_root": True}],
        health={"command": "echo looked; test -e /opt/ready", "interval": 0.1, "retries": 2},
        compose={"services": {"db": {"image": place.image, "healthcheck": check, **SLEEPER}}},
    )
    place.apply()
    return place


def at_a_terminal(argv: Sequence[str], typed: str, until: str) -> str:
    """Type at a terminal, and return what it showed up to a text that comes last."""
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        end = time.monotonic() + PATIENCE
        while until.encode() not in shown and time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                shown += os.read(ours, 65536)
        process.kill()
    os.close(ours)
    text = shown.decode(errors="replace").replace("\r", "")
    assert until in text
    return text


def test_connect_names_the_user_the_shell_and_the_directory(stands: Place) -> None:
    info = stands.told("connect", stands.name).result
    where = ["--user", "0:0", "--workdir", "/workspace"]
    assert info["argv"] == [engine_name(), "exec", "-it", *where, stands.box, "/bin/bash"]
    assert shlex.split(info["command"]) == info["argv"]
    assert (info["user"], info["workdir"]) == ("root", "/workspace")


def test_a_person_is_greeted_once_and_not_in_the_shells_below(stands: Place) -> None:
    argv = [*ENVSPEC, "shell", stands.name]
    shown = at_a_terminal(argv, "bash\necho in $PWD; exit\necho $COLOUR-$((40 + 2))\n", "blue-42")
    assert shown.count(f"{stands.name}: an environment that envspec keeps (image {stands.image})") == 1
    assert shown.count("  repository    /workspace/app\n") == 1
    assert shown.count("  service       db\n") == 1
    assert "in /workspace\n" in shown


def test_the_greeting_can_be_turned_off_and_shells_without_bash_have_it(stands: Place) -> None:
    enter = [engine_name(), "exec", "-it"]
    text = "an environment that envspec keeps"
    typed = "echo $((40 + 2))-end\n"
    assert text in at_a_terminal([*enter, stands.box, "sh"], typed, "42-end")
    assert text not in at_a_terminal([*enter, "--env", "ENVSPEC_BANNER=off", stands.box, "bash"], typed, "42-end")
    stands.inside("touch /root/.hushlogin")
    assert text not in at_a_terminal([*enter, stands.box, "bash"], typed, "42-end")
    stands.inside("rm /root/.hushlogin")


def test_scripts_and_shells_without_a_terminal_are_not_greeted(stands: Place) -> None:
    for words in (("bash", "-c", "echo only"), ("bash", "-ic", "echo only"), ("bash", "-lc", "echo only")):
        assert bare("exec", stands.box, *words).splitlines()[-1:] == ["only"]
        assert "envspec" not in bare("exec", stands.box, *words)
    assert stands.exec("sh", "-c", "echo only") == "only"


def test_wait_tells_whether_it_is_ready_after_how_many_tries(stands: Place) -> None:
    for target in (stands.name, "."):
        waited = stands.told("wait", target).result
        assert (waited["what"], waited["ready"], waited["attempts"]) == ("health", True, 1)
        assert waited["output"] == "looked\n"
    stands.inside("rm /opt/ready")
    waited = stands.told("wait", stands.name, code=1).result
    assert (waited["ready"], waited["attempts"], waited["code"]) == (False, 3, 1)
    stands.inside("touch /opt/ready")
    command = 'n=$(cat /tmp/n 2>/dev/null || echo 0); echo $((n + 1)) | tee /tmp/n; test "$COLOUR$n" = blue1'
    waited = stands.told("wait", stands.name, "--command", command, "--interval", "0.1").result
    assert (waited["ready"], waited["attempts"], waited["output"]) == (True, 2, "2\n")
    waited = stands.told(
        "wait", stands.name, "--command", "sleep 77", "--timeout", "0.3", "--retries", "0", code=1
    ).result
    assert (waited["code"], waited["attempts"]) == (124, 1)
    assert stands.inside("grep -l '^sleep.77' /proc/[0-9]*/cmdline", code=None) == ""


def test_wait_for_a_service_asks_its_own_health_check(stands: Place) -> None:
    (container,) = bare(
        "ps", "--filter", f"label=dev.envspec.env={stands.name}", "--filter", "name=db", "--format", "{{.Names}}"
    ).split()
    assert stands.told("wait", stands.name, "--service", "db").result["output"] == "healthy"
    bare("exec", container, "rm", "/tmp/up")
    options = ("--interval", "0.2", "--retries", "1000")
    waiting = stands.start("wait", stands.name, "--service", "db", *options)
    bare("exec", container, "touch", "/tmp/up")
    assert waiting.end().code == 0
    assert stands.told("wait", stands.name, "--service", "cache", code=3).error["code"] == "env.no_service"
    bare("stop", "--time", "0", container)
    waited = stands.told("wait", stands.name, "--service", "db", "--retries", "0", code=1).result
    assert "is exited" in waited["output"]
