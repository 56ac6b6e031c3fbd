"""``envspec wait``: wait until an environment is ready."""

from __future__ import annotations

import click

from envspec.cli import options, output


@click.command()
@options.engine_options
@options.env_argument
@click.option("--command", "check", default="", metavar="CMD", help="Wait until this shell text exits 0 inside.")
@click.option("--service", default="", metavar="NAME", help="Wait until this service is healthy.")
@click.option("--interval", type=click.FloatRange(min=0), metavar="SECONDS", help="Between two tries, 2.")
@click.option("--retries", type=click.IntRange(min=0), metavar="N", help="Tries after the first, 15.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="For one try, 30.")
@options.json_option
def command(
    env: str,
    check: str,
    service: str,
    interval: float | None,
    retries: int | None,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Wait until ENV, a name or a file, is ready: exit 0 when it is, 1 when it is not in the end.

    Without --command and --service, what its health says is waited for, with the interval, the retries and the timeout
    that stand there.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    waited = api.wait(
        env,
        command=check,
        service=service,
        interval=interval,
        timeout=timeout,
        retries=retries,
        engine=options.open_engine(),
    )
    if as_json:
        output.print_result(waited)
    else:
        state = "ready" if waited.ready else "not ready"
        tries = f"{waited.attempts} {'try' if waited.attempts == 1 else 'tries'}"
        output.print_text(f"{waited.env}: {waited.what} is {state} after {tries}, {waited.seconds:.1f} s")
        if waited.output:
            output.print_text(waited.output.rstrip("\n"))
    return int(not waited.ready)
