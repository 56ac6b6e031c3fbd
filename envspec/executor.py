"""Carrying out a plan: it walks the graph in parallel and decides nothing.

Each node is one change (or all changes of a batch kind that wait for the same things). A failed node skips what
stands on it; independent branches finish. A kind that has to settle a change once everything else has ended, such as
a container that takes another's place, gets a node of its own at that point.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envspec.engine.base import Engine
from envspec.errors import EnvspecError, Interrupted
from envspec.events import Emit, StepFinished, StepOutput, StepStarted
from envspec.kinds import names
from envspec.kinds.base import Done, Kind, Observed, StepContext, Work
from envspec.kinds.every import all_kinds
from envspec.model import Action, Change, Desired, Outcome, Plan, Status
from envspec.visible import visible

if TYPE_CHECKING:
    import networkx as nx

WORKERS = 4
"""Steps that run at once; an engine call waits more than it works."""

SETTLE = "settle"
"""Name of the node that ends a replace."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the executor hands on to the steps.

    Attributes:
        build_secrets: Contents that builds may read, by id.
        ca_bundle: PEM bundle to bring into the container.
        no_cache: Whether images are built afresh.
        marks: Labels that say whose the environment is, given to a container that is made.
        log_dir: Where the full output of each step is kept, ``None`` to keep none.
        stopping: Set from outside when the user asked to stop: running steps finish, no new one starts.
        explain: Turns the error of a step, by its address, into one that names the cause, where that is known.
    """

    build_secrets: Mapping[str, bytes] = field(default_factory=dict)
    ca_bundle: bytes = b""
    no_cache: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)
    log_dir: Path | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    explain: Callable[[str, EnvspecError], EnvspecError] = lambda _, error: error


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a node ended: what it brought, or why it failed."""

    done: Done = field(default_factory=Done)
    error: EnvspecError | None = None
    seconds: float = 0.0


def execute(  # noqa: PLR0913 - the four values of an apply, and where to tell of it
    plan: Plan, desired: Desired, world: Observed, engine: Engine, *, inputs: Inputs, emit: Emit
) -> tuple[Outcome, ...]:
    """Carry out a plan.

    Args:
        plan: What to do.
        desired: What shall be; the plan was made from it.
        world: What was observed; likewise.
        engine: The engine.
        inputs: What the steps are given.
        emit: Takes events; called from several threads, one call at a time.

    Returns:
        One outcome a change, in the order of the plan.
    """
    return _Run(plan, desired, world, engine, inputs, _serial(emit)).outcomes()


def prepare() -> None:
    """Load what the walk needs in the background, while the engine is still waited for."""
    threading.Thread(target=importlib.import_module, args=("networkx",), daemon=True).start()


def _serial(emit: Emit) -> Emit:
    lock = threading.Lock()

    def one_at_a_time(event: Any) -> None:
        with lock:
            emit(event)

    return one_at_a_time


