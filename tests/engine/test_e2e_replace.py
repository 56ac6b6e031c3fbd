"""In place where the engine honours it, else a new container that is ready before the old one goes."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine.e2e import ON_DOCKER, ON_PODMAN, Json, Place, Places, bare, change, objects

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

BOX = "container.workspace"
MIB = 1024 * 1024
LIFTED = {"memory": "none", "pids": "none"}
SET = {"memory": "256m", "cpus": 0.5, "pids": 100}
CHANGED = {"memory": "300m", "cpus": 0.75, "pids": 120, "persistent": True}
NO_LIMIT = ("0", "-1", "<nil>", "<no")
EFFECTS = {
    "memory": "{{.HostConfig.Memory}}",
    "cpus": "{{.HostConfig.NanoCpus}}",
    "pids": "{{.HostConfig.PidsLimit}}",
    "restart": "{{.HostConfig.RestartPolicy.Name}}",
}


def effects(place: Place) -> list[str]:
    return place.inspect(" ".join(EFFECTS.values())).split()


@pytest.fixture(scope="module")
def limited(places: Places) -> Place:
    """An environment whose workspace is a volume, in which somebody worked."""
    place = places()
    write(place, **LIFTED)
    place.apply()
    place.inside("echo mine > /workspace/work.txt")
    return place


def write(place: Place, **keys: Json) -> None:
    place.write(mount_cwd=False, setup_commands=["touch /tmp/set-up"], env={"GREETING": "hello"}, **keys)


@ON_DOCKER
def test_limits_are_set_and_changed_in_place(limited: Place) -> None:
    before = limited.id
    write(limited, **SET)
    found = change(limited.plan(), BOX)
    assert (found["action"], found["disruption"]) == ("update", "update")
    assert {diff["path"] for diff in found["diff"]} == {"memory", "cpus", "pids"}
    limited.apply()
    assert effects(limited) == [str(256 * MIB), "500000000", "100", "no"]

    write(limited, **CHANGED)
    assert change(limited.plan(), BOX)["action"] == "update"
    limited.apply()
    assert effects(limited) == [str(300 * MIB), "750000000", "120", "unless-stopped"]

    write(limited, **{**CHANGED, "persistent": False})
    limited.apply()
    assert effects(limited)[3] == "no"
    assert limited.id == before
    assert limited.plan()["changes"] == []


@ON_PODMAN
def test_where_no_limit_can_be_changed_in_place_that_is_planned(limited: Place) -> None:
    for keys, told in (
        (SET, [str(256 * MIB), "500000000", "100", "no"]),
        (CHANGED, [str(300 * MIB), "750000000", "120", "unless-stopped"]),
        (LIFTED, ["0", "0", "0", "no"]),
    ):
        before = limited.id
        write(limited, **keys)
        found = change(limited.plan(), BOX)
        assert found["action"] == "replace"
        assert "cannot be done in place" in found["reason"]
        limited.apply()
        assert effects(limited) == told
        assert limited.id != before
        assert limited.plan()["changes"] == []


@ON_DOCKER
def test_taking_a_limit_away_is_planned_as_what_it_takes(limited: Place) -> None:
    write(limited, **SET)
    limited.apply()
    for keys, words in (
        (SET | {"memory": "none"}, r"-/\+ container.workspace +memory: 256m → unset cannot be done in place\n"),
        ({k: v for k, v in SET.items() if k != "cpus"}, r"-/\+ container.workspace +cpus: 0.5 → unset cannot be done"),
        (SET | {"pids": "none"}, r" ~ container.workspace +pids: 100 → unset\n"),
    ):
        write(limited, **keys)
        assert re.search(words, limited.run("plan", ".").stdout)
    before = limited.id
    limited.apply()
    assert effects(limited)[2] in NO_LIMIT
    assert limited.id == before
    assert limited.plan()["changes"] == []


def test_a_replace_keeps_the_workspace_volume(limited: Place) -> None:
    write(limited, **SET)
    limited.apply()
    before = limited.id
    write(limited, **LIFTED)
    told = limited.apply()
    assert told.done[BOX] == "done"
    assert limited.id != before
    assert effects(limited)[:2] == ["0", "0"]
    assert effects(limited)[2] in NO_LIMIT
    assert limited.inside("cat /workspace/work.txt; ls /tmp/set-up") == "mine\n/tmp/set-up"
    assert objects(limited.name)["container"] == [limited.box]
    assert limited.plan()["changes"] == []


FAILING: dict[str, Callable[[str], Json]] = {
    "a setup command": lambda name: {"setup_commands": [f"echo {name} cannot; exit 7"]},
    "the health check": lambda _: {"health": {"command": "exit 7", "retries": 0}},
    "a repository": lambda _: {"repos": [{"url": "file:///nowhere.git", "path": "app"}]},
}


@pytest.mark.parametrize("fault", FAILING.values(), ids=list(FAILING))
def test_a_replace_that_fails_leaves_the_old_container_running(limited: Place, fault: Callable[[str], Json]) -> None:
    write(limited)
    limited.apply()
    before = limited.id
    limited.write(mount_cwd=False, env={"GREETING": "new"}, add_hosts={"db": "10.0.0.5"}, **fault(limited.name))
    told = limited.apply(code=1)
    assert told.error["category"] == "step"
    assert told.done[BOX] != "done"
    assert "failed" in told.done.values()
    assert limited.id == before
    assert limited.inspect("{{.State.Status}}") == "running"
    assert limited.exec("sh", "-c", "echo $GREETING") == "hello"
    assert objects(limited.name)["container"] == [limited.box]
    write(limited)
    assert limited.plan()["changes"] == []


def test_the_last_lines_of_what_failed_are_shown_and_its_log_is_kept(limited: Place) -> None:
    write(limited)
    limited.apply()
    limited.write(
        mount_cwd=False,
        env={"GREETING": "hello"},
        setup_commands=["touch /tmp/set-up", "for n in $(seq 50); do echo line $n; done; exit 7"],
    )
    ran = limited.run("apply", ".", "--yes", code=1)
    assert "exit code 7" in ran.stdout + ran.stderr
    assert "line 50" in ran.stdout + ran.stderr
    told = limited.apply(code=1)
    (failed,) = (item for item in told.error["report"]["outcomes"] if item["status"] == "failed")
    log = Path(failed["error"]["log"]).read_text()
    assert log.splitlines() == [f"line {number}" for number in range(1, 51)]
    write(limited)
    limited.apply()


@pytest.mark.parametrize("network", ["host", "none"])
def test_a_container_in_another_network_mode_is_converged(place: Place, network: str) -> None:
    place.write(network=network)
    place.apply()
    assert place.inspect("{{.HostConfig.NetworkMode}}") == network
    assert place.plan()["changes"] == []


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def published(place: Place) -> str:
    return bare("port", place.box, "80/tcp")


def test_a_fixed_host_port_changes_hands_and_comes_back_after_a_failure(place: Place) -> None:
    port = free_port()
    keys: dict[str, Json] = {"ports": [f"{port}:80"], "env": {"GREETING": "hello"}, "mount_cwd": False}
    place.write(**keys)
    place.apply()
    first = place.id
    assert published(place) == f"127.0.0.1:{port}"

    place.write(**keys, add_hosts={"db": "10.0.0.5"})
    place.apply()
    second = place.id
    assert second != first
    assert published(place) == f"127.0.0.1:{port}"

    place.write(**keys, add_hosts={"db": "10.0.0.6"}, setup_commands=["exit 7"])
    told = place.apply(code=1)
    assert told.done["command.setup[0]"] == "failed"
    assert place.id == second
    assert published(place) == f"127.0.0.1:{port}"
    assert place.exec("sh", "-c", "echo $GREETING") == "hello"
    assert objects(place.name)["container"] == [place.box]
    place.write(**keys, add_hosts={"db": "10.0.0.5"})
    assert place.plan()["changes"] == []


def test_a_port_that_somebody_else_holds_fails_the_step_and_leaves_the_old_container(place: Place) -> None:
    place.write(env={"GREETING": "hello"})
    place.apply()
    before = place.id
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        place.write(env={"GREETING": "hello"}, ports=[f"{port}:80"])
        told = place.apply(code=1)
        assert str(port) in told.error["report"]["outcomes"][0]["error"]["message"]
    assert place.id == before
    assert place.exec("sh", "-c", "echo $GREETING") == "hello"
    assert place.apply().done[BOX] == "done"
    assert published(place) == f"127.0.0.1:{port}"
