"""What newer engines do otherwise than those that came before, as they did it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envspec.engine import inspect
from envspec.engine.capabilities import changes_in_place
from envspec.engine.dialect import PODMAN
from envspec.engine.objects import UNLIMITED, Build, ContainerConfig
from envspec.engine.podman_engine import PodmanEngine
from envspec.engine.runner import Runner
from envspec.engine.whales import WhalesEngine
from envspec.errors import EngineNotReady
from envspec.inside.door import open_door, open_doors
from envspec.kinds.base import Observed
from envspec.kinds.container import cut_off
from envspec.model import Cause


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A stand-in for an engine's command that keeps what it is asked, and the Dockerfile of a build, beside it."""
    path = tmp_path / "engine"
    script = 'printf "%s\\n" "$@" > "$0.argv"; while [ $# -gt 1 ]; do shift; done; cp "$1/Dockerfile" "$0.file"'
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("engine", "version", "attribute", "after", "honoured"),
    [
        ("docker", (), "memory", 1, True),
        ("docker", (), "memory", None, False),
        ("docker", (), "swap", UNLIMITED, True),
        ("podman", (4, 3, 1), "memory", 1, False),
        ("podman", (5, 4, 2), "memory", 1, True),
        ("podman", (5, 4, 2), "restart", "no", True),
        ("podman", (5, 4, 2), "pids", None, True),
        ("podman", (5, 4, 2), "memory", None, False),
        ("podman", (5, 4, 2), "swap", None, True),
        ("podman", (5, 4, 2), "swap", UNLIMITED, False),
        ("podman", (), "memory", 1, False),
    ],
)
def test_what_changes_in_place(
    engine: str, version: tuple[int, ...], attribute: str, after: object, honoured: bool
) -> None:
    assert changes_in_place(engine, attribute, after, lambda: version) is honoured


def test_a_dollar_in_a_label_is_no_variable_of_podman_5(asked: Path) -> None:
    PodmanEngine(command=(str(asked),)).build(Build("FROM base\nARG e=1", "t:1", {"evt.a": '{"b": "$e"}'}))
    lines = Path(f"{asked}.file").read_text().splitlines()
    assert lines == ["FROM base", "ARG e=1", r'LABEL "evt.a"="{\"b\": \"\$e\"}"']
    assert "--label" not in Path(f"{asked}.argv").read_text()


def test_docker_takes_labels_as_options(asked: Path) -> None:
    WhalesEngine(command=(str(asked),)).build(Build("FROM base\n", "t:1", {"evt.a": "$e"}))
    assert Path(f"{asked}.file").read_text() == "FROM base\n"
    assert "--label\nevt.a=$e\n" in Path(f"{asked}.argv").read_text()


STORE = """
printf "%%s\\n" "$*" >> "$0.calls"
case "$1 $2" in
  "image inspect") echo '[{"Id": "sha256:a", "Metadata": {"LastTagTime": "2026-11-25T21:59:'$(%s)'Z"}}]' ;;
esac
"""
"""A stand-in for Docker; the moment that it tells is that of the last tag, or always the same."""


@pytest.mark.parametrize(
    ("seconds", "marked"),
    [
        ("echo 13.134689601", ["image tag envspec/python:1 envspec/python:1-used"]),
        ('grep -c "image tag" "$0.calls"', []),
    ],
    ids=["containerd store", "overlay2"],
)
def test_an_image_that_is_used_is_known_to_be(tmp_path: Path, seconds: str, marked: list[str]) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{STORE % seconds}")
    docker.chmod(0o755)
    WhalesEngine(command=(str(docker),)).mark_used(["envspec/python:1"])
    calls = Path(f"{docker}.calls").read_text().splitlines()
    assert "image tag envspec/python:1 envspec/python:1" in calls
    assert [call for call in calls if call.endswith("-used") and "tag" in call] == marked


def test_a_container_is_stopped_by_a_word_that_every_engine_has(asked: Path) -> None:
    asked.write_text('#!/bin/sh\nprintf "%s\\n" "$*" > "$0.argv"\n')
    WhalesEngine(command=(str(asked),)).stop("box", grace=3)
    assert Path(f"{asked}.argv").read_text() == "container stop -t 3 -- box\n"


def test_what_only_tells_that_an_image_was_used_is_no_reference_that_people_see() -> None:
    image = {"Id": "sha256:a", "RepoTags": ["envspec/python:1", "envspec/python:1-used", "envspec/python:2-used"]}
    (stored,) = inspect.stored_images([image], [], lambda _labels, _refs: True)
    assert stored.refs == ("envspec/python:1", "envspec/python:2-used")


