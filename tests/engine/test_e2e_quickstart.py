"""What a new user does: the quickstart and the other examples, from the first apply to a clean engine."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from tests.engine.e2e import NOTHING, ROOT, Place, Places, bare, engine_name, objects

pytestmark = [pytest.mark.engine, pytest.mark.build, pytest.mark.timeout(900)]

EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/env.yaml"))
SAYS = {
    "quickstart": (("tidings",), "Good morning, Ada"),
    "go-service": (("service", "-check"), ""),
    "node-web": (("node", "-p", "process.env.PORT"), "3000"),
    "python-api": (("python", "-c", "import bottle, os; print(os.environ['PORT'])"), "8000"),
    "rust-cli": (("shout", "hello"), "HELLO!"),
    "web-stack": (("sh", "check"), ""),
}
"""What is run in each example once it stands, and what it prints."""


def example(places: Places, name: str) -> Place:
    """Copy an example and give it a name of its own."""
    place = places()
    tracked = shutil.ignore_patterns("app", "__pycache__", "*.pyc", "node_modules", "target")
    shutil.copytree(ROOT / "examples" / name, place.directory, dirs_exist_ok=True, ignore=tracked)
    keys = yaml.safe_load(place.file.read_text())
    place.write(**{**keys, "name": place.name, "image_source": "bootstrap"})
    return place


@pytest.fixture
def quickstart(places: Places) -> Place:
    return example(places, "quickstart")


def test_the_quickstart_from_the_first_apply_to_nothing_left(quickstart: Place) -> None:
    planned = len(quickstart.plan()["changes"])
    assert planned >= 9, "the images that others share may be there already, nothing else"
    first = quickstart.run("apply", ".")
    assert f"Converged: {quickstart.name}, {planned} done" in first.stdout
    command = quickstart.run("connect", quickstart.name).stdout.strip()
    assert f"Go inside: {command}" in first.stdout
    program, *words = shlex.split(command.replace(" -it ", " -i "))
    assert (program, words[-2:]) == (engine_name(), [quickstart.box, "/bin/bash"])
    printed = bare(*words, stdin="tidings; pwd\n")
    assert "Good morning, Ada" in printed
    assert printed.endswith("\n/workspace")

    again = quickstart.run("apply", ".")
    assert f"No changes. {quickstart.name} is converged." in again.stdout
    quickstart.run("plan", "--detailed-exitcode", ".", code=0)

    quickstart.run("destroy", quickstart.name, "--yes")
    assert objects(quickstart.name) == NOTHING
    assert (quickstart.directory / "app" / ".git").is_dir(), "a directory of the host is never cleaned"


def test_a_second_environment_of_one_purpose_builds_nothing(places: Places, quickstart: Place) -> None:
    other = example(places, "quickstart")
    for place in (quickstart, other):
        place.write(purpose="python", image_source="bootstrap")
        image = place.apply().result["image"]
    told = other.apply()
    assert told.result["image"] == image
    other.told("destroy", other.name, "--yes")
    once_more = other.apply()
    assert once_more.result["image_cached"] is True
    assert "image.workspace" not in once_more.done


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_valid_planned_and_does_what_it_says(places: Places, name: str) -> None:
    place = example(places, name)
    assert place.told("validate", ".").result["valid"] is True
    planned = [item["address"] for item in place.plan()["changes"]]
    assert "container.workspace" in planned
    assert objects(place.name) == NOTHING, "a plan makes nothing"

    told = place.apply()
    assert told.result["ok"] is True
    assert sorted(told.done) == sorted(planned)
    words, printed = SAYS[name]
    assert printed in place.exec(*words)
    assert place.plan()["changes"] == []


def test_every_example_says_here_what_it_is_checked_for() -> None:
    assert sorted(SAYS) == EXAMPLES
    for name in EXAMPLES:
        first = Path(ROOT / "examples" / name / "env.yaml").read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=../../schemas/spec.schema.json"
