"""What is said where an engine refuses to run anything: Podman 6 beside controllers of cgroups of version 1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.e2e import ENVSPEC

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

UNCOVER = """
import ctypes, os, sys
if ctypes.CDLL(None, use_errno=True).umount(b"/sys/fs/cgroup"):
    raise OSError(ctypes.get_errno(), "umount")
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Takes away what an enclosure has over the host's cgroups; umount(8) is in no package of such a root filesystem."""


class TestRefusal:
    def test_preflight_fails_and_says_why_and_what_to_do(self) -> None:
        found = _refused("preflight")
        assert found["code"] == "engine.not_ready"
        (engine,) = (row for row in found["checks"] if row["name"] == "engine")
        assert "needs cgroups of version 2 alone" in engine["detail"]
        assert "systemd.unified_cgroup_hierarchy=1" in engine["detail"]

    def test_a_plan_fails_with_the_same_words(self, tmp_path: Path) -> None:
        (tmp_path / "env.yaml").write_text("purpose: clean\n")
        assert _refused("plan", str(tmp_path))["code"] == "engine.cgroups"

    def test_a_list_is_not_empty_but_an_error(self) -> None:
        assert _refused("list")["code"] == "engine.cgroups"


def _refused(*words: str) -> dict[str, Any]:
    """Run a command on the host's own cgroups, insist that it fails, and return its error."""
    argv = ["unshare", "--mount", sys.executable, "-c", UNCOVER, *ENVSPEC, *words, "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode != 0, done.stdout
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    return error
