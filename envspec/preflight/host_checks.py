"""What is looked at whichever engine there is: space, ways out, tools. Nothing here changes anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from envspec import host, host_gpu, host_tls
from envspec.host_tls import Seen, Sight
from envspec.preflight.steps import has_subids
from envspec.preflight.system import MAC, System
from envspec.preflight.values import Check, Need, State

TLS_DEADLINE = 1.5
"""Seconds for a look at a public host's certificate."""

LOW_DISK_BYTES = 5 * 1000**3
"""Below this a build of a purpose may not fit."""


@dataclass(frozen=True, slots=True)
class WaysOut:
    """How to look at the ways out of the host.

    Attributes:
        registry: Says whether a registry can be reached.
        tls: Looks at a public host's certificate.
    """

    registry: Callable[[], bool]
    tls: Callable[[], Seen]


def look_at_tls() -> Seen:
    """Look at a public host's certificate, with the CAs that this host has."""
    return host_tls.look(host.system_bundle(), host.gather().ca_extras, timeout=TLS_DEADLINE)


def common(system: System, ways: WaysOut) -> tuple[Check, ...]:
    """Return the checks that end every preflight.

    Args:
        system: The host.
        ways: Look at the ways out.
    """
    first = (registry(ways.registry), bootstrap(system), trust(system), tls(ways.tls()))
    return (*first, packages(), git(system), gpu(host_gpu.lacking()))


def gpu(lacking: str) -> Check:
    """Say whether containers can have a GPU; most need none, so that nothing is wrong where there is none.

    Args:
        lacking: What this host lacks for it, "" for nothing.
    """
    return Check("gpu", State.OK, f"none to give: {lacking}" if lacking else "NVIDIA, with its container toolkit")


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
    if system.distribution[0] == MAC:
        return Check("bootstrap", State.OK, "not on a Mac: base images come from a registry, or are loaded")
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


def tls(seen: Seen) -> Check:
    """Say whether something between this host and the outside re-signs TLS, and what is done about it."""
    if seen.sight is Sight.PUBLIC:
        return Check("TLS", State.OK, f"reaches {seen.host} unchanged, signed by {seen.issuer}")
    if seen.sight is Sight.NOTHING:
        return Check("TLS", State.OK, f"{seen.host} cannot be reached, so nothing can be said")
    if seen.sight is Sight.KNOWN:
        by = f"signed by {seen.issuer}, " if seen.issuer else ""
        detail = f"a proxy re-signs it: {seen.host} is {by}which no CA of the distribution is"
        return Check("TLS", State.OK, f"{detail}; the host's extra CAs are brought into builds and containers")
    detail = f"{seen.host} has a certificate that this host does not trust; behind a proxy that re-signs, builds fail"
    fix = f"put its CA into {host.ANCHOR_DIRS[0]} and run update-ca-certificates; builds and containers then get it"
    return Check("TLS", State.WARN, f"{detail}; {fix}")


def packages() -> Check:
    """Say where the host gets packages from, if not from where everybody does."""
    told = host.gather().network.told
    if not told:
        return Check("packages", State.OK, "from where everybody gets them")
    return Check("packages", State.OK, f"{'; '.join(told)}: brought into builds and containers, never into a layer")


def git(system: System) -> Check:
    """Check for git on the host."""
    if "git" not in system.tools:
        return Check("git", State.WARN, "not found", (Need.GIT,))
    return Check("git", State.OK, system.tools["git"])
