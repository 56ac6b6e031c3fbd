"""References by which containers keep their images, where the engine would not.

Docker's containerd image store drops an image with its last reference, although a container runs it: a rebuild under
the same name is enough. ``commit`` fails then, and the image is not found by its ID. So each container that is made of
such an image gets a reference of its own to it, named for the container's ID, which goes with the container.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envspec.engine.part import Part

REPOSITORY = "envspec/held"
"""Repository of these references."""

_SNAPSHOTTER = "overlayfs"
"""What Docker 26 calls the usual driver of the containerd store; that of its own store is ``overlay2``."""

_SHORT_ID = 12


def reference(container_id: str) -> str:
    """Return the reference by which a container keeps its image."""
    return f"{REPOSITORY}:{container_id[:_SHORT_ID]}"


def is_fleeting(image: Mapping[str, Any]) -> bool:
    """Say by its ``inspect`` whether an image must be kept: the store drops it, and it has a name that can be taken.

    One without a name is left alone: it would go with our reference, which is not ours to decide.
    """
    top = Part(image)
    driver = top.part("GraphDriver").text("Name")
    return (top.given("Descriptor") or driver == _SNAPSHOTTER) and top.given("RepoTags")


def may_hold(container: Mapping[str, Any]) -> bool:
    """Say by its ``inspect`` whether a container may have such a reference."""
    top = Part(container)
    return top.given("ImageManifestDescriptor") or top.text("Driver") == _SNAPSHOTTER


def keeps_alone(image: Mapping[str, Any], ref: str) -> bool:
    """Say by its ``inspect`` whether such references alone would keep an image once another one is removed.

    Without ours the engine would refuse that: a container uses the image.

    Args:
        image: What the engine tells of it.
        ref: The reference to remove.
    """
    tags = {str(tag) for tag in image.get("RepoTags") or ()}
    ours = {tag for tag in tags if tag.startswith(f"{REPOSITORY}:")}
    return bool(ours) and tags - ours <= {ref, f"{ref}:latest"}


def without_container(tags: Iterable[str], container_ids: Iterable[str]) -> list[str]:
    """Return the references whose containers are gone, sorted.

    Args:
        tags: Tags of all references of :data:`REPOSITORY`.
        container_ids: IDs of all containers.
    """
    living = {one[:_SHORT_ID] for one in container_ids}
    return sorted(reference(tag) for tag in {*tags} - living)
