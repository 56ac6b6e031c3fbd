"""What an engine's Compose is asked: to resolve a document, and to bring one service up."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from envspec.errors import EngineNotReady, EnvspecError, SpecError, Where

COMPOSE = "com.docker.compose."
"""Prefix of Compose's own labels."""

_READER = "envspec-variables"

_UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
_WARNS = re.compile(r'level=warning msg="((?:[^"\\]|\\.)*)"')
_LINE = re.compile(r"\bline (\d+):")
_OPEN_QUOTE = "unterminated quoted value"

_PLUGINS = tuple(
    Path(place, "docker", "cli-plugins")
    for place in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
)
"""Where docker looks for plugins behind the user's own directory, in its order; docker/cli, ``manager_unix.go``."""


@dataclass(frozen=True, slots=True)
class ComposeSource:
    """A Compose document to resolve. Nothing of the host's environment has a part in it.

    Attributes:
        project: Name of the project.
        directory: Absolute path that relative ones start from.
        text: The document as JSON.
        profiles: Profiles to switch on.
        variables: What ``${NAME}`` stands for, as envspec gives it.
        secrets: The same, from the user's own files: neither in argv nor in the environment of a process.
        inputs: Digest of every other file that the document reads, so that an answer may be kept.
    """

    project: str
    directory: str
    text: str
    profiles: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    inputs: str = ""


@dataclass(frozen=True, slots=True)
class ComposeConfig:
    """What Compose made of a document.

    Attributes:
        text: The resolved document as JSON.
        unset: Variables that it speaks of and that have no value, sorted: Compose takes them for empty.
        warnings: What else Compose warned of.
    """

    text: str = field(repr=False)
    unset: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComposeUp:
    """One service to bring up, and no other.

    Attributes:
        project: Name of the project.
        directory: Absolute path that relative ones start from.
        document: The resolved document as JSON, in which ``$`` is doubled; it may hold secrets.
        service: Which.
        recreate: Whether a container that exists is made anew.
        build: Whether its image is built first.
    """

    project: str
    directory: str
    document: str = field(repr=False)
    service: str
    recreate: bool = False
    build: bool = False


def config_argv(command: Sequence[str], source: ComposeSource, env_file: str) -> list[str]:
    """Return the command line that resolves a document from standard input and reads no ``.env``.

    Args:
        command: The engine's command.
        source: The document.
        env_file: File of its secret variables, ``/dev/null`` for none.
    """
    profiles = [part for profile in source.profiles for part in ("--profile", profile)]
    places = ["--project-name", source.project, "--project-directory", source.directory, "--env-file", env_file]
    return [*_compose(command), *places, *profiles, "--file", "-", "config", "--format", "json"]


def compose_version_argv(command: Sequence[str]) -> list[str]:
    """Return the command line that tells the version of Compose."""
    return [*_compose(command), "version", "--short"]


def _compose(command: Sequence[str]) -> list[str]:
    """Return what runs Compose: its plugin itself, which takes half the time of the engine's command before it."""
    for directory in (Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins", *_PLUGINS):
        plugin = directory / "docker-compose"
        if os.access(plugin, os.X_OK):
            return [str(plugin)]
    return [shutil.which(command[0]) or command[0], *command[1:], "compose"]


def config_environment(source: ComposeSource, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of that command: what the document may see, and where plugins are found."""
    home = environ.get("HOME", "/root")
    return {**dict(source.variables), "DOCKER_CONFIG": environ.get("DOCKER_CONFIG") or f"{home}/.docker"}


def config_of(text: str, said: str) -> ComposeConfig:
    """Return what Compose made of a document.

    Args:
        text: Its standard output.
        said: Its standard error, masked.
    """
    warned = [json.loads(f'"{found}"') for found in _WARNS.findall(said)]
    unset = {match[1] for match in map(_UNSET.search, warned) if match}
    return ComposeConfig(text, tuple(sorted(unset)), tuple(dict.fromkeys(w for w in warned if not _UNSET.search(w))))


def variables_source(files: Sequence[str]) -> ComposeSource:
    """Return a document whose one service has the variables of some files, in which a later one goes first."""
    document = {"services": {_READER: {"image": _READER, "env_file": list(files)}}}
    return ComposeSource(_READER, "/", json.dumps(document))


def variables_of(resolved: str) -> dict[str, str]:
    """Return the variables of :func:`variables_source`, once Compose has resolved it."""
    found = json.loads(resolved)["services"][_READER].get("environment") or {}
    return {name: value.replace("$$", "$") for name, value in found.items() if value is not None}


def variables_fault(said: str) -> SpecError:
    """Return the error of a file of variables that Compose cannot read; what Compose says may hold a secret."""
    line = _LINE.search(said)
    why = "a quote is not closed" if _OPEN_QUOTE in said else "Compose cannot read this line"
    return SpecError(
        why if line else "Compose cannot read it",
        code="compose.env_file",
        hint="write one `NAME=value` a line; in single quotes all but a single quote stands for itself",
        where=Where(line=int(line[1]) if line else 0),
    )


def env_file_text(variables: tuple[tuple[str, str], ...]) -> str:
    """Return variables as the text of an env file, each value quoted so that nothing in it is read as more."""
    lines = []
    for name, value in variables:
        quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
        lines.append(f'{name}="{quoted}"\n')
    return "".join(lines)


def config_fault(said: str, project: str) -> EnvspecError:
    """Return the error of a document that Compose does not take.

    Args:
        said: What it printed, masked.
        project: Name of the project.
    """
    lines = [line for line in said.strip().splitlines() if line and not line.startswith("time=")]
    told = lines[-1] if lines else "no reason given"
    if "is not a docker command" in said or "unknown flag: --project-name" in said:
        return EngineNotReady(
            "the Compose plugin is not installed", code="engine.no_compose", hint="envspec preflight --fix"
        )
    return SpecError(
        f"Compose does not take the document: {told.removeprefix('validating -: ')}",
        code="compose.invalid",
        hint="fix what it names; only variables of envspec and of files of variables have a value",
        where=Where(address=f"compose.{project}"),
    )
