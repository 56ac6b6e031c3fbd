"""The probe: all questions at once, and files that nobody declared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envspec.engine.facts import STATE_DIR, Questions, RepoQuestion
from envspec.engine.objects import Mount
from envspec.engine.operations import Baseline, FilePut, Mark, PutFiles, PutState, ReadState, RunCommand, WriteRecords
from envspec.errors import EngineCallFailed
from tests.engine.contract import World, note

pytestmark = pytest.mark.engine

ALL = ("/",)


def put(world: World, box: str, path: str) -> None:
    world.do(box, PutFiles((FilePut(path, b"ours\n", 0o644, 0, 0, note(f"file.{path}")),)))


def undeclared(world: World, box: str, *roots: str, declared: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    return world.engine.probe(box, Questions(undeclared=roots or ALL, declared=declared)).undeclared


@pytest.fixture
def fresh(world: World) -> str:
    """A container in which an operation has been done already, so that its windows are open."""
    box = world.run()
    world.do(box, WriteRecords((note("thing.first"),)))
    return box


def test_no_question_gets_the_accounts_and_an_empty_rest(world: World) -> None:
    found = world.engine.probe(world.run(), Questions())
    assert found.accounts[0].name == "root"
    assert (found.ledger, found.files, found.repos, found.environment, found.undeclared) == ((), {}, {}, None, None)


def test_all_questions_are_answered_at_once(world: World, box: str) -> None:
    put(world, box, "/opt/a")
    asked = Questions(
        files=("/opt", "/opt/a", "/opt/none"),
        repos=(RepoQuestion("/opt"), RepoQuestion("/none")),
        exists=("/etc/passwd", "/none"),
        undeclared=("/srv",),
    )
    found = world.engine.probe(box, asked)
    assert {path: fact.type for path, fact in found.files.items()} == {"/opt": "dir", "/opt/a": "file"}
    assert {path: fact.state for path, fact in found.repos.items()} == {"/opt": "other"}
    assert found.exists == {"/etc/passwd"}
    assert found.undeclared == ()


def test_an_inquiry_tells_how_things_are_when_it_is_asked(world: World, box: str) -> None:
    inquiry = world.engine.inquire(box)
    put(world, box, "/opt/later")
    assert inquiry.ask(Questions(exists=("/opt/later", "/opt/never"))).exists == {"/opt/later"}
    inquiry.close()


def test_an_inquiry_that_is_not_asked_does_nothing(world: World, box: str) -> None:
    world.engine.inquire(box).close()
    assert world.engine.probe(box, Questions(exists=("/etc/passwd",))).exists == {"/etc/passwd"}


def test_an_inquiry_of_a_container_that_goes_fails_when_it_is_asked(world: World) -> None:
    box = world.run()
    inquiry = world.engine.inquire(box)
    world.engine.remove_container(box)
    with pytest.raises(EngineCallFailed):
        inquiry.ask(Questions())
    inquiry.close()


def test_modes_are_read_to_the_last_bit(world: World, box: str) -> None:
    put(world, box, "/opt/mode")
    for mode in (0o000, 0o777, 0o1755, 0o4711, 0o2600):
        world.hands.chmod(box, "/opt/mode", mode)
        assert world.engine.probe(box, Questions(files=("/opt/mode",))).files["/opt/mode"].mode == mode


def test_the_ledger_is_sorted(world: World, box: str) -> None:
    world.do(box, WriteRecords(tuple(note(f"sorted.{name}") for name in ("c", "a", "b"))))
    addresses = [entry.address for entry in world.engine.probe(box, Questions()).ledger]
    assert addresses == sorted(addresses)


def test_what_the_image_brought_is_not_undeclared(world: World, fresh: str) -> None:
    assert undeclared(world, fresh) == ()


def test_what_was_there_before_the_first_operation_is_not_undeclared(world: World) -> None:
    box = world.run()
    world.hands.write(box, "/opt/early", "by hand\n")
    world.do(box, WriteRecords((note("thing.first"),)))
    assert undeclared(world, box) == ()


def test_what_operations_and_their_commands_make_is_not_undeclared(world: World, fresh: str) -> None:
    put(world, fresh, "/opt/ours")
    world.do(fresh, RunCommand("touch /opt/made", "/", 0, 0, None))
    world.engine.perform(fresh, RunCommand("touch /opt/half; false", "/", 0, 0, None))
    assert undeclared(world, fresh) == ()


def test_what_hands_make_is_undeclared(world: World, fresh: str) -> None:
    world.hands.write(fresh, "/opt/b file", "by hand\n")
    world.hands.write(fresh, "/root/a", "by hand\n")
    assert undeclared(world, fresh) == ("/opt/b file", "/root/a")


def test_what_was_counted_as_kept_is_not_undeclared_and_what_comes_after_is(world: World, fresh: str) -> None:
    world.hands.write(fresh, "/opt/kept", "by hand\n")
    world.do(fresh, Baseline())
    world.hands.write(fresh, "/opt/new", "by hand\n")
    assert undeclared(world, fresh) == ("/opt/new",)


def test_a_file_of_the_image_that_was_changed_is_undeclared(world: World, fresh: str) -> None:
    world.hands.write(fresh, "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    assert undeclared(world, fresh) == ("/etc/passwd",)


def test_a_declared_path_is_passed_over_with_all_below(world: World, fresh: str) -> None:
    for path in ("/opt/app/x/y", "/opt/app2", "/opt/file", "/opt/fil"):
        world.hands.write(fresh, path, "by hand\n")
    assert undeclared(world, fresh, declared=("/opt/app", "/opt/file")) == ("/opt/app2", "/opt/fil")


def test_only_the_asked_roots_are_searched(world: World, fresh: str) -> None:
    for path in ("/opt/in/x", "/opt/out/y"):
        world.hands.write(fresh, path, "by hand\n")
    assert undeclared(world, fresh, "/opt/in", "/opt/none") == ("/opt/in/x",)


@pytest.mark.parametrize(
    "path",
    [
        "/tmp/x",
        "/var/tmp/x",
        "/var/cache/x",
        "/var/log/x",
        "/run/x",
        "/root/.cache/pip/x",
        "/root/.bash_history",
        "/opt/__pycache__/m.pyc",
        "/etc/hosts",
        f"{STATE_DIR}/x",
    ],
)
def test_caches_logs_and_the_like_are_passed_over(world: World, box: str, path: str) -> None:
    world.do(box, WriteRecords((note("thing.first"),)))
    world.hands.write(box, path, "by hand\n")
    assert path not in (undeclared(world, box) or ())


def test_what_package_managers_and_caches_leave_is_no_work_and_what_lies_beside_it_is(world: World, fresh: str) -> None:
    venv, site = "/opt/venv", "/opt/venv/lib/python3.13/site-packages"
    no_work = (
        "/root/.config/go/telemetry/local/go.mode",
        "/go/pkg/mod/cache/lock",
        "/usr/local/cargo/registry/index/config.json",
        "/root/.cargo/bin/cargo-expand",
        "/opt/npm/lib/node_modules/cowsay/cli.js",
        "/root/.local/share/uv/tools/ruff/uv-receipt.toml",
        "/root/.ssh/known_hosts",
        "/srv/app/target/CACHEDIR.TAG",
        "/srv/app/target/debug/app",
        f"{venv}/pyvenv.cfg",
        f"{venv}/CACHEDIR.TAG",
        f"{venv}/bin/python3",
        f"{venv}/bin/activate.fish",
        f"{site}/six.py",
    )
    work = (
        "/go/notes.txt",
        f"{venv}/bin/mine",
        f"{venv}/notes.txt",
        "/root/.cargo/config.toml",
        "/srv/app/src/main.rs",
        "/srv/app/target.txt",
    )
    for path in (*no_work, *work):
        world.hands.write(fresh, path, "by hand\n")
    world.hands.write(fresh, f"{venv}/bin/normalizer", "#!/opt/venv/bin/python\n")
    record = "../../../bin/normalizer,sha256=x,1\nsix.py,sha256=y,2\n"
    world.hands.write(fresh, f"{site}/charset_normalizer-3.0.dist-info/RECORD", record)
    assert undeclared(world, fresh) == tuple(sorted(work))


def test_what_is_older_than_a_mark_is_kept_elsewhere_and_an_empty_volume_is_told(world: World) -> None:
    volumes = [world.volume(), world.volume()]
    box = world.run(mounts=tuple(Mount(f"/data{n}", "volume", name) for n, name in enumerate(volumes)))
    world.do(box, WriteRecords((note("thing.first"),)))
    asked = Questions(undeclared=("/", "/data0", "/data1"))
    for path in ("/opt/saved", "/data1/saved", "/data0/.cache/x"):
        world.hands.write(box, path, "by hand\n")
    world.do(box, Mark("moment", ("/", "/data0")))
    found = world.engine.probe(box, asked)
    assert (found.undeclared, found.hollow) == (("/data1/saved", "/opt/saved"), frozenset({"/data0"}))
    found = world.engine.probe(box, replace(asked, since="moment"))
    assert (found.undeclared, found.hollow) == ((), frozenset({"/data0", "/data1"}))
    assert world.engine.probe(box, replace(asked, since="unknown")).undeclared == ("/data1/saved", "/opt/saved")
    world.hands.write(box, "/data1/since", "by hand\n")
    found = world.engine.probe(box, replace(asked, since="moment"))
    assert (found.undeclared, found.hollow) == (("/data1/since",), frozenset({"/data0"}))


def test_at_most_two_hundred_are_told(world: World, fresh: str) -> None:
    world.hands.touch(fresh, "/opt/many", 203)
    assert undeclared(world, fresh) == tuple(f"/opt/many/{number:03}" for number in range(200))


def test_a_volume_is_searched_only_when_asked(world: World) -> None:
    box = world.run(mounts=(Mount("/data", "volume", world.volume()),))
    world.do(box, WriteRecords((note("thing.first"),)))
    put(world, box, "/data/ours")
    world.hands.write(box, "/data/theirs", "by hand\n")
    assert undeclared(world, box) == ()
    assert undeclared(world, box, "/", "/data") == ("/data/theirs",)


def test_what_a_new_container_finds_in_a_volume_is_not_undeclared(world: World) -> None:
    mounts = (Mount("/data", "volume", world.volume()),)
    world.hands.write(world.run(mounts=mounts), "/data/theirs", "by hand\n")
    second = world.run(mounts=mounts)
    world.do(second, WriteRecords((note("thing.first"),)))
    assert undeclared(world, second, "/data") == ()


def test_the_state_that_is_carried_over_tells_ours_from_theirs_in_a_volume(world: World) -> None:
    mounts = (Mount("/data", "volume", world.volume()),)
    first = world.run(mounts=mounts)
    world.hands.write(first, "/data/early", "by hand\n")
    put(world, first, "/data/ours")
    world.hands.write(first, "/data/theirs", "by hand\n")
    carried = world.do(first, ReadState()).stdout
    second = world.run(mounts=mounts)
    world.do(second, PutState(carried))
    put(world, second, "/data/more")
    assert undeclared(world, second, "/", "/data") == ("/data/theirs",)


def test_the_jobs_that_run_are_told_and_those_that_ended_are_not(world: World, fresh: str) -> None:
    assert world.engine.probe(fresh, Questions()).jobs == ()
    for job in ("b.job", "a_job", "c"):
        world.hands.start_job(fresh, job)
    world.hands.end_job(fresh, "c")
    assert world.engine.probe(fresh, Questions()).jobs == ("a_job", "b.job")
    world.engine.stop(fresh, grace=0)
    world.engine.start(fresh)
    assert world.engine.probe(fresh, Questions()).jobs == ()


def test_a_restart_makes_nothing_undeclared(world: World, fresh: str) -> None:
    put(world, fresh, "/opt/ours")
    world.hands.write(fresh, "/opt/theirs", "by hand\n")
    world.engine.stop(fresh, grace=0)
    world.engine.start(fresh)
    assert undeclared(world, fresh) == ("/opt/theirs",)
