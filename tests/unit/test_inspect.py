"""The engine's JSON as facts, and a configuration as the engine's options; both pure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envspec.engine import inspect
from envspec.engine.objects import LABEL, UNCOUNTED, UNLIMITED, Attachment, ContainerConfig, Mount, Port
from envspec.engine.options import create_options, plain, quoted
from envspec.errors import EngineCallFailed

ID = "0123456789ab" + "c" * 52


def described(host: dict[str, Any] | None = None, config: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return the least that an engine says of a container."""
    return {
        "Id": ID,
        "Name": "/box",
        "Image": "sha256:1",
        "State": {"Status": "running", "ExitCode": 0},
        "Config": {"Image": "base:1", "Labels": None, "Cmd": None, "Env": None, **(config or {})},
        "HostConfig": host or {},
        "NetworkSettings": {"Networks": None, "Ports": None},
        **more,
    }


def config_of(host: dict[str, Any] | None = None, config: dict[str, Any] | None = None) -> ContainerConfig:
    return inspect.container(described(host, config)).config


def test_nulls_read_as_nothing() -> None:
    read = inspect.container(described())
    expected = ContainerConfig(
        "base:1", command=(), user="", workdir="", tmpfs=(), network="bridge", init=False, env={}
    )
    assert read.config == expected
    assert (read.name, read.labels, read.networks, read.published) == ("box", {}, (), ())


@pytest.mark.parametrize(
    ("host", "field", "value"),
    [
        ({"Memory": 0}, "memory", None),
        ({"Memory": 512}, "memory", 512),
        ({"NanoCpus": 1_500_000_000}, "cpus", 1.5),
        ({"NanoCpus": 0, "CpuQuota": 50_000, "CpuPeriod": 100_000}, "cpus", 0.5),
        ({"NanoCpus": 0, "CpuQuota": -1}, "cpus", None),
        ({"CpuPeriod": 50_000}, "cpu_period", 50_000),
        ({"CpuPeriod": 100_000}, "cpu_period", None),
        ({"CpuPeriod": 50_000, "CpuQuota": 25_000}, "cpu_period", None),
        ({"NanoCpus": 500_000_000, "CpuPeriod": 50_000}, "cpu_period", None),
        ({"CpuRealtimeRuntime": 95_000}, "cpu_rt_runtime", 95_000),
        ({"CpuRealtimePeriod": 500_000}, "cpu_rt_period", 500_000),
        ({"PidsLimit": -1}, "pids", None),
        ({"PidsLimit": None}, "pids", None),
        ({"PidsLimit": 64}, "pids", 64),
        ({"Memory": 512, "MemorySwap": 512}, "swap", None),
        ({"Memory": 512, "MemorySwap": 1024}, "swap", 512),
        ({"Memory": 512, "MemorySwap": -1}, "swap", UNLIMITED),
        ({"Memory": 512, "MemorySwap": 0}, "swap", UNCOUNTED),
        ({"Memory": 0, "MemorySwap": -1}, "swap", None),
        ({"CpuShares": 0}, "cpu_shares", None),
        ({"CpuShares": 512}, "cpu_shares", 512),
        ({"CpusetCpus": "0-1"}, "cpuset_cpus", "0-1"),
        ({"CpusetMems": "0"}, "cpuset_mems", "0"),
        ({"MemoryReservation": 512}, "memory_reservation", 512),
        ({"KernelMemory": 512}, "kernel_memory", 512),
        ({"BlkioWeight": 300}, "blkio_weight", 300),
        ({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}, "retries", 3),
        ({"ShmSize": 67_108_864}, "shm_size", None),
        ({"ShmSize": 1024}, "shm_size", 1024),
        ({"CapAdd": ["CAP_SETUID", "CHOWN"]}, "cap_add", ("CHOWN", "SETUID")),
        ({"CapDrop": ["ALL"]}, "cap_drop", ("ALL",)),
        ({"SecurityOpt": ["no-new-privileges:true"]}, "security_opt", ("no-new-privileges",)),
        ({"SecurityOpt": ["label=disable"], "Privileged": True}, "security_opt", ()),
        ({"RestartPolicy": {"Name": ""}}, "restart", "no"),
        ({"NetworkMode": "default"}, "network", "bridge"),
        ({"NetworkMode": "host"}, "network", "host"),
        ({"ExtraHosts": ["b:10.0.0.1", "a:fd00::1"]}, "add_hosts", (("a", "fd00::1"), ("b", "10.0.0.1"))),
        ({"Tmpfs": {"/run/envspec": "mode=0755", "/a": ""}}, "tmpfs", ("/a", "/run/envspec")),
        ({"DeviceRequests": [{"Count": -1}]}, "gpu", True),
        (
            {
                "PortBindings": {
                    "80/tcp": [{"HostIp": "", "HostPort": ""}],
                    "53/udp": [{"HostIp": "::1", "HostPort": "0"}],
                }
            },
            "ports",
            (Port(53, 0, "::1", "udp"), Port(80, 0, "0.0.0.0")),
        ),
        (
            {"Mounts": [{"Type": "volume", "Source": "v", "Target": "/v"}, {"Type": "tmpfs", "Target": "/t"}]},
            "mounts",
            (Mount("/v", "volume", "v"),),
        ),
        (
            {"Binds": ["/src:/b:ro", "data:/a"]},
            "mounts",
            (Mount("/a", "volume", "data"), Mount("/b", "bind", "/src", read_only=True)),
        ),
    ],
)
def test_what_the_engine_says_is_normalised(host: dict[str, Any], field: str, value: object) -> None:
    assert getattr(config_of(host), field) == value


