"""``envspec job``: commands that go on by themselves."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING

import click

from envspec.cli import options, output, trailing

if TYPE_CHECKING:
    from envspec.inside.job import Job
    from envspec.inside.jobs import Jobs

CANCELLED = 143
LOST = 1

env_option = click.option("--env", "env", default="", metavar="ENV", help="Environment of the job.")
id_argument = click.argument("job_id", metavar="ID")


@click.group()
def command() -> None:
    """Start commands that go on by themselves, and look after them.

    A job is known to everybody who reaches the engine. ID is the job's own, or ENV/ID; an ID alone is looked for in all
    running environments.
    """


@command.command(cls=trailing.TrailingCommand)
@options.engine_options
@options.env_argument
@click.option("--name", default="", metavar="ID", help="Its ID; starting one twice is one job.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End all of it then.")
@click.option("--stdin", type=click.File("rb"), metavar="FILE", help="What it reads; - for standard input.")
@click.option("--workdir", default="", metavar="DIR", help="Directory to run in, instead of the workspace.")
@click.option("--root", is_flag=True, help="Run as root.")
@options.json_option
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND...")
def start(
    env: str,
    name: str,
    timeout: float | None,
    stdin: IO[bytes] | None,
    workdir: str,
    root: bool,
    as_json: bool,
    words: tuple[str, ...],
) -> None:
    """Start COMMAND in ENV, with the environment's variables, and print its ID."""
    from envspec.cli import light  # noqa: PLC0415 - --help does without it
    from envspec.inside.job import JobOptions  # noqa: PLC0415 - the same
    from envspec.inside.jobs import Jobs  # noqa: PLC0415 - the same

    chosen = JobOptions(root, workdir, timeout or 0, stdin.read() if stdin else b"")
    started = Jobs(light.enter(env)).start(trailing.command_line(words), chosen, name)
    if as_json:
        output.print_result({"job": started.job, "created": started.created})
    else:
        output.print_text(started.job.id)


@command.command("list")
@options.engine_options
@click.argument("env", required=False, shell_complete=options.complete_environment)
@options.json_option
def list_jobs(env: str | None, as_json: bool) -> None:
    """List the jobs of ENV, or of all running environments."""
    from envspec.cli import light  # noqa: PLC0415 - --help does without it
    from envspec.inside.jobs import Jobs, all_jobs  # noqa: PLC0415 - the same

    jobs = Jobs(light.enter(env)).list() if env else all_jobs(light.enter_all())
    if as_json:
        output.print_result(jobs)
        return
    for job in jobs:
        output.print_text(output.line(f"{f'{job.env}/{job.id}':32} {_state(job):14} {job.started}  {_shown(job)}"))


@command.command()
@options.engine_options
@id_argument
@env_option
@click.option("--offset", type=click.IntRange(min=0), default=0, metavar="N", help="Place to go on from.")
@click.option("--limit", type=click.IntRange(min=0), default=65536, show_default=True, metavar="BYTES", help="At most.")
@options.json_option
def poll(job_id: str, env: str, offset: int, limit: int, as_json: bool) -> None:
    """Print what job ID printed from a place on, and its state; also the place to go on from."""
    jobs, name = _find(job_id, env)
    polled = jobs.poll(name, offset, limit)
    if as_json:
        told = {"offset": polled.offset, "next_offset": polled.next_offset, "more": polled.more}
        lossy = not output.is_utf8(polled.output)
        note = "the output is not UTF-8; `envspec job logs` prints it byte for byte" if lossy else None
        output.print_result({"job": polled.job, "output": polled.output.decode(errors="replace"), **told, "note": note})
        return
    sys.stdout.buffer.write(polled.output)
    sys.stdout.flush()
    output.say(f"{name}: {_state(polled.job)}; next --offset {polled.next_offset}")


@command.command()
@options.engine_options
@id_argument
@env_option
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until the job has ended.")
@click.option("--offset", type=click.IntRange(min=0), default=0, metavar="N", help="Place to go on from.")
def logs(job_id: str, env: str, follow: bool, offset: int) -> int:
    """Print all that job ID printed, byte for byte."""
    jobs, name = _find(job_id, env)
    return jobs.follow(name, offset, follow=follow)


@command.command()
@options.engine_options
@id_argument
@env_option
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait no longer.")
@options.json_option
def wait(job_id: str, env: str, timeout: float | None, as_json: bool) -> int:
    """Wait until job ID has ended, and exit with its code: 124 where it timed out or goes on, 143 cancelled, 1 lost."""
    from envspec.inside.exec import TIMED_OUT  # noqa: PLC0415 - --help does without it

    jobs, name = _find(job_id, env)
    job = jobs.wait(name, timeout)
    if as_json:
        output.print_result(job)
    else:
        output.say(f"{name}: {_state(job)}")
    codes = {"exited": job.code or 0, "cancelled": CANCELLED, "lost": LOST}
    return codes.get(job.state, TIMED_OUT)


@command.command()
@options.engine_options
@id_argument
@env_option
@click.option("--grace", type=click.IntRange(min=0), default=3, show_default=True, help="Seconds before a kill.")
@options.json_option
def cancel(job_id: str, env: str, grace: int, as_json: bool) -> int:
    """End all that job ID started, and say what is left of it: exit 0 when nothing is, else 1."""
    jobs, name = _find(job_id, env)
    done = jobs.cancel(name, grace)
    if as_json:
        output.print_result({"job": done.job, "ended": done.ended, "left": done.left})
    else:
        left = f"still running: {'; '.join(done.left)}" if done.left else "nothing is left running"
        output.print_text(output.line(f"{name}: {_state(done.job)}; {done.ended} processes ended, {left}"))
    return int(bool(done.left))


def _find(job_id: str, env: str) -> tuple[Jobs, str]:
    """Return the environment of a job, and its ID there.

    Raises:
        UsageError: No running environment has such a job, or several have.
    """
    from envspec.cli import light  # noqa: PLC0415 - --help does without it
    from envspec.inside.jobs import Jobs, find  # noqa: PLC0415 - the same

    before, slash, name = job_id.rpartition("/")
    if env or slash:
        return Jobs(light.enter(env or before)), name
    return find(light.enter_all(), name), name


def _state(job: Job) -> str:
    code = f" ({job.code})" if job.state == "exited" else ""
    return f"{job.state}{code}{f': {job.reason}' if job.reason else ''}"


def _shown(job: Job) -> str:
    import shlex  # noqa: PLC0415 - only a list pays for it

    return shlex.join(job.command).replace("\n", "\\n")[:80]
