"""All kinds of resource: a kind is known by being a module of this package."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from envspec import kinds
from envspec.kinds.base import Kind


@functools.cache
def all_kinds() -> Mapping[str, Kind[Any]]:
    """Return every kind by name, sorted."""
    modules = [
        importlib.import_module(f"{kinds.__name__}.{found.name}") for found in pkgutil.iter_modules(kinds.__path__)
    ]
    classes = [
        value
        for module in modules
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Kind) and not inspect.isabstract(value) and value.__module__ == module.__name__
    ]
    return MappingProxyType({made.name: made() for made in sorted(classes, key=lambda made: made.name)})
