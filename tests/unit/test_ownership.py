"""What another user takes over, and what stays whose it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envspec.engine.facts import Account, Answer, FileFact, LedgerEntry
from envspec.engine.objects import LABEL, ContainerConfig, ContainerState, Mount
from envspec.engine.operations import GiveOver
from envspec.kinds.base import Observed
from envspec.kinds.ownership import holdings, user_of
from envspec.kinds.user import User, UserSpec
from envspec.model import Cause, Resource

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
    assert holdings(LEDGER, VOLUMES, OTHERS).given(1, 2, 3) == GiveOver(
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
        ["ready", "owner./work", "owner./work/app"],
    )


def test_the_same_user_takes_nothing_over() -> None:
    assert told(1000, world("1000:1000", work=999)) == ("uid 1000 has no account: it becomes ada", ["name"])
    assert told(0, world("0:0", work=1000)) == ("which volumes are root's is written down", ["ready"])


def settled(uid: int, seen: Observed, *owned: str) -> Observed:
    """Return the world with an account that was set up, which had some paths then."""
    spec = UserSpec("ada", uid, uid, VOLUMES, OTHERS)
    facts = {f"own{number}": path for number, path in enumerate(owned, 1)}
    entry = LedgerEntry("user.workspace", Resource("user.workspace", "user", spec).digest, {}, facts)
    accounts = (*seen.answer.accounts, Account("ada", 1000, 1000, "/home/ada", "/bin/sh"))
    return replace(seen, inside=replace(seen.answer, ledger=(*LEDGER, entry), accounts=accounts))


@pytest.mark.parametrize("uid", [0, 1000])
def test_what_somebody_took_from_the_user_is_in_the_plan(uid: int) -> None:
    seen = world(f"{uid}:{uid}", work=1002, data=999)
    assert told(uid, settled(uid, seen, "/work")) == (
        "/work belongs to 1002:1002 (changed outside envspec)",
        ["owner./work"],
    )
    assert told(uid, settled(uid, world(f"{uid}:{uid}", work=uid), "/work")) == ("", [])


def test_a_repository_and_the_home_are_watched_too() -> None:
    seen = settled(1000, world("1000:1000", work=1000, work_app=1002), "/work", "/work/app", "/home/ada")
    assert told(1000, seen) == (
        "/home/ada is gone; /work/app belongs to 1002:1002 (changed outside envspec)",
        ["owner./home/ada", "owner./work/app"],
    )


def test_what_the_user_never_had_is_nobody_elses_to_give_back() -> None:
    assert told(1000, settled(1000, world("1000:1000", work=1002, work_host=1002))) == ("", [])


def test_a_volume_that_a_service_mounts_may_be_the_services() -> None:
    seen = settled(1000, world("1000:1000", work=1002), "/work")
    (box,) = seen.containers
    shared = (Mount("/work", "volume", "e-work"),)
    box = replace(box, config=replace(box.config, mounts=shared))
    service = replace(box, id="2", name="e-db-1", labels={**box.labels, f"{LABEL}kind": "service"})
    assert told(1000, replace(seen, containers=(box, service))) == ("", [])


def test_an_interrupted_change_of_user_is_no_hand() -> None:
    seen = settled(1000, world("1000:1000", work=1002), "/work")
    left = replace(seen.containers[0], id="2", name="e-workspace-next", config=ContainerConfig("i", user="1002:1002"))
    spec = UserSpec("ada", 1000, 1000, VOLUMES, OTHERS)
    resource = Resource("user.workspace", "user", spec)
    verdict = User().diff(resource, spec, replace(seen, containers=(*seen.containers, left)))
    assert verdict
    assert [(diff.path, diff.cause) for diff in verdict.diff] == [("owner./work", Cause.ENGINE)]
    assert verdict.reason == "/work belongs to 1002:1002 (an interrupted apply gave it away)"


@pytest.mark.parametrize(("user", "expected"), [("1:2", (1, 2)), ("root", None), ("", None)])
def test_a_containers_user_is_known_by_its_numbers(user: str, expected: tuple[int, int] | None) -> None:
    assert user_of(world(user).workspace) == expected
