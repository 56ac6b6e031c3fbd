"""``envspec session``: end a session."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from envspec.cli import options, output
from envspec.errors import Refused

if TYPE_CHECKING:
    from envspec.api import EnvironmentRow


@click.group()
def command() -> None:
    """Work with sessions: what is applied with --session ID, or with ENVSPEC_SESSION=ID set, belongs to one."""


@command.command("list")
@options.engine_options
@options.json_option
def list_(as_json: bool) -> None:
    """List the sessions that have environments, with their names; those that end with it, and persistent ones."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    rows = [row for row in api.environments(options.open_engine()) if row.session]
    sessions = {
        session: [row for row in rows if row.session == session] for session in sorted({row.session for row in rows})
    }
    if as_json:
        output.print_result(
            [
                {"session": session, "environments": [row.name for row in found if not row.persistent]}
                | {"persistent": [row.name for row in found if row.persistent]}
                for session, found in sessions.items()
            ]
        )
        return
    if not sessions:
        output.print_text("No session has an environment on this engine.")
        return
    lines = [
        ("SESSION", "ENVIRONMENTS"),
        *((session, ", ".join(map(_named, found))) for session, found in sessions.items()),
    ]
    output.print_text("\n".join(output.table(lines)))


def _named(row: EnvironmentRow) -> str:
    return f"{row.name} (persistent)" if row.persistent else row.name


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
