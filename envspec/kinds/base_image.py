"""The image that everything starts from: found locally, pulled from a registry, or bootstrapped from packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.engine.inspect import familiar
from envspec.kinds import names
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, spec_of
from envspec.kinds.standing import standing_of
from envspec.model import Action, Resource
from envspec.steps.base import Step, StepList, Verb
from envspec.steps.images import BootstrapImage, PullImage, RequireImage, TagImage

APT_LIST = "apt-list"
"""Id of the build secret with the sources of the host's mirror, where that has the packages of the base image."""


@dataclass(frozen=True, slots=True)
class BaseImageSpec:
    """A base image.

    Attributes:
        ref: Its reference.
        source: ``local``, ``registry`` or ``bootstrap``.
        recipe: How to bootstrap it, "" unless that is its source.
        builds: Reference of the image that is built from it; "" when the workspace runs it as it is.
        builds_digest: Digest that the built image must bear.
        origin: Reference at a mirror of its registry that it is pulled from, "" for its own.
    """

    ref: str
    source: str
    recipe: str = ""
    builds: str = ""
    builds_digest: str = ""
    origin: str = ""


class BaseImage(Kind[BaseImageSpec]):
    """Base images are shared by all environments: they are made when missing, and never removed with one."""

    name = "base_image"

    def existing(self, world: Observed) -> tuple[str, ...]:  # noqa: ARG002 - shared, so never one environment's
        """Return nothing: no environment owns a base image."""
        return ()

    def actual(self, address: str, spec: BaseImageSpec | None, world: Observed) -> Any:  # noqa: ARG002 - one per spec
        """Return the ID under the reference."""
        found = world.images.get(spec.ref) if spec else None
        return {"id": found.id} if found else None

    def diff(self, resource: Resource, spec: BaseImageSpec, world: Observed) -> Verdict | None:  # noqa: ARG002
        """Ask for the image when it is missing and something is to be made from it."""
        if spec.ref in world.images or _is_built(spec, world):
            return None
        if _running(spec, world):
            return Verdict(Action.CREATE, f"{spec.ref} is gone: the image that runs gets its name back")
        how = {
            "registry": f"pulled from {f'the mirror {spec.origin}' if spec.origin else 'its registry'}: {spec.ref}",
            "bootstrap": f"bootstrapped from the package mirror ({spec.recipe}): {spec.ref}",
            "local": f"{spec.ref} is not on this engine",
        }
        return Verdict(Action.CREATE, how[spec.source])

    def removal(self, address: str, world: Observed) -> Verdict | None:  # noqa: ARG002 - never
        """Leave it alone."""
        return None

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Give the image that runs its name back, else pull or bootstrap one."""
        (item,) = work
        spec = spec_of(item, BaseImageSpec)
        sequence = StepList(item.change.address)
        running = _running(spec, setting.world)
        sequence.then(_verb(spec, running), detail=f"tagged {spec.ref} again, from what runs" if running else "")
        return tuple(sequence.steps)


def _verb(spec: BaseImageSpec, running: str) -> Verb:
    if running:
        return TagImage(running, spec.ref)
    if spec.source == "registry":
        return PullImage(spec.ref, spec.origin)
    if spec.source == "bootstrap":
        labels = {names.KIND: BaseImage.name, names.FORMAT: "1"}
        return BootstrapImage(spec.recipe, spec.ref, labels, APT_LIST)
    return RequireImage(spec.ref)


def _is_built(spec: BaseImageSpec, world: Observed) -> bool:
    """Say whether what is built from it is there, though it may have lost its tag."""
    images = world.images.values() if spec.builds_digest else ()
    return any(
        image.labels.get(names.DIGEST) == spec.builds_digest and image.labels.get(names.KIND) == "image"
        for image in images
    )


def _running(spec: BaseImageSpec, world: Observed) -> str:
    """Return the ID of the image that a container of the environment runs under the reference, "" for none."""
    boxes = sorted(world.containers, key=lambda box: box.name)
    standing = (standing_of(box, world.images.get(box.image_id)) for box in boxes if box.image_id in world.images)
    same = (one.id for one in standing if familiar(one.ref) == familiar(spec.ref))
    return next((id for id in same if id in world.images), "")
