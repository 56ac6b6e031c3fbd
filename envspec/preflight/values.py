"""Values of the preflight: a check, a command that a person can type, and the error of a host that is not ready."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from envspec.engine.objects import LINE
from envspec.engine.operations import Completed
from envspec.errors import EngineNotReady
from envspec.model import to_json

Say = Callable[[str], None]
"""Takes one line of text for a person."""


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    """Works, with something less."""
    FAIL = "fail"
    """envspec cannot work on this host."""


class Need(StrEnum):
    """What a host can lack, and ``--fix`` can bring."""

    ENGINE = "engine"
    CLI = "cli"
    COMPOSE = "compose"
    BUILDX = "buildx"
    BOOTSTRAP = "bootstrap"
    UIDMAP = "uidmap"
    GIT = "git"
    CERTIFICATES = "certificates"
    SUBID = "subid"
    GROUP = "group"
    START = "start"
    DOCKER_CLIENT = "docker-client"
    PODMAN = "podman"
    INIT = "init"
    NETWORKS = "networks"
    RUNC = "runc"
    USERNET = "usernet"
    TUN = "tun"
    RUNTIME = "runtime"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Command:
    """A command that makes a host ready.

    Attributes:
        why: What it is for, in a few words.
        argv: The command; empty for a step that only a person can take, which ``why`` then tells.
        root: Whether it must run as root.
        stdin: Text to give it.
        deadline: Seconds after which it is ended.
    """

    why: str
    argv: tuple[str, ...] = ()
    root: bool = True
    stdin: str = ""
    deadline: float = 60.0

    def text(self, *, sudo: bool) -> str:
        """Return it as one line for a shell, with ``sudo`` where root is needed."""
        if not self.argv:
            return self.why
        line = shlex.join(("sudo", *self.argv) if sudo and self.root else self.argv)
        given = shlex.join(self.stdin.splitlines())
        return f"printf '%s\\n' {given} | {line}" if self.stdin else line


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: Stable name.
        status: How it came out.
        detail: What was found, in words.
        needs: What would have to be brought.
        fix: The steps that bring it, in order; empty when there is nothing to do.
    """

    name: str
    status: State
    detail: str
    needs: tuple[Need, ...] = ()
    fix: tuple[Command, ...] = ()


class NotReady(EngineNotReady):
    """The host is not ready; carries every check.

    Args:
        checks: All checks, at least one of them failed.
        hint: The next step.
    """

    def __init__(self, checks: tuple[Check, ...], hint: str) -> None:
        failed = [item for item in checks if item.status is State.FAIL]
        super().__init__("; ".join(f"{item.name}: {item.detail}" for item in failed), hint=hint)
        self.checks = checks

    def as_json(self) -> dict[str, object]:
        """Return the error with every check under ``checks``."""
        return super().as_json() | {"checks": to_json(self.checks)}


class Run(Protocol):
    """Runs a command of the host to its end."""

    def __call__(
        self, argv: Sequence[str], *, deadline: float, stdin: bytes = b"", on_line: LINE | None = None
    ) -> Completed:
        """Run a command.

        Args:
            argv: The command.
            deadline: Seconds after which its process group is ended.
            stdin: What it reads.
            on_line: Takes its output, both streams, line by line while it runs.

        Returns:
            Its end; code 127 when there is no such command, 124 when the deadline passed.
        """
        ...
