"""The steps of the workspace container: create it, change it in place, put a new one in its place, remove it.

A replacement is created beside the old container, under a name of its own, and everything inside is set up there. Only
when all of it ended well is the old one removed and does the new one take the name; else the new one is removed and the
old one goes on. A fixed host port can be bound once only: then the old one is stopped, not removed, while the new one
is set up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from envspec.engine.facts import Questions
from envspec.engine.objects import ContainerConfig, ContainerState, Mount
from envspec.engine.operations import ReadEnvironment, ReadState, Record, WriteRecords
from envspec.kinds import anonymous, names
from envspec.kinds.adjustments import Adjustments
from envspec.kinds.base import Observed, Setting, is_helper
from envspec.kinds.ownership import holdings, user_of
from envspec.steps.base import Container, Done, Run, Step, StepList, Verb
from envspec.steps.containers import (
    CreateContainer,
    RemoveContainer,
    RenameContainer,
    StartContainer,
    StopContainer,
    UnpauseContainer,
)
from envspec.steps.guest import BringBack, CheckTools, HandBack, Perform, TakeOverState
from envspec.steps.networks import Connect, RemoveVolume

GIVE_BACK = 300.0
"""Seconds that giving back all that was made for another user may take."""

RESTART_HINT = "free what it needs, or `envspec apply --replace container.workspace`"

KEPT = "the old workspace was kept"
"""What is said of a replacement that is not finished."""


@dataclass(frozen=True, slots=True)
class InPlace:
    """What is changed of a container that stays.

    Attributes:
        adjusted: Limits and networks.
        start: Whether it is started, restarted or unpaused.
        rename: Whether it gets its proper name.
        record: Its ledger entry, ``None`` where none is written.
        changed: Names of what differs, for the report.
    """

    adjusted: Adjustments = field(default_factory=Adjustments)
    start: bool = False
    rename: bool = False
    record: Record | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A container to create.

    Attributes:
        create: How it is created; its name is given where it is known.
        networks: Networks to join, each with the names under which it is reached there.
        check_tools: Whether its image may lack what operations inside need.
    """

    create: CreateContainer
    networks: Mapping[str, tuple[str, ...]]
    check_tools: bool = False

    @property
    def config(self) -> ContainerConfig:
        """Return what it is created with."""
        return self.create.config


