"""How an engine on another machine is asked what it sees, and how its answers are taken."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from envspec.engine import shelf, sight
from envspec.engine.machine import Machine
from envspec.engine.operations import Completed
from envspec.engine.remembered import Memory
from envspec.engine.sight import AGENT_THERE, Sight
from envspec.errors import EngineTimeout

COLIMA = Machine("A", "colima", "6.8", "Ubuntu", here=False)


@dataclass
class Far:
    """An engine elsewhere: it answers each look with the next of some answers, and keeps what it was asked."""

    answers: list[Completed | Exception]
    images: tuple[str, ...] = ("base",)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def run(self, *args: str, deadline: float) -> Completed:
        assert deadline > 0
        self.asked.append(args)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sight(self, memory: Memory) -> Sight:
        return Sight(COLIMA, self.run, self.removed.append, lambda: self.images, memory)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "engines.json")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A directory as a Mac has it."""
    made = tmp_path / "Users/ada/shop"
    made.mkdir(parents=True)
    return made


def listing(path: Path, *names: str) -> Completed:
    lines = [str(int(path.stat().st_mtime)), ".", "..", *names]
    return Completed(0, "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))


def test_a_directory_with_the_same_names_is_seen_and_not_asked_for_again(shop: Path, memory: Memory) -> None:
    (shop / "env.yaml").touch()
    (shop / "caf\u00e9").touch()
    far = Far([listing(shop, "cafe\u0301", "env.yaml")])
    assert far.sight(memory).of(str(shop)) is True
    assert far.sight(memory).of(str(shop)) is True
    assert len(far.asked) == 1
    words = far.asked[0]
    assert f"type=bind,source={shop},target=/envspec-look,readonly" in words
    assert {"--rm", "--read-only", "none", "never", "no-new-privileges", f"{sight.LOOK_LABEL}=1"} <= set(words)


@pytest.mark.parametrize("names", [(), ("other",), ("env.yaml", "more")])
def test_other_names_are_another_directory_and_that_is_asked_again(
    shop: Path, memory: Memory, names: tuple[str, ...]
) -> None:
    (shop / "env.yaml").touch()
    far = Far([listing(shop, *names), listing(shop, "env.yaml")])
    assert far.sight(memory).of(str(shop)) is False
    assert far.sight(memory).of(str(shop)) is True


def test_an_empty_directory_is_told_by_when_it_changed(shop: Path, memory: Memory) -> None:
    far = Far([Completed(0, b"1\n.\n..\n"), listing(shop)])
    assert far.sight(memory).of(str(shop)) is False
    assert far.sight(memory).of(str(shop)) is True


def test_what_comes_and_goes_meanwhile_decides_nothing(shop: Path, memory: Memory) -> None:
    (shop / "env.yaml").touch()
    (shop / "passing").touch()
    far = Far([listing(shop, "env.yaml", "new")])
    run = far.run

    def meanwhile(*args: str, deadline: float) -> Completed:
        (shop / "passing").unlink()
        (shop / "new").touch()
        return run(*args, deadline=deadline)

    assert Sight(COLIMA, meanwhile, far.removed.append, lambda: ("base",), memory).of(str(shop)) is True


def test_names_that_are_no_text_are_compared_as_they_are(shop: Path, memory: Memory) -> None:
    name = os.fsdecode(b"\xff")
    (shop / name).touch()
    assert Far([listing(shop, name)]).sight(memory).of(str(shop)) is True


def test_a_bind_that_the_engine_refuses_is_a_no_where_all_else_is_well(shop: Path, memory: Memory) -> None:
    assert Far([Completed(125), Completed(0)]).sight(memory).of(str(shop)) is False
    assert Far([Completed(125), Completed(125)]).sight(memory).of(str(shop)) is None


def test_an_image_without_a_shell_gives_way_to_the_next(shop: Path, memory: Memory) -> None:
    (shop / "a").touch()
    far = Far([Completed(127), listing(shop, "a")], ("bare", "base"))
    assert far.sight(memory).of(str(shop)) is True
    assert Far([Completed(127)]).sight(Memory(shop / "none")).of(str(shop)) is None
    assert Far([], ()).sight(Memory(shop / "none")).of(str(shop)) is None


def test_a_directory_that_cannot_be_read_there_is_not_seen(shop: Path, memory: Memory) -> None:
    assert Far([Completed(2)]).sight(memory).of(str(shop)) is False


def test_a_file_is_told_by_its_size_and_time(shop: Path, memory: Memory) -> None:
    path = shop / "key"
    path.write_text("secret")
    right = f"6 {int(path.stat().st_mtime)}\n".encode()
    far = Far([Completed(0, b"0 1\n"), Completed(0, right)])
    assert [far.sight(memory).of(str(path)) for _ in range(3)] == [False, True, True]


def test_what_means_the_other_machine_is_not_asked_for(shop: Path, memory: Memory) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(shop)  # a socket's path is short
        server.bind("docker.sock")
    far = Far([])
    for path in (str(shop / "docker.sock"), "/sys", "/dev", "/proc/sys", str(shop / "not there")):
        assert far.sight(memory).of(path) is True


def test_memory_of_this_host_is_asked_for_and_a_mac_has_none(
    shop: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Far([Completed(0, b"1\n.\n..\nother\n")]).sight(memory).of(str(shelf.PLACE)) is False
    monkeypatch.setattr(shelf, "PLACE", shop / "dev/shm")
    assert Far([]).sight(memory).of(str(shelf.PLACE)) is False


def test_the_agent_is_where_virtual_machines_have_it(memory: Memory) -> None:
    far = Far([Completed(1), Completed(0)])
    assert [far.sight(memory).of(AGENT_THERE) for _ in range(3)] == [False, True, True]
    assert f"type=bind,source={AGENT_THERE},target=/envspec-look,readonly" in far.asked[0]


def test_a_look_that_takes_too_long_leaves_no_container(shop: Path, memory: Memory) -> None:
    far = Far([EngineTimeout("too long")])
    with pytest.raises(EngineTimeout):
        far.sight(memory).of(str(shop))
    words = far.asked[0]
    assert far.removed == [words[words.index("--name") + 1]]
