"""``envspec render``: the Dockerfile of a spec or a purpose."""

from __future__ import annotations

from pathlib import Path

import click

from envspec.cli import options, output
from envspec.errors import UsageError


@click.command()
@options.spec_argument
@click.option("--purpose", help="Render this purpose instead of a spec.")
@click.option("--param", "-p", "params", metavar="NAME=VALUE", multiple=True, help="Param of the purpose; repeatable.")
@click.option(
    "--source",
    type=click.Choice(["registry", "bootstrap", "local"]),
    default="registry",
    show_default=True,
    help="With --purpose: where the base image would come from.",
)
@options.json_option
def command(spec: Path, purpose: str | None, params: tuple[str, ...], source: str, as_json: bool) -> None:
    """Print the Dockerfile that the workspace's image is built from."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    if purpose is None and params:
        raise UsageError("--param goes with --purpose", hint="set the params of a spec in its `purpose`")
    text = api.render(spec) if purpose is None else api.render_purpose(purpose, _pairs(params), source)
    if as_json:
        output.print_result({"dockerfile": text})
    else:
        click.echo(text, nl=not text.endswith("\n"))


def _pairs(params: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in params:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"`{text}` is no NAME=VALUE", hint="such as --param version=3.12")
        pairs[name] = value
    return pairs
