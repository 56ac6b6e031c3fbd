"""Indexes of Python packages, as pip and uv are told of them.

Sources: https://pip.pypa.io/en/stable/topics/configuration/ and https://docs.astral.sh/uv/concepts/configuration-files/
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from envspec.host_network.values import Found, Host, guarded, machine_of, reachable, table, text_of, toml_of
from envspec.model import Hidden

DEFAULT = "https://pypi.org/simple"
"""What both ask where nobody tells them otherwise."""

UV_MIRRORS = ("UV_PYTHON_INSTALL_MIRROR", "UV_PYPY_INSTALL_MIRROR")
"""Where uv gets interpreters."""

_UV_LOGIN = re.compile(r"UV_INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)")
_SECTIONS = ("global", "install")


@dataclass(frozen=True, slots=True)
class Indexes:
    """Where one tool looks for packages.

    Attributes:
        default: URL of the index that stands for PyPI, "" for PyPI itself.
        extra: Further ones; uv's may be ``NAME=URL``.
        trusted: Hosts that are taken without a valid certificate.
        told: Where this comes from.
    """

    default: str = ""
    extra: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    told: str = ""


def find(host: Host) -> Found:
    """Return what pip and uv are told; uv is told what pip is, where nobody tells it otherwise."""
    pip = _usable(_pip(host))
    own = _usable(_uv(host))
    uv = replace(
        own,
        default=own.default or pip.default,
        extra=own.extra or pip.extra,
        trusted=own.trusted or pip.trusted,
    )
    variables: dict[str, str | Hidden] = {}
    for names, indexes in (
        (("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"), pip),
        (("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INSECURE_HOST"), uv),
    ):
        values = (indexes.default, " ".join(indexes.extra), " ".join(indexes.trusted))
        variables.update({name: guarded(value) for name, value in zip(names, values, strict=True) if value})
    if uv.default or uv.extra:
        variables.update(dict(_uv_extras(host)))
    urls = [pip.default, *pip.extra, uv.default, *map(_url, uv.extra)]
    machines = frozenset(filter(None, map(machine_of, urls)))
    used = [indexes.told for indexes in (pip, own) if indexes.default or indexes.extra]
    return Found(variables, machines=machines, told=tuple(used))


def _usable(indexes: Indexes) -> Indexes:
    """Leave out the default, what cannot be reached from inside, and trust in hosts that are not asked."""
    default = indexes.default if machine_of(indexes.default) and indexes.default.rstrip("/") != DEFAULT else ""
    within = set(reachable(map(_url, indexes.extra)))
    extra = tuple(dict.fromkeys(word for word in indexes.extra if _url(word) in within))
    asked = set(filter(None, map(machine_of, (default, *map(_url, extra)))))
    trusted = tuple(name for name in indexes.trusted if name.rpartition(":")[0] in asked or name in asked)
    return Indexes(default, extra, trusted, indexes.told)


def _url(word: str) -> str:
    """Return the URL of an index, which uv may have under a name."""
    name, mark, rest = word.partition("=")
    return rest if mark and re.fullmatch(r"[A-Za-z0-9._-]+", name) else word


# ── pip ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pip(host: Host) -> Indexes:
    found: dict[str, tuple[str, str]] = {}
    for path in _pip_files(host):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text_of(path))
        except configparser.Error:
            continue
        for section in _SECTIONS:
            if parser.has_section(section):
                found.update({key.replace("_", "-"): (value, str(path)) for key, value in parser.items(section)})
    for key in ("index-url", "extra-index-url", "trusted-host"):
        variable = f"PIP_{key.upper().replace('-', '_')}"
        if host.environ.get(variable):
            found[key] = (host.environ[variable], variable)
    default, source = found.get("index-url", ("", ""))
    extra, other = found.get("extra-index-url", ("", ""))
    trusted = found.get("trusted-host", ("", ""))[0]
    told = f"pip from {', '.join(dict.fromkeys(filter(None, (source, other))))}"
    return Indexes(default.strip(), tuple(extra.split()), tuple(trusted.split()), told)


def _pip_files(host: Host) -> Iterator[Path]:
    """Yield pip's configuration files, the weakest first."""
    named = host.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    for directory in reversed((host.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")):
        yield host.system(directory) / "pip" / "pip.conf"
    yield host.system("/etc/pip.conf")
    yield host.home / ".pip" / "pip.conf"
    yield host.config / "pip" / "pip.conf"
    if named:
        yield Path(named)


# ── uv ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _uv(host: Host) -> Indexes:
    default, extra, trusted, sources = "", list[str](), list[str](), list[str]()
    for path in _uv_files(host):
        settings = toml_of(path)
        own = [table(item) for item in settings.get("index", ()) if isinstance(item, dict)]
        named = [_named(item) for item in own if not item.get("default") and not item.get("explicit")]
        of_pip = table(settings.get("pip"))
        first = next((str(item.get("url", "")) for item in own if item.get("default")), "")
        first = first or str(settings.get("index-url") or of_pip.get("index-url") or "")
        more = [*named, *_texts(settings.get("extra-index-url") or of_pip.get("extra-index-url"))]
        if first or more:
            sources.append(str(path))
        default, extra = first or default, more or extra
        trusted += _texts(settings.get("allow-insecure-host"))
    by_variable = host.first("UV_DEFAULT_INDEX", "UV_INDEX_URL")
    more_by_variable = host.first("UV_INDEX", "UV_EXTRA_INDEX_URL").split()
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
    sources += [name for name in names if host.environ.get(name)]
    trusted = host.first("UV_INSECURE_HOST").split() or trusted
    told = f"uv from {', '.join(sources)}"
    return Indexes(_url(by_variable or default), tuple(more_by_variable or extra), tuple(trusted), told)


def _uv_files(host: Host) -> Iterator[Path]:
    """Yield uv's configuration files, the weakest first."""
    if host.environ.get("UV_NO_CONFIG"):
        return
    named = host.environ.get("UV_CONFIG_FILE", "")
    if named:
        yield Path(named)
        return
    yield host.system("/etc/uv/uv.toml")
    yield host.config / "uv" / "uv.toml"


def _named(item: Any) -> str:
    url, name = str(item.get("url", "")), str(item.get("name", ""))
    return f"{name}={url}" if name else url


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _uv_extras(host: Host) -> Iterator[tuple[str, str | Hidden]]:
    """Yield what else tells uv of its indexes: logins by their names, mirrors of interpreters, how to choose."""
    for name in sorted(host.environ):
        if _UV_LOGIN.fullmatch(name):
            yield name, Hidden(host.environ[name])
    for name in UV_MIRRORS:
        if machine_of(host.environ.get(name, "")):
            yield name, guarded(host.environ[name])
    if host.environ.get("UV_INDEX_STRATEGY"):
        yield "UV_INDEX_STRATEGY", host.environ["UV_INDEX_STRATEGY"]
