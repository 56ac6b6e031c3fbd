"""Facts of the host that builds and containers need: who the user is, how the host reaches out, whom it trusts.

Everything here is read from files and the process's environment; no process is started. Proxy values may carry
credentials, so they are kept out of every ``repr`` and message.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from envspec.engine.choice import docker_proxies
from envspec.engine.facts import CA_FILE
from envspec.engine.machine import Machine
from envspec.forward.values import Forwarded
from envspec.host_network import HostNetwork
from envspec.host_network import read as read_network
from envspec.host_reach import connection, within
from envspec.model import Hidden

CA_VARIABLES = (
    "CARGO_HTTP_CAINFO",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "npm_config_cafile",
)
"""Variables that point common tools at a CA bundle.

``COREPACK_INTEGRITY_KEYS=0`` is not among them: an extra CA is no reason to stop checking the signatures of packages.
"""

PROXY_VARIABLES = tuple(
    sorted(form for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy") for form in (name, name.upper()))
)
"""Variables that tell tools which proxy to use; tools differ in the case that they read."""

PASSTHROUGH = (
    *("*_API_KEY", "*_TOKEN", "*_SECRET", "ANTHROPIC_*", "OPENAI_*", "AZURE_OPENAI_*", "GOOGLE_*", "GEMINI_*"),
    *("OLLAMA_*", "VLLM_*", "AMPLIFIER_*"),
)
"""Names and globs of the variables that ``env_passthrough: auto`` takes, proxies apart, which always come along."""

SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, BSD
)
"""Where distributions keep the bundle that they make; the list of Go's ``crypto/x509``."""

ANCHOR_DIRS = (
    "/usr/local/share/ca-certificates",  # Debian's update-ca-certificates
    "/etc/pki/ca-trust/source/anchors",  # Red Hat's update-ca-trust
)
"""Where an administrator puts a CA that the host shall trust too."""

BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables by which a user trusts a bundle of their own."""

DOCKER_HUB = "registry-1.docker.io"
"""Where images without a registry in their names come from."""

MAX_BUNDLE_BYTES = 8 * 1024 * 1024
"""A larger file is no CA bundle; the distributions' are about 220 KB."""

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----")
_PEM_COLUMNS = 64  # RFC 7468


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What is true of the host and its user.

    Attributes:
        uid: Numeric user.
        gid: Numeric primary group.
        user: Name of the user; their number where they have none.
        proxies: Those of :data:`PROXY_VARIABLES` that are set, here or in Docker's own configuration. The values may
            carry credentials.
        ca_bundle: PEM of every CA that the host trusts, when it trusts more than its distribution does; else ``b""``.
        ca_sources: Files that brought in the extra CAs, sorted.
        ca_extras: Those CAs alone, each in PEM.
        hostname: Name of the host.
        maps: How the engine maps users: "" as they are, ``keep-id`` (Podman without root: the user as they are), or
            ``root`` (Docker without root: root inside is the user).
        environ: The process's environment.
        passthrough: Names and globs of the variables that ``env_passthrough: auto`` takes.
        forwarded: What of the user's own goes inside; :mod:`envspec.forward` looks for it.
        network: Where the host gets packages from, if not from where everybody does.
        image_prefix: What the user's configuration puts before the names of Docker Hub's images, "" for nothing.
        machine: The machine that the engine runs on.
    """

    uid: int
    gid: int
    user: str
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_bundle: bytes = field(default=b"", repr=False)
    ca_sources: tuple[str, ...] = ()
    hostname: str = ""
    maps: Literal["", "keep-id", "root"] = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    passthrough: tuple[str, ...] = PASSTHROUGH
    forwarded: Forwarded = field(default_factory=Forwarded)
    ca_extras: tuple[bytes, ...] = ()
    network: HostNetwork = field(default_factory=HostNetwork)
    image_prefix: str = ""
    machine: Machine = field(default_factory=Machine)


def gather(environ: Mapping[str, str] = os.environ) -> HostFacts:
    """Look at the host.

    Args:
        environ: The process's environment.

    Returns:
        The facts. A bundle that cannot be read, or holds no certificate, counts as absent.
    """
    uid = os.getuid()
    bundle, sources, extras = _trusted(environ)
    return HostFacts(
        uid=uid,
        gid=os.getgid(),
        user=_user_name(uid),
        proxies=docker_proxies(environ) | {name: environ[name] for name in PROXY_VARIABLES if environ.get(name)},
        ca_bundle=bundle,
        ca_sources=sources,
        hostname=socket.gethostname(),
        environ=dict(environ),
        ca_extras=extras,
        network=read_network(environ, has_ca=bool(bundle)),
    )


def container_environment(facts: HostFacts, base: str = "") -> dict[str, str | Hidden]:
    """Return the variables by which tools inside reach out the way the host does, sorted by name.

    The bundle is expected at :data:`envspec.engine.facts.CA_FILE`, in containers and in builds alike.

    Args:
        facts: Facts of the host.
        base: Reference of the base image, which tells whether the host's mirrors of packages are for it.
    """
    variables: dict[str, str | Hidden] = {
        name: value if name.lower() == "no_proxy" else Hidden(value) for name, value in facts.proxies.items()
    }
    variables |= facts.network.variables_for(base)
    if facts.ca_bundle:
        variables |= dict.fromkeys(CA_VARIABLES, CA_FILE)
    return dict(sorted(variables.items()))


def build_secrets(facts: HostFacts, base: str = "") -> dict[str, bytes]:
    """Return the files that a build gets as secrets, by id.

    Args:
        facts: Facts of the host.
        base: Reference of the base image.

    Returns:
        ``env``, shell text that exports :func:`container_environment`, ``ca``, the bundle, and the files that the
        variables point to. One that would be empty is left out: a build mounts only the secrets that it is given.
    """
    pairs = ((name, _text(value)) for name, value in container_environment(facts, base).items())
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in pairs)
    secrets = {"env": "".join(lines).encode(), "ca": facts.ca_bundle}
    secrets |= {name: _text(text).encode() for name, text in facts.network.files_for(base).items()}
    return {name: content for name, content in secrets.items() if content}


def system_bundle() -> bytes:
    """Return the CAs of the distribution's bundle in PEM, what an administrator merged into it included."""
    return _pem(next((found for path in SYSTEM_BUNDLES if (found := _certificates(Path(path)))), ()))


