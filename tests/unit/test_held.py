"""How containers keep images that Docker's containerd store would drop."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from envspec.engine import held, inspect
from envspec.engine.objects import ContainerConfig
from envspec.engine.whales import WhalesEngine
from envspec.errors import EngineCallFailed

BOX = "2f69d129f9a77760a93077472dfb2625fbeef2d7873a6ca4489f6d6b96c89f86"
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> "$0.calls"
case "$*" in
  *"image inspect"*) echo '[IMAGE]' ;;
  *"container inspect"*) echo '[{"Id": "BOX", "Name": "/box", "Driver": "DRIVER"}]' ;;
  *"image ls"*) printf '%s\\n' SHORT 0123456789ab ;;
  *"ps --all"*|*"create --"*) echo BOX ;;
  *commit*) echo 'Error: NotFound: content digest sha256:16f3: not found' >&2; exit 1 ;;
esac
"""
CONTAINERD = '{"Id": "sha256:a", "RepoTags": ["u:1"], "Descriptor": {"digest": "sha256:a"}}'
OVERLAY2 = '{"Id": "sha256:a", "RepoTags": ["u:1"], "GraphDriver": {"Name": "overlay2"}}'


def engine(directory: Path, image: str = CONTAINERD, driver: str = "overlayfs") -> WhalesEngine:
    docker = directory / "docker"
    given = {"IMAGE": image, "DRIVER": driver, "BOX": BOX, "SHORT": BOX[:12]}
    docker.write_text(functools.reduce(lambda text, item: text.replace(*item), given.items(), DOCKER))
    docker.chmod(0o755)
    return WhalesEngine(command=(str(docker),))


def calls(directory: Path, word: str) -> list[str]:
    return [line for line in (directory / "docker.calls").read_text().splitlines() if line.startswith(word)]


@pytest.mark.parametrize(("image", "held_by"), [(CONTAINERD, [f"u:1 envspec/held:{BOX[:12]}"]), (OVERLAY2, [])])
def test_a_container_holds_an_image_that_the_store_would_drop(tmp_path: Path, image: str, held_by: list[str]) -> None:
    engine(tmp_path, image).create_container("box", ContainerConfig(image="u:1"), {})
    assert calls(tmp_path, "image tag") == [f"image tag {what}" for what in held_by]


@pytest.mark.parametrize(("driver", "gone"), [("overlayfs", 1), ("overlay2", 0)])
def test_its_reference_goes_with_the_container(tmp_path: Path, driver: str, gone: int) -> None:
    engine(tmp_path, driver=driver).remove_container(BOX)
    assert calls(tmp_path, "image rm") == [f"image rm envspec/held:{BOX[:12]}"] * gone


def test_only_references_of_containers_that_are_gone_are_released(tmp_path: Path) -> None:
    engine(tmp_path).release_images()
    assert calls(tmp_path, "image rm") == ["image rm -- envspec/held:0123456789ab"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({"RepoTags": ["u:1"], "GraphDriver": {"Data": None, "Name": "overlayfs"}}, True),
        ({"RepoTags": [], "Descriptor": {"digest": "sha256:a"}}, False),
        ({"RepoTags": ["u:1"], "GraphDriver": {"Name": "overlay"}}, False),
    ],
    ids=["Docker 26", "without a name", "Podman"],
)
def test_which_images_have_to_be_held(image: dict[str, Any], expected: bool) -> None:
    assert held.is_fleeting(image) is expected


def test_nobody_sees_such_a_reference() -> None:
    image = {"Id": "sha256:a", "RepoTags": ["envspec/python:1", f"envspec/held:{BOX[:12]}"]}
    (stored,) = inspect.stored_images([image], [], lambda _labels, _refs: True)
    assert stored.refs == ("envspec/python:1",)


def test_an_image_that_is_gone_is_named_as_the_cause(tmp_path: Path) -> None:
    with pytest.raises(EngineCallFailed, match="its own image is gone") as caught:
        engine(tmp_path).commit(BOX, "s:1", {})
    assert caught.value.code == "engine.image_gone"
    assert "--replace container.workspace" in caught.value.hint


OURS = held.reference("0123456789abcdef")


@pytest.mark.parametrize(
    ("tags", "alone"),
    [
        (["app:1", OURS], True),
        (["app:1", OURS, held.reference("f" * 64)], True),
        (["app:1", "app:2", OURS], False),
        (["app:1"], False),
        ([], False),
        (None, False),
    ],
)
def test_the_last_reference_of_a_users_image_is_told(tags: list[str] | None, alone: bool) -> None:
    assert held.keeps_alone({"RepoTags": tags}, "app:1") is alone


def test_a_reference_without_a_tag_is_the_latest() -> None:
    assert held.keeps_alone({"RepoTags": ["app:latest", OURS]}, "app")
