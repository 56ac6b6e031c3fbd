"""What people who come from Compose bring along, on a real engine: secrets in no file, nested includes,
internal networks, replicas.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import yaml

from envspec.engine import shelf
from tests.engine.canaries import Watch, found_in, found_in_stream, watching
from tests.engine.conftest import BASE
from tests.engine.e2e import Place, Places, bare, causes, change, engine_name, named

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

ASLEEP = {"image": BASE, "command": ["sleep", "infinity"], "init": True}
OF_HOST, OF_FILE = f"canary{uuid.uuid4().hex[:12]}", f"canary{uuid.uuid4().hex[:12]}"
ALLOWED = ("--allow", "host-variable")

COMPOSE: dict[str, Any] = {
    "env_file": ["vars.env"],
    "services": {
        "api": {
            **ASLEEP,
            "secrets": ["tok", {"source": "more", "target": "deep/er"}],
            "configs": [{"source": "rc", "target": "/etc/rc"}, {"source": "open", "target": "/etc/open"}],
            "networks": ["default", "back"],
        },
        "web": {**ASLEEP, "command": ["sh", "-c", "echo at your service; sleep infinity"], "deploy": {"replicas": 2}},
    },
    "include": ["parts/all.yaml"],
    "secrets": {"tok": {"environment": "EVT_TOKEN"}, "more": {"environment": "FROM_FILE"}},
    "configs": {"rc": {"content": "password = ${FROM_FILE}\n"}, "open": {"content": "a = $$b\n"}},
}


def write_back(place: Place, **network: bool) -> None:
    """Write the file that an included file includes: a service on a network of its own."""
    document = {"services": {"db": {**ASLEEP, "networks": ["back"]}}, "networks": {"back": network or None}}
    (place.directory / "parts" / "back" / "db.yaml").write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def watched(places: Places, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Watch]:
    """An environment with all of it, converged, and what was to be seen meanwhile."""
    place = places()
    place.environ = {**place.environ, "EVT_TOKEN": OF_HOST}
    (place.directory / "vars.env").write_text(f"FROM_FILE={OF_FILE}\n")
    (place.directory / "parts" / "back").mkdir(parents=True)
    (place.directory / "parts" / "all.yaml").write_text("include: [back/db.yaml]\n")
    write_back(place, internal=True)
    place.write(image=BASE, mount_cwd=False, compose=COMPOSE)
    temporary = tmp_path_factory.mktemp("temporary")
    place.environ = {**place.environ, "TMPDIR": str(temporary)}
    with watching(temporary) as watch:
        place.apply(*ALLOWED)
    return place, watch


@pytest.fixture(scope="module")
def settled(watched: tuple[Place, Watch]) -> Place:
    """The environment alone."""
    return watched[0]


def ids(place: Place, service: str) -> dict[str, str]:
    """Return the IDs of a service's containers by name."""
    boxes = [name for name in named("container", place.name) if name.startswith(f"{place.name}-{service}-")]
    return {name: bare("container", "inspect", "--format", "{{.Id}}", name) for name in boxes}


def inside(place: Place, *words: str, box: str = "api-1") -> str:
    return bare("exec", f"{place.name}-{box}", *words)


def test_what_is_in_no_file_is_read_inside(settled: Place) -> None:
    read = inside(settled, "cat", "/run/secrets/tok", "/run/secrets/deep/er", "/etc/rc", "/etc/open")
    assert read == f"{OF_HOST}{OF_FILE}password = {OF_FILE}\na = $b"
    assert settled.plan()["changes"] == []


def test_no_value_is_in_a_layer_or_in_what_the_engine_or_a_plan_tells(watched: tuple[Place, Watch]) -> None:
    settled, watch = watched
    assert (watch.rounds > 5, set().union(*watch.found.values())) == (True, set())
    box = f"{settled.name}-api-1"
    assert found_in_stream([engine_name(), "export", box]) == set()
    told = [bare("container", "inspect", box), settled.file.read_text(), settled.run("plan", ".").stdout]
    assert found_in(" ".join([*told, settled.run("status", settled.name, "--json").stdout])) == set()


def test_a_variable_of_the_host_has_to_be_allowed(settled: Place) -> None:
    error = settled.apply(code=4).error
    assert (error["code"], "host-variable: secrets.tok" in error["message"]) == ("refused.effect", True)


