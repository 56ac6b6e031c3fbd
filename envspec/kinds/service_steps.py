"""The steps of a service: Compose makes it, the engine changes it in place, and then it is waited for."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from envspec.engine.inspect import familiar
from envspec.engine.objects import ContainerState, Mount
from envspec.engine.stack import ComposeUp
from envspec.errors import EngineCallFailed, Interrupted, StepFailed, Where
from envspec.kinds import anonymous, names
from envspec.kinds.adjustments import Adjustments
from envspec.kinds.base import Setting
from envspec.kinds.service_state import (
    ServiceSpec,
    base_of,
    boxes_of,
    built_name,
    in_words,
    key_of,
    lost_volumes,
    state_of,
)
from envspec.model import Hidden
from envspec.secrets import new_key
from envspec.steps import returns
from envspec.steps.base import Container, Done, Run, Step, StepList, Verb
from envspec.steps.containers import (
    RemoveContainer,
    RenameContainer,
    StartContainer,
    StopContainer,
    UnpauseContainer,
)
from envspec.steps.images import TagImage

POLL = 0.25
"""Seconds between two looks at a service that is not ready yet."""

LOG_LINES = 20
"""Lines of a failed service that its error shows."""


@dataclass(frozen=True, slots=True)
class InPlace:
    """What is changed of a service's container that stays.

    Attributes:
        adjusted: Limits and networks.
        restart: Whether it is started, or started again.
        rebind: Whether files that it binds from memory differ, which it sees after a start.
    """

    adjusted: Adjustments = field(default_factory=Adjustments)
    restart: bool = False
    rebind: bool = False


@dataclass(frozen=True, slots=True)
class ComposeService(Verb):
    """Have Compose make a service; its image is built unless it is there.

    Attributes:
        env: Name of the environment, which is the project's.
        origin: ``host:path`` of the spec.
        spec: The service.
        recreate: Whether its container is recreated.
        waiting: Volumes that a restore filled for it.
    """

    env: str
    origin: str
    spec: ServiceSpec
    recreate: bool
    waiting: tuple[Mount, ...] = ()

    @property
    def text(self) -> str:
        """Return what it does."""
        built = f", its image {self.spec.image} built unless it is there" if self.spec.content else ""
        return f"{'recreate' if self.recreate else 'create'} {self.spec.container} with Compose{built}"

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: Compose ended with an error.
        """
        image = run.engine.images((self.spec.image,)).get(self.spec.image) if self.spec.content else None
        up = ComposeUp(
            project=self.env,
            directory=self.spec.directory,
            document=json.dumps(self._document()),
            service=key_of(self.spec.name),
            recreate=self.recreate,
            build=bool(self.spec.content) and (image is None or image.labels.get(names.DIGEST) != self.spec.content),
        )
        printed: deque[str] = deque(maxlen=LOG_LINES)

        def heard(line: str) -> None:
            printed.append(line)
            run.on_line(line)

        try:
            run.engine.compose_up(up, heard)
        except EngineCallFailed as error:
            more = _last_words(self.env, self.spec.address, run) or (_lines(printed) if up.build else "")
            raise StepFailed(
                f"{error.message}{more}",
                code="service.failed",
                hint="fix the error shown above, then apply again",
                where=Where(address=self.spec.address),
            ) from None
        return Done()

    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.spec.document.text)
        labels = {
            **names.labels(self.env, "service", self.spec.address),
            names.ORIGIN: self.origin,
            names.SETTINGS: self.spec.noted(new_key()),
        }
        service = document["services"][key_of(self.spec.name)]
        own = {key: value.replace("$", "$$") for key, value in labels.items()}
        service["labels"] = {**(service.get("labels") or {}), **own}
        for number, mount in enumerate(self.waiting):
            key = f"envspec-restored-{number}"
            document.setdefault("volumes", {})[key] = {"name": mount.source, "external": True}
            others = [item for item in service.get("volumes") or () if item.get("target") != mount.target]
            service["volumes"] = [*others, {"type": "volume", "source": key, "target": mount.target.replace("$", "$$")}]
        return document


@dataclass(frozen=True, slots=True)
class StoreSecrets(Verb):
    """Hold the files in memory that a service binds, and no others."""

    env: str
    service: str
    files: tuple[tuple[str, Hidden], ...]

    @property
    def text(self) -> str:
        """Return what it does."""
        if not self.files:
            return f"remove the files of {self.service} from memory"
        return f"write {', '.join(name for name, _ in self.files)} of {self.service} into memory"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.engine.shelve(self.env, self.service, dict(self.files))
        return Done()


