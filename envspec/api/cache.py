"""The images that environments share: what there is, how large, when last used, and clearing what nobody uses."""

from __future__ import annotations

from dataclasses import dataclass

from envspec.engine.base import Engine, Reader
from envspec.engine.objects import StoredImage
from envspec.errors import EngineCallFailed, UsageError
from envspec.kinds import names

BASES = "base"
"""Stands where a purpose's name would, for bootstrapped base images."""


@dataclass(frozen=True, slots=True)
class CachedImage:
    """One image that environments share.

    Attributes:
        ref: Its reference; of several, the first.
        id: Its ID.
        purpose: Name of its purpose, :data:`BASES` for a bootstrapped base image.
        size: Bytes, those of layers that it shares with others included.
        created: When it was built, in seconds since the epoch.
        last_used: When it was last used as far as the engine knows: :attr:`StoredImage.last_used`.
        last_used_by: Name of the newest container that exists of it, "" where there is none.
        used_by: Containers that run it, sorted.
    """

    ref: str
    id: str
    purpose: str
    size: int
    created: float
    last_used: float
    last_used_by: str = ""
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cleared:
    """What clearing brought.

    Attributes:
        removed: References that are gone.
        kept: Reference of each image that stays, with the reason.
        freed: Bytes of the images that are gone; layers that others still use count too, so it may be less.
    """

    removed: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    freed: int


def cached(reader: Reader) -> tuple[CachedImage, ...]:
    """Return the images of purposes and the bootstrapped bases, sorted by reference."""
    return tuple(map(_row, reader.stored_images()))


def clear(engine: Engine, purpose: str = "") -> Cleared:
    """Remove the images that no container uses, running or not, ours or not.

    Args:
        engine: The engine.
        purpose: Only the images of this purpose, or :data:`BASES`; "" for all.

    Raises:
        UsageError: There is no image of that purpose.
    """
    found = [image for image in engine.stored_images() if purpose in ("", _purpose(image))]
    if purpose and not found:
        known = sorted({_purpose(image) for image in engine.stored_images()})
        raise UsageError(
            f"there is no image of the purpose {purpose}",
            code="cache.unknown",
            hint=f"there are images of {', '.join(known)}"
            if known
            else "`envspec cache list` shows that there is none",
        )
    kept: list[tuple[str, str]] = []
    for image in found:
        why = _in_use(image) or remove(engine, image)
        if why:
            kept.append((image.refs[0], why))
    left = {image.id for image in engine.stored_images()}
    gone = [image for image in found if image.id not in left]
    return Cleared(
        removed=tuple(ref for image in gone for ref in image.refs),
        kept=tuple(kept),
        freed=sum(image.size for image in gone),
    )


def _row(image: StoredImage) -> CachedImage:
    newest = image.uses[-1] if image.uses else None
    return CachedImage(
        ref=image.refs[0],
        id=image.id,
        purpose=_purpose(image),
        size=image.size,
        created=image.created,
        last_used=image.last_used,
        last_used_by=newest.container if newest else "",
        used_by=tuple(sorted(use.container for use in image.uses)),
    )


def _purpose(image: StoredImage) -> str:
    return BASES if image.labels.get(names.KIND) == "base_image" else image.labels.get(names.PURPOSE, "")


def _in_use(image: StoredImage) -> str:
    users = sorted(use.container for use in image.uses)
    return f"used by {', '.join(users)}" if users else ""


def remove(engine: Engine, image: StoredImage) -> str:
    """Remove an image by all its references and return why it stays, "" when it is gone."""
    try:
        for ref in image.refs:
            engine.remove_image(ref)
    except EngineCallFailed as error:  # a container may have been made of it meanwhile; one that stays keeps no other
        return error.message
    return ""
