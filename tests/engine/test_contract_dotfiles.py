"""What lies below a home, wherever that is, and what a directory of dotfiles does to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from envspec.engine.facts import FileFact, LedgerEntry, Questions, RepoFact, RepoQuestion
from envspec.engine.operations import (
    Completed,
    EnsureUser,
    FilePut,
    InstallDotfiles,
    PutFiles,
    RemoveDotfiles,
    RemoveFiles,
    RemoveRepo,
    SyncRepo,
)
from envspec.kinds.dotfiles import LINKS, SCRIPTS
from tests.engine.contract import REMOTE, SECOND, World, note

pytestmark = pytest.mark.engine

ADDRESS = "dotfiles.workspace"


@pytest.fixture(scope="module")
def box(world: World) -> str:
    return world.run(image=world.git_image())


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count(1001)


@pytest.fixture
def uid(world: World, box: str, numbers: Iterator[int]) -> int:
    """A user of one's own, called ``devUID``."""
    uid = next(numbers)
    world.do(box, EnsureUser(f"dev{uid}", uid, uid, (), note("user.workspace")))
    return uid


def install(uid: int, *, again: bool = True, script: str = "", taken: tuple[str, ...] = ()) -> InstallDotfiles:
    scripts, links = ((script,), ()) if script else (SCRIPTS, LINKS)
    return InstallDotfiles(f"~{uid}/.dotfiles", scripts, links, taken, again, uid, uid, note(f"{ADDRESS}{uid}"))


def write(world: World, box: str, uid: int, **files: str) -> None:
    """Write dotfiles as their user; an underscore is a dot, two are a slash."""
    named = {f"~{uid}/.dotfiles/{name.replace('__', '/').replace('_', '.')}": text for name, text in files.items()}
    puts = (FilePut(path, text.encode(), 0o644, uid, uid, note(f"file.{path}")) for path, text in named.items())
    world.do(box, PutFiles(tuple(puts)))


def links(world: World, box: str, uid: int, *names: str) -> dict[str, FileFact]:
    found = world.engine.probe(box, Questions(files=tuple(sorted(f"~{uid}/{name}" for name in names)))).files
    return {path.partition("/")[2]: fact for path, fact in found.items()}


def entry(world: World, box: str, uid: int) -> LedgerEntry | None:
    return world.engine.probe(box, Questions()).entry(f"{ADDRESS}{uid}")


def facts(world: World, box: str, uid: int) -> dict[str, str]:
    found = entry(world, box, uid)
    assert found is not None
    return dict(found.facts)


def unlinked(world: World, box: str, uid: int) -> tuple[str, ...]:
    return world.engine.probe(box, Questions(links=(f"{ADDRESS}{uid}",))).unlinked


def attempt(world: World, box: str, operation: InstallDotfiles) -> Completed:
    done = world.engine.perform(box, operation)
    assert done.code != 0
    return done


def test_a_path_below_a_home_is_where_the_account_says(world: World, box: str, uid: int) -> None:
    path = f"~{uid}/.config/deep/er"
    world.do(box, PutFiles((FilePut(path, b"mine\n", 0o640, uid, uid, note(f"file.{uid}", path=path)),)))
    real = f"/home/dev{uid}/.config/deep/er"
    answer = world.engine.probe(box, Questions(files=(real, path), exists=(real, path, f"~{uid}/none")))
    assert answer.files[path] == answer.files[real]
    assert (answer.files[path].mode, answer.files[path].uid) == (0o640, uid)
    assert answer.exists == {real, path}
    assert links(world, box, uid, ".config")[".config"].uid == uid
    world.do(box, RemoveFiles(((f"file.{uid}", path),)))
    assert world.exists(box, real, f"/home/dev{uid}/.config") == frozenset()


def test_a_repository_is_cloned_below_a_home(world: World, box: str, uid: int) -> None:
    path, address = f"~{uid}/.dotfiles", f"repo.~{uid}"
    world.do(box, SyncRepo(REMOTE, path, "", 0, "", False, uid, uid, note(address)))
    asked = Questions(repos=(RepoQuestion(path, address),), declared=(path,), undeclared=("/home",))
    answer = world.engine.probe(box, asked)
    assert answer.repos[path] == RepoFact("repo", REMOTE, SECOND, "main")
    world.hands.write(box, f"/home/dev{uid}/.dotfiles/new", "by hand\n")
    assert world.engine.probe(box, asked).repos[path].dirty == 1
    assert f"/home/dev{uid}/.dotfiles/new" not in (world.engine.probe(box, asked).undeclared or ())
    world.do(box, RemoveRepo(address, path))
    assert world.exists(box, f"/home/dev{uid}/.dotfiles") == frozenset()


