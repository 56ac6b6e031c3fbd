"""Volumes that nobody named: those that an image's ``VOLUME`` or a service's own list makes beside a container.

They hold data like any other volume, and go with their container. :attr:`ContainerState.anonymous` is the one list of
them: what would be lost, what a replacement takes over, what a snapshot holds, and what is removed all come from here.

A replacement takes over what its image has a ``VOLUME`` for, at the same path; an image that is not here yet counts as
having none for a workspace, so that nothing goes unasked. One that a restore filled before there was a container waits,
labelled, for the container of its address.
"""

from __future__ import annotations

from envspec.engine.objects import ContainerState, ImageState, Mount, VolumeState
from envspec.kinds import names
from envspec.kinds.base import Observed
from envspec.model import Loss, LossKind

UNNAMED = "a volume without a name"
"""What is said of such a volume."""

KIND = "anonymous"
"""What the label ``kind`` says of a volume that waits for its container."""


def address_of(holder: str, path: str) -> str:
    """Return the address under which a snapshot, and a volume that waits, name such a volume.

    Args:
        holder: Address of the container: ``container.workspace``, ``service.db``.
        path: Where it is mounted.
    """
    return f"{holder}:{path}"


def kept(box: ContainerState, image: ImageState | None, taken: tuple[Mount, ...] = ()) -> tuple[Mount, ...]:
    """Return the volumes that a replacement of a container takes over.

    Args:
        box: The container as it is.
        image: The image of its replacement, ``None`` where that is not known.
        taken: What is mounted in the replacement anyway.
    """
    places = {*(image.volumes if image else ())} - {mount.target for mount in taken}
    return tuple(mount for mount in box.anonymous if mount.target in places)


def waiting(holder: str, world: Observed) -> tuple[Mount, ...]:
    """Return the volumes that a restore filled for a container that is not there yet."""
    prefix = address_of(holder, "")
    held = {mount.source for box in world.containers for mount in box.anonymous}
    found = (volume for volume in world.volumes if _waits(volume, world.env) and volume.name not in held)
    pairs = ((volume.labels.get(names.ADDRESS, ""), volume.name) for volume in found)
    return tuple(
        Mount(address.removeprefix(prefix), "volume", name) for address, name in pairs if address.startswith(prefix)
    )


def abandoned(world: Observed) -> tuple[str, ...]:
    """Return the names of the volumes that wait for a container, whichever."""
    held = {mount.source for box in world.containers for mount in box.anonymous}
    return tuple(volume.name for volume in world.volumes if _waits(volume, world.env) and volume.name not in held)


def lost_with(boxes: tuple[ContainerState, ...], gone: tuple[Mount, ...], world: Observed) -> tuple[Loss, ...]:
    """Return the data that goes with volumes of containers that end.

    A volume that several containers share (``volumes_from``) counts once, for the first of them.

    Args:
        boxes: The containers.
        gone: Those of their volumes that nothing takes over.
        world: What was observed.
    """
    mine = {box.id for box in boxes}

    def counts(mount: Mount) -> bool:
        holders = [box for box in world.containers if any(m.source == mount.source for m in box.anonymous)]
        return not holders or min(holders, key=lambda box: box.name).id in mine

    return losses(tuple(mount for mount in gone if counts(mount) and mount.source not in world.empty_volumes))


def losses(gone: tuple[Mount, ...]) -> tuple[Loss, ...]:
    """Return the data that goes with volumes."""
    paths = sorted({mount.target for mount in gone})
    return tuple(Loss(LossKind.UNNAMED_VOLUME, f"what is in {path}", UNNAMED) for path in paths)


def hidden(holder: str, mounts: tuple[Mount, ...]) -> tuple[str, ...]:
    """Return notes that another image's own content is not seen where a volume is taken over."""
    return tuple(
        f"{holder} keeps what is in {mount.target} ({UNNAMED}): what its new image has there is not seen"
        for mount in mounts
    )


def _waits(volume: VolumeState, env: str) -> bool:
    return volume.labels.get(names.ENV) == env and volume.labels.get(names.KIND) == KIND
