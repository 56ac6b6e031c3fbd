"""What every service gets besides what its document says: few capabilities, no new privileges, an init, limits.

The document decides where it says something itself: what is stricter holds, and what is looser is named in the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
"""The shortest list under which servers start that begin as root, hand their data to an account and become it.

Measured with PostgreSQL, Redis, MariaDB and nginx, each started twice and stopped, on Docker 20.10 and Podman 4.3:
without any one of the first three, or of the last two, one of them does not start; without KILL the init cannot pass
the signal to stop on and the database is killed; without NET_BIND_SERVICE nginx gets no port 80 on Podman.
"""

MEMORY = 4 << 30
"""Bytes of memory of a service that names no limit; as the workspace has."""

PIDS = 1024
"""Processes and threads of a service that names no limit: databases start one for each connection."""

STRICT_CPUS = 1.0
"""Processors of a strict service that names no limit; as a strict workspace has."""

WAIVERS = ("cap_drop", "cpus", "init", "memory", "no-new-privileges", "pids", "read_only")
"""What ``x-envspec: {without: […]}`` of a service may name."""

NO_NEW_PRIVILEGES = "no-new-privileges"

_WRITABLE = ("/run", "/tmp", "/var/tmp")
_ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Hardened:
    """A service with envspec's defaults.

    Attributes:
        service: The service, as Compose is handed it.
        defaults: The keys that envspec set.
        loosened: What the document gives up of the defaults, in words.
    """

    service: dict[str, Any]
    defaults: tuple[str, ...] = ()
    loosened: tuple[str, ...] = ()


@dataclass
class _Making:
    """One service on the way; ``without`` is what its document waives by name."""

    service: dict[str, Any]
    without: Collection[str]
    strict: bool
    defaults: list[str] = field(default_factory=list)
    loosened: list[str] = field(default_factory=list)

    def default(self, key: str, value: Any) -> None:
        self.service[key] = value
        self.defaults.append(key)

    def waives(self, word: str, told: str) -> bool:
        """Say whether a default was waived, and note that."""
        if word in self.without:
            self.loosened.append(told)
        return word in self.without


def harden(service: Mapping[str, Any], without: Collection[str] = (), *, strict: bool = False) -> Hardened:
    """Return a resolved service with envspec's defaults where it says nothing itself.

    Args:
        service: The service.
        without: Those of :data:`WAIVERS` that its document names.
        strict: Whether its root filesystem is read-only and its processors are limited, as in the profile ``strict``.
    """
    made = _Making(dict(service), without, strict)
    for step in _STEPS:
        step(made)
    return Hardened(made.service, tuple(sorted(made.defaults)), tuple(made.loosened))


def observed(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a hardened service is compared with its container as it is, by attribute.

    What an engine shows in other words than it was asked in is left out: security options beside the one, capabilities
    where not all were dropped first.

    Args:
        service: What :func:`harden` returned.
    """
    found: dict[str, Any] = {"init": bool(service.get("init")), "read_only": bool(service.get("read_only"))}
    if service.get("privileged"):
        return found
    if service.get("cap_drop") == [_ALL]:
        found |= {"cap_drop": (_ALL,), "cap_add": tuple(service.get("cap_add") or ())}
    joined = any(service.get(key) for key in ("pid", "ipc"))
    if service.get("security_opt") == [NO_NEW_PRIVILEGES] and not joined:
        found["security_opt"] = (NO_NEW_PRIVILEGES,)
    return found


def says_new_privileges(option: object) -> bool:
    """Say whether a security option is the one about new privileges, whatever its value."""
    return str(option).replace("=", ":").partition(":")[0] == NO_NEW_PRIVILEGES


def _capabilities(made: _Making) -> None:
    """Drop everything but the list, what the document adds, and without what it drops itself."""
    service = made.service
    if service.get("privileged"):
        made.loosened.append("privileged")
        return
    added, dropped = (_bare(service.get(key)) for key in ("cap_add", "cap_drop"))
    if _ALL in added:
        made.loosened.append("all capabilities")
        return
    if _ALL not in dropped and made.waives("cap_drop", "the engine's own list of capabilities"):
        return
    base = set() if _ALL in dropped else {*CAPABILITIES} - dropped
    made.loosened += [f"capability {name}" for name in sorted(added - {*CAPABILITIES})]
    made.default("cap_add", sorted(base | added))
    made.default("cap_drop", [_ALL])


def _privileges(made: _Making) -> None:
    options = list(made.service.get("security_opt") or ())
    given = [str(option) for option in options if says_new_privileges(option)]
    if made.service.get("privileged"):
        return
    if any(option.endswith("false") for option in given):
        made.loosened.append("new privileges allowed")
    elif not made.waives(NO_NEW_PRIVILEGES, "new privileges allowed"):
        others = [option for option in options if not says_new_privileges(option)]
        made.default("security_opt", [*others, NO_NEW_PRIVILEGES])


def _init(made: _Making) -> None:
    if made.service.get("init") is None:
        if not made.waives("init", "no init"):
            made.default("init", True)
    elif not made.service["init"]:
        made.loosened.append("no init")


def _limits(made: _Making) -> None:
    """Set limits where there are none, in the spelling that the document uses: Compose takes one of the two only."""
    service = made.service
    resources = (service.get("deploy") or {}).get("resources") or {}
    given = resources.get("limits") or {}
    pids = int(service.get("pids_limit") or given.get("pids") or 0)
    more: dict[str, Any] = {}
    if pids < 0:
        made.loosened.append("no limit on processes")
    elif not pids and not made.waives("pids", "no limit on processes"):
        more["pids"] = PIDS
    memory = service.get("mem_limit") or given.get("memory") or service.get("memswap_limit")
    if not memory and not made.waives("memory", "no limit on memory"):
        reserved = service.get("mem_reservation") or (resources.get("reservations") or {}).get("memory") or 0
        more["memory"] = str(max(MEMORY, int(reserved)))
    shared = any(service.get(key) for key in ("cpus", "cpu_quota", "cpu_period", "cpu_shares")) or given.get("cpus")
    if made.strict and not shared and not made.waives("cpus", "no limit on processors"):
        more["cpus"] = STRICT_CPUS
    if given and more:
        made.default("deploy", {**service["deploy"], "resources": {**resources, "limits": {**given, **more}}})
        return
    for name, value in more.items():
        made.default({"pids": "pids_limit", "memory": "mem_limit"}.get(name, name), value)


def _root(made: _Making) -> None:
    """Make the root filesystem of a strict service read-only, with memory where servers keep sockets and scratch."""
    service = made.service
    if not made.strict or service.get("read_only") or service.get("privileged"):
        return
    if made.waives("read_only", "a writable root filesystem"):
        return
    mounted = {str(mount.get("target")) for mount in service.get("volumes") or ()}
    mounted |= {str(item).partition(":")[0] for item in service.get("tmpfs") or ()}
    made.default("read_only", True)
    made.default("tmpfs", [*(service.get("tmpfs") or ()), *(path for path in _WRITABLE if path not in mounted)])


def _bare(names: Any) -> set[str]:
    return {str(name).upper().removeprefix("CAP_") for name in names or ()}


_STEPS: tuple[Callable[[_Making], None], ...] = (_capabilities, _privileges, _init, _limits, _root)