def test_common_files_are_linked_and_remembered(world: World, box: str, uid: int) -> None:
    write(world, box, uid, _zshrc="a\n", _config__tool__rc="b\n", README="no link\n")
    world.do(box, install(uid))
    found = links(world, box, uid, ".zshrc", ".config", ".config/tool", "README")
    assert {name: (fact.type, fact.uid) for name, fact in found.items()} == {
        ".zshrc": ("link", uid),
        ".config": ("dir", uid),
        ".config/tool": ("link", uid),
    }
    home = f"/home/dev{uid}"
    expected = {"way": "links", "home": home, "from": f"{home}/.dotfiles", "link1": ".zshrc", "link2": ".config/tool"}
    assert facts(world, box, uid) == expected
    assert unlinked(world, box, uid) == ()


def test_a_link_that_is_gone_or_a_file_is_told_and_mended_and_nothing_is_lost(world: World, box: str, uid: int) -> None:
    write(world, box, uid, _zshrc="a\n", _vimrc="b\n")
    home = f"/home/dev{uid}"
    world.hands.write(box, f"{home}/.zshrc", "the image's\n")
    original = links(world, box, uid, ".zshrc")[".zshrc"]
    world.do(box, install(uid))
    assert links(world, box, uid, ".zshrc")[".zshrc"].type == "link"
    world.shell(box, f"rm {home}/.vimrc", uid=uid)
    world.shell(box, f"rm {home}/.zshrc", uid=uid)
    world.hands.write(box, f"{home}/.zshrc", "by hand\n")
    assert unlinked(world, box, uid) == (f"{home}/.vimrc", f"{home}/.zshrc")
    world.do(box, install(uid, again=False))
    assert unlinked(world, box, uid) == ()
    aside = ".zshrc.before-dotfiles"
    assert links(world, box, uid, aside)[aside].type == "file"
    world.do(box, RemoveDotfiles(f"{ADDRESS}{uid}", uid, uid))
    found = links(world, box, uid, ".zshrc", ".vimrc")
    assert {name: fact.sha256 for name, fact in found.items()} == {".zshrc": original.sha256}
    assert entry(world, box, uid) is None
    world.do(box, RemoveDotfiles(f"{ADDRESS}{uid}", uid, uid))


def test_what_belongs_to_others_is_not_linked_and_let_go(world: World, box: str, uid: int) -> None:
    write(world, box, uid, _zshrc="a\n", _vimrc="b\n", _config__tool__rc="c\n")
    world.do(box, install(uid))
    world.do(box, install(uid, taken=(".zshrc", ".config/tool/rc")))
    assert set(links(world, box, uid, ".zshrc", ".vimrc", ".config/tool")) == {".vimrc"}
    assert [value for key, value in facts(world, box, uid).items() if key.startswith("link")] == [".vimrc"]


def test_a_script_is_run_in_the_repository_as_the_user_and_again_only_when_asked(
    world: World, box: str, uid: int
) -> None:
    write(world, box, uid, install_sh="touch made\n", setup_sh="touch never\n", _zshrc="no link\n")
    world.do(box, install(uid))
    found = links(world, box, uid, ".zshrc", ".dotfiles/made", ".dotfiles/never")
    assert {name: fact.uid for name, fact in found.items()} == {".dotfiles/made": uid}
    assert facts(world, box, uid)["way"] == "install.sh"
    world.shell(box, f"rm /home/dev{uid}/.dotfiles/made", uid=uid)
    world.do(box, install(uid, again=False))
    assert not links(world, box, uid, ".dotfiles/made")
    world.do(box, install(uid))
    assert links(world, box, uid, ".dotfiles/made")


def test_a_script_that_fails_has_not_run(world: World, box: str, uid: int) -> None:
    write(world, box, uid, install_sh="true\n")
    world.do(box, install(uid))
    write(world, box, uid, install_sh="exit 7\n")
    assert attempt(world, box, install(uid)).code == 7
    assert entry(world, box, uid) is None


def test_a_script_of_the_authors_choice_has_to_be_there(world: World, box: str, uid: int) -> None:
    write(world, box, uid, _zshrc="no link\n", bin__go="touch made\n")
    world.do(box, install(uid, script="bin/go"))
    assert set(links(world, box, uid, ".zshrc", ".dotfiles/made")) == {".dotfiles/made"}
    assert "bin/none" in attempt(world, box, install(uid, script="bin/none")).tail


def test_links_go_when_a_script_takes_over(world: World, box: str, uid: int) -> None:
    write(world, box, uid, _zshrc="a\n")
    world.do(box, install(uid))
    write(world, box, uid, setup_sh="touch made\n")
    world.do(box, install(uid))
    assert set(links(world, box, uid, ".zshrc", ".dotfiles/made")) == {".dotfiles/made"}
    assert facts(world, box, uid)["way"] == "setup.sh"


def test_without_a_home_or_a_directory_there_are_no_dotfiles(world: World, box: str, uid: int) -> None:
    attempt(world, box, replace(install(4321), path="/srv"))
    attempt(world, box, install(uid))
    assert entry(world, box, uid) is None
