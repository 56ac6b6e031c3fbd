"""Variables: which ones come inside, what a plan tells of secret ones, and how it tells that one has changed."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from envspec.engine.facts import Answer, LedgerEntry
from envspec.engine.operations import PutEnvironment, Record, RunFile
from envspec.engine.run_files import MARK, RESERVED, contents, exports, parse, read_lines, read_seals, secret_files
from envspec.errors import SpecError
from envspec.host import HostFacts
from envspec.kinds.base import Observed, Verdict
from envspec.kinds.environment import ADDRESS, Environment, EnvironmentSpec
from envspec.model import Cause, Hidden, Resource, to_json
from envspec.resolve.box import Place
from envspec.resolve.variables import passed, written
from envspec.secrets import MASK, Redactor, new_key, seal
from envspec.spec.load import Loaded, loads

KEY = new_key()
HOST = HostFacts(
    1000,
    1000,
    "ada",
    environ={
        "OPENAI_API_KEY": "sk-1",
        "MY_TOKEN": "t",
        "EMPTY_TOKEN": "",
        "CI": "true",
        "PATH": "/bin",
        "HOME": "/home/ada",
        "XDG_RUNTIME_DIR": "/run",
        "SSH_AUTH_SOCK": "/s",
        "LC_ALL": "C",
        "BASH_FUNC_x%%": "() { :; }",
    },
)


def spec_of(text: str, directory: Path) -> tuple[Loaded, Place]:
    loaded = loads(f"name: e\nimage: debian:13\n{text}".encode(), "env.yaml", directory)
    return loaded, Place("e", directory, mount_cwd=False, where=loaded.where)


# ── which variables ──


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ("auto", ["MY_TOKEN", "OPENAI_API_KEY"]),
        ("all", ["CI", "MY_TOKEN", "OPENAI_API_KEY"]),
        ("none", []),
        (("C*",), ["CI"]),
        (("CI", "PATH", "*_AUTH_SOCK", "MISSING"), ["CI", "PATH"]),
    ],
)
def test_variables_pass_by_name_and_glob(patterns: str | tuple[str, ...], names: list[str]) -> None:
    assert sorted(passed(patterns, HOST)) == names


def test_the_users_own_patterns_decide_what_auto_takes() -> None:
    assert sorted(passed("auto", replace(HOST, passthrough=("CI",)))) == ["CI"]


def test_what_comes_from_elsewhere_is_hidden_and_loses_one_line_break(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"one\ntwo\n\n")
    loaded, place = spec_of("env: {A: x, B: {from_env: CI}, C: {from_file: key}}", tmp_path)
    assert written(loaded.spec, place, HOST) == {"A": "x", "B": Hidden("true"), "C": Hidden("one\ntwo\n")}


@pytest.mark.parametrize(
    ("source", "column", "told"),
    [
        ("{from_env: NOT_SET}", 19, "NOT_SET of this host, which is not set"),
        ("{from_file: no/key}", 20, "there is no file `no/key`"),
        ("{from_file: .}", 20, "there is no file `.`"),
        ("{from_file: nul}", 20, "nul holds a NUL byte"),
        ("{from_file: big}", 20, "big is larger than 120 KiB"),
    ],
)
def test_a_missing_one_is_told_with_its_place(source: str, column: int, told: str, tmp_path: Path) -> None:
    (tmp_path / "nul").write_bytes(b"a\0b")
    (tmp_path / "big").write_bytes(b"x" * 130_000)
    loaded, place = spec_of(f"env:\n  KEY: {source}\n", tmp_path)
    with pytest.raises(SpecError) as caught:
        written(loaded.spec, place, HOST)
    assert told in caught.value.message
    assert str(caught.value.where) == f"env.yaml:4:{column}"
    assert caught.value.code == "spec.secret_missing"
    assert caught.value.hint


# ── what a plan tells ──


def spec(*variables: tuple[str, str | Hidden], files: tuple[RunFile, ...] = ()) -> EnvironmentSpec:
    return EnvironmentSpec(tuple(sorted(variables, key=lambda v: v[0])), 1000, 1000, files=files)


def world(there: EnvironmentSpec, *, edited: str = "", tampered: bool = False) -> Observed:
    """Return what is observed where a spec was applied, and then perhaps changed by hand."""
    put = PutEnvironment(there.text, 1000, 1000, b"", Record(ADDRESS, ""), tuple(there.secrets.items()), there.files)
    lines = next(file for file in contents(put, KEY) if file.path == "seals").data.decode()
    for file in secret_files(put):
        data = file.data + (b"x" if tampered else b"")
        lines += f"is {seal(KEY, data)} {file.mode:o} {file.uid} {file.gid} {file.path}\n"
    entry = LedgerEntry(ADDRESS, resource(there).digest, {"plain": sorted(there.plain)})
    return Observed("e", inside=Answer((entry,), environment=there.text + edited, seals=read_seals(lines)))


def resource(wanted: EnvironmentSpec) -> Resource:
    return Resource(ADDRESS, "environment", wanted)


def verdict(wanted: EnvironmentSpec, seen: Observed) -> Verdict | None:
    return Environment().diff(resource(wanted), wanted, seen)


def told(wanted: EnvironmentSpec, seen: Observed) -> list[tuple[str, object, object, str]]:
    found = verdict(wanted, seen)
    return [(d.path, d.before, d.after, d.cause.value) for d in found.diff] if found else []


SECRET = ("TOKEN", Hidden("canary-1"))
KEYFILE = RunFile("ssh/id", Hidden("canary-key"), 0o400, 1000, 1000)


def test_what_is_as_it_shall_be_needs_nothing() -> None:
    wanted = spec(("A", "1"), SECRET, files=(KEYFILE,))
    assert verdict(wanted, world(wanted)) is None


def test_a_rotated_secret_is_an_update_that_names_it_and_blames_nobody_inside() -> None:
    there = spec(("A", "1"), SECRET)
    wanted = spec(("A", "1"), ("TOKEN", Hidden("canary-2")))
    assert resource(wanted).digest == resource(there).digest
    assert told(wanted, world(there)) == [("env.TOKEN", "(hidden)", "(hidden)", "spec")]
    found = verdict(wanted, world(there))
    assert found is not None
    assert found.reason == "env.TOKEN has another value on this host"


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        (spec(), spec(SECRET), [("env.TOKEN", None, "(hidden)", "spec")]),
        (spec(SECRET), spec(), [("env.TOKEN", "(hidden)", None, "spec")]),
        (spec(("TOKEN", "x")), spec(SECRET), [("env.TOKEN", "(hidden)", "(hidden)", "spec")]),
        (spec(SECRET), spec(("TOKEN", "x")), [("env.TOKEN", "(hidden)", "x", "spec")]),
        (spec(), spec(files=(KEYFILE,)), [("files.ssh/id", None, "(hidden)", "spec")]),
        (spec(files=(KEYFILE,)), spec(), [("files.ssh/id", "(hidden)", None, "spec")]),
        (
            spec(files=(KEYFILE,)),
            spec(files=(replace(KEYFILE, mode=0o600),)),
            [("files.ssh/id", "(hidden)", "(hidden)", "spec")],
        ),
    ],
)
def test_coming_going_and_changing_are_told_by_name(
    there: EnvironmentSpec, wanted: EnvironmentSpec, expected: list[tuple[str, object, object, str]]
) -> None:
    assert told(wanted, world(there)) == expected


def test_a_secret_changed_by_hand_is_drift() -> None:
    wanted = spec(SECRET)
    assert told(wanted, world(wanted, tampered=True)) == [("secrets", "(hidden)", "(hidden)", "drift")]


def test_a_variable_put_there_by_hand_is_drift_and_its_value_is_not_shown() -> None:
    wanted = spec(("A", "1"))
    seen = world(wanted, edited="export MINE='canary-3'\n")
    assert told(wanted, seen) == [("env.MINE", "(hidden)", None, "drift")]


def test_other_text_put_there_by_hand_is_drift() -> None:
    wanted = spec(("A", "1"))
    assert told(wanted, world(wanted, edited="umask 0\n")) == [("env", "(hidden)", "(hidden)", "drift")]


def test_a_lost_key_is_healed() -> None:
    wanted = spec(SECRET)
    seen = world(wanted)
    assert seen.inside is not None
    seen = replace(seen, inside=replace(seen.inside, seals=None))
    assert told(wanted, seen) == [("env.TOKEN", None, "(hidden)", "drift")]


def test_after_a_stop_all_of_it_is_told_by_name() -> None:
    wanted = spec(("A", "1"), SECRET, files=(KEYFILE,))
    seen = world(wanted)
    found = verdict(wanted, replace(seen, inside=replace(seen.answer, environment=None, seals=None)))
    assert found is not None
    assert [(d.path, d.after) for d in found.diff] == [
        ("env.A", "1"),
        ("env.TOKEN", "(hidden)"),
        ("files.ssh/id", "(hidden)"),
    ]
    assert {d.cause for d in found.diff} == {Cause.ENGINE}


def test_neither_a_plan_nor_what_it_observed_holds_a_secret_or_the_key() -> None:
    wanted = spec(("A", "1"), SECRET, files=(KEYFILE,))
    seen = world(wanted)
    actual = Environment().actual(ADDRESS, wanted, seen)
    shown = json.dumps(to_json([wanted, actual, told(spec(), seen)])) + repr(wanted) + repr(seen)
    assert "canary" not in shown
    assert KEY not in shown


# ── what lies in the tmpfs ──


IMAGE = "ENVSPEC_IMAGE_FOO='ximage'\n"
"""What is written down of an image that sets ``FOO=image``."""


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "spec|spec"),
        ({"FOO": "image"}, "spec|spec"),
        ({"FOO": "mine"}, "mine|spec"),
        ({"FOO": ""}, "|spec"),
        ({"HISTFILE": "engine"}, "spec|spec"),
        ({"HISTFILE": "mine", "ENVSPEC_ENTERED": "1"}, "spec|mine"),
    ],
)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_whoever_reads_them_keeps_what_they_were_given(shell: str, environ: dict[str, str], expected: str) -> None:
    script = IMAGE + exports([("FOO", "spec"), ("HISTFILE", "spec")]) + MARK + 'printf "%s|%s" "$FOO" "$HISTFILE"'
    told = subprocess.run(
        ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in environ.items()), shell, "-euc", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == expected


def test_what_was_written_reads_as_it_was_meant() -> None:
    values = {"A": "it's\nexport B=1", "PATH": "/a:/b", "HOME": "", "E": "export"}
    assert parse(exports(values.items()) + MARK) == values


@pytest.mark.parametrize("path", [*sorted(RESERVED), "/abs", "../up", "a/../b", "", "a//b", "a\nb"])
def test_a_path_that_is_none_of_a_file_of_the_tmpfs_is_a_bug(path: str) -> None:
    put = PutEnvironment("", 0, 0, b"", Record("e", ""), files=(RunFile(path, "x", 0o400, 0, 0),))
    with pytest.raises(ValueError, match="not a path for a file"):
        list(contents(put, KEY))


def test_bytes_that_are_no_text_are_carried_as_they_are() -> None:
    value = Hidden(b"\xff\xfe".decode(errors="surrogateescape"))
    put = PutEnvironment("", 0, 0, b"", Record("e", ""), (("A", value),), (RunFile("k", value, 0o400, 0, 0),))
    found = {file.path: file.data for file in contents(put, KEY)}
    assert found["k"] == b"\xff\xfe"
    assert b"\xff\xfe" in found["secrets"]
    assert set(read_lines(found["seals"].decode()).variables) == {"A"}


def test_a_seal_tells_contents_and_keys_apart() -> None:
    seals = {seal(key, content) for key in (KEY, new_key()) for content in (b"", b"a", b"b")}
    assert len(seals) == 6


def test_a_word_that_is_no_secret_is_not_masked() -> None:
    redactor = Redactor()
    redactor.add("true")
    redactor.add("a-secret")
    assert redactor.text("true a-secret") == f"true {MASK}"
