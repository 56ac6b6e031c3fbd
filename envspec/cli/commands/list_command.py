"""``envspec list``: the environments on the engine."""

from __future__ import annotations

import click

from envspec.cli import options, output


@click.command()
@options.engine_options
@options.json_option
def command(as_json: bool) -> None:
    """List the environments on the engine, whatever machine made them."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import light, status_text  # noqa: PLC0415 - the same

    rows = api.environments(engine=options.open_engine())
    if as_json:
        output.print_result(rows)
    else:
        output.print_text("\n".join(status_text.list_lines(rows)))
    elsewhere = light.names_on_the_other_engine()
    if elsewhere:
        other, names = elsewhere
        output.say(output.line(f"{other} has more: {', '.join(names)} (`envspec --engine {other} list`)"))
