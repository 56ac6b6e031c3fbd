"""The command group and the one place where errors leave the process.

A command's module is imported when the command is called, so that ``--help``, completion and ``exec`` stay quick.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from envspec import __version__
from envspec.cli import examples, failures, output
from envspec.cli.options import engine_options

GC_AFTER = 100_000
"""Objects that are made before cycles are looked for; Python's own 700 make that often while modules load."""

COMMANDS = (
    ("preflight", "Check this host; --fix makes it ready."),
    ("init", "Write an env.yaml to start from."),
    ("validate", "Check a spec, and name every fault of it."),
    ("schema", "Print a JSON Schema."),
    ("purposes", "List the purposes, or show one."),
    ("render", "Print the Dockerfile of a spec or a purpose."),
    ("plan", "Say what apply would do, and why."),
    ("apply", "Make the environment what its spec says."),
    ("try", "Bring up a repository by its URL, in an environment of its own."),
    ("destroy", "Remove an environment and what belongs to it."),
    ("list", "List the environments on the engine."),
    ("status", "Show one environment as it really is."),
    ("logs", "Print what its services print."),
    ("exec", "Run a command in an environment."),
    ("job", "Start commands that go on by themselves, and look after them."),
    ("wait", "Wait until an environment, or a service of it, is ready."),
    ("shell", "Open a shell in an environment."),
    ("cp", "Copy files and trees into an environment and out of it."),
    ("snapshot", "Save an environment, volumes too; list, show and remove what was saved."),
    ("restore", "Bring a snapshot back, as the same environment or beside it."),
    ("connect", "Print the command that takes a person inside."),
    ("network", "Make, list and remove networks that environments share."),
    ("cache", "List and clear the images that environments share."),
    ("run", "Run one command in an environment that lasts no longer than it."),
    ("session", "List sessions; end one, and with it the environments that it made."),
    ("gc", "Remove what has expired or was left half-way, and unused images."),
    ("completion", "Print the completion script of a shell."),
)
"""Name and one line of help of every command; module ``envspec.cli.commands.NAME_command`` holds its ``command``."""


class LazyGroup(click.Group):
    """A group that knows its commands by name, and imports one only to call it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the names, in the order of a workflow."""
        return [name for name, _ in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import one command, or return ``None`` when there is none of that name."""
        if cmd_name not in dict(COMMANDS):
            return None
        module = importlib.import_module(f"envspec.cli.commands.{cmd_name}_command")
        command: click.Command = module.command
        return examples.show(command, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and name the nearest one when there is none of that name."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in dict(COMMANDS):
            raise failures.unknown_command(name, [known for known, _ in COMMANDS])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS))


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,
    invoke_without_command=True,
    epilog="Exit codes: 0 done, 1 a step failed, 2 changes pending, 3 the spec or the command line is invalid, "
    "4 refused, 5 engine not ready, 6 conflict, 70 a bug, 130 interrupted.\n\n\b\nExamples:\n"
    "  envspec init && envspec apply\n  envspec exec . make test\n  envspec COMMAND --help",
)
@engine_options
@click.version_option(__version__, prog_name="envspec", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Make a container environment what one YAML file says, and keep it so."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with the exit code that the README lists.

    Args:
        arguments: The words after the program's name; those of the process when ``None``.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # A command makes many small values and lives for moments: looking for cycles took a twentieth of its time.
    gc.set_threshold(GC_AFTER)
    own = list(words)  # a command that ends with somebody else's command line says which of the words are its own
    try:
        code = cli.main(args=words, prog_name="envspec", standalone_mode=False, obj=own)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001,RUF100 - the boundary: whatever comes here must leave as text
        code = failures.show(error, as_json=failures.wants_json(own))
    sys.exit(code if isinstance(code, int) else 0)


def program() -> NoReturn:
    """Be the program: as :func:`main`; and where all went well, nothing is left that Python would have to take down."""
    try:
        main()
    except SystemExit as ended:
        if not ended.code:
            output.leave(0)
        raise


if __name__ == "__main__":
    program()
