"""Git as far as the fake engine has it: clones of :class:`envspec.engine.fake_world.FakeRemote`, checked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from envspec.engine.fake_fs import Node, Refusal, Repo, Tree, directory, parent_of
from envspec.engine.fake_probe import changed, repo_at, untracked
from envspec.engine.fake_world import FakeRemote
from envspec.engine.operations import SyncRepo


@dataclass(frozen=True, slots=True)
class Target:
    """Where a checkout goes: a branch or "" for a detached HEAD, and a commit."""

    branch: str
    commit: str


def sync(tree: Tree, tick: int, remotes: Mapping[str, FakeRemote], wish: SyncRepo) -> dict[str, str]:
    """Bring a repository to a ref and return the facts to remember: ``commit`` and ``branch``.

    Raises:
        Refusal: The place holds something else, the remote or ref does not exist, or local work is in the way.
    """
    here = repo_at(tree, wish.path)
    if wish.ref == "HEAD":
        wish = replace(wish, ref=_reach(remotes, wish.url).default)
    if here is None:
        place = tree.get(wish.path)
        if place is not None and (place.type != "dir" or tree.children(wish.path)):
            raise Refusal(f"{wish.path} exists and is no repository", 25)
        remote = _reach(remotes, wish.url)
        cloned = _fetched(remote, Repo(wish.url, "", "", {}, frozenset(), {}, b"", remote.files))
        return _check_out(tree, tick, wish, cloned, _target(remote, cloned, wish, remote.default))
    if here.origin != wish.url:
        raise Refusal(f"{wish.path} holds a repository of another origin", 25)
    if _is_checked_out(here, remotes.get(wish.url), wish.ref) and wish.commit in ("", here.head):
        return {"commit": here.head, "branch": here.branch}
    if not (wish.force or wish.overwrite) and (changed(tree, wish.path, here) or untracked(tree, wish.path, here)):
        raise Refusal(f"{wish.path} has local changes", 26)
    remote = _reach(remotes, wish.url)
    fetched = _fetched(remote, here)
    target = _target(remote, fetched, wish, here.branch)
    if not wish.force:
        _guard(fetched, target, wish.path)
    return _check_out(tree, tick, wish, fetched, target)


def _is_checked_out(repo: Repo, remote: FakeRemote | None, ref: str) -> bool:
    if not ref or repo.branch:
        return ref in ("", repo.branch)
    return repo.head in (_full(repo, ref), remote.tags.get(ref) if remote else None)


def _full(repo: Repo, ref: str) -> str:
    """Return the commit that a ref of at least seven digits stands for, else the ref."""
    return next((commit for commit in sorted(repo.parents) if len(ref) >= 7 and commit.startswith(ref)), ref)


def _reach(remotes: Mapping[str, FakeRemote], url: str) -> FakeRemote:
    remote = remotes.get(url)
    if remote is None:
        raise Refusal(f"there is no repository at {url}", 23)
    return remote


def _fetched(remote: FakeRemote, here: Repo) -> Repo:
    """Return what a repository knows after a fetch."""
    tips = frozenset(commits[-1] for commits in remote.branches.values()) | frozenset(remote.tags.values())
    return replace(here, parents={**here.parents, **remote.parents()}, remote=tips)


def _target(remote: FakeRemote, repo: Repo, wish: SyncRepo, branch: str) -> Target:
    """Return what to check out; without a ref a repository stays on the branch that it is on."""
    if wish.commit and branch == (wish.ref or branch):
        found = Target(branch, wish.commit)
    elif not wish.ref:
        found = Target(branch, remote.branches[remote.default][-1])
    elif wish.ref in remote.branches:
        found = Target(wish.ref, wish.commit or remote.branches[wish.ref][-1])
    else:
        found = Target("", wish.commit or remote.tags.get(wish.ref) or _full(repo, wish.ref))
    if found.commit not in repo.parents:
        raise Refusal(f"{wish.url} has no branch, tag or commit {wish.ref or wish.commit}", 24)
    return found


def _guard(repo: Repo, target: Target, path: str) -> None:
    """Refuse where commits would lose their last name."""
    leaving = [] if repo.branch else [repo.head]
    if target.branch in repo.branches:
        leaving.append(repo.branches[target.branch])
    staying = (commit for branch, commit in repo.branches.items() if branch != target.branch)
    named = {c for tip in (target.commit, *repo.remote, *staying) for c in repo.ancestry(tip)}
    lost = {c for tip in leaving for c in repo.ancestry(tip)} - named
    if lost:
        raise Refusal(f"{path} has {len(lost)} commits that no remote has", 26)


def _check_out(tree: Tree, tick: int, wish: SyncRepo, repo: Repo, target: Target) -> dict[str, str]:
    branches = {**repo.branches, target.branch: target.commit} if target.branch else repo.branches
    readme = f"{target.commit}\n".encode()
    done = replace(repo, head=target.commit, branch=target.branch, branches=branches, readme=readme)
    top = directory(0o755, wish.uid, wish.gid, tick, "apply")
    if tree.get(wish.path) is None:
        tree.put(wish.path, top)
    tree.put(f"{wish.path}/.git", replace(top, repo=done))
    tree.put(f"{wish.path}/README.md", Node("file", 0o644, wish.uid, wish.gid, readme, tick, "apply"))
    for name, content in repo.files.items():
        path = f"{wish.path}/{name}"
        tree.make_directory(parent_of(path), lambda _: top)
        tree.put(path, Node("file", 0o644, wish.uid, wish.gid, content, tick, "apply"))
    return {"commit": target.commit, "branch": target.branch}
