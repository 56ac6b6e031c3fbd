"""The engine's ``inspect`` JSON as facts of our own; pure."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envspec.engine import held
from envspec.engine.archive import SNAPSHOT_KIND
from envspec.engine.image_tools import layers_of
from envspec.engine.objects import (
    DEFAULT_PERIOD,
    LABEL,
    UNCOUNTED,
    UNLIMITED,
    Attachment,
    ContainerConfig,
    ContainerState,
    ImageState,
    ImageUse,
    Mount,
    Port,
    StoredImage,
)
from envspec.engine.part import Part

DEFAULT_SHM = 64 * 1024 * 1024
"""Size of ``/dev/shm`` that the engine gives when none is asked for, in bytes; read back as ``None``."""

USER_LABEL = f"{LABEL}user"
"""Who a container's commands run as. Its main process is root's: with ``no-new-privileges`` the engine gives root's
execs no capability at all in a container whose own user is another (measured on Docker 20.10)."""

NANO = 1_000_000_000
"""The engine counts processors in billionths."""

REPOSITORY = "envspec/"
"""Begins the reference of every image that we make for environments to share."""

SHARED_KINDS = ("image", "base_image")
"""What the label ``kind`` says of such images."""

_SHORT_ID = 12
ANONYMOUS = re.compile(r"[0-9a-f]{64}")
"""The name that an engine gives to a volume that nobody named."""

_PORT = re.compile(r"[0-9]{1,5}")
_PORTS = re.compile(r"([0-9]{1,5}(-[0-9]{1,5})?)?")
_STATUSES = {"removing": "dead"}

type_json = Mapping[str, Any]


def container(data: type_json) -> ContainerState:
    """Read one container's ``inspect``; what cannot be read is named in ``unread`` and reads as absent."""
    top = Part(data)
    state, config, settings = top.part("State"), top.part("Config"), top.part("NetworkSettings")
    status = _STATUSES.get(state.text("Status"), state.text("Status"))
    return ContainerState(
        id=top.text("Id"),
        name=top.text("Name").removeprefix("/"),
        status=status,
        image_id=top.text("Image"),
        labels={key: value for key, value in config.table("Labels").items() if key != USER_LABEL},
        config=_config(top, config, top.part("HostConfig")),
        networks=_networks(settings, top.text("Id")),
        published=_bindings(settings, "Ports") if status == "running" else (),
        exit_code=state.number("ExitCode"),
        health=_health(state.part("Health")),
        anonymous=_anonymous(top),
        pid=state.number("Pid"),
        cut_off=status == "running" and _is_cut_off(settings, top.part("HostConfig").text("NetworkMode")),
        unread=top.unread,  # last: it is known when all else has been read
    )


def status_of(data: type_json) -> str:
    """Return the engine's own word for a container's state, "" when it cannot be read."""
    return Part(data).part("State").text("Status")


def image(data: type_json) -> ImageState:
    """Read one image's ``inspect``."""
    top = Part(data)
    config = top.part("Config")
    return ImageState(
        id=top.text("Id"),
        labels=config.table("Labels"),
        size=top.number("Size"),
        entrypoint=config.texts("Entrypoint"),
        health=(config if config.given("Healthcheck") else top).part("Healthcheck").texts("Test"),
        volumes=tuple(sorted(posixpath.normpath(path) for path, _ in config.entries("Volumes"))),
        layers=layers_of(top.part("GraphDriver")),
    )


USED = "-used"
"""How a second reference of an image ends that only tells when it was used, and is none of those that people see."""


def stored_images(
    images: Sequence[type_json],
    containers: Sequence[type_json],
    wanted: Callable[[Mapping[str, str], Sequence[str]], bool],
) -> tuple[StoredImage, ...]:
    """Read images that we made.

    Args:
        images: Their ``inspect``.
        containers: That of all containers.
        wanted: Says by its labels and references whether an image is one of those asked for.
    """
    uses: dict[str, list[ImageUse]] = {}
    for box in map(Part, containers):
        use = ImageUse(box.moment("Created"), box.text("Name").removeprefix("/"))
        uses.setdefault(_bare(box.text("Image")), []).append(use)
    found = []
    for data in images:
        state, top = image(data), Part(data)
        refs = _shown(set(map(familiar, top.texts("RepoTags"))))
        if wanted(state.labels, refs):
            running = tuple(sorted(uses.get(_bare(state.id), ())))
            created, tagged = top.moment("Created"), top.part("Metadata")
            marked = max(0.0, tagged.moment("LastTagTime")) if tagged.given("LastTagTime") else 0.0
            found.append(StoredImage(state.id, refs, state.labels, state.size, created, running, marked, top.unread))
    return tuple(sorted(found, key=lambda stored: stored.refs))


