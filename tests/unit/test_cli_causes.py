"""Known causes are told in our words: who holds a port, which `timeout`, which directory, which registry."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envspec import host, host_gpu
from envspec.api.causes import _no_source
from envspec.api.ports import program_at
from envspec.engine.choice import no_answer
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig, Port
from envspec.engine.operations import Completed, Operation, SyncRepo
from envspec.engine.publishing import published
from envspec.errors import EngineCallFailed, EngineTimeout, Where
from tests.unit.test_cli_commands import BASE, Terminal, engine, envspec, spec

__all__ = ["engine", "envspec", "spec"]

MINIMAL = f"name: shop\nimage: {BASE}\nimage_source: local\nmount_cwd: false\nforward_git: false\n"


@pytest.fixture
def program() -> Iterator[int]:
    """A port that a program of this host, which is this one, has bound."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def failure(document: dict[str, object]) -> dict[str, object]:
    """Return the error of the one step that failed."""
    report = document["error"]["report"]  # type: ignore[index]  # JSON
    error: dict[str, object]
    (error,) = (item["error"] for item in report["outcomes"] if item["error"])
    return error


def test_a_port_that_a_container_holds_is_told_with_its_name(envspec: Terminal, engine: FakeEngine, spec: Path) -> None:
    spec.write_text(f'{MINIMAL}ports: ["18080:80"]\n')
    engine.start(engine.create_container("of-somebody-else", ContainerConfig(BASE, ports=(Port(80, 18080),)), {}))
    code, document = envspec.json("apply")
    error = failure(document)
    assert (code, error["code"]) == (1, "conflict.port")
    assert error["message"] == "127.0.0.1:18080/tcp is held by the container of-somebody-else"
    assert "`ports`" in str(error["hint"])


def test_a_port_that_a_program_holds_is_told_with_its_process(program: int) -> None:
    assert program_at(Port(80, program)).endswith(f"(process {os.getpid()})")
    assert program_at(Port(80, program, protocol="udp")) == ""


def test_what_engines_list_as_ports_is_read() -> None:
    listed = "127.0.0.1:8080->80/tcp, [::]:53->53/udp, :::9->9/tcp, 0.0.0.0:5000-5001->6000-6001/tcp, 443/tcp"
    assert published(listed) == (
        Port(80, 8080),
        Port(53, 53, "::", "udp"),
        Port(9, 9, "::"),
        Port(6000, 5000, "0.0.0.0"),
        Port(6001, 5001, "0.0.0.0"),
    )


@pytest.mark.usefixtures("engine")
def test_a_setup_command_that_passes_its_own_timeout_is_not_the_engines_fault(envspec: Terminal, spec: Path) -> None:
    spec.write_text(f"{MINIMAL}setup_commands: [{{run: sleep-forever, timeout: 3}}]\n")
    code, document = envspec.json("apply")
    error = failure(document)
    assert (code, error["code"], error["retriable"]) == (1, "command.timeout", False)
    assert error["message"] == "it did not end within 3 s, its own `timeout`, and was ended"
    assert "preflight" not in str(error["hint"])


