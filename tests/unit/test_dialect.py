"""Podman's words put into Docker's; what the real engine says is in tests/engine/test_podman_engine.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envspec.engine import inspect, podman_engine
from envspec.engine.dialect import PODMAN, PODMAN_ROOTLESS, Dialect
from envspec.engine.objects import Attachment, ContainerConfig, NetworkState, Port
from envspec.engine.options import create_options
from envspec.engine.podman import full_name
from envspec.errors import EngineCallFailed

IDENTITY = "d9784c4bfce3" + "0" * 52


def described(config: ContainerConfig, **host: Any) -> Any:
    """Return what Podman says of a container that was made of a configuration; recorded of Podman 4.3.1, shortened."""
    return {
        "Id": IDENTITY,
        "Name": "shop-workspace",
        "Image": "1" * 64,
        "State": {"Status": "configured", "ExitCode": 0},
        "Config": {
            "Image": f"localhost/{config.image}",
            "Entrypoint": "",
            "Cmd": ["sleep", "infinity"],
            "Env": ["container=podman"],
            "User": "0:0",
            "WorkingDir": config.workdir,
            "Hostname": IDENTITY[:12],
            "Labels": {"dev.envspec.env": "shop", "dev.envspec.user": "0:0", **PODMAN.labels(config)},
        },
        "HostConfig": {
            "Binds": ["data:/data:ro,rprivate,nosuid,nodev,rbind", "/srv:/srv:rw,rprivate,rbind"],
            "CapAdd": [],
            "CapDrop": ["CAP_MKNOD", "CAP_NET_RAW"],
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "37555"}]},
            "ShmSize": 65536000,
            "PidsLimit": 0,
            "NetworkMode": "bridge",
            "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
            "Init": True,
            "Tmpfs": {"/run/envspec": "mode=0755,rw,rprivate,nosuid,nodev,tmpcopyup"},
            **host,
        },
        "NetworkSettings": {"Networks": {"podman": {"NetworkID": "podman", "Aliases": ["web", IDENTITY[:12]]}}},
    }


def test_a_container_is_read_as_it_was_asked_for() -> None:
    asked = ContainerConfig("envspec/python:1", ports=(Port(80),), cap_drop=("ALL",), cap_add=("CHOWN",), gpu=True)
    state = inspect.container(PODMAN.describe(described(asked)))
    config = state.config
    assert (config.image, config.ports, config.gpu) == (asked.image, asked.ports, True)
    assert (config.cap_drop, config.cap_add) == (asked.cap_drop, asked.cap_add)
    assert (config.pids, config.shm_size, config.restart, config.hostname) == (None, None, "no", "")
    assert [(mount.type, mount.source, mount.read_only) for mount in config.mounts] == [
        ("volume", "data", True),
        ("bind", "/srv", False),
    ]
    assert (state.status, state.networks) == ("created", (Attachment("bridge", "podman", ("web",)),))
    assert state.labels == {"dev.envspec.env": "shop"}


@pytest.mark.parametrize("spoilt", ["{", "[]", "7"])
def test_a_spoilt_memory_is_none(spoilt: str) -> None:
    data = described(ContainerConfig("envspec/python:1", cap_drop=("ALL",)))
    data["Config"]["Labels"]["dev.envspec.asked"] = spoilt
    state = inspect.container(PODMAN.describe(data))
    assert state.config.image == "envspec/python:1"
    assert state.config.cap_drop == ("MKNOD", "NET_RAW")
    assert state.config.ports == (Port(80, 37555),)


def test_what_podman_adds_to_a_read_only_root_is_not_ours() -> None:
    mounts = {"/tmp": "rw,rprivate,nosuid,nodev,tmpcopyup", "/run/envspec": "mode=0755,rw,nosuid"}
    data = described(ContainerConfig("i"), ReadonlyRootfs=True, Tmpfs=mounts)
    assert inspect.container(PODMAN.describe(data)).config.tmpfs == ("/run/envspec",)


def test_a_network_that_podman_5_names_by_a_hash_goes_by_its_name() -> None:
    data = described(ContainerConfig("i"))
    for attachment in data["NetworkSettings"]["Networks"].values():
        attachment["NetworkID"] = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9"
    assert inspect.container(PODMAN.describe(data)).networks == (Attachment("bridge", "podman", ("web",)),)


@pytest.mark.parametrize("said", ["", [""], None])
def test_an_entrypoint_that_was_taken_away_is_not_there(said: object) -> None:
    data = described(ContainerConfig("i", command=("sleep", "1d")))
    data["Config"].update({"Entrypoint": said, "Cmd": ["sleep", "1d"]})
    assert inspect.container(PODMAN.describe(data)).config.command == ("sleep", "1d")


def test_lists_are_read() -> None:
    rows = [
        {"Id": IDENTITY, "Names": ["shop-workspace"], "Labels": {"dev.envspec.env": "shop", "other": "a,b"}},
        {"Id": "1", "Names": ["db"], "Labels": None},
    ]
    assert [(found.env, *found.names) for found in PODMAN.read_containers(json.dumps(rows))] == [
        ("shop", "shop-workspace"),
        ("", "db"),
    ]
    networks = [{"name": "podman", "id": "9", "driver": "bridge"}]
    assert PODMAN.read_networks(json.dumps(networks)) == [NetworkState("podman", "bridge", "bridge", {})]
    volumes = [{"Name": "v", "Driver": "local", "Labels": {"dev.envspec.env": "shop", "theirs": "x"}}]
    assert PODMAN.read_volumes(json.dumps(volumes))[0].labels == {"dev.envspec.env": "shop"}
    assert PODMAN.read_volumes("") == []


def test_any_port_and_no_limit_have_words_of_their_own() -> None:
    ports = (Port(80), Port(81, 8010), Port(82, 0, "::1"))
    config = ContainerConfig("i", ports=ports, gpu=True)
    options = PODMAN.options(create_options(config), config)
    assert options["publish"] == [("127.0.0.1:", "80/tcp"), ("127.0.0.1:8010", "81/tcp"), ("[::1]:", "82/tcp")]
    assert (options["pids_limit"], options["gpus"], options["devices"]) == (-1, None, ["nvidia.com/gpu=all"])


@pytest.mark.parametrize(
    ("dialect", "user", "userns"),
    [
        (PODMAN, "1000:1000", None),
        (PODMAN, "0:0", None),
        (PODMAN_ROOTLESS, "1000:1000", "keep-id"),
        (PODMAN_ROOTLESS, "4321:4321", "keep-id"),
        (PODMAN_ROOTLESS, "0:0", None),
    ],
)
def test_without_root_the_hosts_user_is_themselves_inside_or_root(
    dialect: Dialect, user: str, userns: str | None
) -> None:
    config = ContainerConfig("i", user=user)
    assert dialect.options(create_options(config), config)["userns"] == userns


def test_without_root_limits_that_would_be_ignored_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(podman_engine, "CGROUP_2", tmp_path / "none")
    engine = podman_engine.PodmanEngine(command=("false",), rootless=True)
    for limits in ({"memory": 1 << 30}, {"cpus": 1.0}, {"pids": 100}):
        with pytest.raises(EngineCallFailed) as error:
            engine.create_container("box", ContainerConfig("i", **limits), {})
        assert error.value.code == "engine.no_limits"


@pytest.mark.parametrize(
    ("ref", "full"),
    [
        ("debian", "docker.io/library/debian"),
        ("python:3.12", "docker.io/library/python:3.12"),
        ("astral/uv@sha256:00", "docker.io/astral/uv@sha256:00"),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ("127.0.0.1:5000/a", "127.0.0.1:5000/a"),
        ("localhost/a:1", "localhost/a:1"),
    ],
)
def test_a_reference_is_pulled_from_the_registry_that_docker_would_ask(ref: str, full: str) -> None:
    assert full_name(ref) == full
