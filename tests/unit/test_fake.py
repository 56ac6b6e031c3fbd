"""What the fake engine offers to tests beyond the protocol; the protocol itself is held up in ``tests/engine``."""

from __future__ import annotations

import threading
import time

import pytest

from envspec.engine.base import Engine
from envspec.engine.facts import ENV_FILE, RUN_DIR, STATE_DIR, Questions, RepoQuestion
from envspec.engine.fake import FakeEngine
from envspec.engine.fake_hooks import Crashed
from envspec.engine.fake_world import FakeRemote
from envspec.engine.objects import Build, ContainerConfig, Limits, Mount
from envspec.engine.operations import FilePut, PutEnvironment, PutFiles, Record, RemoveFiles, RunCommand, SyncRepo
from envspec.errors import EngineCallFailed, EngineTimeout, Interrupted

LABELS = {"dev.envspec.env": "shop"}
FIRST, SECOND = "a" * 40, "b" * 40
URL = "https://git.example/app"


def a_file(path: str, content: bytes = b"x", digest: str = "d1") -> PutFiles:
    return PutFiles((FilePut(path, content, 0o644, 0, 0, Record(f"file.{path}", digest)),))


def a_command(text: str, uid: int = 0, **more: float | int | str) -> RunCommand:
    return RunCommand(text, "/workspace", uid, uid, Record("command.0", "d"), **more)  # type: ignore[arg-type]  # the defaulted fields, by name


def a_clone(ref: str = "", commit: str = "", *, force: bool = False) -> SyncRepo:
    return SyncRepo(URL, "/workspace/app", ref, 0, commit, force, 0, 0, Record("repo./workspace/app", "d"))


@pytest.fixture
def engine() -> FakeEngine:
    made = FakeEngine(images=("debian:13",))
    made.remotes[URL] = FakeRemote({"main": [FIRST, SECOND], "old": [FIRST]}, tags={"v1": FIRST})
    return made


@pytest.fixture
def box(engine: FakeEngine) -> str:
    box = engine.create_container("shop-workspace", ContainerConfig("debian:13"), LABELS)
    engine.start(box)
    return box


def test_it_is_an_engine(engine: FakeEngine) -> None:
    speaks: Engine = engine
    assert isinstance(speaks, Engine)


def test_calls_are_journalled_by_verb_and_name_and_reads_are_counted(engine: FakeEngine, box: str) -> None:
    engine.perform(box, a_file("/etc/app.conf"))
    engine.containers("shop")
    engine.networks()
    assert engine.calls == [
        ("create_container", "shop-workspace"),
        ("start", "shop-workspace"),
        ("perform", "shop-workspace", "PutFiles", "file./etc/app.conf"),
    ]
    assert engine.reads == 2


def test_a_crash_before_a_call_leaves_it_undone_and_the_client_dead_until_revived(engine: FakeEngine, box: str) -> None:
    engine.crash_before = 2
    engine.create_volume("first", {})
    with pytest.raises(Crashed):
        engine.create_volume("second", {})
    with pytest.raises(Crashed):
        engine.perform(box, a_file("/etc/app.conf"))
    assert engine.crashed
    engine.revive()
    assert [volume.name for volume in engine.volumes()] == ["first"]
    engine.create_volume("second", {})


def test_a_crash_after_a_call_leaves_it_done(engine: FakeEngine) -> None:
    engine.crash_after = 1
    with pytest.raises(Crashed):
        engine.create_volume("first", {})
    engine.revive()
    assert [volume.name for volume in engine.volumes()] == ["first"]


def test_a_call_can_be_made_to_fail_without_effect(engine: FakeEngine, box: str) -> None:
    engine.fail_on = lambda verb, subject: verb == "create_volume" or "PutFiles" in subject
    with pytest.raises(EngineCallFailed):
        engine.create_volume("data", {})
    assert engine.perform(box, a_file("/etc/app.conf")).code == 1
    assert engine.volumes() == ()
    assert engine.probe(box, Questions(files=("/etc/app.conf",))).files == {}


def test_after_a_cancel_every_call_raises_until_a_new_client_comes(engine: FakeEngine) -> None:
    engine.cancel()
    with pytest.raises(Interrupted):
        engine.containers()
    engine.revive()
    assert engine.containers() == ()


def test_commands_change_files_as_their_user_may(engine: FakeEngine, box: str) -> None:
    assert engine.perform(box, a_command("touch /workspace/a\nwrite b some text && mkdir c")).code == 0
    assert engine.perform(box, a_command("touch /workspace/d", uid=1000)).code == 1
    assert engine.perform(box, a_command("touch /tmp/e", uid=1000)).code == 0
    assert engine.perform(box, a_command("touch /no/such/f")).code == 1
    asked = tuple(f"/workspace/{name}" for name in "abcd")
    assert engine.probe(box, Questions(exists=asked)).exists == frozenset(asked[:3])


