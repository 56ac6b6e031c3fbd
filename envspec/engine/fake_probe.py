"""Answers of the fake engine's probe: what a container's inside looks like."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from envspec.engine import disposable
from envspec.engine.facts import (
    ENV_FILE,
    RUN_DIR,
    SEALS_FILE,
    STATE_DIR,
    Account,
    Answer,
    FileFact,
    LedgerEntry,
    Questions,
    RepoFact,
    RepoQuestion,
    SealedFile,
    Seals,
    located,
)
from envspec.engine.fake_fs import Node, Repo, State, Tree
from envspec.engine.fake_world import Container
from envspec.engine.run_files import read_lines
from envspec.secrets import seal

MOST = 200
"""How many undeclared files an answer holds."""

_RECORD = re.compile(r"-packages/[^/]*\.dist-info/RECORD$")


class FakeInquiry:
    """A probe that is asked later; here nothing goes on until then.

    Args:
        ask: Answers questions.
    """

    def __init__(self, ask: Callable[[Questions], Answer]) -> None:
        self.ask = ask

    def close(self) -> None:
        """Do nothing: it holds nothing."""


def answer(container: Container, questions: Questions) -> Answer:
    """Answer questions about the inside of a container that runs."""
    tree = container.tree
    environment = tree.get(ENV_FILE)
    ledger = tree.place(STATE_DIR)[0].layer.state.ledger
    known = accounts(tree)
    found = {path: tree.get(located(path, known)) for path in questions.files}
    repos = {q.path: describe_repo(tree, q, ledger, questions.since) for q in questions.repos}
    return Answer(
        ledger=tuple(ledger[address] for address in sorted(ledger)),
        files={path: describe(node) for path, node in found.items() if node is not None},
        repos={path: fact for path, fact in repos.items() if fact is not None},
        exists=frozenset(path for path in questions.exists if tree.get(located(path, known)) is not None),
        accounts=known,
        environment=None if environment is None else environment.content.decode(),
        seals=seals(tree),
        undeclared=undeclared(tree, questions) if questions.undeclared else None,
        hollow=frozenset(root for root in questions.undeclared if root != "/" and _is_hollow(tree, root, questions)),
        unlinked=unlinked(tree, [ledger[address] for address in questions.links if address in ledger]),
        jobs=tuple(sorted(container.jobs)),
    )


def seals(tree: Tree) -> Seals | None:
    """Return what is told of the secrets in the tmpfs."""
    node = tree.get(SEALS_FILE)
    lines = read_lines(node.content.decode(errors="replace")) if node else None
    if lines is None or not lines.key:
        return None
    files = {}
    for path in lines.files:
        here = tree.get(f"{RUN_DIR}/{path}")
        if here is not None and here.type == "file":
            files[path] = SealedFile(here.mode, here.uid, here.gid, seal(lines.key, here.content))
    return Seals(lines.key, lines.variables, files)


def describe(node: Node) -> FileFact:
    """Return the fact of a node."""
    digest = hashlib.sha256(node.content).hexdigest() if node.type in ("file", "link") else ""
    return FileFact(node.type, node.mode, node.uid, node.gid, digest)


def accounts(tree: Tree) -> tuple[Account, ...]:
    """Return the accounts of ``/etc/passwd``, in order."""
    passwd = tree.get("/etc/passwd")
    lines = passwd.content.decode().splitlines() if passwd else []
    fields = (line.split(":") for line in lines)
    return tuple(Account(f[0], int(f[2]), int(f[3]), f[5], f[6]) for f in fields if len(f) == 7)


def describe_repo(
    tree: Tree, question: RepoQuestion, ledger: Mapping[str, LedgerEntry], since: str = ""
) -> RepoFact | None:
    """Return the fact of a path where a repository is asked for, ``None`` when nothing is there."""
    path = located(question.path, accounts(tree))
    here = tree.get(path)
    if here is None:
        return None
    repo = repo_at(tree, path)
    if repo is None:
        return RepoFact("other" if here.type != "dir" or tree.children(path) else "empty")
    entry = ledger.get(question.address)
    commit = entry.facts.get("commit", "") if entry else ""
    dirty, made = _local_changes(tree, path, repo, since)
    return RepoFact(
        state="repo",
        origin=repo.origin,
        head=repo.head,
        branch=repo.branch,
        descends=not commit or commit in repo.ancestry(repo.head),
        dirty=dirty,
        made=made,
        unpushed=len(unpushed(repo)),
    )


def unlinked(tree: Tree, entries: Sequence[LedgerEntry]) -> tuple[str, ...]:
    """Return the links that entries remember and that are gone or lead elsewhere, sorted."""
    found = []
    for entry in entries:
        facts = entry.facts
        for name in (facts[key] for key in facts if key.startswith("link")):
            node = tree.get(f"{facts['home']}/{name}")
            if node is None or node.type != "link" or node.content != f"{facts['from']}/{name}".encode():
                found.append(f"{facts['home']}/{name}")
    return tuple(sorted(found))


def repo_at(tree: Tree, path: str) -> Repo | None:
    """Return the repository whose work tree is at a path, ``None`` when there is none."""
    inside = tree.get(f"{path.rstrip('/')}/.git")
    return inside.repo if inside else None


def changed(tree: Tree, path: str, repo: Repo) -> list[str]:
    """Return the tracked paths that differ from HEAD."""
    tracked = {"README.md": repo.readme, **repo.files}
    found = {name: tree.get(f"{path}/{name}") for name in sorted(tracked)}
    return [f"{path}/{name}" for name, node in found.items() if node is None or node.content != tracked[name]]


def untracked(tree: Tree, path: str, repo: Repo) -> list[str]:
    """Return what git does not know in a work tree; a directory without tracked files counts once."""
    below = (name[len(path) + 1 :] for name, node in tree.below(path) if node.type != "dir" or node.repo is not None)
    tracked = {".git", "README.md", *repo.files}
    known = {name.split("/")[0] for name in repo.files}
    found = ((name, name.split("/")[0]) for name in below if name not in tracked)
    return sorted({name if first in known else first for name, first in found})


def _local_changes(tree: Tree, path: str, repo: Repo, since: str) -> tuple[int, int]:
    """Return how many local changes somebody made by hand, and how many commands of an apply made."""
    state = tree.place(STATE_DIR)[0].layer.state
    by_hand = set(_made(tree, path, state, state.marks.get(since, -1)))
    found = [*changed(tree, path, repo), *(f"{path}/{name}" for name in untracked(tree, path, repo))]
    mine = [
        name for name in found if tree.get(name) is None or any(f == name or f.startswith(f"{name}/") for f in by_hand)
    ]
    return len(mine), len(found) - len(mine)


def unpushed(repo: Repo) -> set[str]:
    """Return the commits on HEAD or local branches that the remote does not have."""
    pushed = {commit for tip in repo.remote for commit in repo.ancestry(tip)}
    local = {commit for tip in (repo.head, *repo.branches.values()) for commit in repo.ancestry(tip)}
    return local - pushed


def undeclared(tree: Tree, questions: Questions) -> tuple[str, ...]:
    """Return the files made outside any operation below the asked roots, on the roots' own mounts."""
    state = tree.place(STATE_DIR)[0].layer.state
    since = state.marks.get(questions.since, -1)
    found = {path for root in questions.undeclared for path in _made(tree, root, state, since)}
    known = accounts(tree)
    passed = (STATE_DIR, *(located(path, known) for path in questions.declared))
    kept = [path for path in found if not any(path == p or path.startswith(f"{p}/") for p in passed)]
    return tuple(sorted(kept)[:MOST])


