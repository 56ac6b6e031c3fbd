"""What is there: all environments, and one of them in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from envspec.api.connect import ConnectInfo, connect_info
from envspec.api.ends import ending, is_persistent
from envspec.engine.base import Reader
from envspec.engine.facts import Answer, Questions
from envspec.engine.objects import ContainerState
from envspec.engine.run_files import parse
from envspec.engine.usage import Usage
from envspec.errors import Conflict, UsageError, Where
from envspec.inside.door import unknown
from envspec.kinds import names
from envspec.kinds.base import is_service, workspace_of
from envspec.kinds.lease import expiry
from envspec.kinds.service_state import base_of, has_completed
from envspec.model import type_json

NO_CONTAINER = "no container"
"""Status of an environment of which only volumes or services are left."""


WORKSPACE = "workspace"
"""Stands for the workspace where services go by their names."""


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """One environment in a list.

    Attributes:
        name: Its name.
        status: Status of its container, ``no container`` when only volumes are left of it.
        image: Reference of the image that it runs.
        purpose: Its purpose, "" when it runs an image of the user's.
        ports: Published ports, ``127.0.0.1:8080->80/tcp``.
        spec: ``host:path`` of the spec that made it.
        persistent: Whether it survives the end of its session.
        session: ID of the session that made it, "" for none.
        expires: When it expires, as it was when its container was made; "" for never.
        services: Names of its services.
        services_up: How many of them run and are not unhealthy, or ended well as their author wrote.
        unread: What of the engine's descriptions of its containers cannot be read, ``CONTAINER: FIELD`` each; such an
            environment is shown as far as it can be, and otherwise left alone.
    """

    name: str
    status: str
    image: str = ""
    purpose: str = ""
    ports: tuple[str, ...] = ()
    spec: str = ""
    persistent: bool = False
    session: str = ""
    expires: str = ""
    services: tuple[str, ...] = ()
    services_up: int = 0
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service of an environment.

    Attributes:
        name: Its name.
        status: Status of its container, with what its health check says: ``running (healthy)``.
        image: Reference of its image.
        container: Name of its container.
        ports: Published ports.
    """

    name: str
    status: str
    image: str
    container: str
    ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """One environment in detail.

    Attributes:
        name: Its name.
        status: Status of its container.
        container: Name of its container.
        container_id: ID of its container.
        image: Reference of the image that it runs.
        base: What of it is another base image or version than a registry would give, and why; "" for nothing.
        spec: ``host:path`` of the spec that made it.
        user: Whom work inside runs as, ``name (uid:gid)``.
        workdir: Directory of the workspace.
        ports: Published ports.
        networks: Networks that it is attached to.
        mounts: Mounts, ``source -> target (ro)``.
        volumes: Its named volumes.
        limits: Limits by name; those that are not set are left out.
        variables: Names of the plain variables that are present inside.
        secrets: Names of the secret variables that are present inside.
        secret_files: Files that live in the tmpfs alone and are present, by path.
        applied: Addresses that the ledger holds, sorted.
        connect: The command that takes a person inside, "" while it does not run.
        services: Its services.
        health: What its check said at the last apply: ``passed``, ``not passed``, "" where there is none.
        usage: What it uses of the host: the workspace under ``workspace``, each service under its name.
        session: ID of the session that made it.
        persistent: Whether it outlives its session, and a restart of the engine.
        expires: When it expires, "" for never.
        ends: How it ends, in words.
        drift: What differs from its spec, ``address: reason`` each; ``None`` where nobody asked.
        unread: What of the engine's descriptions of its containers cannot be read, ``CONTAINER: FIELD`` each.
    """

    name: str
    status: str
    container: str
    container_id: str
    image: str
    base: str
    spec: str
    user: str
    workdir: str
    ports: tuple[str, ...]
    networks: tuple[str, ...]
    mounts: tuple[str, ...]
    volumes: tuple[str, ...]
    limits: Mapping[str, type_json]
    variables: tuple[str, ...]
    secrets: tuple[str, ...]
    secret_files: tuple[str, ...]
    applied: tuple[str, ...]
    connect: str
    services: tuple[ServiceRow, ...] = ()
    health: str = ""
    usage: Mapping[str, Usage] = field(default_factory=dict)
    session: str = ""
    persistent: bool = False
    expires: str = ""
    ends: str = ""
    drift: tuple[str, ...] | None = None
    unread: tuple[str, ...] = ()


