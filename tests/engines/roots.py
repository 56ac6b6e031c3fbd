"""Root filesystems of Debian's suites, made once by mmdebstrap and kept in a cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.engines.catalogue import PACKAGES, SUITE_PACKAGES, UBUNTUS

VARIABLE = "ENVSPEC_ENGINES_CACHE"
DEFAULT = Path("/var/cache/envspec-engines")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org/debian"
UBUNTU_KEYRING = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
UBUNTU_MIRROR = "http://archive.ubuntu.com/ubuntu"
BASE = "envspec/base:debian-13"
MADE = "made-of"
"""File of a root filesystem that names the packages that were asked for."""


def cache() -> Path:
    """Return the directory that root filesystems, archives and results are kept in."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def root(suite: str, say: Callable[[str], None]) -> Path:
    """Return the root filesystem of a suite with the engines in it."""
    return filesystem(suite, suite, PACKAGES.get(suite, SUITE_PACKAGES), say)


def filesystem(name: str, suite: str, packages: Sequence[str], say: Callable[[str], None]) -> Path:
    """Return a root filesystem of a suite; one that was made for other packages is made again.

    Args:
        name: What it is called in the cache.
        suite: Debian suite that it is of; ``experimental`` has the rest of its packages from sid.
        packages: Packages that it has besides the essential ones.
        say: Tells the person who waits.
    """
    path = cache() / "roots" / name
    asked = "\n".join(packages)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who else wants it waits for it
        if (path / MADE).is_file() and (path / MADE).read_text() == asked:
            return path
        say(f"making {path} with mmdebstrap, which takes some minutes")
        part = path.with_suffix(".part")
        for old in (part, path):
            shutil.rmtree(old, ignore_errors=True)
        _bootstrap(suite, packages, part)
        (part / MADE).write_text(asked)
        part.rename(path)
    return path


def _bootstrap(suite: str, packages: Sequence[str], target: Path) -> None:
    stale = [f'--aptopt=Acquire::{key} "false"' for key in ("Check-Valid-Until", "Check-Date")]
    words = ["mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(packages)}", *stale]
    if suite in UBUNTUS:
        words += [f"--keyring={UBUNTU_KEYRING}", "--components=main,universe", suite, str(target), UBUNTU_MIRROR]
    elif suite == "experimental":
        words += [f"--keyring={KEYRING}", "sid", str(target), MIRROR, f"deb {MIRROR} experimental main"]
    else:
        words += [f"--keyring={KEYRING}", suite, str(target), MIRROR]
    subprocess.run(words, check=True)


def base_archive() -> Path | None:
    """Return an archive of the base image, taken from an engine of this host that has it; ``None`` where none has.

    Without one the engine under test makes the image itself, from the package mirror.
    """
    path = cache() / "base.tar"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    for engine in ("docker", "podman"):
        if shutil.which(engine) and _save(engine, path.with_suffix(".part")):
            path.with_suffix(".part").rename(path)
            return path
    return None


def _save(engine: str, path: Path) -> bool:
    path.unlink(missing_ok=True)
    done = subprocess.run([engine, "image", "save", "--output", str(path), BASE], capture_output=True, check=False)
    return done.returncode == 0
