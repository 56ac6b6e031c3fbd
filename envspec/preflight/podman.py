"""What decides whether Podman works on a host, and the settings that make it. Measured on Podman 4.3."""

from __future__ import annotations

import os
import re
import resource
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

DROP_IN = "/etc/containers/containers.conf.d/50-envspec.conf"
"""Where our settings go: beside the user's own files, which stay as they are. Podman reads the directory since 4.0."""

HELPERS = ("aardvark-dns", "catatonit", "netavark")
"""Programs that Podman calls: name resolution on networks, the init, networks themselves."""

HELPER_DIRS = ("/usr/libexec/podman", "/usr/lib/podman", "/usr/local/libexec/podman", "/usr/local/lib/podman")
"""Where it looks for them before PATH; containers.conf(5), ``helper_binaries_dir``."""

FILES_LIMIT = 1_048_576
PROCESSES_LIMIT = 4_194_304
"""Hard limits that Podman gives a container of root's where nothing is set."""

TUN = Path("/dev/net/tun")
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")

_SYS_RESOURCE = 24
"""Number of CAP_SYS_RESOURCE; capabilities(7), linux/capability.h."""

_PID_MAX = Path("/proc/sys/kernel/pid_max")
_CONFIGS = (Path("/usr/share/containers/containers.conf"), Path("/etc/containers/containers.conf"))
_CONFIG_DIRS = (Path("/usr/share/containers/containers.conf.d"), Path("/etc/containers/containers.conf.d"))


@dataclass(frozen=True, slots=True)
class PodmanFacts:
    """What decides how Podman has to be set up.

    Attributes:
        helpers: Those of :data:`HELPERS` that exist.
        settings: Text of all configuration files of the system, in the order in which Podman reads them.
        may_raise: Whether this process may raise a hard limit.
        files: Hard limit on open files, ``None`` for none.
        processes: Hard limit on processes that Podman leaves to what it starts, ``None`` for none.
        hybrid: Whether cgroups of both versions are mounted, which crun refuses.
        tun: Whether this user may open ``/dev/net/tun``, by which slirp4netns and pasta make networks.
        runtime: Whether the user has a directory ``/run/user/UID``, in which Podman keeps those networks.
        delegated: Controllers of cgroups version 2 that are this user's to limit with, ``None`` where that is unknown.
    """

    helpers: frozenset[str] = field(default_factory=lambda: frozenset(HELPERS))
    settings: str = ""
    may_raise: bool = True
    files: int | None = None
    processes: int | None = None
    hybrid: bool = False
    tun: bool = True
    runtime: bool = True
    delegated: frozenset[str] | None = None


def read_facts() -> PodmanFacts:
    """Read the facts of this host. Missing files count as empty; nothing is run."""
    files = [*_CONFIGS, *(file for place in _CONFIG_DIRS for file in sorted(place.glob("*.conf")))]
    return PodmanFacts(
        helpers=frozenset(name for name in HELPERS if _find(name)),
        settings="\n".join(_text(file) for file in files),
        may_raise=may_raise(_text(Path("/proc/self/status"))),
        files=_hard(resource.RLIMIT_NOFILE),
        processes=fewest(_hard(resource.RLIMIT_NPROC), _text(_PID_MAX)),
        hybrid=Path("/sys/fs/cgroup/unified/cgroup.procs").exists(),
        tun=os.access(TUN, os.R_OK | os.W_OK),
        runtime=runtime_dir(os.geteuid()).is_dir(),
        delegated=delegated(os.geteuid()),
    )


def runtime_dir(uid: int) -> Path:
    """Return the directory that a login gives a user for what lives as long as it; systemd-logind makes it."""
    return Path("/run/user", str(uid))


def delegated(uid: int, root: Path = CGROUPS, own: Path = OWN_CGROUP) -> frozenset[str] | None:
    """Return the controllers that are delegated to a user, ``None`` where cgroups are not of version 2 alone.

    systemd delegates to ``user@UID.service``; without it a user has what their own cgroup has, if that is theirs.

    Args:
        uid: The user.
        root: Where cgroups are mounted.
        own: What the kernel tells of this process's cgroup.
    """
    if not (root / "cgroup.controllers").exists():
        return None
    place = root / f"user.slice/user-{uid}.slice/user@{uid}.service"
    if not place.is_dir():
        place = root / _text(own).strip().rpartition("::")[2].lstrip("/")
    try:
        is_theirs = place.stat().st_uid == uid
    except OSError:
        return frozenset()
    return frozenset(_text(place / "cgroup.controllers").split()) if is_theirs else frozenset()


def may_raise(status: str) -> bool:
    """Say whether a text like ``/proc/self/status`` has CAP_SYS_RESOURCE among what may ever be had."""
    found = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return found is None or bool(int(found[1], 16) >> _SYS_RESOURCE & 1)


def fewest(hard: int | None, pid_max: str) -> int | None:
    """Return the limit on processes that Podman leaves: the host's own, or the highest process number if less.

    Args:
        hard: The hard limit of this process, ``None`` for none.
        pid_max: Text of ``/proc/sys/kernel/pid_max``.
    """
    most = int(pid_max) if pid_max.strip().isdigit() else None
    return min((limit for limit in (hard, most) if limit is not None), default=None) if hard is not None else None


def lacking(facts: PodmanFacts, *, root: bool) -> tuple[tuple[str, str, str], ...]:
    """Return the settings without which containers (Podman 4) or builds (Podman 5) fail: table, key and value, sorted.

    Nothing is returned for a key that a file of the user's sets already. Without systemd Podman takes the cgroup
    manager and the log that need none by itself.

    Args:
        facts: What the host is like.
        root: Whether Podman runs as root; otherwise it keeps to the user's own limits.
    """
    found: list[tuple[str, str, str]] = []
    limits = [
        f'"{name}={hard}:{hard}"'
        for name, hard, wanted in (("nofile", facts.files, FILES_LIMIT), ("nproc", facts.processes, PROCESSES_LIMIT))
        if hard is not None and hard < wanted
    ]
    if root and limits and not facts.may_raise:
        found.append(("containers", "default_ulimits", f"[{', '.join(limits)}]"))
    if facts.hybrid:
        found.append(("engine", "runtime", '"runc"'))
    return tuple(item for item in sorted(found) if not _is_set(facts.settings, item[1]))


def drop_in(settings: Iterable[tuple[str, str, str]]) -> str:
    """Return settings as a file of ``containers.conf.d``."""
    lines = ["# Made by `envspec preflight --fix`: without these containers or builds fail on this host."]
    table = ""
    for name, key, value in settings:
        if name != table:
            lines.append(f"[{name}]")
            table = name
        lines.append(f"{key} = {value}")
    return "\n".join(lines) + "\n"


def _is_set(text: str, key: str) -> bool:
    return re.search(rf"^\s*{key}\s*=", text, re.MULTILINE) is not None


def _find(name: str) -> bool:
    path = os.pathsep.join((*HELPER_DIRS, os.environ.get("PATH", ""), "/usr/sbin"))
    return shutil.which(name, path=path) is not None


def _hard(limit: int) -> int | None:
    hard = resource.getrlimit(limit)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
