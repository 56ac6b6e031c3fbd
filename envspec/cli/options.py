"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
volumes_option = click.option("--volumes", is_flag=True, help="Remove the named volumes and what is in them, too.")
loss_option = click.option(
    "--allow-data-loss",
    metavar="ADDRESS",
    multiple=True,
    help="Let this resource lose what the plan says it would; repeatable.",
)
replace_option = click.option("--replace", metavar="ADDRESS", multiple=True, help="Make this one anew; repeatable.")
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


def is_file(target: str) -> bool:
    """Say whether ENV means a file or a directory rather than a name: it has a slash, ends like YAML, or is ``.``."""
    return target in (".", "..") or "/" in target or target.endswith((".yaml", ".yml"))


def plan_target(target: str, *, destroy: bool) -> str | Path:
    """Return what to plan: a file, or the name of an environment that shall be destroyed."""
    return target if destroy and not is_file(target) else Path(target)
