"""The decisions of the preflight, on hosts that exist only here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from envspec.engine.fake import FakeEngine
from envspec.engine.machine import Machine
from envspec.engine.objects import LINE
from envspec.engine.operations import Completed
from envspec.errors import UsageError
from envspec.host_tls import Seen, Sight
from envspec.model import to_json
from envspec.preflight import Check, Command, NotReady, State, check
from envspec.preflight.checks import Docker, check_system
from envspec.preflight.fix import Host, fix
from envspec.preflight.host_checks import WaysOut
from envspec.preflight.run import NOT_FOUND, TIMED_OUT, run_command
from envspec.preflight.steps import TRIXIE_PIN, TRIXIE_SOURCE, has_subids, start_commands, steps, supported
from envspec.preflight.system import AptSource, System, parse_os_release, read_sources
from envspec.preflight.values import Need

MIRROR = "http://mirror.example/debian"
BOOKWORM = {"ID": "debian", "VERSION_CODENAME": "bookworm", "PRETTY_NAME": "Debian 12"}
TRIXIE = {"ID": "debian", "VERSION_CODENAME": "trixie"}
FORKY = {"ID": "debian", "VERSION_CODENAME": "forky", "PRETTY_NAME": "Debian GNU/Linux forky/sid"}
RESOLUTE = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_CODENAME": "resolute"}
NOBLE = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_CODENAME": "noble"}
FEDORA = {"ID": "fedora", "VERSION_ID": "42", "PRETTY_NAME": "Fedora 42"}
PODMANS = set(
    map(Need, ("docker-client", "init", "networks", "podman", "runc", "runtime", "settings", "tun", "usernet"))
)
EVERYTHING = {"docker": "/usr/bin/docker", "dockerd": "/usr/sbin/dockerd", "git": "/usr/bin/git"}

INFO: dict[str, Any] = {
    "ServerVersion": "20.10.24+dfsg1",
    "CgroupVersion": "2",
    "CgroupDriver": "systemd",
    "MemoryLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "DockerRootDir": "/",
    "ClientInfo": {
        "Version": "28.2.2",
        "Plugins": [{"Name": "buildx", "Version": "0.13.1"}, {"Name": "compose", "Version": "2.26.1"}],
    },
}


def debian(**changes: Any) -> System:
    system = System(
        os_release=BOOKWORM,
        tools=EVERYTHING,
        sources=(AptSource(MIRROR, ("bookworm", "bookworm-updates"), ("main",), "/usr/share/keyrings/debian.gpg"),),
    )
    return replace(system, **changes)


def a_user(**changes: Any) -> System:
    ready: dict[str, Any] = {
        "uid": 1000,
        "user": "ada",
        "groups": frozenset({"ada", "docker"}),
        "member_of": frozenset({"docker"}),
        "subuid": "ada:100000:65536\n",
        "subgid": "ada:100000:65536\n",
        "tools": {**EVERYTHING, "sudo": "/usr/bin/sudo"},
    }
    return debian(**(ready | changes))


@dataclass
class FakeRun:
    """Answers commands by their first words, and remembers them."""

    answers: dict[str, Completed] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    stdin: dict[str, bytes] = field(default_factory=dict)

    def __call__(
        self, argv: Sequence[str], *, deadline: float, stdin: bytes = b"", on_line: LINE | None = None
    ) -> Completed:
        assert deadline > 0
        line = " ".join(argv)
        self.seen.append(line)
        self.stdin[line] = stdin
        answer = next((value for key, value in self.answers.items() if key in line), Completed(0))
        if on_line:
            for text in answer.stdout.decode().splitlines():
                on_line(text)
        return answer


def info_run(info: dict[str, Any], *, code: int = 0, stderr: str = "") -> FakeRun:
    return FakeRun({"docker info": Completed(code, json.dumps(info).encode(), stderr.encode())})


PUBLIC = Seen(Sight.PUBLIC, "a CA")


def look(
    system: System, run: FakeRun, *, registry: bool = True, tls: Seen = PUBLIC, engine: FakeEngine | None = None
) -> dict[str, Check]:
    ways = WaysOut(lambda: registry, lambda: tls)
    docker = Docker((system.tools.get("docker", ""),), engine or FakeEngine())
    return {item.name: item for item in check_system(system, run, ways=ways, docker=docker)}


# ── what a host is ───────────────────────────────────────────────────────────────────────────────────────────────


def test_os_release_is_read_as_shell_assignments() -> None:
    text = 'ID=debian\n# a comment\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID=\'12\'\nODD="open\n\n'
    fields = parse_os_release(text)
    assert fields["ID"] == "debian"
    assert fields["PRETTY_NAME"] == "Debian GNU/Linux 12 (bookworm)"
    assert fields["VERSION_ID"] == "12"


@pytest.mark.parametrize(
    ("os_release", "expected"),
    [
        (BOOKWORM, ("debian", "bookworm")),
        (NOBLE, ("ubuntu", "noble")),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "UBUNTU_CODENAME": "noble"}, ("ubuntu", "noble")),
        (
            {"ID": "linuxmint", "ID_LIKE": "debian", "VERSION_CODENAME": "faye", "DEBIAN_CODENAME": "bookworm"},
            ("debian", "bookworm"),
        ),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, ("rhel", "")),
        ({"ID": "nixos"}, ("", "")),
    ],
)
def test_a_derivative_counts_as_what_it_derives_from(os_release: dict[str, str], expected: tuple[str, str]) -> None:
    assert System(os_release=os_release).distribution == expected


def test_package_sources_are_read_in_both_forms(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "# deb http://off.example bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian bookworm main contrib # note\n"
        "deb-src http://one.example/debian bookworm main\n"
    )
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "b.sources").write_text(
        "Types: deb deb-src\n# note\nURIs: http://two.example/debian\nSuites: trixie\n trixie-updates\n"
        "Components: main\nSigned-By: /usr/share/keyrings/debian.gpg\n"
        "\n"
        "Types: deb\nURIs: http://off.example\nSuites: sid\nEnabled: no\n"
    )
    (parts / "a.list").write_text("deb http://three.example/ubuntu noble main\n")
    (parts / "c.list.disabled").write_text("deb http://off.example noble main\n")
    assert read_sources(tmp_path) == (
        AptSource("http://one.example/debian", ("bookworm",), ("main", "contrib"), "/k.gpg"),
        AptSource("http://three.example/ubuntu", ("noble",), ("main",)),
        AptSource(
            "http://two.example/debian", ("trixie", "trixie-updates"), ("main",), "/usr/share/keyrings/debian.gpg"
        ),
    )


def test_no_package_sources_are_no_error(tmp_path: Path) -> None:
    assert read_sources(tmp_path / "absent") == ()


# ── what it lacks ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ready_host_is_asked_one_question_and_lacks_nothing() -> None:
    run = info_run(INFO)
    checks = look(debian(), run)
    assert len(run.seen) == 1
    assert {item.status for item in checks.values()} == {State.OK}
    assert not any(item.needs or item.fix for item in checks.values())


def test_a_bare_host_needs_everything_in_one_go() -> None:
    lacks = ("debian-archive-keyring", "mmdebstrap", "uidmap")
    system = a_user(tools={}, groups=frozenset(), member_of=frozenset(), subuid="", bootstrap_lacks=lacks)
    run = FakeRun()
    checks = look(system, run)
    assert run.seen == []
    needs = {need for item in checks.values() for need in item.needs}
    assert needs == set(Need) - {Need.CERTIFICATES} - PODMANS


def test_an_engine_that_is_down_is_started_and_not_installed() -> None:
    down = {"ClientInfo": INFO["ClientInfo"], "ServerErrors": ["Cannot connect to the Docker daemon"]}
    checks = look(debian(), info_run(down))
    assert checks["engine"].needs == (Need.START,)
    assert checks["engine"].status is State.FAIL
    assert checks["buildx plugin"].status is State.OK


def test_a_hanging_engine_is_told_and_not_started_again() -> None:
    checks = look(debian(), FakeRun({"docker info": Completed(TIMED_OUT)}))
    assert "hangs" in checks["engine"].detail
    assert checks["engine"].needs == ()


def test_a_user_without_access_joins_the_group() -> None:
    denied = info_run({}, code=1, stderr="permission denied while trying to connect to the docker API")
    checks = look(a_user(groups=frozenset(), member_of=frozenset()), denied)
    assert checks["engine"].needs == (Need.GROUP,)
    assert checks["engine"].fix[0].text(sudo=True) == "sudo usermod -aG docker ada"


def test_a_login_that_is_older_than_the_membership_is_told_so() -> None:
    denied = info_run({"ServerErrors": ["permission denied"]})
    checks = look(a_user(groups=frozenset()), denied)
    assert checks["engine"].status is State.FAIL
    assert "sg docker" in checks["engine"].detail
    assert checks["engine"].needs == ()


def test_an_engine_elsewhere_is_not_ours_to_start() -> None:
    system = debian(docker_host="tcp://far.example:2375")
    checks = look(system, info_run({}, code=1, stderr="connection refused"))
    assert checks["engine"].needs == ()
    assert "DOCKER_HOST" in checks["engine"].detail


SHARED, SHM = "/Users/ada/shop", "/dev/shm"


@pytest.mark.parametrize(
    ("unseen", "images", "status", "told"),
    [
        ((), ("i",), State.OK, f"it sees {SHARED}"),
        ((SHM,), ("i",), State.WARN, "/dev/shm is hidden from it: services get secrets from a `file` only"),
        ((SHARED,), ("i",), State.WARN, f"it does not see {SHARED}, so that binds of it are refused: share it"),
        ((), (), State.WARN, f"apply asks it whether it sees {SHARED}"),
    ],
)
def test_an_engine_in_a_virtual_machine_says_what_it_sees(
    unseen: tuple[str, ...], images: tuple[str, ...], status: State, told: str
) -> None:
    engine = FakeEngine(images)
    engine.runs_on = Machine("ID", "docker-desktop", "6.6-linuxkit", "Docker Desktop", here=False)
    engine.unseen.update(unseen)
    system = debian(docker_host="unix:///Users/ada/.docker/run/docker.sock", directory=SHARED)
    checks = look(system, info_run(INFO), engine=engine)
    assert checks["files"].status is status
    assert checks["files"].detail.startswith("the engine runs on the virtual machine of Docker Desktop; ")
    assert told in checks["files"].detail
    assert "host.docker.internal" in checks["files"].detail
    assert "virtual machine" in checks["disk"].detail


def test_an_engine_elsewhere_binds_nothing_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "remote", "tcp://far.example:2375")
    assert "mount_cwd: false" in look(debian(), info_run(INFO))["files"].detail


@pytest.mark.parametrize(("version", "status"), [("19.03.15", State.FAIL), ("20.10.0", State.OK), ("28.1", State.OK)])
def test_the_server_must_be_new_enough(version: str, status: State) -> None:
    assert look(debian(), info_run(INFO | {"ServerVersion": version}))["engine version"].status is status


def test_a_broken_plugin_and_an_old_compose_do_not_count() -> None:
    plugins = [{"Name": "buildx", "Version": "0.1", "Err": "exec format error"}, {"Name": "compose", "Version": "1.29"}]
    checks = look(debian(), info_run(INFO | {"ClientInfo": {"Version": "28", "Plugins": plugins}}))
    assert checks["buildx plugin"].needs == (Need.BUILDX,)
    assert checks["compose plugin"].needs == (Need.COMPOSE,)


def test_limits_that_the_kernel_does_not_keep_are_a_warning() -> None:
    found = look(debian(), info_run(INFO | {"PidsLimit": False}))["cgroups"]
    assert found.status is State.WARN
    assert "pids" in found.detail


def test_no_registry_is_a_warning_that_says_what_happens_instead() -> None:
    found = look(debian(), info_run(INFO), registry=False)["registry"]
    assert found.status is State.WARN
    assert "Debian mirror" in found.detail


@pytest.mark.parametrize(
    ("seen", "status", "told"),
    [
        (PUBLIC, State.OK, "unchanged"),
        (Seen(Sight.KNOWN, "Corp CA"), State.OK, "signed by Corp CA, which no CA of the distribution is"),
        (Seen(Sight.UNKNOWN), State.WARN, "put its CA into /usr/local/share/ca-certificates"),
        (Seen(Sight.NOTHING), State.OK, "cannot be reached"),
    ],
)
def test_whoever_re_signs_tls_is_named_with_what_is_done_about_it(seen: Seen, status: State, told: str) -> None:
    found = look(debian(), info_run(INFO), tls=seen)["TLS"]
    assert found.status is status
    assert told in found.detail


def test_another_engine_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="rkt"):
        check("rkt")


# ── what brings it ───────────────────────────────────────────────────────────────────────────────────────────────


def lines(system: System, *needs: Need) -> list[str]:
    return [item.text(sudo=not system.root) for item in steps(system, needs)]


def test_debian_12_takes_the_plugins_from_debian_13_at_its_own_mirror() -> None:
    commands = steps(debian(), {Need.ENGINE, Need.COMPOSE, Need.BUILDX})
    assert [item.argv[:2] for item in commands[:2]] == [("tee", TRIXIE_SOURCE), ("tee", TRIXIE_PIN)]
    assert commands[0].stdin == (
        f"Types: deb\nURIs: {MIRROR}\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian.gpg\n"
    )
    assert "Pin-Priority: 100" in commands[1].stdin
    assert commands[2].argv == ("apt-get", "update", "-q")
    assert commands[3].argv[-4:] == ("docker-buildx/trixie", "docker-compose/trixie", "docker.io", "iptables")


def test_debian_12_with_debian_13_among_its_sources_adds_none() -> None:
    system = debian(sources=(AptSource(MIRROR, ("bookworm",), ("main",)), AptSource(MIRROR, ("trixie",), ("main",))))
    assert [item.argv[0] for item in steps(system, {Need.COMPOSE})] == ["apt-get", "env"]


def test_debian_12_without_a_mirror_of_its_own_is_a_step_for_a_person() -> None:
    commands = steps(debian(sources=()), {Need.COMPOSE})
    assert [item.argv for item in commands] == [()]
    assert "trixie" in commands[0].why


@pytest.mark.parametrize(
    ("system", "packages"),
    [
        (debian(os_release=TRIXIE), "docker-buildx docker-cli docker-compose docker.io iptables"),
        (debian(os_release=FORKY), "docker-buildx docker-cli docker-compose docker.io iptables"),
        (debian(os_release=NOBLE), "docker-buildx docker-compose-v2 docker.io iptables"),
        (debian(os_release=RESOLUTE), "docker-buildx docker-compose-v2 docker.io iptables"),
        (debian(docker_ce=True), "docker-buildx-plugin docker-ce docker-compose-plugin"),
    ],
)
def test_each_distribution_has_its_own_names(system: System, packages: str) -> None:
    assert lines(system, Need.ENGINE, Need.COMPOSE, Need.BUILDX)[-1].endswith(f"--no-install-recommends {packages}")
    assert supported(system)


def test_a_foreign_distribution_gets_advice_only() -> None:
    system = System(os_release=FEDORA)
    assert not supported(system)
    assert lines(system, Need.ENGINE, Need.BOOTSTRAP)[0] == "dnf install -y moby-engine"
    assert "mmdebstrap" in lines(system, Need.BOOTSTRAP)[0]
    assert "docs.docker.com" in lines(System(os_release={"ID": "nixos"}), Need.ENGINE)[0]


def test_subordinate_ids_start_after_those_that_are_taken_and_fill_what_is_missing() -> None:
    system = a_user(subuid="eve:100000:65536\n", subgid="eve:100000:65536\nada:165536:65536\n")
    assert lines(system, Need.SUBID) == ["sudo usermod --add-subuids 231072-296607 ada"]


@pytest.mark.parametrize(
    ("taken", "first"),
    [
        ("", 100000),
        ("eve:4294836224:65536\n", 100000),
        ("eve:100000:65536\nbob:300000:65536\n", 165536),
        ("eve:100000:65536\nbob:200000:65536\n", 265536),
        ("bob:120000:10\neve:90000:20000\n", 120010),
    ],
    ids=["none", "far away", "between two", "too narrow between", "unsorted"],
)
def test_subordinate_ids_are_the_first_that_are_free(taken: str, first: int) -> None:
    tools = {**EVERYTHING, "podman": "/usr/bin/podman"}
    span = f"{first}-{first + 65535}"
    assert lines(a_user(subuid=taken, subgid="", tools=tools), Need.SUBID) == [
        f"sudo usermod --add-subuids {span} --add-subgids {span} ada",
        "/usr/bin/podman system migrate",
    ]


def test_a_range_of_no_ids_is_none() -> None:
    assert has_subids(a_user(), "1000:100000:1\n")
    assert not has_subids(a_user(), "ada:100000:0\neve:100000:65536\n")


def test_the_engine_is_started_by_systemd_or_service_or_hand() -> None:
    assert [item.argv[0] for item in start_commands(debian(systemd=True))] == ["systemctl"]
    with_service = debian(tools={**EVERYTHING, "service": "/usr/sbin/service"})
    assert [item.argv[0] for item in start_commands(with_service)] == ["service", "sh"]
    assert [item.argv[0] for item in start_commands(debian())] == ["sh"]


def test_a_file_to_write_is_printed_as_one_line_that_a_shell_understands(tmp_path: Path) -> None:
    file = tmp_path / "x"
    text = "Types: deb\n# it's\n"
    line = Command("why", ("tee", str(file)), stdin=text).text(sudo=False)
    assert "\n" not in line
    assert run_command(("sh", "-c", line), deadline=10).code == 0
    assert file.read_text() == text


# ── the fix ──────────────────────────────────────────────────────────────────────────────────────────────────────


UP = (Check("engine", State.OK, "answers"),)
DOWN = (Check("engine", State.FAIL, "down", (Need.START,)),)
ABSENT = (Check("engine", State.FAIL, "absent", (Need.ENGINE, Need.START)),)


@dataclass
class FakeHost:
    """A host whose checks come out one after another, the last one for ever."""

    system: System
    looks: list[tuple[Check, ...]]
    run: FakeRun = field(default_factory=FakeRun)
    said: list[str] = field(default_factory=list)
    log: Path = Path("/nowhere")

    def look(self, _engine: str) -> tuple[Check, ...]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def fix(self) -> tuple[Check, ...]:
        host = Host(run=self.run, read=lambda: self.system, look=self.look, patience=0.0, log=self.log)
        return fix(say=self.said.append, host=host)


def test_nothing_is_run_on_a_ready_host() -> None:
    host = FakeHost(debian(), [UP])
    assert host.fix() == UP
    assert host.run.seen == []
    assert host.said == []


def test_root_installs_then_starts_and_says_so_first() -> None:
    host = FakeHost(debian(systemd=True, tools={}), [ABSENT, DOWN, UP])
    assert host.fix() == UP
    assert [line.split()[0] for line in host.run.seen] == ["apt-get", "env", "systemctl"]
    announced = host.said[: host.said.index("+ apt-get update -q")]
    assert any("systemctl enable --now docker" in line for line in announced)


def test_an_engine_that_its_package_has_started_is_not_started_again() -> None:
    host = FakeHost(debian(systemd=True), [ABSENT, UP])
    host.fix()
    assert not any("systemctl" in line for line in host.run.seen)


def test_a_user_goes_through_sudo_with_a_deadline_that_root_keeps() -> None:
    host = FakeHost(a_user(systemd=True), [DOWN, DOWN, UP])
    host.fix()
    assert host.run.seen[0] == "/usr/bin/sudo -n true"
    assert host.run.seen[1] == "/usr/bin/sudo -n timeout --kill-after=5 60 systemctl enable --now docker"


def test_a_user_whose_sudo_asks_gets_the_steps() -> None:
    host = FakeHost(a_user(systemd=True), [DOWN], FakeRun({"sudo -n true": Completed(1)}))
    assert host.fix() == DOWN
    assert host.run.seen == ["/usr/bin/sudo -n true"]
    assert "Nothing was changed" in host.said[0]
    assert any("sudo systemctl enable --now docker" in line for line in host.said)


def test_a_foreign_distribution_is_left_alone() -> None:
    host = FakeHost(System(os_release=FEDORA), [ABSENT])
    assert host.fix() == ABSENT
    assert host.run.seen == []
    assert "Fedora 42" in host.said[0]
    assert any("dnf install -y moby-engine" in line for line in host.said)


def test_a_failed_installation_is_shown_and_ends_it() -> None:
    host = FakeHost(debian(), [ABSENT], FakeRun({"apt-get update": Completed(100, b"E: no network")}))
    assert host.fix() == ABSENT
    assert len(host.run.seen) == 1
    assert "  E: no network" in host.said
    assert any("failed with code 100" in line for line in host.said)


def test_service_gives_way_to_dockerd_by_hand() -> None:
    tools = {**EVERYTHING, "service": "/usr/sbin/service"}
    host = FakeHost(debian(tools=tools), [DOWN, DOWN, UP], FakeRun({"service docker start": Completed(1)}))
    assert host.fix() == UP
    assert host.run.seen[0] == "service docker start"
    assert "setsid dockerd" in host.run.seen[1]


def test_an_engine_that_does_not_come_up_leaves_its_log(tmp_path: Path) -> None:
    log = tmp_path / "dockerd.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    host = FakeHost(debian(), [DOWN], log=log)
    assert host.fix() == DOWN
    assert "  line 99" in host.said
    assert "  line 79" not in host.said


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_not_ready_names_what_failed_and_carries_every_check() -> None:
    error = NotReady((*UP, Check("disk", State.FAIL, "full")), hint="clean up")
    assert error.exit_code == 5
    assert error.message == "disk: full"
    assert error.as_json()["checks"] == to_json((*UP, Check("disk", State.FAIL, "full")))


def test_commands_end_in_an_exit_code_whatever_happens() -> None:
    heard: list[str] = []
    assert run_command(("sh", "-c", "cat; exit 3"), deadline=10, stdin=b"hello\n", on_line=heard.append).code == 3
    assert heard == ["hello"]
    assert run_command(("envspec-no-such-program",), deadline=10).code == NOT_FOUND
    assert run_command(("sleep", "60"), deadline=0.1).code == TIMED_OUT


OLD = (
    "Error response from daemon: client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade"
)
"""What Docker 29 says to the client of Docker 20.10."""


@pytest.mark.parametrize("told", ["stderr", "ServerErrors"])
def test_a_client_that_is_too_old_is_named_and_no_second_daemon_is_started(told: str) -> None:
    info = {"ServerErrors": [OLD]} if told == "ServerErrors" else {}
    found = look(debian(), info_run(info, code=1, stderr="" if info else OLD))["engine"]
    assert (found.status, found.needs, found.fix) == (State.FAIL, (), ())
    assert "too old" in found.detail
    assert "docker-cli" in found.detail


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, ", rootless"),
        ({"DockerRootDir": "/var/snap/docker/common/var-lib-docker"}, ", from a snap"),
        ({}, ""),
    ],
)
def test_what_kind_of_a_daemon_it_is_is_asked(told: dict[str, Any], kind: str) -> None:
    assert look(debian(), info_run(INFO | told))["engine"].detail == f"answers at /var/run/docker.sock{kind}"
