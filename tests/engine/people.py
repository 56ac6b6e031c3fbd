"""Who runs envspec in the tests: root, and somebody who is not."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.e2e import ROOT

UID = 1000
SOCKET = Path("/var/run/docker.sock")
UNPRIVILEGED = "evt-user"
SUBORDINATE = "400000000-400065535"  # far above what useradd gives out
LOCK = Path(tempfile.gettempdir()) / "evt-user.lock"


@contextmanager
def account() -> Iterator[pwd.struct_passwd]:
    """Give the account of uid 1000; where this host has none, one is made, and the last who needs it removes it."""
    with LOCK.open("w") as lock:
        while not _has_account():
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _has_account():
                subprocess.run(["useradd", "--uid", str(UID), "--no-create-home", UNPRIVILEGED], check=True)
            fcntl.flock(lock, fcntl.LOCK_SH)
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            yield pwd.getpwuid(UID)
        finally:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if pwd.getpwuid(UID).pw_name == UNPRIVILEGED:
                    subprocess.run(["userdel", UNPRIVILEGED], check=True)


def _has_account() -> bool:
    return any(entry.pw_uid == UID for entry in pwd.getpwall())


@contextmanager
def subordinate_ids(entry: pwd.struct_passwd) -> Iterator[None]:
    """Give an account the ids that its containers' users get, which a host's own account may not have (subuid(5))."""
    lacking = [kind for kind in ("uid", "gid") if not _has_subordinate(Path(f"/etc/sub{kind}"), entry)]
    for kind in lacking:
        subprocess.run(["usermod", f"--add-sub{kind}s", SUBORDINATE, entry.pw_name], check=True)
    try:
        yield
    finally:
        for kind in lacking:
            subprocess.run(["usermod", f"--del-sub{kind}s", SUBORDINATE, entry.pw_name], check=True)


def _has_subordinate(path: Path, entry: pwd.struct_passwd) -> bool:
    lines = path.read_text().splitlines() if path.exists() else []
    return any(line.split(":")[0] in (entry.pw_name, str(entry.pw_uid)) for line in lines)


def become(entry: pwd.struct_passwd) -> tuple[str, ...]:
    """Return the words that run a command as somebody who is in the group of the engine's socket."""
    assert _readable_for_all(ROOT), f"{ROOT} must be readable for all"
    assert _readable_for_all(Path(sys.prefix)), f"{sys.prefix} must be readable for all"
    docker_gid = SOCKET.stat().st_gid
    groups = {docker_gid, *os.getgrouplist(entry.pw_name, entry.pw_gid)}
    assert grp.getgrgid(docker_gid).gr_gid != 0, "the engine's socket belongs to no group but root's"
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    ids = ",".join(str(gid) for gid in sorted(groups))
    return (setpriv, f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", f"--groups={ids}")


def _readable_for_all(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in (path, *path.parents) if parent.is_dir())
