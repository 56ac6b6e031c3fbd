"""Work that would be lost is named and blocks until it is allowed by address; what envspec's steps made is no loss."""

from __future__ import annotations

import pytest

from tests.engine.contract import REMOTE
from tests.engine.e2e import NOTHING, Json, Place, Places, bare, change, objects

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

BOX = "container.workspace"
GIT = "git -c safe.directory=* -c user.name=a -c user.email=a@example.org -C /workspace/app"


def write(place: Place, **more: Json) -> None:
    place.write(
        mount_cwd=False,
        repos=[{"url": REMOTE, "path": "app", "install": "touch /opt/by-install .git/info/installed"}],
        config_files={"/etc/evt/one.conf": "one\n"},
        setup_commands=[
            "mkdir -p /opt/tool && echo by-setup > /opt/tool/made && echo by-setup > /workspace/made",
            "cp /bin/true /usr/local/bin/tool",
            {"run": "apt-get --version > /var/made-as-root", "as_root": True},
        ],
        volumes=["data:/data"],
        **more,
    )


@pytest.fixture(scope="module")
def clean(places: Places) -> Place:
    """An environment in which nobody worked but envspec's own steps; its tests leave it so."""
    place = places()
    write(place)
    place.apply()
    return place


@pytest.fixture
def worked(places: Places) -> Place:
    """An environment with work of every kind in it."""
    place = places()
    write(place)
    place.apply()
    place.inside("echo by hand > /opt/notes.txt; echo by hand > /workspace/notes.txt; echo by hand > /data/notes.txt")
    place.inside(f"{GIT} commit -q --allow-empty -m work && echo draft >> /workspace/app/README.md")
    return place


def test_what_setup_commands_and_installs_made_is_no_loss(clean: Place) -> None:
    write(clean, add_hosts={"db": "10.0.0.5"})
    found = change(clean.plan(), BOX)
    assert (found["action"], found["data_loss"]) == ("replace", [])
    removed = clean.plan("--destroy", ".")
    assert {item["address"]: item["data_loss"] for item in removed["changes"]} == {BOX: [], "volume.workspace": []}
    write(clean)


def test_a_restart_and_an_update_in_place_make_no_loss(clean: Place) -> None:
    bare("restart", "--time", "0", clean.box)
    write(clean, memory="256m")
    clean.apply()
    write(clean, memory="256m", add_hosts={"db": "10.0.0.5"})
    assert change(clean.plan(), BOX)["data_loss"] == []
    write(clean)
    clean.apply()


def test_undeclared_files_block_a_replace_until_it_is_allowed_by_name(worked: Place) -> None:
    before = worked.id
    write(worked, add_hosts={"db": "10.0.0.5"})
    assert change(worked.plan(), BOX)["data_loss"] == ["/opt/notes.txt (undeclared)"]
    error = worked.apply(code=4).error
    assert error["code"] == "refused.data_loss"
    assert "/opt/notes.txt" in error["message"]
    assert f"--allow-data-loss {BOX}" in error["hint"]
    worked.apply("--allow-data-loss", "volume.data", code=4)
    assert worked.id == before

    worked.apply("--allow-data-loss", BOX)
    assert worked.id != before
    kept = "cat /workspace/notes.txt /data/notes.txt; tail -n 1 /workspace/app/README.md"
    assert worked.inside(kept) == "by hand\nby hand\ndraft"
    assert worked.inside("ls /opt/notes.txt", code=None) == ""
    assert worked.inside(f"{GIT} log -1 --format=%s") == "work"
    assert worked.plan()["changes"] == []


def test_work_of_every_kind_blocks_a_destroy_and_is_named(worked: Place) -> None:
    error = worked.told("destroy", worked.name, "--yes", "--volumes", code=4).error
    told = error["message"]
    for lost in (
        "/opt/notes.txt (undeclared)",
        "/workspace/app (1 uncommitted change)",
        "/workspace/app (1 unpushed commit)",
        "/workspace/notes.txt (undeclared)",
        f"volume {worked.name}-data and all that is in it",
    ):
        assert lost in told
    assert "/workspace/made" not in told
    assert "/opt/tool" not in told
    assert objects(worked.name)["container"] == [worked.box]
    allowed = [word for a in (BOX, "volume.workspace", "volume.data") for word in ("--allow-data-loss", a)]
    for index in range(0, len(allowed), 2):  # one alone is not enough
        worked.run("destroy", worked.name, "--yes", "--volumes", *allowed[index : index + 2], code=4)
    worked.told("destroy", worked.name, "--yes", "--volumes", *allowed)
    assert objects(worked.name) == NOTHING


def test_a_running_job_blocks_what_would_end_it_until_it_is_allowed_by_name(place: Place) -> None:
    place.write()
    place.apply()
    place.run("job", "start", place.name, "--name", "build", "--", "sleep", "6100")
    place.run("job", "start", place.name, "--name", "over", "--", "true")
    place.run("job", "wait", f"{place.name}/over")
    before = place.id
    assert place.plan()["changes"] == []
    assert change(place.plan("--replace", BOX, "."), BOX)["data_loss"] == ["job build (running)"]
    place.write(add_hosts={"db": "10.0.0.5"})
    assert change(place.plan(), BOX)["data_loss"] == ["job build (running)"]
    error = place.apply(code=4).error
    assert error["code"] == "refused.data_loss"
    assert f"{BOX} would lose job build (running)" in error["message"]
    assert f"--allow-data-loss {BOX}" in error["hint"]
    assert "job build (running)" in place.told("destroy", place.name, "--yes", code=4).error["message"]
    assert place.id == before
    assert place.told("job", "poll", f"{place.name}/build").result["job"]["state"] == "running"

    place.apply("--allow-data-loss", BOX)
    assert place.id != before
    place.run("job", "start", place.name, "--name", "again", "--", "sleep", "6100")
    place.told("destroy", place.name, "--yes", "--allow-data-loss", BOX)
    assert objects(place.name) == NOTHING


def test_a_volume_that_the_user_named_stays_when_the_environment_goes(clean: Place) -> None:
    write(clean)
    clean.apply()
    clean.told("destroy", clean.name, "--yes")
    assert objects(clean.name) == NOTHING | {"volume": [f"{clean.name}-data"]}


def test_a_stopped_container_is_not_thrown_away_unseen(worked: Place) -> None:
    worked.inside("kill 1", code=None)
    error = worked.told("destroy", worked.name, "--yes", code=4).error
    assert "does not run" in error["message"]


def test_local_changes_are_not_overwritten_by_another_ref(worked: Place) -> None:
    text = worked.file.read_text()
    worked.file.write_text(text.replace("path: app", "path: app\n  ref: old"))
    error = worked.apply(code=4).error
    assert "/workspace/app (1 uncommitted change)" in error["message"]
    assert worked.inside("tail -n 1 /workspace/app/README.md") == "draft"
    worked.apply("--allow-data-loss", "repo./workspace/app")
    assert worked.inside("cat /workspace/app/README.md") == "one"
    assert worked.plan()["changes"] == []


def test_a_repository_taken_out_of_the_file_is_removed_unless_work_is_in_it(worked: Place) -> None:
    worked.write(mount_cwd=False, volumes=["data:/data"])
    error = worked.apply(code=4).error
    assert "repo./workspace/app would lose /workspace/app (1 uncommitted change)" in error["message"]
    worked.apply("--allow-data-loss", "repo./workspace/app")
    assert worked.inside("ls /workspace/app /etc/evt/one.conf", code=None) == ""
    assert worked.inside("cat /workspace/notes.txt") == "by hand"
    assert worked.plan()["changes"] == []
