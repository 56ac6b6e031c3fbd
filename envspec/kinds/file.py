"""Files with declared content: written whole, put back when changed by hand, their originals kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from envspec.engine.facts import FileFact, LedgerEntry, Questions
from envspec.engine.operations import FilePut, PutFiles, RemoveFiles
from envspec.kinds.base import (
    Kind,
    Observed,
    Setting,
    Verdict,
    Work,
    because,
    cause_of,
    ledger_addresses,
    record,
    recorded_path,
    spec_of,
)
from envspec.kinds.loss import lies_below
from envspec.model import Action, Cause, Diff, Disruption, Loss, LossKind, Resource
from envspec.steps.base import Step, StepList
from envspec.steps.guest import Perform


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file.

    Attributes:
        path: Absolute path inside.
        content: Its whole content.
        mode: Permission bits.
        uid: Numeric owner.
        gid: Numeric group.
        link: Whether it is a symbolic link, to the path that its content is; its mode is 0o777 then.
    """

    path: str
    content: bytes
    mode: int
    uid: int
    gid: int
    link: bool = False

    @property
    def sha256(self) -> str:
        """Return the hex digest of the content."""
        return hashlib.sha256(self.content).hexdigest()


class File(Kind[FileSpec]):
    """All files of one apply travel in one tar stream."""

    name = "file"
    writes_files = True
    loses_work = False
    inside = True
    batch = True

    def existing(self, world: Observed) -> tuple[str, ...]:
        """Return the files that the ledger knows."""
        return ledger_addresses(self.name, world)

    def actual(self, address: str, spec: FileSpec | None, world: Observed) -> Any:
        """Return type, mode, owner and digest."""
        fact = world.answer.files.get(spec.path if spec else recorded_path(world.answer.entry(address), address))
        if fact is None:
            return None
        return {"type": fact.type, "mode": f"{fact.mode:04o}", "owner": f"{fact.uid}:{fact.gid}", "sha256": fact.sha256}

    def questions(self, resource: Resource, spec: FileSpec) -> Questions:  # noqa: ARG002 - the spec says all
        """Ask for the file."""
        return Questions(files=(spec.path,), declared=(spec.path,))

    def recorded_questions(self, entry: LedgerEntry) -> Questions:
        """Ask for a file that is to go."""
        path = recorded_path(entry, entry.address)
        return Questions(files=(path,), declared=(path,))

    def diff(self, resource: Resource, spec: FileSpec, world: Observed) -> Verdict | None:
        """Compare content, mode and owner."""
        fact = world.answer.files.get(spec.path)
        entry = world.answer.entry(resource.address)
        cause = cause_of(resource, world)
        if fact is None:
            why = "it was removed" if entry else f"{len(spec.content)} bytes"
            return Verdict(Action.CREATE, why, (Diff("sha256", None, spec.sha256[:12], cause),), Disruption.WRITE)
        before, after = _attributes(fact), _wanted(spec)
        if _is_shared(spec.path, world):
            del after["owner"]
        diffs = tuple(Diff(key, before[key], after[key], cause) for key in sorted(after) if before[key] != after[key])
        if not diffs:
            if entry and entry.digest == resource.digest:
                return None
            return Verdict(Action.UPDATE, "in place already: recorded as ours", (), Disruption.NONE)
        differs = fact.sha256 != spec.sha256
        box = world.workspace
        kept_outside = not box or any(lies_below(world.located(spec.path), mount.target) for mount in box.mounts)
        lost = (
            (Loss(LossKind.FILE, spec.path, "not written by envspec"),)
            if differs and entry is None and kept_outside
            else ()
        )
        names = ", ".join(_WORDS[d.path] for d in diffs)
        return Verdict(Action.UPDATE, f"{names}: {because(cause)}", diffs, Disruption.WRITE, lost)

    def removal(self, address: str, world: Observed) -> Verdict | None:
        """Remove the file and put back what was there before it."""
        why = "no longer in the file; what was there before is put back"
        actual = self.actual(address, None, world)
        diff = (Diff("sha256", actual["sha256"][:12], None, Cause.SPEC),) if actual else ()
        return Verdict(Action.DELETE, why, diff, Disruption.WRITE)

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Write all, in one stream; or remove all, in one operation."""
        puts, gone = [], []
        for item in work:
            address = item.change.address
            if item.resource is None:
                gone.append((address, recorded_path(setting.world.answer.entry(address), address)))
                continue
            spec = spec_of(item, FileSpec)
            note = record(item.resource, path=spec.path)
            puts.append(FilePut(spec.path, spec.content, spec.mode, spec.uid, spec.gid, note, spec.link))
        sequence = StepList(*(item.change.address for item in work))
        if gone:
            sequence.then(Perform(setting.guest, RemoveFiles(tuple(gone))), detail="removed")
        if puts:
            sequence.then(Perform(setting.guest, PutFiles(tuple(puts)), 300), detail="written")
        return tuple(sequence.steps)


def _is_shared(path: str, world: Observed) -> bool:
    """Say whether a file lies in a directory of this host that another machine shows, with an owner of its choice."""
    box = world.workspace
    if not world.shared or box is None:
        return False
    holding = [mount for mount in box.mounts if lies_below(world.located(path), mount.target)]
    return bool(holding) and max(holding, key=lambda mount: len(mount.target)).type == "bind"


_WORDS = {"sha256": "content", "mode": "mode", "owner": "owner", "type": "its type"}


def _attributes(fact: FileFact) -> dict[str, Any]:
    return {
        "type": fact.type,
        "sha256": fact.sha256[:12] or None,
        "mode": f"{fact.mode:04o}",
        "owner": f"{fact.uid}:{fact.gid}",
    }


def _wanted(spec: FileSpec) -> dict[str, Any]:
    return {
        "type": "link" if spec.link else "file",
        "sha256": spec.sha256[:12],
        "mode": f"{spec.mode:04o}",
        "owner": f"{spec.uid}:{spec.gid}",
    }
