"""Apply and destroy: plan, ask, lock, do, and look again until nothing is left to do."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

import platformdirs

from envspec import host, policy
from envspec.api.causes import explainer
from envspec.api.connect import command_of
from envspec.api.lock import abandoned
from envspec.api.provision import provision
from envspec.api.provision import tools as versions_inside
from envspec.api.targets import Cancel, Confirm, Options, Target
from envspec.api.work import Look, look, without_wishes
from envspec.engine.base import Engine
from envspec.engine.inspect import is_shared
from envspec.engine.operations import Reap
from envspec.errors import Conflict, UsageError, Where
from envspec.events import Emit, Notice
from envspec.glance import Glance
from envspec.kinds import names
from envspec.kinds.base import is_service, workspace_of
from envspec.model import Action, Desired, Outcome, Plan, Report, Status

MAX_ROUNDS = 3
"""Looks at a world that a first round made visible: a container that had to be started shows its inside only then."""

SESSION_VARIABLE = "ENVSPEC_SESSION"
"""Names the session that environments are made in, where nothing else does."""

_ASKED = "the engine was asked what it sees of this host: going on with what binds it"
_INSIDE = "the inside can be seen now: going on with what differs there"
_IMAGES = ("base_image", "image")
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Doors:
    """How an apply speaks with its user.

    Attributes:
        emit: Takes events.
        confirm: Asks before something that exists is ended.
        cancel: Carries the user's wish to stop.
    """

    emit: Emit
    confirm: Confirm
    cancel: Cancel


@dataclass(frozen=True, slots=True)
class Held:
    """An environment's mutex that is held already.

    Attributes:
        stolen: Whether it was taken from somebody who died.
    """

    stolen: bool


def run(  # noqa: PLR0913 - the parts of one apply
    engine: Engine,
    target: Target,
    options: Options,
    doors: Doors,
    *,
    promised: Plan | None = None,
    begun: Glance | None = None,
    held: Held | None = None,
) -> Report:
    """Make the world what it shall be.

    Args:
        engine: The engine.
        target: What to work on.
        options: What the user asks beyond the spec.
        doors: How to speak with the user.
        promised: A saved plan: nothing else is done.
        begun: What was begun already of the first look.
        held: The environment's mutex where the caller holds it already.

    Raises:
        Refused: Something would be lost or ended that nobody allowed, or it would be one environment too many.
        Conflict: Somebody else works on the environment, or the world is no longer the one that was planned for.
    """
    started = time.monotonic()
    session_of(options)
    first = look(engine, target, options, judge=True, begun=begun)
    if promised:
        _check_promise(promised, first.plan)
    if first.plan.empty and not (first.world.locked and abandoned(engine, target.env)):
        return _report(first, (), started)
    _ask(first.plan, options, doors)
    new = bool(first.desired.resources) and not first.world.containers
    from envspec import executor  # noqa: PLC0415 - where nothing is to be done, nothing carries it out
    from envspec.api.room import claimed  # noqa: PLC0415 - a converged environment takes no place

    executor.prepare()
    with nullcontext(held.stolen) if held else claimed(engine, target.env, new=new) as stolen:
        if stolen:
            _reap(engine, first, doors)
        if stolen or engine.containers(target.env, _names(target.env)) != first.world.containers:
            first = _again(engine, target, options, first)
        report = _rounds(engine, target, options, doors, first, started)
        if shared := _shared(first):
            engine.mark_used(shared)
        return report


def _rounds(  # noqa: PLR0913, PLR0917 - the parts of one apply
    engine: Engine, target: Target, options: Options, doors: Doors, first: Look, started: float
) -> Report:
    """Do, look again, and go on while a first round made more visible."""
    from envspec import executor  # noqa: PLC0415 - where nothing is to be done, nothing carries it out

    outcomes: tuple[Outcome, ...] = ()
    tools: dict[str, str] = {}
    current, later = first, without_wishes(options)
    directory = platformdirs.user_state_path("envspec") / "logs" / target.env
    for number in range(MAX_ROUNDS):
        inputs = executor.Inputs(
            build_secrets=host.build_secrets(current.host, _base(current.desired)),
            ca_bundle=current.host.ca_bundle,
            marks={names.SESSION: session_of(options), names.RUN: options.runner},
            log_dir=directory / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f"),
            stopping=doors.cancel.event,
            explain=explainer(engine, current),
        )
        waiting = _waiting(current) if number == 0 else ()
        late = () if waiting else _late(current)
        done = executor.execute(current.planned.without(waiting or late), engine, inputs=inputs, emit=doors.emit)
        outcomes = _merged(outcomes, done)
        if not executor.converged(done):
            return _report(current, outcomes, started)
        with ThreadPoolExecutor(max_workers=1) as pool:  # tools say their versions while the world is looked at
            asked = pool.submit(_tools, engine, target.env) if _is_new(done) else None
            seen = look(engine, target, dataclasses.replace(later, replace=late), again=True)
            tools = asked.result() if asked else tools
        if seen.plan.empty or number + 1 == MAX_ROUNDS or doors.cancel.requested:
            return _report(seen, outcomes, started, image=first, tools=tools)
        _ask(seen.plan, options, doors)
        doors.emit(Notice(_ASKED if current.unasked else _INSIDE))
        current = seen
    raise AssertionError("the last round returns")


def _waiting(current: Look) -> tuple[str, ...]:
    """Return the addresses of all that waits for an image where the engine is yet to be asked what it sees with it."""
    others = tuple(change.address for change in current.plan.changes if change.kind not in _IMAGES)
    return others if current.unasked and len(others) < len(current.plan.changes) else ()


def _late(current: Look) -> tuple[str, ...]:
    """Return the address of the health check that what is inside may fail as it is.

    What is inside a workspace that does not run is compared only once it does. The check waits for what that brings: a
    repository, say, that an apply which was killed never cloned.
    """
    plan, world = current.plan, current.world
    starts = any(change.address == names.WORKSPACE and change.action is Action.UPDATE for change in plan.changes)
    if not starts or world.workspace is None or world.inside is not None:
        return ()
    return tuple(c.address for c in plan.changes if c.kind == "health" and c.action is Action.RUN)


def session_of(options: Options, environ: Mapping[str, str] = os.environ) -> str:
    """Return the session that new environments belong to, "" for none.

    Raises:
        UsageError: Its ID is none.
    """
    session = options.session or environ.get(SESSION_VARIABLE, "")
    if session and not _SESSION.fullmatch(session):
        raise UsageError(f"{session[:70]!r} is not a session ID", hint="use up to 64 letters, digits, `_`, `.` and `-`")
    return session


def _base(desired: Desired) -> str:
    """Return the reference of the base image that the workspace's image is built from, "" where none is."""
    image = desired.get("image.workspace")
    return str(image.spec.base) if image else ""


