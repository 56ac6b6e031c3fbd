"""The runner: deadlines, groups, streams, environment, counting, cancelling."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.engine.runner import Runner, Signs, summary
from envspec.errors import EngineNotReady, EngineSilent, EngineTimeout, Interrupted
from envspec.secrets import Redactor


def shell(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came true"
        threading.Event().wait(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_code_and_both_streams_come_back() -> None:
    done = Runner().run(shell("echo out; echo err >&2; exit 7"), deadline=10)
    assert (done.code, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_standard_input_arrives_whole_while_output_flows() -> None:
    data = os.urandom(3_000_000)
    assert Runner().run(["cat"], stdin=data, deadline=20).stdout == data


def test_a_child_that_does_not_read_its_input_does_no_harm() -> None:
    assert Runner().run(["true"], stdin=b"x" * 1_000_000, deadline=10).code == 0


def test_without_input_it_reads_nothing() -> None:
    assert Runner().run(["cat"], deadline=10).stdout == b""


def test_lines_of_both_streams_are_handed_on() -> None:
    lines: list[str] = []
    Runner().run(shell(r"printf 'one\r\ntwo\nlast'; printf 'b\377d\n' >&2"), deadline=10, on_line=lines.append)
    assert sorted(lines) == ["b�d", "last", "one", "two"]


def test_lines_are_handed_on_while_it_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    text = f"echo first; while [ ! -e {gate} ]; do sleep 0.01; done; echo second"
    seen: list[str] = []

    def take(line: str) -> None:
        seen.append(line)
        gate.touch()

    Runner().run(shell(text), deadline=20, on_line=take)
    assert seen == ["first", "second"]


@pytest.mark.parametrize("stream", [1, 2])
def test_one_that_proved_its_work_and_does_not_end_is_ended(stream: int) -> None:
    text = f"echo out; printf 'all ' >&{stream}; sleep 0.2; printf 'done 7\\n' >&{stream}; sleep 60"
    began = time.monotonic()
    done = Runner().run(shell(text), deadline=30, signs=Signs(proof=b"all done "))
    assert time.monotonic() - began < 15
    assert b"out\n" in done.stdout
    assert b"all done 7\n" in done.stdout + done.stderr


def test_one_that_proved_its_work_ends_by_itself_where_it_can() -> None:
    done = Runner().run(shell("echo done; sleep 0.5; echo more; exit 3"), deadline=30, signs=Signs(proof=b"done"))
    assert (done.code, done.stdout) == (3, b"done\nmore\n")


def test_one_that_does_not_begin_is_told_from_one_that_does_not_end() -> None:
    with pytest.raises(EngineSilent, match=r"sh did not begin within 0.3 s") as silent:
        Runner().run(shell("sleep 60"), deadline=30, signs=Signs(begins=0.3))
    assert (silent.value.code, silent.value.retriable) == ("engine.silent", True)
    with pytest.raises(EngineTimeout, match=r"sh did not end within 1 s") as slow:
        Runner().run(shell("echo here; sleep 60"), deadline=1, signs=Signs(begins=0.5))
    assert slow.value.code == "engine.timeout"


def test_of_very_much_output_head_and_tail_are_kept() -> None:
    done = Runner().run(shell("echo first; yes | head -c 2000000; echo last"), deadline=20, keep=4096)
    assert done.stdout.startswith(b"first\n")
    assert done.stdout.endswith(b"last\n")
    assert b"bytes left out]" in done.stdout
    assert len(done.stdout) < 200_000


def test_past_its_deadline_the_whole_group_is_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    text = f"sleep 1000 & echo $! $$ > {pids}; wait"
    with pytest.raises(EngineTimeout, match="did not end within"):
        Runner().run(shell(text), deadline=0.5)
    for pid in map(int, pids.read_text().split()):
        wait_until(lambda pid=pid: not alive(pid))  # type: ignore[misc]  # a default binds the loop's value


def test_one_that_ignores_the_request_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envspec.engine.runner.GRACE", 0.2)
    mark = tmp_path / "pid"
    with pytest.raises(EngineTimeout):
        Runner().run(shell(f"trap '' TERM; echo $$ > {mark}; while :; do sleep 0.05; done"), deadline=0.5)
    assert not alive(int(mark.read_text()))


def test_what_it_leaves_behind_does_not_hold_the_call() -> None:
    began = time.monotonic()
    done = Runner().run(shell("sleep 30 & echo $!"), deadline=20)
    os.kill(int(done.stdout), 9)
    assert done.code == 0
    assert time.monotonic() - began < 10


def test_a_terminals_interrupt_does_not_reach_it() -> None:
    done = Runner().run([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], deadline=10)
    assert done.stdout == b"True\n"


def test_only_allowed_variables_are_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setenv("https_proxy", "http://proxy")
    monkeypatch.setenv("GITHUB_TOKEN", "canary")
    monkeypatch.setenv("PYTHON_ON_WHALES_DEBUG", "1")
    done = Runner().run(["env"], deadline=10)
    names = {line.partition("=")[0] for line in done.stdout.decode().splitlines()}
    assert {"PATH", "DOCKER_HOST", "https_proxy"} <= names
    assert not names & {"GITHUB_TOKEN", "PYTHON_ON_WHALES_DEBUG"}


def test_an_environment_that_is_given_is_the_whole_one() -> None:
    done = Runner().run(["/usr/bin/env"], deadline=10, environ={"EXTRA": "1"})
    assert done.stdout == b"EXTRA=1\n"


def test_a_missing_program_is_an_engine_that_is_not_ready() -> None:
    with pytest.raises(EngineNotReady) as error:
        Runner().run(["envspec-no-such-program"], deadline=1)
    assert (error.value.code, error.value.hint) == ("engine.no_program", "envspec preflight --fix")


def test_calls_are_counted_from_all_threads() -> None:
    runner = Runner()
    threads = [threading.Thread(target=runner.run, args=(["true"],), kwargs={"deadline": 10}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runner.calls == 8


def test_the_trace_names_program_and_sub_command_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("ENVSPEC_TRACE", str(trace))
    runner = Runner()
    runner.run(["true", "secret"], deadline=10)
    runner.note(["docker", "--context", "far", "network", "ls", "--format", "x"])
    assert trace.read_text() == "true\ndocker network ls\n"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["/usr/bin/docker", "ps", "--all"], "docker ps"),
        (["docker", "--context=x", "image", "inspect", "--", "a"], "docker image inspect"),
        (["docker", "exec", "--interactive", "box"], "docker exec"),
        (["mmdebstrap", "--mode=root", "/tmp/x"], "mmdebstrap"),
        (["docker"], "docker"),
    ],
)
def test_a_summary_holds_nothing_private(argv: list[str], text: str) -> None:
    assert summary(argv) == text


def test_cancel_ends_what_runs_and_refuses_what_comes(tmp_path: Path) -> None:
    runner = Runner()
    mark = tmp_path / "pid"
    raised: list[BaseException] = []

    def work() -> None:
        try:
            runner.run(shell(f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 1000"), deadline=100)
        except Interrupted as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(mark.exists)
    runner.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert len(raised) == 1
    assert not alive(int(mark.read_text()))
    with pytest.raises(Interrupted):
        runner.run(["true"], deadline=1)
    assert runner.run(["true"], deadline=10, regardless=True).code == 0


def test_secrets_are_masked_in_lines() -> None:
    redactor = Redactor()
    redactor.add("canary-1234")
    lines: list[str] = []
    text = "echo a canary-1234 https://me:pw@host/x"
    Runner(redactor).run(shell(text), deadline=10, on_line=lines.append)
    assert lines == ["a *** https://***@host/x"]


def test_a_secret_of_several_lines_is_masked_line_by_line() -> None:
    redactor = Redactor()
    redactor.add("first-line\nsecond-line\nUser git")
    assert redactor.text("x second-line y User git") == "x *** y User git"
    assert redactor.data(b"\xff first-line") == b"\xff ***"
