"""Which engine to work on: the one that was asked for, else the one that answers.

Every command pays for this, ``exec`` too, so nothing is started and nothing heavy imported: an engine answers when its
socket takes a connection, and where a context leads is read from the files that Docker keeps. What answers at Docker's
socket is asked in a millisecond whether it is Podman.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envspec import hostpath
from envspec.engine import shim
from envspec.engine.unix_socket import takes_connections
from envspec.errors import EngineNotReady, SpecError, UsageError, Where

ENGINES = ("docker", "podman", "auto")
"""What may be asked for."""

VARIABLE = "ENVSPEC_ENGINE"
"""Asks for an engine where the command line does not."""

DOCKER_SOCKET = "unix:///var/run/docker.sock"
"""Where Docker answers unless it is told otherwise."""

CONNECT_DEADLINE = 1.0
"""Seconds for a socket of this host to take a connection."""

_PROXIES = {key: f"{key.removesuffix('Proxy')}_proxy" for key in ("httpProxy", "httpsProxy", "noProxy", "allProxy")}
_LOGIN = re.compile(r"//[^/@]*@")
_VERSIONS = re.compile(r"client version (\S+) is too (old|new)\. M\w+ supported API version is ([\d.]+)")
_NO_CGROUPS = "Cgroups v1 not supported"
"""What Podman 6 says to every call, its version's too, and nothing else."""

_UNIX = "unix://"
_KEY = "engine"


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine and the way to it.

    Attributes:
        name: ``docker`` or ``podman``.
        command: Its command, with the options that lead to it.
        remote: Address of an engine that does not see this host's files, "" when it does.
        rootless: Whether it runs without root; ``None`` where only it can tell.
        alias: What goes by Docker's name and is this Podman, in words for a note, "" where nothing does.
        socket: Path of the socket of this host that leads to it, "" for none.
    """

    name: str
    command: tuple[str, ...]
    remote: str = ""
    rootless: bool | None = False
    alias: str = ""
    socket: str = ""


def choose(asked: str = "", context: str = "", *, environ: Mapping[str, str] = os.environ) -> EngineChoice:
    """Return the engine to work on.

    Args:
        asked: What the command line asks for, "" for nothing; then the variable counts, then the user's configuration.
        context: Name of a Docker context, "" for none.
        environ: The process's environment.

    Raises:
        UsageError: There is no such engine, or a context is asked of one that has none.
        SpecError: The user's configuration is faulty.
        EngineNotReady: Docker's endpoint is that of a Podman which the command ``podman`` does not work on.
    """
    name = _checked(asked, "--engine") or _checked(environ.get(VARIABLE, ""), VARIABLE)
    if context and name == "podman":
        raise UsageError("Podman has no contexts", hint="--context is Docker's; leave it out, or use --engine docker")
    name = "docker" if context else name or _configured(config_file(environ)) or "auto"
    if name == "podman":
        return EngineChoice("podman", ("podman",))
    if command := shim.command_is_podman(environ):
        return EngineChoice("podman", ("podman",), alias=f"the command {command}")
    if name == "auto" and not _prefers_docker(environ):
        return EngineChoice("podman", ("podman",))
    endpoint = docker_endpoint(context, environ)
    if shim.socket_is_podman(endpoint):
        return _podmans(endpoint, environ)
    words = ("docker", "--context", context) if context else ("docker",)
    if not endpoint.startswith(_UNIX):
        return EngineChoice("docker", words, endpoint, rootless=None)
    rootless = False if shim.listens_as_root(endpoint) else None
    return EngineChoice("docker", words, rootless=rootless, socket=endpoint.removeprefix(_UNIX))


def _podmans(endpoint: str, environ: Mapping[str, str]) -> EngineChoice:
    """Return the Podman that answers at a socket of Docker's, where the command ``podman`` works on the same.

    Raises:
        EngineNotReady: It does not: Docker's command would misread what Podman says.
    """
    if shim.own_socket(endpoint) and shutil.which("podman", path=environ.get("PATH")):
        return EngineChoice("podman", ("podman",), alias=f"what answers at {endpoint}")
    raise EngineNotReady(
        f"Podman answers at {endpoint}, where Docker was looked for",
        code="engine.not_docker",
        hint="`unset DOCKER_HOST` and `envspec --engine podman …`, as the user and on the host of that Podman",
    )


def no_answer(said: str, command: Sequence[str], environ: Mapping[str, str] = os.environ) -> EngineNotReady:
    """Return the error of an engine that does not answer; it names what led there, where the user chose the way.

    Args:
        said: What the engine's command printed, "" for nothing.
        command: That command, with the options that lead to the engine.
        environ: The process's environment.
    """
    reason = f": {said}" if said else ""
    if _NO_CGROUPS in said:
        return _without_cgroups()
    if "client version" in said and (found := _VERSIONS.search(said)):
        return _other_age(*found.groups())
    host = environ.get("DOCKER_HOST", "")
    if command[0] != "docker" or (len(command) == 1 and not host and docker_endpoint("", environ) == DOCKER_SOCKET):
        return EngineNotReady(
            f"the engine does not answer{reason}", hint="`envspec preflight` says why, --fix repairs it"
        )
    if len(command) > 1:
        at, hint = f"the context {command[-1]} leads", "`docker context ls` lists the contexts and where they lead"
    elif host:
        at = f"DOCKER_HOST={_LOGIN.sub('//', host)} leads"
        hint = "correct DOCKER_HOST, or `unset DOCKER_HOST` to work on this host's engine"
    else:
        at, hint = "the current Docker context leads", "`docker context use default` takes this host's engine"
    return EngineNotReady(f"no engine answers where {at}{reason}", code="engine.no_answer", hint=hint)


def _without_cgroups() -> EngineNotReady:
    """Return the error of Podman 6 where cgroups of version 1 are mounted, be it beside those of version 2."""
    return EngineNotReady(
        "this Podman runs nothing on this host: it needs cgroups of version 2 alone, and version 1 is mounted",
        code="engine.cgroups",
        hint="boot with the kernel option `systemd.unified_cgroup_hierarchy=1`, which is the default of every systemd "
        "since 247, or install Podman 5 or older, or use `--engine docker`",
    )


def _other_age(client: str, word: str, daemon: str) -> EngineNotReady:
    """Return the error of a command that speaks another version of the API than the daemon admits."""
    if word == "old":
        hint = "install a newer docker command (Debian and Ubuntu: docker-cli; Docker's own: docker-ce-cli)"
    else:
        hint = "`unset DOCKER_API_VERSION`: without it the command speaks what the daemon does"
    return EngineNotReady(
        f"the engine runs, but the docker command is too {word} for it: it speaks version {client} of its API, "
        f"and the engine takes {daemon} and {'newer' if word == 'old' else 'older'}",
        code="engine.client_version",
        hint=hint,
    )


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the user's configuration, as the XDG base directory specification has it."""
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "envspec" / "config.yaml"


