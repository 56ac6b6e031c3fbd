"""What may be done without asking, what has to be asked for, and what is refused.

One rule has one home: doors ask here and decide nothing themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from envspec.compose.read import refused
from envspec.engine.capabilities import GATEWAY, GATEWAY_PODMAN, Versions, lacks_heredocs
from envspec.engine.facts import AGENT_SOCKET
from envspec.engine.objects import Mount
from envspec.errors import Conflict, Refused, SpecError, Where
from envspec.kinds import names
from envspec.kinds.base import Observed
from envspec.kinds.container import ContainerSpec
from envspec.kinds.image import ImageSpec
from envspec.kinds.loss import goes_unasked
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
    return tuple(change for change in found if not (ephemeral and all(map(goes_unasked, change.data_loss))))


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
