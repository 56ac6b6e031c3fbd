"""Dotfiles as resources: the repository, what it does to the home, and the files written inline."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from envspec import hostpath
from envspec.kinds import dotfiles
from envspec.kinds.dotfiles import DotfilesSpec
from envspec.kinds.file import FileSpec
from envspec.kinds.repo import RepoSpec
from envspec.model import Resource
from envspec.purposes import Catalogue
from envspec.resolve.trust import takes
from envspec.resolve.user import Identity
from envspec.spec.dotfiles import Dotfiles
from envspec.spec.forms import ConfigFile
from envspec.spec.load import Loaded

WORD = "dotfiles"
"""What a purpose calls them in what it forwards."""


def with_default(loaded: Loaded, default: Dotfiles | None, directory: Path, catalogue: Catalogue) -> Loaded:
    """Return a spec with the dotfiles of the user's configuration where it says nothing of them and may have them.

    A purpose may want nothing of the user's, a root that can only be read has no room for them, and without a network
    no repository can be cloned.

    Args:
        loaded: The spec.
        default: What the user's configuration says, ``None`` for nothing.
        directory: Directory of that configuration, which its relative paths are relative to.
        catalogue: The purposes in reach.

    Raises:
        SpecError: The purpose's file is faulty.
    """
    spec = loaded.spec
    if spec.dotfiles is not None or default is None or spec.security.read_only:
        return loaded
    if not takes(spec, catalogue.get(spec.purpose.use).matter if spec.purpose else None, WORD):
        return loaded
    chosen = _beside(default, directory)
    if spec.network == "none":
        chosen = chosen.model_copy(update={"repo": None, "branch": "", "script": None})
    return dataclasses.replace(loaded, spec=spec.model_copy(update={"dotfiles": chosen}))


def _beside(wish: Dotfiles, directory: Path) -> Dotfiles:
    """Return dotfiles whose relative paths are absolute."""

    def file(item: ConfigFile) -> ConfigFile:
        if item.source is None:
            return item
        return item.model_copy(update={"source": str(hostpath.expanded(directory, item.source))})

    repo = wish.repo
    if repo and repo.startswith(("./", "../")):
        repo = str(directory / repo)
    inline = {path: file(item) for path, item in wish.inline.items()}
    return wish.model_copy(update={"repo": repo, "inline": inline})


def below_home(path: str, who: Identity) -> str:
    """Return a path relative to home as one that is found inside, wherever the home may be there."""
    return f"~{who.uid}/{path}"


def resources(
    wish: Dotfiles, url: str, files: tuple[FileSpec, ...], who: Identity, needs: tuple[str, ...]
) -> tuple[Resource, ...]:
    """Return the repository, what it does, and the inline files, each after what it needs.

    Args:
        wish: What the author wants.
        url: Where the repository is cloned from, as seen from inside; "" for none.
        files: The inline files, their paths from :func:`below_home`.
        who: Whose home it is.
        needs: Addresses of what comes before all of it.
    """
    found: list[Resource] = []
    if url:
        path = wish.target if wish.target.startswith("/") else below_home(wish.target.removeprefix("~/"), who)
        address = f"repo.{wish.target}"
        found.append(Resource(address, "repo", RepoSpec(url, path, wish.branch, 0, who.uid, who.gid), needs))
        home = below_home("", who)
        installed = DotfilesSpec(
            repo=address,
            path=path,
            trigger=f"{url} {wish.branch}".strip(),
            script=wish.script or "",
            taken=tuple(sorted(file.path.removeprefix(home) for file in files)),
            uid=who.uid,
            gid=who.gid,
        )
        found.append(Resource(dotfiles.WORKSPACE, "dotfiles", installed, (*needs, address)))
    before = tuple(resource.address for resource in found)
    found += [Resource(f"file.~/{file.path.partition('/')[2]}", "file", file, (*needs, *before)) for file in files]
    return tuple(found)
