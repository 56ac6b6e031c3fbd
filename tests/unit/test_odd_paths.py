"""Paths and ids that are right for the kernel or for nobody: refused as what they are, or taken; never a crash."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from pathlib import Path

import pytest

from envspec import hostpath
from envspec.cli import failures
from envspec.compose import paths
from envspec.engine.inside import pack
from envspec.errors import Faults, SpecError, UsageError
from envspec.spec.load import load, loads

LONG = "a" * 256
DEEP = "b/" * 2100


@pytest.mark.parametrize("uid", [0, 2_097_152, 1_187_109_471, 2**31 - 1])
def test_ids_of_a_directory_service_fit_into_the_archive(uid: int) -> None:
    with tarfile.open(fileobj=io.BytesIO(pack([("a", b"x", 0o644, uid, uid)]))) as tar:
        (found,) = tar.getmembers()
    assert (found.uid, found.gid) == (uid, uid)


@pytest.mark.parametrize("path", [LONG, DEEP, "gone", "file/below", "loop", "nul\0", "\ud800"])
def test_looking_at_a_path_raises_nothing(tmp_path: Path, path: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    found = tmp_path / path
    assert hostpath.trouble(found)
    assert [hostpath.is_there(found), hostpath.is_file(found), hostpath.is_dir(found)] == [False] * 3
    hostpath.real(found)


def test_a_link_that_may_not_be_read_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", "/proc/1/root")

    monkeypatch.setattr(os.path, "realpath", refuse)
    assert hostpath.real(Path("/proc/1/root")) == Path("/proc/1/root")
    assert paths.real("/proc/1/root", Path("/")) == Path("/proc/1/root")


def test_a_home_of_nobody_is_no_crash(tmp_path: Path) -> None:
    assert hostpath.expanded(tmp_path, "~nobody-of-this-name/x") == tmp_path / "~nobody-of-this-name/x"


@pytest.mark.parametrize("path", [LONG, DEEP, "name: x\nimage: debian:13\n", "gone", "loop"])
def test_an_argument_that_is_no_path_is_refused_in_one_short_line(tmp_path: Path, path: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SpecError) as caught:
        load(tmp_path / path if path in ("loop", "gone") else Path(path))
    assert caught.value.code == "spec.not_found"
    assert len(caught.value.message) < 200
    assert "\n" not in caught.value.message


def test_the_text_of_a_spec_is_named_as_such() -> None:
    with pytest.raises(SpecError, match="is not the path of a file"):
        load(Path("name: x\nimage: debian:13\n"))


@pytest.mark.parametrize("path", [LONG, DEEP])
def test_a_mount_that_no_path_can_be_is_refused_with_its_line(tmp_path: Path, path: str) -> None:
    from envspec.resolve.box import Place, mounts  # noqa: PLC0415 - resolving weighs more than the rest of this file

    loaded = loads(f"name: x\nimage: y\nmounts: ['./{path}:/x']\n".encode(), "env.yaml", tmp_path)
    faults = Faults()
    mounts(loaded.spec, Place("x", tmp_path, False, loaded.where), faults)
    with pytest.raises(SpecError) as caught:
        faults.stop()
    assert (caught.value.code, caught.value.where.line) == ("spec.mount_missing", 3)


@pytest.mark.parametrize("number", ["ENAMETOOLONG", "EACCES", "ELOOP"])
def test_a_path_that_slipped_through_is_no_bug_of_ours(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = failures.show(OSError(getattr(errno, number), os.strerror(getattr(errno, number)), LONG), as_json=False)
    assert code == UsageError.exit_code
    assert "cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["mount_cwd: true", "mounts: ['./x:/x']"])
def test_a_directory_that_is_not_utf8_is_refused_as_a_mount_and_shown(tmp_path: Path, key: str) -> None:
    from envspec.resolve.box import Place, mounts  # noqa: PLC0415 - resolving weighs more than the rest of this file

    directory = tmp_path / os.fsdecode(b"d\xff")
    (directory / "x").mkdir(parents=True)
    loaded = loads(f"name: x\nimage: y\n{key}\n".encode(), "env.yaml", directory)
    faults = Faults()
    mounts(loaded.spec, Place("x", directory, key == "mount_cwd: true", loaded.where), faults)
    with pytest.raises(SpecError, match=r"d\\xff.* is not UTF-8") as caught:
        faults.stop()
    assert (caught.value.code, caught.value.where.line) == ("spec.mount_path", 3)


def test_a_traceback_with_a_name_that_is_not_utf8_is_saved(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.show(ValueError("\udcff"), as_json=False) == 70
    assert "this is a bug in envspec (ValueError)" in capsys.readouterr().err
