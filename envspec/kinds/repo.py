"""Git repositories, cloned inside; local work in them is never overwritten unasked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from envspec.engine.facts import LedgerEntry, Questions, RepoFact, RepoQuestion
from envspec.engine.operations import REPO_CODES, Completed, RemoveRepo, SyncRepo
from envspec.errors import OutOfReach, StepFailed, Where
from envspec.kinds import loss
from envspec.kinds.base import (
    Kind,
    Observed,
    Setting,
    Verdict,
    Work,
    cause_of,
    ledger_addresses,
    record,
    recorded_path,
    spec_of,
)
from envspec.model import Action, Cause, Diff, Disruption, Loss, LossKind, Resource
from envspec.steps.base import Container, Done, Run, Step, StepList, Verb
from envspec.steps.guest import Perform

CLONE_DEADLINE = 1800.0
"""Seconds that a clone may take."""

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "network": "look at the name of its host, at `network`, and at what `envspec preflight` says of proxies and "
        "certificates; then apply again",
        "credentials": "forward what opens it (`forward_gh`, `forward_git`, `forward_ssh: agent`); hosts such as GitHub"
        " ask for credentials for what does not exist, too, so look at the URL as well",
        "not_found": "look at the URL; hosts such as GitHub say this of a private repository, too, to whom may not "
        "read it",
        "ref": "`git ls-remote URL` lists the branches and tags; a commit has to be on one of them",
        "occupied": "move away what is there, or choose another `path`",
        "local_changes": "commit and push them, or give them up with `--allow-data-loss {address}`",
        "no_git": "take a purpose or an image that has git, or leave the repository out (dotfiles: `dotfiles: none`)",
        "failed": "fix the error shown above, then apply again: completed steps are kept",
    }
)
"""The next step after each of :data:`envspec.engine.operations.REPO_CODES`."""


@dataclass(frozen=True, slots=True)
class RepoSpec:
    """A repository.

    Attributes:
        url: Where from, as seen from inside.
        path: Absolute path of the work tree.
        ref: Branch, tag or commit; "" for the default branch.
        depth: Commits to fetch; 0 for all.
        uid: Numeric owner.
        gid: Numeric group.
        submodules: Whether its submodules are checked out too.
    """

    url: str
    path: str
    ref: str
    depth: int
    uid: int
    gid: int
    submodules: bool = False

    @property
    def pinned(self) -> bool:
        """Whether the ref is a full commit, which can only ever mean one thing."""
        return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", self.ref) is not None


@dataclass(frozen=True, slots=True)
class Way:
    """How a work tree that is there is brought to what it must be.

    Attributes:
        back: Whether HEAD goes back to the commit that was cloned.
        anew: Whether another ref is checked out.
    """

    back: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True)
class SyncRepository(Verb):
    """Clone a repository, or bring it to a ref or commit."""

    container: Container
    operation: SyncRepo

    @property
    def text(self) -> str:
        """Return what it does."""
        at = self.operation.commit[:12] or self.operation.ref or "HEAD"
        return f"bring {self.operation.path} to {at} of {self.operation.url} in {self.container.name}"

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: It could not be had.
        """
        inside = run.container_id(self.container)
        done = run.engine.perform(inside, self.operation, deadline=CLONE_DEADLINE, on_line=run.on_line)
        if done.code != 0:
            raise failure(done, run.address)
        return Done()


