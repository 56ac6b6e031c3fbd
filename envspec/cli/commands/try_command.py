"""``envspec try``: a working environment for a repository, from its URL alone."""

from __future__ import annotations

import click

from envspec.cli import options
from envspec.errors import UsageError
from envspec.model import Report, Status


@click.command()
@options.engine_options
@click.argument("url")
@click.option("--name", default="", metavar="NAME", help="Name of the environment; by default the URL's last part.")
@click.option("--trust", is_flag=True, help="Let it have your credentials, variables and git configuration.")
@click.option(
    "--with",
    "versions",
    multiple=True,
    metavar="LANG=VERSION",
    help="Take this version of a language, whatever the repository asks for; may be repeated.",
)
@click.option(
    "--image-source",
    type=click.Choice(("auto", "local", "registry", "bootstrap")),
    default="auto",
    help="Where the base image comes from.",
)
@click.option("--no-install", is_flag=True, help="Clone it, and leave the installing to you.")
@options.yes_option
@options.session_option
@click.option("--no-cache", is_flag=True, help="Build the image afresh.")
@click.option("--verbose", "-v", is_flag=True, help="Show what the steps print.")
@options.json_option
def command(
    url: str,
    name: str,
    trust: bool,
    versions: tuple[str, ...],
    image_source: str,
    no_install: bool,
    yes: bool,
    session: str,
    no_cache: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Look at the repository at URL, and make an environment in which it is cloned and installed.

    Nothing of it is checked out or run on this host. URL may be a path too. The environment has nothing of yours
    unless you --trust it; `envspec destroy NAME` takes it away again.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import work  # noqa: PLC0415 - the same

    chosen = api.Options(yes=yes, session=session, no_cache=no_cache, installs=not no_install)
    with work.job(as_json=as_json, verbose=verbose) as job:
        report = api.try_repository(
            url,
            chosen,
            name=name,
            trusted=trust,
            versions=dict(_version(text) for text in versions),
            image_source=image_source,
            emit=job.emit,
            confirm=job.confirm,
            cancel=job.cancel,
            engine=job.engine,
        )
    named = f" --name {name}" if name else ""
    go_on = (
        f"the environment stands: fix it inside (`envspec shell {report.env}`; `git pull` there brings newer"
        f" commits), then `envspec try {url}{named}` again; --no-install goes on without installing"
    )
    work.finish((report,), job.cancel, as_json=as_json, go_on=go_on if _failed_to_install(report) else "")


def _version(text: str) -> tuple[str, str]:
    """Return language and version of ``LANG=VERSION``."""
    language, equals, version = text.partition("=")
    if not (language and equals and version):
        raise UsageError(f"{text!r} is not LANG=VERSION", hint="write one such as `--with python=3.13`")
    return language, version


def _failed_to_install(report: Report) -> bool:
    """Say whether the repository is there and installing it failed."""
    return any(item.status is Status.FAILED and item.address.startswith("command.") for item in report.outcomes)
