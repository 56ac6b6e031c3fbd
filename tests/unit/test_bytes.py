"""Names, paths, arguments and output of any bytes: they arrive as they are, or are shown as what they are."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from envspec import api, hostpath
from envspec.api.trial import spec_of
from envspec.cli import output
from envspec.cli.commands.exec_command import _told
from envspec.engine.archive import PathFact
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig
from envspec.engine.script import carried, is_text, shell
from envspec.errors import StepFailed, UsageError
from envspec.events import silent
from envspec.inside.capture import Executed
from envspec.inside.copy_out import copy_out
from envspec.inside.snapshot_manifest import Manifest
from envspec.visible import from_visible, one_line

ODD = os.fsdecode(b"d\xff\n ' \\ ")
NAME = os.fsdecode(b"d\xff")


@pytest.mark.parametrize("words", [("plain", "caf\u00e9"), (ODD,), ("", ODD, "-n", "\u00e9")])
def test_a_script_inside_gets_all_bytes_through_an_engine_that_takes_only_utf8(words: tuple[str, ...]) -> None:
    text, arguments = carried('printf "%s|" "$#" "$@"; echo "${word-none}"', words)
    assert all(map(is_text, arguments))
    done = subprocess.run(["/bin/sh", "-c", text, "sh", *arguments], capture_output=True, check=True)
    assert done.stdout == b"|".join(map(os.fsencode, (str(len(words)), *words))) + b"|none\n"
    assert all(map(is_text, shell(("-c", "true", "sh", *words))))


@pytest.mark.parametrize("path", ["/plain", f"/a/{NAME}/env.yaml", "/tab\tline\n", "/x\u202e"])
def test_a_path_is_found_again_by_what_is_shown_of_it(path: str) -> None:
    assert from_visible(one_line(path)) == path


def test_a_label_leads_to_a_spec_in_a_directory_of_any_bytes(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / "a\\n").mkdir()
    for path in (tmp_path / NAME, tmp_path / "a\\n", tmp_path / "gone\\xff"):
        assert hostpath.from_shown(one_line(str(path))) == str(path)


def test_json_has_no_half_of_a_pair_and_no_stand_in(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_failure(UsageError(f"there is no {NAME}", code="copy.missing"))
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "there is no d\\xff"


def test_output_that_json_cannot_hold_is_noted() -> None:
    done = Executed(0, b"x\xff", b"", timed_out=False, seconds=0, stdout_bytes=2, stderr_bytes=0)
    assert "not UTF-8" in str(_told(done)["note"])
    assert _told(dataclasses.replace(done, stdout="\u00e9".encode()))["note"] is None
    assert _told(dataclasses.replace(done, log="/whole"))["note"] is None


def test_a_snapshot_of_a_spec_in_such_a_directory_can_be_written_and_read() -> None:
    made = Manifest(
        *("s", "shop", "", "docker", True, "i", "", "", 0, (), (), (), (), "name: shop\n"),
        file=f"/{NAME}/env.yaml",
        directory=f"/{NAME}",
    )
    assert json.loads(made.as_bytes())["directory"] == f"/{NAME}"


class _SendsNothing(FakeEngine):
    """As Docker, when it is asked for one file whose name is not UTF-8."""

    def find_path(self, container_id: str, path: str) -> PathFact:  # noqa: ARG002
        return PathFact("file", path)

    @contextmanager
    def read_archive(self, container_id: str, path: str) -> Iterator[BytesIO]:  # noqa: ARG002
        yield BytesIO(bytes(10240))


def test_a_file_that_an_engine_does_not_send_is_no_success(tmp_path: Path) -> None:
    engine = _SendsNothing(images=("debian:13",))
    engine.start(engine.create_container("shop-workspace", ContainerConfig("debian:13"), {"dev.envspec.env": "shop"}))
    with pytest.raises(StepFailed) as caught:
        copy_out(engine, "shop", f"/{NAME}", str(tmp_path), silent)
    assert caught.value.code == "copy.nothing"


def test_try_takes_a_directory_that_is_there_for_a_path(tmp_path: Path) -> None:
    (tmp_path / "R" / "x").mkdir(parents=True)
    assert spec_of("R/x", directory=tmp_path).spec.repo_url == "./R/x"
    assert spec_of("R", directory=tmp_path).spec.name == "r"


def test_try_refuses_a_directory_that_no_engine_can_mount(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"d\\xff.* is not UTF-8"):
        spec_of(f"./{NAME}", directory=tmp_path)


def test_an_unknown_environment_that_is_a_directory_says_how_to_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    with pytest.raises(UsageError) as caught:
        api.status("shop", engine=FakeEngine())
    assert caught.value.hint.endswith("the directory is `./shop`")
