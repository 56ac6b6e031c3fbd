"""Running a plan's steps: it walks their graph in parallel and decides nothing.

A failed step leaves out what needs it; steps that are independent of it run. A change that has begun is finished, also
after an interrupt. A step that recovers runs when one that it answers for did not end well.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envspec.engine.base import Engine
from envspec.errors import EnvspecError
from envspec.events import Emit, StepFinished, StepOutput, StepStarted
from envspec.model import Change, Outcome, Status
from envspec.steps.base import Done, Planned, Run, Step
from envspec.visible import visible

if TYPE_CHECKING:
    import networkx as nx

WORKERS = 4
"""Steps that run at once; an engine call waits more than it works."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the executor hands on to the steps.

    Attributes:
        build_secrets: Contents that builds may read, by id.
        ca_bundle: PEM bundle to bring into the container.
        marks: Labels that say whose the environment is, given to a container that is made.
        log_dir: Where the full output of each step is kept, ``None`` to keep none.
        stopping: Set from outside when the user asked to stop: running steps finish, no new one starts.
        explain: Turns the error of a step, by its address, into one that names the cause, where that is known.
    """

    build_secrets: Mapping[str, bytes] = field(default_factory=dict)
    ca_bundle: bytes = b""
    marks: Mapping[str, str] = field(default_factory=dict)
    log_dir: Path | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    explain: Callable[[str, EnvspecError], EnvspecError] = lambda _, error: error


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a step ended: what it brought, why it failed, or why it was left out.

    Attributes:
        done: What it brought.
        error: Why it failed.
        left_out: Why it was not run; "" when it was.
        idle: Whether it is a step that recovers, and there was nothing to recover from.
        seconds: How long it took.
    """

    done: Done = field(default_factory=Done)
    error: EnvspecError | None = None
    left_out: str = ""
    idle: bool = False
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        """Whether it did what it was to do."""
        return self.error is None and not self.left_out


def execute(planned: Planned, engine: Engine, *, inputs: Inputs, emit: Emit) -> tuple[Outcome, ...]:
    """Carry out a plan.

    Args:
        planned: The plan with its steps.
        engine: The engine.
        inputs: What the steps are given.
        emit: Takes events; called from several threads, one call at a time.

    Returns:
        One outcome a change, in the order of the plan.
    """
    return _Walk(planned, engine, inputs, _serial(emit)).outcomes()


def prepare() -> None:
    """Load what the walk needs in the background, while the engine is still waited for."""
    threading.Thread(target=importlib.import_module, args=("networkx",), daemon=True).start()


def _serial(emit: Emit) -> Emit:
    lock = threading.Lock()

    def one_at_a_time(event: Any) -> None:
        with lock:
            emit(event)

    return one_at_a_time


