"""Repositories: cloned, brought to a ref, never overwritten unasked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from envspec.engine.facts import LedgerEntry, Questions, RepoFact, RepoQuestion
from envspec.engine.objects import Mount
from envspec.engine.operations import REPO_CODES, Completed, EnsureUser, RemoveRepo, SyncRepo
from tests.engine.contract import FIRST, REMOTE, SECOND, USER, World, note

pytestmark = pytest.mark.engine

CLEAN = RepoFact("repo", REMOTE, SECOND, "main")


@pytest.fixture(scope="module")
def box(world: World) -> str:
    box = world.run(image=world.git_image())
    world.do(box, EnsureUser("dev", USER, USER, (), note("user.dev")))
    return box


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def path(numbers: Iterator[int]) -> str:
    return f"/workspace/app-{next(numbers)}"


def sync(path: str, ref: str = "", commit: str = "", *, url: str = REMOTE, force: bool = False) -> SyncRepo:
    return SyncRepo(url, path, ref, 0, commit, force, USER, USER, note(f"repo.{path}", "d1", ref=ref))


def look(world: World, box: str, path: str) -> RepoFact | None:
    asked = Questions(repos=(RepoQuestion(path, f"repo.{path}"),))
    return world.engine.probe(box, asked).repos.get(path)


def entry(world: World, box: str, path: str) -> LedgerEntry | None:
    return world.engine.probe(box, Questions()).entry(f"repo.{path}")


def refused(world: World, box: str, operation: SyncRepo) -> Completed:
    """Perform a sync that must end with a code, and must not change what is there."""
    before = look(world, box, operation.path), entry(world, box, operation.path)
    done = world.engine.perform(box, operation)
    assert done.code != 0
    assert (look(world, box, operation.path), entry(world, box, operation.path)) == before
    return done


def told(done: Completed) -> str:
    """Return what an exit code says."""
    return REPO_CODES[done.code]


@pytest.mark.parametrize(
    ("ref", "head", "branch"),
    [
        ("", SECOND, "main"),
        ("HEAD", SECOND, "main"),
        ("main", SECOND, "main"),
        ("old", FIRST, "old"),
        ("v1", FIRST, ""),
        (FIRST, FIRST, ""),
        (FIRST[:9], FIRST, ""),
    ],
)
def test_a_clone_is_at_its_ref(world: World, box: str, path: str, *, ref: str, head: str, branch: str) -> None:
    world.do(box, sync(path, ref))
    assert look(world, box, path) == RepoFact("repo", REMOTE, head, branch)
    facts = {"commit": head, "branch": branch, "own1": path}
    expected = LedgerEntry(f"repo.{path}", "d1", {"ref": ref}, facts)
    assert entry(world, box, path) == expected


def test_a_clone_belongs_to_the_user(world: World, box: str, path: str) -> None:
    world.do(box, sync(path))
    facts = world.engine.probe(box, Questions(files=(path, f"{path}/.git", f"{path}/README.md"))).files
    assert [(fact.uid, fact.gid) for fact in facts.values()] == [(USER, USER)] * 3


def test_a_clone_can_be_put_at_an_older_commit_of_its_branch(world: World, box: str, path: str) -> None:
    world.do(box, sync(path, "main", FIRST))
    assert look(world, box, path) == RepoFact("repo", REMOTE, FIRST, "main")


def test_nothing_is_done_when_the_ref_is_checked_out(world: World, box: str, path: str) -> None:
    world.do(box, sync(path, "main"))
    world.hands.write(box, f"{path}/README.md", "local work\n")
    world.do(box, sync(path, "main"))
    fact = look(world, box, path)
    assert fact is not None
    assert fact.dirty == 1


@pytest.mark.parametrize(
    ("before", "after", "head", "branch"),
    [
        ("main", "old", FIRST, "old"),
        ("old", "main", SECOND, "main"),
        ("main", "v1", FIRST, ""),
        ("v1", "main", SECOND, "main"),
        ("main", FIRST, FIRST, ""),
        (FIRST, SECOND, SECOND, ""),
        ("main", FIRST[:7], FIRST, ""),
        ("old", "HEAD", SECOND, "main"),
        ("v1", "HEAD", SECOND, "main"),
        ("old", "", FIRST, "old"),
    ],
)
def test_another_ref_is_checked_out(
    world: World, box: str, path: str, *, before: str, after: str, head: str, branch: str
) -> None:
    world.do(box, sync(path, before))
    world.do(box, sync(path, after))
    assert look(world, box, path) == RepoFact("repo", REMOTE, head, branch)
    found = entry(world, box, path)
    assert found is not None
    assert found.facts == {"commit": head, "branch": branch, "own1": path}


def test_a_head_that_was_moved_is_seen_and_put_back(world: World, box: str, path: str) -> None:
    world.do(box, sync(path, "main"))
    world.hands.set_head(box, path, FIRST)
    assert look(world, box, path) == RepoFact("repo", REMOTE, FIRST, "main", descends=False)
    world.do(box, sync(path, "main", SECOND))
    assert look(world, box, path) == CLEAN


@pytest.mark.parametrize("kind", ["changed", "untracked", "removed"])
def test_local_changes_are_counted_and_stop_a_checkout(world: World, box: str, path: str, kind: str) -> None:
    world.do(box, sync(path))
    if kind == "removed":
        world.shell(box, f"rm {path}/README.md")
    else:
        world.hands.write(box, f"{path}/{'README.md' if kind == 'changed' else 'new/file'}", "local work\n")
    assert look(world, box, path) == RepoFact("repo", REMOTE, SECOND, "main", dirty=1)
    assert told(refused(world, box, sync(path, "old"))) == "local_changes"


def test_what_a_command_made_in_a_work_tree_is_told_apart(world: World, box: str, path: str) -> None:
    world.do(box, sync(path))
    world.shell(box, f"touch {path}/built", uid=USER)
    assert look(world, box, path) == RepoFact("repo", REMOTE, SECOND, "main", made=1)
    world.hands.write(box, f"{path}/mine", "by hand\n")
    assert look(world, box, path) == RepoFact("repo", REMOTE, SECOND, "main", dirty=1, made=1)


def test_what_a_command_made_may_be_overwritten(world: World, box: str, path: str) -> None:
    world.do(box, sync(path))
    world.shell(box, f"touch {path}/built", uid=USER)
    world.do(box, replace(sync(path, "old"), overwrite=True))
    assert look(world, box, path) == RepoFact("repo", REMOTE, FIRST, "old", made=1)


def test_local_changes_are_thrown_away_when_that_is_allowed(world: World, box: str, path: str) -> None:
    world.do(box, sync(path))
    world.hands.write(box, f"{path}/README.md", "local work\n")
    world.do(box, sync(path, "old", force=True))
    assert look(world, box, path) == RepoFact("repo", REMOTE, FIRST, "old")


def test_a_commit_on_top_is_unpushed_and_no_departure(world: World, box: str, path: str) -> None:
    world.do(box, sync(path))
    made = world.hands.commit(box, path)
    assert look(world, box, path) == RepoFact("repo", REMOTE, made, "main", unpushed=1)
    world.do(box, sync(path))
    assert look(world, box, path) == RepoFact("repo", REMOTE, made, "main", unpushed=1)


def test_a_commit_on_a_branch_stays_there_when_another_is_checked_out(world: World, box: str, path: str) -> None:
    world.do(box, sync(path))
    world.hands.commit(box, path)
    world.do(box, sync(path, "old"))
    assert look(world, box, path) == RepoFact("repo", REMOTE, FIRST, "old", unpushed=1)


@pytest.mark.parametrize(("before", "ref", "commit"), [("main", "main", SECOND), (FIRST, "main", "")])
def test_a_commit_that_would_lose_its_last_name_stops_a_checkout(
    world: World, box: str, path: str, *, before: str, ref: str, commit: str
) -> None:
    world.do(box, sync(path, before))
    world.hands.commit(box, path)
    assert told(refused(world, box, sync(path, ref, commit))) == "local_changes"
    world.do(box, sync(path, ref, commit, force=True))
    assert look(world, box, path) == CLEAN


@pytest.mark.parametrize("url", ["file:///srv/none.git"])
def test_a_repository_that_is_not_there_leaves_nothing(world: World, box: str, path: str, url: str) -> None:
    assert told(refused(world, box, sync(path, url=url))) == "not_found"
    assert world.exists(box, path) == frozenset()


@pytest.mark.parametrize("ref", ["none", "0" * 40])
def test_a_ref_that_is_not_there_leaves_nothing(world: World, box: str, path: str, ref: str) -> None:
    assert told(refused(world, box, sync(path, ref))) == "ref"
    assert world.exists(box, path) == frozenset()


def test_a_ref_that_is_not_there_leaves_a_clone_as_it_is(world: World, box: str, path: str) -> None:
    world.do(box, sync(path))
    assert told(refused(world, box, sync(path, "none"))) == "ref"


def test_what_is_no_repository_is_in_the_way(world: World, box: str, path: str) -> None:
    world.hands.write(box, f"{path}/file", "by hand\n")
    assert told(refused(world, box, sync(path))) == "occupied"
    assert look(world, box, path) == RepoFact("other")


def test_a_repository_from_elsewhere_is_in_the_way(world: World, box: str, path: str) -> None:
    world.do(box, sync(path))
    assert told(refused(world, box, sync(path, url="file:///srv/other.git"))) == "occupied"


def test_an_empty_directory_is_cloned_into(world: World, box: str, path: str) -> None:
    world.shell(box, f"mkdir {path}")
    assert look(world, box, path) == RepoFact("empty")
    world.do(box, sync(path))
    assert look(world, box, path) == CLEAN


def test_a_volume_is_cloned_into_and_its_work_tree_removed(world: World) -> None:
    box = world.run(image=world.git_image(), mounts=(Mount("/data", "volume", world.volume()),))
    world.do(box, EnsureUser("dev", USER, USER, ("/data",), note("user.dev")))
    world.do(box, sync("/data"))
    assert look(world, box, "/data") == CLEAN
    world.do(box, RemoveRepo("repo./data", "/data"))
    assert look(world, box, "/data") == RepoFact("empty")
    assert entry(world, box, "/data") is None


def test_a_work_tree_is_removed_with_its_entry(world: World, box: str, path: str) -> None:
    world.do(box, sync(path))
    world.do(box, RemoveRepo(f"repo.{path}", path))
    assert look(world, box, path) is None
    assert entry(world, box, path) is None
    world.do(box, RemoveRepo(f"repo.{path}", path))


def test_a_path_with_a_space_is_a_path(world: World, box: str, path: str) -> None:
    world.do(box, sync(f"{path}/it's here"))
    assert look(world, box, f"{path}/it's here") == CLEAN


def test_where_nothing_is_there_is_no_fact(world: World, box: str) -> None:
    assert look(world, box, "/workspace/never") is None


def test_a_file_is_something_else(world: World, box: str, path: str) -> None:
    world.hands.write(box, path, "a file")
    assert look(world, box, path) == RepoFact("other")
