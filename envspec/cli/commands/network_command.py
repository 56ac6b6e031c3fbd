"""``envspec network``: networks that environments share."""

from __future__ import annotations

import click

from envspec.cli import options, output


@click.group()
def command() -> None:
    """Make, list and remove networks that environments share through `networks: [NAME]`.

    On one they reach each other by the names of the environments.
    """


@command.command("create")
@options.engine_options
@click.argument("name")
@options.json_option
def create(name: str, as_json: bool) -> None:
    """Make the network NAME, unless it is there already."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    made = api.create_network(name, engine=options.open_engine())
    if as_json:
        output.print_result(made)
    else:
        output.print_text(f"Created the network {name}." if made.created else f"The network {name} is there already.")


@command.command("list")
@options.engine_options
@options.json_option
def list_(as_json: bool) -> None:
    """List the networks of envspec, with who is on them."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    rows = api.networks(engine=options.open_engine())
    if as_json:
        output.print_result(rows)
    elif rows:
        lines = [(row.name, row.made_by or "network create", ", ".join(row.members)) for row in rows]
        output.print_text("\n".join(output.table([("NAME", "MADE BY", "USED BY"), *lines])))
    else:
        output.print_text("There is no network of envspec on this engine.")


@command.command("rm")
@options.engine_options
@click.argument("name")
@options.json_option
def remove(name: str, as_json: bool) -> None:
    """Remove the network NAME, if envspec made it and nobody is on it."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    removed = api.remove_network(name, engine=options.open_engine())
    if as_json:
        output.print_result(removed)
    else:
        output.print_text(f"Removed the network {name}.")