def _shown(refs: set[str]) -> tuple[str, ...]:
    """Return the references that people see, sorted: none of those that only tell of use, or hold an image."""
    own = {ref for ref in refs if ref.endswith(USED) and ref.removesuffix(USED) in refs}
    return tuple(sorted(ref for ref in refs - own if not ref.startswith(f"{held.REPOSITORY}:")))


def is_shared(labels: Mapping[str, str], refs: Sequence[str]) -> bool:
    """Say whether an image is one of ours that environments share; what is built upon one inherits its labels."""
    kind = labels.get(f"{LABEL}kind")
    return kind in SHARED_KINDS and f"{LABEL}env" not in labels and any(ref.startswith(REPOSITORY) for ref in refs)


def is_snapshot(labels: Mapping[str, str], refs: Sequence[str]) -> bool:
    """Say whether an image is part of a snapshot; what is built upon one inherits its labels."""
    ours = (ref.startswith(f"{REPOSITORY}{SNAPSHOT_KIND}/") for ref in refs)
    return labels.get(f"{LABEL}kind") == SNAPSHOT_KIND and any(ours)


def find_image(images: Sequence[type_json], ref: str) -> type_json | None:
    """Return the one of several images' ``inspect`` that a reference or an ID means, or ``None``."""
    wanted = familiar(ref)
    for data in images:
        top = Part(data)
        known = {familiar(name) for name in (*top.texts("RepoTags"), *top.texts("RepoDigests"))}
        if top.text("Id") in (ref, f"sha256:{ref}") or wanted in known:
            return data
    short = ref.removeprefix("sha256:")
    by_prefix = [data for data in images if _bare(Part(data).text("Id")).startswith(short)]
    return by_prefix[0] if len(by_prefix) == 1 else None


def familiar(ref: str) -> str:
    """Return a reference without the default registry (on Podman also ``localhost``), and with a tag."""
    name = ref.removeprefix("localhost/").removeprefix("docker.io/").removeprefix("library/")
    if "@" in name:
        repository, _, digest = name.partition("@")
        parent, slash, last = repository.rpartition("/")
        return f"{parent}{slash}{last.partition(':')[0]}@{digest}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _bare(image_id: str) -> str:
    return image_id.removeprefix("sha256:")


def _config(top: Part, config: Part, host: Part) -> ContainerConfig:
    hostname, mode = config.text("Hostname"), host.text("NetworkMode")
    privileged = host.flag("Privileged")
    return ContainerConfig(
        image=config.text("Image"),
        command=(*config.texts("Entrypoint"), *config.texts("Cmd")),
        hostname="" if hostname == top.text("Id")[:_SHORT_ID] or mode == "host" else hostname,
        user=config.table("Labels").get(USER_LABEL) or config.text("User"),
        workdir=config.text("WorkingDir"),
        mounts=_mounts(host, _declared(config)),
        tmpfs=tuple(sorted(host.table("Tmpfs"))),
        ports=_bindings(host, "PortBindings"),
        network="bridge" if mode in ("", "default") else mode,
        add_hosts=tuple(sorted(_pair(line) for line in host.texts("ExtraHosts"))),
        memory=host.number("Memory") or None,
        swap=_swap(host),
        memory_reservation=_positive(host.number("MemoryReservation")),
        kernel_memory=_positive(host.number("KernelMemory")),
        cpu_shares=_positive(host.number("CpuShares")),
        cpuset_cpus=host.text("CpusetCpus") or None,
        cpuset_mems=host.text("CpusetMems") or None,
        cpu_period=_cpu_period(host),
        cpu_rt_period=_positive(host.number("CpuRealtimePeriod")),
        cpu_rt_runtime=_positive(host.number("CpuRealtimeRuntime")),
        blkio_weight=_positive(host.number("BlkioWeight")),
        cpus=_cpus(host),
        pids=_positive(host.number("PidsLimit")),
        shm_size=_shm(host.number("ShmSize")),
        gpu=host.given("DeviceRequests"),
        cap_drop=_capabilities(host.texts("CapDrop")),
        cap_add=_capabilities(host.texts("CapAdd")),
        security_opt=_security(host.texts("SecurityOpt"), privileged=privileged),
        read_only=host.flag("ReadonlyRootfs"),
        privileged=privileged,
        restart=host.part("RestartPolicy").text("Name") or "no",
        retries=_positive(host.part("RestartPolicy").number("MaximumRetryCount")),
        init=host.flag("Init"),
        env=dict(sorted(_variable(line) for line in config.texts("Env"))),
    )


