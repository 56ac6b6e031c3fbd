"""A Docker behind a socket of this host that runs on what is another machine for it, as those of Docker Desktop do.

It has mounts, network, host name, settings and storage of its own. Of this host's directories one is shared with it;
another is hidden, and so is ``/dev/shm``. That is all that tells a virtual machine from a host at this seam; its kernel
is the host's, so that what depends on how a product shares files (owners, modes, notifications) is not simulated.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from envspec.api.targets import open_engine
from envspec.engine.sight import LOOK_LABEL
from tests.engine.e2e import PATIENCE, Place, make_place

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

SUDO = () if os.geteuid() == 0 else ("sudo", "-n")
TITLE = "the virtual machine of Colima"

START = """
set -eu
hidden=$1 data=$2 socket=$3
hostname colima
ip link set lo up
for place in /dev/shm /etc/docker "$hidden"; do
  mkdir -p "$place"
  mount -t tmpfs tmpfs "$place"
done
mkdir -p "$hidden/other" "$data"
exec dockerd --data-root "$data/root" --exec-root "$data/exec" --pidfile "$data/pid" --host "unix://$socket" \\
  --iptables=false --ip6tables=false
"""
"""What runs in namespaces of its own; it is told what it hides, where it keeps what, and its socket."""


@dataclass(frozen=True)
class Machine:
    """The other machine.

    Attributes:
        socket: Its engine's socket on this host.
        shared: A directory of this host that it sees.
        hidden: One that it does not see: something else lies there.
    """

    socket: Path
    shared: Path
    hidden: Path

    def docker(self, *words: str) -> str:
        argv = ["docker", "--host", f"unix://{self.socket}", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.strip()

    def await_answer(self, daemon: subprocess.Popen[bytes], log: Path) -> None:
        end = time.monotonic() + PATIENCE
        while daemon.poll() is None and time.monotonic() < end:
            try:
                self.docker("version")
            except subprocess.CalledProcessError:
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"the engine did not come up:\n{log.read_text()[-3000:]}", pytrace=False)


@pytest.fixture(scope="module")
def machine(docker_base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    top = tmp_path_factory.mktemp("vm")
    made = Machine(top / "colima.sock", top / "shared", top / "hidden")
    for directory in (made.shared, made.hidden):
        directory.mkdir()
    own = ("unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
    argv = [*SUDO, *own, "sh", "-c", START, "sh", *map(str, (made.hidden, top / "data", made.socket))]
    with (top / "log").open("w") as log, subprocess.Popen(argv, stdout=log, stderr=log) as daemon:
        try:
            made.await_answer(daemon, top / "log")
            with subprocess.Popen(["docker", "save", docker_base], stdout=subprocess.PIPE) as saved:
                load = ["docker", "--host", f"unix://{made.socket}", "load"]
                subprocess.run(load, stdin=saved.stdout, check=True, timeout=PATIENCE, capture_output=True)
            yield made
        finally:
            # With its first process the kernel ends the others; what asks that one more kindly it does not hear.
            subprocess.run([*SUDO, "pkill", "--signal", "KILL", "--parent", str(daemon.pid)], check=False)
            daemon.wait(PATIENCE)
            subprocess.run([*SUDO, "rm", "-rf", str(top / "data")], check=False)


@pytest.fixture
def shared(machine: Machine, docker_base: str, tmp_path: Path) -> Iterator[Place]:
    yield from place_in(machine, machine.shared, docker_base, tmp_path)


@pytest.fixture
def hidden(machine: Machine, docker_base: str, tmp_path: Path) -> Iterator[Place]:
    yield from place_in(machine, machine.hidden, docker_base, tmp_path)


def place_in(machine: Machine, directory: Path, image: str, state: Path) -> Iterator[Place]:
    environ = {"XDG_STATE_HOME": str(state), "DOCKER_HOST": f"unix://{machine.socket}", "ENVSPEC_ENGINE": "docker"}
    made = make_place(directory, image, environ=environ)
    yield made
    made.stop_all()
    if left := machine.docker("ps", "--all", "--quiet"):
        machine.docker("rm", "--force", "--volumes", *left.split())


def state_of(machine: Machine) -> tuple[str, ...]:
    """Everything that a look may have left behind."""
    return tuple(machine.docker(*words) for words in (("ps", "-aq"), ("volume", "ls", "-q"), ("image", "ls", "-aq")))


def looks(machine: Machine, began: float) -> list[str]:
    """Return the containers that were made to look for directories since a moment."""
    asked = ("--filter", "event=create", "--filter", f"label={LOOK_LABEL}", "--format", "{{.ID}}")
    return machine.docker("events", "--since", f"{began:.3f}", "--until", f"{time.time():.3f}", *asked).splitlines()


def test_this_hosts_own_engine_is_known_without_a_look(
    docker_base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    engine = open_engine("docker")
    assert engine.images([docker_base])
    assert (engine.machine().here, engine.machine().id != "") == (True, True)


def test_what_is_shared_is_bound_and_asked_once(machine: Machine, shared: Place) -> None:
    shared.write(image_source="local", config_files={"/workspace/made": "inside\n"})
    before, began = state_of(machine), time.time()
    notes = shared.plan()["notes"]
    assert any(
        note.startswith(f"the engine runs on {TITLE}, not on this host; it sees {shared.directory}") for note in notes
    )
    assert state_of(machine) == before
    assert len(looks(machine, began)) == 1
    shared.apply()
    assert shared.exec("ls", "/workspace") == "env.yaml\nmade"
    assert (shared.directory / "made").read_text() == "inside\n"
    assert "No changes" in shared.run("plan", ".", "--detailed-exitcode").stdout
    assert len(looks(machine, began)) == 1


def test_what_is_hidden_is_refused_before_anything_is_done(machine: Machine, hidden: Place) -> None:
    hidden.write(image_source="local")
    before = state_of(machine)
    for verb in (("plan", "."), ("apply", ".", "--yes")):
        error = hidden.told(*verb, code=4).error
        assert error["code"] == "refused.unseen_bind"
        assert f"{TITLE}, which does not see {hidden.directory}" in error["message"]
        assert "colima start --mount" in error["hint"]
        assert error["where"]["file"].endswith("env.yaml")
    assert state_of(machine) == before
    hidden.write(image_source="local", mount_cwd=False)
    assert hidden.apply().done["container.workspace"] == "done"


SECRET = {"services": {"db": {"image": "envspec/base:debian-13", "command": ["sleep", "60"], "secrets": ["key"]}}}


def test_secrets_of_services_are_files_where_memory_is_hidden(machine: Machine, shared: Place) -> None:
    shared.environ = {**shared.environ, "KEY": "canary"}
    shared.write(image_source="local", compose={**SECRET, "secrets": {"key": {"environment": "KEY"}}})
    before = state_of(machine)
    error = shared.told("plan", ".", code=4).error
    assert (error["code"], "`file`" in error["hint"]) == ("refused.unseen_memory", True)
    assert state_of(machine) == before
    (shared.directory / "key").write_text("from a file\n")
    shared.write(image_source="local", compose={**SECRET, "secrets": {"key": {"file": "./key"}}})
    shared.apply()
    assert machine.docker("exec", f"{shared.name}-db-1", "cat", "/run/secrets/key") == "from a file"


def test_an_agent_that_is_not_there_is_refused(shared: Place) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(shared.directory / "agent"))
        agent.listen()
        shared.environ = {**shared.environ, "SSH_AUTH_SOCK": str(shared.directory / "agent")}
        shared.write(image_source="local", forward_ssh="agent")
        error = shared.told("plan", ".", code=4).error
    assert (error["code"], "--ssh-agent" in error["hint"]) == ("refused.unseen_agent", True)


def test_preflight_says_what_is_so(hidden: Place) -> None:
    checks = {check["name"]: check["detail"] for check in hidden.told("preflight").result["checks"]}
    assert checks["files"].startswith(f"the engine runs on {TITLE}; it does not see {hidden.directory}")
    assert "/dev/shm is hidden from it" in checks["files"]
