"""Text that others wrote steers no terminal: whichever way it takes to one, it shows as escapes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest

from envspec.api import EnvironmentRow, EnvironmentStatus
from envspec.cli import ended_text, failures, output, plan_text, status_text
from envspec.cli.commands.cp_command import _tell
from envspec.cli.output import Painter
from envspec.cli.progress import JsonProgress, LiveProgress, PlainProgress
from envspec.errors import StepFailed
from envspec.events import CopyProgress, Event, Notice, StepFinished, StepOutput, StepStarted
from envspec.executor import _Log
from envspec.inside.copy_box import Copied
from envspec.model import Action, Cause, Change, Diff, Effect, Outcome, Plan, Report, Status, Summary
from envspec.visible import one_line, visible, within_json

ESCAPE, C1, BIDI, ISOLATE, MARK = "\x1b[2J", "\x9b31m", "\u202e", "\u2066", "\u061c"
HOSTILE = f"a{ESCAPE}{C1}{BIDI}{ISOLATE}{MARK}\r\x07\udcffz"
SHOWN = r"a\x1b[2J\x9b31m\u202e\u2066\u061c\r\x07\xffz"
PAINTED = Painter(enabled=True)
PLAIN = Painter(enabled=False)


def steers(text: str) -> bool:
    """Say whether a terminal would do something else than show a text, our own colours aside."""
    for code in ("0", "1", "2", "31", "32", "33"):
        text = text.replace(f"\x1b[{code}m", "")
    return visible(text) != text


def test_every_steering_character_is_an_escape_and_no_other_is() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible("naïve 日本 😀 👩‍👩‍👧\tx\n") == "naïve 日本 😀 👩‍👩‍👧\tx\n"
    assert one_line("a\nPlan: 0 to destroy\t") == r"a\nPlan: 0 to destroy\t"
    assert [visible(chr(code)) for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))] == [
        f"\\u{code:04x}" for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    ]


def test_our_own_colours_stay_and_others_do_not() -> None:
    text = output.terminal_text(f"{PAINTED.bad('failed')}: \x1b[31mred{PAINTED.bold(HOSTILE)}")
    assert text == f"\x1b[31mfailed\x1b[0m: \\x1b[31mred\x1b[1m{SHOWN}\x1b[0m"


CHANGE = Change(
    HOSTILE,
    "file",
    Action.DELETE,
    HOSTILE,
    diff=(Diff(HOSTILE, HOSTILE, [HOSTILE], Cause.DRIFT),),
    data_loss=(f"{HOSTILE}\nPlan: 0 to destroy",),
)
OUTCOMES = tuple(
    Outcome(HOSTILE, Action.CREATE, status, HOSTILE, 1.0, {"message": f"{HOSTILE}\n{HOSTILE}", "hint": HOSTILE})
    for status in (Status.DONE, Status.FAILED, Status.SKIPPED)
)
REPORT = Report(
    HOSTILE, ok=False, outcomes=OUTCOMES, seconds=1.0, image=HOSTILE, remaining=(HOSTILE,), notes=(HOSTILE,)
)
PLAN = Plan(
    env=HOSTILE,
    fingerprint="",
    changes=(CHANGE,),
    summary=Summary(),
    notes=(HOSTILE,),
    effects=(Effect(HOSTILE, HOSTILE, HOSTILE),),
)


def test_a_plan_cannot_be_steered_by_the_names_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = plan_text.plan_lines(PLAN, PAINTED)
    assert not any("\n" in line for line in lines)
    output.print_text("\n".join(lines))
    shown = capsys.readouterr().out
    assert not steers(shown)
    assert SHOWN in shown
    assert r"\nPlan: 0 to destroy" in shown


def test_a_report_cannot_be_steered_by_what_commands_said(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_text("\n".join(plan_text.report_lines(REPORT, PAINTED)))
    shown = capsys.readouterr().out
    assert (steers(shown), SHOWN in shown) == (False, True)


EVENTS: tuple[Event, ...] = (
    StepStarted(HOSTILE, Action.RUN),
    StepOutput(HOSTILE, HOSTILE),
    *(StepFinished(outcome) for outcome in OUTCOMES),
    Notice(HOSTILE),
    CopyProgress(HOSTILE, 1, 2),
)


@pytest.mark.parametrize("make", [PlainProgress, LiveProgress], ids=["lines", "live"])
def test_progress_cannot_be_steered_by_what_a_build_prints(make: Callable[..., Any]) -> None:
    stream = io.StringIO()
    shows = make(stream, verbose=True)
    for event in EVENTS:
        shows(event)
    if isinstance(shows, LiveProgress):
        shows(StepStarted("file", Action.RUN))
        shows(StepOutput("file", HOSTILE))
        drawn = str(shows._draw())
        assert (steers(drawn), r"\x1b[2J" in drawn) == (False, True)
    shows.pause()
    shown = stream.getvalue()
    assert r"\x1b[2J" in shown
    assert not any(character in shown for character in (ESCAPE, C1, BIDI, ISOLATE, MARK, "\x07", "\udcff"))


@pytest.mark.parametrize("make", [failures.show], ids=["error"])
def test_an_error_cannot_be_steered_by_what_the_engine_said(
    make: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    make(StepFailed(HOSTILE, hint=HOSTILE), as_json=False)
    shown = capsys.readouterr().err
    assert (steers(shown), shown.count(SHOWN)) == (False, 2)


def test_lists_and_status_cannot_be_steered_by_labels() -> None:
    row = EnvironmentRow(name=HOSTILE, status=HOSTILE, image=HOSTILE, purpose=HOSTILE, spec=f"{HOSTILE}\n", ports=())
    hostile = {"str": HOSTILE, "tuple[str, ...]": (HOSTILE,), "tuple[str, ...] | None": (HOSTILE,)}
    told = {item.name: hostile[str(item.type)] for item in fields(EnvironmentStatus) if str(item.type) in hostile}
    status = EnvironmentStatus(**cast("Any", told), limits={HOSTILE: HOSTILE})
    for lines in (status_text.list_lines((row,)), status_text.status_lines(status, PAINTED)):
        shown = output.terminal_text("\n".join(lines))
        assert (steers(shown), SHOWN in shown) == (False, True)
        assert len(shown.splitlines()) == len(lines)


def test_what_ended_cannot_be_steered_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    from envspec.api import Ended  # noqa: PLC0415 - beside the door that shows it

    output.print_text(
        "\n".join(ended_text.lines((Ended(HOSTILE, HOSTILE, gone=False, kept=HOSTILE),), PLAIN, dry_run=False))
    )
    shown = capsys.readouterr().out
    assert (steers(shown), SHOWN in shown) == (False, True)


def test_a_copy_cannot_be_steered_by_the_names_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    from envspec.inside.copy_box import LeftOut  # noqa: PLC0415 - beside the door that shows it

    _tell(Copied(target=HOSTILE, files=1, bytes=1, left_out=(LeftOut(f"{HOSTILE}\n", HOSTILE),)))
    shown = capsys.readouterr().err
    assert (steers(shown), len(shown.splitlines())) == (False, 2)


def test_the_log_of_a_step_steers_nobody_who_reads_it(tmp_path: Path) -> None:
    log = _Log(tmp_path / "logs", "command.setup[0]", lambda _: None)
    log.line(HOSTILE)
    assert log.file is not None
    assert log.file.read_text() == f"{SHOWN}\n"


def test_json_says_all_and_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"text": HOSTILE + "日本"})
    JsonProgress()(Notice(HOSTILE))
    first, second = capsys.readouterr().out.splitlines()
    assert not steers(first + second)
    said = HOSTILE.replace("\udcff", "\\xff")  # JSON has no form for half of a surrogate pair
    assert json.loads(first) == {"text": said + "日本"}
    assert json.loads(second)["text"] == said
    assert within_json('{"a": "日本"}') == '{"a": "日本"}'


RAW = {"main.py": 1, "output.py": 3, "progress.py": 1, "streams.py": 1}
"""How often text goes out by hand: envspec's own help, the functions of the doors, and what commands say themselves."""

DOCUMENTS = ("completion_command.py", "render_command.py", "schema_command.py", "snapshot_command.py")
"""Commands that print a document which somebody may keep, as it is."""


def test_no_door_prints_past_the_function_that_makes_text_visible() -> None:
    found = {}
    for file in sorted(Path(output.__file__).parent.rglob("*.py")):
        lines = re.findall(r"(?:click\.echo|(?<![_.\w])print|std(?:out|err)\.write)\(", file.read_text())
        if lines:
            found[file.name] = len(lines)
    assert {name: number for name, number in found.items() if name not in DOCUMENTS} == RAW
    assert all(found[name] == 1 for name in DOCUMENTS)
