"""What another user takes over, and what stays whose it is."""

from __future__ import annotations

import pytest

from envspec.engine.facts import Account, Answer, FileFact, LedgerEntry
from envspec.engine.objects import LABEL, ContainerConfig, ContainerState
from envspec.engine.operations import GiveOver
from envspec.kinds.base import Observed
from envspec.kinds.ownership import holdings, user_of
from envspec.kinds.user import User, UserSpec
from envspec.model import Resource

LEDGER = tuple(
    LedgerEntry(f"{kind}.{path}", "", {"path": path})
    for kind, path in (
        ("repo", "/work/app"),
        ("repo", "/work/host/app"),
        ("repo", "/opt/app"),
        ("file", "/work/conf/a"),
        ("file", "/etc/b"),
        ("file", "/data/c"),
    )
)
VOLUMES, OTHERS = ("/work", "/data"), ("/work/host",)


def world(user: str, **owners: int) -> Observed:
    box = ContainerState(
        id="1",
        name="e-workspace",
        status="running",
        image_id="i",
        config=ContainerConfig("i", user=user),
        labels={f"{LABEL}env": "e"},
    )
    files = {f"/{path}".replace("_", "/"): FileFact("dir", 0o755, uid, uid) for path, uid in owners.items()}
    answer = Answer(LEDGER, files, accounts=(Account("root", 0, 0, "/root", "/bin/sh"),))
    return Observed("e", containers=(box,), inside=answer)


def told(uid: int, seen: Observed) -> tuple[str, list[str]]:
    spec = UserSpec("ada", uid, uid, VOLUMES, OTHERS)
    verdict = User().diff(Resource("user.workspace", "user", spec), spec, seen)
    return (verdict.reason, [d.path for d in verdict.diff]) if verdict else ("", [])


def test_only_what_lies_in_a_volume_is_given() -> None:
    assert holdings(world("1000:1000"), VOLUMES, OTHERS).given(1, 2, 3) == GiveOver(
        1, 2, 3, VOLUMES, ("/work/app",), (("file./data/c", "/data/c"), ("file./work/conf/a", "/work/conf/a"))
    )


def test_a_plan_says_what_is_taken_over_and_from_whom() -> None:
    seen = world("1000:1000", work=1000, work_app=1000, data=999)
    assert told(1001, seen) == (
        "uid 1001 has no account: it becomes ada; /work, /work/app: from uid 1000",
        ["name", "owner./work", "owner./work/app"],
    )
    assert told(0, seen) == (
        "root takes over what was made; /work, /work/app: from uid 1000",
        ["owner./work", "owner./work/app"],
    )


def test_the_same_user_takes_nothing_over() -> None:
    assert told(1000, world("1000:1000", work=999)) == ("uid 1000 has no account: it becomes ada", ["name"])
    assert told(0, world("0:0", work=1000)) == ("", [])


@pytest.mark.parametrize(("user", "expected"), [("1:2", (1, 2)), ("root", None), ("", None)])
def test_a_containers_user_is_known_by_its_numbers(user: str, expected: tuple[int, int] | None) -> None:
    assert user_of(world(user).workspace) == expected
