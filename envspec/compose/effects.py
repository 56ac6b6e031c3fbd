"""What reaches out of containers: one list of names, for a Compose document and for the workspace alike.

Found in the *resolved* document, where short forms, ``extends`` and ``include`` are gone. Nothing here judges; what is
found needs permission by name, ``--allow NAME``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envspec.compose import paths, sensitive
from envspec.compose.read import OUTSIDE_FILE, REMOTE
from envspec.engine.objects import ContainerConfig
from envspec.kinds import names
from envspec.model import Effect

DEFAULT_CAPABILITIES = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
"""What Docker gives every container; adding one of these adds nothing."""

WORKSPACE_ASKS = frozenset({"privileged"})
"""Effects of the workspace's own settings that need permission: this gives the host away. Others are noted in the
plan. What it names by path is judged by :func:`of_path`."""

HOST_BIND = "host-bind"
"""Effect of binding what is neither the project's nor harmless."""

_NAMESPACES = {
    "network_mode": "network",
    "pid": "pid",
    "ipc": "ipc",
    "uts": "uts",
    "userns_mode": "userns",
    "cgroup": "cgroup",
}
_LOOPBACK = ("127.", "::1", "localhost")
_LOGGING = ("", "json-file", "local", "none")
_FOUND = Iterator[tuple[str, str]]