def test_a_generated_hostname_is_none() -> None:
    assert config_of(config={"Hostname": ID[:12]}).hostname == ""
    assert config_of(config={"Hostname": "shop"}).hostname == "shop"


def test_a_command_is_entrypoint_and_arguments() -> None:
    assert config_of(config={"Entrypoint": ["tini", "--"], "Cmd": ["sleep"]}).command == ("tini", "--", "sleep")


def test_a_variable_may_hold_an_equals_sign() -> None:
    assert config_of(config={"Env": ["B=x=y", "A="]}).env == {"A": "", "B": "x=y"}


def test_the_user_is_the_one_that_the_label_names() -> None:
    read = inspect.container(described(config={"User": "0:0", "Labels": {inspect.USER_LABEL: "1000:1000", "a": "b"}}))
    assert read.config.user == "1000:1000"
    assert read.labels == {"a": "b"}


def test_aliases_that_the_engine_added_are_left_out() -> None:
    networks = {
        "side": {"NetworkID": "n2", "Aliases": ["web", "app", ID[:12], "host"]},
        "new": {"NetworkID": "n1", "Aliases": ["host"]},
        "none": {"NetworkID": "n0", "Aliases": None},
    }
    read = inspect.container(described(NetworkSettings={"Networks": networks, "Ports": {}}))
    assert read.networks == (Attachment("new", "n1", ("host",)), Attachment("side", "n2", ("app", "web")))


def test_ports_are_published_only_while_it_runs() -> None:
    settings = {"Networks": {}, "Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}], "81/tcp": None}}
    assert inspect.container(described(NetworkSettings=settings)).published == (Port(80, 32768),)
    stopped = described(NetworkSettings=settings, State={"Status": "exited", "ExitCode": 3})
    assert inspect.container(stopped).published == ()
    assert inspect.container(stopped).exit_code == 3


def test_a_container_being_removed_is_dead() -> None:
    assert inspect.container(described(State={"Status": "removing"})).status == "dead"


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("base", True),
        ("base:latest", True),
        ("docker.io/library/base", True),
        ("base:2", False),
        ("localhost:5000/base:1", True),
        ("localhost:5000/base", False),
        ("base@sha256:ddd", True),
        ("sha256:" + "a" * 64, True),
        ("aaaa", True),
        ("bbbb", False),
    ],
)
def test_an_image_is_found_by_every_name_that_means_it(ref: str, found: bool) -> None:
    data = {
        "Id": "sha256:" + "a" * 64,
        "RepoTags": ["base:latest", "localhost:5000/base:1"],
        "RepoDigests": ["base@sha256:ddd"],
    }
    assert (inspect.find_image([data], ref) is data) is found


