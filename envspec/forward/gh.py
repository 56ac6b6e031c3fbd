"""The token with which the host's user works on github.com."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from envspec.model import Hidden

GITHUB = "github.com"
"""The one host that the token is for."""

VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN")
"""Variables that hold the token, the first that is set wins: the order of ``gh help environment``."""

MAX_BYTES = 256 * 1024
"""A larger file is none of ``gh``."""

Run = Callable[[tuple[str, ...]], bytes | None]
"""Runs a program of the host and returns what it printed, ``None`` where it failed."""


def token(environ: Mapping[str, str], home: Path, run: Run) -> Hidden | None:
    """Return the token, ``None`` where the user has none.

    ``gh`` itself is asked only when its file says that the user is logged in and the token lies in a keyring.

    Args:
        environ: The process's environment.
        home: The user's home.
        run: Runs ``gh``.
    """
    found = next((environ[name] for name in VARIABLES if environ.get(name)), "")
    if not found:
        account = _account(environ, home)
        found = str((account or {}).get("oauth_token") or "")
        if account is not None and not found and shutil.which("gh", path=environ.get("PATH")):
            found = (run(("gh", "auth", "token", "--hostname", GITHUB)) or b"").decode(errors="replace")
    found = found.strip()
    return Hidden(found) if found and found.isprintable() else None


def _account(environ: Mapping[str, str], home: Path) -> Mapping[str, object] | None:
    """Return what the file of ``gh`` says of github.com, ``None`` where the user is not logged in."""
    import yaml  # noqa: PLC0415 - most hosts have no such file

    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    file = Path(environ.get("GH_CONFIG_DIR") or config / "gh") / "hosts.yml"
    try:
        if file.stat().st_size > MAX_BYTES:
            return None
        hosts = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
    account = hosts.get(GITHUB) if isinstance(hosts, dict) else None
    return account if isinstance(account, dict) else None
