"""Whoever works inside has a name, a home and a shell, whatever the image calls their uid, and owns what they make."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from envspec.engine.objects import Build
from envspec.engine.whales import WhalesEngine
from tests.engine.contract import REMOTE, TEST_LABEL
from tests.engine.e2e import Place, Places, change

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

IMAGE = "envspec-test/accounts:1"
DOCKERFILE = """FROM {base}
RUN useradd --uid 1234 --create-home --shell /bin/bash node \
    && useradd --uid 1235 --no-create-home --home-dir /srv/service --shell /usr/sbin/nologin service \
    && useradd --uid 1236 --no-create-home dev
"""


@dataclass(frozen=True)
class Who:
    """A uid that the spec asks for, and who that is inside."""

    uid: int
    name: str
    home: str
    why: str


PEOPLE = (
    Who(1234, "node", "/home/node", "uid 1234 is `node` in this image and stays so"),
    Who(1235, "service", "/srv/service", "uid 1235 is `service` in this image and stays so"),
    Who(2345, "dev-2345", "/home/dev-2345", "uid 2345 has no account: it becomes dev"),
)


@pytest.fixture(scope="module")
def image(bare_engine: WhalesEngine, git_image: str) -> str:
    bare_engine.build(Build(DOCKERFILE.format(base=git_image), IMAGE, {TEST_LABEL: "1"}))
    return IMAGE


@pytest.fixture(scope="module", params=PEOPLE, ids=lambda who: who.name)
def person(request: pytest.FixtureRequest, places: Places, image: str) -> tuple[Place, Who, str]:
    """An environment of somebody, whose workspace is a directory of the host, and why they are who they are."""
    place, who = places(), request.param
    place.image = image
    theirs = place.directory / "theirs"
    theirs.mkdir(mode=0o755)
    os.chown(place.directory, who.uid, who.uid)
    os.chown(theirs, 4321, 4321)
    place.write(
        user=f"{who.uid}:{who.uid}",
        volumes=["data:/data"],
        repos=[{"url": REMOTE, "path": "app", "install": "touch by-install"}],
        setup_commands=["touch ~/by-setup /data/by-setup", {"run": "touch /opt/by-root", "as_root": True}],
    )
    place.apply("--target", "container.workspace")
    why = change(place.plan(), "user.workspace")["reason"]
    place.apply()
    return place, who, why


def test_the_plan_says_who_they_are(person: tuple[Place, Who, str]) -> None:
    place, who, why = person
    assert why.startswith(who.why)
    wanted = f"user: {who.uid}:{who.uid}, called dev unless the image has a name for it, as the file asks"
    assert wanted in place.plan()["notes"]


def test_they_are_at_home(person: tuple[Place, Who, str]) -> None:
    place, who, _ = person
    told = place.exec("sh", "-c", 'whoami; echo "$HOME"; id -u; id -g; test -w "$HOME" && echo writable')
    assert told.splitlines() == [who.name, who.home, str(who.uid), str(who.uid), "writable"]
    assert place.run("exec", "--root", place.name, "--", "whoami").stdout == "root\n"
    assert place.told("connect", place.name).result["argv"][-1] in {"/bin/bash", "/bin/sh"}
    assert place.told("status", place.name).result["user"] == f"{who.name} ({who.uid}:{who.uid})"


def test_what_they_make_is_theirs_and_what_is_not_is_left_alone(person: tuple[Place, Who, str]) -> None:
    place, who, _ = person
    made = (f"{who.home}/by-setup", "/data", "/data/by-setup", "/workspace/app/by-install", "/workspace/app/.git/HEAD")
    assert place.inside('stat -c %u:%g "$@"', *made).splitlines() == [f"{who.uid}:{who.uid}"] * len(made)
    assert place.inside("stat -c %u /opt/by-root") == "0"
    host = (place.directory / "app" / "README.md").stat()
    assert (host.st_uid, host.st_gid) == (who.uid, who.uid)
    theirs = (place.directory / "theirs").stat()
    assert (theirs.st_uid, theirs.st_mode & 0o777) == (4321, 0o755)
    assert place.plan()["changes"] == []
