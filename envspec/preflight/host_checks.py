"""What is looked at whichever engine there is: space, ways out, tools. Nothing here changes anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from envspec import host
from envspec.preflight.steps import has_subids
from envspec.preflight.system import System
from envspec.preflight.values import Check, Need, State

LOW_DISK_BYTES = 5 * 1000**3
"""Below this a build of a purpose may not fit."""


def common(system: System, reachable: Callable[[], bool]) -> tuple[Check, ...]:
    """Return the checks that end every preflight.

    Args:
        system: The host.
        reachable: Says whether a registry can be reached.
    """
    return registry(reachable), bootstrap(system), trust(system), git(system)


def disk(root: str) -> Check:
    """Check the space where the engine keeps images, "" for anywhere."""
    try:
        free = shutil.disk_usage(root or "/").free
    except OSError:
        return Check("disk", State.WARN, f"{root} is not on this host, so its space is unknown")
    detail = f"{free / 1000**3:.1f} GB free at {root or '/'}"
    if free < LOW_DISK_BYTES:
        return Check("disk", State.WARN, f"{detail}; a build may need {LOW_DISK_BYTES / 1000**3:.0f} GB")
    return Check("disk", State.OK, detail)


def registry(reachable: Callable[[], bool]) -> Check:
    """Check whether base images can be pulled."""
    if reachable():
        return Check("registry", State.OK, "Docker Hub can be reached")
    detail = "Docker Hub cannot be reached: base images that are not here are made from the Debian mirror"
    return Check("registry", State.WARN, detail)


def bootstrap(system: System) -> Check:
    """Check whether base images can be made without a registry."""
    lacking = {Need.BOOTSTRAP: [name for name in system.bootstrap_lacks if name != "uidmap"]}
    lacking[Need.UIDMAP] = [name for name in system.bootstrap_lacks if name == "uidmap"]
    has_ids = system.root or (has_subids(system, system.subuid) and has_subids(system, system.subgid))
    lacking[Need.SUBID] = [] if has_ids else [f"a range of subordinate ids for {system.user}"]
    needs = tuple(need for need, names in lacking.items() if names)
    if not needs:
        return Check("bootstrap", State.OK, "base images can be made without a registry")
    told = ", ".join(name for names in lacking.values() for name in names)
    return Check("bootstrap", State.WARN, f"no base image can be made without a registry; missing: {told}", needs)


def trust(system: System) -> Check:
    """Say what of the host's way out is brought inside."""
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


def git(system: System) -> Check:
    """Check for git on the host."""
    if "git" not in system.tools:
        return Check("git", State.WARN, "not found", (Need.GIT,))
    return Check("git", State.OK, system.tools["git"])