def _made(tree: Tree, root: str, state: State, since: int = -1) -> Iterator[str]:
    before = max(since, state.rootfs if tree.place(root)[0].target == "/" else state.initial)
    nodes = dict(tree.below(root))
    installed = {path for record in nodes if _RECORD.search(record) for path in _listed(record, nodes[record])}
    for path, node in nodes.items():
        if node.type == "dir" or node.tick <= before or node.tick in state.windows:
            continue
        linked = node.type == "link" and any(fnmatchcase(node.content.decode(), link) for link in disposable.LINKS)
        if not linked and path not in installed and not disposable.passed_over(path) and not _is_kept(path, nodes):
            yield path


def _is_hollow(tree: Tree, root: str, questions: Questions) -> bool:
    """Say whether a directory has no file that counts, whoever made it."""
    if tree.get(root) is None:
        return False
    since = tree.place(STATE_DIR)[0].layer.state.marks.get(questions.since, -1)
    files = ((path, node) for path, node in tree.below(root) if node.type != "dir" and node.tick > since)
    return all(disposable.passed_over(path) for path, _ in files)


def _listed(record: str, node: Node) -> Iterator[str]:
    """Yield what a package of Python has outside the directory of packages, by its ``RECORD``."""
    base = posixpath.dirname(posixpath.dirname(record))
    for line in node.content.decode(errors="replace").splitlines():
        if line.startswith(("../", "/")):
            yield posixpath.normpath(posixpath.join(base, line.rsplit(",", 2)[0]))


def _is_kept(path: str, nodes: Mapping[str, Node]) -> bool:
    """Say whether a path lies in a cache, or is what the making of a virtual environment put there."""
    top = path
    while (top := posixpath.dirname(top)) != "/":
        if f"{top}/pyvenv.cfg" in nodes:
            return disposable.MADE_WITH_ENVIRONMENT.fullmatch(path[len(top) + 1 :]) is not None
        if f"{top}/CACHEDIR.TAG" in nodes:
            return True
    return False
