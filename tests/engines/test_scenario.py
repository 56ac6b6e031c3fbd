"""All features in one long day, step after step, through the command line: what an engine has to be able to do.

The steps share one environment and go in the order of this file. A class is a feature, and a row of the table that
:mod:`tests.engines.table` makes of the results.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.engine.conftest import BASE
from tests.engine.e2e import NOTHING, Place, Places, bare, causes, change, objects, remove_all
from tests.engines.inside import WITHOUT_CGROUPS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

MIB = 1024 * 1024
CANARY = "scenario-canary-4711"
REMOTE = "file:///srv/app.git"
FILE = "file./etc/evt/one.conf"
SERVER = (
    "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die; "
    'while (my $c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nserved"; close $c }'
)
"""A web server for images that have no more than Perl."""

CLIENT = (
    "use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1]) or die; "
    'print $s "GET / HTTP/1.0\\r\\n\\r\\n"; print <$s>'
)
LISTENS = "grep -q ':1F40 ' /proc/net/tcp /proc/net/tcp6"
HEALTH = {"test": ["CMD-SHELL", LISTENS], "interval": "1s", "timeout": "5s", "retries": 30}
SERVICES: dict[str, Any] = {
    "services": {
        "web": {
            "image": BASE,
            "command": ["perl", "-e", SERVER.replace("$", "$$")],
            "environment": {"GREETING": "hello"},
            "ports": ["127.0.0.1::8000"],
            "volumes": ["kept:/kept"],
            "secrets": ["token"],
            "healthcheck": HEALTH,
        },
        "built": {
            "build": {"context": "built", "args": {"BASE": BASE}},
            "depends_on": {"web": {"condition": "service_healthy"}},
        },
    },
    "volumes": {"kept": None},
    "secrets": {"token": {"environment": "EVT_TOKEN"}},
}
LIMITS: dict[str, Any] = {"memory": "256m", "pids": 100, "cpus": "0.75"}
UNLIMITED: dict[str, Any] = {"memory": "none", "pids": "none"}
ALLOWED = ("--allow", "host-variable")
LOST = ("--allow-data-loss", "volume.data", "--allow-data-loss", "volume.workspace")


@dataclass
class Scene:
    """The environment of the day: its place, its spec so far, and what a step leaves for a later one."""

    place: Place
    keys: dict[str, Any]
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def network(self) -> str:
        return f"{self.place.name}-net"

    @property
    def fork(self) -> str:
        return f"{self.place.name}-b"

    def edit(self, **keys: Any) -> None:
        """Change the spec; ``None`` takes a key out."""
        self.keys = {name: value for name, value in (self.keys | keys).items() if value is not None}
        self.place.write(**self.keys)

    def settle(self, *words: str) -> None:
        """Apply, and insist that nothing is left to do."""
        self.place.apply(*words)
        assert self.place.plan()["changes"] == []

    def heals(self, address: str, attribute: str, action: str = "update") -> None:
        """Insist that a change by hand is seen as one attribute of an address, and healed in the same container."""
        before, plan = self.place.id, self.place.plan()
        assert (change(plan, address)["action"], causes(plan, address)) == (action, {attribute: "drift"})
        self.settle()
        assert self.place.id == before


@pytest.fixture(scope="module")
def scene(places: Places) -> Iterator[Scene]:
    place = places()
    place.environ = {**place.environ, "EVT_TOKEN": CANARY, "ENVSPEC_SESSION": f"s-{place.name}"}
    (place.directory / "built").mkdir()
    (place.directory / "built/Dockerfile").write_text('ARG BASE\nFROM ${BASE}\nCMD ["sleep", "infinity"]\n')
    keys = {
        "mount_cwd": False,
        "volumes": ["data:/data"],
        "ports": ["8000"],
        "env": {"GREETING": "hello", "TOKEN": {"from_env": "EVT_TOKEN"}},
        "repos": [{"url": REMOTE, "path": "app"}],
        "config_files": {"/etc/evt/one.conf": "one\n"},
        "setup_commands": ["echo run >>/data/setup"],
        "health": {"command": "test -d app"},
        **(UNLIMITED if os.environ.get(WITHOUT_CGROUPS) else LIMITS),
    }
    scene = Scene(place, keys)
    try:
        yield scene
    finally:
        place.stop_all()
        for env in (scene.fork, place.name):
            remove_all(env)
        bare("network", "rm", scene.network, code=None)
        bare(
            "image",
            "rm",
            *(f"envspec/snapshot/{place.name}:{part}" for part in ("box", "volumes", "manifest")),
            code=None,
        )


class TestPlanAndApply:
    def test_preflight_finds_the_engine_fit(self, scene: Scene) -> None:
        checks = {row["name"]: row for row in scene.place.told("preflight").result["checks"]}
        assert checks["engine"]["status"] == "ok"

    def test_a_faulty_spec_is_refused(self, scene: Scene) -> None:
        scene.place.write(memroy="1g")
        assert "memory" in scene.place.run("validate", ".", code=3).stderr

    def test_a_plan_of_what_is_not_there_creates_all(self, scene: Scene) -> None:
        scene.edit()
        assert change(scene.place.plan(), "container.workspace")["action"] == "create"

    def test_apply_converges(self, scene: Scene) -> None:
        assert scene.place.apply().done["container.workspace"] == "done"

    def test_the_next_plan_is_empty(self, scene: Scene) -> None:
        assert scene.place.plan()["changes"] == []

    def test_the_next_apply_does_nothing(self, scene: Scene) -> None:
        assert scene.place.apply().done == {}

    def test_a_saved_plan_is_applied(self, scene: Scene) -> None:
        scene.edit(env={**scene.keys["env"], "MORE": "1"})
        scene.place.run("plan", ".", "--out", "saved.plan", code=0)
        scene.place.run("apply", "--yes", "saved.plan")
        assert scene.place.plan()["changes"] == []

    def test_status_and_list_show_it(self, scene: Scene) -> None:
        found = scene.place.told("status", scene.place.name, "--drift").result
        assert (found["health"], found["drift"]) == ("passed", [])
        assert scene.place.name in {row["name"] for row in scene.place.told("list").result}


class TestExec:
    def test_variables_reach_a_command(self, scene: Scene) -> None:
        assert scene.place.exec("sh", "-c", "echo $GREETING $TOKEN") == f"hello {CANARY}"

    def test_its_exit_code_is_passed_on(self, scene: Scene) -> None:
        scene.place.run("exec", scene.place.name, "--", "sh", "-c", "exit 9", code=9)

    def test_a_missing_program_is_127(self, scene: Scene) -> None:
        scene.place.run("exec", scene.place.name, "--", "no-such-program", code=127)

    def test_what_takes_too_long_ends_with_all_that_it_started(self, scene: Scene) -> None:
        scene.place.run(
            "exec", "--timeout", "0.5", scene.place.name, "--", "sh", "-c", "sleep 4711 & sleep 4711", code=124
        )
        running = scene.place.inside("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
        assert "sleep infinity" in running
        assert "sleep 4711" not in running

    def test_root_is_root(self, scene: Scene) -> None:
        ran = scene.place.run("exec", "--root", "--workdir", "/", scene.place.name, "--", "id", "-u")
        assert ran.stdout == "0\n"

    def test_a_plain_exec_of_a_shell_has_the_variables(self, scene: Scene) -> None:
        assert bare("exec", scene.place.box, "bash", "-c", "echo $TOKEN") == CANARY

    def test_connect_prints_a_command_that_works(self, scene: Scene) -> None:
        assert scene.place.box in scene.place.run("connect", scene.place.name).stdout


class TestSecrets:
    def test_inspect_holds_no_value(self, scene: Scene) -> None:
        assert CANARY not in bare("container", "inspect", scene.place.box)

    def test_status_names_them_only(self, scene: Scene) -> None:
        ran = scene.place.run("status", scene.place.name)
        assert "TOKEN" in ran.stdout
        assert CANARY not in ran.stdout

    def test_a_restart_loses_them_and_apply_brings_them_back(self, scene: Scene) -> None:
        bare("restart", "--time", "0", scene.place.box)
        assert "environment.workspace" in {item["address"] for item in scene.place.plan()["changes"]}
        scene.settle()
        assert scene.place.exec("sh", "-c", "echo $TOKEN") == CANARY


class TestDrift:
    def test_a_file_edited_by_hand(self, scene: Scene) -> None:
        scene.place.inside("echo more >>/etc/evt/one.conf")
        scene.heals(FILE, "sha256")

    def test_a_mode_changed_by_hand(self, scene: Scene) -> None:
        scene.place.inside("chmod 0777 /etc/evt/one.conf")
        scene.heals(FILE, "mode")

    def test_a_stopped_container(self, scene: Scene) -> None:
        bare("stop", "--time", "0", scene.place.box)
        assert causes(scene.place.plan(), "container.workspace") == {"status": "drift"}
        scene.settle()

    @pytest.mark.cgroups
    def test_a_paused_container(self, scene: Scene) -> None:
        bare("pause", scene.place.box)
        scene.heals("container.workspace", "status")

    def test_a_removed_container_is_created_again(self, scene: Scene) -> None:
        bare("rm", "--force", scene.place.box)
        scene.settle()

    def test_a_variable_edited_inside(self, scene: Scene) -> None:
        scene.place.inside("sed -i s/hello/evil/ /run/envspec/env")
        scene.heals("environment.workspace", "env.GREETING")


@pytest.mark.cgroups
class TestLimits:
    def test_those_of_the_spec_are_the_containers(self, scene: Scene) -> None:
        limits = "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}"
        assert scene.place.inspect(limits) == f"{256 * MIB} 100"

    def test_another_one_is_set(self, scene: Scene) -> None:
        scene.edit(memory="320m", pids=120)
        scene.settle()
        assert scene.place.inspect("{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}") == f"{320 * MIB} 120"

    def test_the_kernel_holds_it(self, scene: Scene) -> None:
        script = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
        assert scene.place.inside(script) == str(320 * MIB)

    def test_one_that_is_taken_out_is_gone(self, scene: Scene) -> None:
        scene.edit(cpus=None)
        scene.settle()
        assert scene.place.inspect("{{.HostConfig.NanoCpus}}") == "0"


class TestFiles:
    def test_another_content_is_written_in_place(self, scene: Scene) -> None:
        before = scene.place.id
        scene.edit(config_files={"/etc/evt/one.conf": "two\n", "/etc/evt/key": {"content": "k\n", "mode": "0600"}})
        scene.settle()
        assert scene.place.inside("cat /etc/evt/one.conf; stat -c %a /etc/evt/key") == "two\n600"
        assert scene.place.id == before

    def test_one_that_is_taken_out_goes(self, scene: Scene) -> None:
        scene.edit(config_files={"/etc/evt/one.conf": "two\n"})
        scene.settle()
        assert scene.place.inside("test -e /etc/evt/key || echo gone") == "gone"


class TestRepositories:
    def test_it_is_cloned(self, scene: Scene) -> None:
        assert scene.place.exec("cat", "app/README.md") == "two"

    def test_a_reset_by_hand_is_healed(self, scene: Scene) -> None:
        scene.place.inside("git -c safe.directory=* -C /workspace/app reset -q --hard v1")
        scene.heals("repo./workspace/app", "head")

    def test_another_ref_is_checked_out(self, scene: Scene) -> None:
        scene.edit(repos=[{"url": REMOTE, "path": "app", "ref": "v1"}])
        scene.settle()
        assert scene.place.exec("cat", "app/README.md") == "one"

    def test_uncommitted_work_stops_a_destroy(self, scene: Scene) -> None:
        scene.place.inside("echo draft >>/workspace/app/README.md")
        scene.place.run("destroy", scene.place.name, "--yes", code=4)
        scene.place.inside("git -c safe.directory=* -C /workspace/app checkout -q .")


class TestSetupAndReplace:
    def test_a_setup_command_ran_once_a_container(self, scene: Scene) -> None:
        scene.kept["setup"] = scene.place.inside("cat /data/setup")
        scene.settle()
        assert scene.place.inside("cat /data/setup") == scene.kept["setup"]

    def test_a_key_of_the_container_replaces_it(self, scene: Scene) -> None:
        before = scene.place.id
        scene.edit(add_hosts=["evt.test:10.11.12.13"])
        assert change(scene.place.plan(), "container.workspace")["action"] == "replace"
        scene.settle()
        assert scene.place.id != before
        assert "10.11.12.13" in scene.place.inside("getent hosts evt.test")

    def test_volumes_outlive_it(self, scene: Scene) -> None:
        assert scene.place.inside("cat /data/setup") == f"{scene.kept['setup']}\nrun"

    def test_a_replace_that_fails_leaves_the_old_container(self, scene: Scene) -> None:
        before = scene.place.id
        scene.edit(add_hosts=None, setup_commands=["echo run >>/data/setup", "false"])
        scene.place.apply(code=1)
        assert scene.place.id == before
        scene.edit(setup_commands=["echo run >>/data/setup"])
        scene.settle()

    def test_one_that_is_asked_for_makes_it_again(self, scene: Scene) -> None:
        before = scene.place.id
        scene.settle("--replace", "container.workspace")
        assert scene.place.id != before


class TestJobs:
    def test_one_starts_and_runs_on(self, scene: Scene) -> None:
        script = "echo one; echo done >/data/job; exec sleep 4712"
        scene.place.run("job", "start", scene.place.name, "--name", "build", "--", "sh", "-c", script)
        scene.place.run("wait", scene.place.name, "--command", "test -e /data/job")
        assert [row["state"] for row in scene.place.told("job", "list", scene.place.name).result] == ["running"]

    def test_what_it_printed_is_read(self, scene: Scene) -> None:
        assert scene.place.run("job", "logs", f"{scene.place.name}/build").stdout == "one\n"

    def test_cancel_ends_all_of_it(self, scene: Scene) -> None:
        scene.place.run("job", "cancel", f"{scene.place.name}/build")
        assert "sleep 4712" not in bare("top", scene.place.box)

    def test_its_exit_code_is_waited_for(self, scene: Scene) -> None:
        scene.place.run("job", "wait", f"{scene.place.name}/build", code=143)


class TestCopy:
    def test_a_file_goes_in(self, scene: Scene) -> None:
        (scene.place.directory / "in.txt").write_text("in\n")
        scene.place.run("cp", "in.txt", f"{scene.place.name}:/data/in.txt")
        assert scene.place.inside("cat /data/in.txt") == "in"

    def test_a_tree_comes_out(self, scene: Scene) -> None:
        scene.place.inside("mkdir -p /data/tree/deep; echo out >/data/tree/deep/file")
        scene.place.run("cp", f"{scene.place.name}:/data/tree", "out")
        assert (scene.place.directory / "out/deep/file").read_text() == "out\n"

    def test_what_lies_in_memory_is_not_copied_past(self, scene: Scene) -> None:
        scene.place.run("cp", "in.txt", f"{scene.place.name}:/dev/shm/in.txt", code=4)

    def test_a_stopped_container_is_copied_from(self, scene: Scene) -> None:
        bare("stop", "--time", "0", scene.place.box)
        scene.place.run("cp", f"{scene.place.name}:/data/in.txt", "back.txt")
        assert (scene.place.directory / "back.txt").read_text() == "in\n"
        scene.settle()


class TestPorts:
    def test_a_port_is_served_to_this_host(self, scene: Scene) -> None:
        scene.place.run("job", "start", scene.place.name, "--name", "server", "--", "perl", "-e", SERVER)
        scene.place.run("wait", scene.place.name, "--command", LISTENS)
        assert self.served(bare("port", scene.place.box, "8000")) == "served"

    def test_it_is_bound_to_this_host_alone(self, scene: Scene) -> None:
        assert bare("port", scene.place.box, "8000").startswith("127.0.0.1:")
        scene.place.run("job", "cancel", f"{scene.place.name}/server")

    @staticmethod
    def served(address: str) -> str:
        """Return what a web server at an address says."""
        host, _, port = address.rpartition(":")
        done = subprocess.run(
            ["perl", "-e", CLIENT, host, port], capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout.splitlines()[-1]


class TestNetworks:
    def test_one_is_made(self, scene: Scene) -> None:
        scene.place.run("network", "create", scene.network)
        assert scene.network in {row["name"] for row in scene.place.told("network", "list").result}

    def test_it_is_joined_in_place(self, scene: Scene) -> None:
        before = scene.place.id
        scene.edit(networks=[scene.network])
        scene.settle()
        assert scene.place.id == before

    def test_environments_reach_each_other_by_name(self, scene: Scene) -> None:
        words = ("run", "--rm", "--network", scene.network, BASE, "getent", "hosts", scene.place.name)
        assert scene.place.name in bare(*words)

    def test_a_disconnect_by_hand_is_healed(self, scene: Scene) -> None:
        before = scene.place.id
        bare("network", "disconnect", scene.network, scene.place.box)
        assert scene.place.plan()["changes"] != []
        scene.settle()
        assert scene.place.id == before
        words = ("run", "--rm", "--network", scene.network, BASE, "getent", "hosts", scene.place.name)
        assert scene.place.name in bare(*words)

    def test_one_in_use_is_not_removed(self, scene: Scene) -> None:
        scene.place.run("network", "rm", scene.network, code=4)

    def test_it_is_left_in_place(self, scene: Scene) -> None:
        scene.edit(networks=None)
        scene.settle()
        scene.place.run("network", "rm", scene.network)


class TestServices:
    def test_a_variable_of_the_host_has_to_be_allowed(self, scene: Scene) -> None:
        scene.edit(compose=SERVICES)
        assert scene.place.apply(code=4).error["code"] == "refused.effect"

    def test_they_converge(self, scene: Scene) -> None:
        scene.settle(*ALLOWED)

    def test_status_shows_their_health(self, scene: Scene) -> None:
        shown = scene.place.told("status", scene.place.name).result["services"]
        assert {item["name"]: item["status"] for item in shown} == {"built": "running", "web": "running (healthy)"}

    def test_the_workspace_reaches_one_by_name(self, scene: Scene) -> None:
        assert scene.place.exec("perl", "-e", CLIENT, "web", "8000").endswith("served")

    def test_one_has_its_secret(self, scene: Scene) -> None:
        assert bare("exec", f"{scene.place.name}-web-1", "cat", "/run/secrets/token") == CANARY
        assert CANARY not in bare("container", "inspect", f"{scene.place.name}-web-1")

    def test_another_value_of_it_is_a_restart(self, scene: Scene) -> None:
        scene.place.environ = {**scene.place.environ, "EVT_TOKEN": f"{CANARY}-2"}
        assert change(scene.place.plan(), "service.web")["disruption"] == "restart"
        scene.settle(*ALLOWED)
        assert bare("exec", f"{scene.place.name}-web-1", "cat", "/run/secrets/token") == f"{CANARY}-2"

    def test_a_stopped_one_is_started(self, scene: Scene) -> None:
        bare("stop", "--time", "0", f"{scene.place.name}-web-1")
        assert causes(scene.place.plan(), "service.web") == {"status": "drift"}
        scene.settle(*ALLOWED)

    def test_a_changed_one_alone_is_recreated(self, scene: Scene) -> None:
        built = bare("container", "inspect", "--format", "{{.Id}}", f"{scene.place.name}-built-1")
        bare("exec", f"{scene.place.name}-web-1", "sh", "-c", "echo kept >/kept/file")
        web = {**SERVICES["services"]["web"], "environment": {"GREETING": "good day"}}
        scene.edit(compose={**SERVICES, "services": {**SERVICES["services"], "web": web}})
        assert set(causes(scene.place.plan(), "service.web")) == {"environment.GREETING"}
        scene.settle(*ALLOWED)
        assert bare("container", "inspect", "--format", "{{.Id}}", f"{scene.place.name}-built-1") == built

    def test_its_volume_outlives_that(self, scene: Scene) -> None:
        assert bare("exec", f"{scene.place.name}-web-1", "cat", "/kept/file") == "kept"

    def test_its_port_is_served_to_this_host(self, scene: Scene) -> None:
        assert TestPorts.served(bare("port", f"{scene.place.name}-web-1", "8000")) == "served"

    def test_logs_are_read(self, scene: Scene) -> None:
        scene.place.run("logs", scene.place.name, "built")

    def test_a_build_that_changed_is_built_again(self, scene: Scene) -> None:
        dockerfile = scene.place.directory / "built/Dockerfile"
        dockerfile.write_text(dockerfile.read_text() + "LABEL evt.more=1\n")
        scene.settle(*ALLOWED)
        label = '{{index .Config.Labels "evt.more"}}'
        assert bare("container", "inspect", "--format", label, f"{scene.place.name}-built-1") == "1"

    def test_they_go_when_they_are_taken_out(self, scene: Scene) -> None:
        scene.edit(compose=None)
        scene.settle("--allow-data-loss", "volume.kept")
        assert objects(scene.place.name)["container"] == [scene.place.box]


class TestSnapshots:
    def test_one_is_made_and_shown(self, scene: Scene) -> None:
        scene.place.inside("echo kept >/opt/kept; echo kept >/data/kept")
        scene.place.told("snapshot", "create", scene.place.name, scene.place.name)
        assert scene.place.name in {row["name"] for row in scene.place.told("snapshot", "list").result}
        assert CANARY not in scene.place.run("snapshot", "show", scene.place.name).stdout

    def test_it_becomes_another_environment(self, scene: Scene) -> None:
        scene.place.told("restore", scene.place.name, "--as", scene.fork)
        for path in ("/opt/kept", "/data/kept"):
            assert bare("exec", f"{scene.fork}-workspace", "cat", path) == "kept"

    def test_it_brings_back_what_was_removed(self, scene: Scene) -> None:
        scene.place.inside("rm /opt/kept /data/kept")
        scene.place.told("restore", scene.place.name, "--yes", "--allow-data-loss", "volume.data")
        assert scene.place.inside("cat /opt/kept /data/kept") == "kept\nkept"

    def test_the_plan_is_empty_then(self, scene: Scene) -> None:
        assert scene.place.plan()["changes"] == []

    def test_one_in_use_stays(self, scene: Scene) -> None:
        scene.place.run("snapshot", "rm", scene.place.name, code=6)

    def test_the_other_environment_goes(self, scene: Scene) -> None:
        scene.place.run("destroy", scene.fork, "--yes", "--volumes", "--allow-data-loss", "volume.data")
        assert objects(scene.fork) == NOTHING


class TestRun:
    def test_a_command_has_an_environment_for_itself(self, scene: Scene) -> None:
        ran = scene.place.run("run", ".", "--", "sh", "-c", 'echo "$GREETING"; exit 9', code=9)
        assert ran.stdout == "hello\n"

    def test_nothing_of_it_is_left(self, scene: Scene) -> None:
        names = bare("ps", "--all", "--format", "{{.Names}}").split()
        assert [name for name in names if f"{scene.place.name}-run" in name] == []


class TestPurposes:
    def test_a_purpose_is_built(self, scene: Scene) -> None:
        (scene.place.directory / "purposes").mkdir()
        base = f"{{registry: {scene.place.image}, bootstrap: debian-13}}"
        purpose = f"---\nsummary: of a test\nbase: {base}\n---\nFROM {{{{ base }}}}\n"
        (scene.place.directory / "purposes/evt-day.Dockerfile.j2").write_text(f"{purpose}RUN echo built >/built\n")
        scene.edit(image=None, purpose="evt-day")
        scene.settle()
        assert scene.place.inside("cat /built") == "built"

    def test_its_image_is_in_the_cache(self, scene: Scene) -> None:
        assert "evt-day" in scene.place.run("cache", "list").stdout

    def test_it_is_not_built_twice(self, scene: Scene) -> None:
        bare("rm", "--force", scene.place.box)
        assert "image.workspace" not in {item["address"] for item in scene.place.plan()["changes"]}
        scene.settle()

    def test_gc_keeps_an_image_that_was_used_today(self, scene: Scene) -> None:
        scene.place.run("destroy", scene.place.name, "--yes", "--allow-data-loss", "volume.workspace")
        scene.place.run("gc", scene.place.name, "--images-older-than", "1h")
        assert "evt-day" in scene.place.run("cache", "list").stdout


class TestTheEnd:
    def test_a_killed_apply_is_converged_by_the_next(self, scene: Scene) -> None:
        running = scene.place.start("apply", ".", "--yes", "--json")
        running.await_output("container.workspace")
        running.stop()
        scene.settle()

    def test_a_session_names_what_it_made(self, scene: Scene) -> None:
        assert f"s-{scene.place.name}" in scene.place.run("session", "list").stdout

    def test_gc_leaves_what_is_wanted(self, scene: Scene) -> None:
        scene.place.run("gc", scene.place.name)
        assert objects(scene.place.name)["container"] == [scene.place.box]

    def test_what_has_expired_is_collected(self, scene: Scene) -> None:
        scene.edit(ttl="1s")
        scene.place.apply()
        scene.place.inside("sleep 2")
        assert scene.place.told("gc", scene.place.name, "--allow-data-loss", scene.place.name).result[0]["gone"] is True

    def test_destroy_removes_all_of_it(self, scene: Scene) -> None:
        scene.edit(ttl=None)
        scene.place.apply()
        scene.place.run("destroy", scene.place.name, "--yes", "--volumes", *LOST)
        assert objects(scene.place.name) == NOTHING

    def test_the_session_ends(self, scene: Scene) -> None:
        scene.place.apply()
        ended = scene.place.told(
            "session", "end", f"s-{scene.place.name}", "--volumes", "--allow-data-loss", scene.place.name
        )
        assert [row["gone"] for row in ended.result] == [True]
        assert objects(scene.place.name) == NOTHING

    def test_a_snapshot_is_removed(self, scene: Scene) -> None:
        scene.place.run("snapshot", "rm", scene.place.name)
        assert scene.place.name not in {row["name"] for row in scene.place.told("snapshot", "list").result}
