"""``envspec apply``: make the environment what its spec says."""

from __future__ import annotations

from pathlib import Path

import click

from envspec.cli import options


@click.command()
@options.engine_options
@click.argument("spec", type=click.Path(path_type=Path), default=Path(), required=False, metavar="[SPEC|PLAN]")
@options.yes_option
@options.loss_option
@options.replace_option
@options.target_option
@options.allow_option
@options.session_option
@click.option("--no-cache", is_flag=True, help="Build the image afresh.")
@click.option("--take-over", is_flag=True, help="Take an environment of this name that another file made.")
@click.option("--verbose", "-v", is_flag=True, help="Show what the steps print.")
@options.json_option
def command(
    spec: Path,
    yes: bool,
    allow_data_loss: tuple[str, ...],
    replace: tuple[str, ...],
    target: tuple[str, ...],
    allow: tuple[str, ...],
    session: str,
    no_cache: bool,
    take_over: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Make the environment what SPEC says, or do a plan that `envspec plan --out` saved.

    Asks before a step that loses or stops something which exists. Ctrl-C lets the running steps finish; a second one
    stops them. Whatever happens, another apply goes on from there.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import work  # noqa: PLC0415 - the same

    chosen = api.Options(
        replace=replace,
        target=target,
        allow=allow,
        session=session,
        allow_data_loss=allow_data_loss,
        yes=yes,
        no_cache=no_cache,
        take_over=take_over,
    )
    with work.job(as_json=as_json, verbose=verbose) as job:
        report = api.apply(spec, chosen, emit=job.emit, confirm=job.confirm, cancel=job.cancel, engine=job.engine)
    work.finish((report,), job.cancel, as_json=as_json)
