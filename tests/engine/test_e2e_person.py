"""What a person and an agent read and type, on real engines: the report, known causes, commands as they are typed."""

from __future__ import annotations

import pytest

from tests.engine.contract import TEST_LABEL
from tests.engine.e2e import ON_DOCKER, Place, Places, bare, objects

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

SECRET = "canary-of-the-report-4711"


def test_the_report_names_what_came_along_and_commands_are_taken_as_they_are_typed(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVT_SECRET", SECRET)
    place = places()
    place.write(env={"GREETING": "hello", "PASSWORD": {"from_env": "EVT_SECRET"}}, ports=["80"])
    told = place.told("apply", ".", "--yes").result["provision"]
    assert (told["variables"], "PASSWORD" in told["secrets"]) == (["GREETING"], True)
    assert told["mounts"]
    assert told["ports"][0].startswith("127.0.0.1:")
    assert told["tools"]["git"].count(".") >= 1
    assert told["ends"] == f"it stays until `envspec destroy {place.name}`"
    ran = place.run("apply", ".")
    assert "variables" in ran.stdout
    assert SECRET not in ran.stdout + ran.stderr + str(told)

    assert place.run("exec", place.name, "ls", "-la", "/").stdout.startswith("total")
    assert place.run("exec", ".", "echo $GREETING && id -u").stdout.startswith("hello\n")
    assert place.run("exec", ".", "--user", "54321", "--", "id", "-g").stdout == "54321\n"
    missing = place.run("exec", place.name, "--workdir", "/nowhere", "--", "true", code=126)
    assert missing.stderr == "envspec: there is no directory /nowhere inside that the user may enter\n"
    assert " --user 0:0 " in place.run("connect", ".", "--root").stdout

    place.write(setup_commands=[{"run": "sleep 60", "timeout": 2}])
    error = failed(place)
    assert (error["code"], error["retriable"]) == ("command.timeout", False)
    place.write(setup_commands=[{"run": "true", "workdir": "nope"}])
    assert failed(place)["code"] == "command.workdir"

    place.run("destroy", place.name, f"{place.name}-none", "--force", "--volumes")
    assert not any(objects(place.name).values())


@ON_DOCKER  # that Podman says who publishes what is a matter of the contract
def test_a_port_that_a_foreign_container_holds_is_told_with_its_name(place: Place) -> None:
    holder = f"{place.name}-holder"
    words = ("--detach", "--rm", "--name", holder, "--label", f"{TEST_LABEL}=1", "--publish", "127.0.0.1::80")
    bare("run", *words, place.image, "sleep", "600")
    try:
        port = int(bare("port", holder, "80/tcp").rpartition(":")[2])
        place.write(ports=[f"{port}:80"])
        error = failed(place)
        assert error["code"] == "conflict.port"
        assert error["message"] == f"127.0.0.1:{port}/tcp is held by the container {holder}"
    finally:
        bare("rm", "--force", holder)


def failed(place: Place) -> dict[str, object]:
    """Apply, and return the error of the one step that failed."""
    outcomes = place.told("apply", ".", "--yes", code=1).error["report"]["outcomes"]
    error: dict[str, object]
    (error,) = (item["error"] for item in outcomes if item["error"])
    return error
