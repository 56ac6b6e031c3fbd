"""``envspec session``: end a session."""

from __future__ import annotations

import sys

import click

from envspec.cli import options, output
from envspec.errors import Refused


@click.group()
def command() -> None:
    """Work with sessions: what is applied with --session ID, or with ENVSPEC_SESSION=ID set, belongs to one."""


@command.command("end")
@options.engine_options
@click.argument("session")
@options.volumes_option
@options.ending_loss_option
@options.json_option
def end(session: str, volumes: bool, allow_data_loss: tuple[str, ...], as_json: bool) -> None:
    """Destroy the environments that SESSION made, save those that are persistent.

    Files that nobody declared and running jobs go with them; uncommitted or unpushed work keeps an environment.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import ended_text, work  # noqa: PLC0415 - the same

    ending = api.Ending(volumes=volumes, allow_data_loss=allow_data_loss)
    with work.job(as_json=as_json, verbose=False) as job:
        found = api.end_session(
            session, ending, emit=job.emit, confirm=job.confirm, cancel=job.cancel, engine=job.engine
        )
    stays = [item for item in found if item.kept and item.kept != api.PERSISTENT]
    if not as_json:
        output.print_text("\n".join(ended_text.lines(found, output.painter(sys.stdout), dry_run=False)))
    if stays:
        told = "; ".join(f"{item.name}: {item.kept}" for item in stays)
        hint = "save what matters, or let it go with --allow-data-loss NAME"
        raise Refused(f"{len(stays)} of {len(found)} stay: {told}", code="session.kept", hint=hint)
    if as_json:
        output.print_result(found)
