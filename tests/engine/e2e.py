"""What the end-to-end tests share: a directory with a spec, the command line to work on it, and the bare engine.

Everything is done through ``python -m envspec.cli.main`` in a process of its own, or one that is forked when that is
loaded (:mod:`tests.engine.forked`), and every effect is read back with the engine's own client, so that nothing of
envspec vouches for itself. Each place bears a name of its own; all that the engine holds under that name is removed at
the end, come what may.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import jsonschema
import pytest
import yaml

from envspec.engine import shelf
from envspec.engine.choice import VARIABLE
from envspec.engine.objects import Build
from envspec.engine.whales import WhalesEngine
from tests.engine.contract import GIT_DOCKERFILE, GIT_IMAGE, TEST_LABEL
from tests.engine.forked import Forked, fork

ROOT = Path(__file__).parents[2]
ENVSPEC = (sys.executable, "-m", "envspec.cli.main")
ENV_LABEL = "dev.envspec.env"
LOCK_LABEL = "dev.envspec.lock"
RESULTS = {"plan": "plan", "apply": "report", "destroy": "report"}
"""Which schema the result of a command keeps to, where there is one."""

EVENTFUL = frozenset({"apply", "destroy", "gc", "run", "session", "try", "restore"})
"""Commands that tell of their steps under ``--json``."""

NOBODY = {"GIT_CONFIG_GLOBAL": "/dev/null", "GH_CONFIG_DIR": "/nonexistent", "GH_TOKEN": "", "GITHUB_TOKEN": ""}
"""Variables that keep what the tests' own user has for git and GitHub out of the environments."""

PATIENCE = 120.0
"""Seconds after which something that is waited for has not happened."""

Json = Any


def engine_name() -> str:
    """Return the engine that the tests, and the commands that they run, work on."""
    return os.environ.get(VARIABLE) or "docker"


def bare(*words: str, stdin: str = "", code: int | None = 0, patience: float = PATIENCE) -> str:
    """Run the engine's own client and return what it printed; ``code`` of ``None`` takes any exit code."""
    done = _asked(*words, stdin=stdin, patience=patience)
    assert code is None or done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def _asked(*words: str, stdin: str = "", patience: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    argv = [shutil.which(engine_name()) or engine_name(), *words]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=patience, check=False)


def named(kind: str, env: str) -> list[str]:
    """Return the objects of a kind that bear an environment's label, sorted."""
    every = ("--all",) if kind == "container" else ()
    column = "{{.Names}}" if kind == "container" else "{{.Name}}"
    return sorted(bare(kind, "ls", *every, "--filter", f"label={ENV_LABEL}={env}", "--format", column).split())


def objects(env: str) -> dict[str, list[str]]:
    """Return everything on the engine that bears an environment's label, and its mutex."""
    found = {kind: named(kind, env) for kind in ("container", "network", "volume")}
    locks = bare("container", "ls", "--all", "--quiet", "--filter", f"label={LOCK_LABEL}={env}")
    return found | {"lock": locks.split()}


NOTHING: dict[str, list[str]] = {"container": [], "network": [], "volume": [], "lock": []}


def remove_all(env: str) -> None:
    """Remove everything of an environment, past envspec."""
    found = objects(env)
    for kind, names in (("container", found["container"] + found["lock"]), ("network", found["network"])):
        if names:
            bare(kind, "rm", "--force", *names, code=None)
    if found["volume"]:
        bare("volume", "rm", "--force", *found["volume"], code=None)
    shutil.rmtree(shelf.directory(env), ignore_errors=True)
    built = ("--filter", f"reference={env}-*", "--format", "{{.Repository}}:{{.Tag}}")
    if images := listed_images(*built):
        bare("image", "rm", *images, code=None)


def remove_snapshots(env: str) -> None:
    """Remove the snapshots whose names begin with an environment's."""
    words = ("--filter", f"reference=envspec/snapshot/{env}*", "--format", "{{.Repository}}:{{.Tag}}")
    if images := listed_images(*words):
        bare("image", "rm", "--force", *images, code=None)


def remove_images(purpose: str) -> None:
    """Remove all images of a purpose, those that lost their name too, and the containers that run them."""
    label = f"label=dev.envspec.purpose={purpose}"
    images = sorted(set(listed_images("--quiet", "--filter", label)))
    boxes = [box for image in images for box in bare("ps", "--all", "--quiet", "--filter", f"ancestor={image}").split()]
    if boxes:
        bare("container", "rm", "--force", *sorted(set(boxes)), code=None)
    if images:
        bare("image", "rm", "--force", *images, code=None)


