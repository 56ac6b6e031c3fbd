"""What a host is: its distribution, its user, its tools, its package sources. Read once, then only looked at."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from envspec.engine import bootstrap, shim
from envspec.engine.choice import DOCKER_SOCKET, docker_endpoint
from envspec.host_network.apt import fields_of
from envspec.preflight.podman import PodmanFacts, read_facts

MAC = "macos"
"""What a Mac is called among the distributions: its engines run in virtual machines."""

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where daemons lie; not on the PATH of a Debian user."""

TOOLS = (
    *("docker", "dockerd", "git", "service", "sudo"),
    *("iptables", "newuidmap", "nft", "pasta", "podman", "runc", "slirp4netns"),
)


PLUGINS = (
    "~/.docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
"""Where the docker command looks for its plugins."""


@dataclass(frozen=True, slots=True)
class AptSource:
    """One source of packages.

    Attributes:
        uri: Address of the mirror.
        suites: Its suites.
        components: Its components.
        signed_by: Path of the key ring, or "".
    """

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """The facts that decide what a host needs.

    Attributes:
        os_release: Fields of ``/etc/os-release``.
        uid: The effective user.
        user: Login name.
        groups: Groups that this process has.
        member_of: Groups that a new login would have.
        tools: Paths of those of :data:`TOOLS` that exist.
        sources: Enabled package sources of apt.
        compose: Whether Docker's Compose plugin lies where the docker command looks for it.
        docker_is_podman: Whether the docker command is that of the package podman-docker.
        docker_ce: Whether Docker's own packages are installed instead of the distribution's.
        systemd: Whether systemd runs the host.
        subuid: Text of ``/etc/subuid``.
        subgid: Text of ``/etc/subgid``.
        docker_host: Where the docker command goes, "" for its usual place.
        directory: The working directory, which an environment would have bound.
        certificates: Whether the host has a bundle of CA certificates.
        bootstrap_lacks: Packages that are missing to make a base image.
        podman: What decides how Podman has to be set up.
    """

    os_release: Mapping[str, str] = field(default_factory=dict)
    uid: int = 0
    user: str = "root"
    groups: frozenset[str] = frozenset()
    member_of: frozenset[str] = frozenset()
    tools: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[AptSource, ...] = ()
    compose: bool = True
    docker_is_podman: bool = False
    docker_ce: bool = False
    systemd: bool = False
    subuid: str = ""
    subgid: str = ""
    docker_host: str = ""
    directory: str = ""
    certificates: bool = True
    bootstrap_lacks: tuple[str, ...] = ()
    podman: PodmanFacts = field(default_factory=PodmanFacts)

    @property
    def root(self) -> bool:
        """Whether this process may do everything."""
        return self.uid == 0

    @property
    def remote(self) -> bool:
        """Whether the engine is somewhere that a package of this host does not reach."""
        return bool(self.docker_host) and not self.docker_host.startswith("unix:///var/run/docker.sock")

    @property
    def distribution(self) -> tuple[str, str]:
        """Return ``(family, codename)``: ``("debian", "bookworm")``, ``("ubuntu", "noble")``, ``("fedora", "")``.

        A derivative counts as what it derives from, as its ``ID_LIKE`` and the codename of its base tell.
        """
        like = (self.os_release.get("ID", ""), *self.os_release.get("ID_LIKE", "").split())
        if "ubuntu" in like:
            return "ubuntu", self.os_release.get("UBUNTU_CODENAME") or self.os_release.get("VERSION_CODENAME", "")
        if "debian" in like:
            return "debian", self.os_release.get("DEBIAN_CODENAME") or self.os_release.get("VERSION_CODENAME", "")
        return next((name for name in like if name in ("fedora", "rhel", "arch", "alpine", "suse", MAC)), ""), ""


def read_system(context: str = "") -> System:
    """Read the facts of this host. Missing files count as empty; nothing is run.

    Args:
        context: Name of a Docker context that is asked for, "" for none.
    """
    uid = os.geteuid()
    endpoint = docker_endpoint(context)
    user = _login(uid)
    return System(
        os_release=_os_release(sys.platform),
        uid=uid,
        user=user,
        groups=frozenset(_group_names(os.getgroups())),
        member_of=frozenset(group.gr_name for group in grp.getgrall() if user in group.gr_mem),
        tools=_find_tools(),
        sources=read_sources(Path("/etc/apt")),
        compose=any((Path(place).expanduser() / "docker-compose").exists() for place in PLUGINS),
        docker_is_podman=bool(shim.command_is_podman()),
        docker_ce=Path("/var/lib/dpkg/info/docker-ce.list").exists(),
        systemd=Path("/run/systemd/system").is_dir(),
        subuid=_text(Path("/etc/subuid")),
        subgid=_text(Path("/etc/subgid")),
        docker_host="" if endpoint == DOCKER_SOCKET else endpoint,
        directory=os.getcwd(),  # noqa: PTH109 - only shown, and handed on
        certificates=Path("/etc/ssl/certs/ca-certificates.crt").exists(),
        bootstrap_lacks=bootstrap.missing(),
        podman=read_facts(),
    )


def _os_release(platform: str) -> dict[str, str]:
    """Return the fields of this host's os-release file, and the same of a Mac, which has none."""
    if platform == "darwin":
        return {"ID": MAC, "PRETTY_NAME": "macOS"}
    return parse_os_release(_text(Path("/etc/os-release")) or _text(Path("/usr/lib/os-release")))


def parse_os_release(text: str) -> dict[str, str]:
    """Return the fields of an os-release file (os-release(5): shell assignments, one a line)."""
    fields = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            fields[key] = "".join(shlex.split(value)[:1]) if value.count('"') != 1 else value
    return fields


def read_sources(root: Path) -> tuple[AptSource, ...]:
    """Return the enabled binary sources below a directory like ``/etc/apt``, in the order apt reads them."""
    parts = sorted((root / "sources.list.d").glob("*")) if (root / "sources.list.d").is_dir() else []
    found: list[AptSource] = list(_one_line(_text(root / "sources.list")))
    for path in parts:
        if path.suffix == ".list":
            found.extend(_one_line(_text(path)))
        elif path.suffix == ".sources":
            found.extend(_deb822(_text(path)))
    return tuple(found)


def _one_line(text: str) -> Iterator[AptSource]:
    pattern = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>.*)$")
    for line in text.splitlines():
        match = pattern.match(line.partition("#")[0].strip())
        if match:
            signed = re.search(r"signed-by=(\S+)", match["options"] or "")
            parts = tuple(match["components"].split())
            yield AptSource(match["uri"], (match["suite"],), parts, signed[1] if signed else "")


def _deb822(text: str) -> Iterator[AptSource]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = fields_of(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        signed = fields.get("signed-by", "")
        for uri in fields.get("uris", "").split():
            yield AptSource(
                uri,
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                signed if signed.startswith("/") else "",
            )


def _find_tools() -> dict[str, str]:
    path = os.pathsep.join((os.environ.get("PATH", ""), *SBIN))
    found = {name: shutil.which(name, path=path) for name in TOOLS}
    return {name: place for name, place in found.items() if place}


def _group_names(gids: list[int]) -> Iterator[str]:
    for gid in gids:
        try:
            yield grp.getgrgid(gid).gr_name
        except KeyError:
            continue


def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
