"""What may be done without asking, what has to be asked for, and what is refused.

One rule has one home: doors ask here and decide nothing themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from envspec.compose.read import refused
from envspec.engine.base import Reader
from envspec.engine.capabilities import GATEWAY, GATEWAY_PODMAN, Versions, lacks_heredocs
from envspec.engine.facts import AGENT_SOCKET
from envspec.engine.machine import DESKTOP, FORWARD_AGENT, Machine
from envspec.engine.objects import Mount
from envspec.engine.shelf import PLACE
from envspec.engine.sight import AGENT_THERE
from envspec.errors import Conflict, Refused, SpecError, Where
from envspec.kinds import names
from envspec.kinds.base import Observed
from envspec.kinds.container import ContainerSpec
from envspec.kinds.image import ImageSpec
from envspec.kinds.loss import UNASKED
from envspec.kinds.service_state import ServiceSpec
from envspec.model import Change, Desired, Effect, Plan, Resource


def unallowed_losses(plan: Plan, allowed: tuple[str, ...], *, ephemeral: bool = False) -> tuple[Change, ...]:
    """Return the changes that lose work or data and that the user did not allow by address.

    Args:
        plan: The plan.
        allowed: Addresses that may lose what the plan says they would.
        ephemeral: Whether files that nobody declared, and running jobs, may go: the environment was meant to.
    """
    found = (change for change in plan.losses if change.address not in allowed)
    return tuple(c for c in found if not (ephemeral and {lost.kind for lost in c.losses} <= UNASKED))


def refuse_losses(plan: Plan, allowed: tuple[str, ...], *, ephemeral: bool = False, command: str = "") -> None:
    """Insist that every loss was allowed by name; the arguments are those of :func:`unallowed_losses`.

    Args:
        plan: The plan.
        allowed: Addresses that may lose what the plan says they would.
        ephemeral: Whether files that nobody declared, and running jobs, may go.
        command: The command that carries the plan out once the losses are allowed, "" for the one that was given.

    Raises:
        Refused: Something would be lost that nobody allowed.
    """
    lost = unallowed_losses(plan, allowed, ephemeral=ephemeral)
    if not lost:
        return
    told = "; ".join(f"{change.address} would lose {_listed(change.data_loss)}" for change in lost)
    flags = " ".join(f"--allow-data-loss {address}" for address in (*allowed, *(change.address for change in lost)))
    again = f"`{command} {flags}`" if command else f"add {flags}"
    raise Refused(
        told,
        code="refused.data_loss",
        hint=f"save what matters (commit and push, `envspec cp {plan.env}:PATH .`), or allow the loss: {again}",
    )


def refuse_effects(
    effects: tuple[Effect, ...], allowed: tuple[str, ...], place: Callable[[Effect], Where] | None = None
) -> None:
    """Insist that everything which reaches out of a container was allowed by name.

    Args:
        effects: What reaches out.
        allowed: Names of what may.
        place: Says where an effect stands in a file, ``None`` where that is not known.

    Raises:
        Refused: Something was not.
    """
    found = tuple(effect for effect in effects if effect.name not in allowed)
    if found:
        raise refused(found, place(found[0]) if place else None)


def refuse_remote_binds(desired: Desired, remote: str) -> None:
    """Insist that an engine which does not see this host's files is asked to bind none of them.

    Args:
        desired: What shall be.
        remote: Address of such an engine, "" for one that does see them.

    Raises:
        Refused: Something would be bound.
    """
    if not remote:
        return
    for resource in desired.resources:
        if any(mount.target == AGENT_SOCKET for mount in _mounts(resource)):
            raise Refused(
                f"the engine at {remote} is another host's: the socket of this host's SSH agent is not there",
                code="refused.remote_agent",
                hint="write `forward_ssh: true`: files travel where sockets cannot",
                where=Where(address=resource.address),
            )
        bound = [mount.source for mount in _mounts(resource) if mount.type == "bind"]
        if bound:
            raise Refused(
                f"the engine at {remote} is another host's and would bind its own {_listed(tuple(bound))}",
                code="refused.remote_bind",
                hint="set `mount_cwd: false`, and use `volumes`, `repos` and `config_files` instead of `mounts`",
                where=Where(address=resource.address),
            )


@dataclass(frozen=True, slots=True)
class Bound:
    """Something of this host that an engine is to bind.

    Attributes:
        path: What of this host the engine has to see.
        source: Where the author names it.
        resource: What binds it.
    """

    path: str
    source: str
    resource: Resource


def bound(desired: Desired) -> tuple[Bound, ...]:
    """Return everything of this host that is to be bound, in the order of the resources."""
    return tuple(found for resource in desired.resources for found in _bound(resource))


def _bound(resource: Resource) -> Iterator[Bound]:
    sources = [mount.source for mount in _mounts(resource) if mount.type == "bind"]
    spec = resource.spec
    if isinstance(spec, ServiceSpec):
        files = [item for key, item in sorted(spec.settings.items()) if key.partition(".")[0] in ("secrets", "configs")]
        sources += [str(item["file"]) for item in files if isinstance(item, dict) and item.get("file")]
    for source in sources:
        kept = Path(source).is_relative_to(PLACE)
        yield Bound(str(PLACE) if kept else source, source, resource)


def refuse_unseen(desired: Desired, reader: Reader, where: Callable[[Bound], Where]) -> tuple[str, ...]:
    """Insist that an engine on another machine sees what of this host it is to bind; it is asked only what is bound.

    Args:
        desired: What must be.
        reader: The engine.
        where: Returns where the author asks for something that is bound.

    Returns:
        Paths that it cannot be asked about before it has an image.

    Raises:
        Refused: It does not see something.
    """
    machine = reader.machine()
    wanted = () if machine.here or reader.remote else bound(desired)
    seen = reader.sees(tuple(dict.fromkeys(one.path for one in wanted)))
    for one in wanted:
        if seen.get(one.path) is False:
            raise _unseen(one, machine, where(one))
    return tuple(dict.fromkeys(one.path for one in wanted if one.path not in seen))


def _unseen(one: Bound, machine: Machine, where: Where) -> Refused:
    runs = f"the engine runs on {machine.title}"
    if one.path == AGENT_THERE:
        started = FORWARD_AGENT.get(machine.product, "have that machine bring it there")
        return Refused(
            f"{runs}, which has no socket of this host's SSH agent at {AGENT_THERE}",
            code="refused.unseen_agent",
            hint=f"{started}, or write `forward_ssh: true`: files travel where sockets cannot",
            where=where,
        )
    if one.path == str(PLACE):
        return Refused(
            f"{runs}, which does not see {PLACE}, this host's memory, where secrets of {one.resource.address} would be",
            code="refused.unseen_memory",
            hint="give the secret a `file` in the project instead of `environment` or `content`",
            where=where,
        )
    return Refused(
        f"{runs}, which does not see {one.source} of this host: nothing is there, or something else",
        code="refused.unseen_bind",
        hint=f"{machine.sharing}; or set `mount_cwd: false`, and use `volumes`, `repos` and `config_files`",
        where=where,
    )


def told_of_machine(desired: Desired, reader: Reader, unasked: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the reader of a plan should know of the machine that the engine runs on; nothing of this host.

    Args:
        desired: What must be.
        reader: The engine.
        unasked: What :func:`refuse_unseen` could not ask about.
    """
    machine = reader.machine()
    if machine.here or reader.remote:
        return ()
    paths = tuple(dict.fromkeys(b.source for b in bound(desired) if b.path not in (*unasked, AGENT_THERE)))
    sees = f"; it sees {_listed(paths)}, with whatever owner it shows inside" if paths else ""
    notes = [f"the engine runs on {machine.title}, not on this host{sees}"]
    if unasked:
        notes.append(
            f"whether {machine.title} sees {_listed(unasked)} is asked by apply, once it has an image to ask with"
        )
    boxes = [r.spec.config for r in desired.resources if isinstance(r.spec, ContainerSpec)]
    if not machine.knows_the_host and any(address == GATEWAY for box in boxes for _, address in box.add_hosts):
        notes.append(f"`{GATEWAY}` in add_hosts is the address of {machine.title}, not of this host")
    if machine.product == DESKTOP and any(
        AGENT_THERE in (m.source for m in box.mounts) and not box.user.startswith("0:") for box in boxes
    ):
        notes.append(
            f"{DESKTOP} lets only root use the socket of the SSH agent: as another user, write `forward_ssh: true`"
        )
    return tuple(notes)


