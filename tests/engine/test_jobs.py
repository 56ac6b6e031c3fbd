"""Background jobs on real engines: read back through envspec, and through the bare engine."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import pytest

from envspec import api
from envspec.errors import Conflict
from envspec.inside.jobs import Jobs
from tests.engine.e2e import until
from tests.engine.inner import Inner, envspec, inner, under_way

__all__ = ["inner"]

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

DAEMONS = "(setsid sleep 5321 &); (env -i setsid sh -c 'sleep 5322 & sleep 5323' &); "


@pytest.fixture
def jobs(inner: Inner) -> Jobs:
    return api.jobs(inner.env, engine=inner.engine)


def told(*words: str, code: int = 0) -> Any:
    done = envspec("job", words[0], "--json", *words[1:])
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)["result"]


def test_the_command_line_starts_lists_polls_logs_waits_and_cancels(inner: Inner) -> None:
    script = "echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo two; exit 5"
    assert told("start", inner.env, "--name", "cli", "--", "sh", "-c", script)["created"] is True
    assert (told("wait", f"{inner.env}/cli", "--timeout", "0.2", code=124)["state"]) == "running"
    with under_way("job", "logs", "cli", "--env", inner.env, "--follow") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"one\n"
        inner.root("touch /tmp/go")
        assert following.stdout.read() == b"two\n"
    assert told("wait", "cli", code=5)["state"] == "exited"
    assert [job["id"] for job in told("list", inner.env)] == ["cli"]
    jobs = "cd /var/lib/envspec/jobs && "
    inner.root(f"{jobs}mkdir .left .young .stage-x && touch -d '2 hours ago' .left .stage-x .[0-9a-f]*")
    assert told("start", inner.env, "--name", "next", "--", "true")["created"] is True
    assert inner.root(f"{jobs}find . -name .left -o -name .stage-x -o -name .young").split() == ["./.young"]
    assert [job["id"] for job in told("list", inner.env)] == ["cli", "next"]
    told("wait", f"{inner.env}/next")
    cancelled = told("cancel", f"{inner.env}/cli")
    assert (cancelled["job"]["state"], cancelled["ended"], cancelled["left"]) == ("exited", 0, [])
    assert envspec("job", "poll", f"{inner.env}/other").returncode == 3


def test_quotes_in_a_background_command_arrive_as_they_are(jobs: Jobs) -> None:
    """The old tool pasted the command between quotes of its own."""
    words = [
        "a 'b' \"c\"",
        "$HOME `id` $(id)",
        "line\nbreak\\",
        "",
        "*",
        "-n",
        "--",
        "caf\N{LATIN SMALL LETTER E WITH ACUTE}\udcff",
    ]
    started = jobs.start(["sh", "-c", 'printf "%s\\0" "$@"', "x", *words]).job
    assert jobs.wait(started.id).code == 0
    expected = b"".join(word.encode(errors="surrogateescape") + b"\0" for word in words)
    assert jobs.poll(started.id).output == expected


def test_a_job_is_the_environments_users_with_its_variables_its_directory_and_its_input(jobs: Jobs) -> None:
    script = ["sh", "-c", 'echo "$COLOUR $(id -u):$(id -g) $PWD"; cat; echo error >&2']
    data = b"\0\n" + bytes(range(256)) * 1000
    jobs.start(script, api.JobOptions(stdin=data), "mine")
    jobs.start(script, api.JobOptions(root=True, workdir="/etc"), "roots")
    assert jobs.wait("mine").state == jobs.wait("roots").state == "exited"
    assert jobs.poll("mine", limit=10**6).output == b"deep blue 1000:1000 /tmp\n" + data + b"error\n"
    assert jobs.poll("roots").output == b"deep blue 0:0 /etc\nerror\n"


def test_starting_one_id_twice_even_at_once_is_one_job(jobs: Jobs) -> None:
    created: list[bool] = []
    words = ["sh", "-c", "echo ran >> /tmp/ran-once"]
    threads = [
        threading.Thread(target=lambda: created.append(jobs.start(words, name="twice").created)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [False, False, False, True]
    assert jobs.wait("twice").code == 0
    assert api.execute(jobs.door.env, ["cat", "/tmp/ran-once"], engine=api.open_engine()).stdout == b"ran\n"
    with pytest.raises(Conflict, match="another job twice"):
        jobs.start(["true"], name="twice")


def test_polling_shows_all_of_a_long_output_and_goes_on_where_it_ended(jobs: Jobs) -> None:
    """The old tool showed the last 100 lines, and nothing before them."""
    jobs.start(["seq", "30000"], name="long")
    assert jobs.wait("long").output_bytes == len(whole())
    found, place, more = b"", 0, True
    while more:
        polled = jobs.poll("long", place, 100_000)
        found, place, more = found + polled.output, polled.next_offset, polled.more
    assert found == whole()
    assert jobs.poll("long", 10, 5).output == whole()[10:15]
    assert jobs.poll("long", place + 100).output == b""


def whole() -> bytes:
    return "".join(f"{number}\n" for number in range(1, 30001)).encode()


def test_a_character_that_is_still_coming_is_not_cut(jobs: Jobs) -> None:
    jobs.start(["printf", "a\N{EURO SIGN}b"], name="euro")
    jobs.wait("euro")
    first = jobs.poll("euro", 0, 3)
    assert (first.output, first.next_offset, first.more) == (b"a", 1, True)
    assert jobs.poll("euro", 1).output.decode() == "\N{EURO SIGN}b"


def test_exit_codes_are_told_from_kills(inner: Inner, jobs: Jobs) -> None:
    jobs.start(["sh", "-c", "exit 137"], name="exits-137")
    jobs.start(["sleep", "5400"], name="killed")
    jobs.start(["no-such-command"], name="none")
    inner.await_running("sleep 5400")
    inner.kill("sleep 5400")
    killed = jobs.wait("killed")
    assert (killed.state, killed.code) == ("lost", 137)
    assert killed.reason == "ended by signal 9, which envspec did not send"
    exits = jobs.wait("exits-137")
    assert (exits.state, exits.code, exits.reason) == ("exited", 137, "")
    assert (jobs.wait("none").state, jobs.get("none").code) == ("exited", 127)
    assert b"no-such-command" in jobs.poll("none").output


@pytest.mark.parametrize("root", [False, True])
def test_a_signal_that_ends_a_job_is_told(jobs: Jobs, root: bool) -> None:
    """Also where it takes the job's whole group along: who waits for it is in another."""
    signals = {"KILL $$": 9, "TERM $$": 15, "HUP $$": 1, "SEGV $$": 11, "KILL 0": 9, "TERM 0": 15}
    names = {f"signal-{root}-{number}": words for number, words in enumerate(signals)}
    for name, words in names.items():
        jobs.start(["sh", "-c", f"echo before; kill -{words}; echo after"], api.JobOptions(root=root), name)
    for name, words in names.items():
        job, number = jobs.wait(name), signals[words]
        state = "exited" if number == signal.SIGSEGV else "lost"
        assert (job.state, job.code) == (state, 128 + number), words
        assert job.reason.startswith(f"ended by signal {number}")
        assert jobs.poll(name).output == b"before\n"


