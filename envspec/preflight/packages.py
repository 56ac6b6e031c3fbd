"""Which packages bring what a host lacks, by distribution."""

from __future__ import annotations

from envspec.preflight.system import System
from envspec.preflight.values import Need

Packages = dict[Need, tuple[str, ...]]

_COMMON: Packages = {
    Need.BOOTSTRAP: ("mmdebstrap", "debian-archive-keyring"),
    Need.UIDMAP: ("uidmap",),
    Need.GIT: ("git",),
    Need.CERTIFICATES: ("ca-certificates",),
    Need.PODMAN: ("podman",),
    Need.INIT: ("catatonit",),
    Need.NETWORKS: ("aardvark-dns", "iptables", "netavark"),
    Need.RUNC: ("runc",),
    Need.USERNET: ("slirp4netns",),
}


def _docker(engine: tuple[str, ...], cli: str, client: str, compose: str, buildx: str) -> Packages:
    """Return the packages of Docker: its engine, its command beside that, its command alone, and its plugins."""
    return {
        Need.ENGINE: engine,
        Need.CLI: (cli,),
        Need.DOCKER_CLIENT: (client,),
        Need.COMPOSE: (compose,),
        Need.BUILDX: (buildx,),
    }


_BOOKWORM = _docker(
    ("docker.io", "iptables"), "docker.io", "docker-cli/trixie", "docker-compose/trixie", "docker-buildx/trixie"
)
"""Debian 12's own docker-compose is version 1, it has no buildx, and its docker command comes with an engine only.
Debian 13's need only its libc6."""

_PODMAN_5: Packages = {Need.NETWORKS: ("aardvark-dns", "netavark", "nftables"), Need.USERNET: ("passt",)}
"""What Podman 5 has networks from: netavark writes rules of nftables, and a user's own network is passt's."""

_TRIXIE: Packages = {
    **_docker(("docker.io", "docker-cli", "iptables"), "docker-cli", "docker-cli", "docker-compose", "docker-buildx"),
    **_PODMAN_5,
}

_UBUNTU = _docker(("docker.io", "iptables"), "docker.io", "docker.io", "docker-compose-v2", "docker-buildx")

_PODMAN_4_UBUNTUS = ("jammy", "noble")
"""Codenames of the releases of Ubuntu that are maintained and have an older Podman than 5."""

_DOCKER_CE = _docker(("docker-ce",), "docker-ce-cli", "docker-ce-cli", "docker-compose-plugin", "docker-buildx-plugin")
"""Names in Docker's own package source, whose engine conflicts with the distribution's."""


def _advised(engine: str, cli: str, compose: str, buildx: str, uidmap: str) -> Packages:
    """Return the packages of a distribution that git and ca-certificates have their own names on."""
    names = {
        Need.ENGINE: engine,
        Need.CLI: cli,
        Need.COMPOSE: compose,
        Need.BUILDX: buildx,
        Need.UIDMAP: uidmap,
        Need.GIT: "git",
        Need.CERTIFICATES: "ca-certificates",
    }
    return {need: (name,) for need, name in names.items()}


ELSEWHERE: dict[str, tuple[tuple[str, ...], Packages]] = {
    "fedora": (
        ("dnf", "install", "-y"),
        _advised("moby-engine", "moby-engine", "docker-compose", "docker-buildx", "shadow-utils"),
    ),
    "arch": (("pacman", "-S", "--needed"), _advised("docker", "docker", "docker-compose", "docker-buildx", "shadow")),
    "alpine": (
        ("apk", "add"),
        _advised("docker", "docker-cli", "docker-cli-compose", "docker-cli-buildx", "shadow-uidmap"),
    ),
    "macos": (
        ("brew", "install"),
        {
            Need.ENGINE: ("colima",),
            Need.CLI: ("docker", "coreutils"),
            Need.COMPOSE: ("docker-compose",),
            Need.BUILDX: ("docker-buildx",),
            Need.GIT: ("git",),
        },
    ),
    "suse": (("zypper", "install"), _advised("docker", "docker", "docker-compose", "docker-buildx", "shadow")),
}
"""Package managers whose commands are printed, never run: they are not tested here."""

ADVICE = {
    Need.ENGINE: "install Docker Engine 20.10 or newer: https://docs.docker.com/engine/install/",
    Need.CLI: "install the docker command: https://docs.docker.com/engine/install/",
    Need.DOCKER_CLIENT: "install the docker command: https://docs.docker.com/engine/install/",
    Need.COMPOSE: "install the Compose plugin, v2: https://docs.docker.com/compose/install/linux/",
    Need.BUILDX: "install the buildx plugin: https://docs.docker.com/build/install-buildx/",
    Need.BOOTSTRAP: "install mmdebstrap, or load a base image, where no registry can be reached",
    Need.UIDMAP: "install newuidmap and newgidmap (uidmap, shadow)",
    Need.GIT: "install git",
    Need.CERTIFICATES: "install your distribution's ca-certificates",
    Need.PODMAN: "install Podman 4.3 or newer: https://podman.io/docs/installation",
    Need.INIT: "install catatonit",
    Need.NETWORKS: "install netavark, aardvark-dns, and iptables or nftables",
    Need.RUNC: "install runc",
    Need.USERNET: "install passt or slirp4netns",
}
"""What to do about a need where no package of a distribution is known."""

PACKAGED = frozenset({Need.ENGINE, Need.CLI, Need.DOCKER_CLIENT, Need.COMPOSE, Need.BUILDX, *_COMMON})
"""Needs that packages fill."""


def packages_of(system: System) -> Packages:
    """Return the packages of a host on which steps may be run."""
    family, codename = system.distribution
    if family == "ubuntu":
        own = _UBUNTU if codename in _PODMAN_4_UBUNTUS else {**_UBUNTU, **_PODMAN_5}
    else:
        own = _BOOKWORM if codename == "bookworm" else _TRIXIE
    return {**_COMMON, **own, **(_DOCKER_CE if system.docker_ce else {})}
