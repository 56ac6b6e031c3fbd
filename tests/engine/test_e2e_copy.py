"""`envspec cp` against real engines: what the engine's own client, and this host, find afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.engine.e2e import ENVSPEC, Place, Places, bare, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

USER = "1234:1235"


@pytest.fixture(scope="module")
def settled(places: Places) -> Place:
    """A converged environment with a volume of its own and a bind for the workspace."""
    place = places()
    place.write(user=USER, volumes=["data:/data"], mount_cwd=True)
    place.apply()
    return place


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    (top / "a").write_bytes(bytes(range(256)))
    (top / "a").chmod(0o750)
    os.utime(top / "a", (1_000_000, 1_000_000))
    (top / "sub" / "link").symlink_to("../a")
    (top / "sub").chmod(0o700)
    return top


STAT = "stat -c '%n %u:%g %a %Y' /data/tree/a && readlink /data/tree/sub/link && stat -c '%u:%g %a' /data/tree/sub"


def test_a_tree_goes_in_and_comes_out_as_it_was(settled: Place, tree: Path, tmp_path: Path) -> None:
    told = settled.told("cp", str(tree), f"{settled.name}:/data").result
    assert told == {"target": "/data/tree", "files": 2, "bytes": 256, "left_out": [], "notes": []}
    assert settled.inside(STAT).splitlines() == [f"/data/tree/a {USER} 750 1000000", "../a", f"{USER} 700"]
    settled.run("cp", f"{settled.name}:/data/tree", str(tmp_path / "back"))
    found = tmp_path / "back" / "a"
    assert found.read_bytes() == bytes(range(256))
    assert (found.stat().st_mode & 0o7777, found.stat().st_mtime, found.stat().st_uid) == (0o750, 1e6, os.geteuid())
    assert (tmp_path / "back" / "sub" / "link").readlink() == Path("../a")


def test_a_time_before_1970_and_a_hole_come_through(settled: Place, tmp_path: Path) -> None:
    old = tmp_path / "moon landing"
    old.write_text("x")
    os.utime(old, (-14_182_940, -14_182_940))
    settled.run("cp", str(old), f"{settled.name}:/data/")
    assert settled.inside("stat -c %Y '/data/moon landing' && truncate -s 300M /data/hole") == "-14182940"
    settled.run("cp", f"{settled.name}:/data/hole", str(tmp_path))
    found = (tmp_path / "hole").stat()
    assert (found.st_size, found.st_blocks) == (300 << 20, 0)
    assert settled.told("cp", str(tmp_path / "hole"), f"{settled.name}:/data/", code=4).error["code"] == "copy.holes"


def test_nothing_unsafe_comes_out(settled: Place, tmp_path: Path) -> None:
    settled.inside(
        "mkdir /data/bad && cd /data/bad && ln -s /etc/passwd abs && ln -s ../../../x up && mkfifo pipe"
        " && echo ok > ok && chmod 6777 ok && ln ok hard && ln -s ok fine"
    )
    told = settled.told("cp", f"{settled.name}:/data/bad", str(tmp_path)).result
    assert [item["path"] for item in told["left_out"]] == ["abs", "pipe", "up"]
    assert sorted(path.name for path in (tmp_path / "bad").iterdir()) == ["fine", "hard", "ok"]
    assert (tmp_path / "bad" / "ok").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "bad" / "hard").samefile(tmp_path / "bad" / "ok")


def test_a_link_of_this_host_is_not_followed_out_of_the_target(settled: Place, tree: Path, tmp_path: Path) -> None:
    settled.run("cp", f"{tree}/.", f"{settled.name}:/data/linked")
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    for path in (out, elsewhere):
        path.mkdir()
    (out / "sub").symlink_to(elsewhere)
    told = settled.told("cp", f"{settled.name}:/data/linked/.", str(out), code=1)
    assert told.error["code"] == "copy.unwritable"
    assert list(elsewhere.iterdir()) == []


def test_streams_pass_both_ways(settled: Place, tree: Path, tmp_path: Path) -> None:
    archive = tmp_path / "in.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, "streamed")
    with archive.open("rb") as stdin:
        subprocess.run([*ENVSPEC, "cp", "-", f"{settled.name}:/data"], stdin=stdin, check=True, timeout=60)
    assert settled.inside("stat -c '%u:%g %a' /data/streamed/a") == f"{USER} 750"
    out = subprocess.run([*ENVSPEC, "cp", f"{settled.name}:/data/streamed", "-"], capture_output=True, check=True)
    (tmp_path / "out.tar").write_bytes(out.stdout)
    with tarfile.open(tmp_path / "out.tar") as tar:
        assert sorted(tar.getnames()) == ["streamed", "streamed/a", "streamed/sub", "streamed/sub/link"]


def test_a_bound_directory_gets_the_file_and_keeps_its_owner(settled: Place, tree: Path) -> None:
    before = settled.directory.stat()
    settled.run("cp", f"{tree}/.", f"{settled.name}:/workspace")
    now = settled.directory.stat()
    assert (now.st_uid, now.st_gid, now.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert (settled.directory / "a").stat().st_uid == int(USER.partition(":")[0])


@pytest.mark.parametrize("path", ["/run/envspec", "/run/envspec/env", "/var/run/envspec/x", "/proc/1"])
def test_memory_is_no_place_to_copy_to(settled: Place, tree: Path, path: str) -> None:
    assert settled.told("cp", str(tree), f"{settled.name}:{path}", code=4).error["code"] == "copy.tmpfs"
    assert "tree" not in bare("diff", settled.box)


def test_secrets_do_not_come_out_with_a_tree_around_them(settled: Place, tmp_path: Path) -> None:
    settled.run("cp", f"{settled.name}:/run", str(tmp_path))
    assert (tmp_path / "run").is_dir()
    assert [path for path in tmp_path.rglob("*") if path.parent.name == "envspec"] == []


def test_a_stopped_environment_takes_and_gives(settled: Place, tree: Path, tmp_path: Path) -> None:
    settled.inside("mkdir -p /opt/r1 && ln -s r1 /opt/now && ln -s /opt/now /data/led && ln -s /run/envspec /opt/mem")
    bare("stop", "--time", "1", settled.box)
    try:
        settled.run("cp", str(tree / "a"), f"{settled.name}:/data/while-stopped")
        settled.run("cp", f"{settled.name}:/data/while-stopped", str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == bytes(range(256))
        assert settled.told("cp", str(tree / "a"), f"{settled.name}:/opt/r1").result["target"] == "/opt/r1/a"
        told = settled.told("cp", str(tree / "a"), f"{settled.name}:/data/led", code=4)
        assert told.error["code"] == "copy.foreign_link"
        settled.run("cp", f"{settled.name}:/opt/now", str(tmp_path / "tree"))
        assert (tmp_path / "tree" / "a").read_bytes() == bytes(range(256))
        for path in ("/var/run/envspec/x", "/opt/mem", "/opt/mem/x"):
            told = settled.told("cp", str(tree / "a"), f"{settled.name}:{path}", code=4)
            assert told.error["code"] == "copy.tmpfs"
    finally:
        settled.apply()
    assert settled.inside("readlink /opt/now && ls /opt/r1") == "r1\na"
    assert settled.inside("stat -c '%u:%g' /data/while-stopped") == USER


def test_a_large_copy_tells_how_far_it_is_and_an_interrupt_leaves_no_client(settled: Place, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        for _ in range(64):  # larger than what could be done before the interrupt; holes would be refused
            file.write(bytes(64 << 20))
    running = settled.start("cp", str(large), f"{settled.name}:/dev/../data/large", "--json")
    try:
        running.await_output('"event": "copy_progress"')
        running.signal(signal.SIGINT)
        assert running.end().code == 130
        until(lambda: str(large) not in _commands() and f"{settled.id}:/data" not in _commands(), "no client is left")
    finally:
        running.stop()
        large.unlink()
        settled.inside("rm -f /data/large")


def _commands() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_what_makes_no_sense_is_said(settled: Place, tree: Path) -> None:
    for words, code in (
        ((str(tree), "/somewhere"), "copy.usage"),
        ((f"{settled.name}:/a", f"{settled.name}:/b"), "copy.usage"),
        ((f"{settled.name}:/data/not-there", str(tree)), "copy.missing"),
        ((str(tree / "not-there"), f"{settled.name}:/data"), "copy.missing"),
        ((str(tree), "evt-nobody:/data"), "env.unknown"),
    ):
        assert settled.told("cp", *words, code=3).error["code"] == code
    assert settled.told("cp", str(tree), f"{settled.name}:/no/where", code=1).error["code"] == "copy.no_directory"
