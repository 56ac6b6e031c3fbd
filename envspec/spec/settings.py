"""The user's configuration, ``~/.config/envspec/config.yaml``: what holds for all of their environments."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from envspec import hostpath
from envspec.engine.choice import config_file
from envspec.errors import SpecFaults
from envspec.spec import names
from envspec.spec.document import Grammar, all_of, check, content_of
from envspec.spec.dotfiles import Dotfiles
from envspec.spec.forms import Form
from envspec.spec.values import bad, choice, integer, line, listed, mapped, optional, same, shown

_PREFIX = re.compile(r"[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?(?:/[a-z0-9][a-z0-9._-]*)*")


def _prefix(value: object) -> str:
    """Read what stands before the names of images."""
    written = line(value).removesuffix("/")
    if not _PREFIX.fullmatch(written):
        raise bad(f"{shown(written)} is not a prefix of image names", "write one such as `mirror.example.com:5000/hub`")
    return written


class Passthrough(Form):
    """The variables that are taken from the host where nobody names them."""

    written: ClassVar[str] = "write `extend: [NAME, …]`, or `patterns: [NAME, …]` to replace the built-in ones"

    patterns: Annotated[tuple[names.VariablePattern, ...] | None, BeforeValidator(optional(listed))] = None
    """Names and globs that replace the built-in ones."""
    extend: Annotated[tuple[names.VariablePattern, ...], BeforeValidator(listed)] = ()
    """Names and globs that are taken besides."""


class Settings(Form):
    """What a user wants for all of their environments; a spec that says otherwise has its way."""

    engine: Annotated[Literal["auto", "docker", "podman"], BeforeValidator(choice("auto", "docker", "podman"))] = "auto"
    """Engine to work on, unless the command line or `ENVSPEC_ENGINE` asks for one."""
    dotfiles: Annotated[Dotfiles | None, BeforeValidator(optional(same))] = None
    """Files in the home of every environment whose spec says nothing of them; paths are relative to this file."""
    env_passthrough: Annotated[Passthrough, BeforeValidator(mapped)] = Field(default_factory=Passthrough)
    """Which variables of the host `env_passthrough: auto` takes."""
    host_network: Annotated[Literal["auto", "none"], BeforeValidator(choice("auto", "none"))] = "auto"
    """Whether containers use the host's package indexes and mirrors."""
    max_environments: Annotated[
        int | None,
        BeforeValidator(optional(integer(1, 10_000))),
        WithJsonSchema({"type": ["integer", "null"], "minimum": 1, "maximum": 10_000}),
    ] = None
    """How many environments there may be at once; without it, any number."""
    image_prefix: Annotated[
        str | None, BeforeValidator(optional(_prefix)), WithJsonSchema({"type": ["string", "null"]})
    ] = None
    """Registry, and path in it, that stands before the names of images."""


FORMS: Mapping[str, type[Form]] = {"dotfiles": Dotfiles, "env_passthrough": Passthrough}
"""The keys of the settings whose values have keys of their own."""

GRAMMAR: Grammar[Settings] = Grammar(Settings, FORMS)
"""What the user's configuration may say."""


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the user's configuration; where there is none, or an empty one, the defaults.

    Args:
        environ: The process's environment, for ``XDG_CONFIG_HOME``.

    Raises:
        SpecError: It cannot be read.
        SpecFaults: All faults of the file, in its order.
    """
    file = config_file(environ)
    if not hostpath.is_there(file):
        return Settings()
    try:
        settings, _, faults = check(content_of(file), str(file), GRAMMAR)
    except SpecFaults as error:
        if error.code == "spec.empty":
            return Settings()
        raise
    if faults or settings is None:
        raise all_of(faults)
    return settings
