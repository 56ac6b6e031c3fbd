"""What came into an environment, for the person who asked for it: the report and ``status`` speak of nothing else.

Names only: no value of a secret, and none of what the host brings, is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from envspec.api.ends import ending
from envspec.api.work import Look
from envspec.engine.base import Engine
from envspec.engine.objects import ContainerState
from envspec.engine.operations import AskCommand
from envspec.errors import EnvspecError
from envspec.forward.gh import VARIABLES as GH_VARIABLES
from envspec.forward.values import Forwarded
from envspec.kinds.environment import ADDRESS, EnvironmentSpec
from envspec.model import Provision

TOOLS = {
    "python": "python3 --version",
    "uv": "uv --version",
    "node": "node --version",
    "go": "go version",
    "rust": "rustc --version",
    "git": "git --version",
    "gh": "gh --version",
}
"""The tools whose versions are asked for, and how each says its own."""

TOOLS_DEADLINE = 10.0
"""Seconds for all of them; a tool that takes longer is not worth the wait."""

_SAY = """say() {
  if command -v "$2" > /dev/null; then printf '%s %s\\n' "$1" "$("$2" "$3" < /dev/null 2>&1 | head -n 1)"; fi
}"""
_SCRIPT = "\n".join(
    (
        "set +e",
        _SAY,
        # Asking leaves nothing behind: go keeps its telemetry in the home, say.
        "unset XDG_CONFIG_HOME XDG_CACHE_HOME",
        "export HOME=/dev/null GH_CONFIG_DIR=/nonexistent",
        *(f"say {name} {command} &" for name, command in TOOLS.items()),
        "wait",
    )
)
_SAID = re.compile(r"([a-z]+) .*?(\d+(?:\.\d+)+)")


def tools(engine: Engine, box: ContainerState) -> dict[str, str]:
    """Return the versions of the tools in a running workspace, asked as its user; empty where they do not say.

    Args:
        engine: The engine.
        box: The workspace.
    """
    uid, _, gid = box.config.user.partition(":")
    try:
        ask = AskCommand(_SCRIPT, "/", int(uid or 0), int(gid or uid or 0), None)
        completed = engine.perform(box.id, ask, deadline=TOOLS_DEADLINE)
    except (EnvspecError, ValueError):
        return {}
    return versions(completed.stdout.decode(errors="replace").splitlines())


def versions(lines: Iterable[str]) -> dict[str, str]:
    """Return the version of each tool that said one, in the order of :data:`TOOLS`."""
    found = {said[1]: said[2] for said in map(_SAID.match, lines) if said}
    return {name: found[name] for name in TOOLS if name in found}


def provision(seen: Look, known: Mapping[str, str]) -> Provision | None:
    """Return what came inside; ``None`` where there is no workspace.

    Args:
        seen: The last look.
        known: Versions of the tools, empty where nobody asked.
    """
    box, resource = seen.world.workspace, seen.desired.get(ADDRESS)
    if box is None or resource is None:
        return None
    spec: EnvironmentSpec = resource.spec
    forwarded = seen.host.forwarded
    named = spec.names
    return Provision(
        git=identity(forwarded),
        github=next((name for name in GH_VARIABLES if name in spec.secrets), ""),
        ssh="agent" if forwarded.agent else "files" if forwarded.ssh else "",
        variables=named.plain,
        secrets=named.secret,
        host_variables=named.host,
        ca_bundle=bool(spec.ca_digest),
        mounts=tuple(f"{m.source} -> {m.target}{' (ro)' if m.read_only else ''}" for m in box.config.mounts),
        ports=tuple(f"{p.address}:{p.host}->{p.container}/{p.protocol}" for p in box.published),
        tools=dict(known),
        not_found=tuple(_not_found(forwarded, spec)),
        ends=ending(seen.plan.env, box, seen.world.inside),
    )


def identity(found: Forwarded) -> str:
    """Return the name and the address that git commits with inside, as git writes them; "" where it has none."""
    values = {entry.key: entry.value or "" for entry in found.git}
    name, mail = values.get("user.name", ""), values.get("user.email", "")
    return f"{name} <{mail}>" if name and mail else name or (f"<{mail}>" if mail else "")


def _not_found(found: Forwarded, spec: EnvironmentSpec) -> Iterable[str]:
    """Yield what was looked for on the host and is not there."""
    if found.wish.git and not identity(found):
        yield "git identity (`git config --global user.name` and `user.email`)"
    if found.wish.gh and not set(GH_VARIABLES) & spec.secrets.keys():
        yield "GitHub token (`gh auth login`, or GH_TOKEN)"
    if found.wish.secret and not found.secret:
        yield f"{' or '.join(f'~/{path}' for path in found.wish.secret)}"
    if found.wish.seed and not found.seed:
        yield f"{' or '.join(f'~/{path}' for path in found.wish.seed)}"