def environments(reader: Reader) -> tuple[EnvironmentRow, ...]:
    """Return all environments of an engine, sorted by name, those that left only volumes included."""
    rows: dict[str, EnvironmentRow] = {}
    boxes = reader.containers()
    for box in boxes:
        env = box.labels.get(names.ENV, "")
        if is_service(box):
            rows.setdefault(env, EnvironmentRow(env, NO_CONTAINER, spec=box.labels.get(names.ORIGIN, "")))
        elif env and (env not in rows or not rows[env].image or box == workspace_of(boxes, env)):
            rows[env] = EnvironmentRow(
                name=env,
                status=box.status,
                image=box.config.image,
                purpose=box.labels.get(names.PURPOSE, ""),
                ports=_ports(box),
                spec=box.labels.get(names.ORIGIN, ""),
                persistent=is_persistent(box),
                session=box.labels.get(names.SESSION, ""),
                expires=box.labels.get(names.EXPIRES, ""),
            )
    for volume in reader.volumes():
        env = volume.labels.get(names.ENV, "")
        if env:
            rows.setdefault(env, EnvironmentRow(env, NO_CONTAINER))
    return tuple(_with_services(rows[name], boxes) for name in sorted(rows))


def status(reader: Reader, env: str) -> EnvironmentStatus:
    """Return one environment in detail.

    Raises:
        UsageError: There is no such environment.
    """
    box = find(reader, env)
    beside = [other for other in reader.containers(env) if is_service(other) and other.labels.get(names.ENV) == env]
    with ThreadPoolExecutor(max_workers=1) as pool:  # an engine takes its time to say what is used
        used = pool.submit(_usage, reader, {WORKSPACE: box, **{_service(other): other for other in beside}})
        answer = reader.probe(box.id, Questions()) if box.running else None
    accounts = answer.accounts if answer else ()
    info = connect_info(reader.command, box, accounts)
    config = box.config
    limits = {"memory": config.memory, "cpus": config.cpus, "pids": config.pids, "shm_size": config.shm_size}
    owned = [v.name for v in reader.volumes() if v.labels.get(names.ENV) == env]
    return EnvironmentStatus(
        name=env,
        status=box.status,
        container=box.name,
        container_id=box.id,
        image=config.image,
        base=box.labels.get(names.STANDS_IN, ""),
        spec=box.labels.get(names.ORIGIN, ""),
        user=f"{info.user} ({config.user})",
        workdir=config.workdir,
        ports=_ports(box),
        networks=tuple(attachment.network for attachment in box.networks),
        mounts=tuple(f"{m.source} -> {m.target}{' (ro)' if m.read_only else ''}" for m in config.mounts),
        volumes=tuple(owned),
        limits={name: value for name, value in limits.items() if value is not None},
        variables=tuple(sorted(parse(answer.environment or ""))) if answer else (),
        secrets=answer.seals.present if answer and answer.seals else (),
        secret_files=answer.seals.others if answer and answer.seals else (),
        applied=tuple(sorted(_applied(e.address, e.data) for e in answer.ledger)) if answer else (),
        connect=info.command if box.running else "",
        services=_rows(beside),
        health=_health(box, answer),
        usage=used.result(),
        session=box.labels.get(names.SESSION, ""),
        persistent=is_persistent(box),
        ends=ending(env, box, answer),
        expires=moment.isoformat(timespec="seconds") if (moment := expiry(answer, box.labels)) else "",
        unread=_unread([box, *beside]),
    )


