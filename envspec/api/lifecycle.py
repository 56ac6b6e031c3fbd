"""How environments end that were not made to stay: with their session, when they expire, or when their maker died."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from envspec.api import cache
from envspec.api.converge import Doors, run
from envspec.api.inventory import EnvironmentRow, environments
from envspec.api.lock import abandoned, has_died, is_dead, locked, owner
from envspec.api.targets import Options, Target
from envspec.api.work import look
from envspec.engine.archive_client import COMMIT_DEADLINE
from envspec.engine.base import Engine
from envspec.engine.facts import Answer, Questions
from envspec.engine.objects import ContainerState
from envspec.errors import EngineCallFailed, EnvspecError
from envspec.events import Notice
from envspec.inside.snapshot_manifest import BOX, MANIFEST, VOLUMES, ref_of
from envspec.kinds import names
from envspec.kinds.base import is_helper, is_service, workspace_of
from envspec.kinds.container import ASLEEP
from envspec.kinds.lease import expiry
from envspec.kinds.ownership import user_of
from envspec.model import Report, Status
from envspec.spec.load import Loaded

PERSISTENT = "it is persistent"
"""Why an environment stays that outlives its session."""


RUN_MUTEX = ".run"
"""Ends the name of the mutex that proves that an ``envspec run`` lives; no environment has a dot in its name."""

SNAPSHOT_TIME = 2 * COMMIT_DEADLINE
"""Seconds that nobody needs who is still making a snapshot of images that are there already."""

RUN_NAME = 29
"""Letters that the name of an environment for one run takes of its spec's: 40 with its ending."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of one thing that was to end.

    Attributes:
        name: Name of the environment, container or image.
        why: Why it was to end.
        gone: Whether it is gone.
        kept: Why it is not, "" when it is, or would be.
        freed: Bytes that went with it; 0 where the engine does not say.
        lost: What went with it that no file declares: files, running jobs, data in volumes that nobody named.
    """

    name: str
    why: str
    gone: bool
    kept: str = ""
    freed: int = 0
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How environments shall end.

    Attributes:
        volumes: Whether the volumes that the spec named go too.
        allow_data_loss: Names of environments that may lose whatever is in them.
        dry_run: Whether to say only what would go.
        only: Names of the environments that are looked at; none for all of them, and for images.
        images_after: Seconds after which an image that nobody uses goes, counted from its last use; on Podman, which
            remembers none, from when it was built.
    """

    volumes: bool = False
    allow_data_loss: tuple[str, ...] = ()
    dry_run: bool = False
    only: tuple[str, ...] = ()
    images_after: float = 30 * 86400.0


def end_session(engine: Engine, session: str, ending: Ending, doors: Doors) -> tuple[Ended, ...]:
    """Destroy the environments that a session made, save those that are persistent.

    Files that nobody declared and running jobs go with them; uncommitted or unpushed work keeps an environment.

    Args:
        engine: The engine.
        session: ID of the session.
        ending: How they shall end.
        doors: How to speak with the user.
    """
    found = [row for row in environments(engine) if row.session == session]
    stay = [Ended(row.name, "session", gone=False, kept=PERSISTENT) for row in found if row.persistent]
    return (*stay, *(end(engine, row.name, "session", ending, doors) for row in found if not row.persistent))


