"""Steps that are one operation inside a running container."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from envspec.engine.operations import (
    Baseline,
    GiveOver,
    Operation,
    PutEnvironment,
    PutState,
    Record,
    RestoreEnvironment,
    WriteRecords,
)
from envspec.errors import EngineCallFailed, EngineTimeout, Interrupted, StepFailed, Where
from envspec.steps.base import Container, Done, Run, Verb
from envspec.steps.objects import moment


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
    """Return the name of an operation as words: ``put files``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(operation).__name__).lower()
