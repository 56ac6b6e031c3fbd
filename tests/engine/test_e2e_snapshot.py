"""`envspec snapshot` and `envspec restore` against real engines, read back with the engine's own client."""

from __future__ import annotations

import json
import os
import signal
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.engine.conftest import BASE
from tests.engine.contract import REMOTE, SECOND
from tests.engine.e2e import NOTHING, Place, Places, bare, engine_name, named, objects, remove_all, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

USER = "1234:1234"
PARTS = ("box", "volumes", "manifest")
CANARY = "canary-4711-snapshot"
SERVICE = {
    "image": BASE,
    "command": ["sh", "-c", "[ -e /var/kept/first ] || echo $$HOSTNAME > /var/kept/first; exec sleep infinity"],
    "init": True,
    "volumes": ["kept:/var/kept"],
}


@pytest.fixture(scope="module")
def settled(places: Places) -> Iterator[Place]:
    """An environment with secrets, a repository, a workspace volume, another one and a service, saved as its name."""
    place = places()
    place.environ = {**place.environ, "EVT_SECRET": CANARY}
    place.write(
        user=USER,
        mount_cwd=False,
        volumes=["data:/data"],
        env={"GREETING": "hello", "KEY": {"from_env": "EVT_SECRET"}},
        config_files={"/etc/evt.conf": "declared\n"},
        repos=[{"url": REMOTE, "path": "app", "ref": "main"}],
        setup_commands=["printenv KEY | sha256sum > seen"],
        compose={"services": {"db": SERVICE}, "volumes": {"kept": {}}},
    )
    place.apply()
    place.inside("echo one > /data/f; echo two > /workspace/f; echo three > /srv/f; chmod 4755 /srv/f; rm /etc/issue")
    place.told("snapshot", "create", place.name, place.name)
    forks = [f"{place.name}-{letter}" for letter in "ab"]
    try:
        yield place
    finally:
        for env in (*forks, place.name):
            remove_all(env)
        bare("image", "rm", "--force", *(f"envspec/snapshot/{place.name}:{part}" for part in PARTS), code=None)


LOOK = (
    "cat /data/f /workspace/f /srv/f /workspace/seen && stat -c '%a %u' /srv/f /data /workspace"
    " && test ! -e /etc/issue && git -C /workspace/app rev-parse HEAD"
)


def look(env: str) -> str:
    return bare("exec", "-u", "1234", f"{env}-workspace", "sh", "-c", LOOK)


def fork(place: Place, letter: str) -> Place:
    """Restore the snapshot under another name, in a spec of its own."""
    env = f"{place.name}-{letter}"
    directory = place.directory / letter
    directory.mkdir()
    made = Place(directory, env, place.image, environ=place.environ)
    place.told("restore", place.name, "--as", env, "--spec", str(made.file))
    return made


def test_the_manifest_tells_what_was_saved(settled: Place) -> None:
    told = settled.told("snapshot", "show", settled.name).result
    assert [volume["name"] for volume in told["volumes"]] == [
        f"{settled.name}-{n}" for n in ("data", "kept", "workspace")
    ]
    assert told["repos"] == [{"path": "/workspace/app", "commit": SECOND, "dirty": 0}]
    assert (told["env"], told["image"], told["services"], told["binds"]) == (settled.name, settled.image, ["db"], [])
    assert told["spec"] == settled.file.read_text()
    assert settled.run("snapshot", "show", settled.name, "--spec").stdout == settled.file.read_text()
    assert settled.name in [row["name"] for row in settled.told("snapshot", "list").result]
    for box in (settled.box, f"{settled.name}-db-1"):
        assert bare("container", "inspect", "--format", "{{.State.Status}}", box) == "running"
    assert named("container", settled.name) == [f"{settled.name}-db-1", settled.box]


def test_no_secret_is_in_a_snapshot(settled: Place, tmp_path: Path) -> None:
    refs = [f"envspec/snapshot/{settled.name}:{part}" for part in PARTS]
    for number, ref in enumerate(refs):
        assert CANARY not in bare("image", "inspect", ref)
        assert CANARY not in bare("history", "--no-trunc", ref)
        bare("image", "save", "-o", str(tmp_path / f"{number}.tar"), ref)
        whole = b"".join(contents(tmp_path / f"{number}.tar"))
        assert b"/etc/evt.conf" in whole or number > 0  # the ledger: what is looked through is really there
        assert CANARY.encode() not in whole
        (tmp_path / f"{number}.tar").unlink()


def contents(archive: Path) -> Iterator[bytes]:
    """Yield every file of a saved image that is not the base's, those in its layers too."""
    with tarfile.open(archive) as outer:
        index = outer.extractfile("manifest.json")
        assert index is not None
        layers = json.load(index)[0]["Layers"]
        for info in outer:
            stream = outer.extractfile(info) if info.isreg() else None
            if stream and info.name not in layers:
                yield stream.read()
        for name in layers[1:] or layers:
            layer = outer.extractfile(name)
            assert layer is not None
            with tarfile.open(fileobj=layer) as inner:
                for info in inner:
                    stream = inner.extractfile(info) if info.isreg() else None
                    yield info.name.encode() + (stream.read() if stream else b"")


