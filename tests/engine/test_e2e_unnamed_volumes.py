"""Volumes that nobody named, an image's ``VOLUME`` above all: their data is kept, or its loss has to be allowed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envspec.engine.objects import Build
from envspec.engine.whales import WhalesEngine
from tests.engine.conftest import BASE
from tests.engine.contract import TEST_LABEL
from tests.engine.e2e import NOTHING, Json, Place, Places, bare, change, objects, remove_all

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

BOX, DB, WEB = "container.workspace", "service.db", "service.web"
ONE, TWO = "envspec-test/unnamed:1", "envspec-test/unnamed:2"
DOCKERFILE = "FROM {base}\nRUN mkdir -p {more} && echo {tag} > {more}/of-image\nVOLUME /data {more}\n"


@pytest.fixture(scope="module")
def made(places: Places, bare_engine: WhalesEngine) -> Iterator[Place]:
    """An environment whose workspace and service have a volume that only their image names, with data in both."""
    for tag, ref, more in ((1, ONE, "/data"), (2, TWO, "/more")):
        text = DOCKERFILE.format(base=BASE, tag=tag, more=more)
        bare_engine.build(Build(text, ref, {TEST_LABEL: "1"}))
    place = places()
    write(place, ONE, db=ONE)
    place.apply()
    put(place.box, "mine")
    put(f"{place.name}-db-1", "theirs")
    copy = f"{place.name}-copy"
    try:
        yield place
    finally:
        place.stop_all()
        for env in (copy, place.name):
            remove_all(env)
        parts = [f"envspec/snapshot/{place.name}:{part}" for part in ("box", "volumes", "manifest")]
        bare("image", "rm", "--force", *parts, code=None)


def write(place: Place, image: str, db: str) -> None:
    asleep = {"command": ["sleep", "infinity"], "init": True}
    services = {"db": {"image": db, **asleep}, "web": {"image": BASE, "volumes_from": ["db"], **asleep}}
    place.write(image=image, mount_cwd=False, compose={"services": services})


def put(box: str, text: str) -> None:
    bare("exec", "-u", "0", box, "sh", "-c", f"echo {text} > /data/kept")


def kept(env: str, box: str = "workspace") -> str:
    return bare("exec", "-u", "0", f"{env}-{box}", "cat", "/data/kept", code=None)


def volumes(box: str) -> list[str]:
    """Return the names of a container's volumes, sorted: Docker lists its mounts in no order."""
    return sorted(bare("container", "inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", box).split())


def loses(plan: Json, address: str) -> list[str]:
    return list(change(plan, address)["data_loss"])


def test_an_environment_of_an_image_with_a_volume_converges(made: Place) -> None:
    assert made.plan()["changes"] == []


def test_a_snapshot_brings_them_back(made: Place) -> None:
    made.told("snapshot", "create", made.name, made.name)
    saved = {item["address"] for item in made.told("snapshot", "show", made.name).result["volumes"]}
    assert {f"{BOX}:/data", f"{DB}:/data"} <= saved
    copy = Place(made.directory / "copy", f"{made.name}-copy", made.image, environ=made.environ)
    copy.directory.mkdir()
    made.told("restore", made.name, "--as", copy.name, "--spec", str(copy.file))
    assert (kept(copy.name), kept(copy.name, "db-1"), kept(copy.name, "web-1")) == ("mine", "theirs", "theirs")
    assert copy.plan()["changes"] == []
    put(copy.box, "since")
    names = {*volumes(copy.box), *volumes(f"{copy.name}-db-1"), *volumes(f"{copy.name}-web-1")}
    told = copy.told("destroy", copy.name, "--yes", "--volumes", code=4).error
    assert f"{BOX} would lose /data/kept (undeclared)" in told["message"]
    allowed = [word for address in (BOX, DB, WEB) for word in ("--allow-data-loss", address)]
    copy.told("destroy", copy.name, "--yes", "--volumes", *allowed)
    assert objects(copy.name) == NOTHING
    assert not names & {*bare("volume", "ls", "--quiet").split()}
    assert (kept(made.name), kept(made.name, "db-1")) == ("mine", "theirs")


def test_a_replacement_whose_image_has_the_same_volume_takes_it_over_and_says_so(made: Place) -> None:
    write(made, TWO, db=TWO)
    plan = made.plan()
    assert [loses(plan, BOX), loses(plan, DB)] == [[], []]
    for address in (BOX, DB):
        assert any(note.startswith(f"{address} keeps what is in /data") for note in plan["notes"])
    made.apply()
    assert (kept(made.name), kept(made.name, "db-1"), kept(made.name, "web-1")) == ("mine", "theirs", "theirs")
    assert made.plan()["changes"] == []
    removed = made.plan("--destroy", ".")
    assert loses(removed, BOX) == ["/data/kept (undeclared)"]  # and nothing of what the image brought to /more


def test_an_image_without_the_volume_loses_it_only_when_that_is_allowed(made: Place) -> None:
    write(made, BASE, db=BASE)
    plan = made.plan()
    assert loses(plan, BOX) == ["/data/kept (undeclared)"]
    lost = [f"what is in {path} (a volume without a name)" for path in ("/data", "/more")]
    assert loses(plan, DB) == lost
    before = [made.id, *volumes(made.box), *volumes(f"{made.name}-db-1")]
    assert f"{DB} would lose {lost[0]}" in made.apply(code=4).error["message"]
    assert [made.id, *volumes(made.box), *volumes(f"{made.name}-db-1")] == before
    made.apply("--allow-data-loss", BOX, "--allow-data-loss", DB)
    assert kept(made.name) == ""
    assert kept(made.name, "web-1") == ""  # it mounts what the other has now
    assert not {*before} & {*bare("volume", "ls", "--quiet").split()} - {f"{made.name}-workspace"}
    assert made.plan()["changes"] == []
