"""``envspec try``: a working environment for a repository, from its URL alone."""

from __future__ import annotations

import click

from envspec.cli import options


@click.command()
@options.engine_options
@click.argument("url")
@click.option("--name", default="", metavar="NAME", help="Name of the environment; by default the URL's last part.")
@click.option("--trust", is_flag=True, help="Let it have your credentials, variables and git configuration.")
@options.yes_option
@options.session_option
@click.option("--no-cache", is_flag=True, help="Build the image afresh.")
@click.option("--verbose", "-v", is_flag=True, help="Show what the steps print.")
@options.json_option
def command(
    url: str, name: str, trust: bool, yes: bool, session: str, no_cache: bool, verbose: bool, as_json: bool
) -> None:
    """Look at the repository at URL, and make an environment in which it is cloned and installed.

    Nothing of it is checked out or run on this host. URL may be a path too. The environment has nothing of yours
    unless you --trust it; `envspec destroy NAME` takes it away again.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import work  # noqa: PLC0415 - the same

    chosen = api.Options(yes=yes, session=session, no_cache=no_cache)
    with work.job(as_json=as_json, verbose=verbose) as job:
        report = api.try_repository(
            url,
            chosen,
            name=name,
            trusted=trust,
            emit=job.emit,
            confirm=job.confirm,
            cancel=job.cancel,
            engine=job.engine,
        )
    work.finish((report,), job.cancel, as_json=as_json)
