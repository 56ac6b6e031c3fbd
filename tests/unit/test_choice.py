"""Which engine is chosen, and where it is; nothing is started to find that out."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envspec.engine import choice, shim
from envspec.engine.choice import EngineChoice, choose, docker_proxies
from envspec.engine.whales import WhalesEngine
from envspec.errors import EngineNotReady, SpecError, UsageError

DOCKER = EngineChoice("docker", ("docker",), socket="/var/run/docker.sock")
PODMAN = EngineChoice("podman", ("podman",))


def near(socket: Path) -> EngineChoice:
    return dataclasses.replace(DOCKER, socket=str(socket))


Environ = dict[str, str]


@pytest.fixture
def environ(tmp_path: Path) -> Environ:
    """A user with no engine and no configuration."""
    (tmp_path / "bin").mkdir()
    names = {"PATH": "bin", "XDG_CONFIG_HOME": "config", "DOCKER_CONFIG": "docker"}
    return {name: str(tmp_path / place) for name, place in names.items()}


@pytest.fixture
def install(environ: Environ) -> Callable[..., None]:
    def put(*programs: str) -> None:
        for name in programs:
            program = Path(environ["PATH"]) / name
            program.write_text("#!/bin/sh\nexit 1\n")
            program.chmod(0o755)

    return put


@pytest.fixture
def configure(environ: Environ) -> Callable[[str], None]:
    def put(text: str) -> None:
        file = choice.config_file(environ)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return put


@pytest.fixture
def default_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "docker.sock"
    monkeypatch.setattr(choice, "DOCKER_SOCKET", f"unix://{path}")
    return path


@pytest.fixture
def listening(default_socket: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(default_socket))
        server.listen()
        yield


def test_the_command_line_comes_before_the_variable_and_that_before_the_file(
    environ: Environ, configure: Callable[[str], None]
) -> None:
    configure("engine: podman\nother: [1]\n")
    assert choose(environ=environ) == PODMAN
    environ["ENVSPEC_ENGINE"] = "docker"
    assert choose(environ=environ) == DOCKER
    assert choose("podman", environ=environ) == PODMAN


@pytest.mark.usefixtures("listening")
def test_auto_takes_docker_where_both_answer(
    environ: Environ, install: Callable[..., None], default_socket: Path
) -> None:
    install("docker", "podman")
    assert choose(environ=environ) == choose("auto", environ=environ) == near(default_socket)


@pytest.mark.usefixtures("default_socket")
def test_auto_takes_podman_where_docker_does_not_answer(environ: Environ, install: Callable[..., None]) -> None:
    install("docker", "podman")
    assert choose(environ=environ) == PODMAN


@pytest.mark.usefixtures("listening")
def test_auto_takes_podman_where_there_is_no_docker_command(environ: Environ, install: Callable[..., None]) -> None:
    install("podman")
    assert choose(environ=environ) == PODMAN


def test_auto_is_docker_where_there_is_nothing(
    environ: Environ, install: Callable[..., None], default_socket: Path
) -> None:
    assert choose(environ=environ) == near(default_socket)
    install("docker")
    assert choose(environ=environ) == near(default_socket)


@pytest.mark.parametrize("variable", ["DOCKER_HOST", "DOCKER_CONTEXT"])
def test_who_names_a_docker_means_docker(environ: Environ, install: Callable[..., None], variable: str) -> None:
    install("podman")
    assert choose(environ={**environ, variable: "unix:///nowhere"}).name == "docker"


@pytest.mark.parametrize(
    ("host", "remote"),
    [
        ("unix:///run/user/1000/docker.sock", ""),
        ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
        ("ssh://me@far", "ssh://me@far"),
    ],
)
def test_an_engine_that_is_not_behind_a_socket_of_this_host_is_remote(environ: Environ, host: str, remote: str) -> None:
    assert choose("docker", environ={**environ, "DOCKER_HOST": host}).remote == remote


def make_context(environ: Environ, name: str, host: str) -> None:
    place = Path(environ["DOCKER_CONFIG"]) / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    place.mkdir(parents=True)
    (place / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_a_context_leads_where_its_file_says_whatever_the_variables_say(environ: Environ) -> None:
    make_context(environ, "far", "tcp://far:2376")
    make_context(environ, "near", "unix:///near.sock")
    environ["DOCKER_HOST"] = "tcp://other:1"
    far = EngineChoice("docker", ("docker", "--context", "far"), "tcp://far:2376", rootless=None)
    assert choose(context="far", environ=environ) == far
    assert choose("auto", "near", environ=environ) == EngineChoice(
        "docker", ("docker", "--context", "near"), socket="/near.sock"
    )
    assert choose(context="missing", environ=environ).remote == ""


def test_the_context_in_use_counts_unless_a_host_is_named(environ: Environ) -> None:
    make_context(environ, "far", "ssh://far")
    (Path(environ["DOCKER_CONFIG"]) / "config.json").write_text('{"currentContext": "far"}')
    assert choose("docker", environ=environ) == EngineChoice("docker", ("docker",), "ssh://far", rootless=None)
    assert choose("docker", environ={**environ, "DOCKER_CONTEXT": "default"}).remote == ""
    assert choose("docker", environ={**environ, "DOCKER_HOST": "unix:///x"}).remote == ""


@pytest.mark.parametrize("asked", [{"asked": "containerd"}, {"environ": {"ENVSPEC_ENGINE": "Docker"}}])
def test_an_unknown_engine_is_refused_by_name(asked: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="there is no engine") as error:
        choose(**asked)  # type: ignore[arg-type]  # arguments by name
    assert error.value.hint == "use one of docker, podman, auto"


def test_podman_has_no_contexts(environ: Environ) -> None:
    with pytest.raises(UsageError, match="no contexts"):
        choose("podman", "far", environ=environ)


@pytest.mark.parametrize("text", ["engine: dcoker\n", "- engine\n", "engine: [", "engine: on\n", "\x00"])
def test_a_faulty_configuration_is_told_with_its_file(
    environ: Environ, configure: Callable[[str], None], text: str
) -> None:
    configure(text)
    with pytest.raises(SpecError) as error:
        choose(environ=environ)
    assert error.value.code == "config.invalid"
    assert str(error.value.where).endswith("envspec/config.yaml")
    assert choose("docker", environ=environ) == DOCKER


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "other: 1\n", "engine: ''\n"])
def test_a_configuration_may_leave_it_open(environ: Environ, configure: Callable[[str], None], text: str) -> None:
    configure(text)
    assert choose(environ=environ).name == "docker"


def test_the_proxies_of_dockers_own_configuration_are_known(tmp_path: Path) -> None:
    config = {"proxies": {"default": {"httpProxy": "http://p:1", "noProxy": "x"}, "tcp://far:2376": {"ftp": 1}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    expected = {"http_proxy": "http://p:1", "HTTP_PROXY": "http://p:1", "no_proxy": "x", "NO_PROXY": "x"}
    assert docker_proxies({"DOCKER_CONFIG": str(tmp_path)}) == expected
    (tmp_path / "config.json").write_text('{"proxies": ["no mapping"]}')
    assert docker_proxies({"DOCKER_CONFIG": str(tmp_path)}) == {}


# ── what goes by Docker's name and is Podman ─────────────────────────────────────────────────────────────────────────


SHIM = """#!/bin/sh
[ -e /etc/containers/nodocker ] || \\
echo "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg." >&2
exec /usr/bin/podman "$@"
"""
"""The command of the package podman-docker."""


def test_a_docker_command_that_is_podman_is_podman(environ: Environ, install: Callable[..., None]) -> None:
    install("docker", "podman")
    (Path(environ["PATH"]) / "docker").write_text(SHIM)
    chosen = choose(environ=environ)
    assert chosen == choose("docker", environ=environ)
    assert (chosen.name, chosen.command) == ("podman", ("podman",))
    assert chosen.alias == f"the command {environ['PATH']}/docker"


def test_who_asks_for_podman_is_told_of_no_other_name(environ: Environ, install: Callable[..., None]) -> None:
    install("docker", "podman")
    (Path(environ["PATH"]) / "docker").write_text(SHIM)
    assert choose("podman", environ=environ) == PODMAN


def test_a_link_to_podman_is_podman(environ: Environ, install: Callable[..., None]) -> None:
    install("podman")
    (Path(environ["PATH"]) / "docker").symlink_to("podman")
    assert choose("docker", environ=environ).name == "podman"


def test_a_wrapper_of_dockers_command_is_docker(environ: Environ, install: Callable[..., None]) -> None:
    install("docker", "podman")
    (Path(environ["PATH"]) / "docker").write_text('#!/bin/sh\n# no podman here\nexec /usr/bin/docker.real "$@"\n')
    assert choose("docker", environ=environ) == DOCKER


PING = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\n%s\r\nContent-Length: 2\r\n\r\nOK"
PODMANS, DOCKERS = b"Libpod-Api-Version: 4.3.1\r\nServer: Libpod/4.3.1 (linux)", b"Server: Docker/20.10.24 (linux)"
"""How Podman 4.3 and Docker answer to ``/_ping``, shortened."""


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """Make a socket at which an engine answers to a ping, once."""
    servers: list[socket.socket] = []

    def make(server_headers: bytes) -> Path:
        server = socket.socket(socket.AF_UNIX)
        servers.append(server)
        server.bind(str(path := tmp_path / "api.sock"))
        server.listen()

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as client:
                client.recv(1024)
                client.sendall(PING % server_headers)

        threading.Thread(target=serve, daemon=True).start()
        return path

    yield make
    for server in servers:
        server.close()


def test_a_socket_of_somebody_elses_podman_is_refused(environ: Environ, answers: Callable[[bytes], Path]) -> None:
    environ["DOCKER_HOST"] = f"unix://{answers(PODMANS)}"
    with pytest.raises(EngineNotReady, match="Podman answers at") as caught:
        choose("docker", environ=environ)
    assert (caught.value.code, "--engine podman" in str(caught.value.hint)) == ("engine.not_docker", True)


def test_the_socket_of_ones_own_podman_is_that_podman(
    environ: Environ, answers: Callable[[bytes], Path], install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("docker", "podman")
    (Path(environ["PATH"]) / "docker").write_bytes(b"\x7fELF")
    monkeypatch.setattr(choice, "DOCKER_SOCKET", f"unix://{answers(PODMANS)}")
    monkeypatch.setattr("envspec.engine.shim.own_socket", lambda endpoint: endpoint == choice.DOCKER_SOCKET)
    chosen = choose("docker", environ=environ)
    assert (chosen.name, chosen.alias) == ("podman", f"what answers at {choice.DOCKER_SOCKET}")


@pytest.fixture
def listener(tmp_path: Path) -> Callable[..., Path]:
    """Make what the kernel tells of the process that listens at a socket, which is this one."""

    def make(program: str = "/usr/bin/podman", namespace: str = "mnt:[1]", line: str = "podman system service") -> Path:
        for process in ("self", str(os.getpid())):
            (tmp_path / process / "ns").mkdir(parents=True)
        (tmp_path / "self/ns/mnt").symlink_to("mnt:[1]")
        (tmp_path / str(os.getpid()) / "ns/mnt").symlink_to(namespace)
        (tmp_path / str(os.getpid()) / "exe").symlink_to(program)
        (tmp_path / str(os.getpid()) / "cmdline").write_text(line.replace(" ", "\0"))
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, True),
        ({"program": "/usr/lib/systemd/systemd", "line": "/usr/lib/systemd/systemd --user"}, True),
        ({"program": "/usr/bin/ssh", "line": "ssh -L podman.sock:/run/podman/podman.sock there"}, False),
        ({"namespace": "mnt:[2]"}, False),
        ({"line": "podman --root /srv system service"}, False),
    ],
    ids=["Podman", "started by systemd", "forwarded", "from outside a container", "another store"],
)
def test_whose_podman_listens_is_known_by_the_one_who_listens(
    answers: Callable[[bytes], Path], listener: Callable[..., Path], told: dict[str, str], expected: bool
) -> None:
    assert shim.own_socket(f"unix://{answers(PODMANS)}", listener(**told)) is expected


def test_another_users_podman_is_not_ones_own(
    answers: Callable[[bytes], Path], listener: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert not shim.own_socket(f"unix://{answers(PODMANS)}", listener())


def test_another_socket_of_docker_is_docker(environ: Environ, answers: Callable[[bytes], Path]) -> None:
    environ["DOCKER_HOST"] = f"unix://{answers(DOCKERS)}"
    assert choose("docker", environ=environ).name == "docker"


@pytest.mark.parametrize(("uid", "rootless"), [(0, False), (-1, False), (1000, None)])
def test_only_an_engine_that_a_user_serves_is_asked_whether_it_is_rootless(
    environ: Environ, monkeypatch: pytest.MonkeyPatch, uid: int, rootless: bool | None
) -> None:
    monkeypatch.setattr(shim, "_listener", lambda _endpoint: (1, uid))
    environ["DOCKER_HOST"] = "unix:///run/user/1000/docker.sock"
    assert choose("docker", environ=environ).rootless is rootless


@pytest.mark.parametrize(
    ("told", "expected"),
    [('["name=seccomp,profile=default","name=rootless"]', True), ('["name=seccomp,profile=default"]', False)],
)
def test_a_docker_that_may_be_rootless_is_asked_once(tmp_path: Path, told: str, expected: bool) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\necho \"$*\" >> $0.calls\necho '{told}'\n")
    docker.chmod(0o755)
    engine = WhalesEngine(command=(str(docker),), rootless=None)
    assert [engine.rootless, engine.rootless] == [expected] * 2
    assert Path(f"{docker}.calls").read_text() == "info --format {{json .SecurityOptions}}\n"


@pytest.mark.parametrize(
    ("said", "words", "hint"),
    [
        (
            "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade",
            "too old",
            "docker-cli",
        ),
        ("client version 1.60 is too new. Maximum supported API version is 1.41", "too new", "DOCKER_API_VERSION"),
    ],
)
def test_a_command_of_another_age_than_the_engine_is_named(said: str, words: str, hint: str) -> None:
    error = choice.no_answer(f"Error response from daemon: {said}", ("docker",), {})
    assert (error.code, words in error.message, hint in str(error.hint)) == ("engine.client_version", True, True)
