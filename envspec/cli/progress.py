"""Shows an apply while it runs: live on a terminal, plain lines elsewhere, one JSON object a line under ``--json``."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from envspec.cli.output import Painter, painter, print_json, terminal_text
from envspec.cli.plan_text import DONE_WORDS, MARKS
from envspec.events import CopyProgress, Event, Notice, StepFinished, StepOutput, StepStarted
from envspec.model import Action, Outcome, Status, to_json
from envspec.visible import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_REFRESH_PER_SECOND = 8
_MIB = 1 << 20
_TAIL = 20
"""Lines of a failed step's output that are shown."""

DOING_WORDS = {
    Action.CREATE: "creating",
    Action.UPDATE: "updating",
    Action.REPLACE: "replacing",
    Action.DELETE: "removing",
    Action.RUN: "running",
}


class Progress(Protocol):
    """Takes the events of an apply and shows them."""

    def __call__(self, event: Event) -> None:
        """Show an event."""
        ...

    def pause(self) -> None:
        """Leave the terminal as it was, until the next event: the user is asked something, or all is done."""
        ...


class JsonProgress:
    """Prints an event as one line of JSON on standard output."""

    def __call__(self, event: Event) -> None:
        """Print an event."""
        print_json(to_json(event))

    def pause(self) -> None:
        """Do nothing: what is printed stays."""


class PlainProgress:
    """Writes a line when a step begins and one when it ends; with ``verbose`` its output too.

    Args:
        stream: Where to.
        verbose: Whether to show what the steps print.
    """

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._paint = painter(stream)

    def pause(self) -> None:
        """Do nothing: what is written stays."""

    def __call__(self, event: Event) -> None:
        """Write what an event says."""
        match event:
            case StepStarted():
                self._write(f"{MARKS[event.action].rjust(3)} {event.address}: {DOING_WORDS[event.action]}")
            case StepOutput() if self._verbose:
                self._write(f"    {event.address} | {event.line}")
            case StepFinished():
                self._write(f"    {finished_line(event.outcome, self._paint)}")
            case Notice():
                self._write(event.text)
            case CopyProgress():
                self._write(copy_line(event))

    def _write(self, text: str) -> None:
        print(terminal_text(text), file=self._stream, flush=True)


@dataclass(slots=True)
class _Step:
    """A step that is under way."""

    action: Action
    began: float
    line: str = ""


class LiveProgress:
    """Draws the running steps with their time and last line, and keeps what failed above them.

    What went well is left to the report, which follows on the same terminal.

    Args:
        stream: A terminal.
        verbose: Whether to show every line that the steps print.
    """

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._paint = painter(stream)
        self._running: dict[str, _Step] = {}
        self._ended = 0
        self._copy = ""
        self._console: Console | None = None
        self._live: Live | None = None

    def pause(self) -> None:
        """Leave the terminal as it was, until the next event."""
        if self._live:
            self._live.stop()
            self._live = None

    def __call__(self, event: Event) -> None:
        """Take in what an event says; the screen follows on its own."""
        self._begin()
        match event:
            case StepStarted():
                self._running[event.address] = _Step(event.action, time.monotonic())
            case StepOutput():
                if event.address in self._running:
                    self._running[event.address].line = event.line.strip()
                if self._verbose:
                    self._print(f"    {event.address} | {event.line}")
            case StepFinished():
                self._running.pop(event.outcome.address, None)
                self._ended += 1
                if event.outcome.status is Status.FAILED:
                    self._print(finished_line(event.outcome, self._paint))
            case Notice():
                self._print(event.text)
            case CopyProgress():
                self._copy = copy_line(event)

    def _begin(self) -> None:
        """Start to draw with the first event: before it the user may be asked something."""
        if self._live:
            return
        from rich.console import Console  # noqa: PLC0415 - rich is loaded for a terminal only
        from rich.live import Live  # noqa: PLC0415 - the same

        self._console = Console(file=self._stream, highlight=False, no_color=not self._paint.enabled)
        self._live = Live(
            console=self._console, get_renderable=self._draw, refresh_per_second=_REFRESH_PER_SECOND, transient=True
        )
        self._live.start()

    def _print(self, text: str) -> None:
        from rich.text import Text  # noqa: PLC0415 - rich is loaded for a terminal only

        if self._console:
            self._console.print(Text.from_ansi(terminal_text(text)))

    def _draw(self) -> RenderableType:
        from rich.text import Text  # noqa: PLC0415 - rich is loaded for a terminal only

        now = time.monotonic()
        lines = [
            f"{MARKS[step.action].rjust(3)} {address}: {DOING_WORDS[step.action]} {now - step.began:.0f} s  {step.line}"
            for address, step in sorted(self._running.items())
        ]
        if self._copy:
            lines.append(self._copy)
        if self._ended:
            lines.insert(0, f"    {self._ended} done")
        return Text("\n".join(map(one_line, lines)), no_wrap=True, overflow="ellipsis")


def copy_line(event: CopyProgress) -> str:
    """Return the line that tells how far a copy has come, with its share of the whole where that is known."""
    done = f"{event.path}: {event.bytes / _MIB:.1f} MiB"
    share = f" of {event.total / _MIB:.1f} MiB, {100 * event.bytes // event.total} %" if event.total else ""
    return done + share


def finished_line(outcome: Outcome, paint: Painter) -> str:
    """Return the line that tells how a step ended, with the last lines of its output when it failed."""
    if outcome.status is Status.SKIPPED:
        return paint.dim(f"{outcome.address}: skipped")
    if outcome.status is Status.FAILED:
        tail = "".join(f"\n      | {line}" for line in outcome.detail.splitlines()[-_TAIL:])
        message = (outcome.error or {}).get("message", "")
        return f"{paint.bad('failed')} {outcome.address}: {message} ({outcome.seconds:.1f} s){tail}"
    detail = f", {outcome.detail.splitlines()[-1]}" if outcome.detail else ""
    return f"{paint.good('✓')} {outcome.address}: {DONE_WORDS[outcome.action]} ({outcome.seconds:.1f} s{detail})"


def progress(*, as_json: bool, verbose: bool = False) -> Progress:
    """Return what shows an apply here: JSON where it was asked for, live on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonProgress()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return LiveProgress(sys.stderr, verbose=verbose)
    return PlainProgress(sys.stderr, verbose=verbose)
