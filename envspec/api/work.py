"""Reading a target, looking at the world, and making a plan: what plan, apply and destroy share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from envspec import host as hosts
from envspec import hostpath, observe, planner, policy
from envspec.api import ports, renamed
from envspec.api.attempt import attempted
from envspec.api.check import check, facts_of
from envspec.api.stack import Permission, stack
from envspec.api.targets import Options, Target
from envspec.compose.read import read as read_document
from envspec.engine.base import Reader
from envspec.engine.choice import config_file
from envspec.engine.sight import AGENT_THERE
from envspec.errors import EnvspecError, SpecError, Where
from envspec.glance import Glance
from envspec.host import HostFacts
from envspec.kinds import names
from envspec.kinds.base import Observed
from envspec.kinds.container import ContainerSpec
from envspec.kinds.environment import secrets_of
from envspec.kinds.service_state import base_of
from envspec.model import Desired, Plan
from envspec.planner import Wishes
from envspec.purposes import catalogue
from envspec.resolve import Chosen, asked, candidates, choose, of_image, refuse_unfit, resolve
from envspec.resolve.dotfiles import with_default
from envspec.spec.load import Loaded, load
from envspec.spec.settings import load_settings
from envspec.steps.base import Planned


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the world and what follows from it.

    Attributes:
        desired: What must be.
        world: What was observed.
        planned: What to do.
        host: Facts of the host.
        unasked: Directories of this host that the engine could not be asked about: it has no image to ask with.
    """

    desired: Desired
    world: Observed
    planned: Planned
    host: HostFacts = field(default_factory=lambda: HostFacts(0, 0, "root"))
    unasked: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        """Return the plan, as people and programs read it."""
        return self.planned.plan


def look(  # noqa: PLR0913 - what one look is told
    reader: Reader,
    target: Target,
    options: Options,
    *,
    reachable: Callable[[], bool] | None = None,
    again: bool = False,
    judge: bool = False,
    begun: Glance | None = None,
) -> Look:
    """Look at the world and plan.

    Looks a second time, for files made by hand, when the first plan would lose things.

    Args:
        reader: The engine; only its read verbs are used.
        target: What to work on.
        options: What the user asks beyond the spec.
        reachable: Says whether the registry can be reached; asked only where it matters.
        again: Whether this looks back at what was done.
        judge: Whether effects that the user did not allow are refused, whatever any engine says.
        begun: What was begun already of this look.

    Raises:
        SpecError: Something that the spec names cannot be had.
        Refused: It has an effect that the user did not allow, or binds files of this host on another.
        Conflict: A name belongs to something else.
        EngineNotReady: No engine answers.
    """
    if target.loaded and not target.destroy:
        loaded, tried = attempted(target.loaded, reader, installs=options.installs)
        target = dataclasses.replace(target, loaded=loaded, tried=tried)
    with begun or Glance(reader, target.env) as glance:
        facts, desired, world = _read(glance, target, options, reachable, judge=judge)
        for text in (*secrets_of(desired), *facts.network.passwords):
            reader.hide(text)
        policy.refuse_remote_binds(desired, reader.remote)
        unasked = policy.refuse_unseen(desired, reader, lambda one: _named(target, one))
        policy.refuse_unhonoured(desired, reader.name, reader.versions)
        if options.restored:
            desired = _as_restored(desired, options.restored)
        if not again:
            former = renamed.notes(reader, target, facts.hostname, world)
            machine = policy.told_of_machine(desired, reader, unasked) if desired.resources else ()
            told = (*former, *_by_another_name(reader), *machine)
            desired = dataclasses.replace(desired, notes=(*desired.notes, *told))
        wishes = dataclasses.replace(_wishes(options, desired, world), again=again)
        if not options.take_over:
            _check_origin(world, desired)
        seen = observe.inside(glance, world, desired)
        made = planner.plan(desired, seen, wishes)
        if planner.needs_deep_look(made.plan) and seen.inside is not None:
            seen = observe.inside(glance, world, desired, deep=True, since=options.since)
            made = planner.plan(desired, seen, wishes)
        if target.destroy and any(change.kind in ("volume", "service") for change in made.plan.losses):
            seen = observe.without_files(reader, seen)
            made = planner.plan(desired, seen, wishes)
        if not again:
            made = dataclasses.replace(made, plan=ports.foreseen(reader, desired, made.plan))
        return Look(desired, seen, made, facts, unasked)


def _as_restored(desired: Desired, image_id: str) -> Desired:
    """Return the desired state with a workspace that may run a snapshot's image: a new one would undo its restore."""
    resources = (
        dataclasses.replace(item, spec=dataclasses.replace(item.spec, restored=image_id))
        if isinstance(item.spec, ContainerSpec)
        else item
        for item in desired.resources
    )
    return dataclasses.replace(desired, resources=tuple(resources))


def _by_another_name(reader: Reader) -> tuple[str, ...]:
    """Return the note on what goes by Docker's name and is Podman."""
    told = f"{reader.alias} is Podman, and is worked with as Podman; `--engine podman` says the same"
    return (told,) if reader.alias else ()