def listed_images(*words: str) -> list[str]:
    """Return what ``image ls`` prints; Podman stumbles over an image that another test removes meanwhile."""
    asked = (_asked("image", "ls", *words) for _ in range(10))
    done = next((done for done in asked if done.returncode == 0), None)
    assert done, f"no list of images: {words}"
    return done.stdout.split()


def until(condition: Callable[[], object], told: str, patience: float = PATIENCE) -> None:
    """Wait until something is so."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {told}"
        time.sleep(0.02)


def documents(text: str) -> list[Json]:
    """Return the JSON documents that stand one after another in a text."""
    decoder = json.JSONDecoder()
    found, place = [], 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        value, place = decoder.raw_decode(text, place)
        found.append(value)
    return found


def check_schema(name: str, value: Json) -> None:
    """Hold a value against one of the schemas that are checked in."""
    schema = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text())
    jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Told:
    """What a command said in JSON: events, then one envelope."""

    events: list[Json]
    envelope: Json

    @property
    def result(self) -> Json:
        assert self.envelope["ok"] is True, self.envelope
        return self.envelope["result"]

    @property
    def error(self) -> Json:
        assert self.envelope["ok"] is False, self.envelope
        return self.envelope["error"]

    @property
    def done(self) -> dict[str, str]:
        """How each step of an apply ended, by address."""
        report = self.envelope["result"] if self.envelope["ok"] else self.envelope["error"]["report"]
        return {item["address"]: item["status"] for item in report["outcomes"]}


def _below(pid: int) -> Iterator[str]:
    """Say what runs below a process, a line each: its PID, and how its command line begins."""
    with contextlib.suppress(OSError):  # some of it may end meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text(encoding="ascii").split():
                words = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ")
                yield f"{child} {words[:400].decode(errors='replace')}"
                yield from _below(int(child))


class Running:
    """A command that is under way; its output is collected beside it."""

    def __init__(self, process: subprocess.Popen[str] | Forked) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            self._reader(process.stdout, self.out),
            self._reader(process.stderr, self.err),
        ]

    @staticmethod
    def _reader(stream: IO[str] | None, lines: list[str]) -> threading.Thread:
        assert stream is not None
        thread = threading.Thread(target=lambda: lines.extend(iter(stream.readline, "")), daemon=True)
        thread.start()
        return thread

    def await_output(self, text: str) -> None:
        """Wait until a line of either stream holds a text."""
        until(lambda: any(text in line for line in self._so_far()), f"{text!r} in {self._so_far()}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> Ran:
        """Wait for its end."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(self._stuck())
        for reader in self._readers:
            reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return Ran(code, "".join(self.out), "".join(self.err))

    def _stuck(self) -> str:
        """End it, and say where it hung: what it had said, its children, and the stack of each of its threads."""
        processes = "\n".join(_below(self.process.pid))
        said = "".join(self._so_far())
        self.process.send_signal(signal.SIGABRT)
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        stacks = "".join(self.err)
        return f"{self.process.args!r} hung\n{said}\n{processes}\n{stacks}"

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.end()

    def _so_far(self) -> list[str]:
        return [*self.out, *self.err]