def _unread(boxes: Sequence[ContainerState]) -> tuple[str, ...]:
    return tuple(sorted(f"{box.name}: {field}" for box in boxes for field in box.unread))


def _usage(reader: Reader, boxes: Mapping[str, ContainerState]) -> dict[str, Usage]:
    """Return what each running container uses, by what it is in the environment."""
    running = {name: box.id for name, box in boxes.items() if box.running}
    found = reader.usage(tuple(running.values())) if running else {}
    return {name: found[id] for name, id in sorted(running.items()) if id in found}


def _health(box: ContainerState, answer: Answer | None) -> str:
    """Return what the workspace's check said when it last ran."""
    wanted = "health.workspace"
    if answer and answer.entry(wanted):
        return "passed"
    return box.health or ""


def services(reader: Reader, env: str) -> tuple[ServiceRow, ...]:
    """Return the services of an environment that have a container, sorted by name."""
    return _rows([box for box in reader.containers(env) if is_service(box) and box.labels.get(names.ENV) == env])


def service_containers(reader: Reader, env: str, service: str = "") -> dict[str, str]:
    """Return the names of the containers of an environment's services, by service.

    Args:
        reader: The engine.
        env: Name of the environment.
        service: The one service that matters, with all its containers, or one of those; "" for all.

    Raises:
        UsageError: There is no such environment or service, or it has none.
    """
    rows = services(reader, env)
    found = {row.name: row.container for row in rows if service in ("", row.name, base_of(row.name))}
    if not found:
        known = ", ".join(row.name for row in rows)
        raise UsageError(
            f"{env} has no service {service}" if service else f"{env} has no services",
            code="env.no_service",
            hint=f"its services are {known}" if known else "`envspec status` shows what there is",
        )
    return found


def _rows(found: Sequence[ContainerState]) -> tuple[ServiceRow, ...]:
    rows = (ServiceRow(_service(box), _state(box), box.config.image, box.name, _ports(box)) for box in found)
    return tuple(sorted(rows, key=lambda row: (row.name, row.container)))


def connect(reader: Reader, env: str, *, root: bool = False) -> ConnectInfo:
    """Return how a person gets inside, as the environment's user or as root.

    Raises:
        UsageError: There is no such environment.
        Conflict: It does not run.
    """
    box = find(reader, env)
    if not box.running:
        raise Conflict(
            f"the environment {env} is {box.status}",
            code="env.stopped",
            hint="`envspec apply` its file starts it again",
            where=Where(address=names.WORKSPACE),
        )
    return connect_info(reader.command, box, reader.probe(box.id, Questions()).accounts, root=root)


def find(reader: Reader, env: str) -> ContainerState:
    """Return an environment's container.

    Raises:
        UsageError: There is no such environment.
    """
    found = workspace_of(reader.containers(env), env)
    if found is None:
        raise unknown(env)
    return found


def _service(box: ContainerState) -> str:
    return box.labels.get(names.ADDRESS, "").removeprefix("service.")


def _state(box: ContainerState) -> str:
    if box.status == "exited":
        return f"exited ({box.exit_code})"
    return f"{box.status} ({box.health})" if box.running and box.health else box.status


def _with_services(row: EnvironmentRow, boxes: tuple[ContainerState, ...]) -> EnvironmentRow:
    ours = [box for box in boxes if is_service(box) and box.labels.get(names.ENV) == row.name]
    up = sum((box.running and box.health != "unhealthy") or has_completed(box) for box in ours)
    unread = _unread([box for box in boxes if box.labels.get(names.ENV) == row.name])
    return replace(row, services=tuple(sorted(_service(box) for box in ours)), services_up=up, unread=unread)


def _ports(box: ContainerState) -> tuple[str, ...]:
    return tuple(f"{p.address}:{p.host}->{p.container}/{p.protocol}" for p in box.published)


def _applied(address: str, data: Mapping[str, object]) -> str:
    """Return an address as people read it: commands by what they say."""
    command = data.get("command")
    return f"command: {command}" if command else address
