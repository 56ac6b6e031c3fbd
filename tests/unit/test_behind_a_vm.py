"""What a plan refuses, does otherwise and says where the engine runs in a virtual machine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envspec.engine.facts import AGENT_SOCKET, FORWARDED_GIT
from envspec.engine.fake import FakeEngine
from envspec.engine.machine import Machine
from envspec.engine.objects import ContainerConfig, Mount
from envspec.engine.sight import AGENT_THERE
from envspec.errors import Refused
from envspec.host import HostFacts
from envspec.kinds.container import ContainerSpec
from envspec.model import Desired, Resource
from envspec.policy import told_of_machine
from envspec.purposes import catalogue
from envspec.resolve import candidates, choose, resolve
from envspec.spec.load import loads
from tests.laws.world import World

COLIMA = Machine("A", "colima", "6.8", "Ubuntu", here=False)
DESKTOP = Machine("B", "docker-desktop", "6.6-linuxkit", "Docker Desktop", here=False)
SERVICE = {"image": "debian:13", "secrets": [{"source": "key"}]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An engine in a virtual machine, and a directory that holds a spec and another to mount."""
    made = World(tmp_path)
    made.engine.runs_on = COLIMA
    (tmp_path / "site").mkdir()
    return made


def spec(**keys: Any) -> dict[str, Any]:
    return {"image": "debian:13", "user": "root", **keys}


def refused(world: World, doc: dict[str, Any]) -> Refused:
    calls = len(world.engine.calls)
    with pytest.raises(Refused) as caught:
        world.look(doc)
    assert len(world.engine.calls) == calls
    return caught.value


def test_a_directory_that_is_not_seen_is_refused_with_its_line(world: World, tmp_path: Path) -> None:
    world.engine.unseen.add(str(tmp_path))
    error = refused(world, spec())
    assert (error.code, error.where.file) == ("refused.unseen_bind", "env.yaml")
    assert f"the engine runs on the virtual machine of Colima, which does not see {tmp_path}" in error.message
    assert "`colima start --mount DIRECTORY:w`" in str(error.hint)
    assert "mount_cwd: false" in str(error.hint)
    world.applied(spec(mount_cwd=False))


def test_a_mount_that_is_not_seen_is_named_where_it_stands(world: World, tmp_path: Path) -> None:
    world.engine.unseen.add(str(tmp_path / "site"))
    doc = spec(mount_cwd=False, mounts=[{"host": "./site", "container": "/site"}])
    error = refused(world, doc)
    assert (error.code, error.where.line) == ("refused.unseen_bind", 6)
    assert str(tmp_path / "site") in error.message


def test_what_is_seen_is_bound_and_said(world: World, tmp_path: Path) -> None:
    world.applied(spec())
    found = world.look(spec())
    assert found.plan.empty
    told = f"the engine runs on the virtual machine of Colima, not on this host; it sees {tmp_path}"
    assert [note for note in found.plan.notes if note.startswith(told)]


def test_nothing_is_said_of_an_engine_of_this_host(tmp_path: Path) -> None:
    assert not [note for note in World(tmp_path).look(spec()).plan.notes if "the engine runs" in note]


def test_secrets_in_hidden_memory_are_refused_and_those_in_files_are_not(world: World, tmp_path: Path) -> None:
    world.engine.unseen.add("/dev/shm")
    (tmp_path / "key").write_text("secret")
    compose = {"services": {"db": SERVICE}}
    error = refused(world, spec(compose={**compose, "secrets": {"key": {"environment": "DEPLOY_KEY"}}}))
    assert error.code == "refused.unseen_memory"
    assert "service.db" in error.message
    assert "`file`" in str(error.hint)
    by_file = spec(compose={**compose, "secrets": {"key": {"file": str(tmp_path / "key")}}})
    assert not world.look(by_file).plan.empty
    world.engine.unseen.add(str(tmp_path / "key"))
    assert refused(world, by_file).code == "refused.unseen_bind"


