"""Makes a host ready: says what it will run, runs it, and looks again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envspec.preflight.checks import check
from envspec.preflight.run import TIMED_OUT, run_command
from envspec.preflight.steps import start_commands, steps, supported
from envspec.preflight.system import System, read_system
from envspec.preflight.values import Check, Command, Need, Run, Say, State

ENGINE_LOG = Path("/var/log/dockerd.log")
LOG_LINES = 20

START_DEADLINE = 60.0
"""Seconds for an engine to answer after its start; it is up in about 2 s when all is well."""

FALLBACK_DEADLINE = 15.0
"""Seconds for it where another way of starting it is left."""

POLL_SECONDS = 0.25
SUDO_DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class Host:
    """The host as a fix reaches it; tests hand in another one.

    Attributes:
        run: Runs a command.
        read: Reads the facts.
        look: Makes the checks for an engine's name.
        patience: Seconds to wait for an engine that was started in the last way there is.
        log: Where an engine that is started by hand writes.
    """

    run: Run = run_command
    read: Callable[[], System] = read_system
    look: Callable[[str], tuple[Check, ...]] = check
    patience: float = START_DEADLINE
    log: Path = ENGINE_LOG


def fix(engine_name: str = "docker", *, say: Say, host: Host | None = None) -> tuple[Check, ...]:
    """Bring what this host lacks, where envspec knows how and may; print the steps where it may not.

    Nothing is run on a host that lacks nothing, so it may be called before every use.

    Args:
        engine_name: The engine to make ready: ``docker`` or ``podman``.
        say: Takes what a person should read, every command before it is run among it.
        host: The host; this one when ``None``.

    Returns:
        The checks as they came out in the end.

    Raises:
        UsageError: The engine is not one that preflight knows.
    """
    host = host or Host()
    before = host.look(engine_name)
    needs = {need for item in before for need in item.needs}
    if not needs:
        return before
    system = host.read()
    commands = steps(system, needs)
    refusal = _refusal(system, commands, host.run)
    _announce(commands, refusal, sudo=not system.root, say=say)
    if refusal:
        return before
    prepared = all(_do(system, item, host.run, say) for item in commands if not _starts(item, system))
    if prepared and Need.START in needs:
        _start(system, engine_name, host, say)
    return host.look(engine_name)


def remedy(checks: tuple[Check, ...], system: System | None = None) -> tuple[Command, ...]:
    """Return what would bring everything that the checks found lacking, each command once, in order."""
    needs = {need for item in checks for need in item.needs}
    return steps(system or read_system(), needs) if needs else ()


def _refusal(system: System, commands: tuple[Command, ...], run: Run) -> str:
    """Return why nothing will be run, or "" when everything may be."""
    if not supported(system):
        name = system.os_release.get("PRETTY_NAME", "this system")
        return f"envspec does not change {name} by itself (it does Debian 12 and later, and Ubuntu)"
    if any(not command.argv for command in commands):
        return "one step only you can take"
    if system.root or not any(command.root for command in commands):
        return ""
    if "sudo" not in system.tools:
        return "these commands need root, and there is no sudo"
    if run((system.tools["sudo"], "-n", "true"), deadline=SUDO_DEADLINE).code != 0:
        return "these commands need root, and sudo asks for a password (`sudo -v` first, then try again)"
    return ""


def _announce(commands: tuple[Command, ...], refusal: str, *, sudo: bool, say: Say) -> None:
    say(f"Nothing was changed: {refusal}. The steps are:" if refusal else "envspec will run:")
    for command in commands:
        say(f"  # {command.why}" if command.argv else f"  # {command.why}, by hand")
        if command.argv:
            say(f"  {command.text(sudo=sudo)}")


def _starts(command: Command, system: System) -> bool:
    return command in start_commands(system)


def _do(system: System, command: Command, run: Run, say: Say) -> bool:
    """Run one command, show what it prints, and say whether it went well."""
    say(f"+ {command.text(sudo=not system.root)}")
    done = run(
        _argv(system, command),
        deadline=command.deadline + SUDO_DEADLINE,
        stdin=command.stdin.encode(),
        on_line=lambda line: say(f"  {line}"),
    )
    if done.code:
        ended = (
            f"did not end within {command.deadline:.0f} s"
            if done.code == TIMED_OUT
            else f"failed with code {done.code}"
        )
        say(f"  ({command.why}: {ended})")
    return done.code == 0


def _argv(system: System, command: Command) -> tuple[str, ...]:
    """Return what to run: a user may not end what sudo began, so timeout(1) does that as root."""
    if system.root or not command.root:
        return command.argv
    return (system.tools["sudo"], "-n", "timeout", "--kill-after=5", f"{command.deadline:.0f}", *command.argv)


def _start(system: System, engine_name: str, host: Host, say: Say) -> None:
    """Start the engine in the first way that works; a package may have started it already."""
    if _answers(host.look(engine_name)):
        return
    ways = start_commands(system)
    for command in ways:
        patience = host.patience if command is ways[-1] else min(host.patience, FALLBACK_DEADLINE)
        if _do(system, command, host.run, say) and _await(engine_name, host, patience):
            say("  the engine answers")
            return
    say(f"The engine did not come up within {host.patience:.0f} s.")
    _show_log(system, host, say)


def _await(engine_name: str, host: Host, patience: float) -> bool:
    end = time.monotonic() + patience
    while not (up := _answers(host.look(engine_name))) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return up


def _answers(checks: tuple[Check, ...]) -> bool:
    """Say whether the engine is up, be it that this login may not use it yet."""
    engine = next(item for item in checks if item.name == "engine")
    return engine.status is State.OK or Need.START not in engine.needs


def _show_log(system: System, host: Host, say: Say) -> None:
    if system.systemd:
        shown = host.run(("journalctl", "--no-pager", "-n", str(LOG_LINES), "-u", "docker"), deadline=SUDO_DEADLINE)
        lines = shown.stdout.decode(errors="replace").splitlines()
        say("The end of `journalctl -u docker`:")
    else:
        try:
            lines = host.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        except OSError:
            lines = ["(cannot be read)"]
        say(f"The end of {host.log}:")
    for line in lines:
        say(f"  {line}")
