"""What only real processes, files and repositories show of the inside."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from envspec.engine.facts import RUN_DIR, Questions, RepoQuestion
from envspec.engine.objects import LABEL, Build, ContainerConfig, Mount
from envspec.engine.operations import EnsureUser, FilePut, PutFiles, Reap, Record, RunCommand, SyncRepo
from envspec.engine.runner import Runner
from envspec.engine.whales import WhalesEngine
from envspec.errors import EngineTimeout, Interrupted

pytestmark = pytest.mark.engine

USER = 1000
SHORT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
GIT_REF = "envspec-test/git-inside:1"
GIT_IMAGE = """FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
"""


def make(engine: WhalesEngine, env: str, image: str, *mounts: Mount) -> str:
    """Start a container that is as locked down as ours are, with a user."""
    config = ContainerConfig(
        image,
        hostname=env,
        user=f"{USER}:{USER}",
        mounts=mounts,
        cap_drop=("ALL",),
        cap_add=SHORT_CAPABILITIES,
        security_opt=("no-new-privileges",),
        pids=256,
    )
    box = engine.create_container(f"{env}-{len(engine.containers(env))}", config, {f"{LABEL}env": env})
    engine.start(box)
    done = engine.perform(box, EnsureUser("dev", USER, USER, tuple(m.target for m in mounts), Record("user.dev", "d")))
    assert done.code == 0, done.tail
    return box


@pytest.fixture
def box(docker_engine: WhalesEngine, docker_base: str, env: str) -> str:
    return make(docker_engine, env, docker_base)


@pytest.fixture(scope="module")
def git_image(docker_engine: WhalesEngine, docker_base: str) -> Iterator[str]:
    docker_engine.build(Build(GIT_IMAGE.format(base=docker_base), GIT_REF, {f"{LABEL}test": "1"}))
    yield GIT_REF
    docker_engine.remove_image(GIT_REF)


def inside(box: str, text: str, *args: str, user: int = 0) -> str:
    argv = ["docker", "exec", "-u", f"{user}:{user}", box, "sh", "-c", text, "sh", *args]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


def sleepers(box: str) -> set[str]:
    """Return how long each ``sleep`` inside sleeps, PID 1's for ever left out."""
    text = 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done 2>/dev/null'
    words = (line.split() for line in inside(box, text).splitlines())
    return {word[1] for word in words if word[:1] == ["sleep"] and word[1].isdigit()}


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came true"
        threading.Event().wait(0.05)


def command(text: str, *, uid: int = USER, **more: object) -> RunCommand:
    return RunCommand(text, "/", uid, uid, Record("command.x", "d"), **more)  # type: ignore[arg-type]  # defaulted fields


RUNAWAYS = "(setsid sleep 901 &); setsid env -i sleep 902 & sleep 903 & echo going; sleep 904"


@pytest.mark.parametrize("uid", [0, USER])
def test_past_its_deadline_nothing_of_a_command_is_left(docker_engine: WhalesEngine, box: str, uid: int) -> None:
    with pytest.raises(EngineTimeout):
        docker_engine.perform(box, command(RUNAWAYS, uid=uid), deadline=2)
    assert sleepers(box) == set()
    assert docker_engine.probe(box, Questions()).entry("command.x") is None


def test_nobody_goes_on_for_what_it_waits_for_was_killed_first(docker_engine: WhalesEngine, box: str) -> None:
    text = "for i in $(seq 30); do sh -c 'sleep 600; echo woke >> /tmp/woke' & done; wait"
    with pytest.raises(EngineTimeout):
        docker_engine.perform(box, command(text), deadline=2)
    assert sleepers(box) == set()
    assert inside(box, "cat /tmp/woke 2> /dev/null || echo none") == "none\n"


def test_a_cancelled_command_is_ended_inside_too(box: str) -> None:
    engine = WhalesEngine(Runner())
    going = threading.Event()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            engine.perform(box, command(RUNAWAYS), deadline=60, on_line=lambda _: going.set())
        except Interrupted as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert going.wait(20)
    engine.cancel()
    thread.join(30)
    assert len(raised) == 1
    assert sleepers(box) == set()


