"""What is looked at before work begins with Podman. Nothing here changes anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from envspec.engine.choice import no_answer
from envspec.engine.operations import Completed
from envspec.preflight import podman
from envspec.preflight.host_checks import disk
from envspec.preflight.run import NOT_FOUND, TIMED_OUT
from envspec.preflight.steps import has_subids
from envspec.preflight.system import System
from envspec.preflight.values import Check, Need, Run, State

MINIMUM_VERSION = (4, 3)
"""The oldest Podman that envspec is tested with."""

INFO_DEADLINE = 20.0

Info = Mapping[str, Any]


def checks(system: System, run: Run) -> tuple[Check, ...]:
    """Check Podman on a host that has been read already.

    Args:
        system: Its facts.
        run: Runs ``podman info``.
    """
    answer, info = _ask(system, run)
    return (
        _command(system, info),
        _engine(system, answer, info),
        _version(system, info),
        _settings(system),
        _init(system),
        _networks(system, info),
        _rootless(system),
        _compose(system),
        _cgroups(system, info),
        disk(str((info.get("store") or {}).get("graphRoot") or "")),
    )


def _ask(system: System, run: Run) -> tuple[Completed, Info]:
    """Return the end of ``podman info`` and what it told, empty where it told nothing."""
    if "podman" not in system.tools:
        return Completed(NOT_FOUND), {}
    answer = run((system.tools["podman"], "info", "--format", "json"), deadline=INFO_DEADLINE)
    try:
        info = json.loads(answer.stdout)
    except ValueError:
        return answer, {}
    return answer, info if isinstance(info, dict) else {}


def _number(info: Info) -> str:
    return str((info.get("version") or {}).get("Version") or "")


def _command(system: System, info: Info) -> Check:
    if "podman" not in system.tools:
        return Check("podman command", State.FAIL, "not found on PATH", (Need.PODMAN,))
    also = f"; {system.tools['docker']} is Podman too" if system.docker_is_podman and "docker" in system.tools else ""
    return Check("podman command", State.OK, f"{_number(info) or 'found'} at {system.tools['podman']}{also}")


def _engine(system: System, answer: Completed, info: Info) -> Check:
    if "podman" not in system.tools:
        return Check("engine", State.FAIL, "no Podman is installed", (Need.PODMAN,))
    if info.get("host"):
        return Check("engine", State.OK, f"answers, {'as root' if system.root else f'rootless, as {system.user}'}")
    if answer.code == TIMED_OUT:
        return Check("engine", State.FAIL, f"hangs: no answer within {INFO_DEADLINE:.0f} s")
    said = answer.stderr.decode(errors="replace").strip().splitlines()
    error = no_answer(said[-1] if said else "", ("podman",))
    if error.code == "engine.cgroups":
        return Check("engine", State.FAIL, f"{error.message}; {error.hint}")
    return Check("engine", State.FAIL, said[-1] if said else "no answer")


def _version(system: System, info: Info) -> Check:
    text = _number(info)
    match = re.match(r"(\d+)\.(\d+)", text)
    if not match:
        return Check("engine version", State.WARN, "unknown until Podman answers")
    wanted = ".".join(map(str, MINIMUM_VERSION))
    if (int(match[1]), int(match[2])) < MINIMUM_VERSION:
        name = system.os_release.get("PRETTY_NAME", "this system")
        return Check("engine version", State.FAIL, f"{text}, which is all that {name} has; {wanted} or newer is needed")
    return Check("engine version", State.OK, text)


def _settings(system: System) -> Check:
    lacking = podman.lacking(system.podman, root=system.root)
    runc = (Need.RUNC,) if system.podman.hybrid and "runc" not in system.tools else ()
    if lacking or runc:
        told = [f"{key} = {value}" for _, key, value in lacking] + ["the program runc"] * bool(runc)
        needs = ((Need.SETTINGS,) if lacking else ()) + runc
        return Check("settings", State.FAIL, f"containers or builds fail on this host without {', '.join(told)}", needs)
    return Check("settings", State.OK, "containers can start")


def _init(system: System) -> Check:
    if "catatonit" not in system.podman.helpers:
        return Check("init", State.FAIL, "catatonit not found; every container has it as its init", (Need.INIT,))
    return Check("init", State.OK, "catatonit")


def _networks(system: System, info: Info) -> Check:
    lacking = [name for name in ("netavark", "aardvark-dns") if name not in system.podman.helpers]
    if not {"iptables", "nft"} & system.tools.keys():
        lacking.append("iptables or nft")
    if lacking:
        return Check("networks", State.FAIL, f"{', '.join(lacking)} not found", (Need.NETWORKS,))
    if (info.get("host") or {}).get("networkBackend") == "cni":
        # Podman keeps to what it was first used with, and CNI's own plugins resolve no names.
        detail = "CNI, where services do not find each other by name; `podman system reset`, which removes all that "
        return Check("networks", State.WARN, f"{detail}Podman has, changes to netavark")
    return Check("networks", State.OK, "netavark, with names resolved by aardvark-dns")


def _rootless(system: System) -> Check:
    """Check what a user needs who runs Podman without root."""
    if system.root:
        return Check("rootless", State.OK, "not needed: you are root")
    lacking: dict[Need, str] = {}
    if "newuidmap" not in system.tools:
        lacking[Need.UIDMAP] = "newuidmap"
    files = {"/etc/subuid": system.subuid, "/etc/subgid": system.subgid}
    if without := [file for file, text in files.items() if not has_subids(system, text)]:
        lacking[Need.SUBID] = f"a range of subordinate ids for {system.user} in {' and '.join(without)}"
    if not {"slirp4netns", "pasta"} & system.tools.keys():
        lacking[Need.USERNET] = "slirp4netns or pasta"
    if not system.podman.tun:
        lacking[Need.TUN] = f"access to {podman.TUN}"
    if not system.podman.runtime:
        lacking[Need.RUNTIME] = f"the directory {podman.runtime_dir(system.uid)}"
    if lacking:
        told = ", ".join(lacking.values())
        return Check("rootless", State.FAIL, f"missing: {told}", tuple(lacking))
    return Check("rootless", State.OK, f"{system.user} can have containers")


def _compose(system: System) -> Check:
    """Check for what services take: Docker's client and its plugin talk to Podman's socket; no Docker engine does."""
    lacking: dict[Need, str] = {}
    if system.docker_is_podman:
        detail = (
            "no services can be run: the docker command is Podman's (podman-docker), and Compose takes Docker's own"
        )
        return Check("compose plugin", State.WARN, f"{detail}; install docker-cli and docker-compose in its place")
    if "docker" not in system.tools:
        lacking[Need.DOCKER_CLIENT] = "the docker command"
    if not system.compose:
        lacking[Need.COMPOSE] = "its Compose plugin"
    if lacking:
        told = " and ".join(lacking.values())
        return Check("compose plugin", State.WARN, f"no services can be run without {told}", tuple(lacking))
    return Check("compose plugin", State.OK, "services are run by it, on Podman's socket")


def _cgroups(system: System, info: Info) -> Check:
    host = info.get("host") or {}
    if not host:
        return Check("cgroups", State.WARN, "unknown until Podman answers")
    kind = f"version {str(host.get('cgroupVersion')).removeprefix('v')}, driver {host.get('cgroupManager')}"
    known = set(host.get("cgroupControllers") or ())
    if not system.root and host.get("cgroupVersion") == "v1":
        detail = f"{kind}: without root nothing can be limited there; boot with version 2, or write `memory: none` and "
        return Check("cgroups", State.WARN, f"{detail}`pids: none` in every file, without which an apply is refused")
    if not system.root and system.podman.delegated is not None:
        known &= system.podman.delegated
    lacking = sorted({"cpu", "memory", "pids"} - known)
    if lacking and not system.root:
        detail = f"{kind}; {', '.join(lacking)} cannot be limited: not delegated to {system.user}"
        how = "write `[Service]` and `Delegate=cpu memory pids` with `sudo systemctl edit user@.service`"
        return Check("cgroups", State.WARN, f"{detail}; {how}, then log in again" if system.systemd else detail)
    if lacking:
        return Check("cgroups", State.WARN, f"{kind}; {', '.join(lacking)} cannot be limited")
    return Check("cgroups", State.OK, kind)
