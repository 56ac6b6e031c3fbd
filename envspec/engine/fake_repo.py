"""Git as far as the fake engine has it: clones of :class:`envspec.engine.fake_world.FakeRemote`, checked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from envspec.engine.base import SyncRepo
from envspec.engine.fake_fs import Node, Refusal, Repo, Tree, directory, parent_of
from envspec.engine.fake_probe import changed, repo_at, unpushed
from envspec.engine.fake_world import FakeRemote


@dataclass(frozen=True, slots=True)
class Target:
    """Where a checkout goes: a branch or "" for a detached HEAD, and a commit."""

    branch: str
    commit: str


def sync(tree: Tree, tick: int, remotes: Mapping[str, FakeRemote], wish: SyncRepo) -> dict[str, str]:
    """Bring a repository to a ref and return the facts to remember: ``commit`` and ``branch``.

    Raises:
        Refusal: The place holds something else, the remote or ref does not exist, or local changes are in the way.
    """
    here = repo_at(tree, wish.path)
    if here is None:
        place = tree.get(wish.path)
        if place is not None and (place.type != "dir" or tree.children(wish.path)):
            raise Refusal(f"{wish.path} exists and is no repository")
        remote = _reach(remotes, wish.url)
        return _checkout(tree, tick, wish, remote, _fetch(remote, wish, None))
    if here.origin != wish.url:
        raise Refusal(f"{wish.path} is a clone of {here.origin}")
    if not wish.commit and _is_checked_out(here, remotes.get(wish.url), wish.ref):
        return {"commit": here.head, "branch": here.branch}
    if not wish.force and (changed(tree, wish.path, here) or unpushed(here)):
        raise Refusal(f"{wish.path} has local changes")
    remote = _reach(remotes, wish.url)
    return _checkout(tree, tick, wish, remote, _fetch(remote, wish, here))


def _is_checked_out(repo: Repo, remote: FakeRemote | None, ref: str) -> bool:
    if not ref or repo.branch == ref:
        return True
    return repo.head in (ref, remote.tags.get(ref) if remote else None)


def _reach(remotes: Mapping[str, FakeRemote], url: str) -> FakeRemote:
    remote = remotes.get(url)
    if remote is None:
        raise Refusal(f"fatal: repository '{url}' not found")
    return remote


def _fetch(remote: FakeRemote, wish: SyncRepo, here: Repo | None) -> Repo:
    """Return what a clone, or a fetch into what is here, knows afterwards."""
    tips = frozenset(commits[-1] for commits in remote.branches.values()) | frozenset(remote.tags.values())
    known = {**(here.parents if here else {}), **remote.parents()}
    if here is not None:
        return replace(here, parents=known, remote=tips, default=remote.default)
    return Repo(wish.url, "", "", remote.default, known, tips, {}, b"")


def _target(remote: FakeRemote, repo: Repo, wish: SyncRepo) -> Target:
    ref = wish.ref or remote.default
    if ref in remote.branches:
        found = Target(ref, wish.commit or remote.branches[ref][-1])
    elif ref in remote.tags:
        found = Target("", wish.commit or remote.tags[ref])
    else:
        found = Target("", wish.commit or next((commit for commit in repo.parents if commit == ref), ""))
    if found.commit not in repo.parents:
        raise Refusal(f"fatal: no such ref or commit: {wish.commit or ref}")
    return found


def _checkout(tree: Tree, tick: int, wish: SyncRepo, remote: FakeRemote, repo: Repo) -> dict[str, str]:
    target = _target(remote, repo, wish)
    branches = {**repo.branches, target.branch: target.commit} if target.branch else repo.branches
    readme = f"{target.commit}\n".encode()
    done = replace(repo, head=target.commit, branch=target.branch, branches=branches, readme=readme)
    top = directory(0o755, wish.uid, wish.gid, tick, "apply")
    tree.make_directory(parent_of(wish.path), directory(tick=tick, by="apply"))
    tree.make_directory(wish.path, top)
    tree.put(f"{wish.path}/.git", replace(top, repo=done))
    tree.put(f"{wish.path}/README.md", Node("file", 0o644, wish.uid, wish.gid, readme, tick, "apply"))
    return {"commit": target.commit, "branch": target.branch}
