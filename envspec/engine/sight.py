"""Whether an engine that may run on another machine sees a directory of this host as it is here.

A container that lives for a moment binds it read-only and tells what it finds. The engine removes the container when
it ends, and nothing of it is left. That a directory is seen is remembered for the engine's ID. That it is not seen is
asked again each time: whoever shares it with the machine must not be told the old answer.
"""

from __future__ import annotations

import os
import secrets
import stat
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from envspec.engine import shelf
from envspec.engine.machine import Machine
from envspec.engine.objects import LABEL
from envspec.engine.operations import Completed
from envspec.engine.remembered import Memory
from envspec.errors import EngineTimeout, Interrupted

DEADLINE = 60.0
"""Seconds for one container to tell."""

AGENT_THERE = "/run/host-services/ssh-auth.sock"
"""Where virtual machines have the socket of their host's SSH agent: Docker Desktop, OrbStack, and all that is Lima."""

MOST_IMAGES = 4
"""Images that are tried: not every one has a shell."""

LOOK_LABEL = f"{LABEL}look"

_TARGET = "/envspec-look"
_REFUSED = 125
"""Exit code of the engine's command where the engine refused."""
_NO_SHELL = (126, 127)
_NO_DEVICE = -1

_DIRECTORY = f"cd {_TARGET} && stat -c %Y . && ls -a"
_FILE = f"stat -c '%s %Y' {_TARGET}"
_SOCKET = f"[ -S {_TARGET} ] || exit 1"
_KERNEL = ("/proc", "/sys", "/dev")


class Run(Protocol):
    """Runs the engine's command with arguments."""

    def __call__(self, *args: str, deadline: float) -> Completed:
        """Return how it ended."""
        ...


class Sight:
    """Asks an engine what it sees.

    Args:
        machine: The machine that it runs on.
        run: Runs the engine's command.
        remove: Removes a container that may have been left behind.
        images: Returns IDs of images that the engine has, the likeliest to have a shell first.
        memory: What was asked before.
    """

    def __init__(
        self,
        machine: Machine,
        run: Run,
        remove: Callable[[str], None],
        images: Callable[[], Sequence[str]],
        memory: Memory | None = None,
    ) -> None:
        self._machine = machine
        self._run = run
        self._remove = remove
        self._images = images
        self._memory = memory or Memory()
        self._known: tuple[str, ...] | None = None

    def of(self, path: str) -> bool | None:
        """Say whether the engine sees what lies at a path here, ``None`` where it has no image to ask with.

        What is no file or directory of this host is the machine's own to bind, a socket or a device, and counts as
        seen.
        """
        if path == AGENT_THERE:
            return self._agent()
        try:
            found = Path(path).stat()
        except OSError:
            return path != str(shelf.PLACE)
        if _is_the_machines(path, found.st_mode):
            return True
        if self._memory.sees(self._machine.key, path, found.st_dev):
            return True
        seen = self._of_directory(path) if stat.S_ISDIR(found.st_mode) else self._of_file(path, found)
        if seen:
            self._memory.keep_seen(self._machine.key, path, found.st_dev)
        return seen

    def _agent(self) -> bool | None:
        """Say whether the machine has the socket of this host's SSH agent; it lies on no file system of this host."""
        if self._memory.sees(self._machine.key, AGENT_THERE, _NO_DEVICE):
            return True
        seen = self._asked(AGENT_THERE, _SOCKET, lambda _: True)
        if seen:
            self._memory.keep_seen(self._machine.key, AGENT_THERE, _NO_DEVICE)
        return seen

    def _of_directory(self, path: str) -> bool | None:
        before = _listing(path)

        def compare(answer: str) -> bool:
            """Say whether both hold the same names, but for those that came or went meanwhile."""
            moment, *names = answer.splitlines()
            there, after = _names(names), _listing(path)
            same = before & after <= there <= before | after
            return same and bool(there or moment == str(int(Path(path).stat().st_mtime)))

        return self._asked(path, _DIRECTORY, compare)

    def _of_file(self, path: str, found: os.stat_result) -> bool | None:
        here = f"{found.st_size} {int(found.st_mtime)}"
        return self._asked(path, _FILE, lambda answer: answer.strip() == here)

    def _asked(self, path: str, script: str, compare: Callable[[str], bool]) -> bool | None:
        """Ask with one image after another until one can tell."""
        if self._known is None:
            self._known = tuple(self._images())[:MOST_IMAGES]
        bind = ("--mount", f"type=bind,source={path},target={_TARGET},readonly")
        for image in self._known:
            done = self._look(image, script, *bind)
            if done.code == _REFUSED:
                # It may have refused the bind or all that is asked of it: the same without the bind tells which.
                if self._look(image, ":").code == 0:
                    return False
            elif done.code not in _NO_SHELL:
                return done.code == 0 and compare(done.stdout.decode(errors="surrogateescape"))
        return None

    def _look(self, image: str, script: str, *options: str) -> Completed:
        name = f"envspec-look-{secrets.token_hex(6)}"
        words = ("run", "--rm", "--name", name, "--label", f"{LOOK_LABEL}=1", "--network", "none", "--pull", "never")
        confined = ("--read-only", "--cap-drop", "ALL", "--cap-add", "DAC_OVERRIDE", "--security-opt")
        own = (*confined, "no-new-privileges", "--user", "0", "--workdir", "/", "--entrypoint", "/bin/sh")
        try:
            return self._run(*words, *own, *options, "--", image, "-c", script, deadline=DEADLINE)
        except (EngineTimeout, Interrupted):
            self._remove(name)
            raise


def _is_the_machines(path: str, mode: int) -> bool:
    """Say whether a path means something of the machine that the engine runs on: a socket, a device, its kernel."""
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        return True
    below = any(path == place or path.startswith(f"{place}/") for place in _KERNEL)
    return below and not Path(path).is_relative_to(shelf.PLACE)


def _listing(path: str) -> frozenset[str]:
    try:
        return _names(name for entry in os.listdir(path) for name in entry.splitlines())  # noqa: PTH208 - only names
    except OSError:
        return frozenset()


def _names(found: Sequence[str] | Iterator[str]) -> frozenset[str]:
    """Return names in one form: a Mac may keep letters with accents as two characters."""
    return frozenset(unicodedata.normalize("NFC", name) for name in found) - {".", ".."}