def registry_of(prefix: str) -> str:
    """Return the registry that a prefix of image names leads to, as :func:`registry_reachable` takes it."""
    first = prefix.partition("/")[0]
    return first if first == "localhost" or any(character in first for character in ".:") else DOCKER_HUB


def registry_reachable(host: str = DOCKER_HUB, timeout: float = 2.0, environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether a registry answers, through the proxy where one is set.

    It tells only that a connection opens, not that a pull is allowed. Nothing is remembered.

    Args:
        host: Name of the registry, with ``:port`` unless it is 443.
        timeout: Seconds for all of it, looking up the name included.
        environ: The process's environment, for the proxy.
    """
    return bool(within(timeout, lambda: _connects(host, timeout, environ)))


def _text(value: str | Hidden) -> str:
    return value.text if isinstance(value, Hidden) else value


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _trusted(environ: Mapping[str, str]) -> tuple[bytes, tuple[str, ...], tuple[bytes, ...]]:
    """Return the bundle to bring inside, the files that make it needed, and the extra CAs alone."""
    system = next((found for path in SYSTEM_BUNDLES if (found := _certificates(Path(path)))), ())
    known = set(system)
    sources: list[str] = []
    extras: dict[bytes, None] = {}
    alone: set[bytes] = set()
    own = {os.path.realpath(path) for path in SYSTEM_BUNDLES}
    for path, is_anchor in _candidates(environ):
        if not is_anchor and os.path.realpath(path) in own:
            continue
        found = _certificates(path)
        # The distribution's tools merge an anchor into the bundle, so an anchor is an extra although it is known.
        if found and (is_anchor or not known.issuperset(found)):
            sources.append(str(path))
            extras.update(dict.fromkeys(found))
            alone |= set(found) if is_anchor else set(found) - known
    if not sources:
        return b"", (), ()
    bundle = _pem(dict.fromkeys((*system, *sorted(extras))))
    return bundle, tuple(sorted(set(sources))), tuple(_pem((body,)) for body in sorted(alone))


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[Path, bool]]:
    """Yield the files that may hold extra CAs, in a stable order, and whether each is an administrator's anchor."""
    for directory in ANCHOR_DIRS:
        for suffix in ("*.crt", "*.pem"):
            for path in sorted(Path(directory).rglob(suffix)):
                yield path, True
    for name in BUNDLE_VARIABLES:
        value = environ.get(name, "")
        if value:
            yield Path(value).absolute(), False


def _certificates(path: Path) -> tuple[bytes, ...]:
    """Return the certificates of a PEM file, each as bare base64. Keys and all else in the file are passed over."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BUNDLE_BYTES:
            return ()
        content = path.read_bytes()
    except OSError:
        return ()
    return tuple(b"".join(match.split()) for match in _CERTIFICATE.findall(content))


def _pem(certificates: Iterable[bytes]) -> bytes:
    lines: list[bytes] = []
    for body in certificates:
        lines.append(b"-----BEGIN CERTIFICATE-----")
        lines.extend(body[start : start + _PEM_COLUMNS] for start in range(0, len(body), _PEM_COLUMNS))
        lines.append(b"-----END CERTIFICATE-----")
    return b"\n".join(lines) + b"\n"


def _connects(host: str, timeout: float, environ: Mapping[str, str]) -> bool:
    """Open a connection to a registry and say whether that worked."""
    name, _, port = host.partition(":")
    try:
        connection(name, int(port or 443), timeout, environ).close()
    except (OSError, ValueError):  # ValueError: a proxy or port that is no number
        return False
    return True
