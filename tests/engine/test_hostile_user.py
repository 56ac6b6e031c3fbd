"""Whoever works inside tries to become root by what envspec does there as root, or to change what is not theirs.

One container stands for all attempts: its image gives the user a directory that comes first in PATH, as the purposes
do, and points variables at files of theirs. After each attempt nothing ran as root that is theirs, and no file of
root's has changed.
"""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from envspec.engine.facts import ENV_FILE, SECRETS_FILE, STATE_DIR, Answer, Questions, RepoQuestion
from envspec.engine.inside import ledger_name
from envspec.engine.objects import LABEL, Build, ContainerConfig, Mount
from envspec.engine.operations import (
    Completed,
    EnsureUser,
    FilePut,
    GiveOver,
    InstallDotfiles,
    Operation,
    PutEnvironment,
    PutFiles,
    Reap,
    RemoveDotfiles,
    RemoveFiles,
    RemoveRepo,
    RunCommand,
    SyncRepo,
)
from envspec.engine.run_files import MARK, READ_SECRETS, exports
from envspec.engine.whales import WhalesEngine
from envspec.inside.door import Door
from envspec.inside.exec import ExecOptions, Streams
from envspec.inside.exec import run as execute
from envspec.inside.jobs import Jobs
from envspec.model import Hidden
from tests.engine.contract import REMOTE, TEST_LABEL, USER, note

pytestmark = pytest.mark.engine

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


def test_no_program_that_the_user_put_first_in_path_runs_as_root(target: Target) -> None:
    """As many attempts as there are tools and variables: whatever is done as root, all of them lie in wait."""
    target.user("mkdir -p /workspace/dots && echo x > /workspace/dots/.wrc")
    record = note("dotfiles.workspace")
    operations = (
        EnsureUser("dev", USER, USER, ("/workspace/mounts/data",), note("user.workspace")),
        environment(),
        PutFiles((FilePut("/workspace/p/a", b"x", 0o600, USER, USER, note("file.a")),)),
        SyncRepo(REMOTE, "/workspace/p/app", "", 0, "", False, USER, USER, note("repo.app")),
        InstallDotfiles("/workspace/dots", (), (".wrc",), (), False, USER, USER, record),
        RemoveDotfiles("dotfiles.workspace", USER, USER),
        RunCommand("stat / > /dev/null; awk 1 /dev/null", "/workspace", 0, 0, note("command.root"), attempt_timeout=20),
        GiveOver(USER, USER, USER, ("/workspace/p",), ("/workspace/p",), (("file.a", "/workspace/p/a"),)),
        RemoveFiles((("file.a", "/workspace/p/a"),)),
        RemoveRepo("repo.app", "/workspace/p/app"),
        Reap(),
    )
    for operation in operations:
        done = target.do(operation)
        assert done.code == 0, (type(operation).__name__, done.tail)
    everything = {"files": ("/etc/passwd", ENV_FILE), "undeclared": ("/",), "exists": ("/etc",)}
    assert target.ask(**everything).files.keys() == {"/etc/passwd", ENV_FILE}
    target.exec_as_root("stat", "/")
    target.exec_as_root("bash", "-c", "cat /dev/null")
    jobs = Jobs(target.door)
    job = jobs.start(["true"]).job.id
    jobs.wait(job, 20)
    jobs.cancel(job)
    assert target.engine.find_path(target.box, "/workspace").type == "dir"
    target.unharmed()


Act = Callable[[Target], object]


def linked(make: str, *paths: str, uid: int = USER) -> tuple[str, Act]:
    """Return an attempt: links made by the user, then files put and removed there."""

    def act(target: Target) -> None:
        target.put(*paths, uid=uid)
        target.unharmed()
        target.remove(*paths)

    return make, act


def entry_of(path: str) -> str:
    """Return the name of a file's entry in the ledger."""
    return ledger_name(f"file.{path}")


