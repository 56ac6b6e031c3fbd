"""Copies against the fake engine: where things land, whose they are, and that nothing unsafe comes out."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envspec import api
from envspec.cli.commands.cp_command import _parse
from envspec.cli.progress import copy_line
from envspec.engine.archive import PathFact
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig, Mount
from envspec.engine.operations import Completed, Operation, RunCommand
from envspec.errors import EngineCallFailed, EnvspecError, Refused, StepFailed, UsageError
from envspec.events import CopyProgress, Event
from envspec.inside.copy_out import stays_inside
from envspec.inside.copy_progress import Counted, Meter

LABELS = {"dev.envspec.env": "shop"}
OWNER = (1000, 1001)


@pytest.fixture
def engine() -> FakeEngine:
    made = FakeEngine(images=("debian:13",))
    mounts = (Mount("/data", "volume", "shop-data"), Mount("/tmp/kept", "volume", "shop-kept"))
    config = ContainerConfig("debian:13", user="1000:1001", tmpfs=("/run/envspec", "/tmp"), mounts=mounts)
    made.start(made.create_container("shop-workspace", config, LABELS))
    return made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    (top / "a").write_text("a")
    (top / "a").chmod(0o640)
    os.utime(top / "a", (1_000_000, 1_000_000))
    (top / "sub" / "b").write_text("bb")
    (top / "sub" / "link").symlink_to("../a")
    return top


def inside(engine: FakeEngine, path: str) -> tuple[str, int, int, int, bytes]:
    node = engine.container("shop-workspace").tree.get(path)
    assert node is not None, path
    return node.type, node.mode, node.uid, node.gid, node.content


def code(error: pytest.ExceptionInfo[EnvspecError]) -> str:
    return error.value.code


# ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tree_lands_in_a_directory_under_its_name_and_belongs_to_the_user(engine: FakeEngine, tree: Path) -> None:
    copied = api.copy_in(tree, "shop", "/workspace", engine=engine)
    assert (copied.target, copied.files, copied.bytes, copied.left_out) == ("/workspace/tree", 3, 3, ())
    assert inside(engine, "/workspace/tree/a") == ("file", 0o640, *OWNER, b"a")
    assert inside(engine, "/workspace/tree/sub")[:1] == ("dir",)
    assert inside(engine, "/workspace/tree/sub/link") == ("link", 0o777, *OWNER, b"../a")


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("tree/.", "/data", "/data/a"),
        ("tree", "/data/named", "/data/named/a"),
        ("tree", "sub/", "/workspace/sub/a"),
        ("tree/a", "/data", "/data/a"),
        ("tree/a", "renamed", "/workspace/renamed"),
        ("tree/sub/link", "/data/followed", "/data/followed"),
    ],
)
def test_where_it_lands(  # the rules are those of `cp -r`
    engine: FakeEngine, tree: Path, source: str, destination: str, expected: str
) -> None:
    api.copy_in(f"{tree.parent}/{source}", "shop", destination, engine=engine)
    assert inside(engine, expected) == ("file", 0o640, *OWNER, b"a")


def test_the_directory_that_contents_are_merged_into_stays_whose_it_is(engine: FakeEngine, tree: Path) -> None:
    before = inside(engine, "/data")
    api.copy_in(f"{tree}/.", "shop", "/data", engine=engine)
    assert inside(engine, "/data") == before


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("/nowhere/deep", "copy.no_directory"),
        ("/etc/passwd", "copy.no_directory"),
        ("/run/envspec", "copy.tmpfs"),
        ("/run/envspec/env", "copy.tmpfs"),
        ("/run/../run/./envspec/x", "copy.tmpfs"),
        ("/proc/x", "copy.tmpfs"),
        ("/a\nb", "copy.path"),
    ],
)
def test_where_nothing_can_land(engine: FakeEngine, tree: Path, destination: str, expected: str) -> None:
    with pytest.raises(EnvspecError) as error:
        api.copy_in(tree, "shop", destination, engine=engine)
    assert code(error) == expected
    assert error.value.hint


def test_a_link_to_a_tmpfs_is_one_too(engine: FakeEngine, tree: Path) -> None:
    api.copy_in(link(tree, "/run/envspec"), "shop", "/data", engine=engine)
    with pytest.raises(Refused) as error:
        api.copy_in(tree, "shop", "/data/links/l", engine=engine)
    assert code(error) == "copy.tmpfs"


def test_a_volume_below_a_tmpfs_can_be_copied_to(engine: FakeEngine, tree: Path) -> None:
    assert api.copy_in(tree / "a", "shop", "/tmp/kept", engine=engine).target == "/tmp/kept/a"


def test_what_is_neither_file_nor_directory_is_left_out_and_named(engine: FakeEngine, tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    copied = api.copy_in(tree, "shop", "/data", engine=engine)
    assert [item.path for item in copied.left_out] == ["pipe"]
    assert copied.files == 3


def test_a_stream_is_unpacked_owned_by_the_user_and_kept_below(engine: FakeEngine) -> None:
    stream = packed(("x/f", "file", "F"), ("x/dev", "device", ""), ("./y", "file", "Y"))
    copied = api.copy_in(stream, "shop", "/data", engine=engine)
    assert inside(engine, "/data/x/f") == ("file", 0o644, *OWNER, b"F")
    assert inside(engine, "/data/y")[4] == b"Y"
    assert [item.path for item in copied.left_out] == ["x/dev"]
    with pytest.raises(UsageError) as error:
        api.copy_in(packed(("../out", "file", "")), "shop", "/data", engine=engine)
    assert code(error) == "copy.unsafe"
    with pytest.raises(UsageError) as error:
        api.copy_in(packed(("l", "link", "/etc"), ("l/out", "file", "")), "shop", "/data", engine=engine)
    assert code(error) == "copy.unsafe"
    with pytest.raises(StepFailed) as failed:
        api.copy_in(io.BytesIO(b"no tar" * 1000), "shop", "/data", engine=engine)
    assert code(failed) == "copy.unreadable"


def test_it_works_on_a_stopped_environment_and_through_links(engine: FakeEngine, tree: Path) -> None:
    api.copy_in(link(tree, "/data/links"), "shop", "/data", engine=engine)
    engine.tamper.stop("shop-workspace")
    assert api.copy_in(tree / "a", "shop", "/data", engine=engine).target == "/data/a"
    assert api.copy_in(tree / "a", "shop", "/data/links/l", engine=engine).target == "/data/links/a"


@pytest.mark.parametrize("running", [True, False])
def test_a_link_of_the_users_to_what_is_roots_is_not_followed(engine: FakeEngine, tree: Path, running: bool) -> None:
    api.copy_in(link(tree, "/etc"), "shop", "/data", engine=engine)
    if not running:
        engine.tamper.stop("shop-workspace")
    for destination in ("/data/links/l", "/data/links/l/new", "/data/links/l/passwd"):
        with pytest.raises(Refused) as error:
            api.copy_in(tree / "a", "shop", destination, engine=engine)
        assert code(error) == "copy.foreign_link"
        assert "/data/links/l" in error.value.message
        assert "ENV:/etc" in error.value.hint
    with pytest.raises(Refused) as error:
        api.copy_in(packed(("y", "file", "Y")), "shop", "/data/links/l", engine=engine)
    assert code(error) == "copy.foreign_link"
    assert engine.container("shop-workspace").tree.get("/etc/a") is None


def test_an_environment_or_a_source_that_is_not_there(engine: FakeEngine, tree: Path) -> None:
    for source, env, expected in ((tree, "nobody", "env.unknown"), (tree / "none", "shop", "copy.missing")):
        with pytest.raises(UsageError) as error:
            api.copy_in(source, env, "/data", engine=engine)
        assert code(error) == expected


# ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("tree", ".", "tree/a"),
        ("tree", "named", "named/a"),
        ("tree/.", "there", "there/a"),
        ("/workspace/tree/a", ".", "a"),
        ("/workspace/tree/a", "renamed", "renamed"),
    ],
)
def test_where_it_comes_out(engine: FakeEngine, tree: Path, source: str, destination: str, expected: str) -> None:
    api.copy_in(tree, "shop", "/workspace", engine=engine)
    tmp_path = tree.parent
    out = tmp_path / "out"
    (out / "there").mkdir(parents=True)
    api.copy_out("shop", source, out / destination, engine=engine)
    assert (out / expected).read_text() == "a"
    assert (out / expected).stat().st_mode & 0o7777 == 0o640


def test_links_within_the_copy_come_along(engine: FakeEngine, tree: Path, tmp_path: Path) -> None:
    api.copy_in(tree, "shop", "/workspace", engine=engine)
    copied = api.copy_out("shop", "tree", tmp_path / "out", engine=engine)
    assert (copied.files, copied.left_out) == (3, ())
    assert (tmp_path / "out" / "sub" / "link").readlink() == Path("../a")


def test_a_stream_comes_out_without_what_is_unsafe(engine: FakeEngine, tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "abs").symlink_to("/etc/passwd")
    api.copy_in(tree, "shop", "/workspace", engine=engine)
    out = io.BytesIO()
    copied = api.copy_out("shop", "tree", out, engine=engine)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        assert sorted(tar.getnames()) == ["tree", "tree/a", "tree/sub", "tree/sub/b", "tree/sub/link"]
    assert [item.path for item in copied.left_out] == ["abs"]


HOSTILE = [
    (("t/dev", "device", ""), "dev"),
    (("t/pipe", "fifo", ""), "pipe"),
    (("t/abs", "link", "/etc/passwd"), "abs"),
    (("t/up", "link", "../x"), "up"),
    (("t/sub/up", "link", "../../x"), "sub/up"),
    (("t/tricky", "link", "sub/../../x"), "tricky"),
    (("t/hard", "hard", "../../etc/passwd"), None),
    (("t/hard", "hard", "t/not-there"), "hard"),
    (("t/hard", "hard", "/etc/passwd"), "hard"),
    (("t/../../x", "file", "x"), None),
]
"""A member, and as what it is left out; ``None`` where all is refused, for no honest engine sends it."""


@pytest.mark.parametrize(("member", "left_out"), HOSTILE)
def test_what_is_hostile_does_not_come_out(
    engine: FakeEngine, tmp_path: Path, member: tuple[str, str, str], left_out: str | None
) -> None:
    (tmp_path / "x").write_text("mine")
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    sends(engine, ("t", "dir", ""), ("t/sub", "dir", ""), member, ("t/good", "file", "good"))
    if left_out is None:
        with pytest.raises(StepFailed) as error:
            api.copy_out("shop", "/data", out / "t", engine=engine)
        assert code(error) == "copy.unsafe"
    else:
        copied = api.copy_out("shop", "/data", out / "t", engine=engine)
        assert [item.path for item in copied.left_out] == [left_out]
        assert sorted(path.name for path in (out / "t").rglob("*")) == ["good", "sub"]
    assert (tmp_path / "x").read_text() == "mine"
    assert not (tmp_path / "deep" / "x").exists()


def test_links_that_are_there_already_are_never_followed(engine: FakeEngine, tmp_path: Path) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    (out / "t").mkdir(parents=True)
    (out / "t" / "sub").symlink_to(elsewhere)
    sends(engine, ("t", "dir", ""), ("t/sub", "dir", ""), ("t/sub/f", "file", "f"))
    with pytest.raises(StepFailed) as error:
        api.copy_out("shop", "/data/.", out / "t", engine=engine)
    assert code(error) == "copy.unwritable"
    (out / "t2").mkdir()
    (out / "t2" / "f").symlink_to(elsewhere / "precious")
    (out / "t2" / "gone").symlink_to(elsewhere)
    sends(engine, ("t", "dir", ""), ("t/f", "file", "f"), ("t/l", "link", "gone/precious"))
    copied = api.copy_out("shop", "/data/.", out / "t2", engine=engine)
    assert (out / "t2" / "f").read_text() == "f"
    assert not (out / "t2" / "f").is_symlink()
    assert [item.path for item in copied.left_out] == ["l"]
    assert list(elsewhere.iterdir()) == []


def test_neither_setuid_nor_anybody_elses_write_permission_comes_out(engine: FakeEngine, tmp_path: Path) -> None:
    sends(engine, ("t", "dir", ""), ("t/f", "file", "f", 0o6777), ("t/g", "hard", "t/f"))
    api.copy_out("shop", "/data", tmp_path / "t", engine=engine)
    assert (tmp_path / "t" / "f").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "t" / "g").samefile(tmp_path / "t" / "f")


def test_a_file_that_breaks_off_does_not_appear(engine: FakeEngine, tmp_path: Path) -> None:
    whole = packed(("t", "dir", ""), ("t/f", "file", "f" * 100_000)).getvalue()
    given(engine, io.BytesIO(whole[:5000]))
    with pytest.raises(StepFailed) as error:
        api.copy_out("shop", "/data", tmp_path / "t", engine=engine)
    assert code(error) == "copy.broken_off"
    assert list((tmp_path / "t").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("l", "a", True),
        ("l", "./sub/a", True),
        ("sub/l", "../a", True),
        ("l", "..", False),
        ("sub/l", "../..", False),
        ("l", "/a", False),
        ("sub/l", "deep/../a", False),
        ("", "a", False),
    ],
)
def test_which_links_stay_inside(path: str, target: str, expected: bool) -> None:
    assert stays_inside(path, target) is expected


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_progress_is_told_once_a_second() -> None:
    now, told = [0.0], list[Event]()
    meter = Meter("big", 400, told.append, clock=lambda: now[0])
    for moment in (0.5, 1.0, 1.5, 2.5):
        now[0] = moment
        meter.add(100)
    assert told == [CopyProgress("big", 200, 400), CopyProgress("big", 400, 400)]
    assert copy_line(CopyProgress("big", 1 << 20, 4 << 20)) == "big: 1.0 MiB of 4.0 MiB, 25 %"
    assert copy_line(CopyProgress("big", 1 << 20, 0)) == "big: 1.0 MiB"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop:/a", ("shop", "/a")),
        ("shop:", ("shop", "")),
        ("shop:a:b", ("shop", "a:b")),
        ("./a:b", None),
        ("/a:b", None),
        ("a", None),
        ("-", None),
        (":a", None),
    ],
)
def test_what_names_an_environment(text: str, expected: tuple[str, str] | None) -> None:
    assert _parse(text) == expected


# ── what the tests stand on ──────────────────────────────────────────────────────────────────────────────────────

KINDS = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "link": tarfile.SYMTYPE,
    "hard": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "fifo": tarfile.FIFOTYPE,
}


def packed(*members: tuple[str, str, str] | tuple[str, str, str, int]) -> io.BytesIO:
    """Return a tar stream of members: name, kind, content or where it leads, and mode."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, text, *mode in members:
            info = tarfile.TarInfo(name)
            info.type = KINDS[kind]
            info.mode = mode[0] if mode else 0o755 if kind == "dir" else 0o644
            content = text.encode() if kind == "file" else b""
            info.size, info.linkname = len(content), text if kind in ("link", "hard") else ""
            tar.addfile(info, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def sends(engine: FakeEngine, *members: tuple[str, str, str] | tuple[str, str, str, int]) -> None:
    """Let the engine send a stream whatever is asked of it."""
    given(engine, packed(*members))


def given(engine: FakeEngine, stream: io.BytesIO) -> None:
    @contextmanager
    def read_archive(container_id: str, path: str) -> Iterator[io.BufferedIOBase]:
        del container_id, path
        yield stream

    engine.read_archive = read_archive  # type: ignore[method-assign]  # a hostile one in its place


def link(tree: Path, target: str) -> Path:
    """Return a directory that holds one link."""
    directory = tree.parent / "links"
    directory.mkdir()
    (directory / "l").symlink_to(target)
    return directory


# ── holes, old files and full disks ──────────────────────────────────────────────────────────────────────────────


def test_a_hole_does_not_fill_the_engines_disk(engine: FakeEngine, tmp_path: Path) -> None:
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Refused) as refused:
        api.copy_in(str(tmp_path), "shop", "/srv", engine=engine)
    assert code(refused) == "copy.holes"
    assert "envspec exec shop -- tar -xf -" in refused.value.hint
    assert engine.container("shop-workspace").tree.get("/srv/hole") is None


