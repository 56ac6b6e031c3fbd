"""Whether a container still has what lies at the source of its bind, from what the kernel shows of its process."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.engine import binds
from envspec.engine.objects import Mount

PID = 7


class Process:
    """A process as ``/proc`` shows it, whose root is a directory; hard links stand for binds."""

    def __init__(self, directory: Path) -> None:
        self.proc, self.host = directory / "proc", directory / "host"
        self.root = self.proc / str(PID) / "root"
        for path in (self.root / "etc", self.proc / str(PID) / "ns", self.proc / "self" / "ns", self.host):
            path.mkdir(parents=True)
        (self.proc / str(PID) / "ns" / "mnt").touch()
        (self.proc / "self" / "ns" / "mnt").touch()
        self.mounted("/etc/conf")

    def mounted(self, *points: str) -> None:
        lines = (f"36 35 98:0 / {point} rw,noatime - ext4 /dev/root rw\n" for point in points)
        (self.proc / str(PID) / "mountinfo").write_text("".join(lines))

    def replaced(self, *mounts: Mount) -> tuple[str, ...]:
        return binds.replaced(PID, mounts, self.proc)


@pytest.fixture
def process(tmp_path: Path) -> Process:
    made = Process(tmp_path)
    (made.host / "conf").write_text("one")
    (made.root / "etc" / "conf").hardlink_to(made.host / "conf")
    return made


def conf(process: Process, target: str = "/etc/conf") -> Mount:
    return Mount(target, "bind", str(process.host / "conf"))


def another(process: Process) -> None:
    (process.host / "new").write_text("two")
    (process.host / "new").replace(process.host / "conf")


def test_a_file_that_an_editor_replaced_is_found(process: Process) -> None:
    assert process.replaced(conf(process)) == ()
    (process.host / "conf").write_text("written in place")
    assert process.replaced(conf(process)) == ()
    another(process)
    assert process.replaced(conf(process)) == ("/etc/conf",)
    assert process.replaced(Mount("/etc/conf", "volume", "conf")) == ()


def test_a_link_inside_is_followed_inside(process: Process) -> None:
    (process.root / "link").symlink_to("/etc")
    another(process)
    assert process.replaced(conf(process, "/link/conf")) == ("/link/conf",)
    (process.root / "link").unlink()
    (process.root / "link").symlink_to("/link")
    assert process.replaced(conf(process, "/link/conf")) == ()


def test_nothing_is_said_of_what_cannot_be_told(process: Process) -> None:
    another(process)
    process.mounted("/etc")
    assert process.replaced(conf(process)) == ()
    process.mounted("/etc/conf")
    (process.host / "conf").unlink()
    assert process.replaced(conf(process)) == ()
    assert binds.replaced(PID + 1, (conf(process),), process.proc) == ()


def test_a_process_of_our_own_namespace_is_not_the_containers(process: Process) -> None:
    another(process)
    own = process.proc / "self" / "ns" / "mnt"
    own.unlink()
    own.hardlink_to(process.proc / str(PID) / "ns" / "mnt")
    assert process.replaced(conf(process)) == ()


def test_what_is_said_inside_counts_on_this_kernel_only(process: Process) -> None:
    boot = Path(binds.BOOT_ID).read_text()
    found = (process.host / "conf").stat()
    same = f"{found.st_dev}:{found.st_ino}"
    mounts = (Mount("/data", "volume", "v"), conf(process))
    assert binds.replaced_by_answer(mounts, f"{boot}{same}\n") == ()
    assert binds.replaced_by_answer(mounts, f"{boot}1:1\n") == ("/etc/conf",)
    assert binds.replaced_by_answer(mounts, "another-kernel\n1:1\n") == ()
    for answer in ("", boot, f"{boot}\n", f"{boot}{same}\nmore\n"):
        assert binds.replaced_by_answer(mounts, answer) == ()
