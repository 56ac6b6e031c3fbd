"""Networks that environments share, the images that they share, and how many environments there may be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from envspec import api, policy
from envspec.api import lifecycle
from envspec.api.converge import Doors
from envspec.engine.archive import SNAPSHOT_KIND
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig
from envspec.errors import Conflict, EngineCallFailed, Refused, UsageError
from envspec.inside.snapshot_manifest import ref_of
from envspec.kinds import names
from envspec.steps.base import Run
from envspec.steps.networks import CreateNetwork
from tests.unit.test_cli_commands import BASE, SPEC, Terminal, engine, envspec, spec

__all__ = ["engine", "envspec", "spec"]
# Fixtures of the commands' tests; named here, pytest finds them.


def box_on(engine: FakeEngine, name: str, network: str, labels: dict[str, str] | None = None) -> str:
    made = engine.create_container(name, ContainerConfig(BASE), labels or {})
    engine.connect(network, made, ())
    return made


def image(engine: FakeEngine, purpose: str, digest: str = "abc") -> str:
    ref = f"envspec/{purpose}:{digest}"
    engine.add_image(ref, {names.KIND: "image", names.PURPOSE: purpose, names.DIGEST: digest})
    return ref


# ── networks ──


def test_a_network_is_made_once_and_found_there_the_second_time(engine: FakeEngine) -> None:
    assert api.create_network("team", engine).created is True
    assert api.create_network("team", engine).created is False
    (row,) = api.networks(engine)
    assert (row.name, row.made_by, row.members) == ("team", "", ())


def test_a_network_of_somebody_else_is_neither_taken_nor_removed_nor_listed(engine: FakeEngine) -> None:
    engine.create_network("theirs", {"com.example": "1"})
    with pytest.raises(Conflict):
        api.create_network("theirs", engine)
    with pytest.raises(Refused) as refused:
        api.remove_network("theirs", engine)
    assert refused.value.code == "network.not_ours"
    assert api.networks(engine) == ()
    assert "theirs" in {network.name for network in engine.networks()}


def test_a_network_in_use_is_kept_and_its_users_are_named_by_environment(engine: FakeEngine) -> None:
    made = api.create_network("team", engine)
    box_on(engine, "shop-workspace", made.id, {names.ENV: "shop", names.KIND: "container"})
    other = box_on(engine, "stranger", made.id)
    with pytest.raises(Refused) as refused:
        api.remove_network("team", engine)
    assert "shop, stranger" in refused.value.message
    assert refused.value.exit_code == 4
    for box in ("shop-workspace", other):
        engine.remove_container(engine.container(box).id)
    assert api.remove_network("team", engine).name == "team"
    assert api.networks(engine) == ()


@pytest.mark.parametrize("name", ["", "a b", "-x", "../x", "host"])
def test_a_name_that_is_none_is_refused_before_the_engine_sees_it(engine: FakeEngine, name: str) -> None:
    with pytest.raises(UsageError):
        api.create_network(name, engine)
    assert api.networks(engine) == ()


@pytest.mark.usefixtures("engine")
def test_networks_by_the_command_line(envspec: Terminal) -> None:
    assert envspec("network", "create", "team") == 0
    assert envspec("network", "list") == 0
    assert "team  network create" in envspec.out
    assert envspec.json("network", "rm", "team")[1]["result"]["name"] == "team"
    code, told = envspec.json("network", "rm", "team")
    assert (code, told["error"]["code"]) == (3, "network.unknown")


# ── the cache ──


def test_only_shared_images_of_ours_are_listed(engine: FakeEngine) -> None:
    ref = image(engine, "python")
    engine.add_image("envspec/base:debian-13", {names.KIND: "base_image"})
    engine.add_image("shop-web:latest", {names.KIND: "image", names.PURPOSE: "python", names.DIGEST: "own"})
    engine.add_image("envspec/snapshot-shop:one", {names.KIND: "container", names.ENV: "shop"})
    assert [(row.ref, row.purpose) for row in api.cached_images(engine)] == [
        ("envspec/base:debian-13", "base"),
        (ref, "python"),
    ]


def test_last_use_names_the_newest_container(engine: FakeEngine) -> None:
    ref = image(engine, "python")
    (unused,) = api.cached_images(engine)
    assert (unused.last_used, unused.last_used_by) == (unused.created, "")
    for name in ("older", "newer"):
        engine.create_container(name, ContainerConfig(ref), {})
    (used,) = api.cached_images(engine)
    assert (used.last_used_by, used.used_by) == ("newer", ("newer", "older"))
    assert used.last_used > used.created


def test_what_is_collected_is_as_old_as_its_last_use(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    used, unused, runs = image(engine, "python", "used"), image(engine, "python"), image(engine, "node")
    engine.create_container("box", ContainerConfig(runs), {})
    engine.mark_used([used, "envspec/python:none"])
    (mark,) = (stored.marked for stored in engine.stored_images() if stored.refs == (used,))
    monkeypatch.setattr(lifecycle, "time", SimpleNamespace(time=lambda: mark + 5))
    doors = Doors(lambda _: None, lambda _: True, api.Cancel())
    gone = lifecycle.collect(engine, api.Ending(images_after=mark + 5), doors)
    assert [(item.name, item.why) for item in gone] == [(unused, "not used since 1970-01-01")]
    assert [item.name for item in lifecycle.collect(engine, api.Ending(images_after=5), doors)] == [used]
    assert [row.ref for row in api.cached_images(engine)] == [runs]


def test_what_a_killed_snapshot_left_is_collected_and_a_whole_one_stays(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parts(name: str, *more: str) -> list[str]:
        labels = {names.KIND: SNAPSHOT_KIND, names.SNAPSHOT: name}
        refs = [ref_of(name, part) for part in ("box", "volumes", *more)]
        for ref in refs:
            engine.add_image(ref, labels)
        return refs

    left = parts("half")
    parts("whole", "manifest")
    doors = Doors(lambda _: None, lambda _: True, api.Cancel())
    made = max(image.created for image in engine.snapshot_images())
    for now, gone in ((made + 60, []), (made + 7200, left)):
        monkeypatch.setattr(lifecycle, "time", SimpleNamespace(time=lambda now=now: now))
        ended = lifecycle.collect(engine, api.Ending(images_after=9e9), doors)
        assert [item.name for item in ended if item.gone] == gone
    assert len(engine.snapshot_images()) == 3


def test_clearing_keeps_what_a_container_uses_and_what_is_of_another_purpose(engine: FakeEngine) -> None:
    old, new, other = image(engine, "python", "old"), image(engine, "python", "new"), image(engine, "node")
    engine.create_container("somebody", ContainerConfig(new), {})
    cleared = api.clear_cache("python", engine)
    assert (cleared.removed, cleared.freed) == ((old,), 1)
    assert cleared.kept == ((new, "used by somebody"),)
    assert {row.ref for row in api.cached_images(engine)} == {new, other}
    api.clear_cache("", engine)
    assert {row.ref for row in api.cached_images(engine)} == {new}
    assert engine.images((BASE,))


@pytest.mark.usefixtures("spec")
def test_the_cache_by_the_command_line(engine: FakeEngine, envspec: Terminal) -> None:
    ref = image(engine, "python")
    assert envspec("cache", "list") == 0
    assert ref in envspec.out
    code, told = envspec.json("cache", "clear", "rust")
    assert (code, told["error"]["code"]) == (3, "cache.unknown")
    assert envspec("cache", "clear") == 0
    assert f"removed  {ref}" in envspec.out


# ── how many ──


def test_one_environment_too_many_is_refused_and_one_that_exists_is_not() -> None:
    policy.refuse_more("b", ("a",), 2)
    policy.refuse_more("a", ("a", "b"), 2)
    policy.refuse_more("c", ("a", "b"), None)
    with pytest.raises(Refused) as refused:
        policy.refuse_more("c", ("a", "b"), 2)
    assert refused.value.exit_code == 4


def test_the_users_configuration_limits_how_many_there_are(
    engine: FakeEngine, envspec: Terminal, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(spec.parent))
    (spec.parent / "envspec").mkdir()
    (spec.parent / "envspec" / "config.yaml").write_text("max_environments: 1\n")
    assert envspec("apply", "--yes") == 0
    second = spec.parent / "second.yaml"
    second.write_text(SPEC.replace("shop", "second"))
    code, told = envspec.json("apply", str(second), "--yes")
    assert (code, told["error"]["code"]) == (4, "refused.max_environments")
    assert "gc" in told["error"]["hint"]
    assert "list" in told["error"]["hint"]
    assert engine.containers("second") == ()
    spec.write_text(SPEC.replace("open", "closed"))
    assert envspec("apply", "--yes") == 0
    assert envspec("destroy", "shop", "--yes") == 0
    assert envspec("apply", str(second), "--yes") == 0


def test_a_network_that_another_apply_made_since_the_plan_is_as_good(engine: FakeEngine) -> None:
    engine.create_network("team", {})
    run = Run(engine, "network.team", lambda _line: None)
    assert CreateNetwork("team", {}).run(run).detail == "another apply made it"
    with pytest.raises(EngineCallFailed):
        CreateNetwork("team", {}, internal=True).run(run)
    assert [net.name for net in engine.networks() if net.name == "team"] == ["team"]
