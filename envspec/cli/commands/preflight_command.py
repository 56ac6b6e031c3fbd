"""``envspec preflight``: is this host ready, and what makes it so."""

from __future__ import annotations

import os
import sys

import click

from envspec.cli import options, output
from envspec.engine.choice import choose
from envspec.preflight import Check, NotReady, State, check, fix, remedy


@click.command()
@options.engine_options
@click.option("--fix", "wants_fix", is_flag=True, help="Install and start what is missing; says what it runs.")
@options.json_option
def command(wants_fix: bool, as_json: bool) -> None:
    """Check engine, plugins, disk and ways out of this host, each with what to do about it.

    With --fix on Debian 12 and later and on Ubuntu it installs what is missing and starts the engine, with sudo where
    that is needed; elsewhere it prints the steps. Where no engine is, auto means Docker.
    """
    asked, context = options.asked()
    engine = choose(asked, context).name
    checks = fix(engine, say=_say) if wants_fix and not context else check(engine, context)
    if any(item.status is State.FAIL for item in checks):
        if not as_json:
            _print(checks)
        raise NotReady(checks, _hint(checks, engine, wants_fix=wants_fix))
    if as_json:
        output.print_result({"ready": True, "checks": checks})
    else:
        _print(checks)


def _say(line: str) -> None:
    output.say(line)


def _hint(checks: tuple[Check, ...], engine: str, *, wants_fix: bool) -> str:
    if any(item.fix for item in checks if item.status is State.FAIL) and not wants_fix:
        return f"`envspec preflight --fix --engine {engine}` brings what is missing, and says what it runs"
    return f"do what is said above, then `envspec preflight --engine {engine}` again"


def _print(checks: tuple[Check, ...]) -> None:
    paint = output.painter(sys.stdout)
    marks = {State.OK: paint.good("ok  "), State.WARN: paint.change("warn"), State.FAIL: paint.bad("FAIL")}
    width = max(len(item.name) for item in checks)
    for item in checks:
        output.print_text(f"{marks[item.status]}  {item.name.ljust(width)}  {item.detail}")
    commands = remedy(checks)
    if commands:
        output.print_text("\nWhat brings it, and what --fix runs where it can:")
    for command in commands:
        output.print_text(f"  # {command.why}" if command.argv else f"  # by hand: {command.why}")
        if command.argv:
            output.print_text(f"  {command.text(sudo=os.geteuid() != 0)}")
