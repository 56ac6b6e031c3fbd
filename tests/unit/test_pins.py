"""The versions that a repository asks for: where they are written, and what satisfies them."""

from __future__ import annotations

import pytest

from envspec.pins import Requirement, requirements


def asked(language: str, **texts: str) -> list[tuple[str, str, bool]]:
    """Return what files ask for; their names with ``__`` for a dot and ``_`` for a dash."""
    named = {name.replace("__", ".").replace("_", "-"): text for name, text in texts.items()}
    return [(found.text, found.file, found.pin) for found in requirements(language, named)]


def test_python_asks_in_a_pin_a_project_and_a_setup_script() -> None:
    assert asked("python", __python_version="# mine\n3.12.4\n3.11\n") == [("3.12.4", ".python-version", True)]
    assert asked("python", pyproject__toml='[project]\nrequires-python = ">=3.10,<3.14"\n') == [
        (">=3.10,<3.14", "pyproject.toml", False)
    ]
    assert asked("python", pyproject__toml='[tool.poetry.dependencies]\npython = "^3.9"\n') == [
        ("^3.9", "pyproject.toml", False)
    ]
    setup = "setup(name='x', python_requires = '>=3.8')"
    assert asked("python", setup__py=setup) == [(">=3.8", "setup.py", False)]


def test_node_asks_in_pins_and_engines() -> None:
    assert asked("node", __nvmrc="v20.11.0\n", __node_version="20") == [
        ("v20.11.0", ".nvmrc", True),
        ("20", ".node-version", True),
    ]
    assert asked("node", package__json='{"engines": {"node": ">=18 <21"}}') == [(">=18 <21", "package.json", False)]


def test_rust_asks_in_a_toolchain_of_either_form_and_a_manifest() -> None:
    assert asked("rust", rust_toolchain="1.75\n") == [("1.75", "rust-toolchain", True)]
    table = '[toolchain]\nchannel = "1.80.1"\n'
    assert asked("rust", rust_toolchain=table) == [("1.80.1", "rust-toolchain", True)]
    assert asked("rust", rust_toolchain__toml=table) == [("1.80.1", "rust-toolchain.toml", True)]
    assert asked("rust", Cargo__toml='[package]\nrust-version = "1.70"\n') == [(">=1.70", "Cargo.toml", False)]


def test_the_go_directive_is_a_least_version() -> None:
    assert asked("go", go__mod="module example.org/x\n\ngo 1.22.3\n") == [(">=1.22.3", "go.mod", False)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml [",
        '{"engines": []}',
        "[" * 10_000,
        '[project]\nrequires-python = ["3.12"]',
        "\x00\x1b[2J",
        "9" * 300,
    ],
)
def test_files_that_say_nothing_or_are_hostile_ask_for_nothing(text: str) -> None:
    for language in ("python", "node", "rust", "go", "haskell"):
        names = ("pyproject.toml", "package.json", "Cargo.toml", "rust-toolchain.toml", "go.mod", ".python-version")
        found = requirements(language, dict.fromkeys(names, text))
        assert all(not item.ranges or item.text == text for item in found)
        assert all(len(item.text) < 100 and item.text.isprintable() for item in found)


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("3.12", ("3.12", "3.12.4"), ("3.13", "3.1")),
        ("3.12.4", ("3.12",), ("3.13",)),
        (">=3.11", ("3.11", "3.13"), ("3.10",)),
        (">=3.11,<3.13", ("3.12",), ("3.13", "3.10")),
        (">=3.11, <3.13.0", ("3.12",), ("3.13",)),
        ("<3.13.2", ("3.13",), ("3.14",)),
        ("<=3.12", ("3.12",), ("3.13",)),
        (">3.12", ("3.13",), ("3.12",)),
        ("~=3.11", ("3.13",), ("3.10", "4.0")),
        ("~=3.11.2", ("3.11",), ("3.12",)),
        ("==3.12.*", ("3.12",), ("3.13",)),
        (">=3.9, !=3.9.7", ("3.9",), ("3.8",)),
        ("^3.9", ("3.9", "3.13"), ("4.0",)),
        ("^0.2.3", ("0.2",), ("0.3",)),
        ("20", ("20",), ("18", "22")),
        ("v20.11.0", ("20",), ("18",)),
        ("20.x", ("20",), ("18",)),
        ("*", ("1", "20"), ()),
        ("^18 || >=20.1", ("18", "20", "22"), ("19",)),
        (">=18 <21", ("18", "20"), ("21", "16")),
        ("18 - 20", ("18", "19", "20"), ("21",)),
        ("~20.1", ("20",), ("21",)),
        (">= 20", ("20",), ("18",)),
        ("lts/iron", ("18", "20"), ()),
        ("nightly-2024-01-01", ("1.85",), ()),
    ],
)
def test_a_requirement_allows_what_begins_as_some_version_that_satisfies_it(
    text: str, yes: tuple[str, ...], no: tuple[str, ...]
) -> None:
    wish = Requirement(text, "file")
    assert [version for version in yes if not wish.allows(version)] == []
    assert [version for version in no if wish.allows(version)] == []


def test_only_what_ends_before_a_version_is_older_than_it() -> None:
    assert Requirement("3.12", "f").is_older_than("3.13")
    assert Requirement("18.1.2", "f").is_older_than("20")
    assert not Requirement("3.14", "f").is_older_than("3.13")
    assert not Requirement(">=3.9", "f").is_older_than("3.13")
    assert not Requirement("nightly", "f").is_older_than("1.85")
