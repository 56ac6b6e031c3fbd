"""Files inside: written whole, put back, their originals kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from envspec.engine.facts import FileFact, LedgerEntry, Questions
from envspec.engine.objects import Mount
from envspec.engine.operations import (
    EnsureUser,
    FilePut,
    Forget,
    PutFiles,
    PutState,
    ReadState,
    Record,
    RemoveFiles,
    WriteRecords,
)
from tests.engine.contract import USER, World, note

pytestmark = pytest.mark.engine


def put(path: str, content: bytes = b"ours\n", mode: int = 0o644, uid: int = 0, digest: str = "d1") -> FilePut:
    return FilePut(path, content, mode, uid, uid, note(f"file.{path}", digest, path=path))


def write(world: World, box: str, *files: FilePut) -> None:
    world.do(box, PutFiles(files))


def remove(world: World, box: str, path: str) -> None:
    world.do(box, RemoveFiles(((f"file.{path}", path),)))


def look(world: World, box: str, path: str) -> FileFact | None:
    return world.engine.probe(box, Questions(files=(path,))).files.get(path)


def entry(world: World, box: str, path: str) -> LedgerEntry | None:
    return world.engine.probe(box, Questions()).entry(f"file.{path}")


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_has_content_mode_and_owner_and_is_in_the_ledger(world: World, box: str) -> None:
    write(world, box, put("/opt/a.conf", b"one", 0o640, USER))
    assert look(world, box, "/opt/a.conf") == FileFact("file", 0o640, USER, USER, sha(b"one"))
    assert entry(world, box, "/opt/a.conf") == LedgerEntry("file./opt/a.conf", "d1", {"path": "/opt/a.conf"}, {})


def test_writing_again_replaces_all(world: World, box: str) -> None:
    write(world, box, put("/opt/b.conf", b"one two three", 0o600, USER))
    write(world, box, put("/opt/b.conf", b"four", 0o755, 0, "d2"))
    assert look(world, box, "/opt/b.conf") == FileFact("file", 0o755, 0, 0, sha(b"four"))
    found = entry(world, box, "/opt/b.conf")
    assert found is not None
    assert found.digest == "d2"


@pytest.mark.parametrize(
    "content",
    [b"", bytes(range(256)), b"x" * 300_000, "grüße 漢字\n".encode(), b"no line break", b"export A='b'\n$x `y`"],
)
def test_any_content_arrives_unchanged(world: World, box: str, content: bytes) -> None:
    path = f"/opt/content/{sha(content)[:8]}"
    write(world, box, put(path, content))
    found = look(world, box, path)
    assert found is not None
    assert found.sha256 == sha(content)


@pytest.mark.parametrize(
    "name", ["with space", "it's", 'a"b', "$HOME", "-rf", "back\\slash", "grüße", "a*b", "[x]", "semi;colon", ".hidden"]
)
def test_any_name_is_taken_as_it_is(world: World, box: str, name: str) -> None:
    path = f"/opt/names/{name}"
    write(world, box, put(path))
    found = world.engine.probe(box, Questions(files=(path,), exists=(path,)))
    assert found.files.keys() == {path}
    assert found.exists == {path}
    remove(world, box, path)
    assert look(world, box, path) is None


def test_many_files_travel_at_once(world: World, box: str) -> None:
    paths = [f"/opt/many/{number % 7}/{number}" for number in range(60)]
    write(world, box, *(put(path, path.encode()) for path in paths))
    found = world.engine.probe(box, Questions(files=tuple(paths)))
    assert {path: fact.sha256 for path, fact in found.files.items()} == {p: sha(p.encode()) for p in paths}
    assert {f"file.{path}" for path in paths} <= {item.address for item in found.ledger}


def test_a_directory_in_the_way_stops_all_before_anything_is_written(world: World, box: str) -> None:
    done = world.engine.perform(box, PutFiles((put("/opt/first"), put("/usr/local"))))
    assert done.code != 0
    assert "/usr/local" in done.tail
    assert look(world, box, "/opt/first") is None
    assert entry(world, box, "/opt/first") is None


def test_a_link_leads_where_its_content_says_and_belongs_to_its_owner(world: World, box: str) -> None:
    def link(target: bytes) -> FilePut:
        return replace(put("/opt/to", target, 0o777, USER), link=True)

    world.hands.write(box, "/opt/to", "before us\n")
    write(world, box, link(b"/opt/nowhere"))
    write(world, box, link(b"/usr"))  # a directory: the link is replaced, not what it leads to
    assert look(world, box, "/opt/to") == FileFact("link", 0o777, USER, USER, sha(b"/usr"))
    write(world, box, put("/opt/to", b"a file again"))
    assert look(world, box, "/opt/to") == FileFact("file", 0o644, 0, 0, sha(b"a file again"))
    remove(world, box, "/opt/to")
    assert look(world, box, "/opt/to") == FileFact("file", 0o644, 0, 0, sha(b"before us\n"))


def test_removing_a_file_that_was_new_leaves_nothing(world: World, box: str) -> None:
    write(world, box, put("/opt/new"))
    remove(world, box, "/opt/new")
    assert look(world, box, "/opt/new") is None
    assert entry(world, box, "/opt/new") is None


def test_removing_puts_the_original_back(world: World, box: str) -> None:
    world.hands.write(box, "/opt/orig", "before us\n")
    world.hands.chmod(box, "/opt/orig", 0o604)
    before = look(world, box, "/opt/orig")
    write(world, box, put("/opt/orig", b"one"))
    write(world, box, put("/opt/orig", b"two", digest="d2"))
    remove(world, box, "/opt/orig")
    assert look(world, box, "/opt/orig") == before
    assert entry(world, box, "/opt/orig") is None


def test_an_original_is_put_back_even_when_our_file_was_removed_by_hand(world: World, box: str) -> None:
    world.hands.write(box, "/opt/orig2", "before us\n")
    before = look(world, box, "/opt/orig2")
    write(world, box, put("/opt/orig2"))
    world.shell(box, "rm /opt/orig2")
    remove(world, box, "/opt/orig2")
    assert look(world, box, "/opt/orig2") == before


def test_a_file_put_after_a_removal_keeps_the_original_of_then(world: World, box: str) -> None:
    write(world, box, put("/opt/twice"))
    remove(world, box, "/opt/twice")
    world.hands.write(box, "/opt/twice", "made in between\n")
    between = look(world, box, "/opt/twice")
    write(world, box, put("/opt/twice"))
    remove(world, box, "/opt/twice")
    assert look(world, box, "/opt/twice") == between


def test_directories_made_for_a_file_go_with_it_and_others_stay(world: World, box: str) -> None:
    write(world, box, put("/opt/deep/er/file"))
    remove(world, box, "/opt/deep/er/file")
    assert world.exists(box, "/opt/deep", "/opt") == {"/opt"}
    write(world, box, put("/opt/deep/er/file"))
    world.hands.write(box, "/opt/deep/other", "by hand")
    remove(world, box, "/opt/deep/er/file")
    assert world.exists(box, "/opt/deep/er", "/opt/deep/other") == {"/opt/deep/other"}


def test_a_file_that_is_not_ours_is_not_removed(world: World, box: str) -> None:
    world.hands.write(box, "/opt/theirs", "by hand\n")
    remove(world, box, "/opt/theirs")
    assert world.exists(box, "/opt/theirs") == {"/opt/theirs"}


def test_a_directory_that_took_the_place_is_left_alone(world: World, box: str) -> None:
    write(world, box, put("/opt/turned"))
    world.shell(box, "rm /opt/turned")
    world.hands.write(box, "/opt/turned/inner", "by hand")
    remove(world, box, "/opt/turned")
    assert world.exists(box, "/opt/turned/inner") == {"/opt/turned/inner"}
    assert entry(world, box, "/opt/turned") is None


def test_parents_below_home_and_workspace_belong_to_the_owner(world: World) -> None:
    box = world.run()
    world.do(box, EnsureUser("dev", USER, USER, (), note("user.dev")))
    for top in ("/workspace/a", "/home/dev/.config/b", "/opt/c"):
        write(world, box, put(f"{top}/file", uid=USER))
    paths = ("/workspace", "/workspace/a", "/home/dev/.config", "/home/dev/.config/b", "/opt/c")
    facts = world.engine.probe(box, Questions(files=paths)).files
    assert {path: fact.uid for path, fact in facts.items()} == dict(zip(paths, (0, USER, USER, USER, 0), strict=True))


def test_a_file_in_a_volume_outlives_its_container_and_its_entry_does_not(world: World) -> None:
    mounts = (Mount("/data", "volume", world.volume()),)
    first = world.run(mounts=mounts)
    write(world, first, put("/data/kept"))
    second = world.run(mounts=mounts)
    assert look(world, second, "/data/kept") == look(world, first, "/data/kept")
    assert world.engine.probe(second, Questions()).ledger == ()


def test_the_state_that_is_carried_over_brings_entries_and_originals(world: World) -> None:
    mounts = (Mount("/data", "volume", world.volume()),)
    first = world.run(mounts=mounts)
    world.hands.write(first, "/data/old", "before us\n")
    before = look(world, first, "/data/old")
    write(world, first, put("/data/old"), put("/data/new"), put("/opt/own"))
    carried = world.do(first, ReadState(("file./data/new", "file./data/old", "file./data/none"))).stdout
    second = world.run(mounts=mounts)
    world.do(second, PutState(carried))
    found = world.engine.probe(second, Questions())
    assert [item.address for item in found.ledger] == ["file./data/new", "file./data/old"]
    remove(world, second, "/data/old")
    remove(world, second, "/data/new")
    assert look(world, second, "/data/old") == before
    assert look(world, second, "/data/new") is None


def test_records_alone_can_be_written_and_dropped(world: World, box: str) -> None:
    data = {"text": 'it\'s\n"quoted" $x é', "number": 1.5, "list": [1, None, True], "empty": {}}
    world.do(box, WriteRecords((Record("thing.one", "d1", data), Record("thing.two", "d2"))))
    found = world.engine.probe(box, Questions())
    assert found.entry("thing.one") == LedgerEntry("thing.one", "d1", data, {})
    world.do(box, Forget(("thing.one", "thing.never")))
    left = {item.address for item in world.engine.probe(box, Questions()).ledger}
    assert "thing.one" not in left
    assert "thing.two" in left
