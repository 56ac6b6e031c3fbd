"""Whatever an engine says of an object, reading it does not fail: one bad object must not stop everybody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields, replace
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envspec.api.converge import Doors
from envspec.api.inventory import environments
from envspec.api.lifecycle import Ending, collect
from envspec.api.targets import Cancel
from envspec.engine import inspect
from envspec.engine.base import Engine
from envspec.engine.dialect import DOCKER, PODMAN, Dialect
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig, ContainerState, Port
from envspec.errors import Conflict
from envspec.inside import snapshot_manifest
from envspec.kinds import names
from envspec.kinds.base import Observed
from envspec.kinds.container import names_in, remembered
from envspec.kinds.lease import expiry
from envspec.kinds.standing import refuse_unread
from envspec.model import Desired
from envspec.planner import plan
from tests.unit.test_inspect import described

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)

WHOLE: Mapping[str, Any] = described(
    {
        "Binds": ["/src:/b:ro"],
        "Mounts": [{"Type": "volume", "Source": "v", "Target": "/v"}],
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
        "RestartPolicy": {"Name": "no"},
        "ExtraHosts": ["a:10.0.0.1"],
        "Tmpfs": {"/run/envspec": "mode=0755"},
        "CapAdd": ["CHOWN"],
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Memory": 512,
        "CpuQuota": 1000,
        "CpuPeriod": 100_000,
        "PidsLimit": 5,
        "ShmSize": 5,
        "NetworkMode": "bridge",
        "ReadonlyRootfs": False,
    },
    {"Labels": {"a": "b"}, "Env": ["A=1"], "Entrypoint": ["sh"], "Hostname": "h", "User": "0", "WorkingDir": "/"},
    Created="2026-11-25T10:00:00.123456789Z",
    Mounts=[{"Type": "volume", "Destination": "/data"}],
    NetworkSettings={
        "Networks": {"bridge": {"NetworkID": "1", "Aliases": ["x"]}},
        "Ports": {"80/tcp": [{"HostIp": "::", "HostPort": "8080"}]},
    },
)
"""A container of which every field that is read is there."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where every value of a document stands."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def put(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a document with another value at one place."""
    if not place:
        return value
    changed = deepcopy(document)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return changed


@given(st.sampled_from(places(WHOLE)), JSON, st.sampled_from([DOCKER, PODMAN]))
def test_a_container_that_is_described_in_any_way_is_read(place: tuple[Any, ...], value: Any, dialect: Dialect) -> None:
    document = put(WHOLE, place, value)
    state = inspect.container(dialect.describe(document)) if isinstance(document, dict) else inspect.container(document)
    for read, kind in ((state, ContainerState), (state.config, ContainerConfig)):
        hints = get_type_hints(kind)
        for field in fields(read):
            wanted = hints[field.name]
            plain = getattr(wanted, "__origin__", wanted)
            if isinstance(plain, type):
                assert isinstance(getattr(read, field.name), plain), field.name
    json.dumps([state.name, dict(state.labels), dict(state.config.env)])


@given(st.sampled_from(places(WHOLE)), JSON)
def test_images_that_are_described_in_any_way_are_read(place: tuple[Any, ...], value: Any) -> None:
    image = {
        "Id": "sha256:1",
        "RepoTags": ["envspec/x:1"],
        "RepoDigests": [],
        "Config": {"Labels": {names.KIND: "image"}},
        "Created": "2026-11-25T10:00:00Z",
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
        "Size": 5,
    }
    for here in places(image):
        bad = put(image, here, value)
        inspect.find_image([bad], "envspec/x:1")
        inspect.image(bad)
        inspect.stored_images([bad], [put(WHOLE, place, value)], lambda _labels, _refs: True)


@given(JSON | st.text(max_size=30), st.sampled_from([DOCKER, PODMAN]))
def test_lists_of_any_shape_are_read(value: Any, dialect: Dialect) -> None:
    for text in (json.dumps(value), json.dumps([value]), f"{json.dumps(value)},1,{{}}", str(value)):
        dialect.read_containers(text)
        dialect.read_networks(text)
        dialect.read_volumes(text)


def test_a_service_that_takes_a_port_of_a_range_is_read() -> None:
    bindings = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "28090-28092"}]}
    read = inspect.container(described({"PortBindings": bindings}))
    assert read.config.ports == (Port(80, 0, "127.0.0.1"),)
    assert read.unread == ()


def test_what_cannot_be_read_is_named() -> None:
    read = inspect.container(described({"PortBindings": {"http": [{"HostPort": "x"}]}, "Memory": "much"}))
    assert read.unread == ("HostConfig.Memory", "HostConfig.PortBindings")
    assert read.config.ports == ()


def unreadable(env: str) -> ContainerState:
    """Return a workspace of which something cannot be read."""
    labels = {names.ENV: env, names.KIND: "container", names.ADDRESS: names.WORKSPACE}
    config = ContainerConfig("base:1")
    return ContainerState(
        f"id-{env}", names.container(env), "exited", "sha256:1", labels, config, unread=("HostConfig.PortBindings",)
    )


class Crowd(FakeEngine):
    """An engine on which one environment of somebody else cannot be read."""

    def containers(self, env: str = "", names: Any = ()) -> tuple[ContainerState, ...]:
        """Return the bad one among the others."""
        found = super().containers(env, names)
        return (*found, unreadable("bad")) if env in ("", "bad") else found


def test_one_environment_that_cannot_be_read_is_shown_and_stops_nobody() -> None:
    engine: Engine = Crowd()
    (row,) = environments(engine)
    assert (row.name, row.unread) == ("bad", ("bad-workspace: HostConfig.PortBindings",))
    assert collect(engine, Ending(), Doors(lambda _: None, lambda _: True, Cancel())) == ()


def test_what_cannot_be_read_is_not_changed() -> None:
    world = Observed(env="bad", containers=(unreadable("bad"), unreadable("other")))
    with pytest.raises(Conflict, match="bad-workspace cannot be read") as caught:
        refuse_unread(world)
    assert caught.value.code == "engine.unreadable"
    refuse_unread(replace(world, env="third"))


def test_an_expiry_without_a_zone_can_be_compared() -> None:
    moment = expiry(None, {names.EXPIRES: "2026-01-01T00:00:00"})
    assert moment is not None
    assert moment.tzinfo is not None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "1"}', '{"format": "1", "volumes": [{"name": 1}]}'])
def test_a_damaged_manifest_is_named_as_such(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader(FakeEngine):
        def image_file(self, ref: str) -> bytes:  # noqa: ARG002 - the contract's
            return text.encode()

    monkeypatch.setattr(snapshot_manifest, "row_of", lambda *_args: None)
    with pytest.raises(Conflict) as caught:
        snapshot_manifest.read(Reader(), "s")
    assert caught.value.code in ("snapshot.unreadable", "snapshot.format")


@pytest.mark.parametrize("kept", ["not json", "[]", '{"networks": 5}', '{"networks": [[]]}', "[" * 100_000])
def test_a_label_that_holds_something_else_says_nothing(kept: str) -> None:
    box = replace(unreadable("bad"), labels={names.SETTINGS: kept})
    assert names_in(remembered(box), "networks") == set()


def test_a_plan_needs_to_read_what_it_changes() -> None:
    with pytest.raises(Conflict):
        plan(Desired("bad"), Observed(env="bad", containers=(unreadable("bad"),)))
