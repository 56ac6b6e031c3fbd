"""``envspec purposes``: what an environment can be for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from envspec.cli import options, output
from envspec.cli.failures import unknown_purpose

ELSEWHERE = "where no registry can be reached"
"""When a bootstrapped base image is taken, and its versions with it."""


@click.command()
@click.argument("name", required=False)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Directory of a spec, whose own purposes count too.",
)
@options.json_option
def command(name: str | None, directory: Path, as_json: bool) -> None:
    """List the purposes, or show the params of NAME."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    rows = api.purposes(directory)
    if name is not None:
        names = [str(row["name"]) for row in rows]
        rows = tuple(row for row in rows if row["name"] == name)
        if not rows:
            raise unknown_purpose(name, names)
    if as_json:
        output.print_result(rows if name is None else rows[0])
    elif name is None:
        output.print_text("\n".join(output.table([(str(row["name"]), str(row["summary"])) for row in rows])))
    else:
        output.print_text("\n".join(_show(rows[0])))


def _show(row: Mapping[str, Any]) -> list[str]:
    lines = [f"{row['name']}: {row['summary']}", f"({row['origin']})"]
    for name, param in sorted(row["params"].items()):
        lines.append(f"  {name}: {param['description']}; by default {_default(param['defaults'])}")
    registry, bootstrap = row["base"]["registry"], row["base"]["bootstrap"]
    return [*lines, f"  base image: {registry}, or {bootstrap} {ELSEWHERE}"]


def _default(values: Mapping[str, str]) -> str:
    """Return a default, and the other one that a bootstrapped image has."""
    usual, other = (value or "(empty)" for value in (values["registry"], values["bootstrap"]))
    return usual if usual == other else f"{usual}, or {other} {ELSEWHERE}"
