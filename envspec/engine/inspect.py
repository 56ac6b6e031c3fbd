"""The engine's ``inspect`` JSON as facts of our own; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from envspec.engine.archive import SNAPSHOT_KIND
from envspec.engine.objects import (
    LABEL,
    Attachment,
    ContainerConfig,
    ContainerState,
    ImageState,
    ImageUse,
    Mount,
    Port,
    StoredImage,
)

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
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_STATUSES = {"removing": "dead"}

type_json = Mapping[str, Any]


def container(data: type_json) -> ContainerState:
    """Read one container's ``inspect``."""
    state = data["State"]
    status = _STATUSES.get(state["Status"], state["Status"])
    return ContainerState(
        id=data["Id"],
        name=data["Name"].removeprefix("/"),
        status=status,
        image_id=data["Image"],
        labels={key: value for key, value in _labels(data).items() if key != USER_LABEL},
        config=_config(data),
        networks=_networks(data),
        published=_published(data) if status == "running" else (),
        exit_code=state.get("ExitCode") or 0,
        health=_health(state),
        anonymous=_anonymous(data),
    )


def image(data: type_json) -> ImageState:
    """Read one image's ``inspect``."""
    config = data.get("Config") or {}
    return ImageState(id=data["Id"], labels=dict(config.get("Labels") or {}), size=data.get("Size") or 0)


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
    for box in containers:
        use = ImageUse(_time(box["Created"]), box["Name"].removeprefix("/"))
        uses.setdefault(_bare(box["Image"]), []).append(use)
    found = []
    for data in images:
        state = image(data)
        refs = tuple(sorted(map(familiar, data.get("RepoTags") or ())))
        if wanted(state.labels, refs):
            running = tuple(sorted(uses.get(_bare(state.id), ())))
            created, marked = _time(data["Created"]), (data.get("Metadata") or {}).get("LastTagTime")
            given = max(0.0, _time(marked)) if marked else 0.0
            found.append(StoredImage(state.id, refs, state.labels, state.size, created, running, given))
    return tuple(sorted(found, key=lambda stored: stored.refs))


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
        tags = {familiar(tag) for tag in data.get("RepoTags") or ()}
        digests = {familiar(digest) for digest in data.get("RepoDigests") or ()}
        if data["Id"] in (ref, f"sha256:{ref}") or wanted in tags | digests:
            return data
    short = ref.removeprefix("sha256:")
    by_prefix = [data for data in images if data["Id"].removeprefix("sha256:").startswith(short)]
    return by_prefix[0] if len(by_prefix) == 1 else None


def familiar(ref: str) -> str:
    """Return a reference without the default registry (on Podman also ``localhost``), and with a tag."""
    name = ref.removeprefix("localhost/").removeprefix("docker.io/").removeprefix("library/")
    if "@" in name:
        repository, _, digest = name.partition("@")
        return f"{repository.partition(':')[0] if '/' not in repository else repository}@{digest}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _time(text: str) -> float:
    """Read a time as engines write it, in nanoseconds and with a zone."""
    return datetime.fromisoformat(text).timestamp()


def _bare(image_id: str) -> str:
    return image_id.removeprefix("sha256:")


def _config(data: type_json) -> ContainerConfig:
    config, host = data["Config"], data["HostConfig"]
    hostname = config.get("Hostname") or ""
    privileged = bool(host.get("Privileged"))
    return ContainerConfig(
        image=config["Image"],
        command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        hostname="" if hostname == data["Id"][:_SHORT_ID] or host.get("NetworkMode") == "host" else hostname,
        user=_labels(data).get(USER_LABEL) or config.get("User") or "",
        workdir=config.get("WorkingDir") or "",
        mounts=_mounts(host),
        tmpfs=tuple(sorted(host.get("Tmpfs") or ())),
        ports=_bindings(host.get("PortBindings") or {}),
        network=_mode(host.get("NetworkMode") or ""),
        add_hosts=tuple(sorted(_pair(line) for line in host.get("ExtraHosts") or ())),
        memory=host.get("Memory") or None,
        cpus=_cpus(host),
        pids=_positive(host.get("PidsLimit")),
        shm_size=_shm(host.get("ShmSize")),
        gpu=bool(host.get("DeviceRequests")),
        cap_drop=_capabilities(host.get("CapDrop")),
        cap_add=_capabilities(host.get("CapAdd")),
        security_opt=_security(host.get("SecurityOpt"), privileged=privileged),
        read_only=bool(host.get("ReadonlyRootfs")),
        privileged=privileged,
        restart=(host.get("RestartPolicy") or {}).get("Name") or "no",
        init=bool(host.get("Init")),
        env=dict(sorted(_variable(line) for line in config.get("Env") or ())),
    )


