"""``envspec exec``: run a command in an environment, its streams and its exit code untouched."""

from __future__ import annotations

import click

from envspec.cli import options


@click.command()
@options.engine_options
@options.env_argument
@click.option("--root", is_flag=True, help="Run as root.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End it; exit 124.")
@click.option("--workdir", default="", metavar="DIR", help="Directory to run in, instead of the workspace.")
@click.option("--tty", "-t", is_flag=True, help="Give it a terminal.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(env: str, root: bool, timeout: float | None, workdir: str, tty: bool, words: tuple[str, ...]) -> int:
    """Run COMMAND in ENV, a name or a file, with the environment's variables.

    Standard input, output and error and the exit code are the command's own.
    """
    from envspec.cli import light  # noqa: PLC0415 - --help does without it
    from envspec.engine.choice import choose  # noqa: PLC0415 - the same

    name = light.locate(env)
    container = light.container_name(name)
    engine = choose(*options.asked()).command
    user = light.require_running(name, container, engine)
    chosen = light.ExecOptions(user=user, root=root, workdir=workdir, tty=tty, engine=engine)
    if timeout is not None:
        return light.run_with_deadline(container, words, chosen, timeout)
    light.replace_process(light.exec_argv(container, words, chosen))
    return 0
