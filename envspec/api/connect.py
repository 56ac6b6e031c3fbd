"""The way inside for a person."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from envspec.engine.facts import Account
from envspec.engine.objects import ContainerState
from envspec.kinds.base import Observed
from envspec.model import Desired

NO_SHELLS = ("nologin", "false", "sync", "")
"""Names of programs that an account may have for a shell and that let nobody in."""


@dataclass(frozen=True, slots=True)
class ConnectInfo:
    """How a person gets inside.

    Attributes:
        command: The command to type; it works without envspec.
        argv: The same as an argument vector.
        user: Login name inside.
        workdir: Directory in which they will stand.
    """

    command: str
    argv: tuple[str, ...]
    user: str
    workdir: str


def connect_info(
    engine: tuple[str, ...], box: ContainerState, accounts: tuple[Account, ...], *, root: bool = False
) -> ConnectInfo:
    """Return how a person gets into a container.

    Args:
        engine: The engine's command, with the options that lead to it.
        box: The container.
        accounts: Its accounts; the user's shell is taken, bash where the image has it.
        root: Whether as root instead of the environment's user.
    """
    user = "0:0" if root else box.config.user
    named = user.partition(":")[0] or "0"
    account = next((a for a in accounts if named in (str(a.uid), a.name)), None)
    roots = next((a for a in accounts if a.uid == 0), None)
    shells = [a.shell for a in (account, roots) if a and a.shell.rpartition("/")[2] not in NO_SHELLS]
    where = ("--user", user, "--workdir", box.config.workdir)
    argv = (*engine, "exec", "-it", *where, box.name, shells[0] if shells else "/bin/sh")
    return ConnectInfo(shlex.join(argv), argv, account.name if account else named, box.config.workdir)


def command_of(world: Observed, desired: Desired) -> str:
    """Return the command that takes a person into a converged environment, "" when there is none to enter."""
    box = world.workspace
    if box is None or not box.running or not desired.resources:
        return ""
    return connect_info(world.command, box, world.answer.accounts).command
