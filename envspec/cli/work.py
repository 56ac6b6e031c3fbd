"""What `apply` and `destroy` share: progress, the question before a loss, the two stages of Ctrl-C, the report."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import click

from envspec import api
from envspec.cli import options, output, plan_text
from envspec.cli.progress import Progress, progress
from envspec.engine.base import Engine
from envspec.errors import Interrupted, StepFailed, Where
from envspec.model import Outcome, Plan, Report, Status, to_json, type_json

FIRST_TIME = "Interrupted: the running steps finish, no new one begins. Press Ctrl-C again to stop them."
SECOND_TIME = "Stopping the running steps."


@dataclass(frozen=True, slots=True)
class Job:
    """What the core is given for one apply or destroy.

    Attributes:
        engine: The engine to work on.
        emit: Takes events and shows them.
        cancel: Carries the first Ctrl-C.
        as_json: Whether standard output belongs to JSON, so that nobody can be asked.
    """

    engine: Engine
    emit: Progress
    cancel: api.Cancel
    as_json: bool

    def confirm(self, plan: Plan) -> bool:
        """Show a plan that loses or stops something, and ask; ``False`` where no one can be asked."""
        if self.as_json or not (output.is_interactive(sys.stdin) and output.is_interactive(sys.stderr)):
            return False
        self.emit.pause()
        output.say("\n".join(plan_text.plan_lines(plan, output.painter(sys.stderr))))
        return click.confirm("Go on?", err=True)


class ApplyFailed(StepFailed):
    """An apply ended before everything was done; carries its report.

    Args:
        report: What was done and what was not.
        hint: How to go on, "" for the usual way.
    """

    def __init__(self, report: Report, hint: str = "") -> None:
        failed = [item.address for item in report.outcomes if item.status is Status.FAILED]
        told = f"failed: {', '.join(failed)}" if failed else f"still different: {', '.join(report.remaining)}"
        super().__init__(
            f"{report.env} did not converge; {told}",
            hint=hint or "fix the cause and apply again: it goes on from here",
            where=Where(address=failed[0] if failed else ""),
        )
        self.report = report

    def as_json(self) -> dict[str, object]:
        """Return the error with the whole report under ``report``."""
        return super().as_json() | {"report": to_json(self.report)}


class ApplyInterrupted(Interrupted):
    """The user stopped an apply; carries its report.

    Args:
        report: What was done and what was not.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.env} was left half-way", hint="apply again: it goes on from here")
        self.report = report

    def as_json(self) -> dict[str, object]:
        """Return the error with the whole report under ``report``."""
        return super().as_json() | {"report": to_json(self.report)}


@contextmanager
def job(*, as_json: bool, verbose: bool) -> Iterator[Job]:
    """Open the engine, show progress, and take Ctrl-C in two stages while the work runs.

    Args:
        as_json: Whether events go to standard output as JSON.
        verbose: Whether to show what the steps print.

    Raises:
        EngineNotReady: No engine answers.
    """
    engine = options.open_engine()
    cancel = api.Cancel()
    shown = progress(as_json=as_json, verbose=verbose)
    with _interrupts(engine, cancel):
        try:
            yield Job(engine, shown, cancel, as_json)
        finally:
            shown.pause()


def finish(  # noqa: PLR0913 - what is printed of a report
    reports: tuple[Report, ...],
    cancel: api.Cancel,
    *,
    as_json: bool,
    destroyed: bool = False,
    many: bool = False,
    go_on: str = "",
) -> None:
    """Print reports.

    Args:
        reports: What came of the work, one for each environment.
        cancel: Whether the user stopped it.
        as_json: Whether to print the JSON envelope.
        destroyed: Whether the environments were to go.
        many: Whether the result is a list, however many there are.
        go_on: How to go on after a step failed, "" for the usual way.

    Raises:
        ApplyInterrupted: The user stopped it.
        ApplyFailed: A step failed, or something is still different.
    """
    if not as_json:
        paint = output.painter(sys.stdout)
        for report in reports:
            output.print_text("\n".join(plan_text.report_lines(report, paint, destroyed=destroyed)))
    for report in reports:
        if not report.ok:
            failed = any(item.status is Status.FAILED and not _was_stopped(item) for item in report.outcomes)
            raise ApplyInterrupted(report) if cancel.requested and not failed else ApplyFailed(report, go_on)
    if as_json:
        result: type_json = [to_json(report) for report in reports] if many else to_json(reports[0])
        output.print_result(result)


def _was_stopped(outcome: Outcome) -> bool:
    """Say whether a step did not fail by itself: the user stopped it."""
    return outcome.error is not None and outcome.error["category"] == Interrupted.category


@contextmanager
def own_interrupts() -> Iterator[None]:
    """Let a signal end what runs in the foreground at once, within :func:`job`; a command inside is such a thing."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _interrupts(engine: Engine, cancel: api.Cancel) -> Iterator[None]:
    """Let the first SIGINT ask for an end and the second, or a SIGTERM, stop what runs."""

    def stop() -> None:
        # In a thread of its own: the signal may have come while the main thread holds a lock of the engine's.
        threading.Thread(target=engine.cancel, daemon=True).start()

    def handle(number: int, _frame: FrameType | None) -> None:
        again = cancel.requested
        cancel.request()
        if again or number == signal.SIGTERM:
            stop()
        # Not an event: the thread that is interrupted here may be emitting one.
        os.write(sys.stderr.fileno(), f"\n{SECOND_TIME if again else FIRST_TIME}\n".encode())

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
