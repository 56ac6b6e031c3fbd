"""What the fake engine plays of Compose: resolving a plain document, and the container of one service.

It speaks the long forms of Compose's language only, those that a resolved document is written in too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from envspec.engine.fake_world import Container
from envspec.engine.objects import UNLIMITED, Attachment, ContainerConfig, Mount, Port
from envspec.engine.stack import COMPOSE, ComposeSource, ComposeUp, variables_fault
from envspec.errors import EngineCallFailed, SpecError

if TYPE_CHECKING:
    from envspec.engine.fake_store import Store

_VARIABLE = re.compile(r"\$\$|\$\{(\w+)\}")
_DEFAULT = "default"
_GAP = re.compile(r"(?:\s|#[^\n]*(?:\n|$))*")
_VALUE = r"""("(?:[^"\\]|\\.)*"|'[^']*'|(?:(?![ ]\#)[^\n'"])*)"""
_ASSIGNMENT = re.compile(rf"(?:export[ ]+)?([\w.-]+)[ ]*(?:[=:][ ]*{_VALUE})?[ ]*(?:\#[^\n]*)?(?:\n|$)")


def resolved(source: ComposeSource) -> str:
    """Return a document with its variables, active services, networks and names filled in.

    Raises:
        SpecError: A service has neither image nor build.
    """
    known = {name: json.dumps(value)[1:-1] for name, value in (*source.variables, *source.secrets)}
    text = _VARIABLE.sub(lambda match: known.get(match[1], "") if match[1] else "$$", source.text)
    document = json.loads(text)
    services = {}
    for name, service in sorted(document.get("services", {}).items()):
        if not service.get("image") and not service.get("build"):
            raise SpecError(f"Compose does not take the document: service {name} has no image", code="compose.invalid")
        if not service.get("profiles") or {*service["profiles"]} & {*source.profiles}:
            services[name] = service if "network_mode" in service else {"networks": {_DEFAULT: None}, **service}
    networks = {**document.get("networks", {}), _DEFAULT: (document.get("networks") or {}).get(_DEFAULT)}
    document |= {
        "services": services,
        "networks": _named(networks, source.project),
        "volumes": _named(document.get("volumes", {}), source.project),
    }
    return json.dumps(document)


def unset(source: ComposeSource) -> tuple[str, ...]:
    """Return the variables that a document speaks of and that have no value."""
    known = {name for name, _ in (*source.variables, *source.secrets)}
    return tuple(sorted({found[1] for found in _VARIABLE.finditer(source.text) if found[1]} - known))


def variables(files: Sequence[bytes]) -> dict[str, str]:
    """Return the variables of some files: quoted values, comments, ``export``, and values of several lines.

    Raises:
        SpecError: A line is none of these.
    """
    found: dict[str, str] = {}
    for file in files:
        text, place = file.decode(errors="replace"), 0
        while match := _GAP.match(text, place):
            place = match.end()
            if place == len(text):
                break
            line = _ASSIGNMENT.match(text, place)
            if line is None:
                raise variables_fault(f"line {text.count(chr(10), 0, place) + 1}: unexpected character")
            place = line.end()
            _, value = found.pop(line[1], None), line[2]
            if value is not None:
                quoted = re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value[1:-1]
                found[line[1]] = quoted if value[:1] in ("'", '"') else value.strip()
    return found


def _named(items: Mapping[str, Any], project: str) -> dict[str, Any]:
    return {key: {"name": f"{project}_{key}", **(item or {})} for key, item in sorted(items.items())}


class Service:
    """One service of a resolved document, as the container that it asks for.

    Args:
        up: What was asked.
    """

    def __init__(self, up: ComposeUp) -> None:
        self._document = json.loads(up.document.replace("$$", "$"))
        self._service = self._document["services"][up.service]
        self._key = {f"{COMPOSE}project": up.project, f"{COMPOSE}service": up.service}
        self._called = up.service
        self.name = str(self._service.get("container_name") or f"{up.project}-{up.service}-1")
        self.labels = {**self._service.get("labels", {}), **self._key}
        self.config = self._config()

    @property
    def check(self) -> str:
        """Return what its health check comes to: bad where it is ``false``."""
        test = (self._service.get("healthcheck") or {}).get("test")
        if not test:
            return ""
        return "unhealthy" if test[-1] == "false" else "healthy"

    def owns(self, container: Container) -> bool:
        """Say whether a container is one of this service."""
        return self._key.items() <= container.labels.items()

    def build(self, store: Store) -> None:
        """Make its image exist."""
        store.add_image(self.config.image, self._service["build"].get("labels", {}), seed=json.dumps(self._service))

    def attachments(self, store: Store) -> dict[str, Attachment]:
        """Return its places on networks.

        Raises:
            EngineCallFailed: A network is missing.
        """
        ids = {network.name: network.id for network in store.networks()}
        found = {}
        for key, wish in (self._service.get("networks") or {}).items():
            name = self._document["networks"][key]["name"]
            if name not in ids:
                raise EngineCallFailed(f"network {name} not found")
            aliases = {self.name, self._called, *((wish or {}).get("aliases") or ())}
            found[name] = Attachment(name, ids[name], tuple(sorted(aliases)))
        return found

    def _config(self) -> ContainerConfig:
        service = self._service
        memory, both = (int(service.get(key) or 0) or None for key in ("mem_limit", "memswap_limit"))
        policy, _, retries = service.get("restart", "no").partition(":")
        return ContainerConfig(
            image=service["image"],
            command=tuple(service.get("command") or ("sleep", "infinity")),
            user=service.get("user", ""),
            workdir=service.get("working_dir", "/"),
            mounts=tuple(sorted(self._mount(item) for item in service.get("volumes", ()))),
            tmpfs=(),
            ports=tuple(sorted(_port(item) for item in service.get("ports", ()))),
            network="bridge",
            memory=memory,
            swap=memory if both is None or memory is None else UNLIMITED if both < 0 else both - memory or None,
            memory_reservation=int(service.get("mem_reservation") or 0) or None,
            cpu_shares=service.get("cpu_shares"),
            cpuset_cpus=service.get("cpuset"),
            cpus=service.get("cpus"),
            pids=service.get("pids_limit"),
            restart=policy,
            retries=int(retries) if retries else None,
            init=bool(service.get("init")),
            cap_add=tuple(service.get("cap_add") or ()),
            cap_drop=tuple(service.get("cap_drop") or ()),
            security_opt=tuple(service.get("security_opt") or ()),
            read_only=bool(service.get("read_only")),
            env=dict(sorted((service.get("environment") or {}).items())),
        )

    def _mount(self, item: Mapping[str, Any]) -> Mount:
        source = item.get("source", "")
        if item["type"] == "volume" and source:
            source = self._document["volumes"][source]["name"]
        return Mount(item["target"], item["type"], source, bool(item.get("read_only")))


def _port(item: Mapping[str, Any]) -> Port:
    address = item.get("host_ip", "0.0.0.0")
    return Port(int(item["target"]), int(item.get("published") or 0), address, item.get("protocol", "tcp"))
