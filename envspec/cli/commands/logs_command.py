"""``envspec logs``: what the services of an environment print."""

from __future__ import annotations

import click

from envspec.cli import options


@click.command()
@options.env_argument
@click.argument("service", required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--tail", type=click.IntRange(min=0), default=200, show_default=True, help="Lines of each to begin with.")
@options.engine_options
def command(env: str, service: str | None, follow: bool, tail: int) -> int:
    """Print what SERVICE of ENV, a name or a file, has printed; of all services where none is named.

    The lines of several services begin with their names.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import light, streams  # noqa: PLC0415 - the same

    engine = options.open_engine()
    boxes = api.service_containers(env, service or "", engine=engine)
    flags = ("--tail", str(tail), *(("--follow",) if follow else ()))
    calls = {name: (*engine.command, "logs", *flags, container) for name, container in boxes.items()}
    if len(calls) == 1:
        light.replace_process(next(iter(calls.values())))
    return streams.print_merged(calls)