class _Run:
    """One walk along the graph; all its state is touched by the calling thread only."""

    def __init__(  # noqa: PLR0913, PLR0917 - see execute()
        self, plan: Plan, desired: Desired, world: Observed, engine: Engine, inputs: Inputs, emit: Emit
    ) -> None:
        self.plan, self.world, self.engine, self.inputs, self.emit = plan, world, engine, inputs, emit
        self.origin = desired.origin
        self.kinds = all_kinds()
        self.resources = {resource.address: resource for resource in desired.resources}
        self.nodes = _nodes(plan, self.kinds)
        self.graph = _graph(self.nodes, _swapped(plan))
        self.ended: dict[str, _Ended] = {}
        self.workspace = world.workspace.id if world.workspace else ""

    def outcomes(self) -> tuple[Outcome, ...]:
        running: dict[Future[_Ended], str] = {}
        waiting = {node: set(self.graph.predecessors(node)) for node in self.graph.nodes}
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            while waiting or running:
                for node in sorted(waiting, key=list(self.graph.nodes).index):
                    if not waiting[node] <= self.ended.keys():
                        continue
                    del waiting[node]
                    self._begin(node, pool, running)
                if running:
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._end(running.pop(future), future.result())
        return tuple(self._outcome(change) for change in self.plan.changes)

    def _begin(self, node: str, pool: ThreadPoolExecutor, running: dict[Future[_Ended], str]) -> None:
        """Start a node, or end it at once where it cannot run."""
        if node == SETTLE:
            self.ended[node] = self._settle()
            return
        blocked = any(self.ended[need].error for need in self.graph.predecessors(node))
        if blocked or self.inputs.stopping.is_set():
            reason = "a step that it needs failed" if blocked else "interrupted"
            self._end(node, _Ended(error=Interrupted(reason, code="step.skipped")))
            return
        work = tuple(Work(change, self.resources.get(change.address)) for change in self.nodes[node])
        for item in work:
            self.emit(StepStarted(item.change.address, item.change.action))
        kind = self.kinds[work[0].change.kind]
        context = self._context(work[0].change.address)
        running[pool.submit(_apply, kind, work, context, self.inputs.explain)] = node

    def _end(self, node: str, ended: _Ended) -> None:
        self.ended[node] = ended
        self.workspace = ended.done.workspace or self.workspace
        for change in self.nodes[node]:
            self.emit(StepFinished(self._outcome(change)))

    def _settle(self) -> _Ended:
        """Let the workspace's kind keep or undo the swap, now that everything else has ended."""
        change = next(c for c in self.plan.changes if c.address == names.WORKSPACE)
        began = self.ended[names.WORKSPACE]
        if began.error:
            return began
        ok = not any(self.ended[need].error for need in self.graph.predecessors(SETTLE))
        work = Work(change, self.resources.get(change.address))
        try:
            self.kinds[change.kind].finish(work, self._context(change.address), began.done, ok=ok)
        except EnvspecError as error:
            return _Ended(error=self.inputs.explain(change.address, error))
        return _Ended() if ok else _Ended(error=Interrupted("the old workspace was kept", code="step.skipped"))

    def _context(self, address: str) -> StepContext:
        return StepContext(
            engine=self.engine,
            env=self.plan.env,
            origin=self.origin,
            observed=self.world,
            workspace=self.workspace,
            on_line=_Log(self.inputs.log_dir, address, self.emit).line,
            build_secrets=self.inputs.build_secrets,
            ca_bundle=self.inputs.ca_bundle,
            stopping=self.inputs.stopping,
            no_cache=self.inputs.no_cache,
            marks=self.inputs.marks,
        )

    def _outcome(self, change: Change) -> Outcome:
        node = next(name for name, changes in self.nodes.items() if change in changes)
        ended = self.ended[node]
        settled = self.ended.get(SETTLE)
        error = ended.error or (settled.error if settled and change.address == names.WORKSPACE else None)
        if error is None and settled and settled.error and self.kinds[change.kind].inside:
            return Outcome(change.address, change.action, Status.SKIPPED, "undone with the new workspace")
        if error is None:
            return Outcome(change.address, change.action, Status.DONE, ended.done.detail, ended.seconds)
        if error.code == "step.skipped":
            return Outcome(change.address, change.action, Status.SKIPPED, error.message)
        log = _Log.place(self.inputs.log_dir, change.address)
        told = error.as_json() | ({"log": str(log)} if log and log.exists() else {})
        return Outcome(change.address, change.action, Status.FAILED, error.message, ended.seconds, told)


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


def _apply(
    kind: Kind[Any],
    work: tuple[Work, ...],
    context: StepContext,
    explain: Callable[[str, EnvspecError], EnvspecError],
) -> _Ended:
    started = time.monotonic()
    try:
        done = kind.apply(work, context)
    except EnvspecError as error:
        seconds = round(time.monotonic() - started, 3)
        return _Ended(error=explain(work[0].change.address, error), seconds=seconds)
    return _Ended(done, seconds=round(time.monotonic() - started, 3))


def _nodes(plan: Plan, kinds: Mapping[str, Kind[Any]]) -> dict[str, tuple[Change, ...]]:
    """Return the plan's changes as nodes, those of a batch kind that wait for the same things as one."""
    nodes: dict[str, tuple[Change, ...]] = {}
    batches: dict[tuple[object, ...], str] = {}
    for change in plan.changes:
        name = change.address
        if kinds[change.kind].batch:
            key = (change.kind, change.needs, change.action is Action.DELETE)
            name = batches.setdefault(key, change.address)
        nodes[name] = (*nodes.get(name, ()), change)
    return nodes


def _swapped(plan: Plan) -> bool:
    """Say whether the workspace has to be settled at the end."""
    found = [change for change in plan.changes if change.address == names.WORKSPACE]
    return any(c.action is Action.REPLACE or any(d.path == "name" for d in c.diff) for c in found)


def _graph(nodes: Mapping[str, tuple[Change, ...]], swapped: bool) -> nx.DiGraph[str]:
    """Return the order of the nodes; what removes outer things waits for the swap."""
    import networkx as nx  # noqa: PLC0415 - costs 130 ms that a command without changes need not pay

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    node_of: dict[str, str] = {change.address: name for name, changes in nodes.items() for change in changes}
    late = [n for n, c in nodes.items() if c[0].action is Action.DELETE and c[0].kind in ("volume", "network")]
    if swapped:
        graph.add_node(SETTLE)
        graph.add_edges_from((name, SETTLE) for name in nodes if name not in late)
        graph.add_edges_from((SETTLE, name) for name in late)
    for name, changes in nodes.items():
        for need in changes[0].needs:
            if need in node_of and node_of[need] != name:
                graph.add_edge(node_of[need], name)
    return graph


def converged(outcomes: tuple[Outcome, ...]) -> bool:
    """Say whether every change was done."""
    return all(outcome.status is Status.DONE for outcome in outcomes)
