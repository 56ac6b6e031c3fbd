"""Commands: run as whom, where, how often, and what is remembered of them."""

from __future__ import annotations

import pytest

from envspec.engine.facts import Questions
from envspec.engine.operations import EnsureUser, Reap, RunCommand
from envspec.errors import EngineCallFailed
from tests.engine.contract import USER, World, note

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def box(world: World) -> str:
    box = world.run()
    world.do(box, EnsureUser("dev", USER, USER, (), note("user.dev")))
    return box


def command(text: str, address: str = "command.x", *, uid: int = 0, workdir: str = "/", **more: object) -> RunCommand:
    return RunCommand(text, workdir, uid, uid, note(address), **more)  # type: ignore[arg-type]  # defaulted fields by name


def recorded(world: World, box: str, address: str) -> bool:
    return world.engine.probe(box, Questions()).entry(address) is not None


def test_a_command_that_ends_well_is_recorded(world: World, box: str) -> None:
    assert world.engine.perform(box, command("true", "command.good")).code == 0
    assert recorded(world, box, "command.good")


@pytest.mark.parametrize(("text", "code"), [("false", 1), ("exit 7", 7), ("true\nfalse\ntrue", 1)])
def test_a_command_that_fails_gives_its_code_and_is_not_recorded(world: World, box: str, text: str, code: int) -> None:
    assert world.engine.perform(box, command(text, "command.bad")).code == code
    assert not recorded(world, box, "command.bad")


def test_a_command_that_fails_where_it_once_ended_well_is_no_longer_recorded(world: World, box: str) -> None:
    assert world.engine.perform(box, command("true", "command.once")).code == 0
    assert world.engine.perform(box, command("false", "command.once")).code == 1
    assert not recorded(world, box, "command.once")


def test_without_a_record_nothing_is_recorded(world: World, box: str) -> None:
    before = world.engine.probe(box, Questions()).ledger
    assert world.shell(box, "true").code == 0
    assert world.engine.probe(box, Questions()).ledger == before


def test_a_command_runs_in_its_directory(world: World, box: str) -> None:
    world.do(box, command("touch here", workdir="/opt"))
    assert world.exists(box, "/opt/here") == {"/opt/here"}


def test_a_directory_that_is_not_there_fails_the_command(world: World, box: str) -> None:
    assert world.engine.perform(box, command("true", workdir="/none")).code != 0


def test_a_command_runs_as_its_user(world: World, box: str) -> None:
    world.do(box, command("touch /home/dev/mine", uid=USER))
    fact = world.engine.probe(box, Questions(files=("/home/dev/mine",))).files["/home/dev/mine"]
    assert (fact.uid, fact.gid) == (USER, USER)
    assert world.engine.perform(box, command("touch /opt/mine", uid=USER)).code != 0
    assert world.exists(box, "/opt/mine") == frozenset()


def test_its_output_is_returned_and_told_line_by_line(world: World, box: str) -> None:
    lines: list[str] = []
    done = world.engine.perform(box, command("echo one; echo two"), on_line=lines.append)
    assert done.stdout == b"one\ntwo\n"
    assert lines == ["one", "two"]


def test_a_failed_command_shows_its_output_too(world: World, box: str) -> None:
    done = world.engine.perform(box, command("echo why; exit 3"))
    assert done.code == 3
    assert done.tail.splitlines() == ["why"]


def test_it_is_tried_again_as_often_as_asked(world: World, box: str) -> None:
    done = world.engine.perform(box, command("echo try; false", retries=2, interval=0.01))
    assert (done.code, done.stdout) == (1, b"try\n" * 3)
    done = world.engine.perform(box, command("echo try", retries=2, interval=0.01))
    assert (done.code, done.stdout) == (0, b"try\n")


def test_what_it_creates_keeps_it_from_running(world: World, box: str) -> None:
    world.shell(box, "touch /opt/there")
    world.do(box, command("false", "command.creates", creates="/opt/there"))
    assert recorded(world, box, "command.creates")
    world.do(box, command("touch /opt/made", "command.made", creates="/opt/made"))
    assert world.exists(box, "/opt/made") == {"/opt/made"}


def test_nothing_is_left_to_reap_after_commands_that_ended(world: World, box: str) -> None:
    assert world.do(box, Reap()).stdout.strip() == b"0"


def test_nothing_runs_in_a_container_that_does_not(world: World) -> None:
    box = world.create()
    for _ in range(2):
        with pytest.raises(EngineCallFailed):
            world.engine.perform(box, command("true"))
        with pytest.raises(EngineCallFailed):
            world.engine.probe(box, Questions())
        world.engine.start(box)
        world.engine.stop(box, grace=0)
    world.engine.remove_container(box)
    with pytest.raises(EngineCallFailed):
        world.engine.perform(box, command("true"))
    with pytest.raises(EngineCallFailed):
        world.engine.probe(box, Questions())