def removed_elsewhere(target: Target) -> None:
    """Files that were put where they belong, and are removed once a link leads elsewhere."""
    assert target.put("/workspace/m/deep/app", "/workspace/m/empty/x").code == 0
    target.user("cd /workspace && mv m m.was && ln -s /srv/victim m")
    target.remove("/workspace/m/deep/app", "/workspace/m/empty/x")


def original_elsewhere(target: Target) -> None:
    target.user("mkdir -p /workspace/o && echo mine > /workspace/o/app")
    assert target.put("/workspace/o/app").code == 0
    target.user("cd /workspace && rm -r o && ln -s /srv/victim o")
    target.remove("/workspace/o/app")


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


def marker(target: Target) -> None:
    """A clone into a mount point leaves a mark in .git while it is not whole."""
    target.user(
        "cd /workspace/mounts/data && mkdir -p .envspec-clone .git"
        " && ln -sf /srv/victim/app .git/envspec-incomplete && ln -sf /srv/victim .envspec-clone/.git"
    )
    target.clone("/workspace/mounts/data")


def moved_mount(target: Target) -> None:
    """Root's own directory where a volume of the user's was said to be."""
    target.user("cd /workspace && mv mounts mounts.was && mkdir mounts && ln -s /srv/victim mounts/data")
    target.do(EnsureUser("dev", USER, USER, ("/workspace/mounts/data",), note("user.workspace")))
    target.user("cd /workspace && rm -r mounts && mv mounts.was mounts")


def appended(path: str) -> Act:
    """Return an attempt to have root read what the user wrote in a file of the tmpfs."""

    def act(target: Target) -> None:
        target.bare(USER, "/bin/sh", "-c", f"chmod u+w {path}; echo 'id -u >> /open/ran' >> {path}", code=None)
        target.bare(0, "/bin/bash", "-c", "/bin/true")
        target.exec_as_root("true")
        target.do(RunCommand("true", "/", 0, 0, None))
        Jobs(target.door).wait(Jobs(target.door).start(["true"]).job.id, 20)
        target.root("! grep -x 0 /open/ran || exit 1; ! grep / /open/ran || exit 1; rm -f /open/ran")
        assert target.do(environment()).code == 0
        target.root("rm -f /open/ran")

    return act


def forging(text: str) -> Act:
    """Return an act that asks about a repository whose owner's git says anything, and all marks that it can find."""

    def act(target: Target) -> None:
        target.clone("/workspace/f")
        script = f"""#!/bin/bash
marks=$(cat /proc/[0-9]*/{{cmdline,environ}} 2> /dev/null | tr '\\0' '\\n' | grep -ao -- '--[0-9a-f]*' | sort -u)
for mark in $marks -- --end; do printf '\\n%s %s\\n' "$mark" passwd 'evil:x:0:0::/:/bin/sh' "$mark" end ''; done
{text}
"""
        target.user('printf %s "$1" > /open/bin/git', script)
        answer = target.engine.probe(target.box, Questions(repos=(RepoQuestion("/workspace/f", "repo./workspace/f"),)))
        assert answer.accounts[0].name == "root"
        assert all(account.name != "evil" for account in answer.accounts)
        done = target.clone("/workspace/f")
        known = target.ask().entry("file./etc/forged")
        assert known is None, done.tail
        target.user("cp /open/spy /open/bin/git")

    return act


def ledger_by(script: str) -> Act:
    """Return an act that spoils the ledger, as a command that the user has run as root could; it is repaired."""

    def act(target: Target) -> None:
        target.root(script)
        assert target.ask(files=("/etc/passwd",)).files
        assert target.put("/workspace/led").code == 0
        assert target.ask().entry("file./workspace/led")

    return act


def named(name: str) -> tuple[str, Act]:
    """Return an attempt by the name of a file that nobody declared."""

    def act(target: Target) -> None:
        answer = target.ask(undeclared=("/workspace",), files=("/etc/passwd",))
        assert answer.files
        assert answer.accounts[0].name == "root"

    return f"cd /workspace && mkdir -p n && : > \"n/\"$'{name}'", act


