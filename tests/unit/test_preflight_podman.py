"""What Podman needs of hosts that exist only here."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envspec.engine.operations import Completed
from envspec.host_tls import Seen, Sight
from envspec.preflight import Check, State
from envspec.preflight.checks import check_system
from envspec.preflight.fix import Host, fix
from envspec.preflight.host_checks import WaysOut
from envspec.preflight.podman import DROP_IN, PodmanFacts, delegated, drop_in, fewest, lacking, may_raise
from envspec.preflight.run import TIMED_OUT
from envspec.preflight.steps import steps
from envspec.preflight.system import System
from envspec.preflight.values import Need
from tests.unit.test_preflight import FEDORA, FORKY, NOBLE, RESOLUTE, TRIXIE, FakeRun, a_user, debian

TOOLS = {
    name: f"/usr/bin/{name}"
    for name in ("docker", "git", "iptables", "newuidmap", "podman", "runc", "slirp4netns", "sudo")
}
INFO: dict[str, Any] = {
    "version": {"Version": "4.3.1"},
    "host": {
        "cgroupManager": "systemd",
        "cgroupVersion": "v2",
        "cgroupControllers": ["cpu", "memory", "pids"],
        "networkBackend": "netavark",
    },
    "store": {"graphRoot": "/"},
}
CONFINED = PodmanFacts(may_raise=False, files=20000, processes=96364, hybrid=True)
"""A virtual machine whose root may not raise limits, with cgroups of both versions."""


NO_CGROUPS = b'time="2026-12-01T12:58:23Z" level=fatal msg="Cgroups v1 not supported"\n'
"""What Podman 6.1.1 says on such a host, whatever it is asked."""


DELEGATED = PodmanFacts(delegated=frozenset({"memory", "pids"}))
"""What the systemd of Debian 11 and Ubuntu 22.04 delegates to a user."""


def a_host(**changes: Any) -> System:
    return debian(**({"tools": TOOLS} | changes))


def look(system: System, info: dict[str, Any] | None = None, answer: Completed | None = None) -> dict[str, Check]:
    told = answer or Completed(0, json.dumps(INFO if info is None else info).encode())
    run = FakeRun({"podman info": told})
    return {
        item.name: item
        for item in check_system(system, run, ways=WaysOut(lambda: True, lambda: Seen(Sight.PUBLIC)), docker=None)
    }


def with_host(**changes: Any) -> dict[str, Any]:
    return INFO | {"host": INFO["host"] | changes}


@pytest.mark.parametrize("system", [a_host(), a_user(tools=TOOLS)])
def test_a_ready_host_lacks_nothing(system: System) -> None:
    checks = look(system)
    assert {item.status for item in checks.values()} == {State.OK}
    assert not any(item.needs or item.fix for item in checks.values())


def test_a_bare_host_is_brought_everything_at_once() -> None:
    system = a_host(
        tools={"git": "/usr/bin/git"}, compose=False, podman=replace(CONFINED, helpers=frozenset()), os_release=TRIXIE
    )
    needs = {need for item in look(system).values() for need in item.needs}
    clients = {Need.DOCKER_CLIENT, Need.COMPOSE}
    assert needs == {Need.PODMAN, Need.INIT, Need.NETWORKS, Need.RUNC, Need.SETTINGS} | clients
    lines = [command.text(sudo=False) for command in steps(system, needs)]
    packages = "aardvark-dns catatonit docker-cli docker-compose netavark nftables podman runc"
    assert lines[1].endswith(f"--no-install-recommends {packages}")
    assert lines[-2:] == [
        "mkdir -p /etc/containers/containers.conf.d",
        f"printf '%s\\n' {_quoted(drop_in(lacking(CONFINED, root=True)))} | tee {DROP_IN}",
    ]


def test_a_docker_command_that_is_podmans_is_named_once_and_brings_no_services() -> None:
    found = look(a_host(docker_is_podman=True))
    assert found["podman command"].detail == "4.3.1 at /usr/bin/podman; /usr/bin/docker is Podman too"
    assert (found["compose plugin"].status, found["compose plugin"].needs) == (State.WARN, ())
    assert "podman-docker" in found["compose plugin"].detail


def _quoted(text: str) -> str:
    return " ".join(f"'{line}'" for line in text.splitlines())


def test_services_need_a_client_of_docker_and_no_engine_of_it() -> None:
    found = look(a_host(tools={k: v for k, v in TOOLS.items() if k != "docker"}, compose=False))["compose plugin"]
    assert (found.status, found.needs) == (State.WARN, (Need.DOCKER_CLIENT, Need.COMPOSE))
    assert found.fix[-1].argv[-2:] == ("docker-cli/trixie", "docker-compose/trixie")
    (*_, install) = steps(a_host(), {Need.DOCKER_CLIENT})
    assert install.argv[-1] == "docker-cli/trixie"


@pytest.mark.parametrize(
    ("os_release", "packages"),
    [
        (NOBLE, ("aardvark-dns", "iptables", "netavark", "slirp4netns")),
        (RESOLUTE, ("aardvark-dns", "netavark", "nftables", "passt")),
        (TRIXIE, ("aardvark-dns", "netavark", "nftables", "passt")),
        (FORKY, ("aardvark-dns", "netavark", "nftables", "passt")),
    ],
)
def test_where_podman_is_of_5_its_networks_take_other_packages(
    os_release: dict[str, str], packages: tuple[str, ...]
) -> None:
    (_, install) = steps(a_host(os_release=os_release), {Need.NETWORKS, Need.USERNET})
    assert install.argv[-4:] == packages


def test_elsewhere_the_steps_are_told() -> None:
    told = " ".join(command.why for command in steps(a_host(os_release=FEDORA), {Need.PODMAN, Need.INIT}))
    assert "install Podman 4.3 or newer" in told
    assert "catatonit" in told


@pytest.mark.parametrize(
    ("facts", "root", "expected"),
    [
        (PodmanFacts(), True, {}),
        (CONFINED, True, {"default_ulimits": '["nofile=20000:20000", "nproc=96364:96364"]', "runtime": '"runc"'}),
        (CONFINED, False, {"runtime": '"runc"'}),
        (replace(CONFINED, may_raise=True, hybrid=False), True, {}),
        (replace(CONFINED, files=None, hybrid=False), True, {"default_ulimits": '["nproc=96364:96364"]'}),
        (replace(CONFINED, files=1 << 20, processes=1 << 22, hybrid=False), True, {}),
        (replace(CONFINED, settings="[engine]\nruntime = 'crun'\n"), False, {}),
        (replace(CONFINED, settings="# runtime = 'crun'\n"), False, {"runtime": '"runc"'}),
        (replace(CONFINED, settings="[containers]\n  default_ulimits=[]\n", hybrid=False), True, {}),
    ],
)
def test_only_what_is_needed_and_not_set_is_set(facts: PodmanFacts, root: bool, expected: dict[str, str]) -> None:
    assert {key: value for _, key, value in lacking(facts, root=root)} == expected


def test_the_settings_are_a_file_of_tables() -> None:
    assert drop_in(lacking(CONFINED, root=True)).splitlines()[1:] == [
        "[containers]",
        'default_ulimits = ["nofile=20000:20000", "nproc=96364:96364"]',
        "[engine]",
        'runtime = "runc"',
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CapBnd:\t000001fffeffffff\n", False),
        ("Name:\tx\nCapBnd:\t000001ffffffffff\n", True),
        ("", True),
    ],
)
def test_whether_limits_may_be_raised_is_read_of_the_bounding_set(status: str, expected: bool) -> None:
    assert may_raise(status) is expected


@pytest.mark.parametrize(
    ("hard", "pid_max", "expected"),
    [(96364, "32768\n", 32768), (1000, "32768\n", 1000), (None, "32768\n", None), (96364, "", 96364)],
)
def test_no_more_processes_than_numbers_for_them(hard: int | None, pid_max: str, expected: int | None) -> None:
    assert fewest(hard, pid_max) == expected


@pytest.fixture
def cgroups(tmp_path: Path) -> Path:
    """A tree like /sys/fs/cgroup of version 2, and beside it what the kernel tells of this process."""
    (tmp_path / "fs/own").mkdir(parents=True)
    (tmp_path / "fs/cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (tmp_path / "fs/own/cgroup.controllers").write_text("memory\n")
    (tmp_path / "self").write_text("0::/own\n")
    return tmp_path


def controllers(cgroups: Path, uid: int | None = None) -> set[str] | None:
    found = delegated(os.geteuid() if uid is None else uid, cgroups / "fs", cgroups / "self")
    return None if found is None else set(found)


def test_what_systemd_delegates_to_a_user_is_read(cgroups: Path) -> None:
    uid = os.geteuid()
    service = cgroups / f"fs/user.slice/user-{uid}.slice/user@{uid}.service"
    service.mkdir(parents=True)
    (service / "cgroup.controllers").write_text("memory pids\n")
    assert controllers(cgroups) == {"memory", "pids"}


def test_without_systemd_a_user_has_what_their_own_cgroup_has(cgroups: Path) -> None:
    assert controllers(cgroups) == {"memory"}
    assert controllers(cgroups, os.geteuid() + 1) == set()


def test_nothing_is_delegated_where_the_own_cgroup_is_not_seen(cgroups: Path) -> None:
    (cgroups / "self").write_text("0::/gone\n")
    assert controllers(cgroups) == set()


def test_cgroups_of_version_1_delegate_nothing_that_is_known(cgroups: Path) -> None:
    (cgroups / "fs/cgroup.controllers").unlink()
    assert controllers(cgroups) is None


def test_a_user_needs_ids_and_a_network_of_their_own() -> None:
    tools = {"podman": "/usr/bin/podman", "iptables": "/usr/sbin/iptables", "docker": "/usr/bin/docker"}
    found = look(a_user(tools=tools, subuid="", podman=PodmanFacts(tun=False, runtime=False)))["rootless"]
    assert found.status is State.FAIL
    assert found.needs == (Need.UIDMAP, Need.SUBID, Need.USERNET, Need.TUN, Need.RUNTIME)
    assert found.fix[-2].argv == ("chmod", "0666", "/dev/net/tun")
    assert found.fix[-1].text(sudo=True) == "sudo install -d -m 0700 -o 1000 /run/user/1000"


@pytest.mark.parametrize(
    ("system", "info", "name", "status", "told"),
    [
        (a_host(), INFO | {"version": {"Version": "3.4.4"}}, "engine version", State.FAIL, "4.3 or newer"),
        (a_host(), {}, "engine version", State.WARN, "unknown"),
        (a_user(tools=TOOLS), with_host(cgroupVersion="v1"), "cgroups", State.WARN, "boot with version 2"),
        (a_user(tools=TOOLS, podman=DELEGATED, systemd=True), INFO, "cgroups", State.WARN, "cpu cannot be limited"),
        (a_user(tools=TOOLS, podman=DELEGATED, systemd=True), INFO, "cgroups", State.WARN, "Delegate=cpu memory pids"),
        (a_user(tools=TOOLS, subgid=""), INFO, "rootless", State.FAIL, "ids for ada in /etc/subgid"),
        (a_host(), with_host(cgroupVersion="v1"), "cgroups", State.OK, "version 1"),
        (a_host(), with_host(cgroupControllers=["cpu"]), "cgroups", State.WARN, "memory, pids cannot"),
        (a_host(), {}, "cgroups", State.WARN, "unknown"),
        (a_host(), with_host(networkBackend="cni"), "networks", State.WARN, "do not find each other"),
        (a_host(podman=PodmanFacts(hybrid=True), tools=TOOLS | {}), INFO, "settings", State.FAIL, 'runtime = "runc"'),
    ],
)
def test_what_podman_tells_is_judged(system: System, info: dict[str, Any], name: str, status: State, told: str) -> None:
    found = look(system, info)[name]
    assert (found.status, told in found.detail) == (status, True), found


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Completed(TIMED_OUT), "no answer within"),
        (Completed(125, b"", b"warning: x\nError: the storage is broken\n"), "Error: the storage is broken"),
        (Completed(125), "no answer"),
        (Completed(1, b"", NO_CGROUPS), "systemd.unified_cgroup_hierarchy=1"),
    ],
)
def test_a_podman_that_does_not_answer_says_why(answer: Completed, told: str) -> None:
    found = look(a_host(), answer=answer)["engine"]
    assert (found.status, found.needs) == (State.FAIL, ())
    assert told in found.detail


def test_the_fix_installs_sets_and_looks_again_and_starts_nothing() -> None:
    before = (
        Check("engine", State.FAIL, "absent", (Need.PODMAN,)),
        Check("settings", State.FAIL, "", (Need.SETTINGS,)),
    )
    after = (Check("engine", State.OK, "answers"),)
    looks = iter((before, after))
    run = FakeRun()
    said: list[str] = []
    host = Host(run=run, read=lambda: a_host(podman=CONFINED), look=lambda name: next(looks) if name else ())
    assert fix("podman", say=said.append, host=host) == after
    assert [line.split()[0] for line in run.seen] == ["apt-get", "env", "mkdir", "tee"]
    assert run.stdin[f"tee {DROP_IN}"].decode() == drop_in(lacking(CONFINED, root=True))
    assert said[0] == "envspec will run:"