class _Walk:
    """One walk along the graph; all its state is touched by the calling thread only."""

    def __init__(self, planned: Planned, engine: Engine, inputs: Inputs, emit: Emit) -> None:
        self.plan, self.engine, self.inputs, self.emit = planned.plan, engine, inputs, emit
        self.steps = {step.id: step for step in planned.steps}
        self.serving = _serving(planned.steps)
        self.undone = {address: step.id for step in planned.steps for address in step.undoes}
        self.changes = {change.address: change for change in self.plan.changes}
        self.graph = graph_of(planned.steps)
        self.ended: dict[str, _Ended] = {}
        self.begun: set[str] = set()
        self.finished: set[str] = set()

    def outcomes(self) -> tuple[Outcome, ...]:
        running: dict[Future[_Ended], str] = {}
        waiting = {name: set(self.graph.predecessors(name)) for name in self.steps}
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            while waiting or running:
                ready = [name for name, needs in waiting.items() if needs <= self.ended.keys()]
                for name in ready:
                    del waiting[name]
                    self._begin(self.steps[name], pool, running)
                if running:
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._end(self.steps[running.pop(future)], future.result())
        return tuple(self._outcome(change) for change in self.plan.changes)

    def _begin(self, step: Step, pool: ThreadPoolExecutor, running: dict[Future[_Ended], str]) -> None:
        """Start a step, or end it at once where it is not to run."""
        if step.recovers and all(self.ended[name].well for name in step.unless):
            self._end(step, _Ended(idle=True))
        elif not all(self.ended[need].well and not self.ended[need].idle for need in step.needs):
            self._end(step, _Ended(left_out=step.skipped or "a step that it needs failed"))
        elif self.inputs.stopping.is_set() and not step.recovers and not self.begun & {*step.serves}:
            self._end(step, _Ended(left_out=step.skipped or "interrupted"))
        else:
            self._tell_of(step)
            running[pool.submit(_run, step, self._run_of(step), self.inputs.explain)] = step.id

    def _tell_of(self, step: Step) -> None:
        for address in step.serves:
            if address not in self.begun:
                self.begun.add(address)
                self.emit(StepStarted(address, self.changes[address].action))

    def _end(self, step: Step, ended: _Ended) -> None:
        """Note how a step ended; a change whose steps have, those that wait for all others apart, has ended."""
        self.ended[step.id] = ended
        for address in step.serves:
            own = [other for other in self.serving[address] if not other.recovers]
            main = [other for other in own if other.main] or own
            if address not in self.finished and all(other.id in self.ended for other in main):
                self.finished.add(address)
                self.emit(StepFinished(self._outcome(self.changes[address])))

    def _run_of(self, step: Step) -> Run:
        return Run(
            engine=self.engine,
            address=step.serves[0],
            on_line=_Log(self.inputs.log_dir, step.serves[0], self.emit).line,
            before={name: ended.done for name, ended in self.ended.items() if ended.well and not ended.idle},
            build_secrets=self.inputs.build_secrets,
            ca_bundle=self.inputs.ca_bundle,
            marks=self.inputs.marks,
            stopping=self.inputs.stopping,
        )

    def _outcome(self, change: Change) -> Outcome:
        """Return how a change ended, as far as its steps have."""
        found = [(step, self.ended[step.id]) for step in self.serving[change.address] if step.id in self.ended]
        seconds = round(sum(ended.seconds for _, ended in found), 3)
        if error := next((ended.error for _, ended in found if ended.error), None):
            log = _Log.place(self.inputs.log_dir, change.address)
            as_json = error.as_json() | ({"log": str(log)} if log and log.exists() else {})
            return Outcome(change.address, change.action, Status.FAILED, error.message, seconds, as_json)
        if left_out := next((ended.left_out for _, ended in found if ended.left_out), ""):
            return Outcome(change.address, change.action, Status.SKIPPED, left_out)
        undone = self.ended.get(self.undone.get(change.address, ""))
        if undone and not undone.idle:
            return Outcome(change.address, change.action, Status.SKIPPED, "undone with the new workspace")
        detail = "; ".join(dict.fromkeys(_details(found)))
        cached = any(ended.done.cached for _, ended in found)
        return Outcome(change.address, change.action, Status.DONE, detail, seconds, cached=cached)


def _serving(steps: Iterable[Step]) -> dict[str, list[Step]]:
    """Return the steps of each change, by its address."""
    found: dict[str, list[Step]] = {}
    for step in steps:
        for address in step.serves:
            found.setdefault(address, []).append(step)
    return found


def _details(found: Iterable[tuple[Step, _Ended]]) -> Iterable[str]:
    """Yield what the steps of a change have to say in its report."""
    for step, ended in found:
        if not step.recovers and (ended.done.detail or step.detail):
            yield ended.done.detail or step.detail


class _Log:
    """Keeps the full output of a step in a file, and tells of each line."""

    def __init__(self, directory: Path | None, address: str, emit: Emit) -> None:
        self.file = self.place(directory, address)
        self.address = address
        self.emit = emit

    @staticmethod
    def place(directory: Path | None, address: str) -> Path | None:
        """Return where the output of an address is kept."""
        return directory / f"{address.replace('/', '_')}.log" if directory else None

    def line(self, text: str) -> None:
        """Take one line."""
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.file.open("a", encoding="utf-8") as out:
                out.write(visible(text) + "\n")
        self.emit(StepOutput(self.address, text))


def _run(step: Step, run: Run, explain: Callable[[str, EnvspecError], EnvspecError]) -> _Ended:
    started = time.monotonic()
    try:
        done = step.verb.run(run)
    except EnvspecError as error:
        seconds = round(time.monotonic() - started, 3)
        return _Ended(error=explain(run.address, error), seconds=seconds)
    return _Ended(done, seconds=round(time.monotonic() - started, 3))


def graph_of(steps: Iterable[Step]) -> nx.DiGraph[str]:
    """Return the graph of steps: an edge leads from each step to those that wait for it.

    Raises:
        RuntimeError: They wait for each other in a circle, which is a bug of a kind.
    """
    import networkx as nx  # noqa: PLC0415 - costs 130 ms that a command without changes need not pay

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(step.id for step in steps)
    graph.add_edges_from((need, step.id) for step in steps for need in (*step.needs, *step.unless))
    if not nx.is_directed_acyclic_graph(graph):
        circle = " -> ".join(first for first, _ in nx.find_cycle(graph))
        raise RuntimeError(f"steps wait for each other: {circle}")
    return graph


def converged(outcomes: tuple[Outcome, ...]) -> bool:
    """Say whether every change was done."""
    return all(outcome.status is Status.DONE for outcome in outcomes)
