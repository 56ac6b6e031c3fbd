"""``envspec status``: one environment as it really is."""

from __future__ import annotations

import sys

import click

from envspec.cli import options, output


@click.command()
@options.engine_options
@options.env_argument
@click.option("--drift", is_flag=True, help="Hold it against its spec too.")
@options.json_option
def command(env: str, drift: bool, as_json: bool) -> None:
    """Show what ENV, a name or a file, is made of on the engine."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import status_text  # noqa: PLC0415 - the same

    status = api.status(env, engine=options.open_engine(), drift=drift)
    if as_json:
        output.print_result(status)
    else:
        output.print_text("\n".join(status_text.status_lines(status, output.painter(sys.stdout))))