def _checked(name: str, source: str) -> str:
    if name and name not in ENGINES:
        raise UsageError(f"{source}: there is no engine {name[:40]!r}", hint=f"use one of {', '.join(ENGINES)}")
    return name


def _configured(file: Path) -> str:
    """Return the engine that the user's configuration asks for, "" when it asks for none."""
    if not hostpath.is_file(file):
        return ""
    import yaml  # noqa: PLC0415 -- only who has such a file pays for it

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        told = str(error).splitlines()[0] if str(error) else "it cannot be read"
        raise _faulty(file, f"this YAML cannot be read: {told}") from None
    if found is None:
        return ""
    if not isinstance(found, dict):
        raise _faulty(file, "the configuration must be a mapping")
    name = found.get(_KEY, "")
    if name and name not in ENGINES:
        raise _faulty(file, f"`{_KEY}` is {str(name)[:40]!r}, which is none of {', '.join(ENGINES)}")
    return str(name)


def _faulty(file: Path, message: str) -> SpecError:
    return SpecError(message, code="config.invalid", hint=f"for example `{_KEY}: auto`", where=Where(file=str(file)))


def _prefers_docker(environ: Mapping[str, str]) -> bool:
    """Say whether ``auto`` means Docker: it does unless only Podman is there to answer."""
    path = environ.get("PATH")
    if shutil.which("podman", path=path) is None or environ.get("DOCKER_HOST") or environ.get("DOCKER_CONTEXT"):
        return True
    if shutil.which("docker", path=path) is None:
        return False
    endpoint = docker_endpoint("", environ)
    return not endpoint.startswith(_UNIX) or takes_connections(endpoint.removeprefix(_UNIX), CONNECT_DEADLINE)


def docker_endpoint(context: str = "", environ: Mapping[str, str] = os.environ) -> str:
    """Return where the docker command goes, in the order in which it decides: its option, the variables, its files.

    Args:
        context: Name of a context that it is given, "" for none.
        environ: The process's environment.
    """
    if not context and environ.get("DOCKER_HOST"):
        return environ["DOCKER_HOST"]
    directory = Path(environ.get("DOCKER_CONFIG") or "~/.docker").expanduser()
    current = _json(directory / "config.json").get("currentContext")
    name = str(context or environ.get("DOCKER_CONTEXT") or current or "default")
    if name == "default":
        return DOCKER_SOCKET
    import hashlib  # noqa: PLC0415 -- only a context pays for it

    meta = _json(directory / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json")
    try:
        return str(meta["Endpoints"]["docker"]["Host"])
    except (KeyError, TypeError):  # there is no such context, which the docker command itself says best
        return DOCKER_SOCKET


def docker_proxies(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the proxies that Docker's own configuration would write into every container, by variable.

    The command does so with credentials and all, for ``inspect`` to show, unless it is given a value of its own.
    """
    directory = Path(environ.get("DOCKER_CONFIG") or "~/.docker").expanduser()
    sections = _json(directory / "config.json").get("proxies")
    found: dict[str, str] = {}
    for section in sections.values() if isinstance(sections, dict) else ():
        for key, name in _PROXIES.items():
            value = section.get(key) if isinstance(section, dict) else None
            if value:
                found |= dict.fromkeys((name, name.upper()), str(value))
    return found


def _json(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    import json  # noqa: PLC0415 -- only who has such a file pays for it

    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
