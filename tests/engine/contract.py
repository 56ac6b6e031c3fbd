"""What the contract tests share: a world of unique names that cleans up, and hands that change it past envspec.

Every case runs on the fake and on a real engine, so a case may only use what means the same on both: the protocol,
commands such as ``true``, ``false``, ``touch PATH`` and ``rm PATH``, and :class:`Hands`.
"""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol

import pytest

from envspec.engine.base import Engine
from envspec.engine.capabilities import IN_PLACE, changes_in_place, version_of
from envspec.engine.facts import Questions
from envspec.engine.fake import FakeEngine
from envspec.engine.fake_world import FakeRemote
from envspec.engine.objects import LABEL, Build, ContainerConfig, ContainerState, Limits
from envspec.engine.operations import Completed, Operation, Record, RunCommand
from envspec.errors import EngineCallFailed
from envspec.inside.door import Door
from envspec.inside.jobs import Jobs

TEST_LABEL = "dev.envspec.test"
USER = 1000

GIT_IMAGE = "envspec-test/git:1"
REMOTE = "file:///srv/app.git"
FIRST = "2765b846c1231f21022412d5da07e7a63226e870"
SECOND = "8f17cea49fb3bba761bc2d146376ab918e93e6ea"
GIT_DOCKERFILE = r"""FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
RUN export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org \
    GIT_AUTHOR_DATE=2024-01-01T00:00:00+0000 GIT_COMMITTER_DATE=2024-01-01T00:00:00+0000 \
    && git init -q -b main /tmp/app && cd /tmp/app \
    && echo one > README.md && git add . && git commit -qm one && git tag v1 && git branch old \
    && echo two > README.md && git commit -qam two && git clone -q --bare /tmp/app /srv/app.git \
    && chown -R 1000:1000 /srv/app.git && rm -r /tmp/app
"""
"""A bare repository with fixed commits: ``main`` at SECOND, ``old`` and the tag ``v1`` at FIRST, its parent."""