def refuse_unhonoured(desired: Desired, engine: str, versions: Callable[[], Versions]) -> None:
    """Insist that the engine does what the workspace asks for; what services ask is judged with their document.

    Raises:
        SpecError: It is too old for something.
    """
    for resource in desired.resources:
        spec = resource.spec
        if isinstance(spec, ImageSpec) and spec.heredoc:
            if told := lacks_heredocs(engine, lambda: versions().engine):
                raise SpecError(
                    f"the purpose {spec.purpose} has a here-document: {told}",
                    code="purpose.heredoc",
                    hint="write the lines with printf '%s\\n' …, or use a newer engine",
                    where=Where(*spec.heredoc, address=resource.address),
                )
        elif isinstance(spec, ContainerSpec) and any(address == GATEWAY for _, address in spec.config.add_hosts):
            there = versions().engine
            if engine == "podman" and there and there < GATEWAY_PODMAN:
                raise SpecError(
                    f"add_hosts: `{GATEWAY}` takes Podman {GATEWAY_PODMAN[0]}, and this is {'.'.join(map(str, there))}",
                    code="spec.unsupported",
                    hint="write the address of the host",
                    where=Where(address=resource.address),
                )


def _mounts(resource: Resource) -> tuple[Mount, ...]:
    """Return the mounts of a workspace or a service."""
    spec = resource.spec
    if isinstance(spec, ContainerSpec):
        return spec.config.mounts
    if isinstance(spec, ServiceSpec):
        found = spec.settings.get("volumes") or ()
        return tuple(Mount(str(m.get("target")), str(m.get("type")), str(m.get("source"))) for m in found)
    return ()