def collect(engine: Engine, ending: Ending, doors: Doors) -> tuple[Ended, ...]:
    """Remove what nobody wants any more: expired environments, and what was left half-way.

    That is environments whose ``ttl`` has passed or whose ``envspec run`` died, services whose workspace is missing,
    workspaces that never started, the remains of interrupted replaces, mutexes of applies that died, and images of
    ours that no container uses.

    Args:
        engine: The engine.
        ending: How they shall end.
        doors: How to speak with the user.
    """
    boxes = engine.containers()
    mutexes = [env for env in engine.locked_envs() if _asked(env.partition(".")[0], ending) and abandoned(engine, env)]
    runs = [env for env in mutexes if env.endswith(RUN_MUTEX)]
    found = [_free(engine, env, ending) for env in mutexes if env not in runs]
    for row in (row for row in environments(engine) if _asked(row.name, ending)):
        ours = [box for box in boxes if box.labels.get(names.ENV) == row.name and not is_service(box)]
        try:
            why = _unwanted(engine, row, ours, ending)
        except EnvspecError as error:  # one that cannot be looked into keeps no other from going
            found.append(Ended(row.name, "it cannot be looked into", gone=False, kept=error.message))
            continue
        if why:
            found.append(end(engine, row.name, why, ending, doors))
        elif workspace := workspace_of(ours, row.name):
            next_name = names.next_container(row.name)
            aside = [box for box in ours if box.name == next_name and box != workspace and not box.unread]
            sweeps = [(box, "replace") for box in aside if not _took_over(box, ours)]
            sweeps += [(box, "snapshot") for box in ours if is_helper(box)]
            found += [
                _attempt(box.name, f"left by an interrupted {what}", _sweeping(engine, box), ending)
                for box, what in sweeps
            ]
    ended = {one.name: one.gone for one in found}
    for env in runs:  # as long as an environment stays, its mutex proves that its run died
        name = env.removesuffix(RUN_MUTEX)
        if ended.get(name, True):
            freed = _free(engine, env, ending)
            found += [] if name in ended else [freed]
    if not (ending.only or ending.dry_run):
        engine.release_images()
    return (*found, *([] if ending.only else (*_images(engine, ending), *_parts(engine, ending))))


def end(engine: Engine, env: str, why: str, ending: Ending, doors: Doors) -> Ended:
    """Destroy one environment that was not made to stay; an error is what keeps it.

    A workspace that sleeps is woken, for only then anybody can look for work that would be lost.

    Args:
        engine: The engine.
        env: Its name.
        why: Why it ends.
        ending: How.
        doors: How to speak with the user.
    """
    lost: list[str] = []

    def destroy() -> None:
        box = workspace_of(engine.containers(env), env)
        if box and box.status in ASLEEP:
            wake(engine, box)
        target = Target(env, None, destroy=True)
        chosen = Options(destroy=True, yes=True, ephemeral=True, volumes=ending.volumes)
        losses = look(engine, target, chosen).plan.losses
        lost.extend(what for change in losses for what in change.data_loss)
        if env in ending.allow_data_loss:
            chosen = replace(chosen, allow_data_loss=tuple(change.address for change in losses))
        report = run(engine, target, chosen, doors)
        failed = [o.detail for o in report.outcomes if o.status is not Status.DONE]
        if failed or report.remaining:
            raise EngineCallFailed("; ".join(failed) or f"still there: {', '.join(report.remaining)}")

    ended = _attempt(env, why, destroy, ending)
    return replace(ended, lost=tuple(dict.fromkeys(lost))) if ended.gone else ended


@contextmanager
def temporary(engine: Engine, loaded: Loaded, options: Options, doors: Doors) -> Iterator[Report]:
    """Make an environment of its own name from a spec, and take all of it away at the end, whatever happens.

    Should this process be killed, :func:`collect` finds what it left.

    Args:
        engine: The engine.
        loaded: The spec.
        options: What the user asks beyond the spec.
        doors: How to speak with the user.

    Yields:
        The report of the apply, whether it went well or not.

    Raises:
        EnvspecError: As :func:`envspec.api.converge.run`; or something could not be taken away.
    """
    name = f"{str(loaded.spec.name)[:RUN_NAME]}-run-{secrets.token_hex(3)}"
    own = replace(loaded, spec=loaded.spec.model_copy(update={"name": name}))
    chosen = replace(options, yes=True, runner=owner())
    with locked(engine, f"{name}{RUN_MUTEX}"):
        try:
            yield run(engine, Target(name, own, destroy=False), chosen, doors)
        finally:
            left = end(engine, name, "its run has ended", Ending(volumes=True, allow_data_loss=(name,)), doors)
            if not left.gone:
                doors.emit(Notice(f"{name} is left, for {left.kept}: `envspec destroy {name} --volumes` removes it"))


def wake(engine: Engine, box: ContainerState) -> bool:
    """Start a workspace that sleeps, or let it go on, and say whether it runs."""
    try:
        if box.status == "paused":
            engine.unpause(box.id)
        else:
            engine.start(box.id)
    except EngineCallFailed:
        return False
    return True


