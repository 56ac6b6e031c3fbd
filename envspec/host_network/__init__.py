"""Where the host gets packages from, if not from where everybody does: indexes, registries and mirrors.

Only what differs from a tool's default comes along, and only what can be reached from inside: nothing that names a
directory of the host, or the host itself. What carries credentials is :class:`envspec.model.Hidden`; logins come along
only for the places that do. Everything is read from files and the environment; no process is started.
"""

from __future__ import annotations

import netrc
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from envspec.host_network import apt, cargo, go, npm, pip
from envspec.host_network.apt import release_of
from envspec.host_network.values import Found, Host, in_tmpfs
from envspec.model import Hidden

__all__ = ["FILES", "HostNetwork", "read", "release_of"]

NETRC = "netrc"

FILES = (apt.CONF, apt.LIST, NETRC, npm.FILE)
"""Names of all files that may come into the tmpfs of a container, and as secrets into a build."""


_LOGIN = re.compile(r"://[^\s/@:]*:([^\s/@]+)@|:(?:_authToken|_auth|_password)=(\S+)|\spassword (\S+)")
"""A password in a URL, in npm's configuration, and in a netrc."""


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """Where the host gets packages from.

    Attributes:
        variables: Variables that tell tools; :class:`Hidden` where they carry credentials.
        files: Files of the tmpfs, by name; likewise.
        cargo: Text of :data:`envspec.host_network.cargo.FILE`, "" for none; never a secret.
        mirrors: What apt is told, by code name of the release.
        told: Where all this comes from, in words without a URL.
    """

    variables: Mapping[str, str | Hidden] = field(default_factory=dict)
    files: Mapping[str, str | Hidden] = field(default_factory=dict)
    cargo: str = ""
    mirrors: Mapping[str, Found] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    @property
    def passwords(self) -> Iterator[str]:
        """Yield what is secret within what is hidden, so that it is masked where it shows alone."""
        of_mirrors = (text for mirror in self.mirrors.values() for text in mirror.files.values())
        for text in (*self.variables.values(), *self.files.values(), *of_mirrors):
            for match in _LOGIN.finditer(text.text if isinstance(text, Hidden) else ""):
                password = next(filter(None, match.groups()))
                yield from {password: None, unquote(password): None}

    def variables_for(self, base: str) -> dict[str, str | Hidden]:
        """Return the variables for what stands on a base image, by its reference."""
        mirror = self.mirrors.get(release_of(base), Found())
        return {**self.variables, **mirror.variables}

    def files_for(self, base: str) -> dict[str, str | Hidden]:
        """Return the files for what stands on a base image, by its reference."""
        mirror = self.mirrors.get(release_of(base), Found())
        return {**self.files, **mirror.files}


def read(
    environ: Mapping[str, str], *, has_ca: bool = False, home: Path | None = None, root: Path = Path("/")
) -> HostNetwork:
    """Look at the host.

    Args:
        environ: The process's environment.
        has_ca: Whether a CA bundle comes inside.
        home: Home directory of the user; the environment's when ``None``.
        root: Directory that stands for ``/``.
    """
    host = Host(environ, home or Path(environ.get("HOME") or "/nonexistent"), root, has_ca)
    rust, config = cargo.find(host)
    found = (pip.find(host), npm.find(host), rust, go.find(host))
    variables = {name: value for item in found for name, value in item.variables.items()}
    files = {name: value for item in found for name, value in item.files.items()}
    logins = _netrc(host, frozenset().union(*(item.machines for item in found)))
    if logins:
        files[NETRC] = Hidden(logins)
        variables["NETRC"] = in_tmpfs(NETRC)
    mirrors = {release: mirror for release in apt.RELEASES if (mirror := apt.find(host, release)).files}
    told = [*(line for item in found for line in item.told)]
    told += list(dict.fromkeys(line for mirror in mirrors.values() for line in mirror.told))
    return HostNetwork(variables, files, config, mirrors, tuple(told))


def _netrc(host: Host, machines: frozenset[str]) -> str:
    """Return the logins of the user's netrc for the hosts that are asked, and for no other.

    Go looks for a host with its port there, where the URL has one; everybody else for the host.
    """
    path = Path(host.environ.get("NETRC") or host.home / ".netrc")
    try:
        entries = netrc.netrc(str(path)).hosts
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return ""
    lines = []
    for machine in sorted(name for name in entries if name.partition(":")[0] in machines):
        login, _, password = entries[machine]
        if all(word and not any(c.isspace() or c in "\"'\\" for c in word) for word in (login, password or "")):
            lines.append(f"machine {machine} login {login} password {password}\n")
    return "".join(lines)
