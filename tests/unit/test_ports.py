"""Fixed ports of the host, and who holds them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec import api
from envspec.api.ports import insist_on_ports
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig, Port
from envspec.errors import Conflict
from envspec.kinds import names
from envspec.kinds.container import ContainerSpec
from envspec.kinds.service_state import ServiceSpec
from envspec.model import Desired, Resource

IMAGE = "debian:13"
DB = Port(5432, 15432)


@pytest.fixture
def engine() -> FakeEngine:
    """An engine on which the service ``db`` of ``shop`` holds a port."""
    made = FakeEngine(images=(IMAGE,))
    labels = names.labels("shop", "service", "service.db")
    made.start(made.create_container("shop-db-1", ContainerConfig(IMAGE, ports=(DB,)), labels))
    return made


@pytest.fixture
def program() -> Iterator[int]:
    """A port that a program of this host has bound."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def service(published: object, address: str = "127.0.0.1", protocol: str = "tcp") -> Resource:
    port = {"target": 5432, "published": published, "host_ip": address, "protocol": protocol}
    return Resource("service.db", "service", ServiceSpec("db", "b-db-1", IMAGE, {"ports": [port]}))


def workspace(*ports: Port) -> Resource:
    spec = ContainerSpec(ContainerConfig(IMAGE, ports=ports))
    return Resource(names.WORKSPACE, "container", spec)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_of_another_environment_is_told_with_its_container(engine: FakeEngine, address: str) -> None:
    for resource in (service("15432", address), workspace(Port(80, 15432, address))):
        with pytest.raises(Conflict, match="15432/tcp is held by shop-db-1, of the environment shop") as error:
            insist_on_ports(engine, Desired("fork", (resource,)), "another")
        assert (error.value.code, error.value.hint) == ("conflict.port", "another")
        assert error.value.where.address == resource.address


@pytest.mark.parametrize(
    "resource",
    [
        service("15432", "127.0.0.2"),
        service("15432", protocol="udp"),
        service("15432-15440"),
        service(""),
        service(None),
        workspace(Port(80)),
        workspace(),
        Resource("file./a", "file", None),
    ],
)
def test_what_nobody_holds_and_what_is_chosen_freely_is_no_conflict(engine: FakeEngine, resource: Resource) -> None:
    insist_on_ports(engine, Desired("fork", (resource,)), "")


def test_what_the_environment_itself_holds_is_its_own(engine: FakeEngine, program: int) -> None:
    insist_on_ports(engine, Desired("shop", (service("15432"),)), "")
    labels = names.labels("shop", "container", names.WORKSPACE)
    config = ContainerConfig(IMAGE, ports=(Port(80, program),))
    engine.start(engine.create_container("shop-workspace", config, labels))
    insist_on_ports(engine, Desired("shop", (workspace(Port(80, program)),)), "")


def test_a_program_of_this_host_holds_ports_too(engine: FakeEngine, program: int) -> None:
    taken = Desired("fork", (workspace(Port(80, program)), service("15432")))
    with pytest.raises(Conflict) as error:
        insist_on_ports(engine, taken, "")
    assert f"127.0.0.1:{program}/tcp is held by " in error.value.message
    assert f"(process {os.getpid()})" in error.value.message
    assert "15432/tcp is held by shop-db-1" in error.value.message
    insist_on_ports(engine, Desired("fork", (workspace(Port(80, program, protocol="udp")),)), "")


def test_a_plan_names_who_holds_a_port_before_anything_fails(
    tmp_path: Path, engine: FakeEngine, program: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    spec = tmp_path / "env.yaml"
    spec.write_text(f"name: other\nimage: debian:13\nuser: root\nports: ['{program}:80']\n")
    made = api.plan(spec, api.Options(), engine=engine)
    (note,) = [note for note in made.notes if "is held by" in note]
    assert note.startswith(f"container.workspace: 127.0.0.1:{program}/tcp is held by ")
    assert str(os.getpid()) in note
