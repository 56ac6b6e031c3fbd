"""What Compose would take from beside a document: ``.env`` and the file that overrides it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from envspec import hostpath

DOT_ENV = ".env"
"""The file of variables that Compose reads by itself."""

_DEFAULTS = ("compose", "docker-compose")
_ENDINGS = (".yml", ".yaml")
_STEERING = re.compile(
    r"(COMPOSE|BUILDX|BUILDKIT)_\w*|DOCKER_(API_VERSION|AUTH_CONFIG|BUILDKIT|CERT_PATH|CLI_\w+|CONFIG|CONTENT_TRUST\w*|"
    r"CONTEXT|CUSTOM_HEADERS|DEFAULT_PLATFORM|HIDE_LEGACY_COMMANDS|HOST|TLS\w*)"
)
_INSTEAD = {
    "COMPOSE_ENV_FILES": "`env_file` of `compose`",
    "COMPOSE_FILE": "`file` of `compose`",
    "COMPOSE_PROFILES": "`profiles` of `compose`",
    "COMPOSE_PROJECT_NAME": "`name`",
}
_SHOWN = 8


def steers(name: str) -> bool:
    """Say whether a variable would steer the engine's own tools, instead of standing for a text in the document."""
    return _STEERING.fullmatch(name) is not None


def parted(variables: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables that a document may use, and the names of those that would steer the engine's tools."""
    used = {name: value for name, value in variables.items() if not steers(name)}
    return used, tuple(sorted(variables.keys() - used.keys()))


def told(used: Mapping[str, str], steering: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the reader of a plan should know of the ``.env`` that was read."""
    notes = []
    if used:
        listed = ", ".join(sorted(used)[:_SHOWN]) + (f" and {len(used) - _SHOWN} more" if len(used) > _SHOWN else "")
        notes.append(f"variables of the Compose file have their values from the .env beside it: {listed}")
    for name in steering:
        instead = f": write {_INSTEAD[name]} in the spec instead" if name in _INSTEAD else ""
        notes.append(f"{name} in .env has no effect{instead}")
    return tuple(notes)


def overrides(path: Path) -> tuple[str, ...]:
    """Return a note for the file beside a Compose file that Compose would merge by itself: the first of these names."""
    if path.stem not in _DEFAULTS or path.suffix not in _ENDINGS:
        return ()
    named = (path.with_name(f"{stem}.override{ending}") for stem in _DEFAULTS for ending in _ENDINGS)
    found = list(filter(hostpath.is_there, named))
    return tuple(
        f"{other.name} beside {path.name} is not merged; to merge it, write "
        f"`compose: {{include: [{{path: [{path.name}, {other.name}]}}]}}`"
        for other in found[:1]
    )


def unset(name: str, where: str, stray: str, *, on_host: bool) -> str:
    """Return the note of a variable that has no value.

    Args:
        name: Its name.
        where: The first place that speaks of it.
        stray: A ``.env`` that is not read, "" for none.
        on_host: Whether this host has a variable of the name.
    """
    why = "this host's is not passed on; " if on_host else ""
    file = f"for example `env_file: [{Path(stray).name}]`" if stray else f"with a line `{name}=value`"
    return f"{where}: ${name} has no value and is taken for empty: {why}name a file under `compose.env_file`, {file}"
