"""The steps of a plan as text and as a graph: pure functions from values to lines."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

from envspec.cli.output import Painter, line, table
from envspec.model import Plan, PlannedStep


def step_lines(plan: Plan, paint: Painter) -> list[str]:
    """Return the steps of a plan as lines: number, change, what is done, and what it waits for."""
    numbers = {step.id: number for number, step in enumerate(plan.steps, 1)}
    rows = [
        (
            f"[{numbers[step.id]}]".rjust(len(str(len(numbers))) + 2),
            _changes(step),
            step.text,
            _condition(step, numbers),
        )
        for step in plan.steps
    ]
    return list(map(line, [*([paint.bold("Steps:")] if rows else []), *table(rows)]))


def graph_text(plan: Plan, language: str) -> str:
    """Return the graph of a plan's steps: solid arrows for what must end well, dashed ones to what answers a failure.

    An arrow is left out where others lead the same way.

    Args:
        plan: The plan.
        language: ``dot`` or ``mermaid``.
    """
    names = {step.id: f"s{number}" for number, step in enumerate(plan.steps, 1)}
    edges = _edges({names[s.id]: tuple(names[need] for need in s.needs) for s in plan.steps}, fails=False)
    edges += _edges({names[s.id]: tuple(names[guard] for guard in s.unless) for s in plan.steps}, fails=True)
    lines = _dot(plan, names, edges) if language == "dot" else _mermaid(plan, names, edges)
    return "\n".join(lines)


def _edges(needs: Mapping[str, Collection[str]], *, fails: bool) -> list[tuple[str, str, bool]]:
    import networkx as nx  # noqa: PLC0415 - costs 130 ms, which only a graph is worth

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((before, after) for after, found in needs.items() for before in found)
    kept = graph if fails else nx.transitive_reduction(graph)
    return [(before, after, fails) for after in needs for before in needs[after] if kept.has_edge(before, after)]


def _dot(plan: Plan, names: Mapping[str, str], edges: Collection[tuple[str, str, bool]]) -> Iterator[str]:
    yield f"digraph {json.dumps(plan.env)} {{"
    yield "  node [shape=box];"
    for step in plan.steps:
        style = ", style=dashed" if step.unless else ""
        yield f"  {names[step.id]} [label={json.dumps(_label(step), ensure_ascii=False)}{style}];"
    for before, after, fails in edges:
        yield f"  {before} -> {after}{' [style=dashed]' if fails else ''};"
    yield "}"


def _mermaid(plan: Plan, names: Mapping[str, str], edges: Collection[tuple[str, str, bool]]) -> Iterator[str]:
    yield "flowchart TD"
    for step in plan.steps:
        text = _label(step).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace("\n", "<br>")
        yield f'  {names[step.id]}["{text}"]'
    for before, after, fails in edges:
        yield f"  {before} {'-.->' if fails else '-->'} {after}"


def _label(step: PlannedStep) -> str:
    return line(f"{_changes(step)}") + "\n" + line(step.text)


def _changes(step: PlannedStep) -> str:
    more = len(step.changes) - 1
    return step.changes[0] + (f" and {more} more" if more else "")


def _condition(step: PlannedStep, numbers: Mapping[str, int]) -> str:
    """Return when a step runs, in words; the numbers of many steps in a row are given as a range."""
    after = f"after {_ranges(numbers[need] for need in step.needs)}" if step.needs else ""
    failed = f"if {_ranges(numbers[guard] for guard in step.unless)} did not end well" if step.unless else ""
    return ", ".join(filter(None, (after, failed)))


def _ranges(numbers: Iterator[int]) -> str:
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][-1] == number - 1:
            found[-1].append(number)
        else:
            found.append([number])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 2 else ", ".join(map(str, part)) for part in found)
