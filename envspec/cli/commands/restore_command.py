"""``envspec restore``: bring a snapshot back."""

from __future__ import annotations

from pathlib import Path

import click

from envspec.cli import options


@click.command()
@options.engine_options
@click.argument("name", metavar="SNAPSHOT")
@click.option("--as", "env", default="", metavar="ENV", help="Make another environment, beside the saved one.")
@click.option(
    "--spec",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Its spec; written where it is not there. What the spec binds is relative to it.",
)
@options.yes_option
@options.loss_option
@options.allow_option
@click.option("--verbose", "-v", is_flag=True, help="Show what the steps print.")
@options.json_option
def command(
    name: str,
    env: str,
    spec: Path | None,
    yes: bool,
    allow_data_loss: tuple[str, ...],
    allow: tuple[str, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Make the environment of SNAPSHOT what it was: its filesystem, its volumes, then an apply of its spec.

    Where the environment exists it is destroyed first, which needs --yes, and --allow-data-loss for what would be lost.
    Directories of the host are bound as the spec says; they were never saved.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import work  # noqa: PLC0415 - the same

    chosen = api.Options(yes=yes, allow_data_loss=allow_data_loss, allow=allow)
    with work.job(as_json=as_json, verbose=verbose) as job:
        report = api.restore(
            name,
            chosen,
            env=env,
            spec=spec,
            emit=job.emit,
            confirm=job.confirm,
            cancel=job.cancel,
            engine=job.engine,
        )
    work.finish((report,), job.cancel, as_json=as_json)
