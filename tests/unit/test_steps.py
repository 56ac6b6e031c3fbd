"""Steps: their order, how they are carried out, and how they are shown."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from envspec import executor
from envspec.cli.output import Painter
from envspec.cli.steps_text import graph_text, step_lines
from envspec.engine.fake import FakeEngine
from envspec.errors import StepFailed
from envspec.events import silent
from envspec.model import Action, Change, Plan, Status, Summary
from envspec.steps.base import Done, Planned, Run, Step, StepList, Verb
from envspec.steps.graph import Group, link

PLAIN = Painter(enabled=False)


@dataclass(frozen=True)
class Say(Verb):
    """Notes that it ran, and fails when it is told to."""

    word: str
    heard: list[str] = field(default_factory=list, compare=False)
    fails: bool = False

    @property
    def text(self) -> str:
        return f"say {self.word}"

    def run(self, run: Run) -> Done:  # noqa: ARG002 - it needs no engine
        self.heard.append(self.word)
        if self.fails:
            raise StepFailed(f"no {self.word}", hint="apply again")
        return Done(f"said {self.word}")


def change(address: str, *needs: str, action: Action = Action.CREATE) -> Change:
    return Change(address, address.split(".", maxsplit=1)[0], action, "", needs=needs)


def planned(*groups: Group, inside: tuple[str, ...] = (), late: tuple[str, ...] = ()) -> Planned:
    steps = link(groups, inside=inside, late=late)
    changes = tuple(change for group in groups for change in group.changes)
    return Planned(Plan("shop", "", Summary(), changes, steps=tuple(step.planned for step in steps)), steps)


def run(plan: Planned, stopping: bool = False) -> dict[str, tuple[Status, str]]:
    stop = threading.Event()
    if stopping:
        stop.set()
    outcomes = executor.execute(plan, FakeEngine(), inputs=executor.Inputs(stopping=stop), emit=silent)
    return {outcome.address: (outcome.status, outcome.detail) for outcome in outcomes}


def replacement(heard: list[str], fails: str = "") -> Planned:
    """A container that is replaced, a file in the new one, and a volume that the old one may hold."""
    box, file, volume = change("container.a"), change("file.b", "container.a"), change("volume.c", action=Action.DELETE)

    def say(word: str) -> Say:
        return Say(word, heard, fails=word == fails)

    first, second, third = StepList("container.a"), StepList("file.b"), StepList("volume.c")
    first.then(say("create"))
    first.finally_(say("remove old"), skipped="the old one was kept")
    first.finally_(say("rename"), skipped="the old one was kept")
    first.undo(say("remove new"), say("start old"), last=True)
    second.then(say("write"))
    third.then(say("remove volume"))
    groups = [Group((it,), tuple(made.steps)) for it, made in ((volume, third), (box, first), (file, second))]
    return planned(*groups, inside=("file.b",), late=("volume.c",))


def test_a_replacement_is_finished_when_all_went_well_and_late_removals_come_last() -> None:
    heard: list[str] = []
    outcomes = run(replacement(heard))
    assert heard == ["create", "write", "remove old", "rename", "remove volume"]
    assert {status for status, _ in outcomes.values()} == {Status.DONE}
    assert outcomes["container.a"][1] == "said create; said remove old; said rename"


def test_a_failure_undoes_the_replacement_with_what_was_made_in_it() -> None:
    heard: list[str] = []
    outcomes = run(replacement(heard, fails="write"))
    assert heard == ["create", "write", "remove new", "start old"]
    assert outcomes == {
        "volume.c": (Status.SKIPPED, "a step that it needs failed"),
        "container.a": (Status.SKIPPED, "the old one was kept"),
        "file.b": (Status.FAILED, "no write"),
    }


def test_what_was_made_inside_is_undone_when_a_later_step_fails() -> None:
    heard: list[str] = []
    plan = replacement(heard)
    command = StepList("command.d")
    command.then(Say("command", heard, fails=True))
    box, file = (Group((it,), tuple(s for s in plan.steps if it.address in s.serves)) for it in plan.plan.changes[1:])
    outcomes = run(
        planned(box, file, Group((change("command.d", "file.b"),), tuple(command.steps)), inside=("file.b",))
    )
    assert outcomes["file.b"] == (Status.SKIPPED, "undone with the new workspace")
    assert outcomes["command.d"] == (Status.FAILED, "no command")


def test_a_failing_undo_is_reported_and_ends_there() -> None:
    heard: list[str] = []
    plan = replacement(heard, fails="remove new")
    broken = tuple(
        Step(**{**{name: getattr(step, name) for name in Step.__slots__}, "verb": Say("write", heard, fails=True)})
        if step.serves == ("file.b",)
        else step
        for step in plan.steps
    )
    outcomes = run(Planned(plan.plan, broken))
    assert heard == ["create", "write", "remove new"]
    assert outcomes["container.a"] == (Status.FAILED, "no remove new")


def test_after_an_interrupt_nothing_begins() -> None:
    heard: list[str] = []
    outcomes = run(replacement(heard), stopping=True)
    assert "create" not in heard
    assert outcomes["file.b"][0] is Status.SKIPPED


def test_a_change_that_has_begun_is_finished_after_an_interrupt() -> None:
    stop, heard = threading.Event(), list[str]()

    @dataclass(frozen=True)
    class Interrupt(Say):
        def run(self, run: Run) -> Done:
            stop.set()
            return super().run(run)

    steps = StepList("container.a")
    steps.then(Interrupt("create", heard))
    steps.then(Say("start", heard))
    other = StepList("file.b")
    other.then(Say("write", heard))
    plan = planned(
        Group((change("container.a"),), tuple(steps.steps)),
        Group((change("file.b", "container.a"),), tuple(other.steps)),
    )
    outcomes = executor.execute(plan, FakeEngine(), inputs=executor.Inputs(stopping=stop), emit=silent)
    assert heard == ["create", "start"]
    assert [outcome.status for outcome in outcomes] == [Status.DONE, Status.SKIPPED]
    assert outcomes[1].detail == "interrupted"


def test_a_change_without_steps_of_the_normal_course_lets_its_dependents_wait_for_what_it_needs() -> None:
    first, named, last = StepList("network.n"), StepList("container.a"), StepList("file.b")
    made = first.then(Say("network"))
    named.finally_(Say("rename"))
    last.then(Say("write"))
    steps = link(
        (
            Group((change("network.n"),), tuple(first.steps)),
            Group((change("container.a", "network.n"),), tuple(named.steps)),
            Group((change("file.b", "container.a"),), tuple(last.steps)),
        ),
        inside=(),
        late=(),
    )
    assert {step.id: step.needs for step in steps}["file.b#1"] == (made,)


def test_steps_in_a_circle_are_named() -> None:
    steps = (Step("a#1", ("a",), Say("a"), ("b#1",)), Step("b#1", ("b",), Say("b"), ("a#1",)))
    with pytest.raises(RuntimeError, match=r"steps wait for each other: (a#1 -> b#1|b#1 -> a#1)"):
        executor.graph_of(steps)


def test_steps_are_numbered_with_what_they_wait_for() -> None:
    assert step_lines(replacement([]).plan, PLAIN) == [
        "Steps:",
        "[1]  container.a  say create",
        "[2]  file.b       say write          after 1",
        "[3]  container.a  say remove old     after 1, 2",
        "[4]  container.a  say rename         after 1-3",
        "[5]  container.a  say remove new     if 1, 2 did not end well",
        "[6]  container.a  say start old      after 5, if 1, 2 did not end well",
        "[7]  volume.c     say remove volume  after 3, 4",
    ]


def test_no_changes_have_no_steps() -> None:
    assert step_lines(Plan("shop", "", Summary(), ()), PLAIN) == []


def test_a_graph_leaves_out_arrows_that_others_make() -> None:
    plan = replacement([]).plan
    assert graph_text(plan, "dot").splitlines()[:4] == [
        'digraph "shop" {',
        "  node [shape=box];",
        '  s1 [label="container.a\\nsay create"];',
        '  s2 [label="file.b\\nsay write"];',
    ]
    drawn = graph_text(plan, "mermaid").splitlines()
    assert drawn[0] == "flowchart TD"
    assert "  s1 --> s2" in drawn
    assert "  s1 --> s3" not in drawn
    assert "  s2 -.-> s5" in drawn
