"""A bind is made of a file or directory, not of its path: what was replaced on the host is seen, and mounted again."""

from __future__ import annotations

import pytest

from envspec.engine import binds
from envspec.engine.base import Reader
from tests.engine.conftest import BASE
from tests.engine.e2e import Place, Places, bare, change, engine_name

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

ASLEEP = {"image": BASE, "command": ["sleep", "infinity"], "init": True}


@pytest.fixture(scope="module")
def bound(places: Places) -> Place:
    """An environment that binds a file and a directory, and a service with a secret of a file."""
    place = places()
    for name in ("conf", "secret"):
        (place.directory / name).write_text("old\n")
    (place.directory / "tree").mkdir()
    web = {**ASLEEP, "volumes": ["./conf:/etc/link/conf:ro"], "secrets": ["pw"]}
    compose = {"services": {"web": web}, "secrets": {"pw": {"file": "./secret"}}}
    place.write(image=BASE, mount_cwd=False, mounts=["./conf:/etc/conf", "./tree:/tree"], compose=compose)
    place.apply()
    return place


def replace(place: Place, name: str) -> None:
    """Write a file as an editor does."""
    new = place.directory / "new"
    new.write_text("new\n")
    new.replace(place.directory / name)


def read(place: Place, container: str, path: str) -> str:
    return bare("exec", f"{place.name}-{container}", "cat", path)


def test_a_replaced_file_a_rotated_secret_and_a_recreated_directory_arrive(bound: Place) -> None:
    assert bound.plan()["changes"] == []
    replace(bound, "secret")
    plan = bound.plan()
    assert [item["address"] for item in plan["changes"]] == ["service.web"]
    assert change(plan, "service.web")["disruption"] == "restart"
    replace(bound, "conf")
    (bound.directory / "tree").rename(bound.directory / "away")
    (bound.directory / "tree").mkdir()
    (bound.directory / "tree" / "file").write_text("new\n")
    wanted = change(bound.plan(), "container.workspace")
    assert wanted["disruption"] == "restart"
    assert all(name in wanted["reason"] for name in ("/conf", "/tree"))
    bound.apply("--yes")
    found = [read(bound, "workspace", path) for path in ("/etc/conf", "/tree/file")]
    found += [read(bound, "web-1", path) for path in ("/etc/link/conf", "/run/secrets/pw")]
    assert found == ["new"] * 4
    assert bound.plan()["changes"] == []


def test_who_may_not_see_the_process_asks_inside(
    bound: Place, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    engine: Reader = request.getfixturevalue(f"{engine_name()}_engine")

    def refuse(*_: object) -> None:
        raise binds.Hidden

    monkeypatch.setattr(binds, "replaced", refuse)
    boxes = engine.containers(bound.name)
    assert engine.replaced_binds(boxes) == {}
    replace(bound, "conf")
    targets = sorted(target for found in engine.replaced_binds(boxes).values() for target in found)
    assert targets == ["/etc/conf", "/etc/link/conf"]
