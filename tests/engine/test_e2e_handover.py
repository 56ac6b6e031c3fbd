"""Another user takes over what envspec made in volumes, and nothing that anybody else has there or on the host."""

from __future__ import annotations

import pytest

from tests.engine.contract import REMOTE
from tests.engine.e2e import Place, bare, causes, change

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

OURS = (
    "/workspace",
    "/workspace/app",
    "/workspace/app/.git/config",
    "/workspace/conf",
    "/workspace/conf/a.ini",
    "/data",
)
THEIRS = ("/workspace/mine", "/workspace/app/of-root", "/host", "/host/file")


def wish(place: Place, user: str, **more: object) -> None:
    place.write(
        user=user,
        mount_cwd=False,
        volumes=["data:/data"],
        mounts=[{"host": "./host", "container": "/host"}],
        repos=[{"url": REMOTE, "path": "app"}],
        config_files={"/workspace/conf/a.ini": "a=1\n"},
        **more,
    )


def owners(place: Place, *paths: str) -> list[str]:
    return place.inside('stat -c %u:%g -- "$@"', *paths).splitlines()


def test_a_change_of_user_takes_what_was_made_along(place: Place) -> None:
    (place.directory / "host").mkdir()
    (place.directory / "host" / "file").touch()
    wish(place, "1234:1234")
    place.apply()
    bare("exec", "-u", "1234", place.box, "touch", "/workspace/mine", "/workspace/app/untracked")
    place.inside("touch /workspace/app/of-root")
    kept = owners(place, *THEIRS)
    assert owners(place, *OURS) == ["1234:1234"] * len(OURS)

    wish(place, "1500:1501", setup_commands=["false"])
    found = change(place.plan(), "user.workspace")
    assert {diff["path"] for diff in found["diff"]} >= {"owner./workspace", "owner./workspace/app", "owner./data"}
    assert causes(place.plan(), "user.workspace")["owner./data"] == "spec"
    assert "/data, /workspace, /workspace/app: from uid 1234" in found["reason"]

    before = place.id
    place.apply(code=1)
    assert place.id == before
    assert owners(place, *OURS[:4]) == ["1234:1234"] * 4

    wish(place, "1500:1501")
    place.apply()
    assert owners(place, *OURS, "/workspace/app/untracked") == ["1500:1501"] * (len(OURS) + 1)
    assert owners(place, *THEIRS) == kept
    place.exec("sh", "-c", "cd app && git tag mine && echo x > new && touch ../conf/b")
    assert place.plan()["changes"] == []

    taken = ("/workspace", "/data", "/workspace/app", "/home/dev")
    place.inside('chown 1002 "$@"', *taken)
    assert set(causes(place.plan(), "user.workspace").values()) == {"drift"}
    place.apply()
    assert owners(place, *taken) == ["1500:1501"] * len(taken)
    assert owners(place, *THEIRS) == kept
    assert place.plan()["changes"] == []

    wish(place, "root")
    assert change(place.plan(), "user.workspace")["action"] == "update"
    place.apply("--allow-data-loss", "container.workspace")
    assert owners(place, *OURS) == ["0:0"] * len(OURS)
    assert owners(place, *THEIRS) == kept
    assert place.plan()["changes"] == []

    wish(place, "root", setup_commands=[{"run": "chown 1777 /data", "as_root": True}])
    place.apply()
    assert owners(place, "/data") == ["1777:0"]
    assert place.plan()["changes"] == []
    place.inside("chown 1002 /workspace")
    assert set(causes(place.plan(), "user.workspace")) == {"owner./workspace"}
