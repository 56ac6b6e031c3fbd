"""Registries of Rust packages, as cargo is told of them.

Sources are replaced by a file only, registries and their tokens by variables too. The file holds nothing secret.
Source: https://doc.rust-lang.org/cargo/reference/config.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envspec.host_network.values import Found, Host, has_credentials, machine_of, table, toml_of
from envspec.model import Hidden

FILE = "/.cargo/config.toml"
"""Where cargo finds a configuration from every directory; the project's own and one of a directory nearer go before."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPARSE = "sparse+"


def find(host: Host) -> tuple[Found, str]:
    """Return what cargo is told: tokens as variables, and the text of :data:`FILE`, "" where there is none."""
    home = Path(host.environ.get("CARGO_HOME") or host.home / ".cargo")
    path = next((home / name for name in ("config.toml", "config") if (home / name).is_file()), home / "config.toml")
    settings = toml_of(path)
    logins = table(toml_of(home / "credentials.toml").get("registries"))
    registries = _registries(host, settings)
    lines, variables = [*_sources(settings)], {}
    for name, url in sorted(registries.items()):
        lines += [f"[registries.{name}]", f"index = {json.dumps(url)}"]
        variable = f"CARGO_REGISTRIES_{name.upper().replace('-', '_')}_TOKEN"
        token = host.environ.get(variable) or str(
            table(logins.get(name)).get("token")
            or table(table(settings.get("registries")).get(name)).get("token")
            or ""
        )
        if token:
            variables[variable] = Hidden(token)
            # Without a provider cargo has no token for a registry that asks for one even to be read.
            lines.append('credential-provider = "cargo:token"')
    chosen = str(table(settings.get("registry")).get("default") or "")
    if chosen in registries:
        lines += ["[registry]", f"default = {json.dumps(chosen)}"]
    told = (f"cargo from {path}",) if lines else ()
    return Found(variables, told=told), "".join(f"{line}\n" for line in lines)


def _is_usable(url: object) -> bool:
    text = str(url or "").removeprefix(_SPARSE)
    return bool(machine_of(text)) and not has_credentials(text)


def _registries(host: Host, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the indexes of registries by name; one whose URL carries credentials cannot be told openly."""
    found = {name: table(item).get("index") for name, item in table(settings.get("registries")).items()}
    for variable, value in host.environ.items():
        if match := re.fullmatch(r"CARGO_REGISTRIES_([A-Z0-9_]+)_INDEX", variable):
            known = {name.upper().replace("-", "_"): name for name in found}
            found[known.get(match[1], match[1].lower().replace("_", "-"))] = value
    return {name: str(url) for name, url in found.items() if _BARE.fullmatch(name) and _is_usable(url)}


def _sources(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables of replaced sources; a chain that leads to a place of this host's alone is left out."""
    sources = {name: table(item) for name, item in table(settings.get("source")).items() if _BARE.fullmatch(name)}
    if not _leads_out(sources, "crates-io"):
        return
    name = "crates-io"
    while name:
        item = sources[name]
        following = str(item.get("replace-with") or "")
        yield f"[source.{name}]"
        if item.get("registry"):
            yield f"registry = {json.dumps(str(item['registry']))}"
        if following:
            yield f"replace-with = {json.dumps(following)}"
        name = following if following in sources else ""


def _leads_out(sources: Mapping[str, Mapping[str, Any]], name: str) -> bool:
    """Say whether a source is replaced, in the end, by a registry that can be reached from inside."""
    seen: set[str] = set()
    while name in sources and name not in seen and sources[name].get("replace-with"):
        seen.add(name)
        name = str(sources[name]["replace-with"])
    return bool(seen) and name not in seen and _is_usable(table(sources.get(name)).get("registry"))
