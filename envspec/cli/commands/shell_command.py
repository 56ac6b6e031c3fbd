"""``envspec shell``: stand in an environment."""

from __future__ import annotations

import sys

import click

from envspec.cli import options, output
from envspec.errors import UsageError


@click.command()
@options.engine_options
@options.env_argument
@click.option("--root", is_flag=True, help="As root instead of the environment's user.")
def command(env: str, root: bool) -> None:
    """Open the best shell that ENV has, as its user, in its workspace."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import light  # noqa: PLC0415 - the same

    argv = api.connect_command(env, engine=options.open_engine(), root=root).argv
    if not output.is_interactive(sys.stdin):
        hint = f"without one: `envspec exec {env} -- COMMAND`, or `envspec exec {env} -- sh` for a script"
        raise UsageError("a shell needs a terminal, and standard input is not one", code="shell.no_terminal", hint=hint)
    light.replace_process(argv)
