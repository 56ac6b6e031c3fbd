"""What an engine has trouble with, in words that say what to do."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from envspec import policy
from envspec.engine import client
from envspec.engine.capabilities import Versions, is_mountable
from envspec.engine.client import Client
from envspec.engine.inspect import familiar
from envspec.engine.objects import PAUSES, ContainerConfig, ContainerState, Holder, ImageState, Limits, Proof
from envspec.engine.podman_engine import PodmanEngine
from envspec.engine.stack import ComposeUp
from envspec.engine.whales import WhalesEngine
from envspec.errors import EngineCallFailed, EngineNotReady, SpecError
from envspec.kinds import names
from envspec.kinds.base import Observed
from envspec.kinds.base_image import BaseImage, BaseImageSpec
from envspec.kinds.container import Container, ContainerSpec
from envspec.kinds.image import Image, ImageSpec
from envspec.model import Desired, Resource

RUNC = "Error response from daemon: Cannot update container 1: unable to set memory limit (current usage: 1)\n: unknown"


def stand_in(path: Path, script: str) -> tuple[str, ...]:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return (str(path),)


# ── an engine that takes a connection and never answers ──


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READY_DEADLINE", 0.5)


@pytest.mark.usefixtures("impatient")
def test_an_engine_that_hangs_is_not_ready(tmp_path: Path) -> None:
    hanging = Client(command=stand_in(tmp_path / "docker", "exec sleep 60"))
    with pytest.raises(EngineNotReady) as caught:
        hanging._run("ps", deadline=0.5)
    assert (caught.value.exit_code, caught.value.code, bool(caught.value.hint)) == (5, "engine.hangs", True)


@pytest.mark.usefixtures("impatient")
def test_a_change_on_an_engine_that_hangs_is_no_failed_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envspec.engine.whales._KILL_AFTER", 1)
    hanging = WhalesEngine(command=stand_in(tmp_path / "docker", "exec sleep 60"))
    with pytest.raises(EngineNotReady):
        hanging._call("cannot start", ("container", "start"), lambda d: d.container.start("x"), deadline=0.5)


def test_one_slow_call_of_an_engine_that_answers_is_only_slow(tmp_path: Path) -> None:
    busy = Client(command=stand_in(tmp_path / "docker", '[ "$1" = version ] || exec sleep 60'))
    with pytest.raises(EngineCallFailed) as caught:
        busy._run("ps", deadline=0.5)
    assert caught.value.code == "engine.timeout"


# ── limits, networks ──


def test_memory_that_is_in_use_is_told_with_its_figure(tmp_path: Path) -> None:
    used = json.dumps({"ID": "abc", "MemUsage": "300MiB / 600MiB"})
    script = f"case $* in *stats*) echo '{used}' ;; *version*) ;; *) printf '%s\\n' '{RUNC}' >&2; exit 1 ;; esac"
    engine = WhalesEngine(command=stand_in(tmp_path / "docker", script))
    with pytest.raises(EngineCallFailed) as caught:
        engine.update("abcdef", Limits(memory=100 << 20))
    assert caught.value.code == "engine.memory_in_use"
    assert ["300 MiB" in caught.value.message, "100 MiB" in caught.value.message] == [True, True]


POOLS = [
    "Error response from daemon: could not find an available, non-overlapping IPv4 address pool among the defaults",
    "Error response from daemon: all predefined address pools have been fully subnetted",
    "Error: could not find free subnet from subnet pools",
]


@pytest.mark.parametrize("said", POOLS)
def test_used_up_address_ranges_name_the_networks_that_nobody_uses(said: str, tmp_path: Path) -> None:
    row = ",".join('"%s"' for _ in range(4)) + ',""' * 11
    rows = [row % (f"id-{name}", name, "bridge", "false") for name in ("bridge", "busy", "idle")]
    cases = (
        f"'network create'*) echo '{said}' >&2; exit 1 ;;",
        f"'network ls'*) printf '%s\\n' {' '.join(map(repr, rows))} ;;",
        "*network=id-busy*) echo '\"box\"' ;;",
    )
    script = f"case $* in {' '.join(cases)} esac"
    engine = WhalesEngine(command=stand_in(tmp_path / "docker", script))
    with pytest.raises(EngineCallFailed) as caught:
        engine.create_network("shop", {})
    assert (caught.value.code, "2 networks" in caught.value.message) == ("engine.no_addresses", True)
    assert "docker network rm idle`" in caught.value.hint


def test_limits_of_deploy_stand_beside_no_default_of_podman(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[dict[str, Any]] = []
    monkeypatch.setattr(WhalesEngine, "compose_up", lambda _, up, __: handed.append(json.loads(up.document)))
    for limits in ({"memory": "1", "cpus": "0.5"}, {"pids": 7}):
        service = {"deploy": {"resources": {"limits": limits}}}
        up = ComposeUp("shop", "/", json.dumps({"services": {"db": service}}), "db")
        PodmanEngine(rootless=False).compose_up(up)
    first, second = (document["services"]["db"] for document in handed)
    assert {first.pop("stop_grace_period"), second.pop("stop_grace_period")} == {"10s"}
    assert first == {"deploy": {"resources": {}}, "mem_limit": "1", "cpus": 0.5, "pids_limit": -1}
    assert second == {"deploy": {"resources": {}}, "pids_limit": 7}


@pytest.mark.parametrize("path", ["/a:b", '/a"b', "/a,b", "/a\nb"])
def test_a_path_that_cannot_be_mounted_is_known(path: str) -> None:
    assert (is_mountable(path), is_mountable("/a b'c$d")) == (False, True)


def test_the_hosts_gateway_on_an_old_podman_is_refused_at_plan() -> None:
    box = ContainerSpec(ContainerConfig(image="x", command=(), add_hosts=(("host", "host-gateway"),)))
    desired = Desired("shop", (Resource(names.WORKSPACE, "container", box),))
    with pytest.raises(SpecError) as caught:
        policy.refuse_unhonoured(desired, "podman", lambda: Versions((4, 3, 1)))
    assert caught.value.hint
    policy.refuse_unhonoured(desired, "podman", lambda: Versions((5, 4)))
    policy.refuse_unhonoured(desired, "docker", lambda: Versions((20, 10)))


# ── references and tags ──


def running(ref: str) -> ContainerState:
    return ContainerState(
        id="1",
        name="shop-workspace",
        status="running",
        image_id="sha256:a",
        labels=names.labels("shop", "container", names.WORKSPACE),
        config=ContainerConfig(image=ref, command=()),
        networks=(),
    )


def compared(box: ContainerState, ref: str) -> list[str]:
    """Return what differs where a container is to run the image of a reference."""
    spec = ContainerSpec(dataclasses.replace(box.config, image=ref))
    world = Observed("shop", containers=(box,), images={ref: ImageState("sha256:a", {})})
    verdict = Container().diff(Resource(names.WORKSPACE, "container", spec), spec, world)
    return [diff.path for diff in verdict.diff] if verdict else []


@pytest.mark.parametrize(
    "ref", ["t/app", "t/app:latest", "docker.io/t/app", "docker.io/t/app:latest", "localhost/t/app"]
)
def test_one_image_has_one_name_however_it_is_written(ref: str) -> None:
    assert familiar(ref) == "t/app:latest"
    assert familiar("t/app:1@sha256:ab") == familiar("docker.io/t/app@sha256:ab") == "t/app@sha256:ab"
    box = running("t/app:latest")
    assert ("image" in compared(box, ref), "image" in compared(box, "t/other")) == (False, True)


def test_a_tag_that_is_gone_while_its_container_runs_needs_no_registry() -> None:
    box = running("t/app")
    world = Observed("shop", containers=(box,), images={"sha256:a": ImageState("sha256:a", {})})
    spec = BaseImageSpec("docker.io/t/app:latest", "registry")
    verdict = BaseImage().diff(Resource("base_image.workspace", "base_image", spec), spec, world)
    assert (verdict and verdict.reason) == "docker.io/t/app:latest is gone: the image that runs gets its name back"
    other = BaseImageSpec("t/other", "registry")
    verdict = BaseImage().diff(Resource("base_image.workspace", "base_image", other), other, world)
    assert verdict is not None
    assert "pulled" in verdict.reason


def test_a_purposes_image_that_lost_its_tag_asks_for_no_base_image() -> None:
    image = ImageState("sha256:a", {names.DIGEST: "d", names.KIND: "image", names.BASE: "sha256:b"})
    world = Observed("shop", images={"sha256:a": image})
    base = BaseImageSpec("debian:13", "registry", builds="envspec/go:1", builds_digest="d")
    assert BaseImage().diff(Resource("base_image.workspace", "base_image", base), base, world) is None
    built = ImageSpec("envspec/go:1", "go", "", "debian:13", "d")
    verdict = Image().diff(Resource("image.workspace", "image", built), built, world)
    assert verdict is not None
    assert "gets its name back" in verdict.reason


# ── an image that is there in part ──

HALF = "a" * 64
HALF_IMAGE = f"""
[ "$1 $2" != "image rm" ] || {{ echo "$3" > "$0.removed"; exit 0; }}
[ "$2" != ls ] || [ -e "$0.removed" ] || echo 'locating item named "manifest" for image with ID "{HALF}"' >&2
[ "$1" = commit ] || [ "$2" = commit ] || exit 0
echo 'Error: locating item named "manifest" for image with ID "{HALF}" (consider removing the image)' >&2
exit 125"""


def test_an_image_that_a_kill_left_in_part_is_named_with_what_removes_it(tmp_path: Path) -> None:
    podman = PodmanEngine(command=stand_in(tmp_path / "podman", HALF_IMAGE))
    with pytest.raises(EngineCallFailed) as caught:
        podman.commit("box", "envspec/snapshot/s:box", {})
    assert (caught.value.code, caught.value.where.address if caught.value.where else "") == (
        "engine.half_image",
        "envspec/snapshot/s:box",
    )
    assert f"image rm {HALF[:12]}`" in caught.value.hint


def test_an_image_that_stays_in_part_is_removed_with_the_mutex_of_who_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envspec.engine.podman_engine.HALF_IMAGE", 0.2)
    podman = PodmanEngine(command=stand_in(tmp_path / "podman", HALF_IMAGE))
    died = Holder("me", Proof.DIED, {PAUSES: ""})
    monkeypatch.setattr(podman, "lock_holder", lambda _: died)
    podman.break_lock("shop", "me")
    assert (tmp_path / "podman.removed").read_text().strip() == HALF


# ── a container that was never created ──

LEFT = """
case $1 in
  ps) [ -e "$0.removed" ] && echo '[]' || echo '[
    {"Id": "left", "Names": ["box"], "State": "storage", "Command": ["storage"], "Created": 1},
    {"Id": "build", "Names": ["box"], "State": "storage", "Command": ["buildah"], "Created": 1},
    {"Id": "other", "Names": ["box-2"], "State": "storage", "Command": ["storage"], "Created": 1}]' ;;
  rm) shift 3; echo "$@" > "$0.removed" ;;
  create) [ -e "$0.removed" ] && echo new && exit; echo 'the container name "box" is already in use' >&2; exit 125 ;;
esac"""


def test_a_name_that_a_killed_podman_left_taken_is_free_again(tmp_path: Path) -> None:
    podman = PodmanEngine(command=stand_in(tmp_path / "podman", LEFT))
    assert podman._make_mutex("box", "image", {}) == "new"
    assert (tmp_path / "podman.removed").read_text() == "left\n"


def test_a_name_that_is_taken_stays_so(tmp_path: Path) -> None:
    podman = PodmanEngine(command=stand_in(tmp_path / "podman", LEFT))
    with pytest.raises(EngineCallFailed, match="already in use"):
        podman._make_mutex("taken", "image", {})
    assert not (tmp_path / "podman.removed").exists()