class Repo(Kind[RepoSpec]):
    """A branch that moved upstream is no drift, nor is a commit on top; a HEAD that left what was cloned is."""

    name = "repo"
    writes_files = True
    contains_files = True
    inside = True

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return the repositories that the ledger knows."""
        return ledger_addresses(self.name, world)

    def actual(self, address: str, spec: RepoSpec | None, world: Observed) -> Any:
        """Return origin, HEAD, branch and how much local work there is."""
        path = spec.path if spec else recorded_path(world.answer.entry(address), address)
        fact = world.answer.repos.get(path)
        if fact is None:
            return None
        return {"state": fact.state, "origin": fact.origin, "head": fact.head, "branch": fact.branch}

    def questions(self, resource: Resource, spec: RepoSpec) -> Questions:
        """Ask for the repository, and whose it is."""
        asked = (RepoQuestion(spec.path, resource.address),)
        return Questions(files=(spec.path,), repos=asked, declared=(spec.path,))

    def recorded_questions(self, entry: LedgerEntry) -> Questions:
        """Ask for a repository that is to go."""
        path = recorded_path(entry, entry.address)
        return Questions(repos=(RepoQuestion(path, entry.address),), declared=(path,))

    def diff(self, resource: Resource, spec: RepoSpec, world: Observed) -> Verdict | None:
        """Compare what is cloned with what shall be."""
        fact = world.answer.repos.get(spec.path)
        entry = world.answer.entry(resource.address)
        cause = cause_of(resource, world)
        place = world.located(spec.path)
        if fact is None or fact.state == "empty":
            why = "it was removed" if entry else f"clone {spec.url}"
            return Verdict(Action.CREATE, why, (Diff("head", None, spec.ref or "HEAD", cause),), Disruption.WRITE)
        if fact.state != "repo":
            other = (Loss(LossKind.DIRECTORY, place, "not a repository"),)
            return Verdict(Action.REPLACE, "something else is there", (), Disruption.REPLACE, other)
        if fact.origin != spec.url:
            diff = (Diff("origin", fact.origin, spec.url, cause),)
            return Verdict(
                Action.REPLACE, "it comes from elsewhere", diff, Disruption.REPLACE, loss.work_in(place, fact)
            )
        if entry and entry.data.get("ref") == spec.ref:
            lost = loss.work_in(place, fact)
            dirty = loss.work_in(place, replace(fact, unpushed=0))
            return _submodules(spec, dirty, entry, cause) or self._moved(spec, fact, entry, resource, lost)
        if entry is None and not spec.ref:
            return Verdict(Action.UPDATE, "cloned already: recorded as ours", (), Disruption.NONE)
        before = str(entry.data.get("ref") or "HEAD") if entry else fact.branch or fact.head[:12]
        lost = loss.work_in(place, fact)
        diff = (Diff("ref", before, spec.ref or "HEAD", cause),)
        why = f"ref: {before} → {spec.ref or 'HEAD'}"
        return Verdict(Action.UPDATE, why, diff, Disruption.UPDATE, lost, how=Way(anew=True))

    def _moved(
        self, spec: RepoSpec, fact: RepoFact, entry: LedgerEntry, resource: Resource, lost: tuple[Loss, ...]
    ) -> Verdict | None:
        commit = entry.facts.get("commit", "")
        branch = entry.facts.get("branch", "")
        away = fact.head != commit if spec.pinned or not branch else not fact.descends
        if away:
            diff = (Diff("head", fact.head[:12], commit[:12], Cause.DRIFT),)
            why = f"HEAD was moved from {commit[:12]} to {fact.head[:12]}"
            return Verdict(Action.UPDATE, why, diff, Disruption.UPDATE, lost, how=Way(back=True))
        if branch and fact.branch != branch:
            diff = (Diff("branch", fact.branch or None, branch, Cause.DRIFT),)
            why = f"another branch is checked out: {fact.branch or 'none'}"
            return Verdict(Action.UPDATE, why, diff, Disruption.UPDATE, lost, how=Way(back=True))
        if entry.digest != resource.digest:
            return Verdict(Action.UPDATE, "recorded as applied", (), Disruption.NONE)
        return None

    def removal(self, address: str, world: Observed) -> Verdict | None:
        """Remove the work tree; local work in it has to be given up by name."""
        path = recorded_path(world.answer.entry(address), address)
        lost = loss.below(world.located(path), world) if world.inside is not None else ()
        return Verdict(Action.DELETE, "no longer in the file", disruption=Disruption.REPLACE, losses=lost)

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Clone, check out, or remove."""
        (item,) = work
        change, answer = item.change, setting.world.answer
        sequence = StepList(change.address)
        if item.resource is None:
            path = recorded_path(answer.entry(change.address), change.address)
            sequence.then(Perform(setting.guest, RemoveRepo(change.address, path)), detail="removed")
            return tuple(sequence.steps)
        spec = spec_of(item, RepoSpec)
        if change.action is Action.REPLACE:
            sequence.then(Perform(setting.guest, RemoveRepo(change.address, spec.path)))
        entry = answer.entry(change.address) if change.action is Action.UPDATE else None
        fact = answer.repos.get(spec.path)
        had_submodules = entry is not None and bool(entry.data.get("submodules"))
        ref, commit = _wanted(item, spec, entry)
        sync = SyncRepo(
            url=spec.url,
            path=spec.path,
            ref=ref,
            depth=spec.depth,
            commit=commit,
            force=bool(change.data_loss),
            uid=spec.uid,
            gid=spec.gid,
            record=record(item.resource, path=spec.path, ref=spec.ref, submodules=spec.submodules),
            overwrite=fact is not None and fact.made > 0,
            submodules="on" if spec.submodules else "off" if had_submodules else "",
        )
        sequence.then(SyncRepository(setting.guest, sync), detail=f"{spec.url} {spec.ref}".strip())
        return tuple(sequence.steps)


def failure(done: Completed, address: str) -> StepFailed:
    """Return the error of a repository that could not be had.

    Args:
        done: How :class:`SyncRepo` ended: not with 0. The last line that it printed says why, git's own come before.
        address: Address of the repository.
    """
    name = REPO_CODES.get(done.code, "failed")
    *before, last = done.tail.splitlines() or [f"exit code {done.code}"]
    kind = OutOfReach if name == "network" else StepFailed
    hint = HINTS[name].format(address=address)
    return kind("\n".join([last, *before]), code=f"repo.{name}", hint=hint, where=Where(address=address))


def _submodules(spec: RepoSpec, lost: tuple[Loss, ...], entry: LedgerEntry, cause: Cause) -> Verdict | None:
    before = bool(entry.data.get("submodules"))
    if before == spec.submodules:
        return None
    diff = (Diff("submodules", before, spec.submodules, cause),)
    message = "check its submodules out" if spec.submodules else "take its submodules away"
    return Verdict(Action.UPDATE, message, diff, Disruption.UPDATE, () if spec.submodules else lost)


def _wanted(item: Work, spec: RepoSpec, entry: LedgerEntry | None) -> tuple[str, str]:
    """Return the ref to bring a repository to, and the commit, "" to take what the ref says now.

    Where the author names no ref, it is the branch that it was cloned on.
    """
    way = item.how if isinstance(item.how, Way) else Way()
    ref = spec.ref
    if not ref and item.change.action is Action.UPDATE:
        ref = "HEAD" if way.anew else entry.facts.get("branch", "") if entry else ""
    if spec.pinned:
        return ref, spec.ref
    return ref, entry.facts.get("commit", "") if entry and way.back else ""
