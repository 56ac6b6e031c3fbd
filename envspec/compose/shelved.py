"""Secrets and configs whose content is not in a file: what may not get into a layer is bound from memory.

Compose copies such content into the container's filesystem (measured with 2.26: ``docker commit`` and ``save`` show it,
a changed value is not noticed, and a read-only root refuses it). So it is handed a file of the host's memory instead,
see :mod:`envspec.engine.shelf`: every value of a variable, every content that holds a variable of the user's files, and
every content for a read-only root. Other content stands in the document for all to read, and goes Compose's way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from envspec.compose.read import Document
from envspec.compose.texts import plain
from envspec.kinds.service_state import base_of, key_of
from envspec.model import Effect, Hidden

KINDS = ("secrets", "configs")
HOST_VARIABLE = "host-variable"
"""Effect of giving a service the value of a variable of this host."""

_DEFAULT_PLACES = {"secrets": "/run/secrets/", "configs": "/"}
_OWNERSHIP = ("uid", "gid", "mode")


def with_host(document: Document, data: Mapping[str, Any], environ: Mapping[str, str]) -> Document:
    """Return a document with the values that its secrets and configs take from this host, each with its effect.

    Args:
        document: The document as it was read.
        data: What Compose made of it.
        environ: Variables of this host. Those of the files that the spec names go before them.

    Raises:
        SpecError: A variable has no value anywhere.
    """
    known = {name for name, _ in document.secrets}
    wanted = [(address, name) for address, name in _variables(data) if name not in known]
    for address, name in wanted:
        if name not in environ:
            told, hint = f"the variable {name} has no value", f"set {name}, or name a file of `env_file` that does"
            raise document.fault(tuple(address.split(".", 1)), told, hint, "compose.no_value")
    effects = {Effect(HOST_VARIABLE, address, f"it is given {name} of this host") for address, name in wanted}
    return dataclasses.replace(
        document,
        host=tuple(sorted({(name, environ[name]) for _, name in wanted})),
        effects=tuple(sorted({*document.effects, *effects})),
    )


def _variables(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in KINDS:
        for key, item in sorted((data.get(kind) or {}).items()):
            if (item or {}).get("environment"):
                yield f"{kind}.{key}", str(item["environment"])


class Shelver:
    """Puts what may not get into a layer on the shelf, service by service.

    Args:
        document: The document as it was read, with the values from this host.
        files: Its ``secrets`` and ``configs``, resolved.
        place: The environment's directory on the shelf, "" where the engine does not see this host's memory.

    Attributes:
        handed: ``secrets`` and ``configs`` for Compose: grows with every service that is shelved.
    """

    def __init__(self, document: Document, files: Mapping[str, Mapping[str, Any]], place: str) -> None:
        self._document = document
        self._files = files
        self._place = place
        self._values = dict((*document.host, *document.secrets))
        self._telling = document.telling
        self.handed: dict[str, dict[str, Any]] = {
            kind: {key: item for key, item in files[kind].items() if not self._is_kept(item)} for kind in KINDS
        }

    def shelve(self, name: str, service: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[tuple[str, Hidden], ...]]:
        """Return a service that binds from the shelf, and what has to lie there for it, by name.

        Args:
            name: Name of the service.
            service: The service, resolved.

        Raises:
            SpecError: It asks for what cannot be done with such a file.
        """
        made, contents = dict(service), {}
        for item in (service.get("build") or {}).get("secrets") or ():
            if self._is_kept(self._files["secrets"].get(item["source"]) or {}):
                told = f"the build reads the secret {item['source']}, whose content is in no file"
                hint = "give that secret a `file` in the project"
                raise self._document.fault(("services", base_of(name), "build", "secrets"), told, hint)
        for kind in KINDS:
            if not made.get(kind):
                continue
            made[kind] = list(made[kind])
            for index, item in enumerate(made[kind]):
                source = str(item["source"])
                content = self._content(self._files[kind].get(source) or {}, read_only=bool(service.get("read_only")))
                if content is not None:
                    self._check(("services", base_of(name), kind, index), source, item)
                    contents[f"{kind}.{source}"] = Hidden(content)
                    own = f"{key_of(name)}.{source}"
                    self.handed[kind][own] = {"file": f"{self._place}/{name}/{kind}.{source}".replace("$", "$$")}
                    made[kind][index] = {"source": own, "target": _target(kind, source, item)}
        return made, tuple(sorted(contents.items()))

    def _is_kept(self, item: Mapping[str, Any]) -> bool:
        return self._content(item, read_only=False) is not None

    def _content(self, item: Mapping[str, Any], *, read_only: bool) -> str | None:
        """Return what has to be kept in memory, ``None`` where nothing has."""
        if item.get("environment"):
            return self._values[str(item["environment"])]
        content = plain(str(item.get("content") or ""))
        told = any(value in content for value in self._telling)
        return content if told or (content and read_only) else None

    def _check(self, path: tuple[str | int, ...], source: str, item: Mapping[str, Any]) -> None:
        given = [key for key in _OWNERSHIP if item.get(key) is not None]
        if given:
            told = f"{source} has {given[0]}, and what is bound from memory is everybody's to read in there"
            raise self._document.fault((*path, given[0]), told, f"take `{given[0]}` out")
        if not self._place:
            told = f"{source} would be in the memory of this host, which the engine does not see"
            raise self._document.fault(path, told, "use an engine of this host, or take it out")


def _target(kind: str, source: str, item: Mapping[str, Any]) -> str:
    target = str(item.get("target") or source)
    return target if target.startswith("/") else f"{_DEFAULT_PLACES[kind]}{target}"
