"""Plans, reports and progress as a person reads them."""

from __future__ import annotations

import io
import json

import pytest

from envspec.cli.output import Painter, table
from envspec.cli.plan_text import count, plan_lines, report_lines, value_text
from envspec.cli.progress import JsonProgress, LiveProgress, PlainProgress, finished_line
from envspec.events import Notice, StepFinished, StepOutput, StepStarted
from envspec.model import Action, Cause, Change, Diff, Outcome, Plan, Report, Status, Summary

PLAIN = Painter(enabled=False)

PLAN = Plan(
    env="shop",
    fingerprint="f",
    summary=Summary(create=1, update=1, replace=1, delete=1, run=1, noop=2),
    changes=(
        Change("volume.data", "volume", Action.CREATE, "declared, and not there"),
        Change(
            "file./etc/app.conf",
            "file",
            Action.UPDATE,
            "content differs",
            diff=(Diff("sha256", "sha256:" + "a" * 64, "sha256:" + "b" * 64, Cause.DRIFT),),
        ),
        Change(
            "container.workspace",
            "container",
            Action.REPLACE,
            "memory cannot be unset in place",
            diff=(Diff("memory", "4g", None, Cause.SPEC), Diff("ports", None, ["80"], Cause.SPEC)),
            data_loss=("/opt/tool (undeclared)",),
        ),
        Change("network.old", "network", Action.DELETE, "no longer declared"),
        Change("command.setup[0]", "command", Action.RUN, "never ran"),
    ),
    notes=("the base image is local",),
)

DONE = Outcome("volume.data", Action.CREATE, Status.DONE, "made", 0.21)
FAILED = Outcome(
    "command.setup[0]", Action.RUN, Status.FAILED, "one\ntwo", 3.0, {"message": "exit code 2", "hint": "read the log"}
)
SKIPPED = Outcome("health.workspace", Action.RUN, Status.SKIPPED)


def test_a_plan_reads_like_a_document() -> None:
    assert plan_lines(PLAN, PLAIN) == [
        "  + volume.data  declared, and not there",
        "  ~ file./etc/app.conf  content differs",
        "      sha256: sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb  (changed outside envspec)",
        "-/+ container.workspace  memory cannot be unset in place",
        "      memory: 4g → (none)",
        '      ports: ["80"]',
        "      loses /opt/tool (undeclared)",
        "  - network.old  no longer declared",
        "  ! command.setup[0]  never ran",
        "",
        "note: the base image is local",
        "",
        "Plan: 1 to add, 1 to change, 1 to replace, 1 to destroy, 1 to run.",
    ]


def test_the_count_names_replacements_only_where_there_are_some() -> None:
    assert count(Summary(create=3, update=1, run=2)) == "Plan: 3 to add, 1 to change, 0 to destroy, 2 to run."


def test_an_empty_plan_says_that_all_is_well() -> None:
    assert plan_lines(Plan("shop", "f", Summary(), ()), PLAIN) == ["No changes. shop is converged."]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(none)"),
        ("", '""'),
        (True, "true"),
        ({"b": 1, "a": [2]}, '{"a": [2], "b": 1}'),
        ("two\nlines", '"two\\nlines"'),
        ("\x1b[31mred", '"\\u001b[31mred"'),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_a_value_is_one_short_line_that_cannot_steer_a_terminal(value: object, text: str) -> None:
    assert value_text(value) == text


def test_a_report_tells_every_step_what_failed_and_how_to_get_inside() -> None:
    report = Report(
        "shop", ok=False, outcomes=(DONE, FAILED, SKIPPED), seconds=3.4, image="i:1", connect="docker exec x"
    )
    text = report_lines(report, PLAIN)
    assert text == [
        "  +  volume.data       created  0.2 s  made",
        "  !  command.setup[0]  failed   3.0 s",
        "  !  health.workspace  skipped  0.0 s",
        "failed: command.setup[0]: exit code 2",
        "  hint: read the log",
        "Image: i:1 (made now)",
        "Not converged: shop, 1 done, 1 failed, 1 skipped in 3.4 s",
        "Go inside: docker exec x",
    ]


def test_a_report_of_nothing_says_no_changes_and_how_to_get_inside() -> None:
    report = Report("shop", ok=True, outcomes=(), seconds=0.3, connect="docker exec x")
    assert report_lines(report, PLAIN) == ["No changes. shop is converged.", "Go inside: docker exec x"]


def test_what_is_still_different_is_told() -> None:
    report = Report("shop", ok=False, outcomes=(DONE,), seconds=1.0, remaining=("volume.data",))
    assert "Still different after the apply: volume.data" in report_lines(report, PLAIN)


def test_plain_progress_shows_begin_end_and_the_output_of_what_failed() -> None:
    stream = io.StringIO()
    emit = PlainProgress(stream)
    emit(StepStarted("command.setup[0]", Action.RUN))
    emit(StepOutput("command.setup[0]", "noise"))
    emit(StepFinished(FAILED))
    emit(StepFinished(SKIPPED))
    emit(Notice("the lock was taken over"))
    assert stream.getvalue().splitlines() == [
        "  ! command.setup[0]: running",
        "    failed command.setup[0]: exit code 2 (3.0 s)",
        "      | one",
        "      | two",
        "    health.workspace: skipped",
        "the lock was taken over",
    ]


def test_live_progress_keeps_what_failed_and_leaves_the_rest_to_the_report() -> None:
    stream = io.StringIO()
    emit = LiveProgress(stream)
    emit(StepStarted("volume.data", Action.CREATE))
    emit(StepOutput("volume.data", "half-way"))
    emit(StepFinished(DONE))
    emit(StepFinished(FAILED))
    emit.pause()
    emit(Notice("going on"))
    emit.pause()
    shown = stream.getvalue()
    assert "failed command.setup[0]: exit code 2" in shown
    assert "| two" in shown
    assert "going on" in shown
    assert "volume.data: created" not in shown


def test_verbose_progress_shows_what_the_steps_print() -> None:
    stream = io.StringIO()
    PlainProgress(stream, verbose=True)(StepOutput("command.setup[0]", "noise"))
    assert stream.getvalue() == "    command.setup[0] | noise\n"


def test_a_finished_step_shows_the_last_line_of_its_detail() -> None:
    assert finished_line(DONE, PLAIN) == "✓ volume.data: created (0.2 s, made)"


def test_events_are_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    JsonProgress()(StepStarted("volume.data", Action.CREATE))
    JsonProgress()(StepFinished(DONE))
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == {"address": "volume.data", "action": "create", "event": "step_started"}
    assert second["outcome"]["status"] == "done"


def test_a_table_aligns_all_columns_but_the_last() -> None:
    assert table([("a", "bb", "c"), ("aaa", "b", "")]) == ["a    bb  c", "aaa  b"]
    assert table([]) == []


def test_colours_are_only_where_they_were_asked_for() -> None:
    assert PLAIN.bad("x") == "x"
    assert "\x1b[" in Painter(enabled=True).bad("x")
