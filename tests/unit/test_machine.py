"""Which machine an engine runs on, asked through its socket and remembered."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envspec.engine import binds, machine, remembered
from envspec.engine.choice import choose
from envspec.engine.machine import Machine, machine_of
from envspec.engine.objects import ContainerConfig, ContainerState, Mount
from envspec.engine.remembered import Memory
from envspec.engine.whales import WhalesEngine

OURS = os.uname()
HERE = {"ID": "A", "Name": OURS.nodename, "KernelVersion": OURS.release, "OperatingSystem": "Debian"}
DESKTOP = {"ID": "B", "Name": "docker-desktop", "KernelVersion": "6.6-linuxkit", "OperatingSystem": "Docker Desktop"}

MACS = (
    "/Users/ada/.docker/run/docker.sock",
    "/Users/ada/.colima/default/docker.sock",
    "/Users/ada/.orbstack/run/docker.sock",
    "/Users/ada/.rd/docker.sock",
)
"""Where the engines of a Mac listen."""


class Server:
    """An engine at a socket, which says what it is and counts how often it was asked."""

    def __init__(self, path: Path) -> None:
        self.path, self.told, self.asked = path, b"", 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                assert client.recv(1024).startswith(b"GET /info ")
                self.asked += 1
                client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + self.told)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


Serve = Callable[[dict[str, str]], Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    made: list[Server] = []

    def start(info: dict[str, str]) -> Server:
        path = tmp_path / "docker.sock"
        path.unlink(missing_ok=True)
        made.append(Server(path))
        made[-1].told = json.dumps(info).encode()
        return made[-1]

    yield start
    for server in made:
        server.close()


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "state" / "engines.json")


def own_comm() -> str:
    return Path("/proc/self/comm").read_text().strip()


def test_an_engine_of_this_host_is_known_by_host_kernel_and_who_listens(
    serve: Serve, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(HERE)
    monkeypatch.setattr(machine, "LISTENERS", frozenset({own_comm()}))
    assert machine_of(str(server.path), memory) == Machine("A", OURS.nodename, OURS.release, "Debian", here=True)


@pytest.mark.parametrize("other", [{"Name": "far"}, {"KernelVersion": "1.0"}])
def test_another_name_or_kernel_is_another_machine(
    serve: Serve, memory: Memory, monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    server = serve(HERE | other)
    monkeypatch.setattr(machine, "LISTENERS", frozenset({own_comm()}))
    assert not machine_of(str(server.path), memory).here


def test_a_socket_that_something_else_than_an_engine_forwards_leads_elsewhere(serve: Serve, memory: Memory) -> None:
    assert not machine_of(str(serve(HERE).path), memory).here


def test_without_peers_as_on_a_mac_an_engine_is_never_taken_for_local(
    serve: Serve, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "SO_PEERCRED")
    assert not machine_of(str(serve(HERE).path), memory).here


def test_an_engine_is_asked_once_until_its_socket_is_made_again(serve: Serve, memory: Memory) -> None:
    first = serve(DESKTOP)
    assert machine_of(str(first.path), memory) == machine_of(str(first.path), memory)
    assert first.asked == 1
    second = serve(DESKTOP | {"ID": "C"})
    assert machine_of(str(second.path), memory).id == "C"
    assert second.asked == 1


def test_a_host_that_was_renamed_asks_again(serve: Serve, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(HERE)
    monkeypatch.setattr(machine, "LISTENERS", frozenset({own_comm()}))
    assert machine_of(str(server.path), memory).here
    renamed = os.uname_result((OURS.sysname, "renamed", OURS.release, OURS.version, OURS.machine))
    monkeypatch.setattr(os, "uname", lambda: renamed)
    server.told = json.dumps(HERE | {"Name": "renamed"}).encode()
    assert machine_of(str(server.path), memory).here
    assert server.asked == 2


def test_numbers_of_processes_there_say_nothing_of_processes_here(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = (Mount("/workspace", "bind", "/Users/ada/shop"),)
    box = ContainerState("id", "shop", "running", "", {}, ContainerConfig("i", mounts=mounts), pid=os.getpid())
    monkeypatch.setattr(binds, "replaced", lambda _pid, _mounts: ("/workspace",))
    engine = WhalesEngine()
    assert engine.replaced_binds([box]) == {"id": ("/workspace",)}
    monkeypatch.setattr(engine, "machine", lambda: Machine("A", "colima", "6.8", "Ubuntu", here=False))
    assert engine.replaced_binds([box]) == {}


def test_without_an_answer_nothing_is_said_and_nothing_remembered(tmp_path: Path, serve: Serve, memory: Memory) -> None:
    assert machine_of(str(tmp_path / "none.sock"), memory) == Machine()
    server = serve({})
    assert machine_of(str(server.path), memory) == Machine()
    server.told = b"[not json"
    assert machine_of(str(server.path), memory) == Machine()
    assert server.asked == 2


@pytest.mark.parametrize("text", ["", "[]", '{"sockets": 5, "seen": []}', "[" * 100_000])
def test_a_damaged_memory_is_no_memory(memory: Memory, text: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/engines.json").write_text(text)
    assert memory.engine_at("/x", "1") is None
    memory.keep_seen("A", "/home/ada", 7)
    assert memory.sees("A", "/home/ada", 7)


def test_a_memory_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    memory = Memory(tmp_path / "state" / "engines.json")
    memory.keep_seen("A", "/home/ada", 7)
    assert not memory.sees("A", "/home/ada", 7)


def test_what_lies_below_a_directory_that_is_seen_is_seen_on_the_same_disk(memory: Memory) -> None:
    memory.keep_seen("A", "/Users/ada", 7)
    assert memory.sees("A", "/Users/ada/shop", 7)
    assert not memory.sees("A", "/Users/ada/shop", 8)
    assert not memory.sees("A", "/Users/adam", 7)
    assert not memory.sees("B", "/Users/ada", 7)


def test_the_memory_keeps_to_a_size(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_PATHS", 2)
    for name in "abc":
        memory.keep_seen("A", f"/{name}", 7)
    assert [memory.sees("A", f"/{name}", 7) for name in "abc"] == [False, True, True]


@pytest.mark.parametrize(
    ("hostname", "system", "product"),
    [
        ("docker-desktop", "Docker Desktop", "Docker Desktop"),
        ("linuxkit-025000000001", "Docker Desktop", "Docker Desktop"),
        ("orbstack", "OrbStack", "OrbStack"),
        ("colima", "Ubuntu 24.04.1 LTS", "Colima"),
        ("colima-work", "Ubuntu 24.04.1 LTS", "Colima"),
        ("lima-rancher-desktop", "Alpine Linux v3.20", "Rancher Desktop"),
        ("lima-docker", "Ubuntu 24.04.1 LTS", "Lima"),
        ("build7", "Debian GNU/Linux 12", ""),
    ],
)
def test_products_are_told_by_what_they_call_themselves(hostname: str, system: str, product: str) -> None:
    found = Machine("A", hostname, "6.8", system, here=False)
    assert found.product == product
    assert found.title == (f"the virtual machine of {product}" if product else "the machine build7")
    assert found.knows_the_host is (product not in ("", "Lima"))


@pytest.mark.parametrize("path", MACS)
def test_the_sockets_of_a_mac_are_led_to_by_host_and_by_context(tmp_path: Path, path: str) -> None:
    import hashlib  # noqa: PLC0415 - as Docker names its files

    place = tmp_path / "contexts" / "meta" / hashlib.sha256(b"mac").hexdigest()
    place.mkdir(parents=True)
    (place / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": f"unix://{path}"}}}))
    environ = {"PATH": "", "DOCKER_CONFIG": str(tmp_path)}
    by_host = choose("docker", environ={**environ, "DOCKER_HOST": f"unix://{path}"})
    by_context = choose(context="mac", environ=environ)
    (tmp_path / "config.json").write_text('{"currentContext": "mac"}')
    for chosen in (by_host, by_context, choose("docker", environ=environ)):
        assert (chosen.socket, chosen.remote, chosen.rootless) == (path, "", False)


def test_a_client_without_a_socket_is_of_this_host_and_one_of_an_address_is_not() -> None:
    assert WhalesEngine().machine() == Machine()
    assert WhalesEngine().sees(("/anywhere",)) == {"/anywhere": True}
    assert not WhalesEngine(remote="tcp://far:1").machine().here