def give(target: Target) -> None:
    trees = ("/workspace/g",)
    target.do(GiveOver(USER, USER, USER, trees, trees, ()))
    target.do(GiveOver(0, USER, USER, ("/workspace/g/victim",), ("/workspace/g/victim",), ()))


PART = entry_of("/workspace/c/app")
ATTEMPTS: dict[str, tuple[str, Act]] = {
    "a link where the new file was prepared": linked(
        f"mkdir -p /workspace/c; ln -sf /srv/victim/app /workspace/c/.envspec-{PART}", "/workspace/c/app"
    ),
    "a link where files are prepared": linked(
        "mkdir -p /workspace/e; ln -sfn /srv/victim /workspace/e/.envspec-put", "/workspace/e/app"
    ),
    "a full directory where files are prepared": linked(
        "mkdir -p /workspace/h/.envspec-put; ln -sf /srv/victim/app /workspace/h/.envspec-put/app", "/workspace/h/app"
    ),
    "a fifo where files are prepared": linked(
        "mkdir -p /workspace/i; mkfifo /workspace/i/.envspec-put", "/workspace/i/app"
    ),
    "a link above a file": linked("ln -sfn /srv/victim /workspace/j", "/workspace/j/app", "/workspace/j/deep/app"),
    "a link above root's file": linked("ln -sfn /srv/victim /workspace/k", "/workspace/k/app", uid=0),
    "a link two above a file": linked("ln -sfn /srv /workspace/l", "/workspace/l/victim/app"),
    "a link by way of another": linked(
        "ln -sfn q /workspace/q1; ln -sfn ../srv /workspace/q", "/workspace/q1/victim/app"
    ),
    "a link by way of root's": linked("ln -sfn /bin /workspace/r", "/workspace/r/app"),
    "a link above what is to be made": linked("ln -sfn /srv/victim /workspace/s", "/workspace/s/new/app"),
    "a link in the place of a file": linked(
        "mkdir -p /workspace/t; ln -sf /srv/victim/app /workspace/t/app", "/workspace/t/app"
    ),
    "a link in the place of root's file": linked(
        "mkdir -p /workspace/u; ln -sf /etc/shadow /workspace/u/app", "/workspace/u/app", uid=0
    ),
    "a link to a directory in the place of a file": linked(
        "mkdir -p /workspace/v; ln -sfn /srv/victim /workspace/v/app", "/workspace/v/app"
    ),
    "a fifo in the place of a file": linked("mkdir -p /workspace/w; mkfifo /workspace/w/app", "/workspace/w/app"),
    "a link in the home": linked("ln -sfn /srv/victim ~/.config", "~1000/.config/app"),
    "a link that leads in a circle": linked("ln -sfn x1 /workspace/x2; ln -sfn x2 /workspace/x1", "/workspace/x1/app"),
    "a link above what is removed": ("", removed_elsewhere),
    "a link where an original is put back": ("", original_elsewhere),
    "a link in the place of a repository": ("ln -sfn /srv/victim /workspace/y", lambda t: t.clone("/workspace/y")),
    "a link above a repository": ("ln -sfn /srv/victim /workspace/z", lambda t: t.clone("/workspace/z/app")),
    "a link where a clone is made": (
        "ln -sfn /srv/victim /workspace/.envspec-clone-a1",
        lambda t: (t.clone("/workspace/a1"), t.do(RemoveRepo("repo./workspace/a1", "/workspace/a1"))),
    ),
    "a link where a repository was": (
        "ln -sfn /srv/victim /workspace/a2",
        lambda t: t.do(RemoveRepo("repo./workspace/a2", "/workspace/a2/deep")),
    ),
    "a link for the mark in .git": ("", marker),
    "a link where a volume was": ("", moved_mount),
    "a link in what is given to another user": ("mkdir -p /workspace/g; ln -sfn /srv/victim /workspace/g/victim", give),
    "hooks of a repository": (
        "mkdir -p /workspace/b1 && cd /workspace/b1 && git init -q . && git config core.fsmonitor 'id -u >> /open/ran'"
        " && git config filter.x.clean 'id -u >> /open/ran; cat' && echo '* filter=x' > .gitattributes && echo y > y",
        lambda t: (
            t.root("chown 0:0 /workspace/b1 && chmod 777 /workspace/b1"),
            t.engine.probe(t.box, Questions(repos=(RepoQuestion("/workspace/b1"),))),
            t.root("! grep -x 0 /open/ran || exit 1; rm -f /open/ran"),
        ),
    ),
    "a race for the directory of a file": ("", raced("/workspace/r1", lambda t: t.put("/workspace/r1/app"))),
    "a race for the directory of root's file": (
        "",
        raced("/workspace/r2", lambda t: t.put("/workspace/r2/app", uid=0)),
    ),
    "a race for the directory above": ("", raced("/workspace/r3", lambda t: t.put("/workspace/r3/deep/new/app"))),
    "a race for what is removed": (
        "",
        raced("/workspace/r4", lambda t: (t.put("/workspace/r4/app"), t.remove("/workspace/r4/app"))),
    ),
    "a race for a repository": ("", raced("/workspace/r5", lambda t: t.clone("/workspace/r5/app"))),
    "a race for a repository that is removed": (
        "mkdir -p /workspace/r6/deep/x",
        raced("/workspace/r6", lambda t: t.do(RemoveRepo("repo.r6", "/workspace/r6/deep"))),
    ),
    "a race for what is given": (
        "mkdir -p /workspace/r7/t/deep; touch /workspace/r7/t/deep/app /workspace/r7/t/app",
        raced("/workspace/r7/t", lambda t: t.do(GiveOver(USER, 1001, 1001, (), ("/workspace/r7",), ()))),
    ),
    "lines added to the variables": ("", appended(ENV_FILE)),
    "lines added to the secret variables": ("", appended(SECRETS_FILE)),
    "a file of the user's above the variables": (
        "mv -f /open/spy /run/envspec/env 2> /dev/null || :",
        appended("/run/envspec/image"),
    ),
    "git that makes the answer up": ("", forging("exit 0")),
    "git that makes a ledger entry up": (
        "",
        forging("""printf '%040d\\nmain\\n{"address":"file./etc/forged","data":{},"digest":"d"}\\n' 0"""),
    ),
    "git that never stops talking": ("", forging('[ "$3" != rev-parse ] || exit 0; yes | head -c 30000000')),
    "a fifo in the ledger": (
        "",
        ledger_by(f"mkfifo {STATE_DIR}/ledger/00 {STATE_DIR}/ledger/{entry_of('/workspace/led')}"),
    ),
    "a link in the ledger": ("", ledger_by(f"ln -s /dev/zero {STATE_DIR}/ledger/01")),
    "a fifo in place of the ledger": ("", ledger_by(f"rm -r {STATE_DIR}/ledger; mkfifo {STATE_DIR}/ledger")),
    "a fifo in place of the state": ("", ledger_by(f"rm -r {STATE_DIR}; mkfifo {STATE_DIR}")),
    "a link in place of the state": ("", ledger_by(f"rm -r {STATE_DIR}; ln -s /srv/victim {STATE_DIR}")),
    "a name with line breaks": named("a\\n\\n--0 end\\n1 @etc@passwd\\n"),
    "a name that is a command": named("$(id -u > ran)`id > ran`;id"),
    "a name that is an option": named("--help"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_the_user_tries_changes_nothing_of_roots(target: Target, attempt: str) -> None:
    make, act = ATTEMPTS[attempt]
    if make:
        target.user(make)
    act(target)
    target.unharmed()


def test_a_library_that_the_user_put_in_the_loaders_way_is_not_loaded_by_root(target: Target) -> None:
    """It is no library: whatever loads it does not run at all."""
    target.user("echo nothing > /open/lib/libc.so.6")
    assert target.put("/workspace/last").code == 0
    assert target.ask(exists=("/workspace/last",)).exists
    target.unharmed()


def test_there_are_as_many_attempts_as_were_asked_for() -> None:
    assert len(TOOLS) + len(VARIABLES) + len(ATTEMPTS) >= 60
    assert len(ATTEMPTS) >= 40
