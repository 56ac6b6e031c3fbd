"""Dotfiles: whose, as which resources, and what a plan says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envspec.engine.facts import Account, Answer, LedgerEntry, located
from envspec.kinds.base import Observed, Verdict
from envspec.kinds.dotfiles import WORKSPACE, Dotfiles, DotfilesSpec
from envspec.kinds.file import FileSpec
from envspec.kinds.repo import RepoSpec
from envspec.model import Action, Cause, Resource
from envspec.purposes import catalogue
from envspec.resolve.dotfiles import below_home, resources, with_default
from envspec.resolve.user import Identity
from envspec.spec.dotfiles import Dotfiles as Wish
from envspec.spec.load import Loaded, loads

ADA = Identity("ada", 1000, 1000, "")
CONFIG = Path("/home/ada/.config/envspec")
DEFAULT = Wish.model_validate({"repo": "./dots", "inline": {".vimrc": {"source": "vimrc"}, ".a": "text"}})


def loaded(text: str = "image: debian:13") -> Loaded:
    return loads(f"name: e\n{text}".encode(), "env.yaml", Path("/srv/e"))


def defaulted(text: str, default: Wish | None = DEFAULT) -> Wish | None:
    return with_default(loaded(text), default, CONFIG, catalogue(Path("/srv/e"))).spec.dotfiles


@pytest.mark.parametrize("text", ["image: debian:13", "purpose: python"])
def test_the_users_own_are_the_default_relative_to_their_configuration(text: str) -> None:
    chosen = defaulted(text)
    assert chosen is not None
    assert chosen.repo == "/home/ada/.config/envspec/dots"
    assert {path: file.source for path, file in chosen.inline.items()} == {
        ".vimrc": "/home/ada/.config/envspec/vimrc",
        ".a": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        "purpose: clean",
        "image: debian:13\ntrust: untrusted",
        "image: debian:13\nsecurity: {read_only: true}",
    ],
)
def test_the_default_does_not_hold_everywhere(text: str) -> None:
    assert defaulted(text) is None


def test_without_a_network_the_default_clones_nothing() -> None:
    chosen = defaulted("image: debian:13\nnetwork: none")
    assert chosen is not None
    assert (chosen.repo, sorted(chosen.inline)) == (None, [".a", ".vimrc"])


def test_the_spec_has_its_way() -> None:
    none = defaulted("image: debian:13\ndotfiles: none")
    assert none is not None
    assert none.skip
    own = defaulted("purpose: clean\ndotfiles: {inline: {.b: x}}")
    assert own is not None
    assert sorted(own.inline) == [".b"]
    assert defaulted("image: debian:13", None) is None


def resolved(**keys: Any) -> tuple[Resource, ...]:
    wish = Wish.model_validate(keys)
    files = tuple(FileSpec(below_home(path, ADA), b"x", 0o644, 1000, 1000) for path in sorted(wish.inline))
    return resources(wish, wish.repo or "", files, ADA, ("environment.workspace",))


def test_what_they_are_and_what_they_wait_for() -> None:
    repo, installed, one, two = resolved(
        repo="https://x/dots", branch="work", script="go.sh", inline={".vimrc": "x", ".config/a": "x"}
    )
    assert (repo.address, repo.spec) == (
        "repo.~/.dotfiles",
        RepoSpec("https://x/dots", "~1000/.dotfiles", "work", 0, 1000, 1000),
    )
    assert (installed.address, installed.needs) == (WORKSPACE, ("environment.workspace", "repo.~/.dotfiles"))
    assert installed.spec.taken == (".config/a", ".vimrc")
    assert [(r.address, r.spec.path) for r in (one, two)] == [
        ("file.~/.config/a", "~1000/.config/a"),
        ("file.~/.vimrc", "~1000/.vimrc"),
    ]
    assert WORKSPACE in one.needs


def test_files_alone_need_no_repository() -> None:
    assert [r.address for r in resolved(inline={".vimrc": "x"})] == ["file.~/.vimrc"]


def test_a_target_may_be_anywhere() -> None:
    assert resolved(repo="https://x/dots", target="/opt/dots")[0].spec.path == "/opt/dots"
    assert resolved(repo="https://x/dots", target="dots")[0].address == "repo.~/dots"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/a", "/etc/a"),
        ("~1000/.vimrc", "/home/ada/.vimrc"),
        ("~0/.a/b", "/root/.a/b"),
        ("~7/.vimrc", "/.vimrc"),
        ("~8/.vimrc", "/.vimrc"),
    ],
)
def test_a_home_is_where_the_account_says(path: str, expected: str) -> None:
    accounts = (
        Account("root", 0, 0, "/root", "/bin/sh"),
        Account("ada", 1000, 1000, "/home/ada", "/bin/sh"),
        Account("ada2", 1000, 1000, "/home/other", "/bin/sh"),
        Account("bin", 8, 8, "/", "/bin/sh"),
    )
    assert located(path, accounts) == expected


SPEC = DotfilesSpec("repo.~/.dotfiles", "~1000/.dotfiles", "https://x/dots", "", (), 1000, 1000)
RESOURCE = Resource(WORKSPACE, "dotfiles", SPEC)


def world(entry: LedgerEntry | None, *unlinked: str) -> Observed:
    return Observed("e", inside=Answer(ledger=(entry,) if entry else (), unlinked=unlinked))


def entry(*, way: str = "links", runs: str = SPEC.runs, digest: str = RESOURCE.digest, **data: Any) -> LedgerEntry:
    return LedgerEntry(WORKSPACE, digest, {"runs": runs, "uid": 1000, "gid": 1000, "taken": [], **data}, {"way": way})


def test_a_plan_says_why_they_are_set_up() -> None:
    kind = Dotfiles()
    assert kind.diff(RESOURCE, SPEC, world(entry())) is None
    first = kind.diff(RESOURCE, SPEC, world(None))
    assert first is not None
    assert first.action is Action.RUN
    moved = kind.diff(RESOURCE, SPEC, world(entry(runs="https://x/old")))
    assert moved is not None
    assert (moved.action, moved.reason) == (Action.RUN, "https://x/old → https://x/dots")
    lost = kind.diff(RESOURCE, SPEC, world(entry(), "/home/ada/.vimrc"))
    assert lost is not None
    assert [(d.path, d.cause) for d in lost.diff] == [("links./home/ada/.vimrc", Cause.DRIFT)]
    other = kind.diff(RESOURCE, SPEC, world(entry(digest="old", taken=[".vimrc"])))
    assert other is not None
    assert (other.action, other.reason) == (Action.UPDATE, "other files are written inline")


def test_a_removal_says_what_stays() -> None:
    kind = Dotfiles()
    links = kind.removal(WORKSPACE, world(entry()))
    script = kind.removal(WORKSPACE, world(entry(way="install.sh")))
    assert links is not None
    assert script is not None
    assert links.reason.endswith("links go, what was there before is put back")
    assert script.reason.endswith("what install.sh did stays")


@pytest.mark.parametrize(("action", "again"), [(Action.CREATE, True), (Action.REPLACE, True), (Action.UPDATE, False)])
def test_they_are_set_up_again_in_a_repository_that_is_cloned_anew(action: Action, *, again: bool) -> None:
    found = Dotfiles().affected(RESOURCE, SPEC, {SPEC.repo: Verdict(action, "")})
    assert (found is not None) == again
