"""Services beside the workspace: Compose makes them one by one, and each is compared attribute by attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envspec.engine.objects import ContainerState
from envspec.kinds import anonymous, names, service_steps
from envspec.kinds.adjustments import adjustments
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, spec_of
from envspec.kinds.limits import LIMITS, update_of
from envspec.kinds.service_state import Differences, ServiceSpec, boxes_of, compare, lost_volumes, reason
from envspec.kinds.service_steps import InPlace
from envspec.model import Action, Cause, Diff, Disruption, Resource, to_json
from envspec.steps.base import Step

CONFINEMENT = ("cap_add", "cap_drop", "init", "read_only", "security_opt")
"""Attributes of what a container may do, which take a new container."""


class Service(Kind[ServiceSpec]):
    """A service is made, mended in place where the engine honours that, made anew where not, and waited for."""

    name = "service"
    holds = True
    removed_first = True
    loses_work = False

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return the services that have a container, or left something on the shelf."""
        shelved = {f"service.{key.partition('/')[0]}" for key in world.shelved}
        return tuple(sorted({box.labels.get(names.ADDRESS, "") for box in world.services} - {""} | shelved))

    def actual(self, address: str, spec: ServiceSpec | None, world: Observed) -> Any:  # noqa: ARG002 - by address
        """Return containers, status, image, networks and limits; never the variables, which may be secret."""
        return [
            {
                "id": box.id,
                "name": box.name,
                "replaced": list(world.replaced_binds.get(box.id, ())),
                "status": "unhealthy" if box.health == "unhealthy" else box.status,
                "image": box.image_id,
                "networks": [[a.network, list(a.aliases)] for a in box.networks],
                "limits": {name: to_json(getattr(box.config, name)) for name in (*LIMITS, *CONFINEMENT)},
            }
            for box in boxes_of(address, world)
        ] or None

    def diff(self, resource: Resource, spec: ServiceSpec, world: Observed) -> Verdict | None:
        """Compare the service with its container; the harshest difference decides."""
        boxes = boxes_of(resource.address, world)
        if not boxes:
            return Verdict(Action.CREATE, f"there is no container of this service{spec.which}")
        found = compare(spec, world)
        diffs = found.stubborn + found.live
        why = reason(spec, diffs)
        if found.stubborn:
            return _replace(why, spec, world, diffs)
        if found.live:
            how = _in_place(spec, boxes[0], found)
            starts = how.restart or how.rebind
            return Verdict(Action.UPDATE, why, diffs, Disruption.RESTART if starts else Disruption.UPDATE, how=how)
        if boxes[0].health == "starting" or (spec.ends and boxes[0].running):
            return Verdict(Action.RUN, "wait until it has ended" if spec.ends else "wait until it is healthy")
        return None

    def affected(self, resource: Resource, spec: ServiceSpec, changed: Mapping[str, Verdict]) -> Verdict | None:  # noqa: ARG002 - the spec says all
        """Follow services that this one lives in, or that its document ties it to."""
        anew = (Action.CREATE, Action.REPLACE)
        if spec.shares in changed and changed[spec.shares].action in anew:
            return Verdict(Action.REPLACE, f"it lives in the network of {spec.shares}", (), Disruption.REPLACE)
        if others := [need for need in spec.volumes_from if need in changed and _changes_volumes(changed[need])]:
            return Verdict(Action.REPLACE, f"it mounts the volumes of {others[0]}", (), Disruption.REPLACE)
        ties = [need for need in spec.restarts_with if need in changed and changed[need].action is not Action.RUN]
        if not ties:
            return None
        diff = Diff("status", "running", f"restarted with {ties[0]}", Cause.ENGINE)
        how = InPlace(restart=True)
        return Verdict(Action.UPDATE, f"restart with {ties[0]}, as it asks", (diff,), Disruption.RESTART, how=how)

    def forced(self, resource: Resource, spec: ServiceSpec, world: Observed) -> Verdict:  # noqa: ARG002 - always
        """Make it anew."""
        return _replace("asked for with --replace", spec, world)

    def removal(self, address: str, world: Observed) -> Verdict | None:
        """Remove it with the volumes that nobody named; what is in those is lost."""
        boxes = boxes_of(address, world)
        lost = anonymous.lost_with(boxes, tuple(mount for box in boxes for mount in box.anonymous), world)
        return Verdict(Action.DELETE, "no longer wanted", disruption=Disruption.REPLACE, losses=lost)

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Make it, change it, wait for it, or remove it."""
        (item,) = work
        action = item.change.action
        if item.resource is None:
            return service_steps.remove(item.change.address, setting)
        spec = spec_of(item, ServiceSpec)
        if action in (Action.CREATE, Action.REPLACE):
            return service_steps.make(spec, setting, recreate=action is Action.REPLACE)
        if action is Action.UPDATE:
            return service_steps.change(spec, item.how, setting)
        return service_steps.wait(spec, setting)


def _in_place(spec: ServiceSpec, box: ContainerState, found: Differences) -> InPlace:
    """Return how a container is changed that stays."""
    joined = {attachment.network: attachment.network_id for attachment in box.networks}
    limits = update_of(spec.limits, {diff.path for diff in found.limits})
    return InPlace(
        adjustments(limits, joined, found.networks),
        restart=bool(found.status),
        rebind=bool(found.shelved),
    )


def _changes_volumes(verdict: Verdict) -> bool:
    """Say whether a container may have other volumes afterwards."""
    differs = any(diff.path in ("volumes", "image", "build") for diff in verdict.diff)
    return verdict.action is Action.CREATE or (verdict.action is Action.REPLACE and differs)


def _replace(why: str, spec: ServiceSpec, world: Observed, diffs: tuple[Diff, ...] = ()) -> Verdict:
    """Return the verdict of a replacement: volumes that nobody named are taken over, or lost."""
    gone = lost_volumes(spec, world)
    changed = any(diff.path in ("image", "build") for diff in diffs)
    stay = {*boxes_of(spec.address, world)[0].anonymous} - {*gone} if changed and not spec.volumes_from else set()
    notes = anonymous.hidden(spec.address, tuple(sorted(m for m in stay if m.target not in spec.unnamed)))
    return Verdict(Action.REPLACE, why, diffs, Disruption.REPLACE, anonymous.losses(gone), notes=notes)
