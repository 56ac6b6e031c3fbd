"""Which commands bring what a host lacks: a pure function of the host's facts, so that it can be read and tested."""

from __future__ import annotations

import re
from collections.abc import Collection

from envspec.preflight.packages import ADVICE, ELSEWHERE, PACKAGED, packages_of
from envspec.preflight.podman import DROP_IN, TUN, drop_in, lacking, runtime_dir
from envspec.preflight.system import MAC, AptSource, System
from envspec.preflight.values import Command, Need

TRIXIE_SOURCE = "/etc/apt/sources.list.d/envspec-trixie.sources"
TRIXIE_PIN = "/etc/apt/preferences.d/envspec-trixie"

PIN = "Package: *\nPin: release n=trixie\nPin-Priority: 100\n"
"""Keeps Debian 13's packages from replacing Debian 12's: at 100 nothing is taken from it unless asked for by name."""

SUBID_START = 100_000
SUBID_COUNT = 65_536
"""The first range and the size that Debian's ``adduser`` gives."""

DEBIANS = ("bookworm", "trixie", "forky", "sid")
"""Suites of Debian that steps are run on; ``/etc/os-release`` of sid has the codename of the next release."""

UPDATE_DEADLINE = 300.0
INSTALL_DEADLINE = 900.0

START_BY_HAND = "PATH=$PATH:/usr/sbin:/sbin; nohup setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null &"


def supported(system: System) -> bool:
    """Say whether :func:`steps` may be run on this host, and not only printed: Debian 12 and later, and Ubuntu."""
    family, codename = system.distribution
    return family == "ubuntu" or (family == "debian" and codename in DEBIANS)


def steps(system: System, needs: Collection[Need]) -> tuple[Command, ...]:
    """Return the commands that bring what is needed, in the order to run them.

    Args:
        system: The host.
        needs: What it lacks.

    Returns:
        Commands, the start of the engine last. On a host that is not :func:`supported` they are advice.
    """
    commands: list[Command] = []
    wanted = set(needs)
    if wanted & PACKAGED:
        commands += _apt(system, wanted) if supported(system) else _elsewhere(system, wanted)
    if Need.SUBID in wanted:
        commands.append(_subids(system))
        if "podman" in system.tools:
            told = "let Podman's processes that run have them too"
            commands.append(Command(told, (system.tools["podman"], "system", "migrate"), root=False))
    if Need.SETTINGS in wanted:
        commands += _settings(system)
    if Need.TUN in wanted:
        commands.append(Command("give the device its usual mode, until the next boot", ("chmod", "0666", str(TUN))))
    if Need.RUNTIME in wanted:
        place = str(runtime_dir(system.uid))
        made = ("install", "-d", "-m", "0700", "-o", str(system.uid), place)
        commands.append(Command("make what a login would, until the next boot", made))
    if Need.GROUP in wanted:
        commands.append(Command("let you reach the engine", ("usermod", "-aG", "docker", system.user)))
    if Need.START in wanted:
        commands.append(start_commands(system)[0])
    return tuple(commands)


def start_commands(system: System) -> tuple[Command, ...]:
    """Return the ways to start the engine on this host, best first; a later one is for when an earlier one fails."""
    if system.distribution[0] == MAC:
        return (
            Command("start the machine that the engine runs in, or Docker Desktop", ("colima", "start"), root=False),
        )
    if system.systemd:
        return (Command("start the engine, now and at boot", ("systemctl", "enable", "--now", "docker")),)
    by_hand = Command("start the engine by hand", ("sh", "-c", START_BY_HAND))
    if "service" in system.tools:
        return Command("start the engine", ("service", "docker", "start")), by_hand
    return (by_hand,)


def _apt(system: System, wanted: set[Need]) -> list[Command]:
    names = packages_of(system)
    packages = sorted({package for need in wanted for package in names.get(need, ())})
    commands: list[Command] = []
    if any(package.endswith("/trixie") for package in packages) and not _has_suite(system, "trixie"):
        source = _trixie_source(system)
        if source is None:
            codename = system.distribution[1]
            return [Command(f"add a Debian 13 (trixie) package source: none of yours serves {codename}", root=False)]
        commands.append(Command("add Debian 13's packages", ("tee", TRIXIE_SOURCE), stdin=source))
        commands.append(Command("take from Debian 13 only what is asked for", ("tee", TRIXIE_PIN), stdin=PIN))
    commands.append(Command("read the package lists", ("apt-get", "update", "-q"), deadline=UPDATE_DEADLINE))
    install = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy", "--no-install-recommends")
    commands.append(Command("install what is missing", (*install, *packages), deadline=INSTALL_DEADLINE))
    return commands


def _has_suite(system: System, suite: str) -> bool:
    return any(suite in source.suites for source in system.sources)


def _trixie_source(system: System) -> str | None:
    """Return a source for Debian 13 at the very mirror that this host uses, ``None`` when it shows none."""
    codename = system.distribution[1]
    source = next((item for item in system.sources if codename in item.suites), None)
    return None if source is None else _render(source)


def _render(source: AptSource) -> str:
    lines = ["Types: deb", f"URIs: {source.uri}", "Suites: trixie", "Components: main"]
    if source.signed_by:
        lines.append(f"Signed-By: {source.signed_by}")
    return "\n".join(lines) + "\n"


def _subids(system: System) -> Command:
    """Give the user the first free range of subordinate ids, the same for users and groups."""
    first = SUBID_START
    for start, count in sorted(_ranges(f"{system.subuid}\n{system.subgid}")):
        if start < first + SUBID_COUNT and first < start + count:
            first = start + count
    span = f"{first}-{first + SUBID_COUNT - 1}"
    options = [
        part
        for flag, text in (("--add-subuids", system.subuid), ("--add-subgids", system.subgid))
        if not has_subids(system, text)
        for part in (flag, span)
    ]
    return Command("give you the ids that containers without root take", ("usermod", *options, system.user))


def _settings(system: System) -> list[Command]:
    """Write the settings that Podman needs here into a file of our own."""
    text = drop_in(lacking(system.podman, root=system.root))
    return [
        Command("make room for Podman's settings", ("mkdir", "-p", DROP_IN.rpartition("/")[0])),
        Command("set what containers or builds fail without", ("tee", DROP_IN), stdin=text),
    ]


def has_subids(system: System, text: str) -> bool:
    """Say whether a text like ``/etc/subuid`` has a range for the user, by name or number (subuid(5))."""
    own = (line for line in text.splitlines() if line.split(":")[0] in (system.user, str(system.uid)))
    return any(count for line in own for _, count in _ranges(line))


def _ranges(text: str) -> list[tuple[int, int]]:
    """Return first number and size of each range of a text like ``/etc/subuid``."""
    return [(int(first), int(count)) for first, count in re.findall(r":(\d+):(\d+)\s*$", text, re.MULTILINE)]


def _elsewhere(system: System, wanted: set[Need]) -> list[Command]:
    family = system.distribution[0]
    manager, names = ELSEWHERE.get(family, ((), {}))
    packages = sorted({package for need in wanted for package in names.get(need, ())})
    commands = [Command("install what is missing", (*manager, *packages))] if packages else []
    left = sorted(need for need in wanted if need in ADVICE and need not in names)
    return [*commands, *(Command(ADVICE[need], root=False) for need in left)]
