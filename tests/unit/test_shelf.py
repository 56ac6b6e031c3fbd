"""The shelf: who may look at it, and when nothing is put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.engine import shelf
from envspec.errors import EngineCallFailed

CANARY = "canary-7b1d"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place that counts as memory."""
    (tmp_path / "mounts").write_text(f"tmpfs {tmp_path} tmpfs rw 0 0\n")
    monkeypatch.setattr(shelf, "PLACE", tmp_path)
    monkeypatch.setattr(shelf, "MOUNTS", tmp_path / "mounts")
    return tmp_path


def test_only_the_owner_gets_there_and_everybody_in_the_container_can_read(place: Path) -> None:
    shelf.write("shop", "db", {"tok": CANARY})
    file = shelf.directory("shop") / "db" / "tok"
    assert (file.read_text(), file.stat().st_mode & 0o777) == (CANARY, 0o444)
    assert all(
        path.stat().st_mode & 0o077 == 0 for path in file.parents if path.is_relative_to(place) and path != place
    )


def test_what_stays_as_it_was_stays_the_same_file(place: Path) -> None:
    shelf.write("shop", "db", {"a": "1", "b": "2"})
    before = {path.name: path.stat().st_ino for path in place.glob("*/shop/db/*")}
    (place / "envspec-other").touch()
    shelf.write("shop", "db", {"a": "1", "b": "3"})
    after = {path.name: path.stat().st_ino for path in place.glob("*/shop/db/*")}
    assert (before["a"] == after["a"], shelf.read("shop")) == (True, {"db/a": "1", "db/b": "3"})


def test_the_last_service_takes_its_environment_along(place: Path) -> None:
    shelf.write("shop", "db", {"a": "1"})
    shelf.write("shop", "db", {})
    assert (shelf.read("shop"), list(place.glob("*/shop"))) == ({}, [])


def test_nothing_is_put_where_others_can_look(place: Path) -> None:
    assert shelf.directory("shop").is_relative_to(place)
    shelf.directory("shop").parent.mkdir(mode=0o755)
    with pytest.raises(EngineCallFailed) as caught:
        shelf.write("shop", "db", {"a": CANARY})
    assert (caught.value.code, CANARY in str(caught.value)) == ("service.no_shelf", False)
    assert shelf.read("shop") == {}


def test_nothing_is_put_on_a_disk(place: Path) -> None:
    (place / "mounts").write_text(f"/dev/sda1 {place} ext4 rw 0 0\n")
    with pytest.raises(EngineCallFailed) as caught:
        shelf.write("shop", "db", {"a": CANARY})
    assert "not in memory" in caught.value.message
