"""Who works inside: every case of the host, the wish and the engine, and what a plan says of it."""

from __future__ import annotations

from typing import Literal

import pytest

from envspec.engine.facts import Account, Answer, LedgerEntry
from envspec.host import HostFacts
from envspec.kinds.base import Observed
from envspec.kinds.user import User, UserSpec
from envspec.model import Resource
from envspec.resolve.user import identify

Maps = Literal["", "keep-id", "root"]

ADA = "1000:1001, called ada unless the image has a name for it"
SEVEN = "7:7, called dev unless the image has a name for it, as the file asks"
BOTH_SIDES = "the host's user, so that files belong to them on both sides"
NOT_YOU = "outside that is a subordinate id, for the engine runs without root"
YOU = "outside that is ada, for the engine runs without root"


@pytest.mark.parametrize(
    ("wish", "maps", "ids", "why"),
    [
        ("host", "", ("ada", 1000, 1001), f"{ADA}, {BOTH_SIDES}"),
        ("host", "keep-id", ("ada", 1000, 1001), f"{ADA}, {BOTH_SIDES} (Podman's keep-id)"),
        ("root", "", ("root", 0, 0), "root, as the file asks"),
        ("root", "root", ("root", 0, 0), f"root, as the file asks; {YOU}"),
        ("root", "keep-id", ("root", 0, 0), f"root, as the file asks; {YOU}"),
        ("0:5", "", ("root", 0, 5), "root, as the file asks"),
        ("1000:1001", "keep-id", ("ada", 1000, 1001), f"{ADA}, as the file asks"),
        ("1000:1001", "root", ("ada", 1000, 1001), f"{ADA}, as the file asks; {NOT_YOU}"),
        ("7", "", ("dev", 7, 7), SEVEN),
        ("7", "keep-id", ("dev", 7, 7), f"{SEVEN}; {NOT_YOU}"),
    ],
)
def test_the_choice_and_its_reason(wish: str, maps: Maps, ids: tuple[str, int, int], why: str) -> None:
    who = identify(wish, HostFacts(1000, 1001, "ada", maps=maps))
    assert (who.name, who.uid, who.gid) == ids
    assert who.why == f"user: {why}"


def test_a_docker_without_root_can_only_make_the_user_root() -> None:
    who = identify("host", HostFacts(1000, 1001, "ada", maps="root"))
    assert (who.name, who.uid, who.gid) == ("root", 0, 0)
    assert who.why.startswith("user: root, who is ada outside")


def test_root_of_the_host_is_root_inside() -> None:
    who = identify("host", HostFacts(0, 0, "root"))
    assert (who.name, who.uid, who.gid, who.why) == ("root", 0, 0, "user: root, because the host's user is root")


@pytest.mark.parametrize(
    ("name", "login"),
    [("Ada", "ada"), ("ada.l", "user1000"), ("DOM\\ada", "user1000"), ("root", "user1000"), ("é", "user1000")],
)
def test_a_name_that_is_no_login_becomes_one(name: str, login: str) -> None:
    assert identify("host", HostFacts(1000, 1000, name)).name == login


SPEC = UserSpec("ada", 1000, 1000)
WANTED = Resource("user.workspace", "user", SPEC)
NODE = Account("node", 1000, 1000, "/home/node", "/bin/sh")


@pytest.mark.parametrize(
    ("accounts", "why"),
    [
        ((), "uid 1000 has no account: it becomes ada"),
        ((NODE,), "uid 1000 is `node` in this image and stays so: what it needs is made its own"),
    ],
)
def test_a_plan_says_what_the_image_makes_of_the_uid(accounts: tuple[Account, ...], why: str) -> None:
    found = User().diff(WANTED, SPEC, Observed("e", inside=Answer(accounts=accounts)))
    assert found is not None
    assert found.reason == why


def test_an_account_that_was_set_up_needs_nothing() -> None:
    entry = LedgerEntry("user.workspace", WANTED.digest)
    assert User().diff(WANTED, SPEC, Observed("e", inside=Answer((entry,), accounts=(NODE,)))) is None
