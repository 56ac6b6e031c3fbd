"""All that Compose refuses in a document, though it names one fault at a time.

What a fault names is taken out and Compose is asked again, until it takes the rest. Of a service that is refused as a
whole, and of one that is refused again for what was taken out of it, a stand-in is left for those that depend on it.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

from envspec.compose.places import Part
from envspec.compose.read import Document
from envspec.engine.stack import ComposeConfig
from envspec.errors import SpecError

ROUNDS = 20
"""Faults after which Compose is not asked again: each costs a process."""

_STAND_IN = {"image": "envspec-stand-in"}
_SERVICE_DEPTH = 2


def settled(
    document: Document, ask: Callable[[Document], ComposeConfig]
) -> tuple[Document, ComposeConfig | None, tuple[SpecError, ...]]:
    """Resolve a document, or what is left of it without the keys that Compose refuses.

    Args:
        document: The document.
        ask: Has Compose resolve one.

    Returns:
        The document that Compose took, what it made of it, and the faults; ``None`` when it took none.
    """
    faults: list[SpecError] = []
    cut: set[Part] = set()
    for _ in range(ROUNDS):
        try:
            return document, ask(document), tuple(faults)
        except SpecError as error:
            path = document.places.said_path(error.message)
            service = path[1] if len(path) >= _SERVICE_DEPTH and path[0] == "services" else None
            if service not in cut or len(path) > _SERVICE_DEPTH:
                where = document.places.where(*path)
                faults.append(SpecError(error.message, code=error.code, hint=error.hint, where=where))
            left = _without(document.data, path)
            if left is None:
                break
            cut |= {service} if service is not None else set()
            document = dataclasses.replace(document, data=left)
    return document, None, tuple(faults)


def _without(data: Any, path: tuple[Part, ...]) -> dict[str, Any] | None:
    """Return a document without what a path leads to, ``None`` where it leads to nothing that can be taken out."""
    if len(path) < _SERVICE_DEPTH:
        return None
    left: dict[str, Any] = copy.deepcopy(dict(data))
    above: Any = left
    for depth, part in enumerate(path):
        if not (isinstance(above, dict) and part in above):
            return None
        own = depth + 1 == _SERVICE_DEPTH and path[0] == "services"
        if depth + 1 == len(path) or (depth + 1 > _SERVICE_DEPTH and not isinstance(above[part], dict)):
            if own and above[part] == _STAND_IN:
                return None
            above.pop(part)
            if own:
                above[part] = dict(_STAND_IN)
            return left
        above = above[part]
    return None