def test_another_value_is_a_restart_of_its_service(settled: Place) -> None:
    before = ids(settled, "api")
    settled.environ = {**settled.environ, "EVT_TOKEN": "another"}
    plan = settled.plan()
    assert causes(plan, "service.api") == {"secrets.tok": "spec"}
    assert change(plan, "service.api")["disruption"] == "restart"
    settled.apply(*ALLOWED)
    assert (inside(settled, "cat", "/run/secrets/tok"), ids(settled, "api")) == ("another", before)


def test_what_a_restart_of_the_host_loses_is_brought_back(settled: Place) -> None:
    place = shelf.directory(settled.name) / "api"
    (place / "secrets.tok").unlink()
    bare("stop", "--time", "1", f"{settled.name}-api-1")
    assert causes(settled.plan(), "service.api") == {"secrets.tok": "drift", "status": "drift"}
    settled.apply(*ALLOWED)
    assert inside(settled, "cat", "/run/secrets/tok") == "another"


def internal(place: Place) -> bool:
    """Say whether the engine calls the network behind an internal one."""
    return bare("network", "inspect", "--format", "{{.Internal}}", f"{place.name}_back") == "true"


def test_an_internal_network_is_one_and_everybody_on_it_is_reached_by_name(settled: Place) -> None:
    assert internal(settled)
    assert inside(settled, "getent", "hosts", "db")
    assert settled.exec("getent", "hosts", "db")


def planned(place: Place) -> dict[str, str]:
    """Return what is planned, by address."""
    return {item["address"]: item["action"] for item in place.plan()["changes"]}


def test_the_containers_of_one_service_are_reached_and_shown_together(settled: Place) -> None:
    found = {line.split()[0] for line in settled.exec("getent", "ahostsv4", "web").splitlines()}
    assert len(found) == 2
    rows = settled.told("status", settled.name).result["services"]
    assert [(row["name"], row["status"]) for row in rows if row["name"].startswith("web")] == [
        ("web", "running"),
        ("web[2]", "running"),
    ]
    (row,) = [row for row in settled.told("list").result if row["name"] == settled.name]
    assert (row["services"], row["services_up"]) == (["api", "db", "web", "web[2]"], 4)
    assert settled.run("logs", settled.name, "web").stdout.count("at your service") == 2
    assert settled.run("wait", settled.name, "--service", "web")


def test_one_of_several_that_is_stopped_or_removed_is_mended_alone(settled: Place) -> None:
    before = ids(settled, "web")
    first, second = sorted(before)
    bare("stop", "--time", "1", second)
    assert planned(settled) == {"service.web[2]": "update"}
    bare("rm", "--force", first)
    assert planned(settled) == {"service.web": "create", "service.web[2]": "update"}
    settled.apply(*ALLOWED)
    after = ids(settled, "web")
    assert (sorted(after), after[second] == before[second]) == (sorted(before), True)
    assert planned(settled) == {}


def test_one_more_and_a_network_that_leads_out_are_made_in_place(settled: Place) -> None:
    before = {**ids(settled, "api"), **ids(settled, "db"), **ids(settled, "web")}
    found = yaml.safe_load(settled.file.read_text())
    write_back(settled)
    found["compose"]["services"]["web"]["deploy"] = {"replicas": 3}
    settled.file.write_text(yaml.safe_dump(found, sort_keys=False))
    plan = settled.plan()
    network = f"network.{settled.name}_back"
    assert {item["address"]: item["action"] for item in plan["changes"]} == {
        network: "update",
        "service.web[3]": "create",
    }
    assert change(plan, network)["disruption"] == "connect"
    settled.apply(*ALLOWED)
    after = {**ids(settled, "api"), **ids(settled, "db"), **ids(settled, "web")}
    assert sorted(after.keys() - before.keys()) == [f"{settled.name}-web-3"]
    assert {name: after[name] for name in before} == before
    assert not internal(settled)
    assert settled.exec("getent", "hosts", "db")


def test_fewer_end_those_that_are_too_many_and_no_other(settled: Place) -> None:
    before = ids(settled, "web")
    found = yaml.safe_load(settled.file.read_text())
    found["compose"]["services"]["web"]["deploy"] = {"replicas": 1}
    settled.file.write_text(yaml.safe_dump(found, sort_keys=False))
    assert planned(settled) == {"service.web[2]": "delete", "service.web[3]": "delete"}
    settled.apply(*ALLOWED)
    assert ids(settled, "web") == {min(before): before[min(before)]}


def test_destroy_leaves_nothing_in_memory_either(settled: Place) -> None:
    settled.run("destroy", settled.name, "--yes")
    assert (named("container", settled.name), shelf.directory(settled.name).exists()) == ([], False)