@dataclass(frozen=True, slots=True)
class DropVolumes(Verb):
    """Remove the unnamed volumes that the plan said would be lost, and say where others are that went out of use.

    Attributes:
        env: Name of the environment.
        had: What the service's containers had.
        lost: Names of those that the plan said would be lost with it.
        lenders: By address of a service whose volumes this one mounts, what that one had; they are lost with it where
            its image is one of those that the plan knew.
        images: IDs of those images.
    """

    env: str
    had: tuple[Mount, ...]
    lost: frozenset[str]
    lenders: tuple[tuple[str, tuple[str, ...]], ...]
    images: frozenset[str]

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"remove the volumes of {', '.join(sorted(mount.target for mount in self.had))} that nothing uses"

    def run(self, run: Run) -> Done:
        """Do it."""
        now = run.engine.containers(self.env)
        used = {mount.source for box in now for mount in box.anonymous}
        had = {mount.source: mount for mount in self.had}
        agreed = {*self.lost, *self._lost_by_lenders(now)}
        for name in sorted(had.keys() & agreed - used):
            run.engine.remove_volume(name)
        kept = sorted(had.keys() - agreed - used)
        return Done("; ".join(f"what was in {had[name].target} is kept in the volume {name}" for name in kept))

    def _lost_by_lenders(self, now: tuple[ContainerState, ...]) -> Iterator[str]:
        for address, volumes in self.lenders:
            lender = next((box for box in now if box.labels.get(names.ADDRESS) == address), None)
            if lender and lender.image_id in self.images:
                yield from volumes


@dataclass(frozen=True, slots=True)
class ForgetImage(Verb):
    """Remove the image that was built for a service, unless a container of the environment still has it."""

    env: str
    ref: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"remove image {self.ref} if no container has it"

    def run(self, run: Run) -> Done:
        """Do it."""
        if any(familiar(box.config.image) == familiar(self.ref) for box in run.engine.containers(self.env)):
            return Done()
        try:
            run.engine.remove_image(self.ref)
        except EngineCallFailed as error:
            return Done(f"its image stays: {error.message}")
        return Done("its image too")


@dataclass(frozen=True, slots=True)
class AwaitService(Verb):
    """Wait until a service is as it must be; one that is ``patient`` may be unhealthy at first."""

    env: str
    spec: ServiceSpec
    patient: bool = False

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"wait until {self.spec.container} {'has ended' if self.spec.ends else 'is ready'}"

    def run(self, run: Run) -> Done:
        """Do it, and say how it is.

        Raises:
            StepFailed: It became unhealthy, ended, or took too long; with its last lines.
            Interrupted: The user asked to stop.
        """
        spec, until = self.spec, time.monotonic() + self.spec.patience
        while True:
            box = _now(self.env, spec.address, run)
            state = (box.health or box.status) if box and box.running else box.status if box else "gone"
            if box and (spec.ends or spec.may_end) and state == "exited" and box.exit_code == 0:
                return Done("ended with 0")
            if box and not spec.ends and (state == "healthy" or (box.running and not box.health)):
                return Done(state)
            pending = ("starting", "running", "restarting", *(["unhealthy"] if self.patient else []))
            if state not in pending or time.monotonic() > until:
                raise self._failed(box, state, run, late=time.monotonic() > until)
            if box and box.running and box.health:
                run.engine.check_health(box.id)
            if run.stopping.wait(POLL):
                raise Interrupted("interrupted while waiting for a service", where=Where(address=spec.address))

    def _failed(self, box: ContainerState | None, state: str, run: Run, *, late: bool) -> StepFailed:
        spec = self.spec
        after = f" after {spec.patience:g} s" if late else ""
        how = state_of(box) if box and not box.running else state
        ended = f'; if it is meant to end, write `restart: "no"` for {spec.name}' if how == "exited with 0" else ""
        said = _last_words(self.env, spec.address, run)
        more = f"`envspec logs {self.env} {spec.name}` shows more; fix the cause, then apply again{ended}"
        return StepFailed(
            f"{spec.name} {in_words(how)}{after}{said}",
            code="service.unhealthy",
            hint=returns.hint(said) or more,
            where=Where(address=spec.address),
        )


