"""Root filesystems of Debian's suites, made once by mmdebstrap and kept in a cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.engines.catalogue import SUITE_PACKAGES

VARIABLE = "ENVSPEC_ENGINES_CACHE"
DEFAULT = Path("/var/cache/envspec-engines")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org/debian"
BASE = "envspec/base:debian-13"
MADE = "made-of"
"""File of a root filesystem that names the packages that were asked for."""


def cache() -> Path:
    """Return the directory that root filesystems, archives and results are kept in."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def root(suite: str, say: Callable[[str], None]) -> Path:
    """Return the root filesystem of a suite; one that was made for other packages is made again."""
    path = cache() / "roots" / suite
    asked = "\n".join(SUITE_PACKAGES)
    if (path / MADE).is_file() and (path / MADE).read_text() == asked:
        return path
    say(f"making {path} with mmdebstrap, which takes some minutes")
    part = path.with_suffix(".part")
    for old in (part, path):
        shutil.rmtree(old, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    stale = [f'--aptopt=Acquire::{key} "false"' for key in ("Check-Valid-Until", "Check-Date")]
    words = ["mmdebstrap", "--mode=root", "--variant=apt", f"--keyring={KEYRING}", *stale]
    subprocess.run([*words, f"--include={','.join(SUITE_PACKAGES)}", suite, str(part), MIRROR], check=True)
    (part / MADE).write_text(asked)
    part.rename(path)
    return path


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
