"""The image of a purpose: built once for all environments that ask for the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.engine.objects import ImageState
from envspec.kinds import names
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, spec_of
from envspec.model import Action, Cause, Diff, Disruption, Resource
from envspec.steps.base import Step, StepList
from envspec.steps.images import BuildImage, TagImage


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """An image to build.

    Attributes:
        ref: ``envspec/<purpose>:<digest12>``.
        purpose: Name of the purpose.
        dockerfile: The rendered Dockerfile.
        base: Reference of the base image.
        content: Digest of all that goes into it; the image bears it as a label.
        heredoc: File and line of the purpose where it has a here-document, none where it has none.
    """

    ref: str
    purpose: str
    dockerfile: str
    base: str
    content: str
    heredoc: tuple[str, int] | None = None


class Image(Kind[ImageSpec]):
    """Images are shared by all environments with the same digest, and never removed with one."""

    name = "image"

    def existing(self, world: Observed) -> tuple[str, ...]:  # noqa: ARG002 - shared, so never one environment's
        """Return nothing: no environment owns an image."""
        return ()

    def actual(self, address: str, spec: ImageSpec | None, world: Observed) -> Any:  # noqa: ARG002 - one per spec
        """Return the ID under the reference."""
        found = world.images.get(spec.ref) if spec else None
        return {"id": found.id} if found else None

    def diff(self, resource: Resource, spec: ImageSpec, world: Observed) -> Verdict | None:  # noqa: ARG002
        """Ask for a build when the image is missing, is another one, or stands on a base that has moved."""
        found = world.images.get(spec.ref)
        if found is None and any(is_current(image, spec, world) for image in world.images.values()):
            return Verdict(Action.CREATE, f"{spec.ref} is gone: the image that runs gets its name back")
        if found is None:
            return Verdict(Action.CREATE, f"no image {spec.ref} yet: built from {spec.base}")
        if found.labels.get(names.DIGEST) != spec.content:
            moved = Diff("id", found.id, None, Cause.DRIFT)
            return Verdict(Action.UPDATE, f"the tag {spec.ref} was moved to another image", (moved,), Disruption.NONE)
        if not is_current(found, spec, world):
            base = world.images[spec.base].id
            diff = Diff("base", found.labels.get(names.BASE), base, Cause.DRIFT)
            return Verdict(Action.UPDATE, f"the base image {spec.base} has changed", (diff,), Disruption.NONE)
        return None

    def removal(self, address: str, world: Observed) -> Verdict | None:  # noqa: ARG002 - never
        """Leave it alone."""
        return None

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Give the tag back to the image that had it when that still exists, else build."""
        (item,) = work
        spec, world = spec_of(item, ImageSpec), setting.world
        sequence = StepList(item.change.address)
        kept = next((image for image in world.images.values() if is_current(image, spec, world)), None)
        if kept and not setting.no_cache:
            sequence.then(TagImage(kept.id, spec.ref), detail=f"tagged {spec.ref} again, from the cache")
            return tuple(sequence.steps)
        labels = {
            names.KIND: self.name,
            names.FORMAT: "1",
            names.PURPOSE: spec.purpose,
            names.DIGEST: spec.content,
        }
        sequence.then(BuildImage(spec.dockerfile, spec.ref, spec.base, names.BASE, labels, setting.no_cache))
        return tuple(sequence.steps)


def is_current(image: ImageState, spec: ImageSpec, world: Observed) -> bool:
    """Say whether an image is the one that a spec asks for, built from the base that is there now.

    A snapshot of a container of that image inherits what it was built from, and is no image for others.
    """
    if image.labels.get(names.DIGEST) != spec.content or image.labels.get(names.KIND) != Image.name:
        return False
    base = world.images.get(spec.base)
    return base is None or image.labels.get(names.BASE) == base.id
