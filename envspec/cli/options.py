"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from envspec.errors import UsageError

if TYPE_CHECKING:
    from envspec.engine.whales import WhalesEngine

Function = TypeVar("Function", bound=Callable[..., Any])

ASKED = f"{__name__}.asked"
"""Key of the engine and the context that the command line asks for, in what click's contexts share."""


def _ask(context: click.Context, param: click.Parameter, value: str | None) -> None:
    """Keep an option for :func:`asked`; the command's own stands over the group's."""
    if value is not None:
        context.meta[f"{ASKED}.{param.name}"] = value


def engine_options(function: Function) -> Function:
    """Add the options that say which engine to work on; before the command or behind it they mean the same."""
    engine = click.option(
        "--engine",
        metavar="NAME",
        callback=_ask,
        expose_value=False,
        help="docker, podman or auto: the one that answers, Docker first.",
    )
    context = click.option(
        "--context", metavar="NAME", callback=_ask, expose_value=False, help="Name of a Docker context."
    )
    return engine(context(function))


def asked() -> tuple[str, str]:
    """Return the engine and the context that the command line asks for, "" for what it leaves open."""
    context = click.get_current_context(silent=True)
    meta = context.meta if context else {}
    return meta.get(f"{ASKED}.engine", ""), meta.get(f"{ASKED}.context", "")


def open_engine() -> WhalesEngine:
    """Return the engine that the command line asks for.

    Raises:
        EnvspecError: There is no such engine, or the user's configuration is faulty.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    return api.open_engine(*asked())


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
volumes_option = click.option("--volumes", is_flag=True, help="Remove the named volumes and what is in them, too.")
loss_option = click.option(
    "--allow-data-loss",
    metavar="ADDRESS",
    multiple=True,
    help="Let this resource lose what the plan says it would; repeatable.",
)
ending_loss_option = click.option(
    "--allow-data-loss",
    metavar="NAME",
    multiple=True,
    help="Let this environment lose whatever is in it; repeatable.",
)
session_option = click.option(
    "--session", metavar="ID", default="", help="Session that what is made belongs to; by default $ENVSPEC_SESSION."
)
replace_option = click.option("--replace", metavar="ADDRESS", multiple=True, help="Recreate this one; repeatable.")
allow_option = click.option(
    "--allow",
    metavar="EFFECT",
    multiple=True,
    help="Let services, or the workspace, do what the plan says reaches out of them; repeatable.",
)
target_option = click.option(
    "--target", metavar="ADDRESS", multiple=True, help="Only this one and what it needs; repeatable."
)


def complete_environment(context: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Return the environments on the engine that begin with what was typed, then files.

    A shell that completes must not fail or wait, so an engine that does not answer completes nothing.
    """
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only completion pays for it

    from envspec.cli.light import environment_names  # noqa: PLC0415 - the same

    del context
    names = [name for name in environment_names() if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


def spec_argument(function: Function) -> Function:
    """Add the argument SPEC: a file, or a directory with an ``env.yaml``; the directory one stands in when left out."""
    argument = click.argument("spec", type=click.Path(path_type=Path), default=Path(), required=False)
    return argument(function)


def env_argument(function: Function) -> Function:
    """Add the argument ENV: the name of an environment, or its file."""
    return click.argument("env", shell_complete=complete_environment)(function)


def duration(text: str, option: str) -> float:
    """Return the seconds that an option's ``30d``, ``8h``, ``2s`` or plain number stands for.

    Raises:
        UsageError: It is no duration.
    """
    from pydantic_core import PydanticCustomError  # noqa: PLC0415 - most commands have no such option

    from envspec.spec.values import seconds  # noqa: PLC0415 - the same

    try:
        return seconds(text)
    except PydanticCustomError:
        raise UsageError(f"{option}: {text[:40]!r} is not a duration", hint="write 30d, 8h, 90s or 500ms") from None


def is_file(target: str) -> bool:
    """Say whether ENV means a file or a directory rather than a name: it has a slash, ends like YAML, or is ``.``."""
    return target in (".", "..") or "/" in target or target.endswith((".yaml", ".yml"))


def plan_target(target: str, *, destroy: bool) -> str | Path:
    """Return what to plan: a file, or the name of an environment that shall be destroyed."""
    return target if destroy and not is_file(target) else Path(target)
