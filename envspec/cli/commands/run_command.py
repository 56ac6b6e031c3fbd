"""``envspec run``: apply, exec, destroy."""

from __future__ import annotations

from pathlib import Path

import click

from envspec.cli import options, trailing


@click.command(cls=trailing.TrailingCommand)
@options.engine_options
@click.argument("spec", type=click.Path(path_type=Path))
@options.allow_option
@options.session_option
@click.option("--root", is_flag=True, help="Run the command as root.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End it; exit 124.")
@click.option("--workdir", default="", metavar="DIR", help="Directory to run in, instead of the workspace.")
@click.option("--tty", "-t", is_flag=True, help="Give it a terminal.")
@click.option("--env", "-e", "variables", multiple=True, metavar="K[=V]", help="A variable beside those of SPEC.")
@click.option("--no-cache", is_flag=True, help="Build the image afresh.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND...")
def command(
    spec: Path,
    allow: tuple[str, ...],
    session: str,
    root: bool,
    timeout: float | None,
    workdir: str,
    tty: bool,
    variables: tuple[str, ...],
    no_cache: bool,
    words: tuple[str, ...],
) -> int:
    """Make an environment from SPEC, run COMMAND in it, and take the environment away, volumes and all.

    It has a name of its own, so one that was applied from SPEC stays as it is. Standard input, output and error and
    the exit code are the command's own; what envspec says goes to standard error.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import work  # noqa: PLC0415 - the same
    from envspec.inside import door, exec  # noqa: PLC0415 - the same

    given, line = exec.variables_from(variables), trailing.command_line(words)
    chosen = api.Options(allow=allow, session=session, no_cache=no_cache)
    asked = exec.ExecOptions(root=root, workdir=workdir, tty=tty, timeout=timeout, variables=given)
    with (
        work.job(as_json=False, verbose=False) as job,
        api.temporary(spec, chosen, emit=job.emit, confirm=job.confirm, cancel=job.cancel, engine=job.engine) as report,
    ):
        if not report.ok:
            raise work.ApplyInterrupted(report) if job.cancel.requested else work.ApplyFailed(report)
        job.emit.pause()
        with work.own_interrupts():
            return exec.run(door.open_door(report.env, job.engine.command), line, asked).code
