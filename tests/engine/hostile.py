"""The container of the attempts by which whoever works inside tries to become root, or to change what is not theirs.

Its image gives the user a directory that comes first in PATH, as the purposes do, and points variables at files of
theirs. After each attempt nothing ran as root that is theirs, and no file of root's has changed.
"""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from envspec.engine.facts import ENV_FILE, Answer, Questions
from envspec.engine.objects import LABEL, Build, ContainerConfig, Mount
from envspec.engine.operations import (
    Completed,
    EnsureUser,
    FilePut,
    Operation,
    PutEnvironment,
    PutFiles,
    RemoveFiles,
    SyncRepo,
)
from envspec.engine.run_files import MARK, READ_SECRETS, exports
from envspec.engine.whales import WhalesEngine
from envspec.inside.door import Door
from envspec.inside.exec import ExecOptions, Streams
from envspec.inside.exec import run as execute
from envspec.model import Hidden
from tests.engine.contract import REMOTE, TEST_LABEL, USER, note

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
TOOLS = (
    *(
        "awk",
        "bash",
        "basename",
        "cat",
        "chmod",
        "chown",
        "cmp",
        "cp",
        "cut",
        "date",
        "dirname",
        "env",
        "find",
        "getconf",
    ),
    *(
        "git",
        "git-lfs",
        "grep",
        "head",
        "id",
        "kill",
        "ln",
        "ls",
        "mkdir",
        "mktemp",
        "mv",
        "openssl",
        "printf",
        "readlink",
    ),
    *(
        "rm",
        "rmdir",
        "sed",
        "setpriv",
        "setsid",
        "sh",
        "sha256sum",
        "sleep",
        "sort",
        "stat",
        "su",
        "tail",
        "tar",
        "tee",
    ),
    *("test", "timeout", "touch", "tr", "update-ca-certificates", "xargs"),
)
VARIABLES = {
    "AWKPATH": "/open/lib",
    "CDPATH": "/open",
    "GIT_CONFIG_GLOBAL": "/open/gitconfig",
    "GREP_OPTIONS": "--file=/open/none",
    "LD_LIBRARY_PATH": "/open/lib",
    "LOCPATH": "/open/lib",
    "PERL5LIB": "/open/lib",
    "PYTHONPATH": "/open/lib",
    "TAR_OPTIONS": "--checkpoint=1 --checkpoint-action=exec=/open/bin/tar",
    "TMPDIR": "/open",
}
DOCKERFILE = """FROM {base}
RUN mkdir -m 777 /open /open/bin /open/lib && mkdir -p /srv/victim/deep && echo root > /srv/victim/app \\
    && echo root > /srv/victim/deep/app && cp /srv/victim/app /srv/victim/.envspec-put \\
    && mkdir -m 700 /srv/victim/empty && chmod 600 /srv/victim/app
ENV PATH=/open/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin {variables}
"""
SPY = """#!/bin/sh
[ "$(/usr/bin/id -u)" != 0 ] || echo "$0" >> /open/ran
unset TAR_OPTIONS
PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "${0##*/}" "$@"
"""
WATCHED = (
    "find /etc /srv /root /usr/local /home -maxdepth 0 -o -xdev ! -user 1000 -printf '%p %y %U %G %m %s %T@ %l\\n'"
)
WATCH = f"({WATCHED}; sha256sum /etc/passwd /etc/shadow /etc/profile /srv/victim/app) | sort"
"""What no attempt may change; the user's own files come and go."""

SWAP = """
($d, $t) = @ARGV;
open F, ">", "/home/dev/pid"; print F $$; close F;
symlink $t, "$d.link";
while (1) { rename $d, "$d.real"; rename "$d.link", $d; rename $d, "$d.link"; rename "$d.real", $d; }
"""
"""Takes turns, as fast as can be, at having a directory in its place, and a link to one of root's."""


