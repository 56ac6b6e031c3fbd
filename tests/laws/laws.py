"""The laws of DESIGN.md §6, each a function that raises ``AssertionError`` where a history breaks it.

The tests run them over drawn histories; the mutants must turn them red on fixed ones.
"""

from __future__ import annotations

import json
from pathlib import Path

from envspec import planner
from envspec.model import plan_from_json, to_json

from .strategies import History
from .world import World, explain, insist_equal


def lived(history: History, directory: Path) -> World:
    """Return the world after all specs of a history but the last were applied."""
    world = World(directory, history.seed)
    for doc in history.docs[:-1]:
        world.applied(doc)
    return world


def plan_is_a_value(history: History, directory: Path) -> None:
    """Law 1: a plan is a pure and deterministic function, and survives JSON."""
    world = lived(history, directory)
    seen = world.look(history.last)
    again = world.look(history.last)
    assert seen.plan == again.plan, "two looks at one world made two plans"
    before = (to_json(seen.desired), repr(seen.world))
    made = planner.plan(seen.desired, seen.world)
    assert made == planner.plan(seen.desired, seen.world), "one world made two plans"
    assert (to_json(seen.desired), repr(seen.world)) == before, "planning changed what it was given"
    carried = plan_from_json(json.loads(json.dumps(to_json(made))))
    assert carried == made, "a plan came back from JSON as another"
    done: set[str] = set()
    for change in made.changes:
        missing = {need for need in change.needs if need not in done}
        assert not missing & {c.address for c in made.changes}, f"{change.address} comes before {missing}"
        done.add(change.address)


def applying_converges(history: History, directory: Path) -> None:
    """Law 2: after an apply there is nothing to do, and doing it again calls nothing."""
    world = World(directory, history.seed)
    for doc in history.docs:
        world.applied(doc)
        seen = world.look(doc)
        assert seen.plan.empty, [(c.address, c.action.value, c.reason) for c in seen.plan.changes]
        calls = len(world.engine.calls)
        assert world.apply(doc).outcomes == ()
        assert world.engine.calls[calls:] == []


def every_path_leads_to_one_place(history: History, directory: Path) -> None:
    """Law 3: what is applied last decides, whatever came before."""
    world = lived(history, directory)
    world.applied(history.last)
    fresh = World(directory, history.seed)
    fresh.applied(history.last)
    insist_equal(world.state(), fresh.state(), "the past shows")


def kills_leave_no_trace(history: History, directory: Path, point: float | None = None) -> int:
    """Law 4: killed before or after any mutating call, one more apply ends as if never killed.

    Args:
        history: What was applied; the last is the one that is killed.
        directory: Directory of the host.
        point: Where in the last apply to kill it, from 0 to 1; ``None`` for everywhere.

    Returns:
        The number of kills.
    """
    whole = lived(history, directory)
    begin = len(whole.engine.calls)
    whole.applied(history.last)
    total = len(whole.engine.calls) - begin
    if not total:
        return 0
    places = [(way, call) for call in range(1, total + 1) for way in ("before", "after")]
    chosen = places if point is None else [places[min(int(point * len(places)), len(places) - 1)]]
    for way, call in chosen:
        told = f"killed {way} {' '.join(whole.engine.calls[begin + call - 1])}"
        world = lived(history, directory)
        assert world.killed(history.last, **{way: call}), f"{told}: this call was not reached"
        report = world.apply(history.last)
        assert report.ok, f"{told}: {explain(report)}"
        insist_equal(world.state(), whole.state(), told)
        assert world.look(history.last).plan.empty, told
    return len(chosen)


def planning_changes_nothing(history: History, directory: Path) -> None:
    """Law 5: a plan makes no mutating call; it is made with an engine that has none."""
    world = lived(history, directory)
    before, calls = world.state(), list(world.engine.calls)
    world.look(history.last)
    world.look(None)
    assert world.engine.calls == calls
    insist_equal(world.state(), before, "looking changed the world")