def _labels(data: type_json) -> Mapping[str, str]:
    return data["Config"].get("Labels") or {}


def _variable(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name, value


def _pair(line: str) -> tuple[str, str]:
    """Split an extra host at its first colon: an IPv6 address has more of them, a name none."""
    name, _, address = line.partition(":")
    return name, address


def _health(state: type_json) -> str:
    """Read what the health check says; an image may switch its check off by ``none``."""
    said = (state.get("Health") or {}).get("Status") or ""
    return "" if said == "none" else said


def _anonymous(data: type_json) -> tuple[str, ...]:
    """Return where volumes are mounted that nobody named at creation."""
    given = (mount for mount in _mounts(data["HostConfig"]) if mount.source and not _ANONYMOUS.fullmatch(mount.source))
    named = {mount.target for mount in given}
    found = (item["Destination"] for item in data.get("Mounts") or () if item["Type"] == "volume")
    return tuple(sorted({*found} - named))


def _mode(mode: str) -> str:
    return "bridge" if mode in ("", "default") else mode


def _positive(value: int | None) -> int | None:
    return value if value and value > 0 else None


def _shm(value: int | None) -> int | None:
    return None if value in (None, 0, DEFAULT_SHM) else value


def _cpus(host: type_json) -> float | None:
    """Read the limit in processors, however it was set."""
    nano = host.get("NanoCpus") or 0
    if nano:
        return float(nano / NANO)
    quota, period = host.get("CpuQuota") or 0, host.get("CpuPeriod") or 100_000
    return float(quota / period) if quota > 0 else None


def _capabilities(names: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(sorted(name.upper().removeprefix("CAP_") for name in names or ()))


def _security(options: Sequence[str] | None, *, privileged: bool) -> tuple[str, ...]:
    """Read the options, without the one that the engine adds itself to a privileged container."""
    kept = (option for option in options or () if not (privileged and option == "label=disable"))
    return tuple(sorted(option.replace("no-new-privileges:true", "no-new-privileges") for option in kept))


def _mounts(host: type_json) -> tuple[Mount, ...]:
    """Read what was asked for at creation; anonymous volumes of the image are none of our business."""
    mounts = [
        Mount(item["Target"], item["Type"], item.get("Source") or "", bool(item.get("ReadOnly")))
        for item in host.get("Mounts") or ()
        if item["Type"] in ("bind", "volume")
    ]
    for bind in host.get("Binds") or ():
        source, target, *options = bind.split(":")
        read_only = "ro" in ",".join(options).split(",")
        mounts.append(Mount(target, "bind" if source.startswith("/") else "volume", source, read_only))
    return tuple(sorted(mounts))


def _bindings(bindings: Mapping[str, Sequence[Mapping[str, str]] | None]) -> tuple[Port, ...]:
    ports = set()
    for key, places in bindings.items():
        number, _, protocol = key.partition("/")
        for place in places or ():
            address = place.get("HostIp") or "0.0.0.0"
            ports.add(Port(int(number), int(place.get("HostPort") or 0), address, protocol or "tcp"))
    return tuple(sorted(ports))


def _published(data: type_json) -> tuple[Port, ...]:
    return _bindings((data.get("NetworkSettings") or {}).get("Ports") or {})


def _networks(data: type_json) -> tuple[Attachment, ...]:
    networks = (data.get("NetworkSettings") or {}).get("Networks") or {}
    return tuple(
        Attachment(name, (item or {}).get("NetworkID") or "", _aliases((item or {}).get("Aliases") or (), data["Id"]))
        for name, item in sorted(networks.items())
        if name not in ("none", "host")
    )


def _aliases(aliases: Sequence[str], container_id: str) -> tuple[str, ...]:
    """Return the aliases that were asked for: Docker before 25 adds the short ID to their end, then the hostname."""
    short = container_id[:_SHORT_ID]
    asked = aliases[: list(aliases).index(short)] if short in aliases else aliases
    return tuple(sorted({*asked}))
