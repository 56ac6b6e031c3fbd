"""Killed, interrupted or doubled: one more apply converges, and nothing of what was cut off lives on inside."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.engine.contract import REMOTE, SECOND
from tests.engine.e2e import NOTHING, Place, Places, Running, bare, named, objects, read_told, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

BOX = "container.workspace"

ONCE = """if [ ! -e {mark} ]; then
  touch {mark}
  setsid sh -c 'sleep 3001; touch /workspace/grandchild' &
  setsid env -i sleep 3002 &
  echo begun
  sleep 3003
fi
"""
"""Hangs the first time, with children that left its session, one of them with an empty environment."""

SLOW_GIT = f"""#!/bin/sh
case " $* " in *" clone "*)
{ONCE.format(mark="/workspace/.once")} ;;
esac
exec /usr/bin/git "$@"
"""


def sleepers(place: Place) -> list[str]:
    """Return the commands inside that sleep as only a test would."""
    return [line for line in processes(place) if "sleep 300" in line]


def processes(place: Place) -> list[str]:
    """Return the command lines of all that runs inside but the one that looks."""
    script = 'for p in /proc/[0-9]*; do [ "${p#/proc/}" = $$ ] || tr "\\0" " " <$p/cmdline; echo; done 2>/dev/null'
    return [line for line in place.inside(script, code=None).splitlines() if line]


def kill(running: Running) -> None:
    """End envspec as nothing can be handled."""
    running.signal(signal.SIGKILL)
    assert running.end().code == -signal.SIGKILL


def converges(place: Place) -> None:
    """Insist that one more apply ends well and that nothing is left of the one that was killed."""
    assert place.apply().result["ok"] is True
    assert place.plan()["changes"] == []
    assert objects(place.name) == NOTHING | {"container": [place.box]}


def own_purpose(directory: Path, steps: str) -> None:
    (directory / "purposes").mkdir()
    front = "---\nsummary: slow to build\nbase:\n  registry: debian:13-slim\n  bootstrap: debian-13\n---\n"
    text = f'FROM {{{{ base }}}}\nSHELL ["/bin/bash", "-eo", "pipefail", "-c"]\n{steps}\n'
    (directory / "purposes" / "slow.Dockerfile.j2").write_text(front + text)


def test_killed_in_the_middle_of_a_build(place: Place) -> None:
    own_purpose(place.directory, f"RUN echo begun-{place.name} && sleep 2 && echo {place.name} > /etc/which")
    place.write(purpose="slow", image_source="bootstrap", mount_cwd=True)
    running = place.start("apply", ".", "--verbose")
    # The instruction itself is printed too, and earlier: the number of seconds shows the output of the running step.
    until(lambda: any(line.rstrip().endswith(f" begun-{place.name}") for line in running.err), "the build runs")
    kill(running)
    told = place.apply()
    try:
        # The killed client's own child goes on, and may have ended the build meanwhile.
        assert told.done.get("image.workspace", "done") == "done"
        assert place.inside("cat /etc/which") == place.name
        converges(place)
        tags = bare("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
        assert [tag.removeprefix("localhost/") for tag in tags].count(told.result["image"]) == 1
    finally:
        bare("rm", "--force", place.box)
        bare("rmi", "--force", told.result["image"])


def test_killed_in_the_middle_of_a_clone(place: Place) -> None:
    place.write(
        config_files={"/usr/local/bin/git": {"content": SLOW_GIT, "mode": "0755"}},
        repos=[{"url": REMOTE, "path": "app", "install": "echo installed >> /workspace/installed"}],
    )
    running = place.start("apply", ".")
    until(lambda: (place.directory / ".once").exists() and len(sleepers(place)) >= 3, "the clone hangs")
    kill(running)
    assert sleepers(place), "a killed client does not end what it started: that is what the next apply is for"
    converges(place)
    assert sleepers(place) == []
    assert place.inside("git -c safe.directory=* -C /workspace/app rev-parse HEAD") == SECOND
    assert (place.directory / "installed").read_text() == "installed\n"
    left = {path.name for path in place.directory.iterdir()}
    assert left == {"env.yaml", "app", "installed", ".once"}


def test_killed_in_the_middle_of_a_setup_command(place: Place) -> None:
    place.write(
        setup_commands=[
            "echo first >> runs",
            ONCE.format(mark=".once") + "echo second >> runs",
            "echo third >> runs",
        ]
    )
    running = place.start("apply", ".", "--verbose")
    running.await_output("| begun")
    until(lambda: len(sleepers(place)) >= 3, "all children sleep")
    kill(running)
    assert "lock" in objects(place.name)
    assert objects(place.name)["lock"], "the killed apply still holds the mutex"
    converges(place)
    assert sleepers(place) == []
    assert (place.directory / "runs").read_text() == "first\nsecond\nthird\n"
    assert not (place.directory / "grandchild").exists()


def test_killed_in_the_middle_of_a_replace(place: Place) -> None:
    place.write(env={"GREETING": "hello"}, mount_cwd=False)
    place.apply()
    before = place.id
    place.write(
        env={"GREETING": "hello"},
        mount_cwd=False,
        add_hosts={"db": "10.0.0.5"},
        setup_commands=[ONCE.format(mark="/workspace/.once")],
    )
    running = place.start("apply", ".", "--yes", "--verbose")
    running.await_output("| begun")
    kill(running)
    assert place.id == before
    assert place.exec("sh", "-c", "echo $GREETING") == "hello"
    assert place.apply("--allow-data-loss", BOX).result["ok"] is True
    assert place.plan()["changes"] == []
    assert place.id != before
    assert sleepers(place) == []
    assert objects(place.name) == NOTHING | {"container": [place.box], "volume": [f"{place.name}-workspace"]}


def test_of_two_applies_at_once_one_works_and_the_other_conflicts_or_finds_it_done(place: Place) -> None:
    place.write(setup_commands=["echo ran >> runs; sleep 0.5"], networks=[f"{place.name}-net"], volumes=["data:/data"])
    both = [place.start("apply", ".", "--yes", "--json") for _ in range(2)]
    ended = sorted((running.end() for running in both), key=lambda ran: ran.code)
    assert ended[0].code == 0, ended
    assert ended[1].code in (0, 6), ended
    if ended[1].code == 6:
        assert read_told(ended[1].stdout).error["code"] in ("conflict.locked", "conflict.stale_plan")
    assert (place.directory / "runs").read_text() == "ran\n"
    assert place.plan()["changes"] == []
    assert objects(place.name) == {
        "container": [place.box],
        "network": [f"{place.name}-net"],
        "volume": [f"{place.name}-data"],
        "lock": [],
    }


def test_the_holder_of_the_mutex_is_named_while_it_lives(place: Place) -> None:
    place.write(setup_commands=["echo begun; while [ ! -e go ]; do sleep 0.05; done"])
    running = place.start("apply", ".", "--verbose")
    running.await_output("| begun")
    error = place.told("destroy", place.name, "--yes", "--allow-data-loss", BOX, code=6).error
    assert error["code"] == "conflict.locked"
    assert str(running.process.pid) in error["message"]
    (place.directory / "go").touch()
    assert running.end().code == 0


def interruptible(place: Place) -> Running:
    """Start an apply of three steps, the first of which waits for a file, and return when that is under way."""
    first = "echo begun; setsid sleep 3001 & until [ -e go ]; do sleep 0.05; done; kill $!; echo one >> runs"
    place.write(setup_commands=[first, "echo two >> runs", "echo three >> runs"])
    running = place.start("apply", ".", "--yes", "--json")
    running.await_output('"begun"')
    return running


def test_the_first_interrupt_lets_the_running_step_finish_and_starts_no_other(place: Place) -> None:
    running = interruptible(place)
    running.signal(signal.SIGINT)
    running.await_output("Interrupted: the running steps finish")
    (place.directory / "go").touch()
    ran = running.end()
    assert ran.code == 130
    told = read_told(ran.stdout)
    assert told.error["category"] == "interrupted"
    steps = [told.done[f"command.setup[{number}]"] for number in range(3)]
    assert steps == ["done", "skipped", "skipped"]
    assert (place.directory / "runs").read_text() == "one\n"
    assert objects(place.name)["lock"] == []
    converges(place)
    assert (place.directory / "runs").read_text() == "one\ntwo\nthree\n"


@pytest.mark.parametrize("ending", ["two interrupts", "a termination"])
def test_a_second_interrupt_stops_at_once_and_leaves_nothing_running_inside(place: Place, ending: str) -> None:
    running = interruptible(place)
    until(lambda: sleepers(place), "the step's child sleeps")
    if ending == "two interrupts":
        running.signal(signal.SIGINT)
        running.await_output("Interrupted: the running steps finish")
        running.signal(signal.SIGINT)
    else:
        running.signal(signal.SIGTERM)
    began = time.monotonic()
    assert running.end().code == 130
    assert time.monotonic() - began < 10
    assert sleepers(place) == []
    assert not [line for line in processes(place) if "until [ -e go ]" in line]
    assert not (place.directory / "runs").exists()
    assert objects(place.name)["lock"] == []
    (place.directory / "go").touch()
    converges(place)
    assert (place.directory / "runs").read_text() == "one\ntwo\nthree\n"


STUBBORN = "trap '' TERM; while :; do sleep 1; done"


def write_service(place: Place, number: int) -> None:
    """Write a spec with a service that takes a while to stop, and so to be made anew."""
    keys = {"image": place.image, "command": ["sh", "-c", STUBBORN], "stop_grace_period": "1s"}
    service = {**keys, "environment": {"NUMBER": str(number)}, "volumes": ["kept:/kept"]}
    place.write(mount_cwd=False, compose={"services": {"db": service}, "volumes": {"kept": {}}})


@pytest.fixture(scope="module")
def served(places: Places) -> Place:
    """A workspace and a service, converged."""
    place = places()
    write_service(place, 0)
    place.apply()
    return place


def composing(place: Place) -> list[int]:
    """Return the processes of this host that bring services of a place up."""
    pattern = f"compose .*--project-name {place.name} .* up "
    found = subprocess.run(["pgrep", "--full", pattern], capture_output=True, text=True, check=False, timeout=60)
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.parametrize(
    ("moment", "victims"),
    [
        ("it begins", "envspec"),
        ("there are two containers", "envspec"),
        ("there are two containers", "envspec and Compose"),
        ("the old one has gone", "envspec and Compose"),
    ],
)
def test_killed_while_compose_makes_a_service_anew(served: Place, moment: str, victims: str) -> None:
    old = f"{served.name}-db-1"
    before = bare("container", "inspect", "--format", "{{.Id}}", old)
    number = str(int(bare("exec", old, "printenv", "NUMBER")) + 1)
    write_service(served, int(number))
    running = served.start("apply", ".", "--yes")
    comes = {
        "it begins": lambda: composing(served),
        "there are two containers": lambda: len(named("container", served.name)) == 3,
        "the old one has gone": lambda: bare("container", "inspect", "--format", "x", before, code=None) != "x",
    }
    until(comes[moment], moment)
    kill(running)
    if victims == "envspec and Compose":
        for pid in composing(served):
            os.kill(pid, signal.SIGKILL)
    assert served.apply().result["ok"] is True
    assert served.plan()["changes"] == []
    assert composing(served) == []
    assert bare("exec", old, "printenv", "NUMBER") == number
    assert objects(served.name) == {
        "container": [old, served.box],
        "network": [served.name],
        "volume": [f"{served.name}-kept", f"{served.name}-workspace"],
        "lock": [],
    }