def _merged(before: tuple[Outcome, ...], after: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """Return one outcome an address, the latest."""
    found = {outcome.address: outcome for outcome in before}
    found.update({outcome.address: outcome for outcome in after})
    return tuple(found.values())


def _ask(plan: Plan, options: Options, doors: Doors) -> None:
    """Insist on every loss by name, and on a yes before something that exists is ended."""
    command = _command(plan.env, options)
    policy.refuse_losses(plan, options.allow_data_loss, ephemeral=options.ephemeral, command=command)
    if policy.wants_consent(plan) and not options.yes and not doors.confirm(plan):
        policy.refuse_without_consent(plan, command)


def _command(env: str, options: Options) -> str:
    """Return the command that does without a question what was asked for, "" where only its author knows all of it."""
    if options.command:
        return f"{options.command} --yes"
    return f"envspec destroy {env}{' --volumes' if options.volumes else ''} --yes" if options.destroy else ""


def _check_promise(promised: Plan, now: Plan) -> None:
    if (promised.fingerprint, promised.changes, promised.steps) == (now.fingerprint, now.changes, now.steps):
        return
    before, after = promised.observed, now.observed
    moved = sorted(a for a in before.keys() | after.keys() if before.get(a) != after.get(a))
    told = ", ".join(moved) or "what comes from this host, or the files beside the spec"
    raise Conflict(
        f"the world has moved since the plan was made: {told}",
        code="conflict.stale_plan",
        hint="plan again, and look at it",
        where=Where(address=moved[0] if moved else ""),
    )


def _shared(seen: Look) -> tuple[str, ...]:
    """Return the references of those images that environments share which this one had, or has now."""
    images, boxes = seen.world.images, seen.world.containers
    wanted = {ref: images.get(ref) for r in seen.desired.of_kind("image") for ref in (r.spec.ref, r.spec.base)}
    had = {box.config.image: images.get(box.image_id) for box in boxes if box.labels.get(names.ENV) == seen.plan.env}
    return tuple(sorted(ref for ref, image in (wanted | had).items() if image and is_shared(image.labels, (ref,))))


def _names(env: str) -> tuple[str, str]:
    return names.container(env), names.next_container(env)


def _again(engine: Engine, target: Target, options: Options, first: Look) -> Look:
    """Plan again under the lock, and insist that nothing worse came of it than what was agreed to."""
    seen = look(engine, target, options)
    agreed = {(c.address, c.action, c.data_loss) for c in (*policy.wants_consent(first.plan), *first.plan.losses)}
    worse = [
        c
        for c in (*policy.wants_consent(seen.plan), *seen.plan.losses)
        if (c.address, c.action, c.data_loss) not in agreed
    ]
    if worse and not options.yes:
        raise Conflict(
            f"while this waited, another process changed {worse[0].address}",
            code="conflict.stale_plan",
            hint="plan again, and look at it",
            where=Where(address=worse[0].address),
        )
    command = _command(seen.plan.env, options)
    policy.refuse_losses(seen.plan, options.allow_data_loss, ephemeral=options.ephemeral, command=command)
    return seen


def _reap(engine: Engine, first: Look, doors: Doors) -> None:
    """End what a killed apply left running, on this host and inside, so that it cannot race with this one."""
    doors.emit(Notice("an earlier apply was killed: taking its lock over"))
    engine.end_orphans(first.plan.env)
    for box in first.world.containers:
        if box.labels.get(names.ENV) == first.plan.env and box.running and not is_service(box):
            engine.perform(box.id, Reap())


def _is_new(done: tuple[Outcome, ...]) -> bool:
    """Say whether a round made the workspace, so that what is in it is news."""
    return any(o.address == names.WORKSPACE and o.action in (Action.CREATE, Action.REPLACE) for o in done)


def _tools(engine: Engine, env: str) -> dict[str, str]:
    """Return the versions of the tools in the workspace of an environment."""
    found = workspace_of(engine.containers(env), env)
    return versions_inside(engine, found) if found and found.running else {}


def _report(
    seen: Look,
    outcomes: tuple[Outcome, ...],
    started: float,
    *,
    image: Look | None = None,
    tools: Mapping[str, str] | None = None,
) -> Report:
    ok = all(outcome.status is Status.DONE for outcome in outcomes)
    remaining = tuple(change.address for change in seen.plan.changes) if ok else ()
    fetched = {outcome.address for outcome in outcomes if not outcome.cached}
    ref = _image(seen.desired)
    return Report(
        env=seen.plan.env,
        ok=ok and not remaining,
        outcomes=outcomes,
        seconds=round(time.monotonic() - started, 3),
        image=ref,
        image_cached=bool(ref) and not fetched & {"image.workspace", "base_image.workspace"},
        connect=command_of(seen.world, seen.desired) if ok and seen.desired.resources else "",
        remaining=remaining,
        notes=(image or seen).plan.notes,
        provision=provision(seen, tools or {}) if ok and seen.desired.resources else None,
    )


def _image(desired: Desired) -> str:
    resource = desired.get(names.WORKSPACE)
    return str(resource.spec.config.image) if resource else ""
