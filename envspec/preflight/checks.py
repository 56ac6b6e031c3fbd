"""What is looked at before work begins. Nothing here changes anything.

One call of ``docker info`` answers for daemon, plugins, limits and disk at once, so a ready host is checked in a
fraction of a second.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from envspec import host
from envspec.engine.base import Completed
from envspec.errors import UsageError
from envspec.preflight.run import NOT_FOUND, TIMED_OUT, run_command
from envspec.preflight.steps import has_subids, steps
from envspec.preflight.system import System, read_system
from envspec.preflight.values import Check, Need, Run, State

MINIMUM_VERSION = (20, 10)
"""The oldest server that envspec is tested with."""

LOW_DISK_BYTES = 5 * 1000**3
"""Below this a build of a purpose may not fit."""

INFO_DEADLINE = 10.0
REGISTRY_DEADLINE = 0.7
"""Seconds; a registry that needs longer to answer is no help."""

DEFAULT_SOCKET = "/var/run/docker.sock"

Info = Mapping[str, Any]


def check(engine_name: str = "docker") -> tuple[Check, ...]:
    """Look at this host.

    Args:
        engine_name: The engine to look for: ``docker``.

    Returns:
        All checks, always the same ones in the same order.

    Raises:
        UsageError: Another engine was asked for.
    """
    if engine_name != "docker":
        raise UsageError(f"preflight does not know the engine {engine_name!r}", hint="use docker")
    return check_system(read_system(), run_command, registry=lambda: host.registry_reachable(timeout=REGISTRY_DEADLINE))


def check_system(system: System, run: Run, *, registry: Callable[[], bool]) -> tuple[Check, ...]:
    """Check a host that has been read already.

    Args:
        system: Its facts.
        run: Runs ``docker info``.
        registry: Says whether a registry can be reached.
    """
    answer, info = _ask(system, run)
    found = (
        _cli(system, info),
        _daemon(system, answer, info),
        _version(info),
        _plugin(info, "buildx", Need.BUILDX, "images are built"),
        _plugin(info, "compose", Need.COMPOSE, "services are run"),
        _limits(info),
        _disk(info),
        _registry(registry),
        _bootstrap(system),
        _trust(system),
        _git(system),
    )
    return tuple(replace(item, fix=steps(system, item.needs)) for item in found)


def _ask(system: System, run: Run) -> tuple[Completed, Info]:
    """Return the end of ``docker info`` and what it told, empty where it told nothing."""
    if "docker" not in system.tools:
        return Completed(NOT_FOUND), {}
    answer = run((system.tools["docker"], "info", "--format", "{{json .}}"), deadline=INFO_DEADLINE)
    try:
        info = json.loads(answer.stdout)
    except ValueError:
        return answer, {}
    return answer, info if isinstance(info, dict) else {}


def _cli(system: System, info: Info) -> Check:
    if "docker" not in system.tools:
        return Check("docker command", State.FAIL, "not found on PATH", (Need.CLI,))
    version = (info.get("ClientInfo") or {}).get("Version")  # a client of 20.10 does not tell
    return Check("docker command", State.OK, f"{version or 'found'} at {system.tools['docker']}")


def _daemon(system: System, answer: Completed, info: Info) -> Check:
    if info.get("ServerVersion"):
        return Check("engine", State.OK, f"answers at {system.docker_host or DEFAULT_SOCKET}")
    if answer.code == TIMED_OUT:
        return Check("engine", State.FAIL, f"hangs: no answer within {INFO_DEADLINE:.0f} s; restart it")
    if system.remote:
        said = answer.stderr.decode(errors="replace").strip() or "no answer"
        return Check("engine", State.FAIL, f"{system.docker_host} (from DOCKER_HOST): {said}")
    if _denied(answer, info):
        return _no_permission(system)
    group = () if system.root or "docker" in system.groups | system.member_of else (Need.GROUP,)
    if "dockerd" not in system.tools:
        return Check("engine", State.FAIL, "no engine is installed", (Need.ENGINE, *group, Need.START))
    return Check("engine", State.FAIL, "installed, but not running", (*group, Need.START))


def _denied(answer: Completed, info: Info) -> bool:
    said = answer.stderr.decode(errors="replace") + " ".join(map(str, info.get("ServerErrors") or ()))
    return "permission denied" in said.lower()


def _no_permission(system: System) -> Check:
    if "docker" in system.member_of and "docker" not in system.groups:
        detail = (
            f"{system.user} is in the group docker, but this login is older than that: log in again, "
            "or prefix commands with `sg docker -c '…'`"
        )
        return Check("engine", State.FAIL, detail)
    detail = f"runs, but {system.user} may not use its socket: join the group docker, then log in again"
    return Check("engine", State.FAIL, detail, (Need.GROUP,))


def _version(info: Info) -> Check:
    text = str(info.get("ServerVersion") or "")
    match = re.match(r"(\d+)\.(\d+)", text)
    if not match:
        return Check("engine version", State.WARN, "unknown until the engine answers")
    wanted = ".".join(map(str, MINIMUM_VERSION))
    if (int(match[1]), int(match[2])) < MINIMUM_VERSION:
        return Check("engine version", State.FAIL, f"{text}; {wanted} or newer is needed")
    return Check("engine version", State.OK, text)


def _plugin(info: Info, name: str, need: Need, purpose: str) -> Check:
    plugins = (info.get("ClientInfo") or {}).get("Plugins") or ()
    found = next((item for item in plugins if item.get("Name") == name and not item.get("Err")), None)
    if found is None:
        return Check(f"{name} plugin", State.FAIL, f"not found; with it {purpose}", (need,))
    version = str(found.get("Version", ""))
    if name == "compose" and re.match(r"v?1\.", version):
        return Check("compose plugin", State.FAIL, f"{version}; version 2 is needed", (need,))
    return Check(f"{name} plugin", State.OK, version)


def _limits(info: Info) -> Check:
    if not info.get("ServerVersion"):
        return Check("cgroups", State.WARN, "unknown until the engine answers")
    keys = (("MemoryLimit", "memory"), ("PidsLimit", "pids"), ("CpuCfsQuota", "cpus"))
    lacking = [name for key, name in keys if not info.get(key)]
    kind = f"version {info.get('CgroupVersion') or '1'}, driver {info.get('CgroupDriver')}"
    if lacking:
        return Check("cgroups", State.WARN, f"{kind}; the kernel does not limit {', '.join(lacking)}")
    return Check("cgroups", State.OK, kind)


def _disk(info: Info) -> Check:
    root = str(info.get("DockerRootDir") or "")
    try:
        free = shutil.disk_usage(root or "/").free
    except OSError:
        return Check("disk", State.WARN, f"{root} is not on this host, so its space is unknown")
    detail = f"{free / 1000**3:.1f} GB free at {root or '/'}"
    if free < LOW_DISK_BYTES:
        return Check("disk", State.WARN, f"{detail}; a build may need {LOW_DISK_BYTES / 1000**3:.0f} GB")
    return Check("disk", State.OK, detail)


def _registry(registry: Callable[[], bool]) -> Check:
    if registry():
        return Check("registry", State.OK, "Docker Hub can be reached")
    detail = "Docker Hub cannot be reached: base images that are not here are made from the Debian mirror"
    return Check("registry", State.WARN, detail)


def _bootstrap(system: System) -> Check:
    lacking = {Need.BOOTSTRAP: [name for name in system.bootstrap_lacks if name != "uidmap"]}
    lacking[Need.UIDMAP] = [name for name in system.bootstrap_lacks if name == "uidmap"]
    has_ids = system.root or (has_subids(system, system.subuid) and has_subids(system, system.subgid))
    lacking[Need.SUBID] = [] if has_ids else [f"a range of subordinate ids for {system.user}"]
    needs = tuple(need for need, names in lacking.items() if names)
    if not needs:
        return Check("bootstrap", State.OK, "base images can be made without a registry")
    told = ", ".join(name for names in lacking.values() for name in names)
    return Check("bootstrap", State.WARN, f"no base image can be made without a registry; missing: {told}", needs)


def _trust(system: System) -> Check:
    facts = host.gather()
    told = []
    if facts.proxies:
        told.append(f"proxy from {', '.join(sorted(facts.proxies))}")
    if facts.ca_bundle:
        told.append(f"extra CA certificates from {', '.join(facts.ca_sources)}")
    if not system.certificates and not facts.ca_bundle and system.distribution[0] in ("debian", "ubuntu"):
        return Check("way out", State.WARN, "the host has no CA certificates", (Need.CERTIFICATES,))
    if told:
        return Check(
            "way out", State.OK, f"{' and '.join(told)}: brought into builds and containers, never into a layer"
        )
    return Check("way out", State.OK, "direct; no proxy and no extra CA certificates to bring inside")


def _git(system: System) -> Check:
    if "git" not in system.tools:
        return Check("git", State.WARN, "not found", (Need.GIT,))
    return Check("git", State.OK, system.tools["git"])
