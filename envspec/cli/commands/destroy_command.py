"""``envspec destroy``: remove an environment and what belongs to it."""

from __future__ import annotations

import sys

import click

from envspec.cli import options, output
from envspec.errors import EnvspecError, Refused, UsageError
from envspec.model import Report


@click.command()
@options.engine_options
@click.argument("envs", nargs=-1, metavar="[ENV]...", shell_complete=options.complete_environment)
@click.option("--all", "every", is_flag=True, help="Destroy every environment on the engine.")
@click.option("--yes", "-y", "--force", "-f", is_flag=True, help="Do not ask; work that would be lost stays safe.")
@options.volumes_option
@click.option("--keep-volumes", is_flag=True, help="Keep the named volumes: the default, spelt out.")
@click.option(
    "--session", metavar="ID", default="", help="With --all: only what this session made and is not persistent."
)
@options.loss_option
@click.option("--verbose", "-v", is_flag=True, help="Show what the steps print.")
@options.json_option
def command(
    envs: tuple[str, ...],
    every: bool,
    yes: bool,
    volumes: bool,
    keep_volumes: bool,
    session: str,
    allow_data_loss: tuple[str, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Remove each ENV, a name, a file or a directory: its container, its networks, and with --volumes its volumes.

    Files on the host are never touched. Work that is nowhere else stops it unless --allow-data-loss names the address.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import work  # noqa: PLC0415 - the same

    if bool(envs) is every:
        raise UsageError("name environments, or ask for --all", hint="`envspec list` names them")
    if volumes and keep_volumes:
        raise UsageError("--volumes and --keep-volumes exclude each other", hint="leave one of them out")
    if session and not every:
        raise UsageError("--session goes with --all", hint="add --all, or name the environments")
    names = _all_names(session, yes=yes) if every else tuple(dict.fromkeys(envs))
    many = every or len(names) > 1
    chosen = api.Options(destroy=True, yes=yes or every, volumes=volumes, allow_data_loss=allow_data_loss)
    reports: list[Report] = []
    failed: dict[str, EnvspecError] = {}
    with work.job(as_json=as_json, verbose=verbose) as job:
        for name in names:
            try:
                reports.append(
                    api.destroy(name, chosen, emit=job.emit, confirm=job.confirm, cancel=job.cancel, engine=job.engine)
                )
            except EnvspecError as error:  # one that stays keeps no other from going
                failed[name] = error
    if failed:
        raise _told(failed, len(reports)) if many else failed[names[0]]
    work.finish(tuple(reports), job.cancel, as_json=as_json, destroyed=True, many=many)


def _told(failed: dict[str, EnvspecError], destroyed: int) -> Refused:
    """Return one error for all environments that stay."""
    first = next(iter(failed.values()))
    told = "; ".join(f"{name}: {reason.message}" for name, reason in failed.items())
    return Refused(f"{destroyed} destroyed, {len(failed)} not: {told}", code=first.code, hint=first.hint)


def _all_names(session: str, *, yes: bool) -> tuple[str, ...]:
    """Return the name of every environment, or of those of a session, once the user has agreed to lose them all."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    rows = [row for row in api.environments(options.open_engine()) if session in ("", row.session)]
    stay = [row.name for row in rows if session and row.persistent]
    names = tuple(row.name for row in rows if row.name not in stay)
    for name in stay:
        output.say(output.line(f"kept  {name}: {api.PERSISTENT}"))
    if not names:
        output.say("There is nothing to destroy.")
    if not names or yes:
        return names
    of = f" of the session {session}" if session else ""
    listed = ", ".join(names)
    if not output.is_interactive(sys.stdin):
        raise Refused(f"nobody can be asked whether to destroy the environments{of}: {listed}", hint="add --yes")
    output.say(output.line(f"These environments{of} will be destroyed: {listed}"))
    if not click.confirm("Destroy them?", err=True):
        raise Refused("nothing was destroyed", hint="name those to destroy")
    return names