def test_what_a_killed_client_left_running_is_reaped_and_a_server_is_not(docker_engine: WhalesEngine, box: str) -> None:
    assert docker_engine.perform(box, command("sleep 801 > /dev/null 2>&1 &")).code == 0
    text = (
        "from envspec.engine.whales import WhalesEngine; from envspec.engine.operations import RunCommand;"
        f"WhalesEngine().perform({box!r}, RunCommand({RUNAWAYS!r}, '/', {USER}, {USER}, None))"
    )
    client = subprocess.Popen([sys.executable, "-c", text])
    wait_until(lambda: "904" in sleepers(box))
    client.kill()
    client.wait()
    assert {"801", "901", "902", "903", "904"} == sleepers(box)
    done = docker_engine.perform(box, Reap())
    assert done.code == 0
    assert int(done.stdout) >= 4
    assert sleepers(box) == {"801"}
    assert docker_engine.perform(box, Reap()).stdout == b"0\n"


def test_a_try_that_takes_too_long_fails_and_the_next_one_may_not(docker_engine: WhalesEngine, box: str) -> None:
    text = "test -e /tmp/second || { touch /tmp/second; sleep 700; }"
    assert docker_engine.perform(box, command(text, attempt_timeout=0.5)).code == 124
    inside(box, "rm /tmp/second")
    assert docker_engine.perform(box, command(text, attempt_timeout=0.5, retries=1)).code == 0
    assert sleepers(box) == set()


def test_a_command_has_the_users_home_name_and_groups(docker_engine: WhalesEngine, box: str) -> None:
    done = docker_engine.perform(box, command('echo "$HOME $USER $LOGNAME"; id -u; id -g; id -G'))
    assert done.stdout.decode().split() == ["/home/dev", "dev", "dev", "1000", "1000", "1000"]


def test_output_comes_while_the_command_runs(docker_engine: WhalesEngine, box: str) -> None:
    seen: list[float] = []
    docker_engine.perform(box, command("echo one; sleep 1; echo two"), on_line=lambda _: seen.append(time.monotonic()))
    assert seen[1] - seen[0] > 0.5


def test_a_fifo_or_a_device_does_not_hold_the_probe(docker_engine: WhalesEngine, box: str) -> None:
    inside(box, "mkfifo /opt/fifo; ln -s /nowhere /opt/link")
    found = docker_engine.probe(box, Questions(files=("/dev/zero", "/opt/fifo", "/opt/link", "/opt")))
    kinds = {path: fact.type for path, fact in found.files.items()}
    assert kinds == {"/dev/zero": "other", "/opt/fifo": "other", "/opt/link": "link", "/opt": "dir"}


def test_a_spoilt_ledger_entry_does_not_exist(docker_engine: WhalesEngine, box: str) -> None:
    """One that was cut off spoils no other, whether that comes before or behind."""
    inside(
        box,
        "cd /var/lib/envspec/ledger; printf '{\"address\": 1' > 0cut; printf '{\"address\": 1' > cut; "
        "printf '\\377x=\\n{}' > zz",
    )
    assert [entry.address for entry in docker_engine.probe(box, Questions()).ledger] == ["user.dev"]


def test_odd_bytes_in_the_variables_come_back_as_what_they_are(docker_engine: WhalesEngine, box: str) -> None:
    inside(box, f"printf '%s\\n\\n--x end\\n\\377' \"export A='ü'\" > {RUN_DIR}/env")
    assert docker_engine.probe(box, Questions()).environment == "export A='ü'\n\n--x end\n\\xff"


def test_a_link_that_the_user_placed_is_replaced_and_its_target_is_not_touched(
    docker_engine: WhalesEngine, box: str
) -> None:
    inside(box, "echo precious > /opt/precious; ln -s /opt/precious /opt/link")
    put = FilePut("/opt/link", b"ours\n", 0o600, 0, 0, Record("file./opt/link", "d"))
    assert docker_engine.perform(box, PutFiles((put,))).code == 0
    assert inside(box, "cat /opt/precious /opt/link; test ! -L /opt/link") == "precious\nours\n"


ORIGIN = """set -e
git init -q -b main /tmp/o; cd /tmp/o; git config user.name a; git config user.email a@b
for n in 1 2 3 4 5 6 7 8 9; do echo $n > file$n; done; git add .; git commit -qm one
git clone -q --bare /tmp/o /tmp/o.git
"""


def sync(path: str, url: str = "file:///tmp/o.git") -> SyncRepo:
    return SyncRepo(url, path, "", 0, "", False, USER, USER, Record(f"repo.{path}", "d"))


