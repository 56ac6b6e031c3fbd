"""Trust: what an environment may have of the user's own, and what an untrusted one may not even ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.errors import SpecError
from envspec.frontmatter import FrontMatter
from envspec.purposes import catalogue
from envspec.resolve import place_of
from envspec.resolve.trust import check, takes, trusted
from envspec.spec.load import Loaded, loads

BASE = {"summary": "s", "base": {"registry": "r", "bootstrap": "b"}}
PLAIN = FrontMatter.model_validate(BASE)
UNTRUSTED = FrontMatter.model_validate(BASE | {"trust": "untrusted"})
CLEAN = FrontMatter.model_validate(BASE | {"forwards": []})
GIT = FrontMatter.model_validate(BASE | {"forwards": ["git"]})


def loaded(text: str = "") -> Loaded:
    return loads(f"name: e\nimage: debian:13\n{text}".encode(), "env.yaml", Path("/srv/e"))


@pytest.mark.parametrize(
    ("text", "purpose", "expected"),
    [
        ("", None, True),
        ("", PLAIN, True),
        ("", UNTRUSTED, False),
        ("trust: trusted", UNTRUSTED, True),
        ("trust: untrusted", PLAIN, False),
    ],
)
def test_the_spec_decides_and_then_the_purpose(text: str, purpose: FrontMatter | None, expected: bool) -> None:
    assert trusted(loaded(text).spec, purpose) is expected


@pytest.mark.parametrize(
    ("text", "purpose", "expected"),
    [
        ("", None, ["env", "git"]),
        ("", CLEAN, []),
        ("", GIT, ["git"]),
        ("trust: untrusted", GIT, []),
        ("", UNTRUSTED, []),
    ],
)
def test_what_comes_along_unasked(text: str, purpose: FrontMatter | None, expected: list[str]) -> None:
    assert [what for what in ("env", "git") if takes(loaded(text).spec, purpose, what)] == expected


@pytest.mark.parametrize(
    "line",
    [
        "mount_cwd: true",
        "env_passthrough: auto",
        "env_passthrough: [A]",
        "forward_git: true",
        "forward_gh: true",
        "forward_ssh: agent",
        "forward_ssh: true",
    ],
)
@pytest.mark.parametrize(("trust", "purpose"), [("trust: untrusted\n", None), ("", UNTRUSTED)])
def test_an_untrusted_environment_cannot_ask(line: str, trust: str, purpose: FrontMatter | None) -> None:
    with pytest.raises(SpecError) as caught:
        check(loaded(trust + line), purpose)
    assert caught.value.code == "spec.untrusted"
    assert caught.value.where.line == 3 + bool(trust)
    assert "trust: trusted" in caught.value.hint
    check(loaded(line), PLAIN)


@pytest.mark.parametrize("line", ["", "mount_cwd: false", "env_passthrough: none", "env: {A: {from_env: B}}"])
def test_it_may_have_nothing_or_what_is_given_by_name(line: str) -> None:
    check(loaded(f"trust: untrusted\n{line}"), None)


def test_an_untrusted_environment_does_not_get_the_directory_of_its_file() -> None:
    assert place_of(loaded(), catalogue(Path("/srv/e"))).mount_cwd
    assert not place_of(loaded("trust: untrusted"), catalogue(Path("/srv/e"))).mount_cwd