def _attempt(name: str, why: str, act: Callable[[], None], ending: Ending) -> Ended:
    if ending.dry_run:
        return Ended(name, why, gone=False)
    try:
        act()
    except EnvspecError as error:  # one that stays keeps no other from going
        return Ended(name, why, gone=False, kept=error.message)
    return Ended(name, why, gone=True)


def _asked(env: str, ending: Ending) -> bool:
    return not ending.only or env in ending.only


def _unwanted(engine: Engine, row: EnvironmentRow, ours: list[ContainerState], ending: Ending) -> str:
    """Say why nobody wants an environment, "" when somebody may; one that cannot be read is left alone."""
    if row.unread:
        return ""
    if not ours:
        return "its workspace is missing" if row.services else ""
    box = workspace_of(ours, row.name) or ours[0]
    runner = box.labels.get(names.RUN, "")
    if runner and _run_died(engine, row.name, runner):
        return "its run died"
    if box.status == "created" and not any(mount.type == "volume" for mount in box.config.mounts):
        return "it never started"
    return "it expired" if _expired(engine, box, ending) else ""


def _run_died(engine: Engine, env: str, runner: str) -> bool:
    """Say whether the ``envspec run`` that made an environment died; one of an earlier version held no mutex."""
    holder = engine.lock_holder(f"{env}{RUN_MUTEX}")
    return has_died(holder) if holder else is_dead(runner)


def _expired(engine: Engine, box: ContainerState, ending: Ending) -> bool:
    """Say whether a workspace's lease has ended; one that sleeps is woken to have the last word, if it must."""
    if box.running:
        return _is_past(engine.probe(box.id, Questions()), box)
    if not _is_past(None, box):
        return False
    if ending.dry_run or box.status == "paused" or not wake(engine, box):
        return True
    if _is_past(engine.probe(box.id, Questions()), box):
        return True
    engine.stop(box.id)
    return False


def _is_past(answer: Answer | None, box: ContainerState) -> bool:
    moment = expiry(answer, box.labels)
    return moment is not None and moment <= datetime.now(UTC)


def _images(engine: Engine, ending: Ending) -> list[Ended]:
    """Remove the images of ours that no container uses and whose last use is longer ago than wanted."""
    found = []
    for image in engine.stored_images():
        if image.unread or image.uses or time.time() - image.last_used < ending.images_after:
            continue
        since = datetime.fromtimestamp(image.last_used, UTC).date().isoformat()
        kept = "" if ending.dry_run else cache.remove(engine, image)
        gone = not (ending.dry_run or kept)
        found.append(Ended(image.refs[0], f"not used since {since}", gone, kept, image.size if gone else 0))
    return found


def _parts(engine: Engine, ending: Ending) -> list[Ended]:
    """Remove images of snapshots that were killed before they had a manifest, or while they were removed."""
    images = {ref: image for image in engine.snapshot_images() for ref in image.refs}
    found = []
    for ref, image in sorted(images.items()):
        name = image.labels.get(names.SNAPSHOT, "")
        left = ref in {ref_of(name, part) for part in (BOX, VOLUMES)} and ref_of(name, MANIFEST) not in images
        if left and not (image.unread or image.uses) and time.time() - image.created > SNAPSHOT_TIME:
            remove = partial(engine.remove_image, ref)
            found.append(_attempt(ref, "left by an interrupted snapshot", remove, ending))
    return found


def _free(engine: Engine, env: str, ending: Ending) -> Ended:
    def free() -> None:
        with locked(engine, env):  # taking over what a dead process holds, and giving it back, removes it
            return

    return _attempt(f"envspec-lock-{env}", "its holder died", free, ending)


def _took_over(leftover: ContainerState, ours: list[ContainerState]) -> bool:
    """Say whether a leftover is of another user, to whom it may have given files: the next apply gives them back."""
    return {user_of(box) for box in ours if not is_helper(box)} != {user_of(leftover)}


def _sweeping(engine: Engine, box: ContainerState) -> Callable[[], None]:
    def sweep() -> None:
        with locked(engine, box.labels[names.ENV]):
            engine.remove_container(box.id, borrows=is_helper(box))

    return sweep