def test_half_a_clone_at_a_mount_point_is_empty_and_is_finished(
    docker_engine: WhalesEngine, git_image: str, env: str
) -> None:
    docker_engine.create_volume(env, {f"{LABEL}env": env})
    box = make(docker_engine, env, git_image, Mount("/data", "volume", env))
    inside(box, ORIGIN, user=USER)
    assert docker_engine.perform(box, sync("/data")).code == 0
    inside(box, "cd /data && rm file* && : > .git/envspec-incomplete && mkdir .envspec-clone", user=USER)
    question = Questions(repos=(RepoQuestion("/data", "repo./data"),))
    assert docker_engine.probe(box, question).repos["/data"].state == "empty"
    done = docker_engine.perform(box, sync("/data"))
    assert done.code == 0, done.tail
    fact = docker_engine.probe(box, question).repos["/data"]
    assert (fact.state, fact.dirty) == ("repo", 0)
    assert inside(box, "ls -A /data | wc -l") == "10\n"


def test_a_hostile_repository_runs_nothing_when_it_is_looked_at(
    docker_engine: WhalesEngine, git_image: str, env: str
) -> None:
    box = make(docker_engine, env, git_image)
    inside(box, ORIGIN, user=USER)
    trap = "/tmp/o/trap"
    inside(
        box,
        f"printf '#!/bin/sh\\ntouch /tmp/sprung' > {trap}; chmod +x {trap}; cd /tmp/o;"
        f"git config core.fsmonitor {trap}; git config core.hooksPath /tmp/o; git config core.pager {trap};"
        "git config remote.origin.url \"$(printf 'x\\ny')\"",
        user=USER,
    )
    fact = docker_engine.probe(box, Questions(repos=(RepoQuestion("/tmp/o", "repo.x"),))).repos["/tmp/o"]
    assert (fact.state, fact.branch, fact.origin, fact.dirty) == ("repo", "main", "x\ny", 1)
    assert inside(box, "ls /tmp/sprung || true") == ""


def test_a_failed_clone_says_why_and_leaves_nothing(docker_engine: WhalesEngine, git_image: str, env: str) -> None:
    box = make(docker_engine, env, git_image)
    done = docker_engine.perform(box, sync("/workspace/app", "https://no-such-host.invalid/x.git"))
    assert done.code == 21
    assert "no-such-host.invalid" in done.tail.splitlines()[-1]
    assert inside(box, "ls -A /workspace") == ""


def test_sixty_files_cost_little_more_to_look_at_than_an_empty_exec(docker_engine: WhalesEngine, box: str) -> None:
    paths = tuple(f"/opt/{number}" for number in range(60))
    files = tuple(FilePut(path, b"x" * 1000, 0o644, 0, 0, Record(f"file.{path}", "d")) for path in paths)
    assert docker_engine.perform(box, PutFiles(files)).code == 0

    def fastest(call: Callable[[], object]) -> float:
        times: list[float] = []
        for _ in range(7):
            began = time.monotonic()
            call()
            times.append(time.monotonic() - began)
        return min(times)

    bare = fastest(lambda: docker_engine._run("exec", "-i", "-u", "0", box, "true"))
    probe = fastest(lambda: docker_engine.probe(box, Questions(files=paths)))
    assert probe < bare * 2 + 0.03


def test_what_dpkg_installed_is_no_work_and_a_configuration_that_was_edited_is(
    docker_engine: WhalesEngine, box: str
) -> None:
    """A log as dpkg writes it: a run that has just ended, and after it somebody edits what came with a package."""
    script = """
mkdir -p /usr/share/tool
touch /usr/bin/tool /usr/share/tool/a /etc/tool.conf /etc/kept.conf
touch /usr/local/bin/mine /opt/mine
now=$(date +%s)
stamp() { date -d "@$1" '+%Y-%m-%d %H:%M:%S'; }
echo "$(stamp "$((now - 9))") startup archives unpack" > /var/log/dpkg.log
echo "$(stamp "$((now - 1))") status installed tool:all 1.0" >> /var/log/dpkg.log
until [ "$(date +%s)" -gt "$((now + 1))" ]; do sleep 0.2; done
echo edited > /etc/tool.conf"""
    exec_ = ("docker", "exec", "-u", "0", box, "sh", "-ec", script)
    subprocess.run(exec_, check=True, capture_output=True)
    found = docker_engine.probe(box, Questions(undeclared=("/",))).undeclared
    assert found == ("/etc/tool.conf", "/opt/mine", "/usr/local/bin/mine")
