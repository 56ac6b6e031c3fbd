"""A plan and a report as text: pure functions from values to lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from envspec.cli.output import Painter, line, table
from envspec.kinds.environment import Names, listed
from envspec.model import Action, Cause, Change, Diff, Outcome, Plan, Provision, Report, Status, Summary, type_json

MARKS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "-/+", Action.DELETE: "-", Action.RUN: "!"}
"""OpenTofu's marks, and ``!`` for what is run."""

DONE_WORDS = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "removed",
    Action.RUN: "ran",
}

_WIDEST_VALUE = 60
_DIGEST_SHOWN = 12
_CAUSES = {Cause.SPEC: "", Cause.DRIFT: "changed outside envspec", Cause.ENGINE: "changed by the engine"}


def plan_lines(plan: Plan, paint: Painter) -> list[str]:
    """Return a plan as lines: every change with its reason, what would be lost, notes, and the count last."""
    lines: list[str] = []
    for change in plan.changes:
        lines += _change(change, paint)
    if plan.changes:
        lines.append("")
    lines += [f"note: {note}" for note in plan.notes]
    for effect in plan.effects:
        lines.append(f"{paint.bad('needs')} --allow {effect.name}: {effect.address}: {effect.detail}")
    if plan.notes or plan.effects:
        lines.append("")
    end = f"No changes. {plan.env} is converged." if plan.empty else paint.bold(count(plan.summary))
    return list(map(line, [*lines, end]))


def count(summary: Summary) -> str:
    """Return the last line of a plan."""
    replaced = f"{summary.replace} to replace, " if summary.replace else ""
    return (
        f"Plan: {summary.create} to add, {summary.update} to change, {replaced}"
        f"{summary.delete} to destroy, {summary.run} to run."
    )


def report_lines(report: Report, paint: Painter, *, destroyed: bool = False) -> list[str]:
    """Return a report as lines: every step, what is left, and how to get inside.

    Args:
        report: What was done.
        paint: Gives colours.
        destroyed: Whether the environment was to go.
    """
    lines = [f"note: {note}" for note in report.notes]
    if report.outcomes:
        lines += _steps(report.outcomes, paint)
    elif report.ok:
        lines.append(_nothing_done(report, destroyed=destroyed))
    for outcome in report.outcomes:
        if outcome.status is Status.FAILED:
            lines += _failure(outcome, paint)
    if report.remaining:
        lines.append(paint.bad(f"Still different after the apply: {', '.join(report.remaining)}"))
    if report.image:
        lines.append(f"Image: {report.image} ({_came_by(report)})")
    if report.provision:
        lines += provision_lines(report.provision, paint)
    if report.outcomes:
        lines.append(paint.bold(_ending(report, destroyed=destroyed)))
    if report.connect:
        lines.append(f"Go inside: {report.connect}")
    return list(map(line, lines))


def provision_lines(found: Provision, paint: Painter) -> list[str]:
    """Return what came into an environment, a fact a line; what did not come along is left out."""
    named = Names(found.variables, found.secrets, found.host_variables)
    facts = (
        ("git identity", found.git),
        ("GitHub token", found.github and f"came along as {found.github}"),
        ("SSH keys", {"agent": "by the host's agent", "files": "~/.ssh"}.get(found.ssh, "")),
        ("variables", listed(named, ca_bundle=found.ca_bundle)),
        ("mounts", ", ".join(found.mounts)),
        ("ports", ", ".join(found.ports)),
        ("tools", ", ".join(f"{name} {version}" for name, version in found.tools.items())),
        ("not found here", "; ".join(found.not_found)),
        ("ends", found.ends),
    )
    return [f"  {row}" for row in table([(paint.dim(name), text) for name, text in facts if text])]


def _came_by(report: Report) -> str:
    """Say where the image came from; one whose building or pulling failed came from nowhere."""
    if report.image_cached:
        return "from the cache"
    made = [o for o in report.outcomes if o.address in ("image.workspace", "base_image.workspace")]
    return "not made" if any(outcome.status is not Status.DONE for outcome in made) else "made now"


def value_text(value: type_json) -> str:
    """Return a value of a diff in at most one short line."""
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    if text.startswith("sha256:"):
        return text[: len("sha256:") + _DIGEST_SHOWN]
    if not text or not text.isprintable():
        text = json.dumps(text, ensure_ascii=False)
    return text if len(text) <= _WIDEST_VALUE else f"{text[: _WIDEST_VALUE - 1]}…"


def _painted(action: Action, paint: Painter) -> Callable[[str], str]:
    if action is Action.CREATE:
        return paint.good
    return paint.bad if action is Action.DELETE else paint.change


def _change(change: Change, paint: Painter) -> Iterator[str]:
    mark = _painted(change.action, paint)(MARKS[change.action].rjust(3))
    yield f"{mark} {paint.bold(change.address)}  {paint.dim(change.reason)}".rstrip()
    for diff in change.diff:
        yield f"      {_diff(diff, paint)}"
    for loss in change.data_loss:
        yield f"      {paint.bad('loses')} {loss}"


def _diff(diff: Diff, paint: Painter) -> str:
    cause = "" if diff.path == "status" else _CAUSES[diff.cause]  # a state says itself how it came to be
    after = value_text(diff.after)
    change = after if diff.before is None else f"{value_text(diff.before)} → {after}"
    return f"{diff.path}: {change}" + (paint.dim(f"  ({cause})") if cause else "")


def _steps(outcomes: tuple[Outcome, ...], paint: Painter) -> list[str]:
    rows = []
    for outcome in outcomes:
        detail = outcome.detail.splitlines()[-1] if outcome.detail and outcome.status is not Status.FAILED else ""
        rows.append(
            (MARKS[outcome.action].rjust(3), outcome.address, _word(outcome), f"{outcome.seconds:.1f} s", detail)
        )
    lines = table(rows)
    return [_by_status(outcome.status, paint)(line) for outcome, line in zip(outcomes, lines, strict=True)]


def _by_status(status: Status, paint: Painter) -> Callable[[str], str]:
    if status is Status.DONE:
        return str
    return paint.bad if status is Status.FAILED else paint.dim


def _word(outcome: Outcome) -> str:
    return DONE_WORDS[outcome.action] if outcome.status is Status.DONE else outcome.status.value


def _failure(outcome: Outcome, paint: Painter) -> Iterator[str]:
    error = outcome.error or {}
    message = str(error.get("message", "")).split("\n")
    yield f"{paint.bad('failed')}: {outcome.address}: {message[0]}".rstrip(": ")
    yield from message[1:]
    if error.get("hint"):
        yield f"  {paint.dim('hint')}: {error['hint']}"


def _nothing_done(report: Report, *, destroyed: bool) -> str:
    return f"There is nothing of {report.env}." if destroyed else f"No changes. {report.env} is converged."


def _ending(report: Report, *, destroyed: bool) -> str:
    total = {status: sum(outcome.status is status for outcome in report.outcomes) for status in Status}
    told = [f"{total[status]} {status.value}" for status in Status if total[status] or status is Status.DONE]
    word = "Destroyed" if destroyed else "Converged"
    if not report.ok:
        word = f"Not {word.lower()}"
    return f"{word}: {report.env}, {', '.join(told)} in {report.seconds:.1f} s"
