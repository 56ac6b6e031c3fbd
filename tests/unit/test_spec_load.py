"""Specs in ``tests/cases/spec``: what each says, or all that is wrong with it and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envspec.errors import SpecError, SpecFaults
from envspec.spec.load import load, loads, slug_of
from envspec.spec.models import Spec

CASES = Path(__file__).parents[1] / "cases" / "spec"


def cases(kind: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((CASES / kind).glob("*.yaml"))]


def faults_of(text: str | bytes) -> tuple[SpecError, ...]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(SpecFaults) as caught:
        loads(data, "env.yaml", Path("/srv/shop"))
    return tuple(caught.value.faults)


@pytest.mark.parametrize("path", cases("valid"))
def test_a_valid_spec_says_what_its_author_wrote(path: Path) -> None:
    spec = load(path).spec
    expected = json.loads(path.with_suffix(".json").read_text())
    assert spec.model_dump(mode="json", exclude_defaults=True) == expected


@pytest.mark.parametrize("path", cases("valid"))
def test_a_dumped_spec_is_the_same_spec_again(path: Path) -> None:
    spec = load(path).spec
    dumped = json.dumps(spec.model_dump(mode="json"))
    assert Spec.model_validate(json.loads(dumped)) == spec
    assert loads(dumped.encode(), "dumped.json", Path("/elsewhere")).spec == spec


@pytest.mark.parametrize("path", cases("invalid"))
def test_all_faults_of_a_file_are_told_at_once_in_its_order(path: Path) -> None:
    with pytest.raises(SpecFaults) as caught:
        load(path)
    found = [f"{fault.where.line}:{fault.where.column}: {fault.message} [{fault.code}]\n    {fault.hint}\n"
             for fault in caught.value.faults]  # fmt: skip
    assert "".join(found) == path.with_suffix(".txt").read_text()
    assert {fault.where.file for fault in caught.value.faults} == {str(path)}


@pytest.mark.parametrize("path", cases("invalid"))
def test_a_fault_is_a_sentence_with_a_hint(path: Path) -> None:
    with pytest.raises(SpecFaults) as caught:
        load(path)
    for fault in caught.value.faults:
        assert fault.hint
        assert "Input should" not in fault.message
        assert "hunter2" not in str(fault.as_json())


def test_a_file_is_named_as_the_user_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("env.yaml").write_text("memmory: 4g\npurpose: python\n")
    with pytest.raises(SpecFaults, match="unknown key `memmory`") as caught:
        load(Path())
    assert str(caught.value.where) == "env.yaml:1:1"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", ["env.yaml", "env.yml"])
def test_a_directory_stands_for_the_spec_in_it(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "My Shop_2"
    directory.mkdir()
    (directory / name).write_text("purpose: python\n")
    loaded = load(directory)
    assert loaded.spec.name == "my-shop-2"
    assert loaded.path == (directory / name).resolve()
    assert loaded.directory == directory.resolve()


def test_a_linked_spec_belongs_to_the_directory_of_the_link(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("purpose: python\n")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "env.yaml").symlink_to("../shared.yaml")
    loaded = load(tmp_path / "shop" / "env.yaml")
    assert loaded.spec.name == "shop"
    assert loaded.path == (tmp_path / "shared.yaml").resolve()


def test_a_missing_file_is_answered_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no file") as caught:
        load(tmp_path / "env.yaml")
    assert caught.value.code == "spec.not_found"
    assert "envspec init" in caught.value.hint


def test_what_is_no_file_is_not_read() -> None:
    with pytest.raises(SpecError, match="is not a file") as caught:
        load(Path("/dev/zero"))
    assert caught.value.code == "spec.unreadable"


def test_any_value_can_be_found_in_the_file_later() -> None:
    text = b"purpose: python\nrepos:\n  - url: ./x\nconfig_files:\n  /etc/a: x\n"
    loaded = loads(text, "env.yaml", Path("/srv/shop"))
    assert str(loaded.where("repos", 0, "url")) == "env.yaml:3:10"
    assert str(loaded.where("repos", 0, "ref")) == "env.yaml:3:5"
    assert str(loaded.where("config_files", "/etc/a")) == "env.yaml:5:11"


@pytest.mark.parametrize(
    ("directory", "name"),
    [("shop", "shop"), ("My Café", "my-cafe"), ("--x--", "x"), ("a" * 50, "a" * 40), ("日本", ""), ("/", "")],
)
def test_a_name_is_made_from_the_directory(directory: str, name: str) -> None:
    assert slug_of(Path("/srv") / directory) == name


def test_a_directory_that_gives_no_name_asks_for_one() -> None:
    with pytest.raises(SpecFaults, match="no name can be made") as caught:
        loads(b"purpose: python\n", "env.yaml", Path("/"))
    assert "name:" in caught.value.hint


def test_control_characters_never_reach_the_terminal() -> None:
    (fault,) = faults_of('purpose: "x\\ty"\n')
    assert "\t" not in fault.message


def test_columns_count_characters() -> None:
    (fault,) = faults_of('purpose: python\nenv: {Ä: "ß", }\n')
    assert (fault.where.line, fault.where.column) == (2, 7)
    (fault,) = faults_of('purpose: python\nenv: {A: "äöü", b-c: x}\n')
    assert (fault.where.line, fault.where.column) == (2, 17)


def test_what_a_json_writer_makes_of_any_text_is_read_back(tmp_path: Path) -> None:
    texts = [
        "\U0001f600 and \U0001f680",
        "\x1b[1mbold\x1b[0m",
        "a\x7fb\x85c\u2028d\u2029e\ufffef\uffff",
        "\\ud83d",
        '"\\',
    ]
    for ascii_only in (True, False):
        spec = {"purpose": "python", "config_files": {f"/etc/{n}": text for n, text in enumerate(texts)}}
        written = json.dumps(spec, ensure_ascii=ascii_only).replace("/etc", "\\/etc")
        found = loads(written.encode(), "env.json", tmp_path).spec.config_files
        assert [found[f"/etc/{n}"].content for n in range(len(texts))] == texts


def test_an_escape_counts_in_double_quotes_only(tmp_path: Path) -> None:
    text = """purpose: python
env:
  A: '\\ud83d\\ude00'
  B: \\ud83d\\ude00
  C: "\\\\ud83d\\ud83d\\ude00"
  D: |
    \\ud83d
"""
    assert loads(text.encode(), "env.yaml", tmp_path).spec.env == {
        "A": r"\ud83d\ude00",
        "B": r"\ud83d\ude00",
        "C": "\\ud83d\U0001f600",
        "D": "\\ud83d\n",
    }


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    text = "purpose: python # a\u2028b\nenv: {A: x\u2028y\x85z}\nmemroy: 1g\n"
    with pytest.raises(SpecFaults) as caught:
        loads(text.encode(), "env.yaml", tmp_path)
    assert [(fault.where.line, fault.code) for fault in caught.value.faults] == [(3, "spec.unknown_key")]
    assert loads(text.replace("memroy", "memory").encode(), "env.yaml", tmp_path).spec.env == {"A": "x\u2028y\x85z"}
    with pytest.raises(SpecFaults) as raw:
        loads(b"purpose: python\r\nenv:\r\n  A: \x1b[1m\r\n", "env.yaml", tmp_path)
    assert str(raw.value.where) == "env.yaml:3:6"
