"""Registries of JavaScript packages, as npm, pnpm and corepack are told of them.

They come inside as npm's *global* configuration: a project's own, and what ``npm config set`` writes inside, stand
over it as they do on the host. Source: https://docs.npmjs.com/cli/v10/configuring-npm/npmrc
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from envspec.host_network.values import Found, Host, guarded, has_credentials, in_tmpfs, machine_of, text_of
from envspec.model import Hidden

DEFAULT = "https://registry.npmjs.org"
"""What they ask where nobody tells them otherwise."""

FILE = "npmrc"

LOGINS = ("_authToken", "_auth", "username", "_password")
"""What proves who asks a registry."""

CARRIED = ("COREPACK_INTEGRITY_KEYS", "YARN_NPM_REGISTRY_SERVER")
SECRET = ("COREPACK_NPM_PASSWORD", "COREPACK_NPM_TOKEN", "YARN_NPM_AUTH_TOKEN")
"""Variables that are taken as they are; the second ones are credentials."""

_GLOBAL = ("/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PREFIX = "npm_config_"


def find(host: Host) -> Found:
    """Return what npm and its relatives are told."""
    settings, sources = _settings(host)
    registries = {key: url for key, url in settings.items() if _is_registry(key) and _is_other(url)}
    lines = [f"{key}={url}" for key, url in sorted(registries.items())]
    logins = dict(_logins(settings, registries))
    lines += [f"{key}={value}" for key, value in sorted(logins.items())]
    variables: dict[str, str | Hidden] = {name: Hidden(host.environ[name]) for name in SECRET if host.environ.get(name)}
    variables |= {name: host.environ[name] for name in CARRIED if host.environ.get(name)}
    files: dict[str, str | Hidden] = {}
    if lines:
        text = "".join(f"{line}\n" for line in lines)
        files[FILE] = Hidden(text) if logins or has_credentials("\n".join(registries.values())) else text
        variables["npm_config_globalconfig"] = in_tmpfs(FILE)
    default = registries.get("registry", "")
    corepack = host.first("COREPACK_NPM_REGISTRY") or default
    if machine_of(corepack):
        variables["COREPACK_NPM_REGISTRY"] = guarded(corepack.rstrip("/"))
        token = logins.get(f"{_place(default)}:_authToken", "")
        if token and corepack == default:
            variables.setdefault("COREPACK_NPM_TOKEN", Hidden(token))
    used = [str(path) for path, keys in sources.items() if keys & registries.keys()]
    told = (f"npm from {', '.join(used)}",) if used else ()
    return Found(variables, files, told=told)


def _settings(host: Host) -> tuple[dict[str, str], Mapping[str, set[str]]]:
    """Return npm's settings, and which keys each source has."""
    found: dict[str, str] = {}
    sources: dict[str, set[str]] = {}
    own = host.first("NPM_CONFIG_USERCONFIG", "npm_config_userconfig")
    files = [*map(host.system, _GLOBAL), Path(own) if own else host.home / ".npmrc"]
    for path in files:
        here = {key: _expanded(value, host.environ) for key, value in _lines(text_of(path))}
        sources[str(path)] = set(here)
        found.update(here)
    for name, value in sorted(host.environ.items()):
        if name.lower().startswith(_PREFIX) and value:
            key = name[len(_PREFIX) :]
            key = key.lower() if "/" not in key else key
            found[key] = value
            sources.setdefault(name, set()).add(key)
    return found, sources


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, mark, value = line.strip().partition("=")
        if mark and not key.startswith(("#", ";", "[")):
            yield key.strip(), _unquoted(value.strip())


def _unquoted(value: str) -> str:
    if value[:1] == value[-1:] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value
    return value


def _expanded(value: str, environ: Mapping[str, str]) -> str:
    """Put in the variables that a value refers to; npm leaves what is not set as it is written."""
    return _REFERENCE.sub(lambda match: environ.get(match[1], match[0]), value)


def _is_registry(key: str) -> bool:
    return key == "registry" or (key.startswith("@") and key.endswith(":registry"))


def _is_other(url: str) -> bool:
    return bool(machine_of(url)) and url.rstrip("/") != DEFAULT


def _place(url: str) -> str:
    """Return how npm names a registry in the keys of its logins: ``//host/path/``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    port = f":{parts.port}" if parts.port else ""
    return f"//{parts.hostname or ''}{port}{parts.path.rstrip('/')}/" if parts.hostname else ""


def _logins(settings: Mapping[str, str], registries: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the logins of the registries that come along, and of no other."""
    places = {_place(url) for url in registries.values()}
    for key, value in settings.items():
        place, mark, name = key.rpartition(":")
        if mark and name in LOGINS and place.startswith("//"):
            ours = place if place.endswith("/") else f"{place}/"
            if any(known.startswith(ours) for known in places):
                yield f"{ours}:{name}", value
        elif key in LOGINS and "registry" in registries:  # without a place, which newer versions refuse
            yield f"{_place(registries['registry'])}:{key}", value
