"""Where the image comes from: a local base, a registry, or the distribution's package mirror."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from envspec.engine.objects import ImageState
from envspec.errors import SpecError, Where
from envspec.frontmatter import Source
from envspec.kinds import names
from envspec.kinds.base_image import BaseImageSpec
from envspec.kinds.image import ImageSpec
from envspec.model import digest_of
from envspec.purposes import Catalogue, Purpose
from envspec.spec.models import Spec

HERE_ALREADY = "it is on this engine already"
"""Why a local base image is taken."""

OUT_OF_REACH = "no registry can be reached"
"""Why a base image is bootstrapped that nobody asked to be."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to come by the image.

    Attributes:
        source: ``registry`` or ``bootstrap``.
        base: Reference of the base image; "" when this way is closed.
        recipe: Recipe that bootstraps it, "" for a registry.
        image: The image to build from it, ``None`` when the workspace runs the base as it is.
        closed: Why this way is closed.
        differs: What is another version there than a registry gives by default, ``python is 3.13 instead of 3.12``.
    """

    source: Source
    base: str = ""
    recipe: str = ""
    image: ImageSpec | None = None
    closed: SpecError | None = None
    differs: tuple[str, ...] = ()

    @property
    def refs(self) -> tuple[str, ...]:
        """Return the references whose presence matters."""
        return tuple(ref for ref in (self.base, self.image.ref if self.image else "") if ref)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The way that is taken.

    Attributes:
        candidate: Which.
        source: ``local``, ``registry`` or ``bootstrap``: where the base image comes from if it has to come.
        note: Which base image and why, in words; "" when there was no choice.
        stands_in: What is another image or version than a registry would give, and why, in words; "" for nothing.
    """

    candidate: Candidate
    source: str
    note: str = ""
    stands_in: str = ""


def candidates(
    spec: Spec,
    catalogue: Catalogue,
    params_of: Callable[[Source], Mapping[str, str]] | None = None,
    where: Callable[..., Where] | None = None,
) -> tuple[Candidate, ...]:
    """Return all ways to come by the image, the preferred one first.

    Args:
        spec: The spec.
        catalogue: The purposes in reach.
        params_of: Returns the purpose's params for a source; by default those of the spec. A fault closes that way.
        where: Returns the place in the file of a value of the spec, for errors; by default they name the key alone.

    Raises:
        SpecError: The purpose or a param of it is faulty, on every way; all faults of the preferred one.
    """
    if spec.image is not None:
        return (Candidate("registry", base=spec.image),)
    assert spec.purpose is not None
    try:
        purpose = catalogue.get(spec.purpose.use)
    except SpecError as error:
        raise placed(error, where) from None
    ways: list[Candidate] = []
    sources: tuple[Source, ...] = ("registry", "bootstrap")
    for source in sources:
        try:
            params = params_of(source) if params_of else spec.purpose.params
            wish = purpose.base(params, source)
            text = purpose.render(params, source, wish.ref)
        except SpecError as error:
            ways.append(Candidate(source, closed=placed(error, where)))
            continue
        content = digest_of([text, wish.ref, wish.recipe])
        ref = f"envspec/{purpose.name}:{content[:12]}"
        image = ImageSpec(ref, purpose.name, text, wish.ref, content, purpose.heredoc(text))
        ways.append(Candidate(source, wish.ref, wish.recipe, image, differs=_differing(purpose, params, source)))
    if all(way.closed for way in ways):
        first = next((way for way in ways if way.source == spec.image_source), ways[0])
        raise first.closed or SpecError("the purpose is faulty")
    return tuple(ways)


def placed(error: SpecError, where: Callable[..., Where] | None) -> SpecError:
    """Return a fault that names a key of the spec with the key's place in the file.

    Args:
        error: One fault or several.
        where: Returns the place in the file of a value of the spec, ``None`` where there is no file.
    """
    for fault in error.every:
        if where is not None and fault.where.address and not fault.where.file:
            found = where(*fault.where.address.split("."))
            fault.where = found if found.file else fault.where
    return error


