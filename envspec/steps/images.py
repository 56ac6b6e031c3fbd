"""Steps that are one verb of the engine on an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from envspec.engine.objects import Build
from envspec.errors import StepFailed, Where
from envspec.steps.base import Done, Run, Verb


@dataclass(frozen=True, slots=True)
class PullImage(Verb):
    """Pull an image, perhaps from a mirror of its registry."""

    ref: str
    origin: str = ""

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"pull {self.ref}" + (f" from {self.origin}" if self.origin else "")

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.pull(self.ref, on_line=run.on_line, origin=self.origin)
        return Done(f"pulled {self.ref}")


@dataclass(frozen=True, slots=True)
class BootstrapImage(Verb):
    """Create a base image from packages; ``sources`` is the ID of the build secret that says where they are."""

    recipe: str
    ref: str
    labels: Mapping[str, str]
    sources: str = ""

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"bootstrap {self.ref} from packages ({self.recipe})"

    def run(self, run: Run) -> Done:
        """Do it."""
        sources = run.build_secrets.get(self.sources, b"")
        run.engine.bootstrap(self.recipe, self.ref, self.labels, on_line=run.on_line, sources=sources)
        return Done(f"bootstrapped {self.ref}")


@dataclass(frozen=True, slots=True)
class RequireImage(Verb):
    """Insist that an image is there."""

    ref: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"require {self.ref}, which only this engine could have"

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: The image is not there.
        """
        if self.ref in run.engine.images((self.ref,)):
            return Done(f"found {self.ref}", cached=True)
        raise StepFailed(
            f"image {self.ref} is not on this engine",
            code="image.missing",
            hint="build or load it, or set `image_source: registry`",
            where=Where(address=run.address),
        )


@dataclass(frozen=True, slots=True)
class TagImage(Verb):
    """Give an image that is there a reference."""

    image_id: str
    ref: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"tag {self.image_id.removeprefix('sha256:')[:12]} as {self.ref}"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.tag(self.image_id, self.ref)
        return Done(cached=True)


@dataclass(frozen=True, slots=True)
class BuildImage(Verb):
    """Build an image on a base image, whose ID becomes a label.

    Attributes:
        dockerfile: The Dockerfile.
        ref: Reference to give.
        base: Reference of the base image.
        base_label: Name of the label that holds the base image's ID.
        labels: Other labels.
        no_cache: Whether everything is built afresh.
    """

    dockerfile: str
    ref: str
    base: str
    base_label: str
    labels: Mapping[str, str]
    no_cache: bool = False

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"build {self.ref} from {self.base}" + (" without the cache" if self.no_cache else "")

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: The base image is gone.
        """
        base = run.engine.images((self.base,)).get(self.base)
        if base is None:
            raise StepFailed(
                f"base image {self.base} is gone",
                code="image.missing",
                hint="apply again: the base image is built again",
                where=Where(address=run.address),
            )
        labels = {**self.labels, self.base_label: base.id}
        build = Build(self.dockerfile, self.ref, labels, run.build_secrets, no_cache=self.no_cache)
        run.engine.build(build, on_line=run.on_line)
        return Done(f"built {self.ref}")
