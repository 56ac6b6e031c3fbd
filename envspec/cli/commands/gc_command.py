"""``envspec gc``: remove what nobody wants any more."""

from __future__ import annotations

import sys

import click

from envspec.cli import options, output


@click.command()
@options.engine_options
@click.argument("env", nargs=-1, shell_complete=options.complete_environment)
@click.option("--dry-run", is_flag=True, help="Say only what would go.")
@click.option(
    "--images-older-than",
    metavar="AGE",
    default="30d",
    show_default=True,
    help="Remove images of envspec that were built longer ago and that no container uses.",
)
@options.ending_loss_option
@options.json_option
def command(
    env: tuple[str, ...], dry_run: bool, images_older_than: str, allow_data_loss: tuple[str, ...], as_json: bool
) -> None:
    """Remove what has expired, what was left half-way, and old images that nobody uses.

    Only what envspec made is looked at, and with ENV only those environments. Uncommitted or unpushed work keeps an
    environment; named volumes stay.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import ended_text, work  # noqa: PLC0415 - the same

    age = options.duration(images_older_than, "--images-older-than")
    ending = api.Ending(allow_data_loss=allow_data_loss, dry_run=dry_run, only=env, images_after=age)
    with work.job(as_json=as_json, verbose=False) as job:
        found = api.collect_garbage(ending, emit=job.emit, confirm=job.confirm, cancel=job.cancel, engine=job.engine)
    if as_json:
        output.print_result(found)
    else:
        output.print_text("\n".join(ended_text.lines(found, output.painter(sys.stdout), dry_run=dry_run)))
