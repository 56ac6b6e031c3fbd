"""The image that everything starts from: found locally, pulled from a registry, or bootstrapped from packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.engine.inspect import familiar
from envspec.errors import StepFailed, Where
from envspec.kinds import names
from envspec.kinds.base import Done, Kind, Observed, StepContext, Verdict, Work, spec_of
from envspec.kinds.standing import standing_of
from envspec.model import Action, Resource

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

    def apply(self, work: tuple[Work, ...], context: StepContext) -> Done:
        """Pull or bootstrap the image."""
        (item,) = work
        spec = spec_of(item, BaseImageSpec)
        if running := _running(spec, context.observed):
            context.engine.tag(running, spec.ref)
            return Done(f"tagged {spec.ref} again, from what runs")
        if spec.source == "registry":
            context.engine.pull(spec.ref, on_line=context.on_line, origin=spec.origin)
            return Done(f"pulled {spec.ref}")
        if spec.source == "bootstrap":
            labels = {names.KIND: self.name, names.FORMAT: "1"}
            sources = context.build_secrets.get(APT_LIST, b"")
            context.engine.bootstrap(spec.recipe, spec.ref, labels, on_line=context.on_line, sources=sources)
            return Done(f"bootstrapped {spec.ref}")
        raise StepFailed(
            f"image {spec.ref} is not on this engine",
            code="image.missing",
            hint="build or load it, or set `image_source: registry`",
            where=Where(address=item.change.address),
        )


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
