"""From a resolved document to resources: services, networks and volumes, each with what it needs; pure.

The document that Compose is handed in the end is not the author's: networks and volumes are made by envspec and only
used by it, binds name real paths, ports without an address are published on 127.0.0.1, and nothing is left in it that
the host's environment could fill.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envspec.compose import context, hardening, paths, replicas
from envspec.compose.read import Document
from envspec.compose.shelved import KINDS, Shelver
from envspec.compose.texts import plain
from envspec.engine.objects import DEFAULT_PERIOD, UNLIMITED
from envspec.errors import SpecError
from envspec.kinds import names
from envspec.kinds.network import NetworkSpec
from envspec.kinds.service_state import ServiceSpec, base_of, built_name, key_of
from envspec.kinds.volume import VolumeSpec
from envspec.model import Hidden, Resource

SLACK = 30.0
"""Seconds that a service gets beyond what its health check allows."""

RUN_PATIENCE = 300.0
"""Seconds within which a service without a health check in the document must run, and one of its image pass."""

END_PATIENCE = 1800.0
"""Seconds within which a service must end that others wait for the end of; as for a setup command."""

MASK = "(hidden)"

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)")
_DROPPED = ("depends_on", "profiles", "develop", "scale", "pull_policy", "x-envspec")
_NOT_SETTINGS = ("environment", "build", "image", "networks")
_RESTARTS = {"": "", "none": "no", "any": "always", "on-failure": "on-failure"}


@dataclass(frozen=True, slots=True)
class Project:
    """What a document asks for.

    Attributes:
        networks: Names on the engine of all its networks, external ones too; the workspace joins them.
        outer: Its networks and volumes as resources; external ones are left out.
        services: Its services as resources, each after those that it needs.
        images: References of their images.
        notes: What the reader of a plan should know.
    """

    networks: tuple[str, ...]
    outer: tuple[Resource, ...]
    services: tuple[Resource, ...]
    images: tuple[str, ...]
    notes: tuple[str, ...] = ()


def project(document: Document, resolved: str, env: str, shelf: str = "", *, strict: bool = False) -> Project:
    """Turn a resolved document into resources.

    Args:
        document: The document as it was read.
        resolved: What Compose made of it.
        env: Name of the environment, which is the project's too.
        shelf: Where files lie that services bind from memory, "" where there can be none.
        strict: Whether the spec asks for the security profile of that name.

    Raises:
        SpecError: It asks for something that envspec does not do.
    """
    return _Made(document, json.loads(resolved), env, shelf, strict=strict).project()


class _Made:
    def __init__(self, document: Document, data: dict[str, Any], env: str, shelf: str, *, strict: bool) -> None:
        self.document = document
        self.env = env
        self.shelf = shelf
        self.strict = strict
        self.defaults: dict[str, tuple[str, ...]] = {}
        self.shelved: dict[str, tuple[tuple[str, Hidden], ...]] = {}
        self.services: dict[str, dict[str, Any]] = data.get("services") or {}
        self.networks: dict[str, dict[str, Any]] = data.get("networks") or {}
        self.volumes: dict[str, dict[str, Any]] = data.get("volumes") or {}
        self.files: dict[str, dict[str, Any]] = {kind: data.get(kind) or {} for kind in KINDS}
        self.ties: dict[str, dict[str, Any]] = {name: s.get("depends_on") or {} for name, s in self.services.items()}
        self.secrets = document.telling
        self.counts = {name: replicas.count(service) for name, service in self.services.items()}
        self.notes: list[str] = []

    def project(self) -> Project:
        self._check()
        names_of = {key: self._network_name(key) for key in sorted({*self.networks, "default"})}
        own = [key for key in names_of if not self.networks.get(key, {}).get("external")]
        outer = [Resource(f"network.{names_of[key]}", "network", self._network(key, names_of[key])) for key in own]
        outer += [
            Resource(f"volume.{key}", "volume", self._volume(key))
            for key in sorted(self.volumes)
            if not self.volumes[key].get("external")
        ]
        self._hand()
        self._shelve()
        self.notes += [
            f"{name} is on internal networks only: nothing reaches its ports from the host"
            for name, service in self.services.items()
            if service.get("ports") and all((self.networks.get(key) or {}).get("internal") for key, _ in _nets(service))
        ]
        if any("read_only" in defaults for defaults in self.defaults.values()):
            told = "services are strict: what they write outside volumes, /run and /tmp fails; "
            self.notes.append(f"{told}`x-envspec: {{without: [read_only]}}` in a service lets it")
        text = Hidden(json.dumps(self._document(names_of), sort_keys=True))
        made = {name: self._spec(name, names_of, text) for name in self.services}
        known = {resource.address for resource in outer}
        services = [
            Resource(spec.address, "service", spec, tuple(sorted(self._needs(name, names_of, known))))
            for name, spec in made.items()
        ]
        return Project(
            networks=tuple(sorted(names_of.values())),
            outer=tuple(outer),
            services=tuple(_sorted(services)),
            images=tuple(sorted({spec.image for spec in made.values()})),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _hand(self) -> None:
        """Turn the author's services into what Compose is handed, each container one."""
        handed = {name: self._handed(name, self.services[name]) for name in sorted(self.services) if self.counts[name]}
        self.services = {}
        for base, service in handed.items():
            for number, name in enumerate(replicas.names(base, self.counts[base]), 1):
                container = f"{self.env}-{base}-{number}"
                self.services[name] = service if number == 1 else replicas.further(service, base, container)
        self.notes += [f"{name} has {number} containers" for name, number in sorted(self.counts.items()) if number != 1]

    def _shelve(self) -> None:
        """Have services bind from memory what Compose would copy into their layers."""
        shelver = Shelver(self.document, self.files, self.shelf)
        for name, service in self.services.items():
            self.services[name], self.shelved[name] = shelver.shelve(name, service)
        self.files = shelver.handed

    # ── what is not done ─────────────────────────────────────────────────────────────────────────────────────────

    def _check(self) -> None:
        """Insist that nothing is asked for that would silently be something else."""
        fault = self.document.fault
        for name, service in sorted(self.services.items()):
            path = ("services", name)
            if name == "workspace" or service.get("container_name") == names.container(self.env):
                raise fault(path, "this name is the workspace's", "give the service another name")
            if unfit := replicas.fault(service):
                raise fault(path, *unfit)
            if any(key_of(other) in self.services for other in replicas.names(name, self.counts[name])[1:]):
                raise fault(path, "its containers are called as other services", "rename those")
        for key, network in sorted(self.networks.items()):
            more = {"driver_opts", "enable_ipv6", "attachable", "ipam"} & {k for k, v in network.items() if v}
            if not network.get("external") and (more or network.get("driver") not in (None, "bridge")):
                which = sorted(more) or ["driver"]
                told = f"only plain bridge networks are made, without {', '.join(sorted(more)) or 'a driver'}"
                hint = "make the network yourself and name it with `external: true`"
                raise fault(("networks", key, which[0]), told, hint)
        for kind, items in self.files.items():
            for key, item in sorted(items.items()):
                if item.get("external"):
                    told = "what a swarm keeps is not on this engine"
                    raise fault((kind, key), told, "give it a `file` of the project, or `environment`")
                path = self.document.directory / plain(str(item.get("file") or ""))
                used = any(key == each["source"] for s in self.services.values() for each in s.get(kind) or ())
                if used and self.shelf and item.get("file") and paths.is_missing(path):
                    raise self._missing((kind, key), path)

    # ── the document that Compose is handed ──────────────────────────────────────────────────────────────────────

    def _document(self, names_of: Mapping[str, str]) -> dict[str, Any]:
        volumes = {key: {"name": self._volume_name(key), "external": True} for key in self.volumes}
        networks = {key: {"name": name, "external": True} for key, name in names_of.items()}
        services = {key_of(name): service for name, service in self.services.items()}
        return {"name": self.env, "services": services, "networks": networks, "volumes": volumes, **self.files}

    def _handed(self, name: str, service: Mapping[str, Any]) -> dict[str, Any]:
        made = {key: value for key, value in service.items() if value is not None and key not in _DROPPED}
        if "environment" in made:
            made["environment"] = {key: value for key, value in made["environment"].items() if value is not None}
        if "deploy" in made:
            kept = {key: made["deploy"][key] for key in ("resources", "restart_policy") if made["deploy"].get(key)}
            made["deploy"] = kept
        if made.get("ports"):
            made["ports"] = [{"host_ip": "127.0.0.1", **port} for port in made["ports"]]
            if any("host_ip" not in port for port in service["ports"]):
                self.notes.append("ports of services that name no address are published on 127.0.0.1 only")
        if made.get("volumes"):
            made["volumes"] = [self._bind(name, volume) for volume in made["volumes"]]
        if "build" in made:
            made["image"] = made.get("image") or built_name(self.env, name)
            build = dict(made["build"])
            build["args"] = {key: value for key, value in (build.get("args") or {}).items() if value is not None}
            content = self._content(name, build)
            made["build"] = {**build, "labels": {**(build.get("labels") or {}), names.DIGEST: content}}
        return self._hardened(name, made)

    def _hardened(self, name: str, service: dict[str, Any]) -> dict[str, Any]:
        """Return a service with envspec's defaults, and note which of them it does without."""
        made = hardening.harden(service, self.document.waived.get(name, ()), strict=self.strict)
        self.defaults[name] = made.defaults
        if made.loosened:
            self.notes.append(f"{name} is less confined than services are by default: {', '.join(made.loosened)}")
        return made.service

    def _content(self, name: str, build: Mapping[str, Any]) -> str:
        """Return the digest of what an image is built from."""
        try:
            return context.digest(plain(build), f"service.{name}")
        except SpecError as error:
            raise self.document.fault(("services", name, "build"), error.message, error.hint, error.code) from None

    def _bind(self, name: str, volume: Mapping[str, Any]) -> dict[str, Any]:
        """Return a mount that names the real path which was judged, not a link that may change."""
        if volume.get("type") != "bind":
            return dict(volume)
        path = paths.real(plain(str(volume["source"])), self.document.directory)
        if self.shelf and paths.is_missing(path):
            if not (volume.get("bind") or {}).get("create_host_path"):
                raise self._missing(("services", name, "volumes"), path)
            self.notes.append(f"{name}: {path} does not exist: the engine will make an empty directory there")
        return {**volume, "source": str(path).replace("$", "$$")}

    def _missing(self, key: Sequence[str | int], path: Path) -> SpecError:
        told, hint = f"{path} does not exist", "create it, or correct the path in the document"
        return self.document.fault(key, told, hint, "compose.missing")

    def _network_name(self, key: str) -> str:
        network = self.networks.get(key) or {}
        name = str(network.get("name") or "")
        if network.get("external"):
            return name
        return self.env if key == "default" else name or f"{self.env}_{key}"

    def _network(self, key: str, name: str) -> NetworkSpec:
        return NetworkSpec(name, bool((self.networks.get(key) or {}).get("internal")))

    def _volume_name(self, key: str) -> str:
        name = str(self.volumes[key].get("name") or "")
        return names.volume(self.env, key) if name == f"{self.env}_{key}" else name

    def _volume(self, key: str) -> VolumeSpec:
        volume = self.volumes[key]
        options = tuple(sorted((str(k), str(v)) for k, v in (volume.get("driver_opts") or {}).items()))
        return VolumeSpec(self._volume_name(key), "", str(volume.get("driver") or "local"), options)

    # ── services as resources ────────────────────────────────────────────────────────────────────────────────────

    def _spec(self, name: str, names_of: Mapping[str, str], text: Hidden) -> ServiceSpec:
        service, base = self.services[name], base_of(name)
        settings = self._settings(service)
        mode = str(service.get("network_mode") or "")
        ends = any(t.get(base, {}).get("condition") == "service_completed_successfully" for t in self.ties.values())
        return ServiceSpec(
            name=name,
            container=plain(str(service.get("container_name") or f"{self.env}-{name}-1")),
            image=plain(str(service["image"])),
            settings=self._masked(settings),
            masked=self._secret(name, settings),
            environment=self._environment(name),
            networks=tuple(
                sorted(
                    (names_of[key], (base, *sorted({key_of(name), *((wish or {}).get("aliases") or ())} - {base})))
                    for key, wish in _nets(service)
                )
            ),
            limits={**_limits(service), **hardening.observed(service)},
            defaults=self.defaults[base],
            patience=END_PATIENCE if ends else _patience(service.get("healthcheck") or {}),
            ends=ends,
            may_end=_may_end(service),
            content=str(((service.get("build") or {}).get("labels") or {}).get(names.DIGEST, "")),
            shares=f"service.{mode.removeprefix('service:')}" if mode.startswith("service:") else "",
            restarts_with=tuple(
                sorted(
                    each for other, tie in self.ties[base].items() if tie.get("restart") for each in self._all(other)
                )
            ),
            volumes_from=tuple(sorted({f"service.{other}" for other in _lenders(service)})),
            replicas=self.counts[base],
            shelved=self.shelved[name],
            directory=str(self.document.directory),
            document=text,
        )

    def _settings(self, service: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is compared by what was written down, with the files it uses."""
        kept = {key: value for key, value in service.items() if key not in _NOT_SETTINGS}
        for kind in ("secrets", "configs"):
            for item in service.get(kind) or ():
                kept[f"{kind}.{item['source']}"] = self.files[kind].get(item["source"])
        for key, wish in _nets(service):
            more = {k: v for k, v in (wish or {}).items() if k != "aliases" and v}
            if more:
                kept[f"networks.{key}"] = more
        cleaned: dict[str, Any] = plain(kept)
        return cleaned

    def _secret(self, name: str, settings: Mapping[str, Any]) -> tuple[tuple[str, Hidden], ...]:
        """Return those of the settings that hold secrets, and note it: the engine shows them to whoever may ask it."""
        found = [(key, value) for key, value in sorted(settings.items()) if self._masked(value) != value]
        if found:
            self.notes.append(
                f"{name} has values of secret variables in {', '.join(key for key, _ in found)}, where `inspect` shows"
                " them; a file of `secrets` keeps them out of there"
            )
        return tuple((key, Hidden(json.dumps(value, sort_keys=True))) for key, value in found)

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in self.secrets:
                value = value.replace(secret, MASK)
            return value
        if isinstance(value, dict):
            return {key: self._masked(item) for key, item in value.items()}
        return [self._masked(item) for item in value] if isinstance(value, list) else value

    def _environment(self, name: str) -> tuple[tuple[str, str | Hidden], ...]:
        """Return the variables of a service; only values that stand in the document itself may be shown."""
        written = _written(self.document.data, base_of(name))
        found: list[tuple[str, str | Hidden]] = []
        for key, value in sorted((self.services[name].get("environment") or {}).items()):
            text = plain(str(value))
            shown = key in written and "$" not in written[key].replace("$$", "") and plain(written[key]) == text
            found.append((key, text if shown else Hidden(text)))
        return tuple(found)

    def _all(self, service: str) -> list[str]:
        """Return the addresses of all containers of a service."""
        return [f"service.{name}" for name in replicas.names(service, self.counts.get(service, 0))]

    def _needs(self, name: str, names_of: Mapping[str, str], known: set[str]) -> Iterator[str]:
        service, base = self.services[name], base_of(name)
        if name != base:
            yield f"service.{base}"
        yield from (each for other in self.ties[base] for each in self._all(other))
        for key in ("network_mode", "ipc", "pid"):
            mode = str(service.get(key) or "")
            if mode.startswith("service:"):
                yield f"service.{mode.removeprefix('service:')}"
        yield from (f"service.{str(link).partition(':')[0]}" for link in service.get("links") or ())
        yield from (f"service.{other}" for other in _lenders(service))
        # Of all networks, for Podman cannot list containers while one of theirs is being made anew.
        yield from ({f"network.{network}" for network in names_of.values()} & known)
        mounts = (str(mount.get("source")) for mount in service.get("volumes") or () if mount.get("type") == "volume")
        yield from ({f"volume.{source}" for source in mounts} & known)
        if "build" in service:
            yield from ("base_image.workspace", "image.workspace")


def _nets(service: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any] | None]]:
    return sorted((service.get("networks") or {}).items(), key=lambda pair: pair[0])


def _lenders(service: Mapping[str, Any]) -> list[str]:
    """Return the services whose volumes a service mounts."""
    others = (str(source) for source in service.get("volumes_from") or ())
    return [source.partition(":")[0] for source in others if not source.startswith("container:")]


def _written(data: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return the variables that the document itself writes out for a service."""
    service = (data.get("services") or {}).get(name) or {}
    given = service.get("environment") or {} if isinstance(service, dict) else {}
    if isinstance(given, list):
        given = dict(str(line).split("=", 1) for line in given if "=" in str(line))
    return {str(key): str(value) for key, value in given.items() if value is not None}


def _limits(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits that the engine shows again; those that several keys of Compose set at once are left out."""
    deploy = service.get("deploy") or {}
    given = (deploy.get("resources") or {}).get("limits") or {}
    memory, cpus = service.get("mem_limit") or given.get("memory"), service.get("cpus") or given.get("cpus")
    pids = int(service.get("pids_limit") or given.get("pids") or 0)
    found: dict[str, Any] = {"memory": int(memory) if memory else None, "pids": pids if pids > 0 else None}
    found |= _processor_limits(service, float(cpus) if cpus else None)
    found |= _soft_limits(service, found["memory"])
    return found | _restart_limits(str(service.get("restart") or ""), deploy.get("restart_policy"))


def _processor_limits(service: Mapping[str, Any], cpus: float | None) -> dict[str, Any]:
    """Return the limits on time; real time, and what is written in two ways, is left out where it is written."""
    quota, period = (int(float(service.get(key) or 0)) for key in ("cpu_quota", "cpu_period"))
    found: dict[str, Any] = {name: None for name in ("cpu_rt_period", "cpu_rt_runtime") if not service.get(name)}
    if cpus and (quota or period):
        return found
    if quota > 0:
        return {**found, "cpus": quota / (period or DEFAULT_PERIOD), "cpu_period": None}
    return {**found, "cpus": cpus, "cpu_period": period if period not in (0, DEFAULT_PERIOD) else None}


def _restart_limits(short: str, long: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the restart policy and its retries; of its two spellings Compose takes the one below ``deploy``."""
    if long:
        policy, attempts = _RESTARTS.get(str(long.get("condition") or ""), ""), str(long.get("max_attempts") or "")
    else:
        policy, _, attempts = short.partition(":")
        policy = policy or "no"
    if not policy:
        return {}
    counts = policy == "on-failure" and attempts.isdecimal()
    return {"restart": policy, "retries": (int(attempts) or None) if counts else None}


def _soft_limits(service: Mapping[str, Any], memory: int | None) -> dict[str, Any]:
    """Return the limits that weigh, bind or reserve, and the swap: of that, an engine gives as much as of memory."""
    both = int(service.get("memswap_limit") or 0)
    swap = memory
    if memory and both:
        swap = UNLIMITED if both < 0 else both - memory
    reserved = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    reservation = service.get("mem_reservation") or reserved.get("memory")
    return {
        "swap": swap or None,
        "memory_reservation": int(reservation) if reservation else None,
        "kernel_memory": None,
        "cpu_shares": int(float(service.get("cpu_shares") or 0)) or None,
        "cpuset_cpus": str(service.get("cpuset") or "") or None,
        "cpuset_mems": None,
        "blkio_weight": int((service.get("blkio_config") or {}).get("weight") or 0) or None,
    }


def _may_end(service: Mapping[str, Any]) -> bool:
    """Say whether a document has it written that a service which ended well is not started again."""
    condition = str(((service.get("deploy") or {}).get("restart_policy") or {}).get("condition") or "")
    policy = str(service.get("restart") or _RESTARTS.get(condition, ""))
    return policy == "no" or policy.partition(":")[0] == "on-failure"


def _patience(check: Mapping[str, Any]) -> float:
    """Return the seconds within which a service must be healthy, by its own health check; Docker's defaults apply."""
    if not check.get("test") or check.get("disable"):
        return RUN_PATIENCE
    interval, timeout = _seconds(check.get("interval"), 30.0), _seconds(check.get("timeout"), 30.0)
    start = _seconds(check.get("start_period"), 0.0)
    return start + (interval + timeout) * (int(check.get("retries") or 3) + 1) + SLACK


def _seconds(text: Any, default: float) -> float:
    parts = _DURATION.findall(str(text or ""))
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else default


def _sorted(services: list[Resource]) -> Iterator[Resource]:
    """Yield services after those that they need; Compose has refused circles already."""
    waiting = {service.address: service for service in services}
    while waiting:
        ready = [s for s in waiting.values() if not any(need in waiting for need in s.needs)]
        for service in ready or list(waiting.values()):
            del waiting[service.address]
            yield service
