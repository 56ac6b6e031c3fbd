"""A workspace with PostgreSQL, Redis and a web server beside it: `examples/web-stack`, on a real engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from envspec.engine.objects import Build
from envspec.engine.whales import WhalesEngine
from tests.engine.conftest import BASE
from tests.engine.contract import TEST_LABEL
from tests.engine.e2e import ROOT, Place, Places, bare, causes, change, named

pytestmark = [pytest.mark.engine, pytest.mark.build, pytest.mark.timeout(600)]

EXAMPLE = ROOT / "examples" / "web-stack"
CLIENT = "envspec-test/web-stack-client:1"
CLIENT_DOCKERFILE = """FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client redis-tools curl \
    && rm -rf /var/lib/apt/lists/*
"""


def spec(base: str) -> dict[str, Any]:
    """Return the example's spec, started from images of the tests: each is built once, whatever the environment."""
    found: dict[str, Any] = yaml.safe_load((EXAMPLE / "env.yaml").read_text())
    for name, service in found["compose"]["services"].items():
        service["build"]["args"]["BASE"] = base
        service["image"] = f"envspec-test/web-stack-{name}:1"
    found["setup_commands"] = ["sh migrate"]
    return {key: value for key, value in found.items() if key not in ("name", "purpose")}


@pytest.fixture(scope="module")
def settled(places: Places, bare_engine: WhalesEngine) -> Place:
    """The example, converged."""
    bare_engine.build(Build(CLIENT_DOCKERFILE.format(base=BASE), CLIENT, {TEST_LABEL: "1"}))
    place = places()
    shutil.copytree(EXAMPLE, place.directory, dirs_exist_ok=True)
    place.write(image=CLIENT, **spec(BASE))
    place.apply()
    return place


def ids(place: Place) -> dict[str, str]:
    """Return the IDs of the services' containers."""
    found = {}
    for name in ("db", "cache", "web"):
        found[name] = bare("container", "inspect", "--format", "{{.Id}}", f"{place.name}-{name}-1")
    return found


def edit(place: Place, name: str, **keys: Any) -> None:
    """Change a service in the spec."""
    found = yaml.safe_load(place.file.read_text())
    found["compose"]["services"][name].update(keys)
    place.file.write_text(yaml.safe_dump(found, sort_keys=False))


def addresses(place: Place) -> list[str]:
    return [item["address"] for item in place.plan()["changes"]]


def test_the_migration_wrote_and_read_both_by_the_names_of_their_services(settled: Place) -> None:
    assert settled.exec("redis-cli", "-h", "cache", "get", "visits") == "1"
    settled.exec("sh", "check")


def test_doing_it_again_does_nothing_with_at_most_eight_processes(settled: Place, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    settled.environ = {**settled.environ, "ENVSPEC_TRACE": str(trace)}
    told = settled.apply()
    settled.environ = {key: value for key, value in settled.environ.items() if key != "ENVSPEC_TRACE"}
    assert told.done == {}
    assert len(trace.read_text().splitlines()) <= 8


def test_the_workspace_and_the_services_know_each_other(settled: Place) -> None:
    web = f"{settled.name}-web-1"
    for name in ("workspace", settled.name, "db", "cache"):
        assert bare("exec", web, "getent", "hosts", name)


def test_status_and_list_show_the_services(settled: Place) -> None:
    shown = settled.told("status", settled.name).result["services"]
    assert {item["name"]: item["status"] for item in shown} == {
        "cache": "running (healthy)",
        "db": "running (healthy)",
        "web": "running",
    }
    (row,) = [row for row in settled.told("list").result if row["name"] == settled.name]
    assert (row["services"], row["services_up"]) == (["cache", "db", "web"], 3)


def test_logs_are_those_of_the_services(settled: Place) -> None:
    assert "ready to accept connections" in (ran := settled.run("logs", settled.name, "db")).stdout + ran.stderr
    assert "cache | " in settled.run("logs", settled.name).stdout
    assert "db, web" in settled.run("logs", settled.name, "nobody", code=3).stderr


def test_another_environment_of_one_service_is_a_plan_of_that_service_alone(settled: Place) -> None:
    before = ids(settled)
    edit(settled, "web", environment={"GREETING": "good day"})
    plan = settled.plan()
    assert [item["address"] for item in plan["changes"]] == ["service.web", "health.workspace"]
    (diff,) = change(plan, "service.web")["diff"]
    assert (diff["path"], diff["before"], diff["after"], diff["cause"]) == (
        "environment.GREETING",
        "hello",
        "good day",
        "spec",
    )
    settled.file.write_text(settled.file.read_text().replace("command: sh check", "command: sh check good"))
    settled.apply()
    after = ids(settled)
    assert {name for name in after if after[name] != before[name]} == {"web"}
    settled.exec("sh", "check", "good day")


def test_a_database_that_was_stopped_by_hand_is_one_start(settled: Place) -> None:
    before = ids(settled)
    bare("stop", f"{settled.name}-db-1")
    plan = settled.plan()
    assert (change(plan, "service.db")["action"], causes(plan, "service.db")) == ("update", {"status": "drift"})
    assert [item["address"] for item in plan["changes"]] == ["service.db", "health.workspace"]
    settled.apply()
    assert ids(settled) == before
    settled.exec("sh", "check", "good")


def test_what_a_killed_compose_left_is_tidied_up(settled: Place) -> None:
    own = f"{settled.name}-cache-1"
    labels = json.loads(bare("container", "inspect", "--format", "{{json .Config.Labels}}", own))
    flags = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    bare("create", "--name", f"0123456789ab_{own}", *flags, "envspec-test/web-stack-cache:1")
    assert causes(settled.plan(), "service.cache") == {"name": "engine"}
    settled.apply()
    assert addresses(settled) == []
    assert len(named("container", settled.name)) == 4


def test_an_edited_build_context_is_built_and_its_service_made_anew(settled: Place) -> None:
    before = ids(settled)
    page = settled.directory / "web" / "serve.py"
    page.write_text(page.read_text() + "# edited\n")
    assert set(causes(settled.plan(), "service.web")) == {"build"}
    settled.apply()
    after = ids(settled)
    assert {name for name in after if after[name] != before[name]} == {"web"}
    assert addresses(settled) == []


def test_an_image_that_was_rebuilt_under_its_tag_is_drift(settled: Place) -> None:
    bare(
        "build",
        "--tag",
        "envspec-test/web-stack-cache:1",
        "-",
        stdin="FROM envspec-test/web-stack-cache:1\nLABEL again=1\n",
    )
    assert causes(settled.plan(), "service.cache") == {"image": "drift"}
    settled.apply()
    assert addresses(settled) == []


def test_a_service_that_never_becomes_healthy_tells_why_and_leaves_the_workspace_usable(settled: Place) -> None:
    found = yaml.safe_load(settled.file.read_text())
    found["compose"]["services"]["ill"] = {
        "image": "envspec-test/web-stack-cache:1",
        "command": ["sh", "-c", "echo no such luck; sleep infinity"],
        "init": True,
        "healthcheck": {"test": ["CMD", "false"], "interval": "200ms", "retries": 2},
    }
    settled.file.write_text(yaml.safe_dump(found, sort_keys=False))
    told = settled.apply(code=1)
    report = told.error["report"]
    failed = {item["address"]: item["error"] for item in report["outcomes"] if item["status"] == "failed"}
    assert failed["service.ill"]["code"] == "service.unhealthy"
    assert "no such luck" in failed["service.ill"]["message"]
    assert settled.exec("echo", "usable") == "usable"
    del found["compose"]["services"]["ill"]
    settled.file.write_text(yaml.safe_dump(found, sort_keys=False))
    settled.apply()
    assert addresses(settled) == []


def test_an_image_that_was_built_for_a_service_goes_with_it(places: Places) -> None:
    place = places()
    (place.directory / "Dockerfile").write_text(f"FROM {BASE}\nRUN echo {place.name} > /etc/whose\n")
    named_by_hand = f"envspec-test/{place.name}:1"
    services = {
        "own": {"build": ".", "init": True, "command": "sleep 3d"},
        "shared": {"build": ".", "image": named_by_hand, "init": True, "command": "sleep 3d"},
    }
    place.write(compose={"services": services})
    try:
        place.apply()
        assert bare("exec", f"{place.name}-own-1", "cat", "/etc/whose") == place.name
        assert addresses(place) == []
        place.run("destroy", place.name, "--yes")
        left = bare("image", "ls", "--format", "{{.Repository}}").splitlines()
        assert [name.removeprefix("localhost/").removeprefix("docker.io/") for name in left if place.name in name] == [
            f"envspec-test/{place.name}"
        ]
    finally:
        bare("image", "rm", "--force", named_by_hand, code=None)


def test_destroy_leaves_nothing(settled: Place) -> None:
    settled.run("destroy", settled.name, "--yes")
    assert named("container", settled.name) == []
    assert named("network", settled.name) == []
    assert named("volume", settled.name) == [f"{settled.name}-data", f"{settled.name}-seen"]
    allowed = [word for name in ("data", "seen") for word in ("--allow-data-loss", f"volume.{name}")]
    settled.run("destroy", settled.name, "--yes", "--volumes", *allowed)
    assert named("volume", settled.name) == []