@dataclass
class Target:
    """The container, and what was root's in it at first."""

    engine: WhalesEngine
    box: str
    door: Door
    before: str = ""

    def bare(self, user: int, *words: str, stdin: str = "", code: int | None = 0) -> str:
        argv = [
            self.engine.name,
            "exec",
            "-i",
            "-e",
            "LD_LIBRARY_PATH=",
            "-u",
            f"{user}:{user}",
            "-w",
            "/",
            self.box,
            *words,
        ]
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
        assert code is None or done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout

    def user(self, script: str, *args: str) -> str:
        """Run a script as the user, who has the whole container for it."""
        return self.bare(USER, "/bin/bash", "-c", f"PATH=/usr/bin:/bin\nunset TAR_OPTIONS\n{script}", "sh", *args)

    def root(self, script: str, *args: str) -> str:
        """Run a script as root past envspec."""
        path = "unset TAR_OPTIONS LD_LIBRARY_PATH; PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        return self.bare(0, "/usr/bin/env", "-i", "/bin/sh", "-c", f"{path}\n{script}", "sh", *args)

    def do(self, operation: Operation) -> Completed:
        return self.engine.perform(self.box, operation)

    def put(self, *paths: str, uid: int = USER) -> Completed:
        puts = (FilePut(path, b"x\n", 0o644, uid, uid, note(f"file.{path}")) for path in paths)
        return self.do(PutFiles(tuple(puts)))

    def remove(self, *paths: str) -> Completed:
        return self.do(RemoveFiles(tuple((f"file.{path}", path) for path in paths)))

    def clone(self, path: str, **more: str) -> Completed:
        record = note(f"repo.{path}")
        return self.do(SyncRepo(REMOTE, path, more.get("ref", ""), 0, "", False, USER, USER, record))

    def ask(self, **questions: tuple[str, ...]) -> Answer:
        return self.engine.probe(self.box, Questions(**questions))  # type: ignore[arg-type]  # tuples of paths

    def exec_as_root(self, *words: str) -> None:
        with open("/dev/null", "wb") as nothing:  # noqa: PTH123
            execute(self.door, words, ExecOptions(root=True), Streams(b"", nothing, nothing))

    def unharmed(self) -> None:
        """Insist that nothing of the user's ran as root, and that nothing of root's has changed."""
        ran, _, now = self.root(f"cat /open/ran 2> /dev/null; rm -f /open/ran; echo --; {WATCH}").partition("--\n")
        before, self.before = self.before, now
        assert ran == ""
        assert set(before.splitlines()) ^ set(now.splitlines()) == set()


@pytest.fixture(scope="module")
def target(bare_engine: WhalesEngine, git_image: str) -> Iterator[Target]:
    name, ref = f"evt-{uuid.uuid4().hex[:10]}", f"envspec-test/hostile-{uuid.uuid4().hex[:8]}:1"
    variables = " ".join(f'{key}="{value}"' for key, value in VARIABLES.items())
    bare_engine.build(Build(DOCKERFILE.format(base=git_image, variables=variables), ref, {TEST_LABEL: "1"}))
    volume = f"{name}-data"
    bare_engine.create_volume(volume, {f"{LABEL}env": name})
    config = ContainerConfig(
        ref,
        hostname="hostile",
        user=f"{USER}:{USER}",
        workdir="/workspace",
        mounts=(Mount("/workspace/mounts/data", "volume", volume),),
        env={"BASH_ENV": ENV_FILE, "ENV": ENV_FILE},
        cap_drop=("ALL",),
        cap_add=CAPABILITIES,
        security_opt=("no-new-privileges",),
        pids=256,
    )
    box = bare_engine.create_container(f"{name}-workspace", config, {f"{LABEL}env": name})
    try:
        bare_engine.start(box)
        yield prepared(Target(bare_engine, box, Door(name, box, f"{USER}:{USER}", "/workspace", (bare_engine.name,))))
    finally:
        bare_engine.remove_container(box)
        bare_engine.remove_volume(volume)
        bare_engine.remove_image(ref)


def prepared(target: Target) -> Target:
    """Set the container up, and let its user lay every tool of theirs out."""
    own = ("/workspace", "/workspace/mounts", "/workspace/mounts/data")
    target.root("mkdir -p /workspace && chown -R 1000:1000 /workspace")
    for operation in (EnsureUser("dev", USER, USER, own, note("user.workspace")), environment()):
        done = target.do(operation)
        assert done.code == 0, done.tail
    write = 'cat > /open/spy; chmod 755 /open/spy; for tool; do cp /open/spy "/open/bin/$tool"; done'
    target.bare(USER, "/bin/sh", "-c", f"PATH=/usr/bin\nunset TAR_OPTIONS\n{write}", "sh", *TOOLS, stdin=SPY)
    target.user('printf %s "$1" > /open/swap', SWAP)
    target.before = target.root(WATCH)
    return target


def environment() -> PutEnvironment:
    text = exports([("PLAIN", "1")]) + READ_SECRETS + MARK
    secret = (("TOKEN", Hidden("canary")),)
    return PutEnvironment(
        text, USER, USER, b"", note("environment.workspace"), secret, names=("PLAIN", "TOKEN", "PATH")
    )


Act = Callable[[Target], object]


def raced(path: str, act: Act) -> Act:
    """Return an act that is done again and again while a directory and a link take turns."""

    def race(target: Target) -> None:
        target.user(f"mkdir -p {path}; nohup perl /open/swap {path} /srv/victim > /dev/null 2>&1 &")
        try:
            for _ in range(4):
                act(target)
        finally:
            target.root('kill -9 "$(cat ~dev/pid)"; rm -rf -- "$1" "$1".*', path)

    return race
