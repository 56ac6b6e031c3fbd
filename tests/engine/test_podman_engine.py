"""What only a real Podman shows: what it makes of an update, where secrets do not go, and what it calls things."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from envspec.engine.capabilities import changes_in_place
from envspec.engine.objects import LABEL, Build, ContainerConfig, Limits, Port
from envspec.engine.podman_engine import PodmanEngine
from envspec.engine.podman_socket import MONITORS
from tests.engine.conftest import with_base
from tests.engine.contract import TEST_LABEL, World, podman_honours_updates, refused
from tests.engine.e2e import until

pytestmark = pytest.mark.engine

CANARY = "canary-52b1e0"
CHANGES: dict[str, tuple[object, str]] = {
    "memory": (64 << 20, "--memory=64m"),
    "cpus": (0.5, "--cpus=0.5"),
    "pids": (100, "--pids-limit=100"),
    "restart": ("unless-stopped", "--restart=unless-stopped"),
}


@pytest.fixture(scope="module")
def podman(podman_engine: PodmanEngine) -> Iterator[World]:
    made = World(podman_engine, with_base(podman_engine))
    yield made
    made.clean()


def command(*words: str, code: int | None = 0) -> str:
    done = subprocess.run(["podman", *words], capture_output=True, text=True, timeout=60, check=False)
    assert code in (None, done.returncode), done.stderr
    return done.stdout


if not podman_honours_updates():  # the contract tests show what a newer one does

    @pytest.mark.parametrize("attribute", sorted(CHANGES))
    def test_an_update_is_refused_for_podman_would_ignore_or_forget_it(podman: World, attribute: str) -> None:
        value, option = CHANGES[attribute]
        assert not changes_in_place("podman", attribute, value)
        assert not changes_in_place("podman", attribute, None)
        box = podman.run()
        with refused():
            podman.engine.update(box, Limits(**{attribute: value}))  # type: ignore[arg-type]  # a field by name
        command("update", option, box, code=None)
        podman.engine.stop(box, grace=0)
        podman.engine.start(box)
        assert getattr(podman.state(box).config, attribute) == getattr(ContainerConfig(""), attribute)


def test_what_a_monitor_writes_for_want_of_memory_is_not_written_into_the_users_directory(
    podman: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = Path(MONITORS) / "oom"
    mark.unlink(missing_ok=True)
    monkeypatch.chdir(tmp_path)
    command("exec", podman.run(memory=64 << 20), "tail", "/dev/zero", code=137)
    until(mark.exists, "the monitor tells that memory was wanting")
    mark.unlink()
    assert list(tmp_path.iterdir()) == []


def test_what_inspect_does_not_tell_is_remembered(podman: World) -> None:
    asked = podman.config(ports=(Port(80), Port(81, 0, "127.0.0.2")), cap_drop=("ALL",), cap_add=("CHOWN", "NET_RAW"))
    box = podman.create(ports=asked.ports, cap_drop=asked.cap_drop, cap_add=asked.cap_add)
    assert podman.state(box).config == replace(asked, env=podman.state(box).config.env)
    assert not [name for name in podman.state(box).labels if name == f"{LABEL}asked"]


def test_a_container_made_by_other_hands_is_read_too(podman: World) -> None:
    name = podman.name()
    label = f"{LABEL}env={podman.env}"
    try:
        command("create", "--name", name, "--label", label, "--publish", "127.0.0.1::80", podman.base, "sleep", "1")
        (state,) = (found for found in podman.engine.containers(podman.env) if found.name == name)
        assert state.config.image == podman.base
        assert [port.container for port in state.config.ports] == [80]
        assert [network.network for network in state.networks] == ["bridge"]
    finally:
        command("rm", "--force", "--time", "0", name)


def test_a_build_secret_is_in_no_layer(podman: World) -> None:
    ref = podman.image_ref()
    text = f"FROM {podman.base}\nRUN --mount=type=secret,id=token test -s /run/secrets/token && touch /done\n"
    podman.engine.build(Build(text, ref, {TEST_LABEL: "1"}, {"token": CANARY.encode()}))
    told = command("image", "inspect", ref) + command("history", "--no-trunc", ref)
    assert json.loads(command("image", "inspect", ref))[0]["Config"]["Labels"][TEST_LABEL] == "1"
    assert CANARY not in told


def test_a_short_name_means_the_image_of_docker_hub_that_is_here(podman: World) -> None:
    short = f"{podman.name()}:1"
    full = f"docker.io/library/{short}"
    podman.engine.tag(podman.engine.images((podman.base,))[podman.base].id, full)
    try:
        assert set(podman.engine.images((short,))) == {short}
        assert podman.state(podman.create(image=short)).config.image == short
        podman.engine.build(Build(f"FROM {short}\nENV A=1\n", podman.image_ref(), {TEST_LABEL: "1"}))
    finally:
        podman.engine.remove_image(full)


def test_a_missing_working_directory_is_made_and_no_other_is_touched(podman: World) -> None:
    box = podman.run(workdir="/tmp/deep/er")
    told = podman.shell(box, "stat -c %a /tmp /tmp/deep /tmp/deep/er; pwd", workdir="/tmp/deep/er").stdout
    assert told.split() == [b"1777", b"755", b"755", b"/tmp/deep/er"]
