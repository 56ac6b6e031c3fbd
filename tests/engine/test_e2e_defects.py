"""What the imperative tool that envspec replaces did wrong, and what must never be so here.

Its other defects have their tests where the commands are tested: quotes in a background command, cancelling, polling
and a slow stop with the jobs, a time-out that leaves the process with exec, a snapshot that carries secrets with the
snapshots.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.e2e import Place, bare, named

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture
def foreign(place: Place) -> Iterator[str]:
    """A container of somebody else's that bears the name which the environment wants."""
    bare("create", "--name", place.box, place.image, "sleep", "60")
    try:
        yield place.id
    finally:
        bare("rm", "--force", place.box, code=None)


def test_a_name_conflict_removes_nobody_elses_container(place: Place, foreign: str) -> None:
    place.write()
    assert place.apply(code=6).error["code"] == "conflict.name"
    assert place.id == foreign


def test_destroy_leaves_what_is_not_ours(place: Place, foreign: str) -> None:
    place.told("destroy", place.name, "--yes", "--volumes")
    assert place.id == foreign


@pytest.mark.parametrize("path", ["../workspace", "/etc", "./gone", "a/../b"])
def test_destroy_takes_no_path_for_a_name(place: Place, path: str) -> None:
    place.write()
    place.apply()
    assert place.told("destroy", path, "--yes", code=3).error["category"] == "spec"
    assert named("container", place.name) == [place.box]


def test_a_setup_that_failed_is_no_success(place: Place) -> None:
    place.write(setup_commands=["echo the reason >&2; exit 3", "touch /tmp/never"])
    told = place.apply(code=1)
    assert told.error["report"]["ok"] is False
    assert "the reason" in str(told.error["report"]["outcomes"])
    assert [told.done[f"command.setup[{number}]"] for number in (0, 1)] == ["failed", "skipped"]
    assert place.plan()["summary"]["run"] == 2


def test_an_explicit_image_wins_over_the_cached_one_of_a_purpose(place: Place) -> None:
    place.write(purpose="clean")
    place.apply()
    place.write(image=place.image)
    place.apply()
    assert place.inspect("{{.Config.Image}}").endswith(place.image)


def test_a_stop_waits_for_no_kill(place: Place) -> None:
    place.write()
    place.apply()
    bare("stop", "--time", "60", place.box)
    assert place.inspect("{{.State.ExitCode}}") != "137"
