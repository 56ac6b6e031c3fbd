"""``envspec exec``: run a command in an environment, its streams and its exit code untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envspec.cli import options, output, trailing

if TYPE_CHECKING:
    from envspec.inside.capture import Executed


@click.command(cls=trailing.TrailingCommand)
@options.engine_options
@options.env_argument
@click.option("--root", is_flag=True, help="Run as root.")
@click.option("--user", default="", metavar="USER", help="Run as uid, uid:gid or a name, instead of the own user.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End it; exit 124.")
@click.option("--workdir", default="", metavar="DIR", help="Directory to run in, instead of the workspace.")
@click.option("--env", "variables", multiple=True, metavar="K[=V]", help="Set a variable; K alone takes this host's.")
@click.option("--tty", "-t", is_flag=True, help="Give it a terminal.")
@click.option(
    "--max-output", type=click.IntRange(min=0), metavar="BYTES", help="With --json: show so much of each stream, 65536."
)
@options.json_option
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND...")
def command(
    env: str,
    root: bool,
    user: str,
    timeout: float | None,
    workdir: str,
    variables: tuple[str, ...],
    tty: bool,
    max_output: int | None,
    as_json: bool,
    words: tuple[str, ...],
) -> None:
    """Run COMMAND in ENV, a name, a file or a directory, with the environment's variables.

    Options stand before COMMAND. Several words are a program and its arguments; one word of shell text, as in
    'make && make test', is run by a shell, unless -- stands before it.

    Standard input, output and error and the exit code are the command's own. When it passes its time, or is
    interrupted, nothing that it started is left running inside. With --json its output is in the result; what is
    longer than --max-output is cut in the middle, and the result names the directory with all of it.
    """
    from envspec.cli import light  # noqa: PLC0415 - --help does without it
    from envspec.errors import UsageError  # noqa: PLC0415 - the same
    from envspec.inside import exec as inside  # noqa: PLC0415 - the same

    if root and user:
        raise UsageError("--root and --user both say whom to run as", hint="leave one out")
    if as_json and tty:
        raise UsageError("output for a terminal is not JSON", hint="leave out --tty or --json")
    chosen = inside.ExecOptions(user, root, workdir, tty, timeout, inside.variables_from(variables))
    door = light.enter(env)
    line = trailing.command_line(words)
    if not as_json:
        ended = inside.run(door, line, chosen)
        if ended.note:
            output.say(f"note: {ended.note}")
        if hint := trailing.taken_for_a_name(line, ended.code):
            output.say(f"hint: {hint}")
        output.leave(ended.code)
    from envspec.inside.capture import MAX_OUTPUT, execute  # noqa: PLC0415 - only --json pays for it

    limit = MAX_OUTPUT if max_output is None else max_output
    done = execute(door, line, chosen, stdin=None, max_output=limit)
    output.print_json({"ok": True, "result": _told(done)})
    output.leave(done.code)


def _told(done: Executed) -> dict[str, object]:
    """Return a result as JSON; bytes that are not text are replaced, noted, and whole in the log where there is one."""
    lossy = not done.cut and not output.is_utf8(done.stdout + b"\n" + done.stderr)
    notes = (done.note, "the output is not UTF-8; without --json it is passed on byte for byte" if lossy else "")
    return {
        "code": done.code,
        "stdout": done.stdout.decode(errors="replace"),
        "stderr": done.stderr.decode(errors="replace"),
        "timed_out": done.timed_out,
        "seconds": round(done.seconds, 3),
        "stdout_bytes": done.stdout_bytes,
        "stderr_bytes": done.stderr_bytes,
        "log": done.log or None,
        "note": "; ".join(filter(None, notes)) or None,
    }
