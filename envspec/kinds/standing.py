"""Which image a container stands for, that runs another one because a snapshot was restored.

Two labels have to agree before anything is believed. The snapshot's image says which image it was made on
(:data:`envspec.kinds.names.STANDS_FOR`), and the container says that it was made by a restore, and from exactly the
image that it runs (:data:`envspec.kinds.names.RESTORED`). An image that is built upon a snapshot inherits its labels,
but has another ID; a container that is made of a snapshot's image by hand has no such word: both stand for themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from envspec.engine.objects import ContainerState, ImageState
from envspec.errors import Conflict, Where
from envspec.kinds import names
from envspec.kinds.base import Observed


@dataclass(frozen=True, slots=True)
class Standing:
    """An image: its reference and its ID."""

    ref: str
    id: str


def standing_of(box: ContainerState, image: ImageState | None) -> Standing:
    """Return the image that a container stands for.

    Args:
        box: The container.
        image: The image that it runs, ``None`` when the engine has it no more.
    """
    restored = box.labels.get(names.RESTORED, "")
    if image is None or not restored or restored != box.image_id or not image.labels.get(names.STANDS_FOR):
        return Standing(box.config.image, box.image_id)
    return Standing(image.labels.get(names.STANDS_FOR_REF, ""), image.labels[names.STANDS_FOR])


def refuse_unread(world: Observed) -> None:
    """Insist that every container of the environment can be read: what is not known must not be changed or removed.

    Raises:
        Conflict: The engine describes one in a way that is not understood.
    """
    for box in world.containers:
        if box.unread and box.labels.get(names.ENV) == world.env:
            raise Conflict(
                f"the engine's description of the container {box.name} cannot be read: {', '.join(box.unread)}",
                code="engine.unreadable",
                hint=f"look with `{world.engine} inspect {box.name}`; if nothing in it is needed, remove it with "
                f"`{world.engine} rm --force {box.name}`",
                where=Where(address=box.labels.get(names.ADDRESS, box.name)),
            )


def refuse_half_restored(world: Observed) -> None:
    """Insist that no restore stopped half-way, whose volumes an apply would take for whole.

    Raises:
        Conflict: One did.
    """
    for box in world.containers:
        if box.labels.get(names.KIND) == names.RESTORING and box.labels.get(names.ENV) == world.env:
            raise Conflict(
                f"the snapshot {box.labels.get(names.SNAPSHOT, '')} was only half restored here",
                code="conflict.restoring",
                hint="run the same `envspec restore` again, or `envspec destroy` what there is",
                where=Where(address=names.WORKSPACE),
            )
