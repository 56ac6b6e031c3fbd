"""Podman without root: one converges, is oneself inside, and owns what is made in the bound workspace.

A host whose cgroups are of version 1, or where only root may open ``/dev/net/tun``, gives its users neither limits nor
networks of their own. So the spec here asks for none of them; `envspec preflight` tells of both.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec.engine.podman_engine import CGROUP_2
from envspec.engine.whales import WhalesEngine
from tests.engine.conftest import BASE
from tests.engine.e2e import ON_PODMAN, PATIENCE, Place, bare, make_place
from tests.engine.people import UID, account, subordinate_ids

pytestmark = [ON_PODMAN, pytest.mark.engine, pytest.mark.timeout(300)]

PLAIN = {"network": "none", "memory": "none", "pids": "none"}


@pytest.fixture(scope="module")
def rootless(bare_engine: WhalesEngine, podman_base: str) -> Iterator[Place]:
    """A place of uid 1000's, whose Podman has a storage of its own with the base image in it."""
    install_uidmap()
    with (
        account() as entry,
        subordinate_ids(entry),
        tempfile.TemporaryDirectory(prefix="evt-rootless-", ignore_cleanup_errors=True) as path,
    ):
        base = Path(path)
        base.chmod(0o755)
        home, runtime = base / "home", base / "run"
        environ = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "XDG_STATE_HOME": str(home / "state")}
        setpriv = shutil.which("setpriv")
        assert setpriv is not None
        ids = (f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
        prefix = (setpriv, *ids) if os.geteuid() == 0 else ()
        place = make_place(base, BASE, prefix=prefix, environ=environ | {"PYTHONDONTWRITEBYTECODE": "1"})
        for directory in (home, runtime):
            directory.mkdir(mode=0o700)
        for directory in (base, home, runtime, place.directory):
            os.chown(directory, entry.pw_uid, entry.pw_gid)
        archive = base / "image.tar"
        assert bare_engine.name == "podman"
        bare("save", "--output", str(archive), podman_base)
        archive.chmod(0o644)
        try:
            as_user(place, "podman", "load", "--quiet", "--input", str(archive))
            archive.unlink()
            yield place
        finally:
            place.stop_all()
            as_user(place, "podman", "rm", "--all", "--force", "--time", "0")
            as_user(place, "podman", "unshare", "rm", "-rf", str(home / ".local"))
            pause = runtime / "libpod" / "tmp" / "pause.pid"  # keeps Podman's namespaces for the next command
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(pause.read_text()), signal.SIGKILL)


def install_uidmap() -> None:
    """Bring what maps a user's ids, which Podman needs without root only."""
    if shutil.which("newuidmap") is None:
        install = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy", "--no-install-recommends")
        subprocess.run([*install, "uidmap"], check=True, capture_output=True, timeout=PATIENCE)


def as_user(place: Place, *words: str) -> str:
    """Run a command as the one whose place it is."""
    argv, environ = [*place.prefix, *words], {**os.environ, **place.environ}
    done = subprocess.run(
        argv, env=environ, cwd=place.directory, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_a_user_converges_without_root_and_owns_what_is_made(rootless: Place) -> None:
    rootless.write(
        **PLAIN,
        config_files={"/etc/evt.conf": {"content": "root's\n", "owner": "root"}, "/workspace/conf/app.ini": "a=1\n"},
        setup_commands=[
            "id -u > whoami; touch made",
            {"run": "touch /opt/by-root && ln -s /opt/. /srv/link", "as_root": True},
        ],
        env={"GREETING": "hello"},
    )
    rootless.apply()
    assert rootless.plan()["changes"] == []
    assert (rootless.directory / "whoami").read_text() == f"{UID}\n"
    made = [path for path in rootless.directory.rglob("*") if path != rootless.file]
    assert {path.stat().st_uid for path in made} == {UID}
    asked = "echo $GREETING $(id -u) $(stat -c %u /etc/evt.conf /opt/by-root)"
    assert rootless.exec("sh", "-c", asked) == f"hello {UID} 0 0"
    as_user(rootless, "podman", "stop", "--time", "0", rootless.box)
    refused = rootless.told("cp", str(rootless.file), f"{rootless.name}:/srv/link", code=4).error
    assert (refused["code"], "ENV:/opt`" in refused["hint"]) == ("copy.foreign_link", True)
    assert rootless.told("cp", str(rootless.file), f"{rootless.name}:/opt").result["target"] == "/opt/env.yaml"
    rootless.run("destroy", rootless.name, "--yes", "--allow-data-loss", "container.workspace")
    assert as_user(rootless, "podman", "ps", "--all", "--quiet") == ""


def test_limits_that_would_be_ignored_are_refused(rootless: Place) -> None:
    rootless.write(**PLAIN | {"memory": "512m"})
    if CGROUP_2.exists():  # of that version they are delegated to users
        assert rootless.apply().result["ok"] is True
        return
    report = rootless.apply(code=1).error["report"]
    (failed,) = [item["error"] for item in report["outcomes"] if item["status"] == "failed"]
    assert (failed["code"], "`memory`" in failed["hint"]) == ("engine.no_limits", True)
