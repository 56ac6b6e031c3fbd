"""Podman's containers in Docker's words, and back; pure. Measured on Podman 4.3 and 5.4."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from envspec.engine.objects import LABEL, ContainerConfig

ASKED_LABEL = f"{LABEL}asked"
"""What a container was asked to be and ``inspect`` does not tell: it shows the port that was chosen instead of "any",
the capabilities that differ from Podman's own list instead of those dropped and added, and the image's full name."""

DEFAULT_NETWORK = "podman"
"""Podman's name for what Docker calls ``bridge``."""

DEFAULT_SHM = 65_536_000
"""Bytes of ``/dev/shm`` where none were asked for: 64000k, against Docker's 64 MiB."""

DOCKER_HUB = "docker.io"

_STATUSES = {"configured": "created", "initialized": "created", "stopped": "exited", "stopping": "running"}
_LOCAL = "localhost/"
_NO_LIMIT = -1

type_json = Mapping[str, Any]


WITHOUT_PROXIES = (
    "env",
    *(
        f"--unset={name}"
        for lower in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
        for name in (lower, lower.upper())
    ),
)
"""Words before a command that keep the host's proxies from it: Podman writes them, credentials and all, into the
configuration of every container that it creates (``--http-proxy`` of ``podman-create(1)``)."""


def labels(config: ContainerConfig) -> Mapping[str, str]:
    """Return the label that remembers what ``inspect`` does not tell."""
    asked = {
        "cap_add": list(config.cap_add),
        "cap_drop": list(config.cap_drop),
        "gpu": config.gpu,
        "image": config.image,
        "ports": [[port.container, port.host, port.address, port.protocol] for port in config.ports],
    }
    return {ASKED_LABEL: json.dumps(asked, sort_keys=True)}


def options(given: dict[str, Any], config: ContainerConfig, *, rootless: bool = False) -> dict[str, Any]:
    """Return what python-on-whales takes to create a container, in Podman's words.

    Without root the user of the host is root inside, and everybody else is one of their subordinate ids. That suits
    who works as root. For anybody else ``keep-id`` lets the host's user be themselves inside, so that files in a bound
    directory belong to them on both sides; root inside is then a subordinate id.

    Args:
        given: What Docker would be given.
        config: What the container shall be.
        rootless: Whether Podman runs without root.
    """
    keeps = rootless and config.user.partition(":")[0] not in ("", "0")
    return given | {
        # "Any port" is an empty one; 0 is refused.
        "publish": [
            (host.removesuffix("0") if host.endswith(":0") else host, inside) for host, inside in given["publish"]
        ],
        # Podman sets 2048 where nothing is said.
        "pids_limit": given["pids_limit"] if given["pids_limit"] is not None else _NO_LIMIT,
        # Podman before 5 knows no --gpus; the Container Device Interface is how it gives them.
        "gpus": None,
        "devices": ["nvidia.com/gpu=all"] if given["gpus"] else [],
        "userns": "keep-id" if keeps else None,
    }


def network_name(name: str) -> str:
    """Return Docker's name of a network."""
    return "bridge" if name == DEFAULT_NETWORK else name


def full_name(ref: str) -> str:
    """Return a reference with its registry: Podman asks no registry for a short name unless it is configured to."""
    first, slash, _ = ref.partition("/")
    if slash and (first == "localhost" or any(character in first for character in ".:")):
        return ref
    return f"{DOCKER_HUB}/{ref}" if slash else f"{DOCKER_HUB}/library/{ref}"


def describe(data: type_json) -> type_json:
    """Put a container's ``inspect`` into Docker's shape; what has another shape than Podman's stays as it is."""
    config, host, state, settings = (
        _object(data.get(key)) for key in ("Config", "HostConfig", "State", "NetworkSettings")
    )
    if None in (config, host, state):
        return data
    assert config is not None
    assert host is not None
    assert state is not None
    asked = {**_capabilities(data, host), **_asked(config)}
    status, named, networks = state.get("Status"), config.get("Labels"), _object((settings or {}).get("Networks"))
    return {
        **data,
        "State": {**state, "Status": _STATUSES.get(status, status) if isinstance(status, str) else status},
        "Config": {
            **config,
            "Image": asked.get("image") or _without_registry(config.get("Image")),
            # The empty word by which an image's entrypoint is taken away; in a list with Podman 5.
            "Entrypoint": None if config.get("Entrypoint") in ("", [""]) else config.get("Entrypoint"),
            "Labels": {k: v for k, v in named.items() if k != ASKED_LABEL} if isinstance(named, Mapping) else named,
        },
        "HostConfig": {
            **host,
            "CapAdd": asked.get("cap_add", host.get("CapAdd")),
            "CapDrop": asked.get("cap_drop", host.get("CapDrop")),
            "DeviceRequests": asked.get("gpu"),
            "PortBindings": _bindings(asked["ports"]) if "ports" in asked else host.get("PortBindings"),
            "ShmSize": None if host.get("ShmSize") == DEFAULT_SHM else host.get("ShmSize"),
            "Tmpfs": _tmpfs(host),
        },
        "NetworkSettings": data.get("NetworkSettings")
        if networks is None
        else {
            **(settings or {}),
            "Networks": {network_name(name): _by_name(item, name) for name, item in networks.items()},
        },
    }


def _by_name(attachment: Any, network: str) -> Any:
    """Return what a container says of a network with the name as its ID, by which networks go with Podman.

    Podman 4 says the name there, Podman 5 and later a hash of it.
    """
    return {**attachment, "NetworkID": network} if isinstance(attachment, Mapping) else attachment


def _object(value: Any) -> type_json | None:
    return value if isinstance(value, Mapping) else None


def _without_registry(image: Any) -> Any:
    return image.removeprefix(_LOCAL) if isinstance(image, str) else image


def _asked(config: type_json) -> type_json:
    labels = config.get("Labels")
    try:
        found = json.loads(labels.get(ASKED_LABEL, "{}")) if isinstance(labels, Mapping) else {}
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _capabilities(data: type_json, host: type_json) -> type_json:
    """Return what a container that envspec did not create itself may do: all is dropped but what it may gain.

    Podman shows how that differs from a list of its own, which is not the one that it starts containers with.
    """
    bounding = data.get("BoundingCaps")
    return {"cap_drop": ["ALL"], "cap_add": bounding} if bounding is not None and not host.get("Privileged") else {}


def _bindings(ports: Any) -> Any:
    """Return the ports that were asked for as Docker tells them; a label of another shape as it is."""
    found: dict[str, list[dict[str, str]]] = {}
    try:
        for container, host, address, protocol in ports:
            found.setdefault(f"{container}/{protocol}", []).append({"HostIp": address, "HostPort": str(host)})
    except (TypeError, ValueError):
        return ports
    return found


def _tmpfs(host: type_json) -> Any:
    """Return the tmpfs mounts without those that Podman adds itself to a root filesystem that can only be read."""
    mounts = host.get("Tmpfs")
    if not isinstance(mounts, Mapping) or not host.get("ReadonlyRootfs"):
        return mounts
    return {path: words for path, words in mounts.items() if "mode=" in str(words)}
