"""When a health check runs: once what it stands on is as it should be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from envspec import api
from envspec.engine.fake import FakeEngine
from tests.unit.test_snapshot import doors

SPEC = {
    "name": "shop",
    "image": "debian:13",
    "user": "root",
    "mount_cwd": False,
    "config_files": {"/etc/shop.d/shop.conf": "open\n"},
    "health": {"command": "touch /etc/shop.d/seen", "interval": 0.01, "retries": 1},
}


@pytest.mark.parametrize("lost", ["/etc/shop.d", ""], ids=["lost", "nothing lost"])
def test_a_workspace_that_is_started_is_checked_after_what_it_lost_is_back(tmp_path: Path, lost: str) -> None:
    engine = FakeEngine(images=("debian:13",))
    (tmp_path / "env.yaml").write_text(yaml.safe_dump(SPEC))
    assert api.apply(tmp_path, api.Options(), engine=engine, **doors()).ok
    if lost:
        engine.tamper.remove_file("shop-workspace", lost)
    engine.stop("shop-workspace")
    report = api.apply(tmp_path, api.Options(yes=True), engine=engine, **doors())
    assert report.ok
    assert report.outcomes[-1].address == "health.workspace"
