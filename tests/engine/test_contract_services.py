"""Compose: what a document is resolved to, and what becomes of one service."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envspec.engine.objects import ContainerState
from envspec.engine.stack import ComposeSource, ComposeUp
from envspec.errors import EngineCallFailed, SpecError
from envspec.model import Hidden
from tests.engine.contract import World

ASLEEP = {"command": ["sleep", "infinity"], "init": True}


def resolve(world: World, document: Mapping[str, Any], directory: str = "/", **more: Any) -> dict[str, Any]:
    source = ComposeSource(world.env, directory, json.dumps(document), **more)
    found: dict[str, Any] = json.loads(world.engine.compose_config(source).text)
    return found


class Stack:
    """One service at a time, on a network of the world's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.network = world.name()
        world.network(self.network)

    def up(self, name: str, *, recreate: bool = False, **service: Any) -> ContainerState:
        wish = {
            "image": self.world.base,
            "labels": self.world.labels,
            "networks": {"default": None},
            **ASLEEP,
            **service,
        }
        networks = {"default": {"name": self.network, "external": True}}
        document = json.dumps({"name": self.world.env, "services": {name: wish}, "networks": networks})
        try:
            self.world.engine.compose_up(ComposeUp(self.world.env, "/", document, name, recreate))
        finally:
            for box in self.boxes(name):
                self.world.remember(box.id)
        (box,) = self.boxes(name)
        return box

    def boxes(self, name: str) -> list[ContainerState]:
        return [box for box in self.world.engine.containers(self.world.env) if box.name == f"{self.world.env}-{name}-1"]

    def until(self, name: str, health: str) -> ContainerState:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            (box,) = self.boxes(name)
            if box.health == health:
                return box
            self.world.engine.check_health(box.id)
            time.sleep(0.1)
        raise AssertionError(f"{name} is {box.health}, not {health}")


@pytest.fixture(scope="module")
def stack(world: World) -> Stack:
    return Stack(world)


def test_only_variables_that_are_given_have_a_value(world: World) -> None:
    service = {"image": "x", "environment": {"NAME": "${ENVSPEC_NAME}", "PATH_": "a${PATH}", "PIN": "${PIN}"}}
    given: dict[str, Any] = {"variables": (("ENVSPEC_NAME", "shop"),), "secrets": (("PIN", 'it\'s "q" #1'),)}
    found = resolve(world, {"services": {"x": service}}, **given)
    assert found["services"]["x"]["environment"] == {"NAME": "shop", "PATH_": "a", "PIN": 'it\'s "q" #1'}


