"""The laws of DESIGN.md §6, each a function that raises ``AssertionError`` where a history breaks it.

The tests run them over drawn histories; the mutants must turn them red on fixed ones.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envspec import planner
from envspec.engine.facts import Questions
from envspec.engine.objects import ContainerConfig, ContainerState
from envspec.errors import Refused
from envspec.kinds import names
from envspec.model import Action, Desired, Plan, Status, plan_from_json, to_json, type_json

from .strategies import History
from .tampering import possible
from .world import BASES, BOX, CANARY, Doc, World, explain, insist_equal


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
    made = planner.plan(seen.desired, seen.world).plan
    assert made == planner.plan(seen.desired, seen.world).plan, "one world made two plans"
    assert (to_json(seen.desired), repr(seen.world)) == before, "planning changed what it was given"
    carried = plan_from_json(json.loads(json.dumps(to_json(made))))
    assert carried == made, "a plan came back from JSON as another"
    done: set[str] = set()
    for change in made.changes:
        missing = {need for need in change.needs if need not in done}
        assert not missing & {c.address for c in made.changes}, f"{change.address} comes before {missing}"
        done.add(change.address)


def applying_converges(history: History, directory: Path) -> None:
    """Law 2: after an apply that did what was planned there is nothing to do, and doing it again calls nothing."""
    world = World(directory, history.seed)
    for doc in history.docs:
        planned = {change.address for change in world.look(doc).plan.changes}
        done = {outcome.address for outcome in world.applied(doc).outcomes}
        assert done == planned, f"done: {sorted(done - planned)} beside the plan, {sorted(planned - done)} not at all"
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
    lacking = _made_by_commands(fresh) - _made_by_commands(world)
    assert not lacking, f"what commands make is not there: {sorted(lacking)}"


def _made_by_commands(world: World) -> set[tuple[str, bytes]]:
    """Return the files that commands made, by path and content; those of commands that are history stay."""
    places = world.engine.container(BOX).tree.places
    found = [item for place in places for item in world.engine.container(BOX).tree.below(place.target)]
    return {(path, node.content) for path, node in found if node.type == "file" and node.by == "command"}


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


def kills_leave_the_way_back(history: History, directory: Path) -> int:
    """Killed before or after any mutating call, and applied as it was before: as if nobody had ever left.

    Args:
        history: What was applied; the way to the last is the one that is killed.
        directory: Directory of the host.

    Returns:
        The number of kills.
    """
    whole = lived(history, directory)
    home, before = history.docs[-2], whole.state()
    begin = len(whole.engine.calls)
    whole.applied(history.last)
    calls = whole.engine.calls[begin:]
    for number, call in enumerate(calls, 1):
        world = lived(history, directory)
        assert world.killed(history.last, after=number)
        world.applied(home)
        insist_equal(world.state(), before, f"killed after {' '.join(call)}")
        assert world.look(home).plan.empty, call
    return len(calls)


def planning_changes_nothing(history: History, directory: Path) -> None:
    """Law 5: a plan makes no mutating call; it is made with an engine that has none."""
    world = lived(history, directory)
    before, calls = world.state(), list(world.engine.calls)
    world.look(history.last)
    world.look(None)
    assert world.engine.calls == calls
    insist_equal(world.state(), before, "looking changed the world")


def secrets_stay_inside(history: History, directory: Path) -> None:
    """Law 7: no secret is anywhere but in the tmpfs, whatever is told of a history."""
    world = World(directory, history.seed)
    for doc in history.docs:
        seen = world.look(doc)
        told = {"plan": to_json(seen.plan), "seen": repr(seen), "report": to_json(world.applied(doc))}
        boxes = world.engine.containers()
        told |= {"boxes": to_json(boxes), "calls": world.engine.calls}
        told |= {box.name: repr(world.engine.probe(box.id, Questions())) for box in boxes if box.running}
        told |= {"files": _contents(world)}
        for what, value in told.items():
            assert CANARY not in json.dumps(value), f"a secret is in {what}"


def _contents(world: World) -> list[str]:
    """Return all files of containers and volumes but those in a tmpfs."""
    layers = [box.layer for box in world.engine.live.values()]
    layers += [place.layer for box in world.engine.live.values() for place in box.mounted]
    return [repr(node.content) for layer in layers for _, node in layer.below()]


def tampering_shows_and_heals(history: History, directory: Path, choice: float | None = None) -> int:
    """Law 6: a hand-made change of anything declared shows in the plan, with its cause, and is healed by an apply.

    Args:
        history: What was applied.
        directory: Directory of the host.
        choice: Which of the possible changes, from 0 to 1; ``None`` for each of them.

    Returns:
        The number of changes tried.
    """
    number = len(possible(*_settled(history, directory)))
    chosen = range(number) if choice is None else [min(int(choice * number), number - 1)]
    for index in chosen:
        world, desired = _settled(history, directory)
        before = world.state()
        change = possible(world, desired)[index]
        told = f"{change.told} at {change.address}"
        change.do()
        plan = world.look(history.last).plan
        shown = [c for c in plan.changes if c.address == change.address]
        assert shown, f"{told}: not in the plan"
        causes = {diff.cause for diff in shown[0].diff}
        assert change.cause in {*causes, None}, f"{told}: told as {causes}"
        world.applied(history.last)
        insist_equal(world.state(), before, f"{told}: not healed")
        assert world.look(history.last).plan.empty, told
    return len(chosen)


def _settled(history: History, directory: Path) -> tuple[World, Desired]:
    world = lived(history, directory)
    world.applied(history.last)
    return world, world.look(history.last).desired


def failures_keep_what_ran(history: History, directory: Path, point: float | None = None) -> int:
    """A step that fails leaves a running workspace, the old one after a failed replace, and applying again converges.

    Args:
        history: What was applied; a call of the last apply fails.
        directory: Directory of the host.
        point: Which call, from 0 to 1; ``None`` for each of them.

    Returns:
        The number of failures.
    """
    whole = lived(history, directory)
    begin = len(whole.engine.calls)
    whole.applied(history.last)
    calls = [call for call in whole.engine.calls[begin:] if _is_step(call[0], call[-1])]
    if not calls:
        return 0
    chosen = range(len(calls)) if point is None else [min(int(point * len(calls)), len(calls) - 1)]
    for index in chosen:
        _fail_at(history, directory, index, calls[index], whole)
    return len(chosen)


_BESIDE = ("lock", "unlock", "break_lock", "mark_used")
"""Verbs that are no step."""


def _is_step(verb: str, rest: str) -> bool:
    """Say whether a call of the fake engine is a step, or part of one."""
    return verb not in _BESIDE and not rest.endswith("AskCommand")


_SETTLING = ("remove_container", "rename")
"""Calls that end a swap: once the new workspace is ready it stays, whatever becomes of the old one."""


def _workspaces(world: World) -> list[ContainerState]:
    """Return the containers that are no services: the workspace, and whatever a swap left beside it."""
    return [box for box in world.engine.containers("shop") if box.labels.get(names.KIND) != "service"]


def _fail_at(history: History, directory: Path, index: int, call: tuple[str, ...], whole: World) -> None:
    told = f"failed at {' '.join(call)}"
    world = lived(history, directory)
    old = _workspaces(world)
    variables = world.variables() if old else None
    counted = iter(range(10_000))
    world.engine.fail_on = lambda verb, rest: _is_step(verb, rest) and next(counted) == index
    report = world.apply(history.last)
    world.engine.fail_on = None
    assert not report.ok, f"{told}: the report says that all is well"
    failed = [o for o in report.outcomes if o.status is Status.FAILED]
    assert failed, told
    assert all(o.error and o.error["message"] for o in failed), told
    if old:
        swap = next((o for o in report.outcomes if o.address == names.WORKSPACE), None)
        boxes = _workspaces(world)
        assert any(box.running for box in boxes), f"{told}: nothing runs"
        if swap and swap.action is Action.REPLACE and swap.status is not Status.DONE and call[0] not in _SETTLING:
            assert [box.id for box in boxes] == [old[0].id], f"{told}: half a swap"
            assert world.variables() == variables, f"{told}: the old workspace lost its variables"
    world.applied(history.last)
    insist_equal(world.state(), whole.state(), told)


def strangers_are_left_alone(history: History, directory: Path) -> None:
    """What does not bear the environment's label is never changed or removed, by no apply and no destroy."""
    world = World(directory, history.seed)
    engine = world.engine
    theirs = {names.ENV: "other", names.KIND: "container"}
    for name, labels in (("shop-db", {}), ("shop", {}), ("shop-workspace-2", {}), ("other-workspace", theirs)):
        engine.start(engine.create_container(name, ContainerConfig("debian:13"), labels))
    for name, labels in (("shop-old", {}), ("workspace", {}), ("other-workspace", theirs)):
        engine.create_volume(name, labels)
    for name, labels in (("backend", {}), ("shop", {}), ("others", theirs)):
        engine.create_network(name, labels)
    engine.tamper.write_file("shop-db", "/srv/data", "theirs")
    before = _strangers(world)
    for doc in (*history.docs, None):
        world.applied(doc)
        insist_equal(_strangers(world), before, f"after {doc}")


