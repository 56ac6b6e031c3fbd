"""Environments end with their session, when they expire, or when what made them died; nothing else goes with them."""

from __future__ import annotations

import signal
import time

import pytest

from tests.engine.e2e import NOTHING, Place, Places, bare, change, named, objects, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def label(place: Place, name: str) -> str:
    return place.inspect(f'{{{{index .Config.Labels "dev.envspec.{name}"}}}}')


def test_a_session_ends_with_what_it_made_and_leaves_the_rest(places: Places) -> None:
    mine, kept, other = places(), places(), places()
    session = f"s-{mine.name}"
    mine.write(mount_cwd=False, volumes=["data:/data"])
    kept.write(persistent=True)
    other.write()
    mine.apply("--session", session)
    kept.apply("--session", session)
    other.apply("--session", f"{session}-other")
    mine.inside("echo scratch > /opt/scratch")
    mine.run("job", "start", mine.name, "--", "sleep", "6200")
    assert label(mine, "session") == session
    found = {item["name"]: item for item in mine.told("session", "end", session).result}
    assert found.keys() == {mine.name, kept.name}
    assert (found[mine.name]["gone"], found[kept.name]["kept"]) == (True, "it is persistent")
    assert objects(mine.name) == {**NOTHING, "volume": [f"{mine.name}-data"]}
    assert named("container", kept.name) == [kept.box]
    assert named("container", other.name) == [other.box]


def test_unpushed_work_outlives_its_session(place: Place) -> None:
    session = f"s-{place.name}"
    place.write(mount_cwd=False, repos=[{"url": "file:///srv/app.git", "path": "app"}])
    place.apply("--session", session)
    place.inside("echo draft >> /workspace/app/README.md")
    told = place.told("session", "end", session, code=4)
    assert told.error["code"] == "session.kept"
    assert "/workspace/app (1 uncommitted change)" in told.error["message"]
    assert named("container", place.name) == [place.box]
    place.told("session", "end", session, "--allow-data-loss", place.name)
    assert objects(place.name) == NOTHING


def test_a_ttl_is_changed_in_place_and_what_expired_is_collected(place: Place) -> None:
    place.write(ttl="8h")
    place.apply()
    box = place.id
    assert place.plan()["changes"] == []
    assert place.told("gc", place.name).result == []
    place.write(ttl="500ms")
    assert change(place.plan(), "lease.workspace")["action"] == "update"
    place.apply()
    assert place.id == box
    time.sleep(1)  # the lease counts whole seconds
    until(lambda: place.told("gc", place.name, "--dry-run").result, "it expires")
    assert named("container", place.name) == [place.box]
    assert place.told("gc", place.name).result[0]["gone"] is True
    assert objects(place.name) == NOTHING


def test_a_lease_that_was_prolonged_holds_for_one_that_sleeps(place: Place) -> None:
    place.write(ttl="1s")
    place.apply()
    place.write(ttl="8h")
    place.apply()
    bare("stop", "-t", "0", place.box)
    time.sleep(1)  # its container's label says that it has expired by now
    assert place.told("gc", place.name).result == []
    assert place.inspect("{{.State.Status}}") == "exited"


def test_a_run_passes_its_commands_word_on_and_leaves_nothing(place: Place) -> None:
    place.write(mount_cwd=False, env={"WHO": "me"})
    ran = place.run("run", ".", "--", "sh", "-c", 'echo "$WHO"; echo oops >&2; echo x > /opt/made; exit 7', code=7)
    assert ran.stdout == "me\n"
    assert "oops\n" in ran.stderr
    assert [row for row in place.told("list").result if row["name"].startswith(place.name)] == []


def test_a_run_that_is_interrupted_leaves_nothing(place: Place) -> None:
    place.write(mount_cwd=False)
    running = place.start("run", ".", "--", "sh", "-c", "echo begun; sleep 300")
    running.await_output("begun")
    running.signal(signal.SIGINT)
    assert running.end().code == 130
    assert [row for row in place.told("list").result if row["name"].startswith(place.name)] == []


def test_a_run_that_was_killed_is_collected(place: Place) -> None:
    place.write(mount_cwd=False)
    running = place.start("run", ".", "--", "sh", "-c", "echo begun; sleep 300")
    running.await_output("begun")
    running.signal(signal.SIGKILL)
    running.end()
    (left,) = [row["name"] for row in place.told("list").result if row["name"].startswith(place.name)]
    (gone,) = place.told("gc", left).result
    assert (gone["why"], gone["gone"]) == ("its run died", True)
    assert objects(left) == NOTHING


def test_a_setup_that_fails_fails_the_run_and_leaves_nothing(place: Place) -> None:
    place.write(mount_cwd=False, setup_commands=["exit 3"])
    place.run("run", ".", "--", "true", code=1)
    assert [row for row in place.told("list").result if row["name"].startswith(place.name)] == []


def test_status_tells_what_is_used_and_what_differs(place: Place) -> None:
    place.write(config_files={"/etc/evt.conf": "one\n"}, health={"command": "true"}, memory="64m", ttl="8h")
    place.apply()
    place.inside("echo two > /etc/evt.conf")
    found = place.told("status", place.name, "--drift").result
    used = found["usage"]["workspace"]
    assert 0 < used["memory"] < used["memory_limit"] < 70_000_000
    assert used["pids"] >= 1
    assert (found["health"], bool(found["expires"])) == ("passed", True)
    assert "file./etc/evt.conf" in {line.partition(":")[0] for line in found["drift"]}
