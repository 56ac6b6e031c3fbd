"""Services beside the workspace: Compose makes them one by one, and each is compared attribute by attribute."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from envspec.engine.inspect import familiar
from envspec.engine.objects import ContainerState, Limits, Mount
from envspec.engine.stack import ComposeUp
from envspec.errors import EngineCallFailed, Interrupted, StepFailed, Where
from envspec.kinds import anonymous, names, returns
from envspec.kinds.base import Done, Kind, Observed, StepContext, Verdict, Work, spec_of
from envspec.kinds.limits import LIMITS, update_of
from envspec.kinds.service_state import (
    SHELVED,
    ServiceSpec,
    base_of,
    boxes_of,
    built_name,
    compare,
    in_words,
    key_of,
    lost_volumes,
    reason,
    state_of,
)
from envspec.model import Action, Cause, Diff, Disruption, Hidden, Resource, to_json
from envspec.secrets import new_key

POLL = 0.25
"""Seconds between two looks at a service that is not ready yet."""

LOG_LINES = 20
"""Lines of a failed service that its error shows."""

CONFINEMENT = ("cap_add", "cap_drop", "init", "read_only", "security_opt")
"""Attributes of what a container may do, which take a new container."""


class Service(Kind[ServiceSpec]):
    """A service is made, mended in place where the engine honours that, made anew where not, and waited for."""

    name = "service"

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
            starts = any(diff.path == "status" or diff.path.startswith(SHELVED) for diff in found.live)
            return Verdict(Action.UPDATE, why, diffs, Disruption.RESTART if starts else Disruption.UPDATE)
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
        return Verdict(Action.UPDATE, f"restart with {ties[0]}, as it asks", (diff,), Disruption.RESTART)

    def forced(self, resource: Resource, spec: ServiceSpec, world: Observed) -> Verdict:  # noqa: ARG002 - always
        """Make it anew."""
        return _replace("asked for with --replace", spec, world)

    def removal(self, address: str, world: Observed) -> Verdict | None:
        """Remove it with the volumes that nobody named; what is in those is lost."""
        boxes = boxes_of(address, world)
        lost = anonymous.lost_with(boxes, tuple(mount for box in boxes for mount in box.anonymous), world)
        return Verdict(Action.DELETE, "no longer wanted", disruption=Disruption.REPLACE, data_loss=lost)

    def apply(self, work: tuple[Work, ...], context: StepContext) -> Done:
        """Make, mend, wait for, or remove the service."""
        (item,) = work
        address, action = item.change.address, item.change.action
        boxes = boxes_of(address, context.observed)
        if action is Action.DELETE:
            for box in boxes:
                context.engine.remove_container(box.id)
            _shelve(address, {}, (), context)
            return Done(_forget_image(address, boxes, context))
        spec, left = spec_of(item, ServiceSpec), ""
        if action in (Action.CREATE, Action.REPLACE):
            _tidy(spec, boxes, context)
            _shelve(address, dict(spec.shelved), boxes, context)
            _keep_image(spec, boxes, context)
            _bring_up(item, spec, context)
            left = _drop_volumes(spec, boxes, context)
        elif action is Action.UPDATE:
            _mend(item, spec, boxes, context)
        # What was paused could not answer its health check, and is unhealthy until it is asked again.
        woken = action is Action.UPDATE and boxes[0].status == "paused"
        return Done(_await(spec, context, patient=woken) + left)


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
    return Verdict(Action.REPLACE, why, diffs, Disruption.REPLACE, anonymous.told(gone), notes=notes)


def _drop_volumes(spec: ServiceSpec, boxes: tuple[ContainerState, ...], context: StepContext) -> str:
    """Remove the volumes that the plan said would be lost; say where those are that went out of use beyond it."""
    had = {mount.source: mount for box in boxes for mount in box.anonymous}
    if not had:
        return ""
    now = context.engine.containers(context.env)
    used = {mount.source for box in now for mount in box.anonymous}
    agreed = {mount.source for mount in (*lost_volumes(spec, context.observed), *_lost_by_lenders(spec, now, context))}
    for name in sorted(had.keys() & agreed - used):
        context.engine.remove_volume(name)
    kept = [
        f"what was in {had[name].target} is kept in the volume {name}" for name in sorted(had.keys() - agreed - used)
    ]
    return "".join(f"; {text}" for text in kept)


def _lost_by_lenders(spec: ServiceSpec, now: tuple[ContainerState, ...], context: StepContext) -> Iterator[Mount]:
    """Yield what services had whose volumes this one mounts, where the plan knew the images that they have now."""
    known = {image.id for image in context.observed.images.values()}
    for address in spec.volumes_from:
        lender = next((box for box in now if box.labels.get(names.ADDRESS) == address), None)
        if lender and lender.image_id in known:
            yield from (mount for box in boxes_of(address, context.observed) for mount in box.anonymous)


def _with_waiting(service: dict[str, Any], document: dict[str, Any], spec: ServiceSpec, world: Observed) -> None:
    """Let a service that is made mount the volumes that a restore filled for it."""
    for number, mount in enumerate(anonymous.waiting(spec.address, world)):
        key = f"envspec-restored-{number}"
        document.setdefault("volumes", {})[key] = {"name": mount.source, "external": True}
        others = [item for item in service.get("volumes") or () if item.get("target") != mount.target]
        service["volumes"] = [*others, {"type": "volume", "source": key, "target": mount.target.replace("$", "$$")}]


def _tidy(spec: ServiceSpec, boxes: tuple[ContainerState, ...], context: StepContext) -> None:
    """Leave one container under the proper name, whatever a killed Compose left."""
    for box in boxes[1:]:
        context.engine.remove_container(box.id)
    if boxes and boxes[0].name != spec.container:
        context.engine.rename(boxes[0].id, spec.container)


def _shelve(address: str, files: Mapping[str, Hidden], boxes: tuple[ContainerState, ...], context: StepContext) -> None:
    """Let the shelf hold what a service shall bind.

    Containers that bind something else are stopped before: killed in between, no service goes on with what was, for
    a start binds what lies there then.
    """
    service = address.removeprefix("service.")
    prefix = f"{service}/"
    there = {key.removeprefix(prefix): v for key, v in context.observed.shelved.items() if key.startswith(prefix)}
    if there == files:
        return
    for box in boxes:
        context.engine.stop(box.id)
    context.engine.shelve(context.env, service, files)


def _forget_image(address: str, boxes: tuple[ContainerState, ...], context: StepContext) -> str:
    """Remove the image that was built for a service which is gone, and say so; one with a name of its own stays."""
    own = familiar(built_name(context.env, base_of(address.removeprefix("service."))))
    built = [box for box in boxes if familiar(box.config.image) == own]
    labels = [context.observed.images[box.image_id].labels for box in built if box.image_id in context.observed.images]
    still = any(familiar(box.config.image) == own for box in context.engine.containers(context.env))
    if still or not any(names.DIGEST in found for found in labels):
        return "removed"
    try:
        context.engine.remove_image(built[0].config.image)
    except EngineCallFailed as error:
        return f"removed; its image stays: {error.message}"
    return "removed with its image"


def _keep_image(spec: ServiceSpec, boxes: tuple[ContainerState, ...], context: StepContext) -> None:
    """Give an image that lost its reference the one back that its container was made by: no registry is needed."""
    if spec.content or spec.image in context.observed.images:
        return
    for box in boxes:
        if familiar(box.config.image) == familiar(spec.image) and box.image_id in context.observed.images:
            context.engine.tag(box.image_id, spec.image)


def _bring_up(item: Work, spec: ServiceSpec, context: StepContext) -> None:
    document = json.loads(spec.document.text)
    labels = {
        **names.labels(context.env, Service.name, spec.address),
        names.ORIGIN: context.origin,
        names.SETTINGS: spec.noted(new_key()),
    }
    service = document["services"][key_of(spec.name)]
    own = {key: value.replace("$", "$$") for key, value in labels.items()}
    service["labels"] = {**(service.get("labels") or {}), **own}
    if item.change.action is Action.CREATE:
        _with_waiting(service, document, spec, context.observed)
    image = context.engine.images((spec.image,)).get(spec.image) if spec.content else None
    up = ComposeUp(
        project=context.env,
        directory=spec.directory,
        document=json.dumps(document),
        service=key_of(spec.name),
        recreate=item.change.action is Action.REPLACE,
        build=bool(spec.content) and (image is None or image.labels.get(names.DIGEST) != spec.content),
    )
    printed: deque[str] = deque(maxlen=LOG_LINES)

    def heard(line: str) -> None:
        printed.append(line)
        context.on_line(line)

    try:
        context.engine.compose_up(up, heard)
    except EngineCallFailed as error:
        told = _last_words(spec, context) or (_lines(printed) if up.build else "")
        raise StepFailed(
            f"{error.message}{told}",
            code="service.failed",
            hint="fix the error shown above, then apply again",
            where=Where(address=spec.address),
        ) from None


def _mend(item: Work, spec: ServiceSpec, boxes: tuple[ContainerState, ...], context: StepContext) -> None:
    """Do what needs no new container, in an order in which each can work."""
    engine, box = context.engine, boxes[0]
    wanted = {diff.path: diff.after for diff in item.change.diff}
    _tidy(spec, boxes, context)
    limits = update_of(spec.limits, wanted)
    if limits != Limits():
        engine.update(box.id, limits)
    joined = {attachment.network: attachment.network_id for attachment in box.networks}
    for path in sorted(path for path in wanted if path.startswith("networks.")):
        network = path.removeprefix("networks.")
        if network in joined:
            engine.disconnect(joined[network], box.id)
        if wanted[path] is not None:
            engine.connect(context.network_id(network), box.id, (spec.container, *wanted[path]))
    _shelve(spec.address, dict(spec.shelved), boxes, context)
    bound = any(path.startswith(SHELVED) for path in wanted)
    if box.status == "paused" and not bound:
        engine.unpause(box.id)
    elif "status" in wanted or bound:
        engine.stop(box.id)
        engine.start(box.id)


def _await(spec: ServiceSpec, context: StepContext, *, patient: bool) -> str:
    """Wait until the service is as it shall be, and return how it is; ``patient`` where it may be unhealthy at first.

    Raises:
        StepFailed: It became unhealthy, ended, or took too long; with its last lines.
        Interrupted: The user asked to stop.
    """
    until = time.monotonic() + spec.patience
    while True:
        box = _now(spec, context)
        state = (box.health or box.status) if box and box.running else box.status if box else "gone"
        if box and (spec.ends or spec.may_end) and state == "exited" and box.exit_code == 0:
            return "ended with 0"
        if box and not spec.ends and (state == "healthy" or (box.running and not box.health)):
            return state
        pending = ("starting", "running", "restarting", *(["unhealthy"] if patient else []))
        if state not in pending or time.monotonic() > until:
            late = f" after {spec.patience:g} s" if time.monotonic() > until else ""
            how = state_of(box) if box and not box.running else state
            ended = f'; if it is meant to end, write `restart: "no"` for {spec.name}' if how == "exited with 0" else ""
            said = _last_words(spec, context)
            more = f"`envspec logs {context.env} {spec.name}` shows more; fix the cause, then apply again{ended}"
            raise StepFailed(
                f"{spec.name} {in_words(how)}{late}{said}",
                code="service.unhealthy",
                hint=returns.hint(said) or more,
                where=Where(address=spec.address),
            )
        if box and box.running and box.health:
            context.engine.check_health(box.id)
        if context.stopping.wait(POLL):
            raise Interrupted("interrupted while waiting for a service", where=Where(address=spec.address))


def _now(spec: ServiceSpec, context: StepContext) -> ContainerState | None:
    found = context.engine.containers(context.env)
    return next((box for box in found if box.labels.get(names.ADDRESS) == spec.address), None)


def _last_words(spec: ServiceSpec, context: StepContext) -> str:
    box = _now(spec, context)
    said = context.engine.logs(box.id, LOG_LINES) if box else ""
    return _lines(said.splitlines())


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"\n{line}" for line in lines)