def podman_honours_updates() -> bool:
    """Say whether this host's Podman changes limits of a container that exists."""
    if shutil.which("podman") is None:
        return False
    told = subprocess.run(["podman", "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    return version_of(told.split()[-1]) >= IN_PLACE["podman"].since


class Hands(Protocol):
    """Somebody who changes things without envspec; containers by ID."""

    def write(self, box: str, path: str, text: str) -> None: ...
    def touch(self, box: str, directory: str, count: int) -> None: ...
    def chmod(self, box: str, path: str, mode: int) -> None: ...
    def pause(self, box: str) -> None: ...
    def start_job(self, box: str, job: str) -> None: ...
    def end_job(self, box: str, job: str) -> None: ...
    def commit(self, box: str, path: str) -> str: ...
    def set_head(self, box: str, path: str, commit: str) -> None: ...
    def unset(self, box: str, attribute: str) -> None: ...


class FakeHands:
    def __init__(self, engine: FakeEngine) -> None:
        self._tamper = engine.tamper
        engine.remotes[REMOTE] = FakeRemote({"main": [FIRST, SECOND], "old": [FIRST]}, {"v1": FIRST})

    def write(self, box: str, path: str, text: str) -> None:
        self._tamper.write_file(box, path, text)

    def touch(self, box: str, directory: str, count: int) -> None:
        for number in range(count):
            self._tamper.make_undeclared(box, f"{directory}/{number:03}")

    def chmod(self, box: str, path: str, mode: int) -> None:
        self._tamper.chmod(box, path, mode)

    def pause(self, box: str) -> None:
        self._tamper.pause(box)

    def start_job(self, box: str, job: str) -> None:
        self._tamper.start_job(box, job)

    def end_job(self, box: str, job: str) -> None:
        self._tamper.end_job(box, job)

    def commit(self, box: str, path: str) -> str:
        return self._tamper.commit(box, path)

    def set_head(self, box: str, path: str, commit: str) -> None:
        self._tamper.set_head(box, path, commit)

    def unset(self, box: str, attribute: str) -> None:
        self._tamper.update(box, Limits(**{attribute: 0}))  # type: ignore[arg-type]  # a field by name


class RealHands:
    def __init__(self, engine: str) -> None:
        program = shutil.which(engine)
        assert program is not None
        self._program = program

    def _run(self, *words: str, stdin: str = "") -> str:
        argv = [self._program, *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def write(self, box: str, path: str, text: str) -> None:
        script = 'mkdir -p "${1%/*}" && cat > "$1"'
        self._run("exec", "-i", "-u", "0", box, "sh", "-c", script, "sh", path, stdin=text)

    def touch(self, box: str, directory: str, count: int) -> None:
        names = [f"{number:03}" for number in range(count)]
        script = 'mkdir -p "$1" && cd "$1" && shift && touch "$@"'
        self._run("exec", "-u", "0", box, "sh", "-c", script, "sh", directory, *names)

    def chmod(self, box: str, path: str, mode: int) -> None:
        self._run("exec", "-u", "0", box, "chmod", f"{mode:o}", path)

    def pause(self, box: str) -> None:
        self._run("pause", box)

    def _jobs(self, box: str) -> Jobs:
        return Jobs(Door("", box, "0:0", "/", (self._program,)))

    def start_job(self, box: str, job: str) -> None:
        self._jobs(box).start(["sleep", "600"], name=job)

    def end_job(self, box: str, job: str) -> None:
        self._jobs(box).cancel(job)

    def _git(self, box: str, path: str, *words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        return self._run("exec", "-u", f"{USER}:{USER}", "-w", path, box, "git", *who, *words)

    def commit(self, box: str, path: str) -> str:
        self._git(box, path, "commit", "-q", "--allow-empty", "-a", "-m", "by hand")
        return self._git(box, path, "rev-parse", "HEAD")

    def set_head(self, box: str, path: str, commit: str) -> None:
        self._git(box, path, "reset", "-q", "--hard", commit)

    def unset(self, box: str, attribute: str) -> None:
        option = f"--{attribute.replace('_', '-')}"
        also = ("--memory-swap", "0") if attribute == "memory" else ()
        self._run("update", option, "0", *also, box)


class World:
    """An engine, unique names on it, and what was made under them."""

    def __init__(self, engine: Engine, base: str) -> None:
        self.engine = engine
        self.base = base
        self.hands: Hands = FakeHands(engine) if isinstance(engine, FakeEngine) else RealHands(engine.name)
        self.env = self.name()
        self.labels = {f"{LABEL}env": self.env, TEST_LABEL: "1"}
        self._clean = {step: ExitStack() for step in ("containers", "networks", "volumes", "images")}

    def name(self) -> str:
        return f"evt-{uuid.uuid4().hex[:10]}"

    def config(self, **changes: object) -> ContainerConfig:
        return replace(ContainerConfig(self.base, hostname="box"), **changes)  # type: ignore[arg-type]  # fields by name

    def create(self, name: str = "", labels: Mapping[str, str] | None = None, **changes: object) -> str:
        name = name or self.name()
        box = self.engine.create_container(name, self.config(**changes), self.labels if labels is None else labels)
        self._clean["containers"].callback(self.engine.remove_container, box)
        return box

    def run(self, **changes: object) -> str:
        box = self.create(**changes)  # type: ignore[arg-type]  # fields of the configuration, none called name or labels
        self.engine.start(box)
        return box

    def remember(self, box: str) -> None:
        """Clean up a container that was made otherwise, too."""
        self._clean["containers"].callback(self.engine.remove_container, box)

    def network(self, name: str = "", *, internal: bool = False) -> str:
        made = self.engine.create_network(name or self.name(), self.labels, internal=internal)
        self._clean["networks"].callback(self.engine.remove_network, made)
        return made

    def volume(self) -> str:
        name = self.name()
        self._clean["volumes"].callback(self.engine.remove_volume, name)
        self.engine.create_volume(name, self.labels)
        return name

    def image_ref(self) -> str:
        ref = f"envspec-test/{self.name()}:1"
        self._clean["images"].callback(self.engine.remove_image, ref)
        return ref

    def build(self, text: str = "", ref: str = "", labels: Mapping[str, str] | None = None) -> str:
        ref = ref or self.image_ref()
        self.engine.build(Build(f"FROM {self.base}\n{text}", ref, labels or {TEST_LABEL: "1"}))
        return ref

    def git_image(self) -> str:
        self.engine.build(Build(GIT_DOCKERFILE.format(base=self.base), GIT_IMAGE, {TEST_LABEL: "1"}))
        return GIT_IMAGE

    def changes_in_place(self, attribute: str, after: object) -> bool:
        """Say whether the planner would change an attribute in place."""
        return changes_in_place(self.engine.name, attribute, after, lambda: self.engine.versions().engine)

    def state(self, box: str) -> ContainerState:
        return next(state for state in self.engine.containers(self.env) if state.id == box)

    def do(self, box: str, operation: Operation) -> Completed:
        """Perform an operation that must end well."""
        done = self.engine.perform(box, operation)
        assert done.code == 0, done.tail
        return done

    def shell(self, box: str, command: str, *, uid: int = 0, workdir: str = "/") -> Completed:
        return self.engine.perform(box, RunCommand(command, workdir, uid, uid, None))

    def exists(self, box: str, *paths: str) -> frozenset[str]:
        return self.engine.probe(box, Questions(exists=tuple(sorted(paths)))).exists

    def clean(self) -> None:
        """Remove all that was made, containers first; a removal that fails stops no other."""
        with ExitStack() as last_first:
            for step in reversed(self._clean.values()):
                last_first.callback(step.close)


def note(address: str, digest: str = "d1", **data: object) -> Record:
    return Record(address, digest, data)


@pytest.fixture(scope="module")
def world(engine: Engine, base_image: str) -> Iterator[World]:
    """A world of its own for each file of tests."""
    made = World(engine, base_image)
    yield made
    made.clean()


@pytest.fixture(scope="module")
def box(world: World) -> str:
    """A running container that all tests of a file share, each with paths and addresses of its own."""
    return world.run()


def refused() -> pytest.RaisesExc[EngineCallFailed]:
    """Expect the engine to refuse a call."""
    return pytest.raises(EngineCallFailed)