@dataclass(frozen=True, slots=True)
class ReturnLeftover(Verb):
    """Give back what a replacement took over for its user and did not live to keep or give back.

    The leftover is the only sign of it: what lies in volumes may belong to its user in part. So this goes before its
    removal, and is done in it, by what it wrote down.

    Attributes:
        leftover: The replacement.
        status: Its status.
        volumes: Mount points of its volumes.
        others: Those of everything else.
        taker: Its user.
        former: User and group of the container that it was to replace.
    """

    leftover: Container
    status: str
    volumes: tuple[str, ...]
    others: tuple[str, ...]
    taker: int
    former: tuple[int, int]

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"give what {self.leftover.name} took over back to uid {self.former[0]}"

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: That could not be done.
        """
        if self.status == "paused":
            run.engine.unpause(self.leftover.id)
        elif self.status != "running":
            run.engine.start(self.leftover.id)
        ledger = run.engine.probe(self.leftover.id, Questions()).ledger
        held = holdings(ledger, self.volumes, self.others).given(self.taker, *self.former)
        run.perform(self.leftover, held, deadline=GIVE_BACK)
        return Done()


def create(wanted: Wanted, setting: Setting) -> tuple[Step, ...]:
    """Return the steps that create the workspace where there is none; a failure leaves no container."""
    sequence = StepList(names.WORKSPACE)
    name = names.container(setting.env)
    made = _create(wanted, name, sequence, detail=f"created {name}")
    sequence.then(StartContainer(made, wanted.config.mounts))
    if wanted.check_tools:
        sequence.then(CheckTools(made, wanted.config.image))
    sequence.undo(RemoveContainer(made), unless=sequence.main)
    return tuple(sequence.steps)


def change(how: InPlace, box: ContainerState, mounts: tuple[Mount, ...], setting: Setting) -> tuple[Step, ...]:
    """Return the steps that change the workspace in place, in an order in which each can work.

    Args:
        how: What is changed.
        box: The workspace.
        mounts: What it has mounted.
        setting: What steps are planned in.
    """
    here = Container(box.name, box.id)
    sequence, detail = StepList(names.WORKSPACE), ", ".join(how.changed)
    how.adjusted.add_to(sequence, here, detail=detail)
    if box.status == "paused":
        sequence.then(UnpauseContainer(here), detail=detail)
    elif how.start:
        if box.running:
            sequence.then(StopContainer(here))
        sequence.then(StartContainer(here, mounts, RESTART_HINT), detail=detail)
    if how.record:
        sequence.then(Perform(here, WriteRecords((how.record,))), detail=detail)
    if how.rename:
        for leftover in setting.world.leftovers:
            sequence.finally_(RemoveContainer(Container(leftover.name, leftover.id), borrows=is_helper(leftover)))
        sequence.finally_(RenameContainer(here, names.container(setting.env)), detail=detail)
    return tuple(sequence.steps)


def replace(wanted: Wanted, carried: tuple[str, ...], box: ContainerState, setting: Setting) -> tuple[Step, ...]:
    """Return the steps that put a new container in the workspace's place.

    Args:
        wanted: The new one.
        carried: Addresses of ledger entries that it takes over.
        box: The workspace.
        setting: What steps are planned in.
    """
    sequence, world = StepList(names.WORKSPACE), setting.world
    old, own = Container(box.name, box.id), names.container(setting.env)
    spare = own if box.name == names.next_container(setting.env) else names.next_container(setting.env)
    in_the_way = [leftover for leftover in world.leftovers if leftover.name == spare]
    for leftover in in_the_way:
        _remove_leftover(leftover, world, sequence)
    state = sequence.then(Perform(old, ReadState(carried), read=True)) if box.running else ""
    environment = sequence.then(Perform(old, ReadEnvironment(), read=True)) if box.running else ""
    new = _create(wanted, spare, sequence, detail=f"made {spare} beside {box.name}")
    if shared := _clashing(box, wanted.config):
        sequence.then(StopContainer(old, f"both publish {shared}"))
    started = sequence.then(StartContainer(new))
    if state:
        sequence.then(TakeOverState(new, state))
    for gone in (box, *(leftover for leftover in world.leftovers if leftover not in in_the_way)):
        sequence.finally_(RemoveContainer(Container(gone.name, gone.id), borrows=is_helper(gone)), skipped=KEPT)
    if spare != own:
        sequence.finally_(RenameContainer(new, own), skipped=KEPT)
    sequence.undo(*_undo(new, started, box, wanted.config.user, environment, world), last=True)
    return tuple(sequence.steps)


def remove(gone: tuple[ContainerState, ...], address: str, world: Observed) -> tuple[Step, ...]:
    """Return the steps that remove containers, with the volumes that wait for one.

    Args:
        gone: The workspace, or what an interrupted replace or snapshot left.
        address: Address of the change.
        world: What was observed.
    """
    sequence, detail = StepList(address), f"removed {', '.join(box.name for box in gone)}"
    for box in gone:
        if address == names.WORKSPACE:
            sequence.then(RemoveContainer(Container(box.name, box.id), borrows=is_helper(box)), detail=detail)
        else:
            _remove_leftover(box, world, sequence, detail)
    for name in anonymous.abandoned(world):
        sequence.then(RemoveVolume(name))
    return tuple(sequence.steps)


def _create(wanted: Wanted, name: str, sequence: StepList, detail: str) -> Container:
    """Add the steps that create a container and join it to its networks, and return it."""
    verb = dataclasses.replace(wanted.create, name=name)
    made = Container(name, made_by=sequence.then(verb, detail=detail))
    for network, aliases in wanted.networks.items():
        sequence.then(Connect(network, made, aliases))
    return made


def _remove_leftover(leftover: ContainerState, world: Observed, sequence: StepList, detail: str = "") -> None:
    """Add the steps that remove what an interrupted replace or snapshot left, and give back what it took over."""
    gone = Container(leftover.name, leftover.id)
    taker, former, old = user_of(leftover), user_of(world.workspace), world.workspace
    changed_user = old is not None and taker is not None and former is not None and taker[0] != former[0]
    if changed_user and leftover.status != "created" and not is_helper(leftover):
        assert old is not None
        assert taker is not None
        assert former is not None
        if old.running and not leftover.running:
            held = holdings(world.answer.ledger, *_places(old)).given(taker[0], *former)
            sequence.then(Perform(Container(old.name, old.id), held, GIVE_BACK))
        else:
            sequence.then(ReturnLeftover(gone, leftover.status, *_places(leftover), taker[0], former))
    sequence.then(RemoveContainer(gone, borrows=is_helper(leftover)), detail=detail)


def _undo(  # noqa: PLR0913, PLR0917 - the parts of one replacement
    new: Container, started: str, box: ContainerState, user: str, environment: str, world: Observed
) -> tuple[Verb, ...]:
    """Return what brings the old container back, and what the new one's user took over to its user."""
    old, former = Container(box.name, box.id), user_of(box)
    taker = user.partition(":")[0]
    verbs: list[Verb] = []
    if former is not None and taker.isdigit() and int(taker) != former[0]:
        held = holdings(world.answer.ledger, *_places(box)).given(int(taker), *former)
        verbs.append(HandBack(new, held, started, GIVE_BACK))
    verbs.append(RemoveContainer(new))
    if box.running:
        verbs.append(BringBack(old, environment, StartContainer(old, box.config.mounts)))
    return tuple(verbs)


def _places(box: ContainerState) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the mount points of a container's volumes, and those of everything else."""
    volumes = tuple(mount.target for mount in box.config.mounts if mount.type == "volume" and not mount.read_only)
    return volumes, tuple(mount.target for mount in box.config.mounts if mount.target not in volumes)


def _clashing(old: ContainerState, config: ContainerConfig) -> str:
    """Return the host ports that both containers want, in words; "" when there are none."""
    if not old.running:
        return ""
    held = {(port.host, port.protocol) for port in old.published}
    both = sorted({(p.host, p.protocol) for p in config.ports if p.host and (p.host, p.protocol) in held})
    if config.network == "host" and old.config.network == "host":
        return ", ".join(f"{host}/{protocol}" for host, protocol in both) or "the host's network"
    return ", ".join(f"{host}/{protocol}" for host, protocol in both)
