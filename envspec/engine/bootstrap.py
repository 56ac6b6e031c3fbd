"""Recipes that make a base image from a distribution's package mirror, where no registry can be reached.

A recipe only says what to run; the engine runs it and imports the archive that it leaves behind.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envspec.errors import SpecError, Where

IMPORT_CHANGES = ("ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 'CMD ["/bin/bash"]')
"""Configuration to give an imported archive, which has none; what the distributions' own images have."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to bootstrap one distribution.

    Attributes:
        suite: Its code name.
        include: Packages beyond the minimal set, sorted.
        keyring: File with the keys of its archive.
        keyring_package: Package of the host that holds it.
    """

    suite: str
    include: tuple[str, ...]
    keyring: str
    keyring_package: str


RECIPES: Mapping[str, Recipe] = {
    "debian-13": Recipe(
        "trixie", ("ca-certificates",), "/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"
    )
}
"""All recipes by name; the name is also the tag of the image."""


def argv(recipe: str, target_tar: Path, *, mirrored: bool = False) -> list[str]:
    """Return the command that writes a root filesystem, its package lists removed, to a tar archive.

    It needs no privileges: mmdebstrap works in a user namespace unless it runs as root. It takes the distribution's
    own mirror, by way of the proxy that its environment names. The image's list of sources names that one in any case.

    Args:
        recipe: Name of a recipe.
        target_tar: Where to write; its name ends in ``.tar``.
        mirrored: Whether it reads, on standard input, the lines of ``sources.list(5)`` to take instead.

    Raises:
        SpecError: There is no such recipe.
    """
    wanted = _recipe(recipe)
    return [
        "mmdebstrap",
        f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
        "--variant=minbase",
        f"--include={','.join(wanted.include)}",
        f"--keyring={wanted.keyring}",
        # mmdebstrap copies the host's; an image holds nothing of a host, and the engine writes both at start.
        '--customize-hook=rm "$1"/etc/hostname "$1"/etc/resolv.conf',
        *([f'--customize-hook=printf "{_sources(wanted.suite)}" > "$1"/etc/apt/sources.list'] if mirrored else []),
        wanted.suite,
        str(target_tar),
        *(["-"] if mirrored else []),
    ]


def missing(recipe: str = "debian-13") -> tuple[str, ...]:
    """Return the Debian packages that the host lacks for a recipe, sorted; empty when it can be run.

    Raises:
        SpecError: There is no such recipe.
    """
    wanted = _recipe(recipe)
    lacking = set[str]()
    if shutil.which("mmdebstrap") is None:
        lacking.add("mmdebstrap")
    if not Path(wanted.keyring).is_file():
        lacking.add(wanted.keyring_package)
    if os.geteuid() != 0 and shutil.which("newuidmap") is None:
        lacking.add("uidmap")
    return tuple(sorted(lacking))


def _sources(suite: str) -> str:
    """Return what mmdebstrap writes where it is told of no mirror, as printf takes it."""
    suites = (("deb.debian.org/debian", suite), ("deb.debian.org/debian", f"{suite}-updates"))
    places = (*suites, ("security.debian.org/debian-security", f"{suite}-security"))
    return "".join(f"deb http://{place} {name} main\\n" for place, name in places)


def _recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise SpecError(
            f"there is no recipe `{name[:60]}` to bootstrap a base image",
            code="purpose.recipe",
            hint=f"there are {', '.join(sorted(RECIPES))}",
            where=Where(address="base.bootstrap"),
        )
    return RECIPES[name]