def test_a_clone_that_takes_too_long_is_not_the_engines_fault_either(
    envspec: Terminal, engine: FakeEngine, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform = engine.perform

    def slow(container_id: str, operation: Operation, **more: Any) -> Completed:
        if isinstance(operation, SyncRepo):
            raise EngineTimeout("docker exec did not end within 1800 s", hint="is the engine busy or stuck?")
        return perform(container_id, operation, **more)

    monkeypatch.setattr(engine, "perform", slow)
    spec.write_text(f"{MINIMAL}repos: [{{url: 'https://git.example.org/app', path: app}}]\n")
    error = failure(envspec.json("apply")[1])
    assert (error["code"], error["retriable"]) == ("repo.timeout", True)
    assert "engine" not in f"{error['message']} {error['hint']}"


@pytest.mark.usefixtures("engine")
def test_a_setup_command_without_its_directory_says_which_one(envspec: Terminal, spec: Path) -> None:
    spec.write_text(f"{MINIMAL}setup_commands: [{{run: 'true', workdir: nope}}]\n")
    code, document = envspec.json("apply")
    error = failure(document)
    assert (code, error["code"]) == (1, "command.workdir")
    assert error["message"] == "there is no directory /workspace/nope inside for it to run in"


def test_an_image_that_no_registry_can_give_says_so(
    envspec: Terminal, engine: FakeEngine, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EngineCallFailed("cannot pull it:\ndial tcp: lookup: i/o timeout", code="engine.pull_failed")

    monkeypatch.setattr(engine, "pull", refuse)
    monkeypatch.setattr(host, "registry_reachable", lambda *_: False)
    spec.write_text("name: shop\nimage: alpine:3\nmount_cwd: false\nforward_git: false\n")
    error = failure(envspec.json("apply")[1])
    assert (error["code"], error["retriable"]) == ("image.no_registry", True)
    assert str(error["message"]).startswith("no registry can be reached: registry-1.docker.io does not answer")
    monkeypatch.setattr(host, "registry_reachable", lambda *_: True)
    assert failure(envspec.json("apply")[1])["code"] == "engine.pull_failed"


def test_a_gpu_that_nobody_has_is_told_and_what_is_missing(
    envspec: Terminal, engine: FakeEngine, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise EngineCallFailed('cannot start the container: could not select device driver ""')

    monkeypatch.setattr(engine, "start", refuse)
    monkeypatch.setattr(host_gpu, "lacking", lambda: "there is no NVIDIA device here (/dev/nvidiactl)")
    spec.write_text(f"{MINIMAL}gpu: true\n")
    error = failure(envspec.json("apply")[1])
    assert error["code"] == "engine.no_gpu"
    assert error["message"] == "there is no GPU to give: there is no NVIDIA device here (/dev/nvidiactl)"


BUILD = "  web:\n    build: {context: ., dockerfile_inline: 'FROM x'}\n"
DEVICES = "{resources: {reservations: {devices: [{capabilities: [gpu]}]}}}"
GPU = f"  web:\n    image: '{BASE}'\n    deploy: {DEVICES}\n"


@pytest.mark.parametrize(
    ("service", "printed", "code"),
    [
        ("  web:\n    image: example.com/x\n", [], "image.no_registry"),
        (BUILD, ["#5 Err:1 http://a.invalid", "#5 Could not resolve 'a.invalid'", "#5 ERROR"], "build.dns"),
        (BUILD, ["#5 a test failed"], "service.failed"),
        (GPU, [], "engine.no_gpu"),
    ],
)
def test_a_service_that_compose_cannot_bring_up_says_what_is_missing(  # noqa: PLR0917 - cases and fixtures
    service: str,
    printed: list[str],
    code: str,
    envspec: Terminal,
    engine: FakeEngine,
    spec: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: object, on_line: Callable[[str], None]) -> None:
        for line in printed:
            on_line(line)
        raise EngineCallFailed("Compose cannot bring web up: exit code: 100")

    monkeypatch.setattr(engine, "compose_up", refuse)
    monkeypatch.setattr(host, "registry_reachable", lambda *_: False)
    monkeypatch.setattr(host_gpu, "lacking", lambda: "there is no NVIDIA device here (/dev/nvidiactl)")
    spec.write_text(f"{MINIMAL}compose:\n services:\n{service}")
    error = failure(envspec.json("apply", "--allow", "gpu")[1])
    assert error["code"] == code
    assert all(line in str(error["message"]) for line in printed[1:2] or printed)


def test_a_host_has_a_gpu_to_give_with_the_device_and_the_toolkit(tmp_path: Path) -> None:
    assert "no NVIDIA device" in host_gpu.lacking(tmp_path / "none")
    assert "toolkit is not installed" in host_gpu.lacking(tmp_path, ("no-such-program-here",))
    assert host_gpu.lacking(tmp_path, ("sh",)) == ""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("W: Temporary failure resolving 'deb.debian.org'", "build.dns"),
        (
            "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
            "build.tls",
        ),
        ("E: Failed to fetch http://deb.debian.org/x  Connection refused", "build.network"),
    ],
)
def test_a_build_that_cannot_reach_its_source_says_why(line: str, code: str) -> None:
    error = _no_source(EngineCallFailed(f"the build failed:\n{line}\nend", code="engine.build_failed"), Where())
    assert error is not None
    assert (error.code, error.retriable) == (code, True)
    assert line[:40] in error.message
    assert _no_source(EngineCallFailed("the build failed:\nexit code 1"), Where()) is None


def test_a_wrong_docker_host_is_named_as_what_led_there() -> None:
    error = no_answer("Cannot connect", ("docker",), {"DOCKER_HOST": "tcp://ada:pw@far:9"})
    assert error.message == "no engine answers where DOCKER_HOST=tcp://far:9 leads: Cannot connect"
    assert "unset DOCKER_HOST" in error.hint
    assert "`docker context ls`" in no_answer("", ("docker", "--context", "far"), {}).hint
    assert "preflight" in no_answer("", ("podman",), {}).hint
