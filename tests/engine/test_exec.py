"""`envspec exec` on real engines: its streams, its variables, and that nothing is left running when it is cut off."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import random
import signal
import subprocess
from pathlib import Path

import pytest

from envspec import api
from envspec.inside.exec import TIMED_OUT
from tests.engine.e2e import ENVSPEC, bare
from tests.engine.inner import Inner, envspec, inner, under_way

__all__ = ["inner"]

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

LARGE = 50 * 1024 * 1024
DAEMONS = "(setsid sleep 4321 &); (env -i setsid sh -c 'sleep 4322 & sleep 4323' &); "
"""Starts what a kill of the process group misses, and even a search through environments."""


def test_streams_variables_user_and_exit_code_pass_through(inner: Inner) -> None:
    script = 'cat; echo "$COLOUR $(id -u) $PWD"; echo oops >&2; exit 7'
    done = envspec("exec", inner.env, "--", "sh", "-c", script, stdin=b"in ")
    assert (done.stdout, done.stderr, done.returncode) == (b"in deep blue 1000 /tmp\n", b"oops\n", 7)


def test_50_mib_of_any_bytes_go_in_and_come_out_as_they_are(inner: Inner) -> None:
    # The bytes in front are the keys by which a terminal detaches.
    data = b"\x10\x11\x1a\x04\r\n\0" + random.Random(1).randbytes(LARGE)
    done = envspec("exec", inner.env, "--", "cat", stdin=data)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_as_root_as_another_user_and_in_another_directory(inner: Inner) -> None:
    where = ("--workdir", "/etc", "--", "sh", "-c", 'echo "$(id -u):$(id -g) $PWD"')
    assert envspec("exec", inner.env, "--root", *where).stdout == b"0:0 /etc\n"
    assert envspec("exec", inner.env, "--user", "33:34", *where).stdout == b"33:34 /etc\n"


def test_variables_of_the_host_stand_over_those_of_the_environment_in_scripts_too(inner: Inner) -> None:
    words = (
        "--env",
        "COLOUR",
        "--env",
        "PATH=/bin:/usr/bin",
        "--",
        "bash",
        "-c",
        'bash -c "printf %s \\"\\$COLOUR\\""',
    )
    assert envspec("exec", inner.env, *words, environ={"COLOUR": "a 'b\n"}).stdout == b"a 'b\n"
    assert "a 'b" not in bare("container", "inspect", inner.box)


def test_arguments_variables_and_directories_that_are_not_utf8_arrive_as_they_are(inner: Inner) -> None:
    odd, named = os.fsdecode(b"x\xff\n"), os.fsdecode(b"y\xff")
    assert envspec("exec", inner.env, "--", "mkdir", "-p", f"/tmp/{odd}", f"/tmp/{named}").returncode == 0
    words = ("--workdir", f"/tmp/{odd}", "--env", f"K={odd}", "--", "sh", "-c", 'printf %s "$K$1$PWD"', "sh", odd)
    assert envspec("exec", inner.env, *words).stdout == b"x\xff\nx\xff\n/tmp/x\xff\n"
    assert envspec("cp", f"{inner.env}:/tmp/{named}", "-").returncode == 0
    assert b"holds a line break" in envspec("cp", f"{inner.env}:/tmp/{odd}", "-").stderr


@pytest.mark.parametrize("who", [(), ("--root",)])
def test_a_time_out_leaves_no_process_and_keeps_what_was_printed(inner: Inner, who: tuple[str, ...]) -> None:
    """The old tool's time-out ended its client, and left the process running inside."""
    script = f"echo printed; {DAEMONS} sleep 4324"
    done = envspec("exec", inner.env, *who, "--timeout", "1", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (TIMED_OUT, b"printed\n")
    assert inner.running("sleep 432") == []


def test_what_heeds_no_request_to_end_is_killed(inner: Inner) -> None:
    done = envspec("exec", inner.env, "--timeout", "0.5", "--", "sh", "-c", "trap '' TERM; sleep 4325; sleep 4326")
    assert done.returncode == TIMED_OUT
    assert inner.running("sleep 432") == []


def test_what_ended_in_time_may_leave_a_server_behind(inner: Inner) -> None:
    done = envspec("exec", inner.env, "--timeout", "20", "--", "sh", "-c", "sleep 4400 >/dev/null 2>&1 & exit 5")
    assert done.returncode == 5
    assert inner.running("sleep 4400")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupting_it_leaves_nothing_running_inside(inner: Inner, number: signal.Signals) -> None:
    with under_way("exec", inner.env, "--", "sh", "-c", f"{DAEMONS} sleep 4324") as running:
        inner.await_running("sleep 4324")
        running.send_signal(number)
        assert running.wait(60) == (-signal.SIGKILL if number == signal.SIGKILL else 130)
        inner.await_gone("sleep 432")


def test_a_reader_that_goes_away_leaves_nothing_running_inside(inner: Inner) -> None:
    with under_way("exec", inner.env, "--", "sh", "-c", "sleep 4328 & yes") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"y\n"
        running.stdout.close()
        assert running.wait(60) == 128 + signal.SIGPIPE
    assert inner.running("sleep 4328") == inner.running("yes") == []


def test_a_terminal_is_given_where_one_is_wanted(inner: Inner) -> None:
    ours, theirs = pty.openpty()
    script = "test -t 0 && test -t 1 && test -t 2 && echo a terminal; exit 3"
    argv = [*ENVSPEC, "exec", inner.env, "--tty", "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        assert running.wait(60) == 3
    assert os.read(ours, 100) == b"a terminal\r\n"
    os.close(ours)


def test_json_shows_both_ends_and_where_the_whole_is(inner: Inner, tmp_path: Path) -> None:
    words = ("exec", inner.env, "--json", "--max-output", "20", "--", "sh", "-c", "seq 100000; echo no >&2; exit 3")
    done = envspec(*words, environ={"XDG_STATE_HOME": str(tmp_path)})
    result = json.loads(done.stdout)["result"]
    assert (result["code"], done.returncode, result["stderr"]) == (3, 3, "no\n")
    assert result["stdout"].startswith("1\n2\n3\n")
    assert result["stdout"].endswith("left out]\n99\n100000\n") or result["stdout"].endswith("9999\n100000\n")
    assert len((Path(result["log"]) / "stdout").read_text().splitlines()) == 100000


def test_python_gets_the_same(inner: Inner) -> None:
    done = api.execute(
        inner.env,
        ["sh", "-c", 'cat; printf "%s %s" "$COLOUR" "$GIVEN"; exit 4'],
        api.ExecOptions(variables={"GIVEN": "by\nhand"}, timeout=60),
        stdin=b"\0in ",
        engine=inner.engine,
    )
    assert (done.code, done.stdout, done.timed_out, done.cut) == (4, b"\0in deep blue by\nhand", False, False)


def test_a_stopped_environment_is_told_from_a_failing_command(inner: Inner) -> None:
    inner.engine.stop(inner.box, grace=0)
    done = envspec("exec", inner.env, "--", "true")
    assert done.returncode == 6
    assert b"is stopped" in done.stderr