@pytest.mark.parametrize(("text", "code"), [("true", 0), ("false", 1), ("exit 7; true", 7), ("make install", 0)])
def test_commands_end_with_their_codes(engine: FakeEngine, box: str, text: str, code: int) -> None:
    assert engine.perform(box, a_command(text)).code == code
    assert bool(engine.probe(box, Questions()).ledger) is (code == 0)


def test_a_command_that_fails_once_succeeds_when_tried_again(engine: FakeEngine, box: str) -> None:
    assert engine.perform(box, a_command("fail-once token", retries=1)).code == 0
    assert engine.perform(box, a_command("fail-once other")).code == 1
    assert engine.perform(box, a_command("fail-once other")).code == 0


def test_a_command_that_never_ends_passes_its_deadline(engine: FakeEngine, box: str) -> None:
    with pytest.raises(EngineTimeout):
        engine.perform(box, a_command("sleep-forever"))
    assert engine.perform(box, a_command("sleep-forever", attempt_timeout=1.0)).code == 124


def test_output_is_given_line_by_line(engine: FakeEngine, box: str) -> None:
    lines: list[str] = []
    engine.perform(box, a_command("echo one; echo two"), on_line=lines.append)
    assert lines == ["one", "two"]


def test_tampering_with_files_shows_in_a_probe_and_not_in_the_journal(engine: FakeEngine, box: str) -> None:
    engine.perform(box, a_file("/etc/app.conf"))
    before = list(engine.calls)
    engine.tamper.write_file("shop-workspace", "/etc/app.conf", "by hand")
    engine.tamper.chmod(box, "/etc/app.conf", 0o600)
    engine.tamper.make_undeclared(box, "/opt/tool")
    engine.tamper.remove_file(box, "/etc/motd")
    found = engine.probe(box, Questions(("/etc/app.conf", "/etc/motd"), undeclared=("/",), declared=("/etc",)))
    assert found.files.keys() == {"/etc/app.conf"}
    assert found.files["/etc/app.conf"].mode == 0o600
    assert found.undeclared == ("/opt/tool",)
    assert engine.calls == before


def test_tampering_with_a_repository_shows_in_a_probe(engine: FakeEngine, box: str) -> None:
    assert engine.perform(box, a_clone()).code == 0
    asked = Questions(repos=(RepoQuestion("/workspace/app", "repo./workspace/app"),))
    clean = engine.probe(box, asked).repos["/workspace/app"]
    assert (clean.head, clean.branch, clean.dirty, clean.unpushed, clean.descends) == (SECOND, "main", 0, 0, True)
    engine.tamper.dirty(box, "/workspace/app")
    assert engine.probe(box, asked).repos["/workspace/app"].dirty == 1
    made = engine.tamper.commit(box, "/workspace/app")
    fact = engine.probe(box, asked).repos["/workspace/app"]
    assert (fact.head, fact.dirty, fact.unpushed, fact.descends) == (made, 0, 1, True)
    engine.tamper.set_head(box, "/workspace/app", FIRST)
    fact = engine.probe(box, asked).repos["/workspace/app"]
    assert (fact.head, fact.unpushed, fact.descends) == (FIRST, 0, False)


def test_tampering_with_containers(engine: FakeEngine, box: str) -> None:
    net = engine.create_network("side", {})
    engine.connect(net, box, ())
    engine.tamper.update(box, Limits(pids=99))
    engine.tamper.disconnect(box, "side")
    engine.tamper.pause(box)
    (state,) = engine.containers("shop")
    assert (state.config.pids, [a.network for a in state.networks], state.status) == (99, ["bridge"], "paused")
    engine.tamper.stop(box)
    assert engine.containers("shop")[0].status == "exited"
    engine.tamper.remove(box)
    assert engine.containers("shop") == ()


def test_two_clients_at_once_can_make_two_networks_of_one_name(engine: FakeEngine) -> None:
    first = engine.create_network("side", {})
    second = engine.tamper.race_network("side", {})
    assert [net.id for net in engine.networks() if net.name == "side"] == sorted((first, second))
    engine.remove_network(first)
    assert [net.id for net in engine.networks() if net.name == "side"] == [second]


def test_a_retagged_reference_means_another_image(engine: FakeEngine) -> None:
    other = engine.add_image("other:1")
    engine.tamper.retag("debian:13", other)
    assert engine.images(("debian:13",))["debian:13"].id == other


def test_a_restart_by_hand_empties_the_tmpfs(engine: FakeEngine, box: str) -> None:
    engine.perform(box, PutEnvironment("export A=1\n", 0, 0, b"", Record("environment.workspace", "d")))
    assert engine.probe(box, Questions(exists=(ENV_FILE,))).environment == "export A=1\n"
    engine.tamper.restart(box)
    found = engine.probe(box, Questions(exists=(ENV_FILE, RUN_DIR)))
    assert found.environment is None
    assert found.exists == {RUN_DIR}
    assert found.entry("environment.workspace")


