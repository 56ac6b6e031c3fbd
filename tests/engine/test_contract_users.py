"""The account, and the environment's variables."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from envspec.engine.facts import (
    ANCHOR,
    CA_FILE,
    ENV_FILE,
    ROOT_SECRETS_FILE,
    RUN_DIR,
    SEALS_FILE,
    SECRETS_FILE,
    STATE_DIR,
    Account,
    Questions,
    SealedFile,
    Seals,
)
from envspec.engine.objects import Mount
from envspec.engine.operations import (
    Completed,
    EnsureUser,
    FilePut,
    GiveOver,
    PutEnvironment,
    PutFiles,
    ReadEnvironment,
    RestoreEnvironment,
    RunCommand,
    RunFile,
)
from envspec.engine.run_files import READ_SECRETS, exports
from envspec.model import Hidden
from envspec.secrets import seal
from tests.engine.contract import USER, World, note

pytestmark = pytest.mark.engine


def ensure(world: World, box: str, name: str = "dev", uid: int = USER, gid: int = USER, *own: str) -> None:
    world.do(box, EnsureUser(name, uid, gid, own, note("user.dev", path="")))


def account(world: World, box: str, uid: int) -> list[Account]:
    return [found for found in world.engine.probe(box, Questions()).accounts if found.uid == uid]


def put(text: str, ca: bytes = b"", uid: int = USER, digest: str = "d1") -> PutEnvironment:
    return PutEnvironment(text, uid, uid, ca, note("environment.env", digest))


# ── the account ──


def test_an_account_is_made_with_its_home(world: World) -> None:
    box = world.run()
    assert account(world, box, USER) == []
    ensure(world, box)
    (made,) = account(world, box, USER)
    assert (made.name, made.gid, made.home) == ("dev", USER, "/home/dev")
    found = world.engine.probe(box, Questions(files=("/home/dev",)))
    home = found.files["/home/dev"]
    assert (home.type, home.mode, home.uid, home.gid) == ("dir", 0o755, USER, USER)
    assert found.entry("user.dev")


def test_making_it_again_changes_nothing(world: World) -> None:
    box = world.run()
    ensure(world, box)
    before = world.engine.probe(box, Questions()).accounts
    ensure(world, box)
    assert world.engine.probe(box, Questions()).accounts == before


def test_a_uid_that_has_an_account_keeps_its_name(world: World) -> None:
    box = world.run()
    ensure(world, box, "first")
    ensure(world, box, "second")
    assert [found.name for found in account(world, box, USER)] == ["first"]


def test_a_taken_name_gets_the_uid_behind_it(world: World) -> None:
    box = world.run()
    ensure(world, box, "dev", 1000, 1000)
    ensure(world, box, "dev", 1001, 1001)
    (made,) = account(world, box, 1001)
    assert (made.name, made.gid, made.home) == ("dev-1001", 1001, "/home/dev-1001")


def test_an_account_that_podman_made_up_gets_a_home_of_its_own(world: World) -> None:
    box = world.run()
    made_up = f"root:x:0:0:root:/root:/bin/sh\nada:*:{USER}:{USER}::/workspace:/bin/sh\n"
    world.hands.write(box, "/etc/passwd", made_up)
    ensure(world, box)
    (found,) = account(world, box, USER)
    assert (found.name, found.home, found.shell) == ("ada", "/home/ada", "/bin/bash")
    facts = world.engine.probe(box, Questions(files=("/home/ada",))).files
    assert (facts["/home/ada"].uid, facts["/home/ada"].gid) == (USER, USER)


def test_a_group_that_exists_is_used(world: World) -> None:
    box = world.run()
    ensure(world, box, "dev", 1000, 1)
    assert [found.gid for found in account(world, box, 1000)] == [1]


def test_root_is_root_already(world: World) -> None:
    box = world.run()
    before = world.engine.probe(box, Questions()).accounts
    ensure(world, box, "root", 0, 0)
    found = world.engine.probe(box, Questions())
    assert found.accounts == before
    assert found.entry("user.dev")


def test_only_the_top_of_a_roots_volume_is_given_to_the_user(world: World) -> None:
    mounts = (Mount("/data", "volume", world.volume()), Mount("/more", "volume", world.volume()))
    box = world.run(mounts=mounts)
    world.hands.write(box, "/data/of-root", "x")
    ensure(world, box, "dev", USER, USER, "/data")
    facts = world.engine.probe(box, Questions(files=("/data", "/data/of-root", "/more"))).files
    assert {path: fact.uid for path, fact in facts.items()} == {"/data": USER, "/data/of-root": 0, "/more": 0}
    ensure(world, box, "other", 1001, 1001, "/data")
    assert world.engine.probe(box, Questions(files=("/data",))).files["/data"].uid == USER


def written(path: str, uid: int) -> FilePut:
    return FilePut(path, b"x", 0o644, uid, uid, note(f"file.{path}", path=path))


def test_what_was_made_is_given_over_and_nothing_else(world: World) -> None:
    mounts = (Mount("/workspace", "volume", world.volume()), Mount("/workspace/app/sub", "volume", world.volume()))
    box = world.run(mounts=mounts)
    ensure(world, box, "dev", USER, USER, "/workspace")
    declared, own, of_root, beneath = (
        f"/workspace/{path}" for path in ("conf/sub/a", "app/own/b", "app/c", "app/sub/d")
    )
    files = (written(declared, USER), written(own, USER), written(of_root, 0), written(beneath, USER))
    world.do(box, PutFiles(files))
    world.shell(box, "touch theirs", uid=USER, workdir="/workspace")
    gone = GiveOver(USER, 1001, 1002, ("/workspace",), ("/workspace/app",), ((f"file.{declared}", declared),))
    world.do(box, gone)
    given = ("/workspace", "/workspace/conf", "/workspace/conf/sub", "/workspace/app/own", own)
    kept = (declared, of_root, beneath, "/workspace/theirs")
    facts = world.engine.probe(box, Questions(files=tuple(sorted((*given, *kept))))).files
    assert {(facts[path].uid, facts[path].gid) for path in given} == {(1001, 1002)}
    assert [facts[path].uid for path in kept] == [USER, 0, USER, USER]


# ── the variables ──


def test_the_variables_are_in_the_tmpfs_and_nobody_but_root_changes_them(world: World, box: str) -> None:
    text = "export A='it'\"'\"'s'\nexport B='two\nlines'\n"
    world.do(box, put(text))
    found = world.engine.probe(box, Questions(files=(ENV_FILE,)))
    assert found.environment == text
    assert (found.files[ENV_FILE].mode, found.files[ENV_FILE].uid, found.files[ENV_FILE].gid) == (0o444, 0, 0)
    assert found.entry("environment.env")


def test_the_variables_are_replaced_as_a_whole(world: World, box: str) -> None:
    world.do(box, put("export A=1\nexport B=2\n"))
    world.do(box, put("export C=3\n", digest="d2"))
    found = world.engine.probe(box, Questions())
    entry = found.entry("environment.env")
    assert found.environment == "export C=3\n"
    assert entry is not None
    assert entry.digest == "d2"


def test_no_variables_are_an_empty_file(world: World, box: str) -> None:
    world.do(box, put(""))
    assert world.engine.probe(box, Questions()).environment == ""


def test_the_ca_bundle_comes_and_goes(world: World, box: str) -> None:
    bundle = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    world.do(box, put("export A=1\n", bundle))
    fact = world.engine.probe(box, Questions(files=(CA_FILE,))).files[CA_FILE]
    assert (fact.sha256, fact.mode & 0o444) == (hashlib.sha256(bundle).hexdigest(), 0o444)
    world.do(box, put("export A=1\n"))
    assert world.exists(box, CA_FILE) == frozenset()


def test_without_the_tmpfs_nothing_is_written(world: World) -> None:
    box = world.run(tmpfs=())
    done: Completed = world.engine.perform(box, put("export A=1\n"))
    assert done.code != 0
    found = world.engine.probe(box, Questions())
    assert (found.environment, found.ledger) == (None, ())


def test_the_environment_can_be_kept_over_a_restart(world: World) -> None:
    box = world.run()
    world.do(box, put("export A=1\n", b"bundle"))
    asked = Questions(files=(CA_FILE, ENV_FILE))
    before = world.engine.probe(box, asked)
    kept = world.do(box, ReadEnvironment()).stdout
    world.engine.stop(box, grace=0)
    world.engine.start(box)
    assert world.engine.probe(box, asked).environment is None
    world.do(box, RestoreEnvironment(kept))
    after = world.engine.probe(box, asked)
    assert (after.environment, after.files) == (before.environment, before.files)


def test_the_systems_store_trusts_the_cas_that_are_named_and_forgets_earlier_ones(world: World) -> None:
    box = world.run()
    first, second = b"-----BEGIN CERTIFICATE-----\none\n", b"-----BEGIN CERTIFICATE-----\ntwo\n"
    anchors = Questions(files=tuple(ANCHOR.format(number) for number in (1, 2)), undeclared=("/",))
    for trusted in ((first, second), (second,), ()):
        world.do(box, replace(put("export A=1\n"), trusted=trusted))
        answer = world.engine.probe(box, anchors)
        assert [(answer.files[path].sha256, answer.files[path].mode) for path in sorted(answer.files)] == [
            (hashlib.sha256(pem).hexdigest(), 0o644) for pem in trusted
        ]
        assert answer.undeclared == ()


# ── secrets ──


def secretly(text: str = "", digest: str = "d1", **secrets: str) -> PutEnvironment:
    hidden = tuple((name, Hidden(value)) for name, value in sorted(secrets.items()))
    return PutEnvironment(text, USER, USER, b"", note("environment.env", digest), hidden)


def seals(world: World, box: str) -> Seals:
    found = world.engine.probe(box, Questions()).seals
    assert found is not None
    return found


def test_secrets_are_told_by_their_seals_alone(world: World, box: str) -> None:
    world.do(box, secretly(READ_SECRETS, TOKEN="canary-1"))
    answer = world.engine.probe(box, Questions(files=(SECRETS_FILE, ROOT_SECRETS_FILE, SEALS_FILE)))
    assert "canary" not in repr(answer)
    assert answer.environment == READ_SECRETS
    assert answer.seals is not None
    assert answer.seals.present == ("TOKEN",)
    assert answer.seals.variables == {"TOKEN": seal(answer.seals.key, b"TOKEN=canary-1")}
    assert {path: (file.mode, file.uid) for path, file in answer.files.items()} == {
        SECRETS_FILE: (0o400, USER),
        ROOT_SECRETS_FILE: (0o400, 0),
        SEALS_FILE: (0o400, 0),
    }


def test_every_writing_has_a_key_of_its_own(world: World, box: str) -> None:
    world.do(box, secretly(READ_SECRETS, TOKEN="canary-1"))
    first = seals(world, box)
    world.do(box, secretly(READ_SECRETS, TOKEN="canary-1"))
    second = seals(world, box)
    assert first.key != second.key
    assert first.variables != second.variables


def test_a_hand_that_changes_a_secret_is_seen(world: World, box: str) -> None:
    world.do(box, secretly(READ_SECRETS, TOKEN="canary-1"))
    before = seals(world, box)
    assert before.files["secrets"].seal == seal(before.key, exports([("TOKEN", "canary-1")]).encode())
    world.hands.write(box, SECRETS_FILE, "export TOKEN=other\n")
    after = seals(world, box)
    assert after.key == before.key
    assert after.files["secrets"].seal == seal(after.key, b"export TOKEN=other\n")


def test_files_of_the_tmpfs_come_and_go(world: World, box: str) -> None:
    content = Hidden("a key\n\x00\udcff")
    kept, gone = (RunFile(f"ssh/{name}", content, 0o440, USER, 7) for name in ("id kept", "gone"))
    wish = secretly(digest="d1")
    world.do(box, replace(wish, files=(kept, gone)))
    found = seals(world, box)
    expected = SealedFile(0o440, USER, 7, seal(found.key, b"a key\n\x00\xff"))
    assert found.files == {"ssh/id kept": expected, "ssh/gone": expected}
    assert found.others == (f"{RUN_DIR}/ssh/gone", f"{RUN_DIR}/ssh/id kept")
    world.do(box, replace(wish, files=(kept,)))
    assert set(seals(world, box).files) == {"ssh/id kept"}
    assert world.exists(box, f"{RUN_DIR}/ssh/gone", f"{RUN_DIR}/ssh/id kept") == {f"{RUN_DIR}/ssh/id kept"}


def test_the_last_secret_leaves_nothing_behind(world: World, box: str) -> None:
    world.do(box, secretly(READ_SECRETS, TOKEN="canary-1"))
    world.do(box, secretly())
    assert seals(world, box).present == ()
    assert world.exists(box, SECRETS_FILE, ROOT_SECRETS_FILE) == frozenset()


def test_secrets_can_be_kept_over_a_restart(world: World) -> None:
    box = world.run()
    world.do(box, replace(secretly(READ_SECRETS, A="canary-1"), files=(RunFile("a/b", "x", 0o400, USER, USER),)))
    before = seals(world, box)
    kept = world.do(box, ReadEnvironment()).stdout
    world.engine.stop(box, grace=0)
    world.engine.start(box)
    assert world.engine.probe(box, Questions()).seals is None
    world.do(box, RestoreEnvironment(kept))
    assert seals(world, box) == before


def test_what_is_hidden_is_masked_in_what_operations_print(world: World, box: str) -> None:
    world.engine.hide("canary-printed")
    lines: list[str] = []
    command = RunCommand("echo see canary-printed", "/", 0, 0, None)
    done = world.engine.perform(box, command, on_line=lines.append)
    assert (lines, done.stdout) == (["see ***"], b"see ***\n")


def test_a_user_without_a_name_gets_volumes_and_no_account(world: World) -> None:
    volume = world.volume()
    box = world.run(mounts=(Mount("/data", "volume", volume),), read_only=True, tmpfs=(RUN_DIR, STATE_DIR))
    world.do(box, EnsureUser("", USER, USER, ("/data",), note("user.workspace")))
    answer = world.engine.probe(box, Questions(files=("/data",)))
    assert (answer.files["/data"].uid, answer.files["/data"].gid) == (USER, USER)
    assert all(account.uid != USER for account in answer.accounts)