def test_an_image_goes_with_the_reference_that_only_told_that_it_was_used(asked: Path) -> None:
    call = 'while [ "$1" != image ]; do shift; done; printf "%s\\n" "$*" >> "$0.calls"'
    asked.write_text(f'#!/bin/sh\n{call}; [ "$2" != inspect ] || echo "[]"\n')
    WhalesEngine(command=(str(asked),)).remove_image("envspec/python:1")
    assert Path(f"{asked}.calls").read_text().splitlines()[0] == "image rm envspec/python:1-used"


def test_a_build_has_no_attestation_that_would_change_its_id() -> None:
    assert Runner().run(["sh", "-c", "echo $BUILDX_NO_DEFAULT_ATTESTATIONS"], deadline=5).stdout == b"1\n"


def test_a_warning_of_old_cgroups_is_in_no_error() -> None:
    said = '[ -n "$PODMAN_IGNORE_CGROUPSV1_WARNING" ] || echo "Using cgroups-v1 which is deprecated" >&2; exit 1'
    assert Runner().run(["sh", "-c", said], deadline=5).stderr == b""


RUNNING = {
    "Id": "2f69d129f9a7",
    "Name": "/shop-workspace",
    "State": {"Status": "running"},
    "HostConfig": {"NetworkMode": "bridge"},
}
PORTS = {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}}


@pytest.mark.parametrize(
    ("mode", "networks", "expected"),
    [
        ("bridge", {}, True),
        ("shop", {"shop": {"NetworkID": "1", "EndpointID": "", "IPAddress": ""}}, True),
        ("bridge", {"bridge": {"NetworkID": "1", "EndpointID": "2"}}, False),
        ("bridge", {"podman": {"NetworkID": "podman", "EndpointID": "", "IPAddress": "10.88.0.2"}}, False),
        ("none", {}, False),
        ("container:abc", {}, False),
    ],
)
def test_a_container_without_an_endpoint_is_cut_off(mode: str, networks: dict[str, Any], expected: bool) -> None:
    told = {**RUNNING, "HostConfig": {"NetworkMode": mode}, "NetworkSettings": {"Networks": networks, "Ports": {}}}
    assert inspect.container(told).cut_off is expected


@pytest.mark.parametrize(
    ("version", "networks", "ports", "healed"),
    [
        ((29, 7, 2), {}, PORTS, True),
        ((28, 5, 2), {}, PORTS, False),
        ((29, 7, 2), {}, {}, False),
        ((28, 5, 2), {"bridge": {"NetworkID": "1", "EndpointID": ""}}, PORTS, True),
    ],
    ids=["29 forgot them", "disconnected by hand", "no port was asked for", "a place without an endpoint"],
)
def test_what_docker_29_started_without_a_network_is_started_again(
    version: tuple[int, ...], networks: dict[str, Any], ports: dict[str, Any], healed: bool
) -> None:
    host = {"NetworkMode": "bridge", **ports}
    box = inspect.container({**RUNNING, "HostConfig": host, "NetworkSettings": {"Networks": networks, "Ports": {}}})
    found = cut_off(box, Observed("shop", containers=(box,), version=lambda: version))
    assert bool(found) is healed
    assert found is None or (found.cause, found.path) == (Cause.ENGINE, "status")


PODMAN_6 = """[{"Id": "3f65e194b403", "Names": ["shop-workspace"], "State": "created", "Ports": null, "Networks": [],
"Labels": {"dev.envspec.env": "a,b", "x": "{\\"k\\": \\"v\\"}"}}]"""
"""What `ps --format json` of Podman 6.1.1 prints, shortened; in a template its labels are one text."""


def test_labels_of_podman_6_are_read_as_json() -> None:
    assert [(row.id, row.env) for row in PODMAN.read_containers(PODMAN_6)] == [("3f65e194b403", "a,b")]
    assert "json" in PODMAN.containers


NO_CGROUPS = """#!/bin/sh
echo 'time="2026-12-01T12:58:23Z" level=fatal msg="Cgroups v1 not supported"' >&2
exit 1
"""
"""Podman 6.1.1 where cgroups of version 1 are mounted, whatever it is asked."""


@pytest.mark.parametrize(
    "ask",
    [
        lambda engine: engine.networks(),
        lambda engine: engine.images(["u:1"]),
        lambda engine: engine.create_container("box", ContainerConfig("u:1"), {}),
        lambda engine: open_door("shop", engine.command),
        lambda engine: list(open_doors(engine.command)),
    ],
    ids=["list", "inspect", "create", "a door", "all doors"],
)
def test_podman_6_on_old_cgroups_says_what_to_do(tmp_path: Path, ask: Callable[[PodmanEngine], object]) -> None:
    podman = tmp_path / "podman"
    podman.write_text(NO_CGROUPS)
    podman.chmod(0o755)
    with pytest.raises(EngineNotReady, match="needs cgroups of version 2 alone") as caught:
        ask(PodmanEngine(command=(str(podman),)))
    assert (caught.value.code, "--engine docker" in str(caught.value.hint)) == ("engine.cgroups", True)