def choose(
    spec: Spec,
    ways: tuple[Candidate, ...],
    images: Mapping[str, ImageState],
    reachable: Callable[[], bool],
    where: Callable[..., Where] | None = None,
) -> Chosen:
    """Choose where the image comes from.

    ``auto`` takes what is local, then the registry, then bootstraps. The registry is asked only when nothing is local.

    Args:
        spec: The spec.
        ways: What :func:`candidates` returned.
        images: The local images among their references.
        reachable: Says whether the registry can be reached.
        where: Returns the place in the file of a value of the spec, for errors; by default they name the key alone.

    Raises:
        SpecError: The way that was asked for, or the only one that is left, is closed.
    """
    by_source = {way.source: way for way in ways}
    if spec.image is not None:
        asked = spec.image_source if spec.image_source != "auto" else "registry"
        if asked == "bootstrap":
            raise SpecError(
                "an `image` cannot be bootstrapped",
                code="spec.image_source",
                hint="use a `purpose`, or another `image_source`",
                where=where("image_source") if where else Where(address="image_source"),
            )
        return Chosen(ways[0], asked)
    registry = by_source["registry"]
    if spec.image_source in by_source:
        way = _open(by_source[spec.image_source])
        return _with_reason(way, registry, spec.image_source, "`image_source: bootstrap` asks for it")
    local = next((way for way in ways if _is_local(way, images)), None)
    if spec.image_source == "local":
        way = local or next(way for way in ways if not way.closed)
        return _with_reason(way, registry, "local", "`image_source: local` asks for what is on this engine")
    if local:
        return _with_reason(local, registry, local.source, HERE_ALREADY)
    if reachable():
        return Chosen(_open(registry), "registry", f"base image: {registry.base}, from its registry")
    return _with_reason(_open(by_source["bootstrap"]), registry, "bootstrap", OUT_OF_REACH)


def _with_reason(way: Candidate, registry: Candidate, source: str, why: str) -> Chosen:
    """Return a choice with its reason; one that gives something else than a registry would says what it is."""
    if way.source == "registry":
        return Chosen(way, source, f"base image: {way.base} ({why})" if why == HERE_ALREADY else "")
    instead = f" instead of {registry.base}" if registry.base else ""
    so = f", so {', '.join(way.differs)}" if way.differs else ""
    stands_in = f"{way.base}{instead}{so} ({why})"
    return Chosen(way, source, f"base image: {stands_in}", stands_in)


def _differing(purpose: Purpose, params: Mapping[str, str], source: Source) -> tuple[str, ...]:
    """Return what of a purpose has another version by default than it has from a registry."""
    return tuple(
        f"{purpose.name if name == 'version' else name} is {param.default_for(source)} instead of {usual}"
        for name, param in sorted(purpose.matter.params.items())
        if name not in params and param.default_for(source) != (usual := param.default_for("registry"))
    )


def base_image(chosen: Chosen, prefix: str = "") -> BaseImageSpec:
    """Return the base image of a choice, as a resource.

    Args:
        chosen: The choice.
        prefix: What stands before the names of Docker Hub's images where they are pulled, "" for nothing.
    """
    way = chosen.candidate
    built = (way.image.ref, way.image.content) if way.image else ("", "")
    recipe = way.recipe if chosen.source == "bootstrap" else ""
    return BaseImageSpec(way.base, chosen.source, recipe, *built, origin=mirrored(way.base, prefix))


def mirrored(ref: str, prefix: str) -> str:
    """Return where an image of Docker Hub is pulled from, "" for its own registry.

    An image of another registry has none, and neither has one that is named by its digest: what a mirror gives under
    its own name cannot be given that one.
    """
    first, slash, _ = ref.partition("/")
    elsewhere = slash and (first == "localhost" or any(character in first for character in ".:"))
    return "" if not prefix or elsewhere or "@" in ref else f"{prefix}/{ref}"


def _is_local(way: Candidate, images: Mapping[str, ImageState]) -> bool:
    """Say whether a way needs nothing from outside: its base is here, or what is built from it."""
    if way.closed:
        return False
    built = images.get(way.image.ref) if way.image else None
    is_built = built is not None and way.image is not None and built.labels.get(names.DIGEST) == way.image.content
    return way.base in images or is_built


def _open(way: Candidate) -> Candidate:
    if way.closed:
        raise way.closed
    return way