def test_an_image_without_configuration_has_no_labels() -> None:
    assert inspect.image({"Id": "sha256:1", "Config": None, "Size": 5}).labels == {}


@pytest.mark.parametrize("path", ["/a,b", "/a:b", '/a"b', "/a\nb"])
def test_a_path_that_would_change_the_mount_is_refused(path: str) -> None:
    with pytest.raises(EngineCallFailed) as error:
        create_options(ContainerConfig("base:1", mounts=(Mount("/x", "bind", path),)))
    assert error.value.code == "engine.path"
    with pytest.raises(EngineCallFailed):
        plain(path)


def test_memory_always_takes_swap_with_it() -> None:
    options = create_options(ContainerConfig("base:1", memory=1 << 30))
    assert options["memory"] == options["memory_swap"] == 1 << 30


def test_an_ipv6_address_is_published_in_brackets() -> None:
    options = create_options(ContainerConfig("base:1", ports=(Port(53, 0, "::1", "udp"),)))
    assert options["publish"] == [("[::1]:0", "53/udp")]


def test_a_label_is_quoted_for_an_instruction() -> None:
    assert quoted('a"b\\c$d') == r'"a\"b\\c\$d"'


UNNAMED = "ab" * 32


@pytest.mark.parametrize("binds", [[], [f"{UNNAMED}:/data"], [f"{UNNAMED}:/data:rprivate,rw,nodev,exec,nosuid,rbind"]])
def test_a_volume_that_nobody_named_is_listed_apart_from_what_was_asked_for(binds: list[str]) -> None:
    """Podman lists such a volume among the binds, and Docker one that was taken over from another container."""
    mounts = [
        {"Type": "volume", "Name": UNNAMED, "Destination": "/data"},
        {"Type": "volume", "Name": "shop-kept", "Destination": "/kept"},
        {"Type": "bind", "Source": "/srv", "Destination": "/srv"},
    ]
    read = inspect.container(described({"Binds": [*binds, "shop-kept:/kept", "/srv:/srv"]}, Mounts=mounts))
    assert read.anonymous == (Mount("/data", "volume", UNNAMED),)
    assert read.config.mounts == (Mount("/kept", "volume", "shop-kept"), Mount("/srv", "bind", "/srv"))
    assert read.mounts == tuple(sorted((*read.anonymous, *read.config.mounts)))


def test_an_image_says_where_it_has_volumes() -> None:
    config: dict[str, Any] = {"Labels": None, "Volumes": {"/var/lib/db/": {}, "/data": {}}}
    assert inspect.image({"Id": "sha256:1", "Size": 1, "Config": config}).volumes == ("/data", "/var/lib/db")


def test_an_external_volume_with_a_name_like_the_engines_own_is_nobodys_to_remove() -> None:
    mounts = [{"Type": "volume", "Source": UNNAMED, "Target": "/x"}, {"Type": "volume", "Target": "/un"}]
    shown = [{"Type": "volume", "Name": name, "Destination": at} for name, at in ((UNNAMED, "/x"), ("f" * 64, "/un"))]
    volumes = [{"type": "volume", "source": "data", "target": "/x/"}, {"type": "volume", "target": "/un"}]
    labels = {f"{LABEL}settings": json.dumps({"settings": {"volumes": volumes}})}
    read = inspect.container(described({"Mounts": mounts}, {"Labels": labels}, Mounts=shown))
    assert read.anonymous == (Mount("/un", "volume", "f" * 64),)
    assert read.config.mounts == (Mount("/x", "volume", UNNAMED),)
    spoilt = inspect.container(described({"Mounts": mounts}, {"Labels": {f"{LABEL}settings": "[1"}}, Mounts=shown))
    assert [mount.target for mount in spoilt.anonymous] == ["/un", "/x"]
