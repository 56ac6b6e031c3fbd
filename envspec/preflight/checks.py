"""What is looked at before work begins. Nothing here changes anything.

One call of ``docker info`` answers for daemon, plugins, limits and disk at once, so a ready host is checked in a
fraction of a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from envspec import host
from envspec.engine.choice import no_answer
from envspec.engine.operations import Completed
from envspec.errors import UsageError
from envspec.preflight import machine_checks, podman_checks
from envspec.preflight.host_checks import WaysOut, common, look_at_tls
from envspec.preflight.run import NOT_FOUND, TIMED_OUT, run_command
from envspec.preflight.steps import steps
from envspec.preflight.system import MAC, System, read_system
from envspec.preflight.values import Check, Need, Run, State

MINIMUM_VERSION = (20, 10)
"""The oldest server that envspec is tested with."""

ENGINES = ("docker", "podman")

INFO_DEADLINE = 10.0
REGISTRY_DEADLINE = 0.7
"""Seconds; a registry that needs longer to answer is no help."""

DEFAULT_SOCKET = "/var/run/docker.sock"

Info = Mapping[str, Any]


def check(engine_name: str = "docker", context: str = "") -> tuple[Check, ...]:
    """Look at this host.

    Args:
        engine_name: The engine to look for: ``docker`` or ``podman``.
        context: Name of a Docker context, "" for none.

    Returns:
        All checks, always the same ones in the same order.

    Raises:
        UsageError: There is no such engine.
    """
    if engine_name not in ENGINES:
        raise UsageError(f"preflight does not know the engine {engine_name!r}", hint=f"use {' or '.join(ENGINES)}")
    ways = WaysOut(partial(host.registry_reachable, timeout=REGISTRY_DEADLINE), look_at_tls)
    system = read_system(context)
    command = (system.tools.get("docker", ""), *(("--context", context) if context else ()))
    engine = Docker(command, machine_checks.seer(system, command))
    return check_system(system, run_command, ways=ways, docker=None if engine_name == "podman" else engine)


@dataclass(frozen=True, slots=True)
class Docker:
    """The Docker that is looked at.

    Attributes:
        command: Its command, with the options that lead to the engine; "" where there is none.
        engine: Asks the engine where it runs and what it sees.
    """

    command: tuple[str, ...]
    engine: machine_checks.Seer


def check_system(system: System, run: Run, *, ways: WaysOut, docker: Docker | None) -> tuple[Check, ...]:
    """Check a host that has been read already.

    Args:
        system: Its facts.
        run: Runs the engine's ``info``.
        ways: Look at the ways out.
        docker: The Docker to look at, ``None`` for Podman.
    """
    own = _docker(system, run, docker) if docker else podman_checks.checks(system, run)
    return tuple(replace(item, fix=steps(system, item.needs)) for item in (*own, *common(system, ways)))


def _docker(system: System, run: Run, docker: Docker) -> tuple[Check, ...]:
    answer, info = _ask(system, run, docker.command)
    engine = docker.engine if info.get("ServerVersion") else None
    return (
        _cli(system, info),
        _daemon(system, answer, info),
        _version(info),
        _plugin(info, "buildx", Need.BUILDX, "images are built"),
        _plugin(info, "compose", Need.COMPOSE, "services are run"),
        _limits(info),
        machine_checks.files(engine, system.directory),
        machine_checks.space(engine, str(info.get("DockerRootDir") or "")),
    )


def _ask(system: System, run: Run, command: tuple[str, ...]) -> tuple[Completed, Info]:
    """Return the end of ``docker info`` and what it told, empty where it told nothing."""
    if "docker" not in system.tools:
        return Completed(NOT_FOUND), {}
    answer = run((*command, "info", "--format", "{{json .}}"), deadline=INFO_DEADLINE)
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
        return Check("engine", State.OK, f"answers at {system.docker_host or DEFAULT_SOCKET}{_kind(info)}")
    hangs = f"hangs: no answer within {INFO_DEADLINE:.0f} s; restart it" if answer.code == TIMED_OUT else ""
    if said := _other_version(answer, info) or hangs:
        return Check("engine", State.FAIL, said)
    if system.remote:
        said = answer.stderr.decode(errors="replace").strip() or "no answer"
        where = f"no engine answers at {system.docker_host}, where DOCKER_HOST or the Docker context leads"
        return Check("engine", State.FAIL, f"{where}: start it there, or correct that; docker says: {said}")
    if _denied(answer, info):
        return _no_permission(system)
    return _no_answer(system)


def _no_answer(system: System) -> Check:
    """Say what to install or start where nothing answers in the usual place."""
    if system.distribution[0] == MAC:
        needs = (Need.START,) if "docker" in system.tools else (Need.ENGINE, Need.START)
        return Check("engine", State.FAIL, "no engine answers: start Docker Desktop, OrbStack or Colima", needs)
    group = () if system.root or "docker" in system.groups | system.member_of else (Need.GROUP,)
    if "dockerd" not in system.tools:
        return Check("engine", State.FAIL, "no engine is installed", (Need.ENGINE, *group, Need.START))
    return Check("engine", State.FAIL, "installed, but not running", (*group, Need.START))


def _kind(info: Info) -> str:
    """Say what kind of a daemon it is, as it tells itself; "" for the usual one."""
    options = " ".join(map(str, info.get("SecurityOptions") or ()))
    kinds = [
        *(["rootless"] if "name=rootless" in options else []),
        *(["from a snap"] if str(info.get("DockerRootDir") or "").startswith("/var/snap/") else []),
    ]
    return "".join(f", {kind}" for kind in kinds)


def _said(answer: Completed, info: Info) -> str:
    return " ".join((answer.stderr.decode(errors="replace"), *map(str, info.get("ServerErrors") or ())))


def _other_version(answer: Completed, info: Info) -> str:
    """Say that the daemon runs and does not take the command's version of the API, "" where that is not so."""
    said = _said(answer, info)
    error = no_answer(said, ("docker",)) if "client version" in said else None
    return f"{error.message}; {error.hint}" if error and error.code == "engine.client_version" else ""


def _denied(answer: Completed, info: Info) -> bool:
    return "permission denied" in _said(answer, info).lower()


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
