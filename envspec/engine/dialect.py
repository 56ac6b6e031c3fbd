"""Where engines' command lines differ, as data: how each lists what it has, describes a container, and makes one.

Docker's words are the common tongue: what another engine says is put into them, so that :mod:`envspec.engine.inspect`
reads one shape only. Measured on Docker 20.10 and Podman 4.3 and 5.4.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from envspec.engine import podman
from envspec.engine.objects import LABEL, ContainerConfig, NetworkState, VolumeState
from envspec.engine.part import Part

LABELS = ("env", "kind", "address", "digest", "spec", "session", "persistent", "expires", "purpose", "format", "test")
"""Our labels of networks and volumes, asked for one by one: Docker's own list cannot tell commas in values."""

_ENV_COLUMN = f'{{{{json (.Label "{LABEL}env")}}}}'
_COLUMNS = tuple(f'{{{{json (.Label "{LABEL}{name}")}}}}' for name in LABELS)


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """A container in a list: its ID, the names that it bears, and the environment that its label names."""

    id: str
    names: frozenset[str]
    env: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine is spoken to.

    Attributes:
        name: ``docker`` or ``podman``.
        containers: Words that list all containers.
        networks: Words that list all networks.
        volumes: Words that list all volumes.
        read_containers: Reads what the list of containers printed.
        read_networks: Reads what the list of networks printed.
        read_volumes: Reads what the list of volumes printed.
        describe: Puts a container's ``inspect`` into Docker's shape.
        build: Words that build an image into the engine's own store, with plain progress.
        options: Changes, for a configuration, what :mod:`envspec.engine.options` gives to create a container.
        labels: Labels to give a container beside those asked for: what ``inspect`` would not tell.
        full_name: Turns a reference into one that names its registry, where the engine asks for that to pull it.
        copy_in: Words that unpack a tar stream in a container with the owners that it names.
        commit: Words that make an image of a container as it stands, keeping all that its configuration says.
        creator: Words before the engine's command where it creates a container.
        expands_labels: Whether a build takes what follows a dollar in ``--label`` for a variable, as Podman 5 does.
    """

    name: str
    containers: tuple[str, ...]
    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    read_containers: Callable[[str], list[ContainerRow]]
    read_networks: Callable[[str], list[NetworkState]]
    read_volumes: Callable[[str], list[VolumeState]]
    describe: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    build: tuple[str, ...]
    options: Callable[[dict[str, Any], ContainerConfig], dict[str, Any]]
    labels: Callable[[ContainerConfig], Mapping[str, str]]
    full_name: Callable[[str], str]
    copy_in: tuple[str, ...]
    commit: tuple[str, ...]
    creator: tuple[str, ...] = ()
    expands_labels: bool = False


def rows(text: str, columns: int) -> list[list[Any]]:
    """Read lines of JSON values with commas between them; a line of another shape says nothing that can be used."""
    found: list[list[Any]] = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(f"[{line}]"))
    return [row for row in found if len(row) == columns]


def _parts(text: str) -> list[Part]:
    """Read one list of JSON objects; what is no list, and what in it has no name, says nothing that can be used."""
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError):
        found = []
    return [Part(item) for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _texts(row: Sequence[Any]) -> list[str]:
    return [item if isinstance(item, str) else "" for item in row]


# ── Docker ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _docker_containers(text: str) -> list[ContainerRow]:
    found = map(_texts, rows(text, 3))
    return [ContainerRow(row[0], frozenset(row[1].split(",")), row[2]) for row in found if row[0]]


def _docker_networks(text: str) -> list[NetworkState]:
    found = map(_texts, rows(text, 4 + len(LABELS)))
    return [NetworkState(row[0], row[1], row[2], _docker_labels(row[4:]), row[3] == "true") for row in found if row[0]]


def _docker_volumes(text: str) -> list[VolumeState]:
    found = map(_texts, rows(text, 2 + len(LABELS)))
    return [VolumeState(row[0], row[1], _docker_labels(row[2:])) for row in found if row[0]]


def _docker_labels(values: Sequence[str]) -> Mapping[str, str]:
    return {f"{LABEL}{name}": value for name, value in zip(LABELS, values, strict=True) if value}


DOCKER = Dialect(
    name="docker",
    containers=("ps", "--all", "--no-trunc", "--format", ",".join(("{{json .ID}}", "{{json .Names}}", _ENV_COLUMN))),
    networks=(
        *("network", "ls", "--no-trunc", "--format"),
        ",".join(("{{json .ID}}", "{{json .Name}}", "{{json .Driver}}", "{{json .Internal}}", *_COLUMNS)),
    ),
    volumes=("volume", "ls", "--format", ",".join(("{{json .Name}}", "{{json .Driver}}", *_COLUMNS))),
    read_containers=_docker_containers,
    read_networks=_docker_networks,
    read_volumes=_docker_volumes,
    describe=lambda data: data,
    build=("buildx", "build", "--load", "--progress=plain"),
    options=lambda options, _config: options,
    labels=lambda _config: {},
    full_name=lambda ref: ref,
    copy_in=("container", "cp", "-"),
    commit=("container", "commit", "--pause=false"),
)


# ── Podman ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _podman_containers(text: str) -> list[ContainerRow]:
    return [
        ContainerRow(item.text("Id"), frozenset(item.texts("Names")), item.table("Labels").get(f"{LABEL}env", ""))
        for item in _parts(text)
        if item.text("Id")
    ]


def _podman_networks(text: str) -> list[NetworkState]:
    """Read the networks; each goes by its name, for that is all that a container tells of those it is on."""
    return [
        NetworkState(
            item.text("name"),
            podman.network_name(item.text("name")),
            item.text("driver"),
            _ours(item.table("labels")),
            item.flag("internal"),
        )
        for item in _parts(text)
        if item.text("name")
    ]


def _podman_volumes(text: str) -> list[VolumeState]:
    return [
        VolumeState(item.text("Name"), item.text("Driver"), _ours(item.table("Labels")))
        for item in _parts(text)
        if item.text("Name")
    ]


def _ours(labels: Mapping[str, str]) -> Mapping[str, str]:
    return {key: value for key, value in sorted(labels.items()) if key.startswith(LABEL)}


PODMAN = Dialect(
    name="podman",
    # Templates differ: 4.3 has no `.Label`, and 6 gives `.Labels` as one text.
    containers=("ps", "--all", "--no-trunc", "--format", "json"),
    networks=("network", "ls", "--format", "json"),
    volumes=("volume", "ls", "--format", "json"),
    read_containers=_podman_containers,
    read_networks=_podman_networks,
    read_volumes=_podman_volumes,
    describe=podman.describe,
    # Podman's own image format knows no SHELL and no HEALTHCHECK, and leaves them out with a warning.
    build=("build", "--format=docker"),
    options=podman.options,
    labels=podman.labels,
    full_name=podman.full_name,
    # Podman gives what it copies to the container's own user unless it is told not to.
    copy_in=("container", "cp", "--archive=false", "-"),
    commit=("container", "commit", "--format=docker", "--quiet", "--pause=false"),
    creator=podman.WITHOUT_PROXIES,
    expands_labels=True,
)

PODMAN_ROOTLESS = replace(PODMAN, options=partial(podman.options, rootless=True))
"""Podman without root: its users are mapped."""
