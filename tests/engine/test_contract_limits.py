"""What the engine honours in place: the table that the planner trusts."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from envspec.engine.objects import UNLIMITED, Limits
from tests.engine.contract import World, podman_honours_updates, refused

HONOUR_UPDATES = ["fake", "docker", *(["podman"] if podman_honours_updates() else [])]
"""Podman 4 is not among them: test_podman_engine.py shows what it makes of an update."""

pytestmark = [pytest.mark.engine, pytest.mark.parametrize("engine", HONOUR_UPDATES, indirect=True)]

CHANGES: list[tuple[str, object, object]] = [
    ("memory", 64 << 20, 96 << 20),
    ("memory", 96 << 20, 64 << 20),
    ("cpus", 0.5, 0.25),
    ("pids", 100, 200),
    ("cpu_shares", 512, 256),
    ("cpuset_cpus", "0", "0-1"),
    ("memory_reservation", 32 << 20, 16 << 20),
    ("restart", "no", "unless-stopped"),
    ("restart", "unless-stopped", "no"),
]


@pytest.mark.parametrize(("attribute", "before", "after"), CHANGES)
@pytest.mark.parametrize("running", [True, False])
def test_a_limit_that_is_set_can_be_changed(
    world: World, attribute: str, before: object, after: object, running: bool
) -> None:
    box = world.run(**{attribute: before}) if running else world.create(**{attribute: before})  # type: ignore[arg-type]  # a field by name
    assert world.changes_in_place(attribute, after)
    world.engine.update(box, Limits(**{attribute: after}))  # type: ignore[arg-type]  # a field by name
    assert getattr(world.state(box).config, attribute) == after


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("memory", 64 << 20),
        ("cpus", 0.5),
        ("pids", 100),
        ("cpu_shares", 512),
        ("cpuset_cpus", "0"),
        ("memory_reservation", 32 << 20),
    ],
)
def test_a_limit_that_is_not_set_can_be_set(world: World, attribute: str, value: object) -> None:
    box = world.run()
    assert world.changes_in_place(attribute, value)
    world.engine.update(box, Limits(**{attribute: value}))  # type: ignore[arg-type]  # a field by name
    assert getattr(world.state(box).config, attribute) == value


@pytest.mark.parametrize(
    ("attribute", "value"), [("memory", 64 << 20), ("cpus", 0.5), ("cpu_shares", 512), ("memory_reservation", 32 << 20)]
)
def test_taking_a_limit_away_is_accepted_and_ignored(world: World, attribute: str, value: object) -> None:
    box = world.run(**{attribute: value})
    assert not world.changes_in_place(attribute, None)
    world.hands.unset(box, attribute)
    # Podman does take this one away, and the planner leaves that unused: no other engine does.
    gone = (world.engine.name, attribute) == ("podman", "memory_reservation")
    assert getattr(world.state(box).config, attribute) == (None if gone else value)


def test_the_limit_on_processes_can_be_taken_away(world: World) -> None:
    box = world.run(pids=100)
    assert world.changes_in_place("pids", None)
    world.engine.update(box, Limits(pids=UNLIMITED))
    assert world.state(box).config.pids is None


def test_limits_that_are_not_given_stay(world: World) -> None:
    box = world.run(memory=64 << 20, cpus=0.5, pids=100, restart="unless-stopped")
    world.engine.update(box, Limits(pids=50))
    config = world.state(box).config
    assert (config.memory, config.cpus, config.pids, config.restart) == (64 << 20, 0.5, 50, "unless-stopped")


def test_several_limits_can_be_changed_at_once(world: World) -> None:
    box = world.run()
    world.engine.update(box, Limits(64 << 20, 0.5, 100, "unless-stopped"))
    config = world.state(box).config
    assert (config.memory, config.cpus, config.pids, config.restart) == (64 << 20, 0.5, 100, "unless-stopped")


def test_swap_is_set_and_taken_away_beside_the_same_memory(world: World) -> None:
    box = world.run(memory=64 << 20, swap=32 << 20)
    seen = [world.state(box).config.swap]
    wanted = [16 << 20, None] if world.engine.name == "podman" else [UNLIMITED, 16 << 20, None]
    for swap in wanted:
        assert world.changes_in_place("swap", swap)
        world.engine.update(box, Limits(memory=64 << 20, swap=swap))
        seen.append(world.state(box).config.swap)
    assert seen == [32 << 20, *wanted]


def test_swap_that_is_changed_alone_is_read(world: World) -> None:
    box = world.run(memory=64 << 20)
    assert world.state(box).config.swap is None
    honoured = world.changes_in_place("swap", UNLIMITED)
    assert honoured == (world.engine.name != "podman")
    world.engine.update(box, Limits(swap=UNLIMITED))
    config = world.state(box).config
    assert (config.memory, config.swap) == (64 << 20, UNLIMITED if honoured else None)


def test_retries_go_with_the_restart_policy(world: World) -> None:
    box = world.run(restart="on-failure", retries=3)
    seen = [world.state(box).config]
    for policy in ("on-failure:5", "on-failure", "no"):
        world.engine.update(box, Limits(restart=policy))
        seen.append(world.state(box).config)
    expected = [("on-failure", 3), ("on-failure", 5), ("on-failure", None), ("no", None)]
    assert [(config.restart, config.retries) for config in seen] == expected


def test_an_update_leaves_the_container_running_with_its_labels(world: World) -> None:
    box = world.run()
    before = world.state(box)
    world.engine.update(box, Limits(memory=64 << 20))
    after = world.state(box)
    assert (after.status, after.labels, after.networks) == (before.status, before.labels, before.networks)


def test_an_update_of_nothing_is_refused(world: World, box: str) -> None:
    with refused():
        world.engine.update(box, Limits())


def test_too_little_memory_is_refused(world: World, box: str) -> None:
    takes_any = world.engine.name == "podman"
    with nullcontext() if takes_any else refused():
        world.engine.update(box, Limits(memory=1 << 20))
    assert world.state(box).config.memory == (1 << 20 if takes_any else None)
