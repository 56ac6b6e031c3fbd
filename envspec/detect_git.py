"""Looks at a repository from this host without checking anything of it out: names of files, and the text of a few.

Git fetches one commit without the contents of its files into a bare repository that lives as long as the look. What
could make git run a program, ask a person, or read the host's configuration is off.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from envspec import hostpath
from envspec.detect import Knowledge, Toolchain, detect, wanted
from envspec.engine.operations import Completed
from envspec.engine.runner import Runner, allowed
from envspec.errors import EngineNotReady, StepFailed, Where
from envspec.scratch import scratch

DEADLINE = 90.0
"""Seconds that one git command may take; fetching the directories of a very large repository takes a third of it."""

MAX_DISK_BLOCKS = 512 * 1024
"""Blocks of 512 bytes, 256 MiB, that a file which git writes may have: a guard against a hostile repository."""

MAX_TEXT = 256 * 1024
"""Bytes of a file beyond which it is taken as unreadable; a ``package.json`` has about 2 KB."""

MAX_LISTED = 100_000
"""Names that are looked at."""

_KEEP = 32 * 1024 * 1024
_REFUSALS: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (
        ("Could not resolve host", "Name or service not known", "Temporary failure in name resolution"),
        "unreachable",
        "its host is unknown here",
        "check the URL and this host's name resolution",
    ),
    (
        ("Could not connect", "Connection refused", "timed out", "unreachable"),
        "unreachable",
        "its host cannot be reached",
        "check the network, and the proxy where there is one",
    ),
    (
        ("could not read Username", "Authentication failed", "Permission denied", "error: 403", "error: 401"),
        "credentials",
        "it wants credentials, or is not there",
        "check the URL; a repository that you trust is read with your credentials: --trust, or `trust: trusted`",
    ),
    (("ertificate",), "certificate", "its certificate is not trusted here", "add its CA to this host's"),
    (
        ("not found", "does not exist", "not appear to be a git repository", "o such file"),
        "not_found",
        "there is no repository",
        "check the URL",
    ),
    (
        ("couldn't find remote ref", "find remote ref HEAD"),
        "empty",
        "it has no commit on its default branch",
        "push one first",
    ),
)
"""What git says, the last part of the error's code, and what it means: message and hint."""


@dataclass(frozen=True, slots=True)
class _Git:
    """Git in one bare repository, tied down."""

    runner: Runner
    directory: Path
    environ: Mapping[str, str]

    def __call__(self, *words: str, stdin: bytes = b"") -> Completed:
        limited = ("sh", "-c", 'ulimit -f "$1" && shift && exec "$@"', "sh", str(MAX_DISK_BLOCKS))
        argv = (*limited, "git", f"--git-dir={self.directory}", *words)
        return self.runner.run(argv, deadline=DEADLINE, stdin=stdin, environ=self.environ, keep=_KEEP)


def look(
    url: str, known: tuple[Knowledge, ...], *, trusted: bool = False, runner: Runner | None = None
) -> tuple[Toolchain, ...]:
    """Say what a repository is made with.

    Args:
        url: A URL that :func:`envspec.spec.names.repo_url` takes, or an absolute path on this host.
        known: What the purposes know.
        trusted: Whether git may use the credentials of this host's user.
        runner: What starts git.

    Raises:
        EngineNotReady: This host has no git.
        StepFailed: The repository cannot be read; the code says why, ``detect.credentials`` for one.
    """
    if shutil.which("git") is None:
        raise EngineNotReady(
            "this host has no git to look at the repository with",
            code="host.no_git",
            hint="install git; or name a `purpose`, and list it under `repos` with `install: auto`",
        )
    with scratch() as root:
        git = _Git(runner or Runner(), root / "repository", _environment(url, root, trusted=trusted))
        _fetch(git, url)
        blobs = _blobs(git)
        paths = wanted(blobs, known)
        return detect(blobs, _texts(git, {path: blobs[path] for path in paths if blobs[path]}), known)


def _fetch(git: _Git, url: str) -> None:
    made = git("init", "--quiet", "--bare", "--template=")
    if made.code == 0:
        made = git("fetch", "--quiet", "--depth=1", "--filter=blob:none", "--no-tags", "origin", "HEAD")
    if made.code != 0:
        raise _refusal(url, made.tail)