def _strangers(world: World) -> type_json:
    """Return everything on the engine that is not the environment's, images that it has its own of left out."""
    engine = world.engine
    boxes = [box for box in engine.live.values() if box.labels.get(names.ENV) != "shop"]
    own = {m.source for box in engine.live.values() for m in box.anonymous if box.labels.get(names.ENV) == "shop"}
    return {
        "containers": [[to_json(box.describe()), sorted(path for path, _ in box.layer.below())] for box in boxes],
        "volumes": to_json([v for v in engine.volumes() if v.labels.get(names.ENV) != "shop" and v.name not in own]),
        "networks": to_json([n for n in engine.networks() if n.labels.get(names.ENV) != "shop"]),
        "images": to_json(engine.images(["debian:13", "ubuntu:24.04", "node:22", *BASES])),
    }


def destroying_leaves_nothing(history: History, directory: Path, *, volumes: bool) -> None:
    """A destroy leaves nothing but, where they are to be kept, the volumes that the spec named."""
    world, desired = _settled(history, directory)
    named = {r.spec.name for r in desired.of_kind("volume")} - {"shop-workspace"}
    world.applied(None, volumes=volumes)
    left = world.state()
    kept = {volume["name"] for volume in left["volumes"]}
    assert kept == (set() if volumes else named)
    assert not any((left["containers"], left["networks"], left["locked"]))
    assert world.look(None, volumes=volumes).plan.empty
    world.applied(None, volumes=True)
    assert not world.state()["volumes"]


