"""The workspace container as it shall be: mounts, limits, capabilities, ports, networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envspec import hostpath
from envspec.engine.capabilities import is_mountable
from envspec.engine.facts import AGENT_SOCKET, ENV_FILE, RUN_DIR, STATE_DIR
from envspec.engine.inspect import DEFAULT_SHM
from envspec.engine.objects import ContainerConfig, Mount, Port
from envspec.errors import Faults, SpecError, Where
from envspec.kinds import names
from envspec.kinds.container import ContainerSpec
from envspec.kinds.image import ImageSpec
from envspec.resolve.user import Identity
from envspec.spec.models import Spec
from envspec.spec.values import shown
from envspec.visible import one_line

DEV_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
    "SYS_CHROOT",
)
"""What package managers and daily work need of Docker's default list: no raw sockets, device nodes or file caps."""

STRICT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
"""What envspec itself needs to write files for the user, to become the user, and to end what it started."""

STRICT_CPUS = 1.0
"""Processors of a strict workspace that names no limit: it leaves the host to others."""

READ_ONLY_TMPFS = ("/tmp", "/var/tmp", "/home", STATE_DIR)
"""What has to be writable although the root filesystem is not."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the spec lies and what is mounted from there.

    Attributes:
        env: Name of the environment.
        directory: Real directory of the spec.
        mount_cwd: Whether it is bound at the workspace.
        where: Returns the place in the file of a value, for errors.
    """

    env: str
    directory: Path
    mount_cwd: bool
    where: Callable[..., Where]


def mounts(spec: Spec, place: Place, faults: Faults) -> tuple[Mount, ...]:
    """Return all mounts, sorted by target, the faulty ones too.

    Args:
        spec: The spec.
        place: Where it lies.
        faults: Takes a fault for each host path that does not exist or cannot be mounted.
    """
    found = [Mount(v.container, "volume", names.volume(place.env, v.name)) for v in spec.volumes]
    if place.mount_cwd:
        hint = "move the spec to another directory, or write `mount_cwd: false`"
        with faults:
            check_mountable(str(place.directory), hint, place.where("mount_cwd"))
        found.append(Mount(spec.workspace, "bind", str(place.directory)))
    else:
        found.append(Mount(spec.workspace, "volume", names.volume(place.env, "workspace")))
    for index, wish in enumerate(spec.mounts):
        host = hostpath.real(hostpath.expanded(place.directory, wish.host))
        if trouble := hostpath.trouble(host):
            faults.add(
                SpecError(
                    f"{shown(str(host))} {trouble}",
                    code="spec.mount_missing",
                    hint="create it, or change `host`",
                    where=place.where("mounts", index, "host"),
                )
            )
        with faults:
            hint = "rename it, or mount a directory above it"
            check_mountable(str(host), hint, place.where("mounts", index, "host"))
        found.append(Mount(wish.container, "bind", str(host), wish.mode == "ro"))
    return tuple(sorted(found))


def check_mountable(path: str, hint: str, where: Where) -> None:
    """Insist that a path of the host can be mounted.

    Raises:
        SpecError: The engine's command line would cut it.
    """
    if any("\ud800" <= character <= "\udfff" for character in path):
        told = f"`{one_line(path)}` is not UTF-8: no engine can mount such a path"
        raise SpecError(told, code="spec.mount_path", hint=hint, where=where)
    if not is_mountable(path):
        told = f"{shown(path)}: the engine cannot mount a path with a comma, colon, double quote or line break"
        raise SpecError(told, code="spec.mount_path", hint=hint, where=where)


def container(  # noqa: PLR0913, PLR0917 - what it is made of
    spec: Spec,
    place: Place,
    who: Identity,
    mounted: tuple[Mount, ...],
    image: tuple[str, ImageSpec | None],
    beside: tuple[str, ...] = (),
) -> ContainerSpec:
    """Return the workspace container.

    Args:
        spec: The spec.
        place: Where it lies.
        who: Who works inside.
        mounted: What :func:`mounts` returned.
        image: Reference to run, and the purpose's image when it is one.
        beside: Networks that its services are on.
    """
    security = spec.security
    read_only = bool(security.read_only)
    strict = security.profile == "strict"
    base = STRICT_CAPABILITIES if strict else DEV_CAPABILITIES
    ref, built = image
    # What is started without a shell does not read the tmpfs, and the place of a socket is no secret.
    agent = {"SSH_AUTH_SOCK": AGENT_SOCKET} if any(mount.target == AGENT_SOCKET for mount in mounted) else {}
    config = ContainerConfig(
        image=ref,
        hostname="" if spec.network == "host" else place.env,
        user=f"{who.uid}:{who.gid}",
        workdir=spec.workspace,
        mounts=mounted,
        tmpfs=tuple(sorted({RUN_DIR, *(READ_ONLY_TMPFS if read_only else ())})),
        ports=tuple(sorted(Port(p.container, p.host, p.address, p.protocol) for p in spec.ports)),
        network=spec.network,
        add_hosts=tuple(sorted(spec.add_hosts.items())),
        memory=spec.memory,
        cpus=STRICT_CPUS if strict and spec.cpus is None else spec.cpus,
        pids=spec.pids,
        shm_size=None if spec.shm_size == DEFAULT_SHM else spec.shm_size,
        gpu=spec.gpu,
        cap_drop=() if security.privileged else ("ALL",),
        cap_add=() if security.privileged else tuple(sorted({*base, *security.cap_add})),
        security_opt=() if security.privileged else ("no-new-privileges",),
        read_only=read_only,
        privileged=security.privileged,
        restart="unless-stopped" if spec.persistent else "no",
        env={"BASH_ENV": ENV_FILE, "ENV": ENV_FILE, **agent},
    )
    return ContainerSpec(
        config=config,
        networks=tuple(sorted({*spec.networks, *beside})),
        aliases=(place.env,) if spec.networks or beside else (),
        own=(place.env,) if beside else (),
        content=built.content if built else "",
        base=built.base if built else "",
        purpose=built.purpose if built else "",
        ttl=spec.ttl,
    )
