"""Mirrors of Debian's and Ubuntu's own packages, for images of a release that the host has sources of.

Only entries of the distribution itself are taken, checked by its own keys, which every image of it has; and only where
the mirror has the release *and* its security updates, so that no image is worse off by it.
Sources: ``sources.list(5)``, ``apt.conf(5)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from envspec.engine.bootstrap import RECIPES
from envspec.engine.facts import CA_FILE
from envspec.host_network.values import Found, Host, guarded, in_tmpfs, machine_of, text_of
from envspec.kinds.base_image import APT_LIST
from envspec.model import Hidden

CONF = "apt-conf"
LIST = APT_LIST
"""Names of the files in the tmpfs."""

RELEASES: Mapping[str, tuple[str, str]] = {
    "bookworm": ("debian", "12"),
    "trixie": ("debian", "13"),
    "jammy": ("ubuntu", "22.04"),
    "noble": ("ubuntu", "24.04"),
}
"""Releases by code name: distribution and version."""

KEYRINGS: Mapping[str, str] = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}
"""Where each keeps the keys of its archive."""

DEFAULTS = frozenset(
    ["deb.debian.org", "security.debian.org", "archive.ubuntu.com", "security.ubuntu.com", "ports.ubuntu.com"]
)
"""Hosts that images ask anyway."""

COMPONENTS = frozenset(["main", "contrib", "non-free", "non-free-firmware", "universe", "restricted", "multiverse"])

_PATHS = ("debian", "debian-security", "ubuntu", "ubuntu-ports", "ubuntu-security")
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<rest>.+)")


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One suite of one mirror, and which keys check it ("" for those of the distribution)."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


def release_of(ref: str) -> str:
    """Return the code name of the release that an image's reference names, "" where it names none that is known.

    Bootstrapped images are named by their recipe, the registry's by a code name (``python:3.12-slim-bookworm``), or by
    a version where the image is the distribution's own (``debian:13-slim``).
    """
    repository, _, tag = ref.partition("@")[0].rpartition(":")
    recipe = RECIPES.get(tag)
    if recipe:
        return recipe.suite
    words = tag.split("-")
    named = [word for word in words if word in RELEASES]
    distribution = repository.rpartition("/")[2]
    versioned = [name for name, known in RELEASES.items() if (distribution, words[0].split(".")[0]) == known]
    versioned += [name for name, known in RELEASES.items() if (distribution, words[0]) == known]
    return next(iter((*named, *versioned)), "")


def find(host: Host, release: str) -> Found:
    """Return what apt is told of a release.

    Args:
        host: Where to look.
        release: Its code name.
    """
    distribution = RELEASES[release][0] if release in RELEASES else ""
    entries = [entry for entry in _entries(host) if _is_official(entry, release, distribution)]
    suites = {entry.suite for entry in entries}
    differs = any(machine_of(entry.uri) not in DEFAULTS for entry in entries)
    if not differs or not {release, f"{release}-security"} <= suites:
        return Found()
    lines = [
        f"deb [signed-by={KEYRINGS[distribution]}] {entry.uri} {entry.suite} {' '.join(entry.components)}\n"
        for entry in dict.fromkeys(entries)
    ]
    conf = f'Dir::Etc::SourceList "{in_tmpfs(LIST)}";\nDir::Etc::SourceParts "-";\n'
    if host.has_ca:
        conf += f'Acquire::https::CAInfo "{CA_FILE}";\n'
    files: dict[str, str | Hidden] = {LIST: guarded("".join(lines)), CONF: conf}
    return Found({"APT_CONFIG": in_tmpfs(CONF)}, files, told=(f"apt from {host.system('/etc/apt')}",))


def _is_official(entry: Entry, release: str, distribution: str) -> bool:
    if not distribution or entry.suite.partition("-")[0] != release or not set(entry.components) <= COMPONENTS:
        return False
    named = urlsplit(entry.uri).path.strip("/").rpartition("/")[2]
    return bool(machine_of(entry.uri)) and named in _PATHS and entry.signed_by in ("", KEYRINGS[distribution])


def _entries(host: Host) -> Iterator[Entry]:
    """Yield all active entries of binary packages, in the order of the files."""
    yield from _one_line(text_of(host.system("/etc/apt/sources.list")))
    for path in sorted(host.system("/etc/apt/sources.list.d").glob("*")):
        if path.suffix == ".list":
            yield from _one_line(text_of(path))
        elif path.suffix == ".sources":
            yield from _deb822(text_of(path))


def _one_line(text: str) -> Iterator[Entry]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match:
            options = dict(word.partition("=")[::2] for word in (match["options"] or "").split())
            if "trusted" not in options:
                signed = options.get("signed-by", "")
                yield Entry(match["uri"], match["suite"], tuple(match["rest"].split()), signed)


def _deb822(text: str) -> Iterator[Entry]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields = fields_of(paragraph)
        types, enabled = fields.get("types", "").split(), fields.get("enabled", "yes").lower()
        if "deb" not in types or enabled in ("no", "false", "0") or "trusted" in fields:
            continue
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Entry(uri, suite, components, fields.get("signed-by", "").strip())


def fields_of(paragraph: str) -> dict[str, str]:
    """Return the fields of one deb822 paragraph by their names in lower case; see sources.list(5)."""
    found: dict[str, str] = {}
    key = ""
    for line in paragraph.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and key:
            found[key] += f"\n{line.strip()}"
        elif ":" in line:
            key, _, value = line.partition(":")
            key = key.strip().lower()
            found[key] = value.strip()
    return found
