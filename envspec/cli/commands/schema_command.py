"""``envspec schema``: the JSON Schemas of what envspec reads and writes."""

from __future__ import annotations

import click

from envspec import shipped

NAMES = ("spec", "settings", "plan", "report", "event")


@click.command()
@click.argument("name", type=click.Choice(NAMES), default="spec", required=False)
def command(name: str) -> None:
    """Print the JSON Schema of a spec, of the user's settings, a plan, a report or an event."""
    # The file, and not what the installed pydantic would make of the models: the same on every machine.
    click.echo((shipped.directory("schemas") / f"{name}.schema.json").read_text(encoding="utf-8"), nl=False)
