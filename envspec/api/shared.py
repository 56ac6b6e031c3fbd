"""What environments share, networks and images, for the doors."""

from __future__ import annotations

from envspec.api import cache, network
from envspec.api.cache import CachedImage, Cleared
from envspec.api.network import NetworkMade, NetworkRow
from envspec.api.targets import open_engine
from envspec.engine.base import Engine, Reader


def networks(engine: Reader | None = None) -> tuple[NetworkRow, ...]:
    """Return the networks of ours, sorted by name."""
    return network.networks(engine or open_engine())


def create_network(name: str, engine: Engine | None = None) -> NetworkMade:
    """Make a network that environments share through ``networks``, unless it is there.

    Raises:
        UsageError: The name is none.
        Conflict: A network that is not ours bears it.
    """
    return network.create(engine or open_engine(), name)


def remove_network(name: str, engine: Engine | None = None) -> NetworkRow:
    """Remove a network of ours that nobody is on.

    Raises:
        UsageError: There is no such network.
        Refused: It is not ours, or in use.
    """
    return network.remove(engine or open_engine(), name)


def cached_images(engine: Reader | None = None) -> tuple[CachedImage, ...]:
    """Return the images that environments share, with size and last use."""
    return cache.cached(engine or open_engine())


def clear_cache(purpose: str = "", engine: Engine | None = None) -> Cleared:
    """Remove the images that no container uses.

    Args:
        purpose: Only those of this purpose, ``base`` for bootstrapped bases; "" for all.
        engine: The engine, by default this host's.

    Raises:
        UsageError: There is no image of that purpose.
    """
    return cache.clear(engine or open_engine(), purpose)
