"""Whoever may talk to the engine can do all of it, and what is made in the bound workspace belongs to them."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine.contract import REMOTE
from tests.engine.e2e import NOTHING, ON_DOCKER, Place, bare, make_place, objects, read_told, remove_all
from tests.engine.people import account, become

pytestmark = [ON_DOCKER, pytest.mark.engine, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Person:
    """Somebody who runs envspec: an account of this host."""

    uid: int
    gid: int
    name: str


@pytest.fixture(scope="module", params=["root", "uid 1000"])
def somebody(request: pytest.FixtureRequest, git_image: str) -> Iterator[tuple[Place, Person]]:
    """A place of one's own, in a directory and with a home of one's own, and who one is.

    The tests run as root, who can become anybody; run as another user they are that user both times.
    """
    with account() as entry, tempfile.TemporaryDirectory(prefix="evt-user-") as directory:
        base = Path(directory)
        base.chmod(0o755)
        home = base / "home"
        environ = {
            "ENVSPEC_ENGINE": "docker",
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if request.param == "root" or os.geteuid() != 0:
            chosen, prefix = pwd.getpwuid(os.geteuid()), tuple[str, ...]()
        else:
            chosen, prefix = entry, become(entry)
        who = Person(chosen.pw_uid, chosen.pw_gid, chosen.pw_name)
        place = make_place(base, git_image, prefix=prefix, environ=environ)
        home.mkdir()
        for path in (home, place.directory):
            os.chown(path, who.uid, who.gid)
        try:
            yield place, who
        finally:
            place.stop_all()
            remove_all(place.name)


def test_all_of_it_works_and_files_belong_to_whoever_made_them(somebody: tuple[Place, Person]) -> None:
    place, who = somebody
    stat = place.directory.stat()
    place.write(
        repos=[{"url": REMOTE, "path": "app", "install": "echo installed > .git/info/installed"}],
        config_files={"/workspace/conf/app.ini": "a=1\n", "/etc/evt.conf": {"content": "root\n", "owner": "root"}},
        setup_commands=["mkdir -p made && echo by-setup > made/file", {"run": "touch /opt/by-root", "as_root": True}],
        env={"GREETING": "hello"},
        health={"command": "test -w . && test -e made/file"},
    )
    assert "container.workspace" in [item["address"] for item in place.plan()["changes"]]
    place.apply()

    told = place.exec("sh", "-c", 'whoami; echo $HOME; id -u; id -g; echo $GREETING; pwd; test -w "$HOME" && echo mine')
    name, home, uid, gid, *rest = told.splitlines()
    assert (int(uid), int(gid)) == (who.uid, who.gid)
    assert rest == ["hello", "/workspace", "mine"]
    assert (name, home) == ((who.name, f"/home/{who.name}") if who.uid else ("root", "/root"))
    place.exec("sh", "-c", "echo by-exec > by-exec")
    assert place.run("exec", "--root", place.name, "--", "id", "-u").stdout == "0\n"

    for path in ("app", "app/README.md", "app/.git/info/installed", "conf", "conf/app.ini", "made/file", "by-exec"):
        found = (place.directory / path).stat()
        assert (path, found.st_uid, found.st_gid) == (path, who.uid, who.gid)
    assert place.inside("stat -c %u /etc/evt.conf /opt/by-root") == "0\n0"
    now = place.directory.stat()
    assert (now.st_uid, now.st_gid, now.st_mode) == (stat.st_uid, stat.st_gid, stat.st_mode)

    assert place.plan()["changes"] == []
    assert place.told("status", place.name).result["user"] == f"{name} ({who.uid}:{who.gid})"
    place.told("destroy", place.name, "--yes")
    assert objects(place.name) == NOTHING
    assert (place.directory / "by-exec").read_text() == "by-exec\n"


def test_a_directory_that_is_somebody_elses_is_not_given_away(somebody: tuple[Place, Person]) -> None:
    place, who = somebody
    other = place.directory / "theirs"
    other.mkdir()
    (other / "file").write_text("theirs\n")
    if os.geteuid() == 0:
        os.chown(other, 4321, 4321)
    before, theirs = other.stat(), (other / "file").stat().st_uid
    place.write(mounts=[{"host": "./theirs", "container": "/theirs"}])
    place.apply()
    now = other.stat()
    assert (now.st_uid, now.st_gid) == (before.st_uid, before.st_gid)
    assert (other / "file").stat().st_uid == theirs
    assert place.exec("cat", "/theirs/file") == "theirs"
    assert place.exec("id", "-u") == str(who.uid)


def test_copies_and_snapshots_are_everybodys_too(somebody: tuple[Place, Person]) -> None:
    place, who = somebody
    place.write(mount_cwd=False)
    place.apply("--allow-data-loss", "container.workspace")
    source, back = place.directory / "env.yaml", place.directory / "back"
    place.run("cp", str(source), f"{place.name}:/workspace/copied")
    place.run("cp", f"{place.name}:/workspace/copied", str(back))
    assert place.inside("stat -c %u:%g /workspace/copied") == f"{who.uid}:{who.gid}"
    assert (back.stat().st_uid, back.read_text()) == (who.uid, source.read_text())
    fork = f"{place.name}-fork"
    try:
        place.told("snapshot", "create", place.name, place.name)
        place.told("restore", place.name, "--as", fork)
        found = bare("exec", "-u", str(who.uid), f"{fork}-workspace", "cat", "/workspace/copied")
        assert found == source.read_text().strip()
    finally:
        remove_all(fork)
        place.run("snapshot", "rm", place.name)


def test_the_workspaces_volume_belongs_to_the_user(somebody: tuple[Place, Person]) -> None:
    place, who = somebody
    place.write(mount_cwd=False, volumes=["data:/data"])
    place.apply("--allow-data-loss", "container.workspace")
    place.exec("sh", "-c", "echo mine > /workspace/file && echo mine > /data/file")
    assert place.inside("stat -c %u:%g /workspace /workspace/file /data /data/file") == "\n".join(
        [f"{who.uid}:{who.gid}"] * 4
    )
    assert place.plan()["changes"] == []


def test_commands_jobs_and_waiting_are_the_users_own(somebody: tuple[Place, Person]) -> None:
    place, who = somebody
    remove_all(place.name)  # what other tests did by hand would be lost
    place.write(health={"command": "true"})
    place.apply()
    ran = place.run("exec", place.name, "--timeout", "0.5", "--", "sh", "-c", "id -u; setsid sleep 6001", code=124)
    assert ran.stdout == f"{who.uid}\n"
    cut = place.run("exec", place.name, "--json", "--max-output", "4", "--", "seq", "100")
    result = read_told(cut.stdout).result
    assert Path(result["log"]).stat().st_uid == who.uid
    script = "id -u; echo made > by-job; setsid sleep 6002"
    place.run("job", "start", place.name, "--name", "mine", "--", "sh", "-c", script)
    waited = place.told("job", "wait", "mine", "--env", place.name, "--timeout", "0.5", code=124)
    assert waited.result["state"] == "running"
    assert place.told("job", "poll", f"{place.name}/mine").result["output"] == f"{who.uid}\n"
    assert place.told("job", "cancel", f"{place.name}/mine").result["left"] == []
    assert (place.directory / "by-job").stat().st_uid == who.uid
    assert place.told("wait", place.name).result["what"] == "health"
    assert place.inside("grep -l '^sleep.600' /proc/[0-9]*/cmdline", code=None) == ""
