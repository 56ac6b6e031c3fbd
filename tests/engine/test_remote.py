"""A Docker that is not this host's: a second one, with storage of its own, that only an address leads to."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from envspec.engine.objects import Build
from envspec.engine.runner import Runner
from envspec.engine.whales import WhalesEngine
from tests.engine.contract import TEST_LABEL
from tests.engine.e2e import PATIENCE, Place, make_place

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

SUBNET = "10.213.77.1/24"
SUDO = () if os.geteuid() == 0 else ("sudo", "-n")


@dataclass(frozen=True)
class Far:
    """The other engine.

    Attributes:
        host: Its address.
        directory: Where Docker keeps the context ``far`` that leads to it.
    """

    host: str
    directory: Path

    def docker(self, *words: str) -> str:
        done = subprocess.run(
            ["docker", "--host", self.host, *words], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        return done.stdout.strip()


def root(*words: str, check: bool = True) -> None:
    subprocess.run([*SUDO, *words], check=check, timeout=PATIENCE, capture_output=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def bridge() -> Iterator[str]:
    """A bridge of its own: this host's Docker holds ``docker0``."""
    name = f"evt{uuid.uuid4().hex[:8]}"
    root("ip", "link", "add", name, "type", "bridge")
    try:
        root("ip", "address", "add", SUBNET, "dev", name)
        root("ip", "link", "set", name, "up")
        yield name
    finally:
        root("ip", "link", "delete", name, check=False)


@pytest.fixture(scope="module")
def far(bridge: str, docker_base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """Start the other engine; it touches no firewall rules, for those are the first one's."""
    place = tmp_path_factory.mktemp("far")
    host = f"tcp://127.0.0.1:{free_port()}"
    places = ("--data-root", place / "data", "--exec-root", place / "exec", "--pidfile", place / "pid")
    words = ("--host", host, "--bridge", bridge, "--iptables=false", "--ip6tables=false", "--ip-masq=false")
    argv = [*SUDO, shutil.which("dockerd") or "/usr/sbin/dockerd", *map(str, places), *words]
    other = Far(host, place / "config")
    with (place / "log").open("w") as log, subprocess.Popen(argv, stdout=log, stderr=log) as daemon:
        try:
            await_answer(other, daemon, place / "log")
            # Two pipes: the archive is larger than what should lie in memory.
            with subprocess.Popen(["docker", "save", docker_base], stdout=subprocess.PIPE) as saved:
                subprocess.run(["docker", "--host", host, "load"], stdin=saved.stdout, check=True, timeout=PATIENCE)
            subprocess.run(
                ["docker", "--config", str(other.directory), "context", "create", "far", "--docker", f"host={host}"],
                check=True,
                timeout=PATIENCE,
                capture_output=True,
            )
            yield other
        finally:
            root("kill", str(daemon.pid), check=False)
            daemon.wait(PATIENCE)
            root("rm", "-rf", str(place))


def await_answer(other: Far, daemon: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while daemon.poll() is None and time.monotonic() < end:
        try:
            other.docker("version")
        except subprocess.CalledProcessError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the second engine did not come up:\n{log.read_text()[-3000:]}", pytrace=False)


WAYS: dict[str, tuple[Callable[[Far], tuple[str, ...]], Callable[[Far], Mapping[str, str]]]] = {
    "variable": (lambda _far: (), lambda far: {"DOCKER_HOST": far.host}),
    "context": (lambda _far: ("--context", "far"), lambda far: {"DOCKER_CONFIG": str(far.directory)}),
}


@pytest.fixture(params=sorted(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def place(far: Far, docker_base: str, way: str, tmp_path: Path) -> Iterator[Place]:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    made = make_place(tmp_path, docker_base, environ=state | dict(WAYS[way][1](far)))
    yield made
    made.stop_all()
    left = far.docker("ps", "--all", "--quiet", "--filter", "label=dev.envspec.env")
    if left:
        far.docker("rm", "--force", *left.split())


def test_everything_but_binds_works_on_an_engine_elsewhere(
    far: Far, place: Place, way: str, docker_engine: WhalesEngine
) -> None:
    words = WAYS[way][0](far)
    place.write(
        mount_cwd=False,
        image_source="local",
        env={"COLOUR": "blue"},
        config_files={"/etc/app.conf": "far away\n"},
        setup_commands=["cat /etc/app.conf > made", {"run": "test -d .", "workdir": "/workspace"}],
        health={"command": "test -s /workspace/made"},
        volumes=[{"name": "data", "container": "/data"}],
        ports=["0:80"],
    )
    place.run(*words, "apply", ".", "--yes")
    assert "No changes" in place.run(*words, "plan", ".", "--detailed-exitcode").stdout
    assert (
        place.run(*words, "exec", place.name, "--", "sh", "-c", "cat made; echo $COLOUR").stdout == "far away\nblue\n"
    )
    assert far.docker("ps", "--format", "{{.Names}}") == place.box
    assert docker_engine.containers(place.name) == ()
    command = place.run(*words, "connect", place.name).stdout.split()
    assert command[: 1 + len(words)] == ["docker", *words]
    assert place.name in place.run(*words, "list").stdout
    place.run(*words, "destroy", place.name, "--yes", "--volumes", "--allow-data-loss", "volume.data")
    assert far.docker("ps", "--all", "--quiet") == ""
    assert far.docker("volume", "ls", "--quiet") == ""


def test_a_bind_of_this_hosts_files_is_refused_with_a_way_out(far: Far, place: Place, way: str) -> None:
    words = WAYS[way][0](far)
    place.write(image_source="local")
    for verb in (("plan", "."), ("apply", ".", "--yes")):
        ran = place.run(*words, *verb, code=4)
        assert f"the engine at {far.host} is another host's" in ran.stderr
        assert str(place.directory) in ran.stderr
        assert "mount_cwd: false" in ran.stderr
    assert far.docker("ps", "--all", "--quiet") == ""


def test_an_image_is_built_and_imported_there(far: Far, docker_base: str) -> None:
    engine = WhalesEngine(Runner(), ("docker", "--host", far.host), remote=far.host)
    engine.build(Build(f"FROM {docker_base}\nRUN test -d /etc\n", "envspec-test/far:1", {TEST_LABEL: "1"}))
    assert engine.lock("evt-far", "me")
    engine.unlock("evt-far")
    assert set(engine.images(("envspec-test/far:1", "envspec/lock:2"))) == {"envspec-test/far:1", "envspec/lock:2"}
