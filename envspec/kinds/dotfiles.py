"""What a repository of dotfiles does to its user's home: run by the script that it brings, else linked from there.

The repository itself is of the kind ``repo``, and inline files are of the kind ``file``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envspec.engine.facts import Questions
from envspec.engine.operations import InstallDotfiles, RemoveDotfiles
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, ledger_addresses, record, spec_of
from envspec.model import Action, Cause, Diff, Disruption, Resource
from envspec.steps.base import Step, StepList
from envspec.steps.guest import Perform

WORKSPACE = "dotfiles.workspace"
"""Address of the one that an environment may have."""

SCRIPTS = ("install.sh", "setup.sh", "bootstrap.sh", "script/setup")
"""What is looked for in a repository whose author names no script, in this order."""

LINKS = (
    *(".aliases", ".bash_aliases", ".bash_login", ".bash_logout", ".bash_profile", ".bashrc", ".curlrc", ".dircolors"),
    *(".editorconfig", ".emacs", ".emacs.d", ".exports", ".functions", ".gitattributes", ".gitconfig", ".gitignore"),
    *(".gitignore_global", ".gvimrc", ".hushlogin", ".inputrc", ".lesskey", ".nanorc", ".profile", ".psqlrc"),
    *(".ripgreprc", ".screenrc", ".sqliterc", ".tmux.conf", ".vim", ".vimrc", ".wgetrc", ".zlogin", ".zprofile"),
    *(".zsh", ".zshenv", ".zshrc", ".config/*"),
)
"""What is linked from home where a repository brings no script: what shells and common tools read. Files that hold
credentials (``.netrc``, ``.npmrc``, ``.ssh``) are not among them."""

DEADLINE = 1800.0
"""Seconds that a script may take; as for a setup command that names no ``timeout``."""


@dataclass(frozen=True, slots=True)
class DotfilesSpec:
    """How dotfiles are set up.

    Attributes:
        repo: Address of the repository.
        path: Where it is cloned to.
        trigger: What makes a script run again when it changes: URL and branch of the repository.
        script: Path in it of the script to run; "" looks for one, or links.
        taken: Paths relative to home that inline files have, sorted.
        uid: Numeric user.
        gid: Numeric group.
    """

    repo: str
    path: str
    trigger: str
    script: str
    taken: tuple[str, ...]
    uid: int
    gid: int

    @property
    def runs(self) -> str:
        """Return what decides whether a script has run."""
        return f"{self.trigger} {self.script}".strip()


class Dotfiles(Kind[DotfilesSpec]):
    """A script runs once for a repository and branch; links are looked after one by one."""

    name = "dotfiles"
    writes_files = True
    inside = True

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return what the ledger knows."""
        return ledger_addresses(self.name, world)

    def actual(self, address: str, spec: DotfilesSpec | None, world: Observed) -> Any:  # noqa: ARG002 - the ledger knows
        """Return which way they were set up, and what is no longer linked."""
        entry = world.answer.entry(address)
        if entry is None:
            return None
        return {"way": entry.facts.get("way", ""), "unlinked": list(world.answer.unlinked), "facts": dict(entry.facts)}

    def questions(self, resource: Resource, spec: DotfilesSpec) -> Questions:  # noqa: ARG002 - the ledger says which
        """Ask for the links."""
        return Questions(links=(resource.address,))

    def diff(self, resource: Resource, spec: DotfilesSpec, world: Observed) -> Verdict | None:
        """Ask for a run when there was none for this repository, and for links that are gone."""
        entry = world.answer.entry(resource.address)
        if entry is None:
            return Verdict(Action.RUN, _told(spec), (), Disruption.UPDATE)
        before = entry.data.get("runs")
        if before != spec.runs:
            diff = (Diff("runs", before, spec.runs, Cause.SPEC),)
            return Verdict(Action.RUN, f"{before} → {spec.runs}", diff, Disruption.UPDATE)
        if world.answer.unlinked:
            lost = world.answer.unlinked
            diffs = tuple(Diff(f"links.{path}", None, "a link", Cause.DRIFT) for path in lost)
            return Verdict(Action.UPDATE, f"no link any more: {', '.join(lost)}", diffs, Disruption.WRITE)
        if entry.digest != resource.digest:
            why = "other files are written inline" if entry.data.get("taken") != list(spec.taken) else "recorded again"
            return Verdict(Action.UPDATE, why, (), Disruption.WRITE)
        return None

    def affected(self, resource: Resource, spec: DotfilesSpec, changed: Any) -> Verdict | None:  # noqa: ARG002 - a hook
        """Run again in a repository that is cloned again."""
        verdict = changed.get(spec.repo)
        if verdict is None or verdict.action not in (Action.CREATE, Action.REPLACE):
            return None
        return Verdict(Action.RUN, f"{spec.repo} is cloned again", (), Disruption.UPDATE)

    def forced(self, resource: Resource, spec: DotfilesSpec, world: Observed) -> Verdict:  # noqa: ARG002 - always
        """Set them up again."""
        return Verdict(Action.RUN, "asked for with --replace", disruption=Disruption.UPDATE)

    def removal(self, address: str, world: Observed) -> Verdict | None:
        """Take links away and put back what was there; what a script did cannot be undone."""
        entry = world.answer.entry(address)
        way = entry.facts.get("way", "") if entry else ""
        told = "links go, what was there before is put back" if way == "links" else f"what {way} did stays"
        return Verdict(Action.DELETE, f"no longer in the file; {told}", disruption=Disruption.WRITE)

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Set dotfiles up, or take their links away."""
        (item,) = work
        address = item.change.address
        sequence = StepList(address)
        if item.resource is None:
            entry = setting.world.answer.entry(address)
            data = entry.data if entry else {}
            remove = RemoveDotfiles(address, int(str(data.get("uid", 0))), int(str(data.get("gid", 0))))
            sequence.then(Perform(setting.guest, remove), detail="removed")
            return tuple(sequence.steps)
        spec = spec_of(item, DotfilesSpec)
        note = record(item.resource, path=spec.path, runs=spec.runs, taken=list(spec.taken), uid=spec.uid, gid=spec.gid)
        install = InstallDotfiles(
            path=spec.path,
            scripts=(spec.script,) if spec.script else SCRIPTS,
            links=() if spec.script else LINKS,
            taken=spec.taken,
            again=item.change.action is Action.RUN,
            uid=spec.uid,
            gid=spec.gid,
            record=note,
        )
        sequence.then(Perform(setting.guest, install, DEADLINE), detail=spec.trigger)
        return tuple(sequence.steps)


def _told(spec: DotfilesSpec) -> str:
    return f"run {spec.script}" if spec.script else "run the script that they bring, else link them"