def test_the_ledger_dies_with_the_container_and_a_volume_does_not(engine: FakeEngine) -> None:
    config = ContainerConfig("debian:13", mounts=(Mount("/data", "volume", "shop-data"),))
    first = engine.create_container("first", config, {})
    engine.start(first)
    engine.perform(first, a_file("/data/kept"))
    engine.remove_container(first)
    second = engine.create_container("second", config, {})
    engine.start(second)
    found = engine.probe(second, Questions(exists=("/data/kept",)))
    assert found.ledger == ()
    assert found.exists == {"/data/kept"}


def test_canonical_forgets_ids_windows_and_what_was_put_back(engine: FakeEngine, box: str) -> None:
    fresh = engine.canonical("shop")
    engine.perform(box, a_file("/etc/motd", b"changed"))
    assert engine.canonical("shop") != fresh
    engine.perform(box, RemoveFiles((("file./etc/motd", "/etc/motd"),)))
    assert engine.canonical("shop") == fresh
    engine.remove_container(box)
    again = engine.create_container("shop-workspace", ContainerConfig("debian:13"), LABELS)
    engine.start(again)
    assert engine.canonical("shop") == fresh


@pytest.mark.parametrize(
    "change",
    [
        lambda engine, box: engine.tamper.stop(box),
        lambda engine, box: engine.tamper.update(box, Limits(memory=64 << 20)),
        lambda engine, box: engine.tamper.disconnect(box, "bridge"),
        lambda engine, box: engine.rename(box, "elsewhere"),
        lambda engine, box: engine.perform(box, a_clone()),
        lambda engine, box: engine.perform(box, a_command("true")),
        lambda engine, box: engine.perform(box, PutEnvironment("", 0, 0, b"", Record("environment.w", "d"))),
        lambda engine, _: engine.create_volume("shop-data", LABELS),
        lambda engine, _: engine.create_network("shop", LABELS),
        lambda engine, _: engine.lock("shop", "somebody"),
        lambda engine, _: engine.tamper.retag("debian:13", engine.add_image("other:1")),
    ],
)
def test_canonical_sees_every_change_that_matters(engine: FakeEngine, box: str, change: object) -> None:
    fresh = engine.canonical("shop")
    assert callable(change)
    change(engine, box)
    assert engine.canonical("shop") != fresh


def test_canonical_does_not_see_what_commands_leave_behind(engine: FakeEngine, box: str) -> None:
    fresh = engine.canonical("shop")
    engine.perform(box, RunCommand("touch /opt/x", "/", 0, 0, None))
    assert engine.canonical("shop") == fresh


def test_a_build_with_the_same_input_gives_the_same_image(engine: FakeEngine) -> None:
    build = Build("FROM debian:13\nRUN make \\\n  all\n", "app:1", {"a": "b"})
    engine.build(build)
    first = engine.images(("app:1",))["app:1"]
    engine.build(build)
    assert engine.images(("app:1",))["app:1"] == first
    engine.build(Build(build.dockerfile, build.tag, build.labels, no_cache=True))
    assert engine.images(("app:1",))["app:1"].id != first.id


@pytest.mark.parametrize(
    "dockerfile", ["FROM nowhere:1\n", "RUN true\n", "FROM debian:13\nFROB x\n", "FROM debian:13\nRUN false\n"]
)
def test_a_build_that_cannot_work_fails(engine: FakeEngine, dockerfile: str) -> None:
    with pytest.raises(EngineCallFailed):
        engine.build(Build(dockerfile, "app:1", {}))
    assert engine.images(("app:1",)) == {}


def test_images_are_pulled_only_when_the_registry_has_them(engine: FakeEngine) -> None:
    with pytest.raises(EngineCallFailed):
        engine.pull("alpine:3")
    engine.registry["alpine:3"] = {"from": "registry"}
    engine.pull("alpine:3")
    assert engine.images(("alpine:3",))["alpine:3"].labels == {"from": "registry"}


def test_calls_from_many_threads_leave_one_winner_of_a_name(engine: FakeEngine) -> None:
    won: list[str] = []

    def create(owner: str) -> None:
        if engine.lock("shop", owner):
            won.append(owner)

    threads = [threading.Thread(target=create, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holder = engine.lock_holder("shop")
    assert holder is not None
    assert [holder.owner] == won


def test_nothing_can_be_written_to_a_read_only_root_and_no_record_without_a_place() -> None:
    engine = FakeEngine(images=("debian:13",))
    locked = engine.create_container("locked", ContainerConfig("debian:13", read_only=True), {})
    engine.start(locked)
    assert engine.perform(locked, a_file("/etc/app.conf")).code == 1
    config = ContainerConfig("debian:13", read_only=True, tmpfs=(RUN_DIR, STATE_DIR))
    open_ = engine.create_container("open", config, {})
    engine.start(open_)
    assert engine.perform(open_, a_command("true")).code == 0
    assert engine.perform(open_, a_file("/etc/app.conf")).code == 1


def test_a_thousand_operations_take_little_time(engine: FakeEngine, box: str) -> None:
    started = time.process_time()
    for number in range(1000):
        engine.perform(box, a_file(f"/etc/app-{number % 20}.conf"))
        engine.probe(box, Questions(files=("/etc/app-1.conf",), undeclared=("/",)))
    assert time.process_time() - started < 2.0
