"""Steps that are one operation inside a running container."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from envspec.engine.operations import (
    Baseline,
    EnsureUser,
    Forget,
    GiveOver,
    InstallDotfiles,
    Operation,
    PutEnvironment,
    PutFiles,
    PutState,
    ReadEnvironment,
    ReadState,
    Record,
    RemoveDotfiles,
    RemoveFiles,
    RemoveRepo,
    RestoreEnvironment,
    RunCommand,
    WriteRecords,
)
from envspec.errors import EngineCallFailed, EngineTimeout, Interrupted, StepFailed, Where
from envspec.steps.base import Container, Done, Run, Verb
from envspec.steps.containers import moment


@dataclass(frozen=True, slots=True)
class Perform(Verb):
    """Do an operation inside, and insist that it ends well.

    Attributes:
        container: Where.
        operation: What to do.
        deadline: Seconds after which it is ended.
        read: Whether what it prints is kept for later steps.
    """

    container: Container
    operation: Operation
    deadline: float = 60.0
    read: bool = False

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"{words_of(self.operation)} in {self.container.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        done = run.perform(self.container, self.operation, deadline=self.deadline)
        return Done(output=done.stdout if self.read else b"")


@dataclass(frozen=True, slots=True)
class PutVariables(Verb):
    """Write the variables, with the CA bundle that comes along."""

    container: Container
    operation: PutEnvironment
    with_ca: bool

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"{words_of(self.operation)} in {self.container.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        run.perform(self.container, replace(self.operation, ca=run.ca_bundle) if self.with_ca else self.operation)
        return Done()


@dataclass(frozen=True, slots=True)
class GrantLease(Verb):
    """Write down when the environment expires, counted from now.

    Attributes:
        container: Where.
        record: The ledger entry, to which the moment is added under ``key``.
        ttl: Seconds.
        key: Name of what is added.
    """

    container: Container
    record: Record
    ttl: float
    key: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"write the expiry in {self.container.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        until = moment(self.ttl)
        record = replace(self.record, data={**self.record.data, self.key: until})
        run.perform(self.container, WriteRecords((record,)))
        return Done(f"expires {until}")


@dataclass(frozen=True, slots=True)
class TakeOverState(Verb):
    """Give a container what the one that it replaces had written down."""

    container: Container
    source: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"unpack the ledger of the old container in {self.container.name}"

    def run(self, run: Run) -> Done:
        """Do it."""
        if data := run.output(self.source):
            run.perform(self.container, PutState(data))
        return Done()


@dataclass(frozen=True, slots=True)
class HandBack(Verb):
    """Give what a container's user took over back to the one before, if the container was started."""

    container: Container
    operation: GiveOver
    started_by: str
    deadline: float

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"give what {self.container.name} took over back to uid {self.operation.uid}"

    def run(self, run: Run) -> Done:
        """Do it."""
        if self.started_by in run.before:
            run.engine.perform(run.container_id(self.container), self.operation, deadline=self.deadline)
        return Done()


@dataclass(frozen=True, slots=True)
class BringBack(Verb):
    """Start the container that was to be replaced, if it was stopped, and put its variables back."""

    container: Container
    source: str
    start: Verb

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"start {self.container.name} again with its variables, if it was stopped"

    def run(self, run: Run) -> Done:
        """Do it."""
        if any(box.running for box in run.engine.containers("", (self.container.name,)) if box.id == self.container.id):
            return Done()
        self.start.run(run)
        if data := run.output(self.source):
            run.engine.perform(self.container.id, RestoreEnvironment(data))
        return Done()


@dataclass(frozen=True, slots=True)
class CheckTools(Verb):
    """Insist that the user's own image has what operations inside need.

    No engine tells what is in an image before a container runs it. Images that envspec made have everything.
    """

    container: Container
    image: str

    @property
    def text(self) -> str:
        """Return what it does."""
        return f"check that {self.image} has the tools that envspec needs inside"

    def run(self, run: Run) -> Done:
        """Do it.

        Raises:
            StepFailed: It lacks something.
        """
        try:
            run.perform(self.container, Baseline())
        except (EngineTimeout, Interrupted):
            raise
        except (EngineCallFailed, StepFailed) as error:
            raise StepFailed(
                f"the image {self.image} cannot be a workspace: {error.message}",
                code="image.unfit",
                hint="use an image that has /bin/sh, sleep, awk, find, sed, sha256sum, stat and tar",
                where=Where(address=run.address),
            ) from None
        return Done()


def words_of(operation: Operation) -> str:
    """Return an operation in words: ``write /etc/motd``, ``run `npm ci```."""
    described = _WORDS.get(type(operation))
    return described(operation) if described else re.sub(r"(?<!^)(?=[A-Z])", " ", type(operation).__name__).lower()


def _listed(paths: Iterable[str]) -> str:
    first, *others = paths
    return f"{first} and {len(others)} more" if others else first


def _command(text: str) -> str:
    first = text.strip().partition("\n")[0]
    return first if len(first) <= _SHOWN and first == text.strip() else f"{first[:_SHOWN]}…"


_SHOWN = 60
"""Characters of a command that a step's text shows."""

_WORDS: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        PutFiles: lambda done: f"write {_listed(file.path for file in done.files)}",
        RemoveFiles: lambda done: f"remove {_listed(path for _, path in done.paths)}",
        EnsureUser: lambda done: f"set up the account of uid {done.uid}",
        GiveOver: lambda done: f"give what uid {done.former} owns in volumes to uid {done.uid}",
        PutEnvironment: lambda _: "write the variables",
        RemoveRepo: lambda done: f"remove {done.path}",
        InstallDotfiles: lambda done: f"set up dotfiles from {done.path}",
        RemoveDotfiles: lambda _: "take away the links of dotfiles",
        RunCommand: lambda done: f"run `{_command(done.command)}`",
        WriteRecords: lambda _: "note what was applied",
        Forget: lambda done: f"forget {_listed(done.addresses)}",
        ReadState: lambda _: "read the ledger",
        ReadEnvironment: lambda _: "read the variables",
    }
)