def test_a_job_that_the_kernel_kills_for_its_memory_has_ended(jobs: Jobs) -> None:
    jobs.start(["tail", "/dev/zero"], name="greedy")
    job = jobs.wait("greedy", 60)
    assert (job.state, job.code, job.reason) == ("exited", 137, "ended by signal 9, for lack of memory")


def test_a_job_past_its_time_is_ended_with_all_that_it_started(inner: Inner, jobs: Jobs) -> None:
    jobs.start(["sh", "-c", f"echo printed; {DAEMONS} sleep 5324"], api.JobOptions(timeout=0.7), "late")
    assert jobs.wait("late").state == "timed_out"
    assert inner.running("sleep 532") == []
    assert jobs.poll("late").output.startswith(b"printed\n")


@pytest.mark.parametrize("root", [False, True])
def test_cancel_ends_the_whole_tree_and_proves_it(inner: Inner, jobs: Jobs, root: bool) -> None:
    """The old tool's cancel killed the shell alone, and said yes whatever came of it."""
    name = f"tree-{root}"
    jobs.start(["sh", "-c", f"{DAEMONS} sleep 5324; echo after"], api.JobOptions(root=root), name)
    inner.await_running("sleep 5324")
    inner.await_running("sleep 5323")
    done = jobs.cancel(name)
    assert (done.job.state, done.left) == ("cancelled", ())
    assert done.ended >= 4
    assert inner.running("sleep 532") == []
    again = jobs.cancel(name)
    assert (again.job.state, again.ended, again.left) == ("cancelled", 0, ())


