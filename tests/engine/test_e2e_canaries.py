"""Canaries planted in every source of secrets are found in the tmpfs and nowhere else; leaks on purpose are found."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.engine.by_hand import bare_build
from tests.engine.canaries import SOURCES, Garden, Watch, found_below, found_in, found_in_stream, watching
from tests.engine.contract import TEST_LABEL
from tests.engine.e2e import Place, Places, bare, engine_name, named

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

PLACES = (
    *("objects", "history", "committed image", "events", "logs", "told", "volumes", "command lines"),
    "temporary files",
)
"""Where canaries are sought."""


@dataclass
class Life:
    """An environment that lived, all that was said of it, and what is kept of it.

    Attributes:
        place: It.
        garden: What was planted.
        watch: What was seen meanwhile.
        began: When, in seconds since the epoch.
        told: All that commands printed.
        outputs: Files and directories that commands wrote.
    """

    place: Place
    garden: Garden
    watch: Watch
    began: float
    told: list[str] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)

    def run(self, *words: str, code: int = 0) -> str:
        ran = self.place.run(*words, code=code)
        self.told += [ran.stdout, ran.stderr]
        return ran.stdout

    def sought(self, box: str, volumes: list[str]) -> dict[str, set[str]]:
        """Return the canaries found in each place, of one container and some volumes."""
        image = f"evt-canary-{box}:1"
        argv = [shutil.which(engine_name()) or "", "save", image]
        bare("commit", box, image)
        try:
            committed, history = found_in_stream(argv), bare("history", "--no-trunc", image)
            described = bare("image", "inspect", image)
        finally:
            bare("image", "rm", image)
        kinds = {"container": [box], "volume": volumes}
        objects = [bare(kind, "inspect", *names) for kind, names in kinds.items() if names]
        networks = bare("network", "ls", "--format", "{{.Name}}").split()
        past = ("--stream=false",) if engine_name() == "podman" else ("--until", str(int(time.time()) + 1))
        mounted = "for path in /workspace /data; do [ ! -d $path ] || tar -cf - $path; done 2>/dev/null"
        dumped = found_in_stream([argv[0], "exec", box, "sh", "-c", mounted]) if volumes else set[str]()
        return {
            "objects": found_in("".join([*objects, described, bare("network", "inspect", *networks)])),
            "history": found_in(history),
            "committed image": committed,
            "events": found_in(bare("events", *past, "--since", str(int(self.began)))),
            "logs": found_in(bare("logs", box)),
            "told": found_in("".join(self.told)).union(*map(found_below, self.outputs)),
            "volumes": dumped,
            **{what: set(self.watch.found[what]) for what in ("command lines", "temporary files")},
        }


@pytest.fixture(scope="module")
def life(places: Places, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """An environment with every source of secrets that failed, was mended, restarted, rotated, and is up."""
    base = tmp_path_factory.mktemp("garden")
    garden, temporary = Garden(base / "home"), base / "tmp"
    for directory in (garden.home, temporary):
        directory.mkdir()
    for plant in SOURCES:
        plant(garden)
    place = places()
    place.image = request.getfixturevalue(f"{engine_name()}_base")
    own = {"HOME": str(garden.home), "XDG_STATE_HOME": str(base / "state"), "TMPDIR": str(temporary)}
    place.environ = {**own, **garden.environ, "no_proxy": "*"}
    with watching(temporary) as watch:
        found = Life(place, garden, watch, time.time())
        found.outputs += [base / "state", place.directory / "plans"]
        live(found)
        yield found


def live(life: Life) -> None:
    """Do all that a user does, a failure with a secret in its message included."""
    place, garden = life.place, life.garden
    (place.directory / "plans").mkdir()
    common = {"mount_cwd": False, "volumes": ["data:/data"], "networks": [f"{place.name}-net"], **garden.keys}
    leaking = 'echo "it fails with $EVT_ENV_0 and $EVT_FILE_0" >&2; env; cat /run/envspec/secrets; exit 3'
    place.write(**common, setup_commands=[leaking])
    life.run("plan", ".")
    life.run("plan", ".", "--json")
    life.run("plan", ".", "--out", str(place.directory / "plans" / "plan.json"))
    life.run("apply", ".", "--yes", "--json", code=1)
    life.run("apply", ".", "--yes", code=1)
    place.write(**common, setup_commands=['test -n "$EVT_ENV_0"', 'echo "$EVT_ENV_1" "$GH_TOKEN"'])
    life.run("apply", ".", "--yes", "--verbose")
    life.run("status", place.name)
    life.run("status", place.name, "--json")
    life.run("connect", place.name)
    life.run("exec", place.name, "--", "sh", "-c", 'test -n "$EVT_ENV_0"')
    life.run("job", "start", place.name, "--", "sh", "-c", 'test -n "$EVT_ENV_0"')
    bare("restart", "-t", "0", place.box)
    place.environ = {**place.environ, "EVT_HOST_0": garden.canary("a rotated from_env")}
    life.run("plan", ".", "--json")
    life.run("apply", ".", "--yes", "--json")
    life.run("apply", ".", "--yes", "--replace", "container.workspace", "--json")
    garden.inside -= {text for text, what in garden.planted.items() if what == "from_env 0"}


def test_thirty_canaries_are_in_the_tmpfs_and_nowhere_else(life: Life) -> None:
    garden = life.garden
    inside = found_in(life.place.inside("find /run/envspec -type f -exec cat {} +"))
    assert {garden.planted[text] for text in garden.inside - inside} == set()
    assert len(garden.planted) >= 30
    found = life.sought(life.place.box, named("volume", life.place.name))
    assert found.keys() == {*PLACES}
    assert {place: {garden.planted[text] for text in texts} for place, texts in found.items() if texts} == {}
    assert life.watch.rounds > 20


@contextmanager
def leaky(life: Life) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Give a container and a volume that leak one canary in each place, and which."""
    leaked = {what: life.garden.canary(f"leaked: {what}", inside=False) for what in (*PLACES, "file")}
    name = f"evt-leak-{life.place.name}"
    labels = ("--label", f"{TEST_LABEL}=1", "--label", f"evt={leaked['events']}")
    image = f"evt-leaky-{life.place.name}:1"
    built = f"FROM {life.place.image}\nRUN echo {leaked['file']} > /file # {leaked['history']}\n"
    bare_build(image, built)
    bare("volume", "create", "--label", f"evt={leaked['volumes']}", name)
    try:
        script = f"echo {leaked['logs']}; sleep 60 & wait"
        options = ("--detach", "--init", *labels, "--volume", f"{name}:/data", "--name", name)
        bare("run", *options, image, "sh", "-c", script)
        bare("exec", name, "sh", "-c", f"echo {leaked['volumes']} > /data/file; sleep 0.3 # {leaked['command lines']}")
        file = life.watch.temporary / "leaked"
        file.write_text(leaked["temporary files"])
        life.told.append(leaked["told"])
        life.watch.look()
        yield name, name, leaked
    finally:
        life.told.pop()
        bare("rm", "--force", "--volumes", name, code=None)
        bare("volume", "rm", name, code=None)
        bare("image", "rm", image, code=None)


def test_a_leak_on_purpose_is_found_in_every_place(life: Life) -> None:
    with leaky(life) as (box, volume, leaked):
        found = life.sought(box, [volume])
    expected = {
        "objects": {leaked["events"], leaked["volumes"], leaked["logs"]},
        "committed image": {leaked["file"], leaked["events"]},
        "history": {leaked["history"]},
        "events": {leaked["events"]},
        "logs": {leaked["logs"]},
        "told": {leaked["told"]},
        "volumes": {leaked["volumes"]},
        "command lines": {leaked["command lines"]},
        "temporary files": {leaked["temporary files"]},
    }
    assert {place: texts - found[place] for place, texts in expected.items() if texts - found[place]} == {}
