"""Servers that start as their official images do, with the confinement that every service gets, on a real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envspec.engine.whales import WhalesEngine
from tests.engine.conftest import BASE
from tests.engine.e2e import Place, Places, bare, causes, change, engine_name

pytestmark = [pytest.mark.engine, pytest.mark.build, pytest.mark.timeout(600)]

IMAGE = "envspec-test/servers:1"
SERVERS = {
    "postgres": ["pg_isready", "-q"],
    "redis": ["redis-cli", "ping"],
    "mariadb": ["mariadb-admin", "ping", "--socket=/run/mysqld/mysqld.sock"],
    "nginx": ["bash", "-c", "</dev/tcp/127.0.0.1/80"],
}


def servers() -> dict[str, Any]:
    """Return all four as services, each with a volume of its own."""
    found: dict[str, Any] = {}
    for name, check in SERVERS.items():
        healthy = {"test": ["CMD", *check], "interval": "500ms", "retries": 100}
        found[name] = {"image": IMAGE, "command": [name], "volumes": [f"{name}:/var/lib/data"], "healthcheck": healthy}
    limits = {"resources": {"limits": {"cpus": "1.5"}}}
    found["mariadb"] |= {"deploy": limits, "x-envspec": {"without": ["pids"]}}
    found["nginx"] |= {"cap_add": ["NET_RAW"], "cap_drop": ["FOWNER"]}
    return found


@pytest.fixture(scope="module")
def settled(places: Places, bare_engine: WhalesEngine) -> Place:
    """An environment with all four servers, converged."""
    with_base = ("--build-arg", f"BASE={BASE}", "--tag", IMAGE, str(Path(__file__).parent / "servers"))
    assert bare_engine.name == engine_name()
    bare("build", *with_base, patience=500.0)
    place = places()
    place.write(mount_cwd=False, compose={"services": servers(), "volumes": dict.fromkeys(SERVERS)})
    place.apply()
    return place


def guest(place: Place, name: str) -> str:
    return f"{place.name}-{name}-1"


def test_every_server_starts_and_none_can_gain_more_than_the_list(settled: Place) -> None:
    bits = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7, "NET_BIND_SERVICE": 10}
    most = sum(1 << bit for bit in bits.values())
    found = {}
    for name in SERVERS:
        lines = bare("exec", guest(settled, name), "cat", "/proc/1/status").splitlines()
        status = dict(line.split(":\t") for line in lines if line.startswith(("CapBnd", "NoNewPrivs")))
        found[name] = (int(status["CapBnd"], 16), status["NoNewPrivs"])
    assert found.pop("nginx") == (most - (1 << bits["FOWNER"]) + (1 << 13), "1")
    assert set(found.values()) == {(most, "1")}
    notes = settled.plan()["notes"]
    assert "nginx is less confined than services are by default: capability NET_RAW" in notes
    assert [note.partition(" ")[0] for note in notes if "less confined" in note] == ["mariadb", "nginx"]


def test_every_server_has_an_init_and_limits(settled: Place) -> None:
    found = {}
    for name in SERVERS:
        host = json.loads(bare("container", "inspect", guest(settled, name)))[0]["HostConfig"]
        found[name] = (host["Init"], max(host["PidsLimit"] or 0, 0), host["Memory"], host["NanoCpus"])
    assert found.pop("mariadb") == (True, 0, 4 << 30, 1_500_000_000)
    assert set(found.values()) == {(True, 1024, 4 << 30, 0)}


def kept(container: str) -> set[str]:
    """Return which checks of the CIS Docker benchmark, section 5, a container passes, as far as ``inspect`` says."""
    found = json.loads(bare("container", "inspect", container))[0]
    host, config = found["HostConfig"], found["Config"]
    options = [option.removesuffix(":true").removesuffix("=true") for option in host["SecurityOpt"] or ()]
    published = [binding for bindings in (host["PortBindings"] or {}).values() for binding in bindings or ()]
    sources = {mount["Source"] for mount in found["Mounts"] if mount["Type"] == "bind"}
    restart = host["RestartPolicy"]
    checks = {
        "5.2 seccomp, AppArmor or SELinux": not any("unconfined" in option for option in options),
        "5.4 capabilities": "ALL" in (host["CapDrop"] or ()),
        "5.5 privileged": not host["Privileged"],
        "5.6 sensitive directories": sources.isdisjoint(
            {"/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"}
        ),
        "5.10 network of the host": host["NetworkMode"] != "host",
        "5.11 memory": host["Memory"] > 0,
        "5.12 processors": host["NanoCpus"] > 0 or host["CpuShares"] > 0,
        "5.13 root filesystem": host["ReadonlyRootfs"],
        "5.14 addresses of ports": not any(binding["HostIp"] in ("", "0.0.0.0") for binding in published),
        "5.15 restarts": restart["Name"] in ("", "no") or 0 < restart["MaximumRetryCount"] <= 5,
        "5.16 processes of the host": host["PidMode"] != "host",
        "5.17 memory of the host": host["IpcMode"] != "host",
        "5.18 devices": not host["Devices"],
        "5.20 propagation": not any(mount.get("Propagation") in ("shared", "rshared") for mount in found["Mounts"]),
        "5.21 name of the host": host["UTSMode"] != "host",
        "5.26 new privileges": "no-new-privileges" in options,
        "5.27 health": bool(config.get("Healthcheck")),
        "5.29 number of processes": (host["PidsLimit"] or 0) > 0,
        "5.31 users of the host": host["UsernsMode"] != "host",
        "5.32 socket of the engine": "/var/run/docker.sock" not in sources and "/run/docker.sock" not in sources,
    }
    return {name for name, is_kept in checks.items() if is_kept}


def test_a_service_is_safer_than_a_bare_container_and_strict_is_safer_than_dev(settled: Place, places: Places) -> None:
    if engine_name() != "docker":  # the options are the same, and Podman spells them otherwise
        return
    strict = places()
    strict.write(mount_cwd=False, security="strict")
    strict.apply()
    name = f"{strict.name}-bare"
    bare("run", "--detach", "--name", name, "--entrypoint", "sleep", IMAGE, "infinity")
    try:
        found = [kept(box) for box in (name, guest(settled, "redis"), settled.box, strict.box)]
    finally:
        bare("rm", "--force", name)
    run, service, dev, safest = found
    assert run < service
    assert run < dev < safest


def test_a_limit_that_a_hand_changed_is_healed_and_all_start_again_on_their_data(settled: Place) -> None:
    if engine_name() == "docker":
        bare("update", "--pids-limit", "500", guest(settled, "redis"))
        assert causes(settled.plan(), "service.redis") == {"pids": "drift"}
    bare("exec", guest(settled, "redis"), "redis-cli", "set", "kept", "42")
    bare("stop", *(guest(settled, name) for name in SERVERS))
    ended = ("container", "inspect", "--format", "{{.State.ExitCode}}", guest(settled, "postgres"))
    assert bare(*ended) == "0", "the database was not told to stop, but killed"
    settled.apply()
    assert settled.plan()["changes"] == []
    assert bare("exec", guest(settled, "redis"), "redis-cli", "get", "kept") == "42"


def test_a_container_with_more_rights_in_a_services_place_is_replaced(settled: Place) -> None:
    own = guest(settled, "redis")
    labels = json.loads(bare("container", "inspect", "--format", "{{json .Config.Labels}}", own))
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    words += ["--init", "--memory", "4g", "--pids-limit", "1024", "--cap-add", "SYS_PTRACE", "--entrypoint", "sleep"]
    bare("rm", "--force", own)
    bare("run", "--detach", "--name", own, *words, "--network", settled.name, IMAGE, "infinity")
    found = change(settled.plan(), "service.redis")
    differs = {diff["path"]: diff["cause"] for diff in found["diff"]}
    assert (found["action"], differs["cap_add"], differs["security_opt"]) == ("replace", "drift", "drift")
