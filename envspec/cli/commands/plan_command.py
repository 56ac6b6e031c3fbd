"""``envspec plan``: what apply would do, and why."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from envspec.cli import options, output

CHANGES_PENDING = 2


@click.command()
@options.engine_options
@click.argument("spec", default=".", required=False, shell_complete=options.complete_environment)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Save the plan for `envspec apply FILE`.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there is something to do.")
@click.option("--destroy", is_flag=True, help="Plan the removal of the environment.")
@click.option("--steps", is_flag=True, help="Print what is run, step by step, too.")
@click.option("--graph", type=click.Choice(["dot", "mermaid"]), help="Print the graph of the steps instead.")
@options.replace_option
@options.target_option
@options.allow_option
@options.json_option
def command(
    spec: str,
    out: Path | None,
    detailed_exitcode: bool,
    destroy: bool,
    steps: bool,
    graph: str | None,
    replace: tuple[str, ...],
    target: tuple[str, ...],
    allow: tuple[str, ...],
    as_json: bool,
) -> int:
    """Hold SPEC against what really is on the engine, and say what apply would do. Changes nothing.

    With --destroy SPEC may be the name of an environment.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import plan_text, steps_text  # noqa: PLC0415 - the same

    chosen = api.Options(replace=replace, target=target, destroy=destroy, allow=allow)
    wanted = options.plan_target(spec, destroy=destroy)
    engine = options.open_engine()
    plan = api.save_plan(wanted, chosen, out, engine=engine) if out else api.plan(wanted, chosen, engine=engine)
    if as_json:
        output.print_result(plan)
    elif graph:
        output.print_text(steps_text.graph_text(plan, graph))
    else:
        paint = output.painter(sys.stdout)
        lines = [*steps_text.step_lines(plan, paint), ""] if steps and plan.steps else []
        output.print_text("\n".join([*lines, *plan_text.plan_lines(plan, paint)]))
        if out:
            output.print_text(f"Saved; `envspec apply {out}` does exactly this.")
    return CHANGES_PENDING if detailed_exitcode and not plan.empty else 0
