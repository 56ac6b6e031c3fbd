"""Directories for a while, and what a kill leaves of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from envspec import scratch

HOLDER = "from envspec.scratch import scratch\nwith scratch() as place:\n    print(place, flush=True)\n    input()"


def test_what_a_kill_left_is_removed_and_what_is_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "SETTLED", -1.0)
    (tmp_path / f"{scratch.PREFIX}link").symlink_to(tmp_path)
    (tmp_path / "envspec-other").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as holder:
        assert holder.stdout is not None
        held = Path(holder.stdout.readline().strip())
        (held / "root.tar").write_text("x")
        with scratch.scratch() as place:
            assert place.is_dir()
            assert place.stat().st_mode & 0o077 == 0
            assert (held / "root.tar").exists()
        assert not place.exists()
        holder.send_signal(signal.SIGKILL)
    assert held.exists()
    with scratch.scratch():
        assert not held.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["envspec-other", f"{scratch.PREFIX}link"]


def test_one_that_is_about_to_be_held_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fresh = tmp_path / f"{scratch.PREFIX}fresh"
    fresh.mkdir()
    with scratch.scratch():
        assert fresh.exists()
