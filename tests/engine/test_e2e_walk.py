"""A working day: the commands that work on a converged environment, each effect read back with the bare client."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.e2e import NOTHING, ON_DOCKER, ON_PODMAN, Place, bare, make_place, named, objects, remove_all
from tests.engine.people import account, become

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

PARTS = ("box", "volumes", "manifest")
CANARY = "walk-canary-4711"


@contextmanager
def somebodys(image: str, *, ordinary: bool) -> Iterator[Place]:
    """Give a place of root's, or of somebody's who may talk to the engine."""
    with account() as entry, tempfile.TemporaryDirectory(prefix="evt-walk-") as directory:
        base = Path(directory)
        base.chmod(0o755)
        home = base / "home"
        home.mkdir()
        environ = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
            "EVT_TOKEN": CANARY,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        place = make_place(base, image, prefix=become(entry) if ordinary else (), environ=environ)
        place.environ = {**environ, "ENVSPEC_SESSION": place.name}
        for path in (home, place.directory):
            os.chown(path, *((entry.pw_uid, entry.pw_gid) if ordinary else (-1, -1)))
        try:
            yield place
        finally:
            place.stop_all()
            for env in (place.name, f"{place.name}-b"):
                remove_all(env)
            bare("network", "rm", f"{place.name}-net", code=None)
            bare("image", "rm", *(f"envspec/snapshot/{place.name}:{part}" for part in PARTS), code=None)


@ON_PODMAN
def test_a_working_day(git_image: str) -> None:
    with somebodys(git_image, ordinary=False) as place:
        work(place)


@ON_DOCKER
def test_a_working_day_of_somebody_who_is_not_root(git_image: str) -> None:
    with somebodys(git_image, ordinary=True) as place:
        work(place)


def work(place: Place) -> None:
    set_up(place)
    run_commands(place)
    run_jobs(place)
    copy(place)
    snapshot_and_fork(place)
    leave(place)


def set_up(place: Place) -> None:
    network = f"{place.name}-net"
    place.run("network", "create", network)
    assert bare("network", "inspect", "--format", '{{index .Labels "dev.envspec.kind"}}', network)
    place.write(
        mount_cwd=False,
        volumes=["data:/data"],
        networks=[network],
        env={"TOKEN": {"from_env": "EVT_TOKEN"}, "GREETING": "hello"},
        repos=[{"url": "file:///srv/app.git", "path": "app"}],
        health={"command": "test -d app"},
    )
    place.apply()
    assert place.plan()["changes"] == []
    (row,) = [row for row in place.told("network", "list").result if row["name"] == network]
    assert row["members"] == [place.name]
    found = place.told("status", place.name, "--drift").result
    assert (found["health"], found["drift"], found["session"]) == ("passed", [], place.name)
    assert "TOKEN" in found["secrets"]
    place.run("wait", place.name, "--command", "test -e app/README.md")
    place.run("wait", place.name, "--command", "false", "--retries", "1", "--interval", "0.1", code=1)
    assert place.box in place.run("connect", place.name).stdout
    place.run("cache", "list")


def run_commands(place: Place) -> None:
    assert place.exec("sh", "-c", 'echo "$GREETING $TOKEN"') == f"hello {CANARY}"
    place.run("exec", "--root", "--workdir", "/", place.name, "--", "sh", "-c", "id -u >/data/root", code=0)
    assert place.inside("cat /data/root") == "0"
    place.run("exec", "--timeout", "0.5", place.name, "--", "sleep", "300", code=124)
    assert "sleep 300" not in bare("top", place.box)
    ran = place.run("run", ".", "--", "sh", "-c", 'echo "$GREETING"; exit 9', code=9)
    assert ran.stdout == "hello\n"
    assert [name for name in bare("ps", "-a", "--format", "{{.Names}}").split() if f"{place.name}-run" in name] == []


def run_jobs(place: Place) -> None:
    job = f"{place.name}/build"
    script = "echo 'one \"two\"'; echo done >/data/job; exec sleep 300"
    place.run("job", "start", place.name, "--name", "build", "--", "sh", "-c", script)
    place.run("wait", place.name, "--command", "test -e /data/job")
    assert place.inside("cat /data/job") == "done"
    assert place.told("job", "poll", job).result["output"] == 'one "two"\n'
    assert [row["state"] for row in place.told("job", "list", place.name).result] == ["running"]
    place.run("job", "cancel", job)
    assert "sleep 300" not in bare("top", place.box)
    place.run("job", "wait", job, code=143)
    assert place.run("job", "logs", job).stdout == 'one "two"\n'


def copy(place: Place) -> None:
    (place.directory / "in.txt").write_text("in\n")
    place.run("cp", "in.txt", f"{place.name}:/data/in.txt")
    assert place.inside("cat /data/in.txt") == "in"
    place.inside("echo out >/data/out.txt")
    place.run("cp", f"{place.name}:/data/out.txt", "out.txt")
    assert (place.directory / "out.txt").read_text() == "out\n"


def snapshot_and_fork(place: Place) -> None:
    place.inside("echo kept >/opt/kept; echo kept >/data/kept")
    place.told("snapshot", "create", place.name, place.name)
    assert place.name in {row["name"] for row in place.told("snapshot", "list").result}
    assert CANARY not in place.run("snapshot", "show", place.name).stdout
    fork = f"{place.name}-b"
    place.told("restore", place.name, "--as", fork)
    for path in ("/opt/kept", "/data/kept"):
        assert bare("exec", f"{fork}-workspace", "cat", path) == "kept"
    place.inside("rm /opt/kept /data/kept")
    place.told("restore", place.name, "--yes", "--allow-data-loss", "volume.data")
    assert place.inside("cat /opt/kept /data/kept") == "kept\nkept"
    assert place.plan()["changes"] == []
    place.run("destroy", fork, "--yes", "--volumes", "--allow-data-loss", "volume.data")
    assert objects(fork) == NOTHING
    place.run("snapshot", "rm", place.name, code=6)  # the workspace runs from it


def leave(place: Place) -> None:
    place.run("network", "rm", f"{place.name}-net", code=4)
    place.run("gc", place.name)
    assert named("container", place.name) == [place.box]
    place.told("session", "end", place.name, "--volumes", "--allow-data-loss", place.name)
    assert objects(place.name) == NOTHING
    place.run("network", "rm", f"{place.name}-net")
    assert f"{place.name}-net" not in bare("network", "ls", "--format", "{{.Name}}").split()
    place.run("snapshot", "rm", place.name)
    assert place.name not in {row["name"] for row in place.told("snapshot", "list").result}