def refuse_more(env: str, existing: tuple[str, ...], most: int | None) -> None:
    """Insist that one environment more is not one too many.

    Args:
        env: The environment that is to be made.
        existing: Names of all that exist.
        most: How many there may be, ``None`` for any number.

    Raises:
        Refused: There are as many already.
    """
    if most is None or env in existing or len(existing) < most:
        return
    raise Refused(
        f"{env} would be one environment too many: there are {len(existing)}, and max_environments is {most}",
        code="refused.max_environments",
        hint="`envspec list` names them; `envspec gc` and `envspec destroy` make room, or raise `max_environments`",
        where=Where(address=env),
    )


def wants_consent(plan: Plan) -> tuple[Change, ...]:
    """Return the changes that end something which exists, so that a person is asked first."""
    return tuple(change for change in plan.changes if change.interrupts)


def refuse_without_consent(plan: Plan, command: str = "") -> None:
    """Refuse what would have needed a yes.

    Args:
        plan: The plan.
        command: The command that carries the plan out without asking, "" for the one that was given with ``--yes``.

    Raises:
        Refused: Always.
    """
    ended = ", ".join(f"{change.action.value} {change.address}" for change in wants_consent(plan))
    raise Refused(
        f"Not approved: {ended}. Nothing was changed.",
        code="refused.no_consent",
        hint=f"add --yes to approve it{f': `{command}`' if command else ''}",
    )


def check_origin(world: Observed, origin: str, same_name: Mapping[str, str]) -> None:
    """Insist that the name does not belong to another spec of this host.

    Args:
        world: What was observed.
        origin: ``host:path`` of the spec at hand.
        same_name: Names of environments by path, for those other specs that still exist on this host.

    Raises:
        Conflict: Another spec that still exists on this host made the environment.
    """
    box = world.workspace
    made_by = box.labels.get(names.ORIGIN, "") if box else ""
    if not made_by or not origin or made_by == origin:
        return
    path = other_path(made_by, origin)
    if same_name.get(path) == world.env:
        raise Conflict(
            f"the name {world.env} belongs to {path}",
            code="conflict.other_spec",
            hint="give one of the two another `name`, or apply with --take-over to make it this file's",
            where=Where(file=path),
        )


def other_path(made_by: str, origin: str) -> str:
    """Return the path of the spec that made an environment, as it is shown, "" when that was on another host."""
    host, _, path = made_by.partition(":")
    return path if host == origin.partition(":")[0] and Path(path).is_absolute() else ""


def _listed(things: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(things[:most]) + more