def make(spec: ServiceSpec, setting: Setting, *, recreate: bool) -> tuple[Step, ...]:
    """Return the steps that have Compose make a service."""
    world, boxes = setting.world, boxes_of(spec.address, setting.world)
    sequence = StepList(spec.address)
    _tidy(spec, boxes, sequence)
    _store(spec.address, dict(spec.shelved), boxes, setting, sequence)
    if not spec.content and spec.image not in world.images:
        for box in boxes:  # an image that lost its reference gets it back: no registry is needed
            if familiar(box.config.image) == familiar(spec.image) and box.image_id in world.images:
                sequence.then(TagImage(box.image_id, spec.image))
    waiting = () if recreate else anonymous.waiting(spec.address, world)
    sequence.then(ComposeService(setting.env, setting.origin, spec, recreate, waiting))
    had = tuple(mount for box in boxes for mount in box.anonymous)
    if had:
        lenders = tuple(
            (address, tuple(mount.source for box in boxes_of(address, world) for mount in box.anonymous))
            for address in spec.volumes_from
        )
        lost = frozenset(mount.source for mount in lost_volumes(spec, world))
        known = frozenset(image.id for image in world.images.values())
        sequence.then(DropVolumes(setting.env, had, lost, lenders, known))
    sequence.then(AwaitService(setting.env, spec))
    return tuple(sequence.steps)


def change(spec: ServiceSpec, how: InPlace, setting: Setting) -> tuple[Step, ...]:
    """Return the steps that need no new container, in an order in which each can work."""
    boxes = boxes_of(spec.address, setting.world)
    box, here = boxes[0], Container(spec.container, boxes[0].id)
    sequence = StepList(spec.address)
    _tidy(spec, boxes, sequence)
    how.adjusted.add_to(sequence, here, called=(spec.container,))
    stopped = _store(spec.address, dict(spec.shelved), boxes, setting, sequence)
    if box.status == "paused" and not stopped:
        sequence.then(UnpauseContainer(here))
    elif how.restart or stopped:
        if not stopped and box.status != "exited":
            sequence.then(StopContainer(here))
        sequence.then(StartContainer(here))
    # What was paused could not answer its health check, and is unhealthy until it is asked again.
    sequence.then(AwaitService(setting.env, spec, patient=box.status == "paused"))
    return tuple(sequence.steps)


def wait(spec: ServiceSpec, setting: Setting) -> tuple[Step, ...]:
    """Return the step that waits for a service."""
    sequence = StepList(spec.address)
    sequence.then(AwaitService(setting.env, spec))
    return tuple(sequence.steps)


def remove(address: str, setting: Setting) -> tuple[Step, ...]:
    """Return the steps that remove a service, what lies in memory for it, and the image that was built for it."""
    world, boxes = setting.world, boxes_of(address, setting.world)
    sequence = StepList(address)
    for box in boxes:
        sequence.then(RemoveContainer(Container(box.name, box.id)), detail="removed")
    _store(address, {}, (), setting, sequence, detail="removed")
    own = familiar(built_name(setting.env, base_of(address.removeprefix("service."))))
    built = [box for box in boxes if familiar(box.config.image) == own]
    if any(names.DIGEST in world.images[box.image_id].labels for box in built if box.image_id in world.images):
        sequence.then(ForgetImage(setting.env, built[0].config.image))
    return tuple(sequence.steps)


def _tidy(spec: ServiceSpec, boxes: tuple[ContainerState, ...], sequence: StepList) -> None:
    """Leave one container under the proper name, whatever a killed Compose left."""
    for box in boxes[1:]:
        sequence.then(RemoveContainer(Container(box.name, box.id)))
    if boxes and boxes[0].name != spec.container:
        sequence.then(RenameContainer(Container(boxes[0].name, boxes[0].id), spec.container))


def _store(  # noqa: PLR0913, PLR0917 - where from, what, whose, and the steps that it becomes part of
    address: str,
    files: Mapping[str, Hidden],
    boxes: tuple[ContainerState, ...],
    setting: Setting,
    sequence: StepList,
    detail: str = "",
) -> bool:
    """Let memory hold what a service binds from there, and say whether its containers are stopped for that.

    Containers that bind something else are stopped before: killed in between, no service goes on with what was, for
    a start binds what lies there then.
    """
    service = address.removeprefix("service.")
    prefix = f"{service}/"
    there = {key.removeprefix(prefix): v for key, v in setting.world.shelved.items() if key.startswith(prefix)}
    if there == files:
        return False
    for box in boxes:
        sequence.then(StopContainer(Container(box.name, box.id)))
    sequence.then(StoreSecrets(setting.env, service, tuple(sorted(files.items()))), detail=detail)
    return True


def _now(env: str, address: str, run: Run) -> ContainerState | None:
    found = run.engine.containers(env)
    return next((box for box in found if box.labels.get(names.ADDRESS) == address), None)


def _last_words(env: str, address: str, run: Run) -> str:
    box = _now(env, address, run)
    said = run.engine.logs(box.id, LOG_LINES) if box else ""
    return _lines(said.splitlines())


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"\n{line}" for line in lines)
