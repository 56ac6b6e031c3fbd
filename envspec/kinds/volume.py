"""Named volumes: what outlives the container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.engine.objects import VolumeState
from envspec.errors import Conflict, Where
from envspec.kinds import anonymous, loss, names
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, spec_of
from envspec.model import Action, Disruption, Loss, LossKind, Resource
from envspec.steps.base import Step, StepList
from envspec.steps.networks import CreateVolume, RemoveVolume

WORKSPACE_VOLUME = "volume.workspace"
"""Address of the volume that holds the workspace where no directory of the host is bound there."""


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A volume.

    Attributes:
        name: Name on the engine.
        target: Where the workspace has it mounted, "" where only services do.
        driver: Driver that makes it.
        options: What the driver is told, sorted.
    """

    name: str
    target: str
    driver: str = "local"
    options: tuple[tuple[str, str], ...] = ()


class Volume(Kind[VolumeSpec]):
    """Volumes are kept over every replace; removing one that holds something has to be allowed by name."""

    name = "volume"
    removed_last = True

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return the environment's volumes."""
        return tuple(sorted(address for volume in _ours(world) if (address := volume.labels.get(names.ADDRESS, ""))))

    def actual(self, address: str, spec: VolumeSpec | None, world: Observed) -> Any:
        """Return the driver of the volume."""
        name = spec.name if spec else _name(address, world)
        found = next((v for v in world.volumes if v.name == name), None)
        return {"driver": found.driver} if found else None

    def diff(self, resource: Resource, spec: VolumeSpec, world: Observed) -> Verdict | None:
        """Ask for the volume when it is missing.

        Raises:
            Conflict: A volume of the name exists and is not this environment's.
        """
        found = next((v for v in world.volumes if v.name == spec.name), None)
        if found is None:
            return Verdict(Action.CREATE, "there is no volume of this name")
        if found.labels.get(names.ENV) != world.env:
            raise Conflict(
                f"volume {spec.name} exists and is not this environment's",
                code="conflict.name",
                hint="choose another `name` for the environment or the volume, or remove that volume yourself",
                where=Where(address=resource.address),
            )
        return None

    def removal(self, address: str, world: Observed) -> Verdict | None:
        """Remove it; all that counts in a volume that the user named is lost, and the work in the workspace's."""
        name = _name(address, world)
        mounts = world.workspace.config.mounts if world.workspace else ()
        target = next((m.target for m in mounts if m.source == name), "")
        lost: tuple[Loss, ...] = ()
        if address == WORKSPACE_VOLUME:
            lost = (
                loss.below(target, world)
                if target
                else (Loss(LossKind.UNKNOWN, f"volume {name}", "no container shows what is in it"),)
            )
        elif target not in world.answer.hollow and name not in world.empty_volumes:
            lost = (Loss(LossKind.VOLUME, f"volume {name} and all that is in it"),)
        return Verdict(Action.DELETE, "no longer in the file", disruption=Disruption.REPLACE, losses=lost)

    def stays(self, address: str) -> bool:
        """Keep what the user named; the workspace's volume goes with its environment."""
        return address != WORKSPACE_VOLUME

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Create or remove the volume."""
        (item,) = work
        sequence = StepList(item.change.address)
        if item.change.action is Action.DELETE:
            sequence.then(RemoveVolume(_name(item.change.address, setting.world)), detail="removed")
            return tuple(sequence.steps)
        spec = spec_of(item, VolumeSpec)
        labels = names.labels(setting.env, self.name, item.change.address)
        sequence.then(CreateVolume(spec.name, labels, spec.driver, spec.options), detail="created")
        return tuple(sequence.steps)


def _ours(world: Observed) -> list[VolumeState]:
    """Return the environment's volumes but for those that are a container's, see :mod:`envspec.kinds.anonymous`."""
    ours = [volume for volume in world.volumes if volume.labels.get(names.ENV) == world.env]
    return [volume for volume in ours if volume.labels.get(names.KIND) != anonymous.KIND]


def _name(address: str, world: Observed) -> str:
    """Return the name on the engine of a volume that is ours: a document may have given it any."""
    found = next((v.name for v in _ours(world) if v.labels.get(names.ADDRESS) == address), "")
    return found or names.volume(world.env, address.split(".", 1)[1])