def _read(
    glance: Glance, target: Target, options: Options, reachable: Callable[[], bool] | None, *, judge: bool
) -> tuple[HostFacts, Desired, Observed]:
    """Look at the host and the engine; a fault of the spec is reported with all its other ones."""
    if target.destroy or target.loaded is None:
        return hosts.gather(), Desired(target.env), glance.world(())
    try:
        facts = facts_of(target.loaded, glance.reader, load_settings())
        facts = dataclasses.replace(facts, machine=glance.reader.machine())
        permission = Permission(options.allow, judge)
        return facts, *_outside(glance, target, target.loaded, facts, reachable or _registry_of(facts), permission)
    except SpecError:
        check(target.loaded, glance.reader, tried=target.tried, allowed=options.allow)
        raise


def _named(target: Target, one: policy.Bound) -> Where:
    """Return where the spec asks for something that is bound."""
    loaded, address = target.loaded, one.resource.address
    if loaded is None:
        return Where(address=address)
    if address != names.WORKSPACE:
        return loaded.where("compose", "services", base_of(address.removeprefix("service.")))
    if one.path == AGENT_THERE:
        return loaded.where("forward_ssh")
    for index, mount in enumerate(loaded.spec.mounts):
        if str(hostpath.real(hostpath.expanded(loaded.directory, mount.host))) == one.source:
            return loaded.where("mounts", index, "host")
    return loaded.where("mount_cwd")


def _registry_of(facts: HostFacts) -> Callable[[], bool]:
    """Return what asks the registry that base images are pulled from."""
    return lambda: hosts.registry_reachable(hosts.registry_of(facts.image_prefix))


def _outside(  # noqa: PLR0913, PLR0917 - what one look is told
    glance: Glance,
    target: Target,
    loaded: Loaded,
    facts: HostFacts,
    reachable: Callable[[], bool],
    permission: Permission,
) -> tuple[Desired, Observed]:
    purposes = catalogue(loaded.directory)
    loaded = with_default(loaded, load_settings().dotfiles, config_file().parent, purposes)
    tried = target.tried
    ways = candidates(loaded.spec, purposes, tried.params if tried else None, loaded.where)
    refs = tuple(ref for way in ways for ref in way.refs)
    asks = asked(loaded, facts, purposes)
    permission.check(tuple(asks), asks.__getitem__)
    document = read_document(loaded, permission.allowed, glance.reader.compose_variables)
    if document is None:
        world = glance.world(refs)
        chosen = choose(loaded.spec, ways, world.images, reachable, loaded.where)
        return _marked(target, resolve(loaded, facts, purposes, chosen), chosen, world), world
    likely = next(way for way in ways if not way.closed)
    beside = stack(glance.reader, loaded, document, likely, permission, facts.environ)
    world = glance.world((*refs, *beside.project.images))
    chosen = choose(loaded.spec, ways, world.images, reachable, loaded.where)
    if chosen.candidate != likely:
        beside = stack(glance.reader, loaded, document, chosen.candidate, permission, facts.environ)
    desired = resolve(loaded, facts, purposes, chosen, beside.project, beside.effects)
    return _marked(target, desired, chosen, world), world


def _marked(target: Target, desired: Desired, chosen: Chosen, world: Observed) -> Desired:
    """Return the desired state with what the image does not do here, and with what a tried repository showed."""
    if chosen.candidate.image is None:
        refuse_unfit(chosen.candidate.base, world.images, target.loaded.where("image") if target.loaded else None)
        notes = (*desired.notes, *of_image(chosen.candidate.base, world.images))
        desired = dataclasses.replace(desired, notes=notes)
    return target.tried.marked(desired, chosen.candidate.source) if target.tried else desired


def _wishes(options: Options, desired: Desired, world: Observed) -> Wishes:
    replace = set(options.replace)
    if options.no_cache and desired.get("image.workspace"):
        replace.add("image.workspace")
    if "image.workspace" in replace and world.workspace:
        replace.add(names.WORKSPACE)
    if options.take_over and desired.resources and world.workspace:
        replace.add(names.WORKSPACE)
    return Wishes(
        tuple(sorted(replace)),
        options.target,
        keep_volumes=not options.volumes and not desired.resources,
        no_cache="image.workspace" in replace,
    )


def _check_origin(world: Observed, desired: Desired) -> None:
    box = world.workspace
    path = policy.other_path(box.labels.get(names.ORIGIN, ""), desired.origin) if box else ""
    real = hostpath.from_shown(path)
    if not path or not hostpath.is_file(real):
        return
    try:
        other = load(Path(real)).spec.name
    except EnvspecError:
        return
    policy.check_origin(world, desired.origin, {path: other or ""})


def without_wishes(options: Options) -> Options:
    """Return the options for a second look: what was to be made anew has been."""
    return dataclasses.replace(options, replace=(), no_cache=False, take_over=False)
