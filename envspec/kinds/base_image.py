"""The image that everything starts from: found locally, pulled from a registry, or bootstrapped from packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.errors import StepFailed, Where
from envspec.kinds import names
from envspec.kinds.base import Done, Kind, Observed, StepContext, Verdict, Work, spec_of
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
        built = world.images.get(spec.builds)
        if spec.ref in world.images or (built and built.labels.get(names.DIGEST) == spec.builds_digest):
            return None
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
