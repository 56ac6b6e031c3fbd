"""The one core behind every door: the command line, Python, and whatever comes later call these functions.

Each name is imported from where it lives when it is first asked for: a command pays for what it uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envspec.api.cache import CachedImage as CachedImage
    from envspec.api.cache import Cleared as Cleared
    from envspec.api.connect import ConnectInfo as ConnectInfo
    from envspec.api.copies import copy_in as copy_in
    from envspec.api.copies import copy_out as copy_out
    from envspec.api.endings import collect_garbage as collect_garbage
    from envspec.api.endings import end_session as end_session
    from envspec.api.endings import temporary as temporary
    from envspec.api.inside import execute as execute
    from envspec.api.inside import jobs as jobs
    from envspec.api.inside import wait as wait
    from envspec.api.inventory import EnvironmentRow as EnvironmentRow
    from envspec.api.inventory import EnvironmentStatus as EnvironmentStatus
    from envspec.api.inventory import ServiceRow as ServiceRow
    from envspec.api.lifecycle import PERSISTENT as PERSISTENT
    from envspec.api.lifecycle import Ended as Ended
    from envspec.api.lifecycle import Ending as Ending
    from envspec.api.network import NetworkMade as NetworkMade
    from envspec.api.network import NetworkRow as NetworkRow
    from envspec.api.plans import apply as apply
    from envspec.api.plans import destroy as destroy
    from envspec.api.plans import plan as plan
    from envspec.api.plans import save_plan as save_plan
    from envspec.api.restoring import restore as restore
    from envspec.api.shared import cached_images as cached_images
    from envspec.api.shared import clear_cache as clear_cache
    from envspec.api.shared import create_network as create_network
    from envspec.api.shared import networks as networks
    from envspec.api.shared import remove_network as remove_network
    from envspec.api.snapshot import create_snapshot as create_snapshot
    from envspec.api.snapshot import remove_snapshot as remove_snapshot
    from envspec.api.snapshot import show_snapshot as show_snapshot
    from envspec.api.snapshot import snapshots as snapshots
    from envspec.api.standing import connect_command as connect_command
    from envspec.api.standing import environments as environments
    from envspec.api.standing import service_containers as service_containers
    from envspec.api.standing import status as status
    from envspec.api.targets import Cancel as Cancel
    from envspec.api.targets import Options as Options
    from envspec.api.targets import locate as locate
    from envspec.api.targets import open_engine as open_engine
    from envspec.api.trial import try_repository as try_repository
    from envspec.api.words import Rendered as Rendered
    from envspec.api.words import purposes as purposes
    from envspec.api.words import render as render
    from envspec.api.words import render_purpose as render_purpose
    from envspec.api.words import validate as validate
    from envspec.inside.capture import Executed as Executed
    from envspec.inside.copy_box import Copied as Copied
    from envspec.inside.exec import ExecOptions as ExecOptions
    from envspec.inside.job import Cancelled as Cancelled
    from envspec.inside.job import Job as Job
    from envspec.inside.job import JobOptions as JobOptions
    from envspec.inside.job import Polled as Polled
    from envspec.inside.job import Started as Started
    from envspec.inside.jobs import Jobs as Jobs
    from envspec.inside.snapshot_manifest import Manifest as Manifest
    from envspec.inside.snapshot_manifest import SnapshotRow as SnapshotRow
    from envspec.inside.wait import Waited as Waited

_NAMES = {
    "envspec.api.cache": ("CachedImage", "Cleared"),
    "envspec.api.connect": ("ConnectInfo",),
    "envspec.api.copies": ("copy_in", "copy_out"),
    "envspec.api.endings": ("collect_garbage", "end_session", "temporary"),
    "envspec.api.inside": ("execute", "jobs", "wait"),
    "envspec.api.inventory": ("EnvironmentRow", "EnvironmentStatus", "ServiceRow"),
    "envspec.api.lifecycle": ("PERSISTENT", "Ended", "Ending"),
    "envspec.api.network": ("NetworkMade", "NetworkRow"),
    "envspec.api.plans": ("apply", "destroy", "plan", "save_plan"),
    "envspec.api.restoring": ("restore",),
    "envspec.api.shared": ("cached_images", "clear_cache", "create_network", "networks", "remove_network"),
    "envspec.api.snapshot": ("create_snapshot", "remove_snapshot", "show_snapshot", "snapshots"),
    "envspec.api.standing": ("connect_command", "environments", "service_containers", "status"),
    "envspec.api.targets": ("Cancel", "Options", "locate", "open_engine"),
    "envspec.api.trial": ("try_repository",),
    "envspec.api.words": ("Rendered", "purposes", "render", "render_purpose", "validate"),
    "envspec.inside.capture": ("Executed",),
    "envspec.inside.copy_box": ("Copied",),
    "envspec.inside.exec": ("ExecOptions",),
    "envspec.inside.job": ("Cancelled", "Job", "JobOptions", "Polled", "Started"),
    "envspec.inside.jobs": ("Jobs",),
    "envspec.inside.snapshot_manifest": ("Manifest", "SnapshotRow"),
    "envspec.inside.wait": ("Waited",),
}
"""The public names by the module that has them; the imports above say the same to a type checker."""

_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list it is


def __getattr__(name: str) -> object:
    """Import a public name from where it lives; see PEP 562."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
