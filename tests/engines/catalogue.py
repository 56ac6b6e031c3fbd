"""Which engines the tests run on, and where each comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SUITE_PACKAGES = (
    *("docker.io", "docker-cli", "docker-buildx", "docker-compose", "podman", "crun", "runc", "netavark"),
    *("aardvark-dns", "passt", "catatonit", "iptables", "nftables", "ca-certificates", "iproute2", "procps", "git"),
    *("mmdebstrap", "debian-archive-keyring", "python3-venv"),
    *("libffi8", "libssl3t64", "libsqlite3-0", "libreadline8t64"),  # what a Python in /usr/local may be linked with
)
"""Packages of a root filesystem: both engines, their tools, and what the tests themselves need."""

_EXPERIMENTAL = ("podman", "netavark", "golang-github-containers-common")
PACKAGES = {
    "experimental": (
        *(f"{name}/experimental" for name in _EXPERIMENTAL),
        *(name for name in SUITE_PACKAGES if name not in _EXPERIMENTAL),
    )
}
"""Packages of the suites that have others than :data:`SUITE_PACKAGES`."""

PODMAN_SETTINGS = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""
"""What Podman needs where cgroups are a hybrid of both versions, and for a user who may not raise limits."""

PODMAN_6_SETTINGS = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
cgroups = "disabled"
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
"""
"""What Podman 6 runs with where the controllers of cgroups are version 1's: in no cgroup of its own."""

NO_CGROUPS = (
    "Podman 6 takes cgroups of version 2 alone, and this host's controllers are version 1's: it ran with cgroups "
    "disabled, where nothing can be limited or paused"
)


@dataclass(frozen=True, slots=True)
class Tested:
    """An engine to test on.

    Attributes:
        name: What it is called in ``ENGINES``.
        engine: ``docker`` or ``podman``.
        title: Heading of its column in the table.
        suite: Debian suite whose packages it comes from, "" for the engine of this host.
        number: Tells its network apart from those of the others.
        daemon: Settings of the Docker daemon.
        podman: Settings of Podman.
        without: Why tests that need cgroups are left out, "" where they are not.
    """

    name: str
    engine: str
    title: str
    suite: str = ""
    number: int = 0
    daemon: Mapping[str, Any] = field(default_factory=dict)
    podman: str = PODMAN_SETTINGS
    without: str = ""

    @property
    def settings(self) -> str:
        """Return the text of ``daemon.json``; its cgroups are of a parent that nobody else has."""
        return json.dumps({"cgroup-parent": f"/{self.enclosure}", **self.daemon})

    @property
    def enclosure(self) -> str:
        """Return the name that all bears which it leaves on this host while it runs."""
        return f"evt-{self.name}"


UBUNTUS = ("noble", "resolute")
"""Suites that are Ubuntu's, and not Debian's."""

FRESH_PACKAGES = ("python3", "git", "make", "ca-certificates", "mount")
"""What a machine has, besides the essential packages, on which README's two commands are tried."""

_FRESH_SUITES = ("trixie", "forky", "sid", *UBUNTUS)
_CONTAINERD = {"features": {"containerd-snapshotter": True}}
_OVERLAY = {"features": {"containerd-snapshotter": False}, "storage-driver": "overlay2"}

ENGINES = {
    tested.name: tested
    for tested in (
        Tested("host-docker", "docker", "this host's Docker"),
        Tested("host-podman", "podman", "this host's Podman"),
        Tested("docker-26", "docker", "Debian 13's Docker", "trixie", 1),
        Tested("podman-5", "podman", "Debian 13's Podman", "trixie", 2),
        Tested("docker-sid", "docker", "sid's Docker, overlay2", "sid", 3, _OVERLAY),
        Tested("docker-sid-containerd", "docker", "sid's Docker, containerd store", "sid", 4, _CONTAINERD),
        Tested("podman-sid", "podman", "sid's Podman", "sid", 5),
        Tested(
            *("podman-experimental", "podman", "experimental's Podman", "experimental", 6),
            podman=PODMAN_6_SETTINGS,
            without=NO_CGROUPS,
        ),
    )
}
"""All of them, in the order in which they run and stand in the table."""

FRESH = {suite: Tested(f"fresh-{suite}", "", "", suite, number) for number, suite in enumerate(_FRESH_SUITES, start=20)}
"""Machines with nothing on them, by suite."""