def test_an_agent_is_bound_from_where_the_machine_has_it(world: World) -> None:
    doc = spec(forward_ssh="agent")
    world.engine.unseen.add(AGENT_THERE)
    error = refused(world, doc)
    assert (error.code, error.where.line) == ("refused.unseen_agent", 4)
    assert "`colima start --ssh-agent`" in str(error.hint)
    world.engine.unseen.clear()
    mounts = world.look(doc).desired.resources
    (box,) = [resource.spec for resource in mounts if isinstance(resource.spec, ContainerSpec)]
    assert Mount(AGENT_SOCKET, "bind", AGENT_THERE) in box.config.mounts


def test_without_an_image_apply_asks_before_it_binds(world: World, tmp_path: Path) -> None:
    world.engine = FakeEngine()
    world.engine.runs_on = COLIMA
    world.engine.registry = {"registry.example/tool:1": {}}
    doc = spec(image="registry.example/tool:1")
    world.reachable = True
    found = world.look(doc)
    assert found.unasked == (str(tmp_path),)
    assert [note for note in found.plan.notes if f"sees {tmp_path} is asked by apply" in note]
    world.engine.unseen.add(str(tmp_path))
    with pytest.raises(Refused, match="does not see"):
        world.apply(doc)
    assert not world.engine.containers()
    assert world.engine.images(["registry.example/tool:1"])
    world.engine.unseen.clear()
    world.applied(doc)
    assert world.look(doc).plan.empty


def test_without_an_image_and_seen_one_apply_does_it_all(world: World) -> None:
    world.engine = FakeEngine()
    world.engine.runs_on = COLIMA
    world.engine.registry = {"registry.example/tool:1": {}}
    world.reachable = True
    report = world.applied(spec(image="registry.example/tool:1"))
    assert {outcome.address for outcome in report.outcomes} >= {"base_image.workspace", "container.workspace"}


def test_owners_of_shared_files_are_no_drift(world: World) -> None:
    doc = spec(workspace="/workspace", config_files={"/workspace/made": "a\n", "/etc/made": "a\n"})
    world.applied(doc)
    box = next(iter(world.engine.containers()))
    for path in ("/workspace/made", "/etc/made"):
        world.engine.tamper.chown(box.name, path, 501, 20)
    changed = [change.address for change in world.look(doc).plan.changes]
    assert changed == ["file./etc/made"]
    world.engine.runs_on = Machine()
    assert "file./workspace/made" in [change.address for change in world.look(doc).plan.changes]


def desired(directory: Path, machine: Machine, **keys: Any) -> Desired:
    text = "".join(f"{key}: {value}\n" for key, value in {"name": "shop", "image": "debian:13", **keys}.items())
    loaded, purposes = loads(text.encode(), "env.yaml", directory), catalogue(directory)
    chosen = choose(loaded.spec, candidates(loaded.spec, purposes), {}, lambda: True)
    facts = HostFacts(os.getuid(), os.getgid(), "ada", machine=machine)
    return resolve(loaded, facts, purposes, chosen)


def test_git_trusts_shared_directories_whatever_owner_they_show(tmp_path: Path) -> None:
    def trusted(machine: Machine) -> bool:
        found = desired(tmp_path, machine).get(f"file.{FORWARDED_GIT}")
        return found is not None and b"/workspace" in found.spec.content

    assert trusted(COLIMA)
    assert not trusted(Machine())


@pytest.mark.parametrize(
    ("machine", "box", "told"),
    [
        (
            replace(COLIMA, hostname="build7"),
            ContainerConfig("i", add_hosts=(("host", "host-gateway"),)),
            "host-gateway",
        ),
        (DESKTOP, ContainerConfig("i", user="501:20", mounts=(Mount(AGENT_SOCKET, "bind", AGENT_THERE),)), "only root"),
    ],
)
def test_what_differs_there_is_said(machine: Machine, box: ContainerConfig, told: str) -> None:
    engine = FakeEngine()
    engine.runs_on = machine
    wanted = Desired("shop", (Resource("container.workspace", "container", ContainerSpec(box)),))
    assert [note for note in told_of_machine(wanted, engine, ()) if told in note]
    engine.runs_on = replace(machine, hostname="colima", system="Ubuntu")
    assert not [note for note in told_of_machine(wanted, engine, ()) if told in note]