def _blobs(git: _Git) -> dict[str, str]:
    """Return paths at the root and one directory below, with the object of each plain file, "" for what is none."""
    top = _listed(git, "FETCH_HEAD")
    directories = [f"{path}/" for path, (mode, _) in top.items() if mode == "040000"]
    found = {**top, **_listed(git, "FETCH_HEAD", "--", *directories)} if directories else top
    kept = sorted(found.items())[:MAX_LISTED]
    return {path: oid if mode.startswith("100") else "" for path, (mode, oid) in kept if mode != "040000"}


def _listed(git: _Git, *words: str) -> dict[str, tuple[str, str]]:
    done = git("ls-tree", "-z", *words)
    found = {}
    for entry in done.stdout.decode(errors="replace").split("\0"):
        about, tab, path = entry.partition("\t")
        fields = about.split(" ")
        if tab and len(fields) == 3:
            found[path] = (fields[0], fields[2])
    return found


def _texts(git: _Git, oids: Mapping[str, str]) -> dict[str, str]:
    """Return the text of files, asking the remote for all of them at once; one that cannot be had is left out."""
    if not oids:
        return {}
    asked = "".join(f"{oid}\n" for oid in sorted(set(oids.values()))).encode()
    # A remote that cannot filter has sent them already; where this fails, git asks again for each one.
    git(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--stdin", "origin", stdin=asked
    )
    objects = dict(_objects(git("cat-file", "--batch", stdin=asked).stdout))
    return {path: objects[oid] for path, oid in oids.items() if oid in objects}


def _objects(data: bytes) -> Iterable[tuple[str, str]]:
    """Yield id and text of what ``git cat-file --batch`` printed, as far as it is text of a bearable size."""
    place = 0
    while (end := data.find(b"\n", place)) >= 0:
        fields = data[place:end].decode(errors="replace").split(" ")
        place = end + 1
        if len(fields) != 3 or not fields[2].isdecimal():
            continue  # `OID missing`
        size = int(fields[2])
        if fields[1] == "blob" and size <= MAX_TEXT:
            yield fields[0], data[place : place + size].decode(errors="replace")
        place += size + 1


def _environment(url: str, root: Path, *, trusted: bool) -> dict[str, str]:
    """Return all that git sees of this host."""
    own = root / "gitconfig"
    home = os.environ.get("HOME", "/") if trusted else str(root)
    lines = ["[include]", "\tpath = ~/.config/git/config", "\tpath = ~/.gitconfig"] if trusted else []
    lines += ["[credential]", "\thelper ="] if not trusted else []
    lines += ["[safe]", "\tdirectory = *", "[uploadpack]", "\tallowFilter = true", "\tallowAnySHA1InWant = true"]
    lines += ["[core]", "\thooksPath = /dev/null", "\tfsmonitor = false", "\taskPass =", "[gc]", "\tauto = 0"]
    lines += ["[fetch]", "\trecurseSubmodules = false", "[protocol]", "\tversion = 2", ""]
    own.write_text("\n".join(lines), encoding="utf-8")
    ssh = "ssh -o BatchMode=yes" if trusted else "ssh -o BatchMode=yes -F none -o IdentityAgent=none -i /dev/null"
    passed = allowed(os.environ)
    if not trusted:
        passed.pop("SSH_AUTH_SOCK", None)
    reach = {name: os.environ[name] for name in ("GIT_SSL_CAINFO", "CURL_CA_BUNDLE") if name in os.environ}
    return {
        **passed,
        **reach,
        "HOME": home,
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": "https:ssh:git:file",
        "GIT_CONFIG_GLOBAL": str(own),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "remote.origin.url",
        "GIT_CONFIG_VALUE_0": _remote(url),
        "GIT_SSH_COMMAND": ssh,
        "GIT_TERMINAL_PROMPT": "0",
    }


def _remote(url: str) -> str:
    """Return the URL that git fetches: a directory as a URL too, for only then it fetches no more than it is asked."""
    return f"file://{quote(url)}" if hostpath.is_dir(url) else url


def _refusal(url: str, said: str) -> StepFailed:
    for signs, code, message, hint in _REFUSALS:
        if any(sign in said for sign in signs):
            return StepFailed(f"{url}: {message}", code=f"detect.{code}", hint=hint, where=Where(address="repo_url"))
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "git said nothing")
    return StepFailed(
        f"{url} cannot be looked at: {last.strip()}",
        code="detect.failed",
        hint="check the URL with `git ls-remote`",
        where=Where(address="repo_url"),
    )