def test_forks_come_up_side_by_side_with_services_of_their_own_and_an_empty_plan(settled: Place) -> None:
    before = look(settled.name)
    settled.inside("echo since > /data/f")
    a, b = fork(settled, "a"), fork(settled, "b")
    for made in (a, b):
        assert look(made.name) == before
        assert made.plan()["changes"] == []
        assert made.exec("sh", "-c", "echo $GREETING; printenv KEY") == f"hello\n{CANARY}"
        assert named("container", made.name) == [f"{made.name}-db-1", made.box]
        assert named("network", made.name) == [made.name]
        kept = bare("exec", f"{made.name}-db-1", "cat", "/var/kept/first")
        assert kept == bare("exec", f"{settled.name}-db-1", "cat", "/var/kept/first")
    a.inside("echo of-a > /data/f")
    assert b.inside("cat /data/f") == "one"
    assert settled.inside("cat /data/f") == "since"
    assert settled.told("snapshot", "rm", settled.name, code=6).error["code"] == "snapshot.in_use"
    assert settled.plan()["changes"] == []


def test_the_same_environment_comes_back_and_its_plan_is_empty(settled: Place) -> None:
    settled.inside("echo since > /data/f; echo since > /srv/f")
    told = settled.told("restore", settled.name, code=4)
    assert told.error["code"] == "refused.data_loss"
    assert "/srv/f (undeclared)" in told.error["message"]
    assert "/workspace/f" not in told.error["message"]  # as it was saved: the snapshot has it
    assert f"`envspec restore {settled.name} --yes --allow-data-loss container.workspace " in told.error["hint"]
    lost = ("container.workspace", "volume.data", "volume.kept")
    allowed = [word for address in lost for word in ("--allow-data-loss", address)]
    settled.told("restore", settled.name, "--yes", *allowed)
    assert look(settled.name).splitlines()[:3] == ["one", "two", "three"]
    assert settled.plan()["changes"] == []
    assert settled.plan(str(settled.file))["changes"] == []


def killed(place: Place, words: tuple[str, ...], seen: str) -> None:
    """Start a command, and kill it, and whatever client it has, once something is there."""
    running = place.start(*words)
    try:
        until(
            lambda: (
                running.process.poll() is not None or seen in bare("ps", "-a", "--format", "{{.Names}} {{.Status}}")
            ),
            seen,
        )
        running.signal(signal.SIGKILL)
        assert running.end().code == -signal.SIGKILL
    finally:
        running.stop()


def test_killed_while_it_saves_it_leaves_nothing_paused_and_no_half_of_a_snapshot(settled: Place) -> None:
    name = f"{settled.name}-k"
    settled.inside("head -c 200000000 /dev/urandom > /data/large")
    try:
        killed(
            settled, ("snapshot", "create", settled.name, name), "(Paused)" if engine_name() == "docker" else "Paused"
        )
        until(lambda: settled.inspect("{{.State.Status}}") == "running", "it goes on")
        assert name not in [row["name"] for row in settled.told("snapshot", "list").result]
        settled.told("snapshot", "create", settled.name, name)
        assert named("container", settled.name) == [f"{settled.name}-db-1", settled.box]
        settled.run("snapshot", "rm", name)
    finally:
        settled.inside("rm -f /data/large")
        settled.start("snapshot", "rm", name).end()
    left = bare("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    assert f"snapshot/{name}:" not in left


def test_killed_while_it_restores_no_apply_takes_half_for_whole_and_the_next_restore_does_it(settled: Place) -> None:
    env = f"{settled.name}-c"
    file = settled.directory / "c" / "env.yaml"
    file.parent.mkdir()
    made = Place(file.parent, env, settled.image, environ=settled.environ)
    words = ("restore", settled.name, "--as", env, "--spec", str(file))
    try:
        killed(settled, words, f"{env}-restore-volumes")
        assert made.told("apply", ".", code=6).error["code"] in {"conflict.restoring", "conflict.locked"}
        settled.told(*words)
        assert made.plan()["changes"] == []
        assert look(env).splitlines()[:3] == ["one", "two", "three"]
        assert named("container", env) == [f"{env}-db-1", made.box]
    finally:
        remove_all(env)
    assert objects(env) == NOTHING


def test_a_fork_whose_port_somebody_holds_is_refused_before_anything_is_made(place: Place) -> None:
    env, name = f"{place.name}-p", f"{place.name}-ports"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place.write(mount_cwd=False, ports=[f"{port}:80"])
    try:
        place.apply()
        place.told("snapshot", "create", place.name, name)
        error = place.told("restore", name, "--as", env, code=6).error
        assert error["code"] == "conflict.port"
        assert f"127.0.0.1:{port}/tcp is held by {place.box}" in error["message"]
        place.told("restore", name, "--yes")
        bare("stop", "--time", "0", place.box)
        with socket.create_server(("127.0.0.1", port)):
            error = place.told("restore", name, "--as", env, code=6).error
            assert f"127.0.0.1:{port}/tcp is held by " in error["message"]
            assert f"(process {os.getpid()})" in error["message"]
        assert objects(env) == NOTHING
    finally:
        remove_all(env)
        bare("image", "rm", "--force", *(f"envspec/snapshot/{name}:{part}" for part in PARTS), code=None)


def test_destroying_keeps_the_snapshot(settled: Place) -> None:
    for letter in "ab":
        remove_all(f"{settled.name}-{letter}")
    lost = ("container.workspace", "volume.data", "volume.kept", "volume.workspace")
    allowed = [word for address in lost for word in ("--allow-data-loss", address)]
    settled.run("destroy", settled.name, "--yes", "--volumes", *allowed)
    assert objects(settled.name) == NOTHING
    assert yaml.safe_load(settled.told("snapshot", "show", settled.name).result["spec"])["name"] == settled.name
    settled.run("snapshot", "rm", settled.name)
    assert f"envspec/snapshot/{settled.name}" not in bare("image", "ls", "--format", "{{.Repository}}")