type_service = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A path of the host that a spec names.

    Attributes:
        path: Where it really leads.
        reads: Whether its content is read and brought inside; else it is bound.
    """

    path: Path
    reads: bool = False


def of_document(document: Mapping[str, Any], directory: Path) -> tuple[Effect, ...]:
    """Return the effects of a resolved document, sorted.

    Args:
        document: What Compose made of it.
        directory: The project directory; what lies below may be bound and read.
    """
    found: set[Effect] = set()
    for name, service in (document.get("services") or {}).items():
        for check in _CHECKS:
            found |= {Effect(effect, f"service.{name}", detail) for effect, detail in check(service, directory)}
    for kind in ("secrets", "configs"):
        for name, item in (document.get(kind) or {}).items():
            found |= {Effect(effect, f"{kind}.{name}", detail) for effect, detail in _file(item or {}, directory)}
    for name, volume in (document.get("volumes") or {}).items():
        found |= {Effect(effect, f"volume.{name}", detail) for effect, detail in _volume(volume or {})}
    for name, network in (document.get("networks") or {}).items():
        found |= {Effect(effect, f"network.{name}", detail) for effect, detail in _network(network or {})}
    return tuple(sorted(found))


def of_workspace(config: ContainerConfig) -> tuple[Effect, ...]:
    """Return the effects of the workspace, sorted; only those in :data:`WORKSPACE_ASKS` need permission."""
    found = []
    if config.privileged:
        found.append(("privileged", "isolation is off"))
    if config.network == "host":
        found.append(("host-network", "it is on the host's network"))
    found += [("capability", name) for name in config.cap_add if name not in DEFAULT_CAPABILITIES]
    found += [("public-port", f"{p.address}:{p.host or 'any'}") for p in config.ports if not is_loopback(p.address)]
    if config.gpu:
        found.append(("gpu", "all GPUs"))
    return tuple(sorted(Effect(name, names.WORKSPACE, detail) for name, detail in found))


def of_path(wanted: Wanted, directory: Path, *, trusted: bool) -> Iterator[tuple[str, str]]:
    """Yield the effect of one path of the host and what is to be said of it, nothing where nobody has to be asked.

    Args:
        wanted: The path.
        directory: The directory of the spec, or of the project.
        trusted: Whether what lies outside that directory may be had unless it is sensitive.
    """
    name = OUTSIDE_FILE if wanted.reads else HOST_BIND
    if not wanted.reads and paths.reaches_engine(wanted.path):
        yield "engine-socket", f"{wanted.path} gives it the engine"
    elif why := sensitive.why(wanted.path):
        yield name, why
    elif not trusted and not paths.lies_inside(wanted.path, directory):
        yield name, f"{wanted.path}, outside {directory}"


def wants_gpu(service: Mapping[str, Any]) -> bool:
    """Say whether a service, as Compose resolved it, asks for a GPU of the host."""
    return any(name == "gpu" for name, _ in _devices(dict(service), Path()))


def is_loopback(address: str) -> bool:
    """Say whether an address can be reached from this host only."""
    return address.startswith(_LOOPBACK)


def _privileged(service: type_service, _: Path) -> _FOUND:
    if service.get("privileged"):
        yield "privileged", "isolation is off"
    for key in ("post_start", "pre_stop"):
        if any(hook.get("privileged") for hook in service.get(key) or ()):
            yield "privileged", f"a {key} hook runs privileged"


def _namespaces(service: type_service, _: Path) -> _FOUND:
    for key, name in _NAMESPACES.items():
        mode = str(service.get(key) or "")
        if mode == "host":
            yield f"host-{name}", f"{key}: host"
        elif mode.startswith("container:"):
            yield "foreign-namespace", f"{key}: {mode}"
        elif key == "network_mode" and not mode.startswith("service:") and mode not in ("", "none", "bridge"):
            yield "external-network", f"{key}: {mode}"


def _capabilities(service: type_service, _: Path) -> _FOUND:
    for name in service.get("cap_add") or ():
        if str(name).upper().removeprefix("CAP_") not in DEFAULT_CAPABILITIES:
            yield "capability", str(name)


def _security(service: type_service, _: Path) -> _FOUND:
    for option in service.get("security_opt") or ():
        if str(option).replace("=", ":") not in ("no-new-privileges", "no-new-privileges:true"):
            yield "security-opt", str(option)
    if service.get("credential_spec"):
        yield "credential-spec", "it is given an account of the host's domain"


def _binds(service: type_service, directory: Path) -> _FOUND:
    for mount in service.get("volumes") or ():
        kind, source = mount.get("type"), str(mount.get("source") or "")
        if kind == "bind":
            yield from of_path(Wanted(paths.real(source, directory)), directory, trusted=False)
        elif kind not in ("volume", "tmpfs"):
            yield "volume-driver", f"a mount of type {kind}"


def _devices(service: type_service, _: Path) -> _FOUND:
    for device in service.get("devices") or ():
        yield "device", str(device.get("source", device) if isinstance(device, dict) else device)
    for rule in service.get("device_cgroup_rules") or ():
        yield "device", str(rule)
    if service.get("gpus"):
        yield "gpu", "GPUs of the host"
    resources = (service.get("deploy") or {}).get("resources") or {}
    for section in ("reservations", "limits"):
        for device in (resources.get(section) or {}).get("devices") or ():
            gpu = "gpu" in (device.get("capabilities") or ())
            yield "gpu" if gpu else "device", f"deploy.resources.{section}.devices"


def _kernel(service: type_service, _: Path) -> _FOUND:
    if service.get("sysctls"):
        yield "sysctl", ", ".join(sorted(str(item) for item in service["sysctls"]))
    if service.get("cgroup_parent"):
        yield "cgroup-parent", str(service["cgroup_parent"])
    if service.get("runtime"):
        yield "runtime", str(service["runtime"])
    if service.get("oom_kill_disable") or int(service.get("oom_score_adj") or 0) < 0:
        yield "oom", "it outlives others when memory runs out"
    driver = str((service.get("logging") or {}).get("driver") or "")
    if driver not in _LOGGING:
        yield "logging", f"its output goes to {driver}"


def _others(service: type_service, _: Path) -> _FOUND:
    for source in service.get("volumes_from") or ():
        if str(source).startswith("container:"):
            yield "foreign-volumes", str(source)
    for link in service.get("external_links") or ():
        yield "foreign-container", str(link)
    if service.get("provider"):
        yield "provider", "Compose runs a program of the host for it"
    if service.get("use_api_socket"):
        yield "engine-socket", "use_api_socket gives it the engine"


def _ports(service: type_service, _: Path) -> _FOUND:
    for port in service.get("ports") or ():
        address = str(port.get("host_ip") or "")
        if address and not is_loopback(address):
            yield "public-port", f"{address}:{port.get('published') or 'any'}"


def _build(service: type_service, directory: Path) -> _FOUND:
    build = service.get("build") or {}
    context = str(build.get("context") or "")
    places = [context, *(str(item) for item in (build.get("additional_contexts") or {}).values())]
    local = [place for place in places if place and not REMOTE.match(place) and not place.startswith("docker-image:")]
    dockerfile = str(build.get("dockerfile") or "")
    if dockerfile and not REMOTE.match(context):
        local.append(str(Path(context) / dockerfile))
    for place in local:
        if not place.startswith(("service:", "target:")) and not paths.lies_inside(
            paths.real(place, directory), directory
        ):
            yield "build-outside", f"{place}, outside the project"
    for key in ("cache_to", "cache_from"):
        yield from (("build-outside", f"{key}: {item}") for item in build.get(key) or () if "type=local" in str(item))
    for key in ("ssh", "entitlements", "privileged"):
        if build.get(key):
            yield "build-privileged", f"build.{key}"
    if build.get("network") not in (None, "", "default", "none"):
        yield "build-privileged", f"build.network: {build['network']}"


def _file(item: Mapping[str, Any], directory: Path) -> _FOUND:
    if item.get("file"):
        yield from of_path(Wanted(paths.real(str(item["file"]), directory), reads=True), directory, trusted=False)


def _volume(volume: Mapping[str, Any]) -> _FOUND:
    options = {str(key): str(value) for key, value in (volume.get("driver_opts") or {}).items()}
    if volume.get("external"):
        yield "external-volume", str(volume.get("name"))
    elif "bind" in options.get("o", "") or options.get("type") == "none" or options.get("device", "").startswith("/"):
        yield "volume-bind", f"it is {options.get('device', 'a directory')} of the host"
    elif options or volume.get("driver") not in (None, "", "local"):
        yield "volume-driver", f"{volume.get('driver') or 'local'} {options or ''}".strip()


def _network(network: Mapping[str, Any]) -> _FOUND:
    if network.get("external"):
        yield "external-network", str(network.get("name"))
    elif network.get("driver") not in (None, "", "bridge") or network.get("driver_opts"):
        yield "network-driver", str(network.get("driver") or "bridge with options")


_CHECKS: tuple[Callable[[type_service, Path], _FOUND], ...] = (
    _privileged,
    _namespaces,
    _capabilities,
    _security,
    _binds,
    _devices,
    _kernel,
    _others,
    _ports,
    _build,
)
