"""``envspec render``: the Dockerfile of a spec or a purpose."""

from __future__ import annotations

from pathlib import Path

import click

from envspec.cli import options, output
from envspec.errors import UsageError


@click.command()
@options.engine_options
@options.spec_argument
@click.option("--purpose", help="Render this purpose instead of a spec.")
@click.option("--param", "-p", "params", metavar="NAME=VALUE", multiple=True, help="Param of the purpose; repeatable.")
@click.option(
    "--image-source",
    "--source",
    "source",
    type=click.Choice(["auto", "local", "registry", "bootstrap"]),
    help="Where the base image comes from: by default as SPEC says, or auto, which is what apply takes on this host.",
)
@options.json_option
def command(spec: Path, purpose: str | None, params: tuple[str, ...], source: str | None, as_json: bool) -> None:
    """Print the Dockerfile that the workspace's image is built from on this host.

    Standard error says which base image that is, and why.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    if purpose is None and params:
        raise UsageError("--param goes with --purpose", hint="set the params of a spec in its `purpose`")
    engine = options.open_engine()
    if purpose is None:
        found = api.render(spec, source or "", engine)
    else:
        found = api.render_purpose(purpose, _pairs(params), source or "", engine)
    if as_json:
        output.print_result(found)
        return
    output.say(f"note: {found.note}" if found.note else f"note: base image: {found.base} ({found.source})")
    click.echo(found.dockerfile, nl=not found.dockerfile.endswith("\n"))


def _pairs(params: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in params:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"`{text}` is not NAME=VALUE", hint="such as --param version=3.12")
        pairs[name] = value
    return pairs
