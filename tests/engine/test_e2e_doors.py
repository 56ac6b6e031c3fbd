"""Exit codes and JSON of every command, saved plans, targets, take-overs, and the number of child processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.engine.contract import REMOTE
from tests.engine.e2e import (
    ENVSPEC,
    NOTHING,
    ON_DOCKER,
    ROOT,
    Json,
    Place,
    Places,
    bare,
    change,
    check_schema,
    make_place,
    objects,
)

# What the doors say is the same on every engine.
pytestmark = [ON_DOCKER, pytest.mark.engine, pytest.mark.timeout(300)]

BOX = "container.workspace"


@pytest.fixture(scope="module")
def stands(places: Places) -> Place:
    """A converged environment; its tests leave it so."""
    place = places()
    write(place)
    place.apply()
    return place


def write(place: Place, **more: Json) -> None:
    place.write(**{"config_files": {"/etc/evt/one.conf": "one\n", "/etc/evt/two.conf": "two\n"}, **more})


# ── JSON and exit codes ──────────────────────────────────────────────────────────────────────────────────────────────


def test_every_command_that_prints_json_prints_one_envelope(stands: Place, places: Places) -> None:
    fresh = places()
    for words in (
        ("preflight",),
        ("validate", "."),
        ("purposes",),
        ("purposes", "python"),
        ("render", "--purpose", "python"),
        ("plan", "."),
        ("apply", "."),
        ("list",),
        ("status", stands.name),
        ("status", "."),
        ("connect", stands.name),
    ):
        assert stands.told(*words).envelope["ok"] is True, words
    assert fresh.told("init", ".").result["name"] == fresh.name
    check_schema("spec", yaml.safe_load(fresh.file.read_text()))
    for name in ("spec", "plan", "report", "event"):
        printed = json.loads(stands.run("schema", name).stdout)
        assert printed == json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text())


def test_every_command_that_fails_says_so_in_one_envelope(place: Place) -> None:
    place.file.write_text("name: [\n")
    for words in (("validate", "."), ("plan", "."), ("apply", "."), ("render", "."), ("status", "./env.yaml")):
        assert place.told(*words, code=3).error["category"] == "spec"
    for words in (("status", place.name), ("connect", place.name), ("purposes", "nothing")):
        assert place.told(*words, code=3).error["category"] == "usage"
    assert place.told("pan", code=3).error["hint"] == "did you mean `envspec plan`?"


def test_what_list_status_and_connect_tell_is_so(stands: Place) -> None:
    (row,) = (row for row in stands.told("list").result if row["name"] == stands.name)
    assert (row["status"], row["image"]) == ("running", stands.image)
    status = stands.told("status", stands.name).result
    assert status["container_id"] == stands.id
    assert "file./etc/evt/one.conf" in status["applied"]
    info = stands.told("connect", stands.name).result
    assert info["argv"][:3] == ["docker", "exec", "-it"]
    assert info["argv"][-2:] == [stands.box, "/bin/bash"]
    assert (info["user"], info["workdir"]) == ("root", "/workspace")


def test_exit_code_2_says_that_changes_are_pending(stands: Place) -> None:
    write(stands, env={"NEW": "1"})
    stands.run("plan", ".", "--detailed-exitcode", code=2)
    stands.run("plan", ".", code=0)
    write(stands)
    stands.run("plan", ".", "--detailed-exitcode", code=0)


def test_exit_code_3_names_all_faults_with_their_lines(place: Place) -> None:
    place.file.write_text(f"name: {place.name}\nimage: {place.image}\nmemmory: 4g\nports: [99999999]\n")
    ran = place.run("plan", ".", code=3)
    assert "env.yaml:3:1: " in ran.stderr
    assert "did you mean `memory`" in ran.stderr
    assert "env.yaml:4:" in ran.stderr
    error = place.told("plan", ".", code=3).error
    assert [fault["where"]["line"] for fault in error["faults"]] == [3, 4]


def test_exit_code_4_where_nobody_can_say_yes(stands: Place) -> None:
    before = stands.id
    write(stands, add_hosts={"db": "10.0.0.5"})
    error = stands.told("apply", ".", code=4).error
    assert error["code"] == "refused.no_consent"
    assert stands.id == before
    assert stands.told("destroy", stands.name, code=4).error["code"] == "refused.no_consent"
    write(stands)


def test_exit_code_5_when_no_engine_answers(stands: Place) -> None:
    nowhere = Place(stands.directory, stands.name, stands.image, environ={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    for words in (("plan", "."), ("apply", "."), ("list",), ("status", stands.name), ("destroy", stands.name, "--yes")):
        error = nowhere.told(*words, code=5).error
        assert error["retriable"] is True
        assert "unset DOCKER_HOST" in error["hint"]
    nowhere.run("exec", stands.name, "--", "true", code=5)
    nowhere.told("preflight", code=5)


def test_exit_code_6_when_the_name_is_another_specs_and_take_over_makes_it_this_ones(
    stands: Place, tmp_path: Path
) -> None:
    other = make_place(tmp_path, stands.image)
    other.name = stands.name
    write(other)
    for words in (("plan", "."), ("apply", ".", "--yes")):
        error = other.told(*words, code=6).error
        assert error["code"] == "conflict.other_spec"
        assert error["where"]["file"] == str(stands.file)
    before = stands.id
    other.apply("--take-over")
    assert other.id != before
    assert other.plan()["changes"] == []
    stands.told("plan", ".", code=6)
    stands.apply("--take-over")
    assert stands.plan()["changes"] == []


def test_a_container_of_the_name_that_is_not_ours_is_never_touched(place: Place) -> None:
    bare("create", "--name", place.box, "--label", f"dev.envspec.test={place.name}", place.image, "sleep", "1")
    try:
        write(place)
        before = place.id
        assert place.apply(code=6).error["code"] == "conflict.name"
        assert place.told("destroy", place.name, "--yes").done == {}
        assert place.id == before
        place.run("exec", place.name, "--", "true", code=3)
    finally:
        bare("rm", "--force", place.box)


@pytest.mark.parametrize("code", [0, 1, 2, 6, 70, 124, 130])
def test_exec_passes_the_commands_own_code_and_streams_through(stands: Place, code: int) -> None:
    ran = stands.run("exec", stands.name, "--", "sh", "-c", f"echo out; echo err >&2; exit {code}", code=code)
    assert (ran.stdout, ran.stderr) == ("out\n", "err\n")


def test_exec_ends_what_takes_too_long_and_all_that_it_started(stands: Place) -> None:
    stands.run("exec", "--timeout", "0.5", stands.name, "--", "sh", "-c", "setsid sleep 311 & sleep 312", code=124)
    assert stands.inside("grep -las 'sleep.31[12]' /proc/[0-9]*/cmdline", code=None) == ""


# ── saved plans ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_saved_plan_is_done_as_it_was_and_once(stands: Place) -> None:
    write(stands, config_files={"/etc/evt/one.conf": "uno\n"})
    plan = stands.plan("--out", "saved.plan", ".")
    write(stands, config_files={"/etc/evt/one.conf": "the file has moved on\n"})
    told = stands.told("apply", "saved.plan", "--yes")
    assert sorted(told.done) == sorted(item["address"] for item in plan["changes"])
    assert stands.inside("cat /etc/evt/one.conf; ls /etc/evt") == "uno\none.conf"
    assert stands.told("apply", "saved.plan", "--yes", code=6).error["code"] == "conflict.stale_plan"
    write(stands)
    stands.apply()


def test_a_saved_plan_is_refused_when_the_world_has_moved_and_says_what_moved(stands: Place) -> None:
    write(stands, env={"NEW": "1"})
    stands.run("plan", "--out", "saved.plan", ".")
    stands.inside("chmod 600 /etc/evt/two.conf")
    error = stands.told("apply", "saved.plan", "--yes", code=6).error
    assert error["code"] == "conflict.stale_plan"
    assert "file./etc/evt/two.conf" in error["message"]
    assert error["where"] == {"address": "file./etc/evt/two.conf"}
    assert stands.inside("stat -c %a /etc/evt/two.conf") == "600"
    write(stands)
    stands.apply()


def test_a_saved_destroy_is_done(place: Place) -> None:
    write(place)
    place.apply()
    place.run("plan", "--destroy", "--out", "gone.plan", ".")
    place.told("apply", "gone.plan", "--yes")
    assert objects(place.name) == NOTHING


# ── parts of an environment ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_target_limits_the_work_to_what_it_needs(stands: Place) -> None:
    stands.inside("rm /etc/evt/one.conf /etc/evt/two.conf")
    told = stands.apply("--target", "file./etc/evt/one.conf", code=0)
    assert told.done == {"file./etc/evt/one.conf": "done"}
    assert stands.inside("ls /etc/evt") == "one.conf"
    assert [item["address"] for item in stands.plan()["changes"]] == ["file./etc/evt/two.conf"]
    assert stands.told("plan", ".", "--target", "file./etc/none", code=3).error["code"] == "usage.unknown_address"
    stands.apply()


def test_replace_makes_one_thing_anew(stands: Place) -> None:
    before = stands.id
    assert change(stands.plan(".", "--replace", BOX), BOX)["reason"] == "asked for with --replace"
    stands.apply("--replace", BOX)
    assert stands.id != before
    assert stands.inside("cat /etc/evt/one.conf") == "one"
    assert stands.plan()["changes"] == []


def test_what_is_taken_out_of_the_file_is_taken_out_of_the_environment(place: Place) -> None:
    network = f"{place.name}-net"
    write(
        place,
        config_files={"/etc/motd": "ours\n", "/etc/evt/one.conf": "one\n"},
        repos=[{"url": REMOTE, "path": "app"}],
        env={"GREETING": "hello"},
        networks=[network],
        setup_commands=["true"],
    )
    place.write(**yaml.safe_load(place.file.read_text()) | {"name": place.name})
    original = bare("run", "--rm", place.image, "sha256sum", "/etc/motd")
    place.apply()
    before = place.id
    place.write()
    text = place.run("plan", ".").stdout
    assert "its effects stay: true" in text
    place.apply()
    assert place.inside("sha256sum /etc/motd") == original
    assert place.inside("ls /workspace/app /etc/evt/one.conf", code=None) == ""
    assert place.exec("sh", "-c", "echo ${GREETING-gone}") == "gone"
    assert objects(place.name)["network"] == []
    assert place.id == before
    assert place.plan()["changes"] == []


# ── what it costs ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("files", [3, 60])
def test_an_apply_of_nothing_makes_at_most_six_calls(place: Place, tmp_path: Path, files: int) -> None:
    names = [f"/etc/evt/{number:02}.conf" for number in range(files)]
    place.write(config_files=dict.fromkeys(names, "text\n"), repos=[{"url": REMOTE, "path": "app"}], env={"A": "1"})
    place.apply()
    trace = tmp_path / "trace"
    traced = Place(place.directory, place.name, place.image, environ={**place.environ, "ENVSPEC_TRACE": str(trace)})
    assert traced.apply().done == {}
    calls = trace.read_text().splitlines()
    assert 1 <= len(calls) <= 6, calls
    assert all(call.split()[0] == "docker" for call in calls)


def test_the_command_line_is_what_these_tests_run(place: Place) -> None:
    assert ENVSPEC[1:] == ("-m", "envspec.cli.main")
    assert place.run("--version").stdout.startswith("envspec ")
    assert "--help" in place.run("--help").stdout