def _variable(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name, value


def _pair(line: str) -> tuple[str, str]:
    """Split an extra host at its first colon: an IPv6 address has more of them, a name none."""
    name, _, address = line.partition(":")
    return name, address


def _health(health: Part) -> str:
    """Read what the health check says; an image may switch its check off by ``none``."""
    said = health.text("Status")
    return "" if said == "none" else said


def _anonymous(top: Part) -> tuple[Mount, ...]:
    """Return the volumes that nobody named at creation, or that were taken over from a container where nobody had."""
    named = {mount.target for mount in _mounts(top.part("HostConfig"), _declared(top.part("Config")))}
    found = (item for item in top.parts("Mounts") if item.text("Type") == "volume")
    mounts = (Mount(item.text("Destination"), "volume", item.text("Name")) for item in found)
    return tuple(sorted(mount for mount in mounts if mount.target not in named))


def _positive(value: int) -> int | None:
    return value if value > 0 else None


def _swap(host: Part) -> int | None:
    """Read what it may swap beside its memory; without a limit on memory none on swap counts."""
    memory, both = host.number("Memory"), host.number("MemorySwap")
    if memory <= 0:
        return None
    if both < 0:
        return UNLIMITED
    return both - memory or None if both else UNCOUNTED


def _shm(value: int) -> int | None:
    return None if value in (0, DEFAULT_SHM) else value


def _cpus(host: Part) -> float | None:
    """Read the limit in processors, however it was set."""
    nano = host.number("NanoCpus")
    if nano:
        return float(nano / NANO)
    quota, period = host.number("CpuQuota"), host.number("CpuPeriod") or DEFAULT_PERIOD
    return float(quota / period) if quota > 0 else None


def _cpu_period(host: Part) -> int | None:
    """Read a period that no limit in processors goes with; the default one is none."""
    period = host.number("CpuPeriod")
    return (
        None
        if host.number("NanoCpus") or host.number("CpuQuota") > 0 or period == DEFAULT_PERIOD
        else _positive(period)
    )


def _capabilities(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(name.upper().removeprefix("CAP_") for name in names))


def _security(options: Sequence[str], *, privileged: bool) -> tuple[str, ...]:
    """Read the options, without the one that the engine adds itself to a privileged container."""
    kept = (option for option in options if not (privileged and option == "label=disable"))
    return tuple(sorted(option.replace("no-new-privileges:true", "no-new-privileges") for option in kept))


def _declared(config: Part) -> frozenset[str]:
    """Return where a service mounts volumes by name, by what was written down: a name may be one of 64 digits."""
    try:
        mounts = json.loads(config.table("Labels").get(f"{LABEL}settings", "{}"))["settings"]["volumes"]
        targets = [str(mount["target"]) for mount in mounts if mount.get("source")]
        return frozenset((*targets, *map(posixpath.normpath, targets)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return frozenset()


def _mounts(host: Part, declared: frozenset[str]) -> tuple[Mount, ...]:
    """Read what was asked for at creation; Podman lists volumes there too that nobody asked for, by its own names.

    Args:
        host: The container's ``HostConfig``.
        declared: Where the author named a volume, whatever its name looks like.
    """
    mounts = [
        Mount(item.text("Target"), item.text("Type"), item.text("Source"), item.flag("ReadOnly"))
        for item in host.parts("Mounts")
        if item.text("Type") in ("bind", "volume")
    ]
    for bind in host.texts("Binds"):
        source, colon, rest = bind.partition(":")
        target, _, options = rest.partition(":")
        if not colon:
            host.fault("Binds")
            continue
        mounts.append(Mount(target, "bind" if source.startswith("/") else "volume", source, "ro" in options.split(",")))
    return tuple(sorted(m for m in mounts if m.source and (m.target in declared or not ANONYMOUS.fullmatch(m.source))))


def _bindings(holder: Part, name: str) -> tuple[Port, ...]:
    """Read published ports; of a range on the host the engine takes a free one, as of all with 0."""
    ports = set()
    for key, places in holder.lists(name):
        number, _, protocol = key.partition("/")
        for place in places:
            host, address = place.text("HostPort"), place.text("HostIp") or "0.0.0.0"
            if not (_PORT.fullmatch(number) and _PORTS.fullmatch(host)):
                holder.fault(name)
                continue
            ports.add(Port(int(number), int(host) if _PORT.fullmatch(host) else 0, address, protocol or "tcp"))
    return tuple(sorted(ports))


def _networks(settings: Part, container_id: str) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(name, item.text("NetworkID"), _aliases(item.texts("Aliases"), container_id))
        for name, item in sorted(settings.entries("Networks"), key=lambda entry: entry[0])
        if name not in ("none", "host")
    )


def _is_cut_off(settings: Part, mode: str) -> bool:
    """Say whether a container that runs has no endpoint: Docker tells one by its ID, Podman by its addresses."""
    if mode in ("none", "host") or ":" in mode:
        return False
    told = ("EndpointID", "IPAddress", "GlobalIPv6Address")
    return not any(item.given(name) for _, item in settings.entries("Networks") for name in told)


def _aliases(aliases: Sequence[str], container_id: str) -> tuple[str, ...]:
    """Return the aliases that were asked for: Docker before 25 adds the short ID to their end, then the hostname."""
    short = container_id[:_SHORT_ID]
    asked = aliases[: list(aliases).index(short)] if short in aliases else aliases
    return tuple(sorted({*asked}))
