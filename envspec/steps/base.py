"""A step, what it is given to run with, and what it brings."""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from envspec.engine.base import Engine
from envspec.engine.operations import Completed, Operation
from envspec.errors import StepFailed, Where
from envspec.model import Plan, PlannedStep, to_json
from envspec.steps import returns


@dataclass(frozen=True, slots=True)
class Container:
    """A container, whether it exists already or a step of the plan creates it.

    Attributes:
        name: Its name, for people.
        id: Its ID, "" when a step creates it.
        made_by: ID of the step that creates it, "" when it exists.
    """

    name: str
    id: str = ""
    made_by: str = ""


NOWHERE = Container("")
"""Stands for the container of a plan that has none."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a step brought.

    Attributes:
        detail: What the report says of the change, where that is known only now; else "".
        container: ID of the container that it created, or "".
        output: What later steps read: the state of a container that is replaced.
        cached: Whether it took what was there instead of fetching or building.
    """

    detail: str = ""
    container: str = ""
    output: bytes = b""
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What a step is given to run with. All of it is frozen or thread-safe.

    Attributes:
        engine: The engine.
        address: Address of the change that the step serves; the first, where it serves several.
        on_line: Takes a line of output.
        before: What the steps that have ended brought, by their IDs.
        build_secrets: Contents that builds may read, by ID; never in a layer.
        ca_bundle: PEM bundle to bring into the container, ``b""`` for none.
        marks: Labels that say whose the environment is, for a container that is created.
        stopping: Set when the user asked to stop; a step that waits gives up.
    """

    engine: Engine
    address: str
    on_line: Callable[[str], None]
    before: Mapping[str, Done] = field(default_factory=dict)
    build_secrets: Mapping[str, bytes] = field(default_factory=dict)
    ca_bundle: bytes = b""
    marks: Mapping[str, str] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    def container_id(self, container: Container) -> str:
        """Return the ID of a container, "" when the step that was to create it did not."""
        return container.id or self.before.get(container.made_by, Done()).container

    def output(self, step: str) -> bytes:
        """Return what a step left for later ones."""
        return self.before.get(step, Done()).output

    def perform(self, container: Container, operation: Operation, *, deadline: float = 60.0) -> Completed:
        """Do an operation inside a container, and insist that it ends well.

        Raises:
            StepFailed: It ended with a code other than 0; the message has its last lines.
        """
        done = self.engine.perform(self.container_id(container), operation, deadline=deadline, on_line=self.on_line)
        if done.code != 0:
            raise StepFailed(
                f"exit code {done.code}:\n{done.tail}" if done.tail else f"exit code {done.code}",
                code="step.exit_code",
                hint=returns.hint(done.tail)
                or "fix what the last lines say, then apply again: what was done stays done",
                where=Where(address=self.address),
            )
        return done

    def network_id(self, name: str) -> str:
        """Return the ID of a network by its name, as the engine has it now.

        Raises:
            StepFailed: It is gone.
        """
        found = next((network.id for network in self.engine.networks() if network.name == name), None)
        if found is None:
            raise StepFailed(f"network {name} is gone", hint="apply again", where=Where(address=f"network.{name}"))
        return found


class Verb(ABC):
    """What a step does: a frozen value that holds all it needs, and one call that does it."""

    __slots__ = ()

    @property
    @abstractmethod
    def text(self) -> str:
        """MUST: return what it does, to what, as people read it: ``start shop-workspace``."""

    @abstractmethod
    def run(self, run: Run) -> Done:
        """MUST: do it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One engine verb, or one operation inside a container.

    Attributes:
        id: Its ID, unique in a plan: the address of its change, and its number there.
        serves: Addresses of the changes that it serves.
        verb: What it does.
        needs: IDs of the steps that must have ended well before it.
        unless: IDs of the steps that a recovering step answers for: it runs once all have ended, if one of them failed
            or was left out, also after an interrupt.
        recovers: Whether it is such a step, and not one of the normal course.
        last: Whether it waits for all other steps of the plan, those that remove what is left over apart.
        undoes: Addresses of changes that are undone when it has run.
        detail: What the report says of its change when it has run; "" when another step of it says it.
        skipped: What is said of its change when it is left out; "" for the general reason.
    """

    id: str
    serves: tuple[str, ...]
    verb: Verb
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    recovers: bool = False
    last: bool = False
    undoes: tuple[str, ...] = ()
    detail: str = ""
    skipped: str = ""

    @property
    def main(self) -> bool:
        """Whether it belongs to the normal course, and waits for nothing but what it needs."""
        return not (self.recovers or self.last)

    @property
    def planned(self) -> PlannedStep:
        """Return what a plan says of it, as a JSON value."""
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self.verb).__name__).lower()
        return PlannedStep(self.id, self.serves, name, self.verb.text, to_json(self.verb), self.needs, self.unless)


class StepList:
    """Collects the steps of one change, or of several that one step serves, each after the one before it."""

    def __init__(self, *serves: str) -> None:
        self.serves = serves
        self.steps: list[Step] = []

    def then(self, verb: Verb, *, detail: str = "") -> str:
        """Add a step of the normal course, after the last one of it, and return its ID."""
        after = self._after(last=False)
        return self._add(Step(self._next, self.serves, verb, after, detail=detail))

    def finally_(self, verb: Verb, *, detail: str = "", skipped: str = "") -> str:
        """Add a step that waits until all others have ended well, and return its ID."""
        after = self._after(last=True)
        return self._add(Step(self._next, self.serves, verb, after, last=True, detail=detail, skipped=skipped))

    def undo(self, *verbs: Verb, unless: Iterable[str] = (), last: bool = False, undoes: tuple[str, ...] = ()) -> None:
        """Add steps, one after another, that run when others did not end well.

        Args:
            verbs: What they do.
            unless: IDs of the steps that they answer for; with ``last``, those of the whole plan.
            last: Whether they wait for all other steps.
            undoes: Addresses of changes that are undone then.
        """
        guarded = tuple(unless)
        before: tuple[str, ...] = ()
        for verb in verbs:
            step = Step(self._next, self.serves, verb, before, guarded, recovers=True, last=last, undoes=undoes)
            before = (self._add(step),)

    @property
    def main(self) -> tuple[str, ...]:
        """Return the IDs of the steps of the normal course so far."""
        return tuple(step.id for step in self.steps if step.main)

    @property
    def _next(self) -> str:
        return f"{self.serves[0]}#{len(self.steps) + 1}"

    def _after(self, *, last: bool) -> tuple[str, ...]:
        return tuple(step.id for step in self.steps if step.last == last and not step.recovers)[-1:]

    def _add(self, step: Step) -> str:
        self.steps.append(step)
        return step.id


def linked(step: Step, *, needs: Iterable[str] = (), unless: Iterable[str] = ()) -> Step:
    """Return a step that needs, and answers for, more than it did."""
    return replace(step, needs=tuple(sorted({*step.needs, *needs})), unless=tuple(sorted({*step.unless, *unless})))


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and the steps that it describes, ready to be run."""

    plan: Plan
    steps: tuple[Step, ...]

    def without(self, addresses: Collection[str]) -> Planned:
        """Return the same without some of the changes."""
        changes = tuple(change for change in self.plan.changes if change.address not in addresses)
        steps = tuple(step for step in self.steps if not {*step.serves} <= {*addresses})
        return Planned(replace(self.plan, changes=changes, steps=tuple(step.planned for step in steps)), steps)