def test_a_dotenv_file_beside_the_document_takes_no_effect(world: World, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LEAK=leaked\nCOMPOSE_PROJECT_NAME=stolen\nCOMPOSE_PROFILES=evil\n")
    services = {"x": {"image": "x", "environment": {"V": "${LEAK}"}}, "y": {"image": "y", "profiles": ["evil"]}}
    found = resolve(world, {"services": services}, str(tmp_path))
    assert found.get("name", world.env) == world.env
    assert {name: service.get("environment") for name, service in found["services"].items()} == {"x": {"V": ""}}


def test_profiles_switch_services_on(world: World) -> None:
    services = {"x": {"image": "x"}, "y": {"image": "y", "profiles": ["dev"]}}
    assert sorted(resolve(world, {"services": services}, profiles=("dev",))["services"]) == ["x", "y"]


def test_services_are_on_the_default_network_unless_they_say_otherwise(world: World) -> None:
    document = {
        "services": {"x": {"image": "x"}, "y": {"image": "y", "networks": {"back": None}}},
        "networks": {"back": None},
    }
    found = resolve(world, document)
    assert {name: sorted(s["networks"]) for name, s in found["services"].items()} == {"x": ["default"], "y": ["back"]}
    assert found["networks"]["back"]["name"] == f"{world.env}_back"


def test_a_service_without_an_image_is_no_service(world: World) -> None:
    with pytest.raises(SpecError) as caught:
        resolve(world, {"services": {"x": {"command": ["true"]}}})
    assert caught.value.code == "compose.invalid"


def test_a_service_is_made_with_its_labels_and_names(world: World, stack: Stack) -> None:
    box = stack.up("made", environment={"A": "1", "B": "a$$b"}, mem_limit="67108864", cpus=0.5, pids_limit=50)
    assert (box.status, box.health, box.labels["dev.envspec.env"]) == ("running", "", world.env)
    assert (box.config.memory, box.config.cpus, box.config.pids, box.config.restart) == (1 << 26, 0.5, 50, "no")
    assert {key: box.config.env.get(key) for key in ("A", "B")} == {"A": "1", "B": "a$b"}
    (place,) = box.networks
    assert (place.network, "made" in place.aliases) == (stack.network, True)


def test_bringing_up_what_is_up_changes_nothing(stack: Stack) -> None:
    first = stack.up("same")
    assert stack.up("same").id == first.id


def test_a_service_made_anew_has_its_name_and_another_id(stack: Stack) -> None:
    first = stack.up("again", environment={"A": "1"})
    second = stack.up("again", environment={"A": "2"}, recreate=True)
    assert (second.name, second.config.env["A"]) == (first.name, "2")
    assert second.id != first.id


def test_the_health_check_is_told(stack: Stack) -> None:
    stack.up("well", healthcheck={"test": ["CMD", "true"], "interval": "200ms"})
    stack.up("ill", healthcheck={"test": ["CMD", "false"], "interval": "200ms", "retries": 1})
    assert stack.until("well", "healthy").running
    assert stack.until("ill", "unhealthy").running


def test_the_end_of_a_service_is_told(stack: Stack) -> None:
    stack.up("ends", command=["false"], init=False)
    end = time.monotonic() + 30
    while stack.boxes("ends")[0].running and time.monotonic() < end:
        time.sleep(0.1)
    (box,) = stack.boxes("ends")
    assert (box.status, box.exit_code) == ("exited", 1)


def test_an_image_that_is_nowhere_fails_the_service(stack: Stack) -> None:
    with pytest.raises(EngineCallFailed) as caught:
        stack.up("nowhere", image="envspec-test/nowhere:1")
    assert "nowhere" in caught.value.message


def test_logs_of_what_is_gone_are_empty(world: World, stack: Stack) -> None:
    box = stack.up("gone")
    world.engine.remove_container(box.id)
    assert world.engine.logs(box.id, 10) == ""


def test_the_shelf_holds_what_it_was_given_last(world: World) -> None:
    engine = world.engine
    try:
        engine.shelve(world.env, "one", {"a": Hidden("1"), "b": Hidden("two\nlines")})
        engine.shelve(world.env, "two", {"a": Hidden("2")})
        engine.shelve(world.env, "one", {"a": Hidden("new")})
        assert engine.shelved(world.env) == {"one/a": Hidden("new"), "two/a": Hidden("2")}
        assert world.env in engine.shelf(world.env)
    finally:
        for service in ("one", "two"):
            engine.shelve(world.env, service, {})
    assert engine.shelved(world.env) == {}


def test_files_of_variables_are_read_as_compose_reads_them(world: World) -> None:
    first = (
        b'# a comment\nexport A=1\nQ="a\\"b" # another\nS=\'x$y # z\'\nM="l1\nl2"\nP= plain text # end\nEMPTY=\nBARE\n'
    )
    found = dict(world.engine.compose_variables((first, b"A=2\nH=a#b\n")))
    assert found == {"A": "2", "Q": 'a"b', "S": "x$y # z", "M": "l1\nl2", "P": "plain text", "EMPTY": "", "H": "a#b"}


def test_a_faulty_file_of_variables_has_a_line_and_tells_nothing(world: World) -> None:
    with pytest.raises(SpecError) as caught:
        world.engine.compose_variables((b"A=1\nPW='canary'\\''s'\n",))
    assert (caught.value.where.line, "canary" in str(caught.value)) == (2, False)


def test_a_variable_without_a_value_is_told(world: World) -> None:
    document = {"services": {"a": {"image": "x", "user": "${NOBODY}", "labels": {"k": "$$ONE", "l": "${KNOWN}"}}}}
    source = ComposeSource(world.env, "/", json.dumps(document), secrets=(("KNOWN", "1"),))
    assert world.engine.compose_config(source).unset == ("NOBODY",)
