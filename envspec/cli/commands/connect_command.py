"""``envspec connect``: the command that takes a person inside."""

from __future__ import annotations

import click

from envspec.cli import options, output


@click.command()
@options.engine_options
@options.env_argument
@options.json_option
@click.option("--root", is_flag=True, help="As root instead of the environment's user.")
def command(env: str, as_json: bool, root: bool) -> None:
    """Print the exact command that opens the best shell that ENV has; it works without envspec."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    info = api.connect_command(env, engine=options.open_engine(), root=root)
    if as_json:
        output.print_result(info)
    else:
        output.print_text(info.command)
