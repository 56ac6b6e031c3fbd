"""``envspec schema``: the JSON Schemas of what envspec reads and writes."""

from __future__ import annotations

import click

NAMES = ("spec", "settings", "plan", "report", "event")


@click.command()
@click.argument("name", type=click.Choice(NAMES), default="spec", required=False)
def command(name: str) -> None:
    """Print the JSON Schema of a spec, of the user's settings, a plan, a report or an event."""
    from envspec.spec import schema  # noqa: PLC0415 - completion and --help do without pydantic

    click.echo(schema.render(schema.schemas()[name]), nl=False)