def test_cancel_asks_first_and_takes_no_ten_seconds(inner: Inner, jobs: Jobs) -> None:
    """The old tool stopped whatever did not listen after ten seconds."""
    jobs.start(["sh", "-c", "trap 'echo asked; exit 9' TERM; while :; do sleep 0.05; done"], name="polite")
    jobs.start(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"], name="deaf")
    until(lambda: jobs.poll("deaf").output, "the job's shell")
    until(lambda: inner.running("sh -c trap 'echo"), "the other's")
    assert jobs.cancel("polite").job.state == jobs.cancel("deaf", grace=1).job.state == "cancelled"
    assert b"asked\n" in jobs.poll("polite").output
    assert jobs.get("deaf").seconds in range(8)
    assert inner.running("sh -c trap") == []


def test_what_an_ended_job_left_running_is_ended_by_cancel_too(inner: Inner, jobs: Jobs) -> None:
    jobs.start(["sh", "-c", "setsid sleep 5500 >/dev/null 2>&1 & exit 3"], name="left")
    assert jobs.wait("left").code == 3
    assert inner.running("sleep 5500")
    done = jobs.cancel("left")
    assert (done.job.state, done.job.code, done.ended, done.left) == ("exited", 3, 1, ())
    assert inner.running("sleep 5500") == []


def test_a_job_whose_supervisor_was_killed_is_lost_and_can_be_ended(inner: Inner, jobs: Jobs) -> None:
    jobs.start(["sleep", "5600"], name="orphan")
    inner.await_running("sleep 5600")
    inner.root('kill -9 "$(cut -d " " -f 1 "/var/lib/envspec/jobs/orphan/supervisor")"')
    until(lambda: not jobs.get("orphan").running, "the loss")
    assert (jobs.get("orphan").state, jobs.get("orphan").code) == ("lost", None)
    assert jobs.cancel("orphan").left == ()
    assert inner.running("sleep 5600") == []


def test_a_pid_that_somebody_else_has_by_now_is_not_taken_for_the_job(inner: Inner, jobs: Jobs) -> None:
    jobs.start(["true"], name="reused")
    jobs.wait("reused")
    state = "/var/lib/envspec/jobs/reused"
    inner.root(f'rm {state}/ended; set -- $(cat {state}/supervisor); echo "1 $2 $3" > {state}/supervisor')
    assert jobs.get("reused").state == "lost"


def test_a_restart_of_the_container_loses_a_job_and_says_so(inner: Inner, jobs: Jobs) -> None:
    """The last test here: it takes the environment's variables with it."""
    jobs.start(["sh", "-c", "echo before; sleep 5700"], name="restarted")
    until(lambda: jobs.poll("restarted").output == b"before\n", "its output")
    inner.engine.stop(inner.box, grace=0)
    inner.engine.start(inner.box)
    job = jobs.get("restarted")
    assert (job.state, job.reason, job.code) == ("lost", "the container was restarted", None)
    assert jobs.poll("restarted").output == b"before\n"
    assert jobs.cancel("restarted").left == ()
