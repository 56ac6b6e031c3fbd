"""Trying a repository from nothing but its URL."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from envspec import hostpath
from envspec.api.converge import Doors, run
from envspec.api.targets import Cancel, Confirm, Options, Target, open_engine
from envspec.engine.base import Engine
from envspec.engine.script import is_text
from envspec.errors import SpecFaults, UsageError, Where
from envspec.events import Emit
from envspec.model import Report
from envspec.spec.load import Loaded, loads, slug_of
from envspec.spec.models import TRY_REPO
from envspec.spec.names import last_part
from envspec.visible import one_line


def try_repository(  # noqa: PLR0913 - the same doors as apply
    url: str,
    options: Options,
    *,
    emit: Emit,
    confirm: Confirm,
    cancel: Cancel,
    name: str = "",
    trusted: bool = False,
    versions: Mapping[str, str] | None = None,
    image_source: str = "auto",
    engine: Engine | None = None,
) -> Report:
    """Make an environment for a repository: the languages that it shows, its clone, and what it needs installed.

    It is an environment as any other: its name is enough to work in it and to destroy it. A second try of the same URL
    finds nothing to do.

    Args:
        url: What ``repo_url`` of a spec takes; a path is relative to the current directory.
        options: What the user asks beyond that.
        emit: Takes events, from several threads, one call at a time.
        confirm: Asks before something that exists is ended.
        cancel: Carries the user's wish to stop.
        name: Name of the environment, by default the last part of the URL.
        trusted: Whether it may have the user's credentials and variables.
        versions: Version of each language by its name, whatever the repository asks for.
        image_source: Where the base image comes from, as the key of a spec has it.
        engine: The engine, by default this host's.

    Raises:
        EnvspecError: As :func:`envspec.api.apply`; or the repository cannot be read, or asks for what cannot be had.
    """
    loaded = spec_of(url, name, trusted=trusted, versions=versions, image_source=image_source)
    env = loaded.spec.name
    assert env is not None
    return run(engine or open_engine(), Target(env, loaded, destroy=False), options, Doors(emit, confirm, cancel))


def spec_of(  # noqa: PLR0913 - the options of one command
    url: str,
    name: str = "",
    *,
    trusted: bool = False,
    directory: Path | None = None,
    versions: Mapping[str, str] | None = None,
    image_source: str = "auto",
) -> Loaded:
    """Return the spec that trying a URL stands for.

    Args:
        url: What ``repo_url`` takes.
        name: Name of the environment, "" for the last part of the URL.
        trusted: Whether it may have the user's own.
        directory: What a path is relative to, by default the current directory.
        versions: Version of each language by its name.
        image_source: Where the base image comes from.

    Raises:
        SpecError: The URL or the name is none.
        UsageError: The URL makes no name.
    """
    base = directory or Path.cwd()
    if not is_text(url):
        raise UsageError(
            f"`{one_line(url)}` is not UTF-8: no engine can mount such a path",
            code="trial.path",
            hint="rename it, or try a clone of it in another directory",
        )
    written = f"{url}/" if url in (".", "..", "~") else url
    if not written.startswith(("./", "../", "~", "/")) and hostpath.is_dir(base / url):
        written = f"./{url}"
    path = str(hostpath.real(hostpath.expanded(base, written))) if written.startswith(("./", "../", "~/")) else url
    slug = name or slug_of(Path(last_part(path)))
    if not slug:
        raise UsageError(f"{url} makes no name for an environment", hint="add --name, such as --name app")
    purpose = {"use": TRY_REPO, **(versions or {})}
    trust = "trusted" if trusted else "untrusted"
    keys = {"name": slug, "purpose": purpose, "repo_url": written, "trust": trust, "image_source": image_source}
    try:
        loaded = loads(json.dumps(keys).encode(), "", base)
    except SpecFaults as error:  # there is no file whose lines could be named
        for fault in error.every:
            fault.where = Where()
        raise
    return dataclasses.replace(loaded, top=None)
