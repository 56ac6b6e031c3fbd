"""Twenty environments of one purpose, side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine.e2e import NOTHING, ON_DOCKER, Place, Places, bare, objects

pytestmark = [ON_DOCKER, pytest.mark.engine, pytest.mark.timeout(600)]

AT_ONCE = 5


def test_twenty_environments_come_up_run_a_job_each_and_are_destroyed(places: Places) -> None:
    twenty = [places() for _ in range(20)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(live, twenty))
        running = bare("ps", "--format", "{{.Names}}").split()
        assert {place.box for place in twenty} <= set(running)
        assert list(pool.map(work, twenty)) == [f"{place.name}\n" for place in twenty]
        list(pool.map(lambda place: place.run("destroy", place.name, "--yes"), twenty))
    assert [objects(place.name) for place in twenty] == [NOTHING] * 20


def live(place: Place) -> None:
    place.write(purpose="clean", image_source="bootstrap")
    place.apply()


def work(place: Place) -> str:
    job = f"{place.name}/work"
    place.run("job", "start", place.name, "--name", "work", "--", "hostname")
    place.run("job", "wait", job)
    return place.run("job", "logs", job).stdout