def work_is_not_lost_unasked(history: History, directory: Path) -> None:
    """A file made by hand, in a container that has to be replaced, blocks until it is given up by name."""
    world = lived(history, directory)
    if world.engine.container(BOX).config.read_only:
        return
    world.engine.tamper.make_undeclared(BOX, "/opt/by-hand")
    unnamed = [f"{mount.target}/by-hand" for mount in world.engine.container(BOX).anonymous]
    for path in unnamed:
        world.engine.tamper.make_undeclared(BOX, path)
    running = world.engine.container(BOX).status == "running"
    if running:
        world.engine.tamper.start_job(BOX, "build")
    for path in _clones(world, history.docs[0]):
        world.engine.tamper.dirty(BOX, path)
        world.engine.tamper.commit(BOX, path)
    plan = world.look(history.last).plan
    replaced = any(c.address == names.WORKSPACE and c.action is Action.REPLACE for c in plan.changes)
    lost = {item for change in plan.losses for item in change.data_loss}
    assert not replaced or any("/opt/by-hand" in item for item in lost)
    assert not (replaced and running) or "job build (running)" in lost
    before, calls = world.state(), list(world.engine.calls)
    if plan.losses:
        with pytest.raises(Refused) as refused:
            world.apply(history.last, allow=False)
        assert all(change.address in refused.value.message for change in plan.losses)
        assert world.engine.calls == calls, "refused, and something was done all the same"
        insist_equal(world.state(), before, "refused, and something was changed all the same")
        world.applied(history.last, allow=[change.address for change in plan.losses])
        told = [path for path in unnamed if any(path in item for item in lost)]
        assert not running or all(path in told or not _gone(world, path) for path in unnamed), "lost without a word"
    else:
        world.applied(history.last, allow=False)
        assert not any(_gone(world, path) for path in ("/opt/by-hand", *unnamed)), "lost without a word"
        assert not running or world.engine.container(BOX).jobs == {"build"}, "ended without a word"


def _clones(world: World, doc: Doc) -> list[str]:
    seen = world.look(doc)
    return [seen.world.located(resource.spec.path) for resource in seen.desired.of_kind("repo")]


def _gone(world: World, path: str) -> bool:
    return world.engine.container(BOX).tree.get(path) is None


def targets_are_kept_to(history: History, directory: Path, choice: float) -> None:
    """With a target, nothing but it and what it needs is touched."""
    world = lived(history, directory)
    full = world.look(history.last).plan
    if full.empty:
        return
    target = full.changes[min(int(choice * len(full.changes)), len(full.changes) - 1)].address
    allowed = _closure(full, target)
    report = world.apply(history.last, target=(target,))
    assert {outcome.address for outcome in report.outcomes} <= allowed, f"--target {target} touched more"
    assert target in {outcome.address for outcome in report.outcomes}
    world.applied(history.last)


def _closure(plan: Plan, target: str) -> set[str]:
    needs = {change.address: change.needs for change in plan.changes}
    found, waiting = set(), [target]
    while waiting:
        address = waiting.pop()
        found.add(address)
        waiting += [need for need in needs.get(address, ()) if need not in found]
    return found
