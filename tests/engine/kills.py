"""Scenarios for kill loops: what is begun, how it is cut off, and what one more command has to make of it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.engine.contract import REMOTE
from tests.engine.e2e import NOTHING, Place, Running, bare, named, objects, read_told, remove_all

OVERRUN = 1.1
"""Moments are spread over this much of the time that an undisturbed run takes."""

USERS = ("1001:1001", "1002:1002")
SERVICE = {"command": ["sleep", "infinity"], "init": True, "stop_grace_period": "1s"}


@dataclass
class Scenario:
    """Two states to go back and forth between, or one thing to do again and again.

    Attributes:
        place: The environment.
        losses: Addresses that may be lost on the way.
    """

    place: Place
    losses: tuple[str, ...] = ()
    state: int = 0

    def prepare(self) -> None:
        """Come to the first state."""
        self.turn(0)
        self.place.apply(*self.allowed)

    @property
    def allowed(self) -> tuple[str, ...]:
        return tuple(word for address in self.losses for word in ("--allow-data-loss", address))

    def turn(self, number: int) -> None:
        """Write what is wanted next."""
        raise NotImplementedError

    def command(self) -> tuple[str, ...]:
        """Return what is killed."""
        return ("apply", ".", "--yes", "--json", *self.allowed)

    def again(self) -> None:
        """Do it once more, and insist that it ends well."""
        report = self.place.apply(*self.allowed).result
        assert report["ok"] is True, report

    def check(self) -> None:
        """Insist that all is as if nothing had been killed."""
        plan = self.place.plan()
        assert plan["changes"] == [], plan["changes"]
        assert objects(self.place.name) == self.expected()
        running = bare("ps", "--filter", f"label=dev.envspec.env={self.place.name}", "--format", "{{.Names}}").split()
        assert sorted(running) == self.expected()["container"]

    def expected(self) -> dict[str, list[str]]:
        raise NotImplementedError

    def reset(self) -> None:
        """Make the next one possible."""


class UserChange(Scenario):
    """All that is in volumes belongs to the user who is wanted, whichever way it went in the end."""

    def turn(self, number: int) -> None:
        self.state = number % 2
        self.place.write(
            mount_cwd=False,
            user=USERS[self.state],
            volumes=["data:/data"],
            config_files={"/workspace/deep/conf": "a\n"},
            repos=[{"url": REMOTE, "path": "app"}],
            setup_commands=["true"],
        )

    def check(self) -> None:
        super().check()
        uid = USERS[self.state].partition(":")[0]
        foreign = self.place.inside(f"find /workspace /data ! -user {uid}")
        assert foreign == "", foreign

    def expected(self) -> dict[str, list[str]]:
        name = self.place.name
        return NOTHING | {"container": [self.place.box], "volume": [f"{name}-data", f"{name}-workspace"]}


class VolumeRename(Scenario):
    def turn(self, number: int) -> None:
        self.state = number % 2
        self.losses = ("volume.one", "volume.two", "container.workspace")
        self.place.write(mount_cwd=False, volumes=[f"{('one', 'two')[self.state]}:/data"])

    def expected(self) -> dict[str, list[str]]:
        name = self.place.name
        volumes = sorted((f"{name}-{('one', 'two')[self.state]}", f"{name}-workspace"))
        return NOTHING | {"container": [self.place.box], "volume": volumes}


class PurposeChange(Scenario):
    losses: tuple[str, ...] = ("container.workspace",)

    def prepare(self) -> None:
        directory = self.place.directory / "purposes"
        directory.mkdir()
        front = "---\nsummary: small\nbase:\n  registry: debian:13-slim\n  bootstrap: debian-13\n---\n"
        head = 'FROM {{ base }}\nSHELL ["/bin/bash", "-eo", "pipefail", "-c"]\n'
        for letter in "ab":
            text = f"{front}{head}RUN echo {self.place.name}-{letter} > /etc/which\n"
            (directory / f"{self.place.name}-{letter}.Dockerfile.j2").write_text(text)
        super().prepare()

    def turn(self, number: int) -> None:
        self.state = number % 2
        purpose = f"{self.place.name}-{'ab'[self.state]}"
        self.place.write(purpose=purpose, image_source="bootstrap", mount_cwd=False, setup_commands=["true"])

    def check(self) -> None:
        super().check()
        assert self.place.inside("cat /etc/which") == f"{self.place.name}-{'ab'[self.state]}"

    def expected(self) -> dict[str, list[str]]:
        return NOTHING | {"container": [self.place.box], "volume": [f"{self.place.name}-workspace"]}


class TwoServices(Scenario):
    def turn(self, number: int) -> None:
        self.state = number
        service = {"image": self.place.image, **SERVICE, "environment": {"NUMBER": str(number)}}
        document = {"services": {"db": {**service, "volumes": ["kept:/kept"]}, "web": service}, "volumes": {"kept": {}}}
        self.place.write(mount_cwd=False, compose=document)

    def check(self) -> None:
        super().check()
        for service in ("db", "web"):
            assert bare("exec", f"{self.place.name}-{service}-1", "printenv", "NUMBER") == str(self.state)

    def expected(self) -> dict[str, list[str]]:
        name = self.place.name
        return {
            "container": sorted([f"{name}-db-1", f"{name}-web-1", self.place.box]),
            "network": [name],
            "volume": [f"{name}-kept", f"{name}-workspace"],
            "lock": [],
        }


@dataclass
class SnapshotCreate(Scenario):
    """What was paused goes on, and the snapshot is there or can be made."""

    made: str = ""

    def turn(self, number: int) -> None:
        self.made = f"{self.place.name}-{number}"
        document = {"services": {"db": {"image": self.place.image, **SERVICE}}}
        self.place.write(mount_cwd=False, volumes=["data:/data"], compose=document)

    def prepare(self) -> None:
        super().prepare()
        self.place.inside("head -c 20000000 /dev/urandom > /data/f")

    def command(self) -> tuple[str, ...]:
        return ("snapshot", "create", ".", self.made, "--json")

    def again(self) -> None:
        rows = [row["name"] for row in self.place.told("snapshot", "list").result]
        if self.made not in rows:
            self.place.run(*self.command())

    def expected(self) -> dict[str, list[str]]:
        name = self.place.name
        return {
            "container": sorted([f"{name}-db-1", self.place.box]),
            "network": [name],
            "volume": [f"{name}-data", f"{name}-workspace"],
            "lock": [],
        }

    def reset(self) -> None:
        self.place.run("snapshot", "rm", self.made)


@dataclass
class RestoreAs(Scenario):
    """The same command again ends well and asks nothing."""

    forks: list[str] = field(default_factory=list)

    def turn(self, number: int) -> None:
        if not self.forks:
            self.place.write(mount_cwd=False, volumes=["data:/data"], setup_commands=["true"], env={"A": "1"})
        self.forks.append(f"{self.place.name}-{number}")

    def prepare(self) -> None:
        super().prepare()
        self.place.inside("head -c 5000000 /dev/urandom > /data/f; echo kept > /workspace/f")
        self.place.run("snapshot", "create", ".", self.place.name)

    def command(self) -> tuple[str, ...]:
        return ("restore", self.place.name, "--as", self.forks[-1], "--json")

    def again(self) -> None:
        fork = self.forks[-1]
        whole = f"{fork}-workspace" in named("container", fork) and not objects(fork)["lock"]
        told = read_told(self.place.run(*self.command(), code=4 if whole else 0).stdout)
        assert whole or told.result["ok"] is True

    def check(self) -> None:
        fork = self.forks[-1]
        assert bare("exec", f"{fork}-workspace", "cat", "/workspace/f") == "kept"
        volumes = [f"{fork}-data", f"{fork}-workspace"]
        assert objects(fork) == NOTHING | {"container": [f"{fork}-workspace"], "volume": volumes}

    def reset(self) -> None:
        remove_all(self.forks[-1])


SCENARIOS: dict[str, Callable[[Place], Scenario]] = {
    "user": UserChange,
    "snapshot": SnapshotCreate,
    "restore": RestoreAs,
    "volume": VolumeRename,
    "purpose": PurposeChange,
    "services": TwoServices,
}
SAMPLE = ("user", "snapshot")
"""Those of which every run of the tests has a kill."""


def kill_loop(scenario: Scenario, kills: int, seed: int) -> Iterator[str]:
    """Kill something at moments spread over its run, and insist each time that one more command makes it whole.

    Args:
        scenario: What is killed.
        kills: How often.
        seed: Decides the moments, and whether all its children are killed with it.

    Yields:
        How each went.
    """
    chance = random.Random(seed)
    scenario.prepare()
    took = _undisturbed(scenario)
    for number in range(2, kills + 2):
        moment = took * OVERRUN * (number - 2 + chance.random()) / kills
        alone = chance.random() < 1 / 3
        scenario.turn(number)
        running = scenario.place.start(*scenario.command())
        reached = _killed(running, moment, alone=alone)
        told = (
            f"{type(scenario).__name__} {number - 1}: killed{' alone' if alone else ''} at {moment:.2f} of {took:.2f} s"
        )
        back = isinstance(scenario, UserChange) and chance.random() < 1 / 2
        if back:
            scenario.turn(number + 1)
        try:
            scenario.again()
            scenario.check()
        except BaseException as error:
            error.add_note(told + (" and taken back" if back else ""))
            raise
        scenario.reset()
        if back:
            scenario.turn(number)
            scenario.again()
        yield f"{told}{'' if reached else ', after its end'}"


def _undisturbed(scenario: Scenario) -> float:
    """Run it once, and return the seconds that took."""
    scenario.turn(1)
    began = time.monotonic()
    running = scenario.place.start(*scenario.command())
    ran = running.end()
    assert ran.code == 0, ran
    took = time.monotonic() - began
    scenario.check()
    scenario.reset()
    return took


def _killed(running: Running, moment: float, *, alone: bool) -> bool:
    """Kill a command at a moment, with all that it started or alone; say whether it still ran."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.process.wait(moment)
    reached = running.process.poll() is None
    pids = [running.process.pid, *([] if alone else children(running.process.pid))]
    for pid in pids if reached else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    running.end()
    return reached


def children(pid: int) -> list[int]:
    """Return all that runs below a process, in sessions of their own or not."""
    found = subprocess.run(["pgrep", "--parent", str(pid)], capture_output=True, text=True, check=False, timeout=60)
    return [below for child in map(int, found.stdout.split()) for below in (child, *children(child))]
