"""What an image lacks to be a workspace is seen in its layers, and never claimed where it cannot be seen."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from envspec.engine.image_tools import TOOLS, lacking, layers_of
from envspec.engine.part import Part


def layer(directory: Path, *paths: str) -> str:
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).touch()
    directory.mkdir(exist_ok=True)
    return str(directory)


@pytest.fixture
def whole(tmp_path: Path) -> str:
    return layer(tmp_path / "whole", *(f"usr/bin/{tool}" for tool in TOOLS))


def test_an_image_without_a_shell_or_an_archiver_is_known_before_it_runs(tmp_path: Path, whole: str) -> None:
    assert lacking((layer(tmp_path / "empty"),)) == TOOLS
    most = layer(tmp_path / "most", *(f"bin/{tool}" for tool in TOOLS if tool not in {"awk", "tar"}))
    assert lacking((most,)) == ("awk", "tar")
    assert lacking((most, whole)) == ()


def test_what_an_upper_layer_removed_is_not_there(tmp_path: Path, whole: str) -> None:
    upper = layer(tmp_path / "upper", "usr/bin/tar")
    removed = Path(upper, "usr/bin/tar")
    plain = Path.lstat

    def look(path: Path) -> object:
        return mock.Mock(st_mode=0o020000, st_rdev=0) if path == removed else plain(path)

    with mock.patch.object(Path, "lstat", look):
        assert lacking((upper, whole)) == ("tar",)


def test_where_layers_cannot_be_read_nothing_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking(()) == ()
    assert lacking((str(tmp_path / "gone"),)) == ()
    empty = layer(tmp_path / "empty")
    monkeypatch.setattr("os.access", lambda *_: False)
    assert lacking((empty,)) == ()


def test_directories_that_lead_elsewhere_are_not_judged(tmp_path: Path, whole: str) -> None:
    store = Path(layer(tmp_path / "store"))
    (store / "bin").symlink_to("nix/store/bin")
    assert lacking((str(store),)) == ()
    merged = Path(layer(tmp_path / "merged"))
    (merged / "bin").symlink_to("usr/bin")
    assert lacking((str(merged), whole)) == ()


def test_both_engines_tell_where_the_layers_of_an_overlay_lie() -> None:
    docker = {"Name": "overlay2", "Data": {"UpperDir": "/top/diff", "LowerDir": "/mid/diff:/low/diff"}}
    assert layers_of(Part(docker)) == ("/top/diff", "/mid/diff", "/low/diff")
    assert layers_of(Part({"Name": "overlay", "Data": {"UpperDir": "/only/diff"}})) == ("/only/diff",)
    assert layers_of(Part({"Name": "vfs", "Data": {"UpperDir": "/x"}})) == ()
    assert layers_of(Part(None)) == ()