@dataclass
class Place:
    """A directory with a spec of a unique name.

    Attributes:
        directory: It lies on the host and is bound at the workspace unless the spec says otherwise.
        name: Name of the environment.
        image: Image that the specs start from unless they name another or a purpose.
        prefix: Words before every command, to run it as somebody else.
        environ: Variables beside those of the tests.
    """

    directory: Path
    name: str
    image: str
    prefix: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    _running: list[Running] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.directory / "env.yaml"

    @property
    def box(self) -> str:
        return f"{self.name}-workspace"

    @property
    def id(self) -> str:
        return bare("container", "inspect", "--format", "{{.Id}}", self.box)

    def write(self, **keys: Json) -> None:
        """Write the spec."""
        start = {} if {"purpose", "image"} & keys.keys() else {"image": self.image}
        self.file.write_text(yaml.safe_dump({"name": self.name, **start, **keys}, sort_keys=False))

    def inspect(self, template: str) -> str:
        return bare("container", "inspect", "--format", template, self.box)

    def inside(self, script: str, *args: str, code: int | None = 0, stdin: str = "") -> str:
        """Run a script inside as root, past envspec."""
        return bare(
            "exec", "-i", "-u", "0", "-w", "/", self.box, "sh", "-c", script, "sh", *args, stdin=stdin, code=code
        )

    def start(self, *words: str) -> Running:
        """Start a command, and leave it running."""
        process = subprocess.Popen(
            [*self.prefix, *ENVSPEC, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env={**os.environ, "PYTHONFAULTHANDLER": "1", **self.environ},
        )
        return self._kept(Running(process))

    def _kept(self, running: Running) -> Running:
        self._running.append(running)
        return running

    def run(self, *words: str, code: int = 0) -> Ran:
        """Run a command, and insist on its exit code."""
        forked = None if self.prefix else fork(words, self.directory, {**os.environ, **self.environ})
        ran = (self._kept(Running(forked)) if forked else self.start(*words)).end()
        assert ran.code == code, f"{words} ended with {ran.code}\n{ran.stdout}\n{ran.stderr}"
        assert "Traceback" not in ran.stderr
        return ran

    def told(self, *words: str, code: int = 0) -> Told:
        """Run a command with ``--json``, and hold what it says against the schemas."""
        told = read_told(self.run(*words, "--json", code=code).stdout)
        for event in told.events:
            check_schema("event", event)
        if told.envelope["ok"] and words[0] in RESULTS and isinstance(told.result, dict):
            check_schema(RESULTS[words[0]], told.result)
        if words[0] not in EVENTFUL:
            assert told.events == []
        return told

    def plan(self, *words: str) -> Json:
        """Return what apply would do."""
        return self.told("plan", *(words or (".",))).result

    def apply(self, *words: str, code: int = 0) -> Told:
        """Apply the spec, saying yes to what is asked."""
        return self.told("apply", ".", "--yes", *words, code=code)

    def exec(self, *words: str) -> str:
        return self.run("exec", self.name, "--", *words).stdout.strip()

    def stop_all(self) -> None:
        for running in self._running:
            if running.process.poll() is None:
                running.stop()


def read_told(stdout: str) -> Told:
    """Read events and the envelope, and insist that there is one of it and that it comes last."""
    *events, envelope = documents(stdout)
    assert all("event" in event and "ok" not in event for event in events), stdout
    assert envelope.keys() == ({"ok", "result"} if envelope["ok"] else {"ok", "error"})
    if not envelope["ok"]:
        assert envelope["error"].keys() >= {"code", "category", "message", "hint", "where", "retriable"}
    return Told(events, envelope)


def change(plan: Json, address: str) -> Json:
    """Return the change of an address in a plan."""
    found = {item["address"]: item for item in plan["changes"]}
    assert address in found, sorted(found)
    return found[address]


def causes(plan: Json, address: str) -> dict[str, str]:
    """Return why each attribute of an address differs."""
    return {diff["path"]: diff["cause"] for diff in change(plan, address)["diff"]}


Places = Callable[..., Place]


def make_place(directory: Path, image: str, **more: Any) -> Place:
    """Return a place with a name that nobody has."""
    name = f"evt-{uuid.uuid4().hex[:10]}"
    path = directory / name
    path.mkdir(parents=True)
    return Place(path, name, image, **{"environ": {"XDG_STATE_HOME": str(directory / "state"), **NOBODY}, **more})


ON_DOCKER = pytest.mark.parametrize("bare_engine", ["docker"], indirect=True)
ON_PODMAN = pytest.mark.parametrize("bare_engine", ["podman"], indirect=True)
"""For what is so on one engine only, or the same on all."""


@pytest.fixture(scope="module", params=["docker", "podman"])
def bare_engine(request: pytest.FixtureRequest) -> Iterator[WhalesEngine]:
    """Each real engine in turn, asked for as a user would ask."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, request.param)
        yield request.getfixturevalue(f"{request.param}_engine")


@pytest.fixture(scope="module")
def git_image(bare_engine: WhalesEngine, request: pytest.FixtureRequest) -> str:
    """An image with git and a bare repository at ``file:///srv/app.git``, as the contract tests know it."""
    base = request.getfixturevalue(f"{bare_engine.name}_base")
    bare_engine.build(Build(GIT_DOCKERFILE.format(base=base), GIT_IMAGE, {TEST_LABEL: "1"}))
    return GIT_IMAGE


@pytest.fixture(scope="module")
def places(git_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Make places; they and all that became of them are gone after the last test of the file."""
    made: list[Place] = []

    def make(**more: Any) -> Place:
        made.append(make_place(tmp_path_factory.mktemp("e2e"), git_image, **more))
        return made[-1]

    try:
        yield make
    finally:
        for place in made:
            place.stop_all()
            remove_all(place.name)
            remove_snapshots(place.name)


@pytest.fixture
def place(places: Places) -> Place:
    """A place of a test's own."""
    return places()
