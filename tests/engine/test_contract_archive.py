"""Trees in and out of containers, running or not, and containers made into images."""

from __future__ import annotations

import io
import tarfile
import uuid

import pytest

from envspec.engine.archive import PathFact
from envspec.engine.facts import Questions
from envspec.engine.objects import LABEL, ContainerConfig, Mount
from envspec.engine.operations import CopyTrees
from envspec.errors import EngineCallFailed
from tests.engine.contract import USER, World, refused

pytestmark = pytest.mark.engine


def send(world: World, box: str, directory: str, *files: tuple[str, str]) -> None:
    with world.engine.write_archive(box, directory) as sink:
        sink.write(archive(*files))


def archive(*files: tuple[str, str]) -> bytes:
    """Return a tar stream of files that belong to the user, in a directory of that name where one has a slash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files:
            info = tarfile.TarInfo(name)
            info.uid = info.gid = USER
            info.mode, info.mtime, info.size = 0o640, 1_000_000, len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def fetch(world: World, box: str, path: str) -> dict[str, tuple[str, int]]:
    """Return name, content and mode of the files that come out; whose they were Podman does not tell."""
    with world.engine.read_archive(box, path) as source, tarfile.open(fileobj=source, mode="r|") as tar:
        return {
            info.name: (stream.read().decode(), info.mode & 0o7777)
            for info in tar
            if info.isreg() and (stream := tar.extractfile(info))
        }


def owner(world: World, box: str, path: str) -> int:
    return world.engine.probe(box, Questions(files=(path,))).files[path].uid


@pytest.fixture(scope="module")
def stopped(world: World) -> str:
    """A container with a volume that was never started."""
    return world.create(mounts=(Mount("/data", "volume", world.volume()),))


@pytest.mark.parametrize("running", [True, False])
def test_what_goes_in_comes_out_with_owner_and_mode(world: World, box: str, stopped: str, running: bool) -> None:
    chosen, directory = (box, "/srv") if running else (stopped, "/data")
    send(world, chosen, directory, ("a", "one"), ("b", "two"))
    found = fetch(world, chosen, directory)
    top = directory.rpartition("/")[2]
    kept = {name.partition("/")[2]: value for name, value in found.items()}
    assert kept == {"a": ("one", 0o640), "b": ("two", 0o640)}
    assert not running or {name.partition("/")[0] for name in found} == {top}
    assert not running or owner(world, chosen, f"{directory}/a") == USER
    assert list(fetch(world, chosen, f"{directory}/a").values()) == [("one", 0o640)]


def test_a_path_is_told_for_what_it_is(world: World, box: str, stopped: str) -> None:
    for chosen in (box, stopped):
        assert world.engine.find_path(chosen, "/etc") == PathFact("dir", "/etc")
        assert world.engine.find_path(chosen, "/etc/passwd") == PathFact("file", "/etc/passwd")
        assert world.engine.find_path(chosen, "/etc/nothing") == PathFact("", "/etc/nothing")
        assert world.engine.find_path(chosen, "/nothing/here").type == ""
    assert world.engine.find_path(stopped, "/data") == PathFact("dir", "/data")


LINKS = {
    "/srv": {"l": "/data/dir", "ll": "../srv/l", "gone": "nowhere"},
    "/data": {"root": "/etc", "own": "/data/dir", "dir": "", "memory": "/run/envspec"},
}
"""Links by directory and name; ``""`` stands for a directory with a file."""

LED = {
    "/srv/ll/file": PathFact("file", "/data/dir/file"),
    "/srv/ll/nothing": PathFact("", "/srv/ll/nothing"),
    "/data/root/passwd": PathFact("file", "/etc/passwd"),
    "/data/own/file": PathFact("file", "/data/dir/file"),
    "/data/memory": PathFact("dir", "/run/envspec"),
}


def test_links_lead_to_one_place_whether_it_runs_or_not(world: World) -> None:
    box = world.run(mounts=(Mount("/data", "volume", world.volume()),))
    for directory, links in LINKS.items():
        with world.engine.write_archive(box, directory) as sink, tarfile.open(fileobj=sink, mode="w|") as tar:
            for name, target in links.items():
                tar.addfile(member(name, target))
    send(world, box, "/data", ("dir/file", "one"))
    assert {path: world.engine.find_path(box, path) for path in LED} == LED
    world.engine.stop(box, grace=0)
    assert {path: world.engine.find_path(box, path) for path in LED} == LED
    with pytest.raises(EngineCallFailed) as error:
        world.engine.find_path(box, "/srv/gone")
    assert error.value.code == "copy.link"


def member(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = (tarfile.SYMTYPE, target) if target else (tarfile.DIRTYPE, "")
    info.mode = 0o755
    return info


def test_a_directory_that_is_not_there_is_refused(world: World, box: str) -> None:
    with refused():
        send(world, box, "/nothing", ("a", "one"))
    with refused():
        fetch(world, box, "/nothing")


def test_a_pause_ends_with_its_block_even_when_that_fails(world: World, box: str) -> None:
    with world.engine.paused([box]):
        assert world.state(box).status == "paused"
    assert world.state(box).status == "running"
    with pytest.raises(KeyError), world.engine.paused([box]):
        raise KeyError
    assert world.state(box).status == "running"
    with world.engine.paused([]):
        assert world.state(box).status == "running"


def test_an_image_of_a_container_has_its_files_and_its_labels_under_those_given(world: World) -> None:
    box = world.run(labels={**world.labels, f"{LABEL}session": "s1"}, mounts=(Mount("/v", "volume", world.volume()),))
    send(world, box, "/srv", ("kept", "kept"))
    send(world, box, "/v", ("not", "not"))
    ref = world.image_ref()
    image = world.engine.commit(box, ref, {f"{LABEL}session": "", f"{LABEL}snapshot": "x"})
    found = world.engine.images([ref])[ref]
    assert found.id == image
    assert found.labels[f"{LABEL}env"] == world.env
    assert (found.labels[f"{LABEL}session"], found.labels[f"{LABEL}snapshot"]) == ("", "x")
    other = world.engine.create_container(world.name(), world.config(image=ref), world.labels)
    world.remember(other)
    assert fetch(world, other, "/srv/kept") == {"kept": ("kept", 0o640)}
    world.engine.start(other)
    assert owner(world, other, "/srv/kept") == USER
    assert world.engine.find_path(other, "/v/not").type == ""


def test_a_file_in_an_image_is_read_back(world: World) -> None:
    ref = f"envspec/snapshot/{world.name()}:manifest"
    content = f"{uuid.uuid4()} \N{SNOWMAN}\n".encode() * 5000
    label = {f"{LABEL}kind": "snapshot", f"{LABEL}test": "1"}
    try:
        world.engine.import_file(ref, content, label)
        assert world.engine.image_file(ref) == content
        (found,) = [image for image in world.engine.snapshot_images() if ref in image.refs]
        assert found.labels[f"{LABEL}kind"] == "snapshot"
        assert found.uses == ()
        assert ref not in [ref for image in world.engine.stored_images() for ref in image.refs]
    finally:
        world.engine.remove_image(ref)
    with refused():
        world.engine.image_file(ref)


def test_trees_are_copied_with_owners_and_modes(world: World) -> None:
    first, second = world.volume(), world.volume()
    box = world.run(mounts=(Mount("/from", "volume", first), Mount("/to", "volume", second)))
    send(world, box, "/from", ("a", "one"))
    world.do(box, CopyTrees((("/from", "/to"), ("/from", "/new"))))
    for path in ("/to/a", "/new/a"):
        assert fetch(world, box, path) == {"a": ("one", 0o640)}
        assert owner(world, box, path) == USER
    done = world.engine.perform(box, CopyTrees((("/nothing-here", "/to"),)))
    assert done.code != 0


def test_a_helper_can_be_made_of_an_images_id(world: World) -> None:
    image = world.engine.images([world.base])[world.base].id
    box = world.engine.create_container(world.name(), ContainerConfig(image, network="none", tmpfs=()), world.labels)
    world.remember(box)
    assert world.state(box).image_id == image