def test_a_hole_does_not_fill_this_hosts_disk(engine: FakeEngine, tmp_path: Path) -> None:
    content = bytes(3 << 20) + b"x" + bytes(5 << 20)
    (tmp_path / "hole").write_bytes(content)
    api.copy_in(str(tmp_path / "hole"), "shop", "/srv/", engine=engine)
    api.copy_out("shop", "/srv/hole", str(tmp_path / "back"), engine=engine)
    back = tmp_path / "back"
    assert back.read_bytes() == content
    assert back.stat().st_blocks * 512 <= 2 << 20


def test_a_full_disk_here_says_what_arrived_and_leaves_no_half_file(
    engine: FakeEngine, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.copy_in(str(tree), "shop", "/srv", engine=engine)

    def read(self: Counted, size: int | None = -1, /) -> bytes:
        if self._meter.files == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain(self, size)

    plain = Counted.read
    monkeypatch.setattr(Counted, "read", read)
    with pytest.raises(StepFailed) as caught:
        api.copy_out("shop", "/srv/tree", str(tmp_path / "back"), engine=engine)
    assert code(caught) == "copy.no_space"
    assert caught.value.message.endswith(": 1 file is there, each whole")
    assert sorted(path.name for path in (tmp_path / "back").rglob("*") if path.is_file()) == ["a"]


class OnThisHost(FakeEngine):
    """An engine whose container is a directory of this host, on a disk that is full after some bytes."""

    full_after = 1 << 20

    def perform(self, container_id: str, operation: Operation, **_: object) -> Completed:
        """Run a command here."""
        assert container_id
        assert isinstance(operation, RunCommand)
        done = subprocess.run(["sh", "-e", "-c", operation.command], capture_output=True, check=False)
        return Completed(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def write_archive(self, container_id: str, directory: str, owner: tuple[int, int] = (0, 0)) -> Iterator[io.BytesIO]:
        """Unpack as the engines do: without a time before 1970, and the last file as far as it goes."""
        assert owner
        sink = io.BytesIO()
        yield sink
        left = self.full_after
        with tarfile.open(fileobj=io.BytesIO(sink.getvalue())) as tar:
            for info in tar:
                file, content = Path(directory) / info.name, tar.extractfile(info)
                assert content is not None
                file.write_bytes(content.read(left))
                os.utime(file, (0, max(0, info.mtime)))
                left -= info.size
                if left < 0:
                    raise EngineCallFailed(f"cannot write to {directory}: {container_id}: No space left on device")

    def find_path(self, container_id: str, path: str) -> PathFact:
        """Say where a path of this host leads."""
        assert container_id
        return PathFact("dir" if Path(path).is_dir() else "file" if Path(path).exists() else "", path)


@pytest.fixture
def host() -> OnThisHost:
    made = OnThisHost(images=("debian:13",))
    made.start(made.create_container("shop-workspace", ContainerConfig("debian:13", user="0:0"), LABELS))
    return made


def test_a_full_disk_inside_says_what_arrived_and_leaves_no_half_file(host: OnThisHost, tmp_path: Path) -> None:
    source, target = tmp_path / "it's", tmp_path / "the target"
    source.mkdir()
    target.mkdir()
    for name in ("a", "b", "c", "d"):
        (source / name).write_bytes(b"x" * 400_000)
    with pytest.raises(EngineCallFailed) as caught:
        api.copy_in(f"{source}/.", "shop", str(target), engine=host)
    assert code(caught) == "copy.no_space"
    assert caught.value.message.endswith(f"; 2 of the files sent arrived whole, {target}/c was cut off and is removed")
    assert sorted(path.name for path in target.iterdir()) == ["a", "b"]


def test_a_file_from_1969_keeps_its_time(host: OnThisHost, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")
    os.utime(tmp_path / "old", (-86400, -86400))
    (tmp_path / "in").mkdir()
    assert api.copy_in(str(tmp_path / "old"), "shop", f"{tmp_path}/in/", engine=host).notes == ()
    assert (tmp_path / "in" / "old").stat().st_mtime == -86400


def test_where_no_time_before_1970_can_be_set_that_is_said(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")
    os.utime(tmp_path / "old", (-86400, -86400))
    engine.stop(engine.container("shop-workspace").id)
    (note,) = api.copy_in(str(tmp_path / "old"), "shop", "/srv/", engine=engine).notes
    assert note.startswith("/srv/old is from before 1970")
