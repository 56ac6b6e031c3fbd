"""Networks and images that environments share, and how many there may be; read back with the bare client."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from envspec.engine.objects import Build
from envspec.engine.whales import WhalesEngine
from tests.engine.contract import TEST_LABEL
from tests.engine.e2e import NOTHING, Place, Places, bare, engine_name, objects, remove_images, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture
def network() -> Iterator[str]:
    """A name for a network, which is gone at the end whoever made it, and so is who is still on it."""
    name = f"evt-{uuid.uuid4().hex[:10]}"
    try:
        yield name
    finally:
        boxes = bare("ps", "--all", "--quiet", "--filter", f"network={name}", code=None).split()
        if boxes:
            bare("container", "rm", "--force", *boxes, code=None)
        bare("network", "rm", name, code=None)


@pytest.fixture
def purpose() -> Iterator[str]:
    """A name for a purpose, whose images, and what runs them, are gone at the end."""
    name = f"evt-{uuid.uuid4().hex[:10]}"
    try:
        yield name
    finally:
        remove_images(name)


@pytest.fixture
def base(bare_engine: WhalesEngine, request: pytest.FixtureRequest) -> str:
    """The base image of the engine."""
    found: str = request.getfixturevalue(f"{bare_engine.name}_base")
    return found


def network_names() -> list[str]:
    return bare("network", "ls", "--format", "{{.Name}}").split()


def test_environments_meet_on_a_network_that_goes_only_when_nobody_is_on_it(places: Places, network: str) -> None:
    one, other = places(), places()
    made = one.told("network", "create", network).result
    assert made["created"] is True
    assert one.told("network", "create", network).result == {**made, "created": False}
    assert network_names().count(network) == 1
    for place in (one, other):
        place.write(networks=[network])
        place.apply()
        assert place.plan()["changes"] == []
    # The engine's resolver learns of a container just after it starts.
    until(lambda: one.inside('getent hosts "$1"', other.name, code=None), "one reaches the other by its name")
    assert other.inside('getent hosts "$1"', one.name)

    (row,) = (row for row in one.told("network", "list").result if row["name"] == network)
    assert (row["made_by"], row["members"]) == ("", sorted([one.name, other.name]))
    error = one.told("network", "rm", network, code=4).error
    assert error["code"] == "network.in_use"
    assert one.name in error["message"]
    assert other.name in error["message"]
    for place in (one, other):
        place.run("destroy", place.name, "--yes")
    assert network in network_names()
    one.run("network", "rm", network)
    assert network not in network_names()
    assert one.told("network", "rm", network, code=3).error["code"] == "network.unknown"


def test_somebody_elses_network_is_not_removed(place: Place, network: str) -> None:
    bare("network", "create", network)
    assert place.told("network", "rm", network, code=4).error["code"] == "network.not_ours"
    assert place.told("network", "create", network, code=6).error["code"] == "network.not_ours"
    assert network in network_names()


def test_the_cache_lists_and_clears_what_no_container_uses(
    bare_engine: WhalesEngine, git_image: str, place: Place, purpose: str
) -> None:
    refs = []
    for number in (1, 2):
        refs.append(f"envspec/{purpose}:{number}")
        labels = {TEST_LABEL: "1", "dev.envspec.kind": "image", "dev.envspec.purpose": purpose}
        bare_engine.build(Build(f"FROM {git_image}\nENV NUMBER={number}\n", refs[-1], labels))
    box = bare("container", "create", "--name", f"{purpose}-user", refs[0], "true")
    try:
        rows = {row["ref"]: row for row in place.told("cache", "list").result if row["purpose"] == purpose}
        assert sorted(rows) == refs
        for ref in refs:
            assert rows[ref]["size"] == int(bare("image", "inspect", "--format", "{{.Size}}", ref))
        used, unused = rows[refs[0]], rows[refs[1]]
        assert (used["last_used_by"], used["used_by"]) == (f"{purpose}-user", [f"{purpose}-user"])
        assert used["last_used"] > used["created"]
        assert unused["last_used"] >= unused["created"]
        assert unused["last_used_by"] == ""

        cleared = place.told("cache", "clear", purpose).result
        assert cleared["removed"] == [refs[1]]
        assert cleared["kept"] == [[refs[0], f"used by {purpose}-user"]]
        assert bare("image", "inspect", "--format", "{{.Id}}", refs[0])
        assert refs[1] not in bare("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    finally:
        bare("container", "rm", "--force", box)
    assert place.told("cache", "clear", purpose).result["removed"] == [refs[0]]
    assert place.told("cache", "clear", purpose, code=3).error["code"] == "cache.unknown"


def test_no_cache_builds_afresh_and_the_environment_runs_what_was_built(place: Place, purpose: str, base: str) -> None:
    directory = place.directory / "purposes"
    directory.mkdir()
    text = f"---\nsummary: for a test\nbase: {{registry: '{base}', bootstrap: debian-13}}\nmount_cwd: false\n---\n"
    text += "FROM {{ base }}\nRUN {{ mounts }} head -c 16 /dev/urandom | sha256sum > /built\n"
    (directory / f"{purpose}.Dockerfile.j2").write_text(text)
    place.write(purpose=purpose, image_source="local", memory="none", pids="none")
    place.apply()
    first, image = place.inside("cat /built"), place.inspect("{{.Image}}")
    assert place.plan()["changes"] == []
    told = place.apply("--no-cache", "--allow-data-loss", "container.workspace")
    assert told.done["image.workspace"] == "done"
    assert told.result["image_cached"] is False
    assert place.inside("cat /built") != first
    assert place.inspect("{{.Image}}") != image
    assert place.plan()["changes"] == []


def test_an_image_was_used_last_when_the_last_environment_went_where_the_engine_remembers(
    bare_engine: WhalesEngine, git_image: str, place: Place, purpose: str
) -> None:
    ref = f"envspec/{purpose}:1"
    labels = {TEST_LABEL: "1", "dev.envspec.kind": "image", "dev.envspec.purpose": purpose}
    bare_engine.build(Build(f"FROM {git_image}\n", ref, labels))
    place.write(image=ref)
    place.apply()
    began = time.time()
    place.told("destroy", place.name, "--yes")
    (row,) = (row for row in place.told("cache", "list").result if row["purpose"] == purpose)
    assert row["used_by"] == []
    assert row["last_used"] == row["created"] if engine_name() == "podman" else began < row["last_used"] < time.time()


def test_one_environment_too_many_is_refused_and_nothing_is_made(places: Places) -> None:
    one, other = places(), places()
    one.write()
    one.apply()
    config = other.directory / "config" / "envspec"
    config.mkdir(parents=True)
    (config / "config.yaml").write_text("max_environments: 1\n")
    limited = {**other.environ, "XDG_CONFIG_HOME": str(config.parent)}
    other.environ, one.environ = limited, limited
    other.write()
    error = other.apply(code=4).error
    assert error["code"] == "refused.max_environments"
    assert "envspec list" in error["hint"]
    assert objects(other.name) == NOTHING
    one.write(env={"A": "1"})
    one.apply()
