"""Whoever works inside tries to become root by what envspec does there as root, or to change what is not theirs.

One container stands for all attempts; :mod:`tests.engine.hostile` has it.
"""

from __future__ import annotations

import time

import pytest

from envspec.engine.facts import ENV_FILE, SECRETS_FILE, STATE_DIR, Questions, RepoQuestion
from envspec.engine.inside import ledger_name
from envspec.engine.operations import (
    EnsureUser,
    FilePut,
    GiveOver,
    InstallDotfiles,
    PutFiles,
    Reap,
    RemoveDotfiles,
    RemoveFiles,
    RemoveRepo,
    RunCommand,
    SyncRepo,
)
from envspec.inside.jobs import Jobs
from tests.engine.contract import REMOTE, USER, note
from tests.engine.hostile import TOOLS, VARIABLES, Act, Target, environment, raced

pytestmark = pytest.mark.engine


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


def vouching(make: str) -> tuple[str, Act]:
    """Return an attempt by the list of a Python package, which says that a file is no work; it is, and that is told."""

    def act(target: Target) -> None:
        began = time.monotonic()
        assert "/workspace/thesis" in (target.ask(undeclared=("/workspace",)).undeclared or ())
        assert time.monotonic() - began < 30
        target.user("rm -r /workspace/lib /workspace/thesis")

    about = "/workspace/lib/python3.13/site-packages/x.dist-info"
    return f"mkdir -p {about} && cd {about} && echo mine > /workspace/thesis && {make}", act


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
    "a list of a package that has what is not the package's": vouching("echo ../../../../thesis,, > RECORD"),
    "a list of a package that is a fifo": vouching("mkfifo f && ln -s f RECORD"),
    "a list of a package without an end": vouching("ln -s /dev/zero RECORD"),
    "a list of a package that is root's file": vouching("ln -s /etc/shadow RECORD"),
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
