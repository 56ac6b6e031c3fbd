"""Looking on the host for what goes inside: git and ``gh`` are asked, files are read, nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from envspec.engine.runner import Runner
from envspec.errors import EnvspecError
from envspec.forward import gh, gitconfig, signing, ssh
from envspec.forward import home as home_files
from envspec.forward.values import Entry, Forwarded, SshWish, Wish

DEADLINE = 5.0
"""Seconds that git or ``gh`` may take to print what they know."""

KEEP = 4 * 1024 * 1024
"""Bytes of their output that are read."""

PASSED = (
    *("HOME", "PATH", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GH_CONFIG_DIR"),
    *("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
"""Variables by which git and ``gh`` find their files, and a keyring; all others could make them do something else."""


def read(wish: Wish, environ: Mapping[str, str] = os.environ) -> Forwarded:
    """Look for what goes inside.

    Args:
        wish: What is asked for.
        environ: The process's environment.

    Returns:
        What was found. Nothing that is missing is an error here.
    """
    home = Path(environ.get("HOME") or Path("~").expanduser())
    entries, told = _git(wish, environ, home) if wish.git else ((), ())
    files, left = ssh.files(home) if wish.ssh == "files" else ((), ())
    seed, kept_back = home_files.without_credentials(home_files.read(home, wish.seed))
    agent, agent_uid = ssh.agent(environ) if wish.ssh == "agent" else ("", 0)
    return Forwarded(
        git=entries,
        known_hosts=ssh.known_hosts(home) if wish.git or wish.ssh else b"",
        gh_token=gh.token(environ, home, lambda argv: _run(argv, environ)) if wish.gh else None,
        agent=agent,
        agent_uid=agent_uid,
        ssh=files,
        secret=home_files.read(home, wish.secret),
        seed=seed,
        notes=(*told, *left, *kept_back),
        wish=wish,
    )


def _git(wish: Wish, environ: Mapping[str, str], home: Path) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return git's configuration as it shall be inside, and what to tell of it."""
    if not any(path.is_file() for path in _git_files(environ, home)):
        return (), ()
    listing = ("config", "--list", "--show-scope", "-z", "--includes")
    # A repository whose own configuration is broken must not hide the user's.
    for directory in (wish.directory, "/"):
        output = _run(("git", "-C", directory, *listing), environ)
        if output is not None:
            break
    else:
        return (), ("your git configuration stays behind: there is no git here that can read it",)
    entries = gitconfig.read(output)
    kept = gitconfig.chosen(entries, wish.ssh, _key_inside(wish.ssh, home, environ))
    unsigned = gitconfig.signs(entries) and not gitconfig.signs(kept)
    return kept, ("git does not sign inside: the key cannot be reached there",) if unsigned else ()


def _git_files(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return where the user's configuration may be, as ``git-config(1)`` has it."""
    if environ.get("GIT_CONFIG_GLOBAL"):
        return (Path(environ["GIT_CONFIG_GLOBAL"]),)
    return (home / ".gitconfig", Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "git" / "config")


def _key_inside(wish: SshWish, home: Path, environ: Mapping[str, str]) -> Callable[[str], str]:
    def inside(value: str) -> str:
        return signing.key_inside(value, wish, home, signing.held(environ) if wish == "agent" else frozenset())

    return inside


def _run(argv: tuple[str, ...], environ: Mapping[str, str]) -> bytes | None:
    """Run a program of the host, ``None`` where it is missing, fails or does not end."""
    passed = {name: environ[name] for name in PASSED if name in environ}
    quiet = {"LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GH_PROMPT_DISABLED": "1"}
    try:
        done = Runner().run(argv, deadline=DEADLINE, environ=passed | quiet, keep=KEEP)
    except EnvspecError:
        return None
    return done.stdout if done.code == 0 else None
