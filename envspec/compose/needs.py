"""What keys of a Compose document need of the engine and of Compose to have an effect: one table, asked at plan.

Measured key by key on Docker 20.10.24 and Podman 4.3.1 with Compose 2.26.1: each of these is either refused while a
service is brought up, when others have been made already, or passed over in silence. A newer version was measured for
none of them: it is the first that is documented to honour the key, by the history of Docker's API (1.43 is Docker 24,
1.44 is 25, 1.45 is 26) and the reference of Compose; ``NEVER`` stands for none. Podman is trusted past version 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envspec.compose.places import Part, dotted
from envspec.compose.read import Document
from envspec.engine.capabilities import GATEWAY, GATEWAY_PODMAN, Version, Versions, is_mountable
from envspec.errors import SpecError, SpecFaults

NEVER: Version = (1_000_000,)
"""No version honours it."""

_ANY: Version = ()
_PODMAN_5: Version = (5,)


@dataclass(frozen=True, slots=True)
class Need:
    """What one key needs.

    Attributes:
        path: The key; ``*`` stands for any name or index.
        docker: First version of Docker.
        podman: First version of Podman.
        compose: First version of Compose.
        hint: What to write instead; "" where the key may stay, for nothing depends on it: then it is only noted.
        concerns: Says whether a value needs that much.
    """

    path: tuple[str, ...]
    docker: Version = _ANY
    podman: Version = _ANY
    compose: Version = _ANY
    hint: str = ""
    concerns: Callable[[Any], bool] = bool


def _gateway(value: Any) -> bool:
    return GATEWAY in str(value)


def _unmountable(value: Any) -> bool:
    return not is_mountable(str(value))


_SERVICE = ("services", "*")
_HOOK = "put it into the service's `command`, or into `setup_commands`"
_PATH = "rename it: use a path without comma, colon and double quote"
_USUAL_PULLS = ("", "missing", "if_not_present")
_MAC = "leave it out: the engine chooses an address"
_OWNERSHIP = tuple(
    Need((*_SERVICE, kind, "*", key), NEVER, NEVER) for kind in ("configs", "secrets") for key in ("uid", "gid", "mode")
)

TABLE: Sequence[Need] = (
    Need((*_SERVICE, "healthcheck", "start_interval"), (25,), _PODMAN_5, (2, 23), "leave it out, or use `interval`"),
    Need((*_SERVICE, "networks", "*", "mac_address"), (25,), _PODMAN_5, (2, 24), _MAC),
    Need((*_SERVICE, "networks", "*", "link_local_ips"), _ANY, _PODMAN_5, _ANY, "leave it out"),
    Need((*_SERVICE, "mac_address"), _ANY, _PODMAN_5, _ANY, _MAC),
    Need((*_SERVICE, "extra_hosts", "*"), _ANY, GATEWAY_PODMAN, _ANY, "write the address of the host", _gateway),
    Need((*_SERVICE, "post_start"), _ANY, _ANY, (2, 30), _HOOK),
    Need((*_SERVICE, "pre_stop"), _ANY, _ANY, (2, 30), "handle the stop signal in the service's `command`"),
    Need((*_SERVICE, "gpus"), _ANY, _ANY, (2, 30), "write it as `deploy.resources.reservations.devices`"),
    Need((*_SERVICE, "volumes", "*", "volume", "subpath"), (26,), _PODMAN_5, (2, 27), "use a volume of its own for it"),
    Need((*_SERVICE, "volumes", "*", "bind", "recursive"), (25,), _PODMAN_5, (2, 27), "leave it out"),
    Need((*_SERVICE, "volumes", "*", "source"), _ANY, NEVER, _ANY, _PATH, _unmountable),
    Need((*_SERVICE, "volumes", "*", "target"), _ANY, NEVER, _ANY, _PATH, _unmountable),
    Need((*_SERVICE, "annotations"), (24,), _PODMAN_5),
    Need((*_SERVICE, "domainname"), _ANY, NEVER),
    Need((*_SERVICE, "networks", "*", "driver_opts"), (28,), NEVER),
    Need((*_SERVICE, "cpu_percent"), NEVER, NEVER),
    Need((*_SERVICE, "cpu_count"), NEVER, NEVER),
    Need((*_SERVICE, "isolation"), NEVER, NEVER, concerns=lambda value: value not in ("", "default")),
    Need(
        (*_SERVICE, "pull_policy"), NEVER, NEVER, concerns=lambda value: value not in ("", "missing", "if_not_present")
    ),
    Need((*_SERVICE, "develop"), NEVER, NEVER),
    Need((*_SERVICE, "deploy", "labels"), NEVER, NEVER),
    Need((*_SERVICE, "deploy", "placement"), NEVER, NEVER),
    Need((*_SERVICE, "deploy", "update_config"), NEVER, NEVER),
    Need((*_SERVICE, "deploy", "rollback_config"), NEVER, NEVER),
    Need((*_SERVICE, "deploy", "endpoint_mode"), NEVER, NEVER),
    Need((*_SERVICE, "deploy", "mode"), NEVER, NEVER, concerns=lambda value: value != "replicated"),
    *_OWNERSHIP,
)
"""Keys that not every engine, or not every Compose, honours; whatever is not here has its effect on all."""


@dataclass(frozen=True, slots=True)
class _Found:
    need: Need
    path: tuple[Part, ...]


def check(
    document: Document, resolved: Mapping[str, Any], engine: str, versions: Callable[[], Versions]
) -> tuple[str, ...]:
    """Insist that everything of a document has an effect; return notes of what has none and changes nothing else.

    Args:
        document: The document as it was read.
        resolved: What Compose made of it.
        engine: ``docker`` or ``podman``.
        versions: Asks for the versions; only where a key depends on one.

    Raises:
        SpecFaults: Keys that are not honoured, all of them.
    """
    faults: list[SpecError] = []
    notes: list[str] = []
    for found in _found(resolved):
        if not (lacking := _lacking(found.need, engine, versions)):
            continue
        if found.need.hint:
            faults.append(document.fault(found.path, lacking, found.need.hint))
        else:
            notes.append(f"{dotted(found.path)} has no effect here")
    if faults:
        raise SpecFaults(tuple(faults))
    return tuple(notes)


def _lacking(need: Need, engine: str, versions: Callable[[], Versions]) -> str:
    """Return what is too old for a key, "" where nothing is."""
    wanted = need.podman if engine == "podman" else need.docker
    if wanted == NEVER:
        return f"{engine.capitalize()} does not do this"
    if not wanted and not need.compose:
        return ""
    there = versions()
    if there.engine and there.engine < wanted:
        return f"it takes {engine.capitalize()} {_text(wanted)}, and this is {_text(there.engine)}"
    if there.compose and there.compose < need.compose:
        return f"it takes Compose {_text(need.compose)}, and this is {_text(there.compose)}"
    return ""


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def _found(resolved: Mapping[str, Any]) -> Iterator[_Found]:
    for need in TABLE:
        for path, value in _values(resolved, need.path, ()):
            if need.concerns(value):
                yield _Found(need, path)


def _values(value: Any, path: tuple[str, ...], above: tuple[Part, ...]) -> Iterator[tuple[tuple[Part, ...], Any]]:
    """Yield every value at a path, with the path that it really has."""
    if not path:
        yield above, value
        return
    first, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        for key in sorted(value) if first == "*" else [key for key in value if key == first]:
            yield from _values(value[key], rest, (*above, str(key)))
    elif isinstance(value, list) and first == "*":
        for index, item in enumerate(value):
            yield from _values(item, rest, (*above, index))
