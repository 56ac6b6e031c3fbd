"""One apply at a time: a mutex on the engine itself, which every machine that reaches the engine sees."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envspec.engine.base import Engine
from envspec.errors import Conflict, Where

_START_TIME = 19
"""Place of a process's start time among the fields of ``/proc/PID/stat`` behind its name; see proc(5)."""


@contextmanager
def locked(engine: Engine, env: str) -> Iterator[bool]:
    """Hold an environment's mutex.

    Yields:
        Whether it was taken from a process of this host that died with it: what that left half-way may still run.

    Raises:
        Conflict: Somebody else holds it.
    """
    stolen = False
    if not engine.lock(env, owner()):
        holder = engine.lock_owner(env)
        if holder is not None and not is_dead(holder):
            raise _busy(env, holder)
        engine.unlock(env, holder or "")
        stolen = True
        if not engine.lock(env, owner()):
            raise _busy(env, engine.lock_owner(env) or "another apply")
    try:
        yield stolen
    finally:
        engine.unlock(env, owner())


def abandoned(engine: Engine, env: str) -> bool:
    """Say whether the mutex is held by a process of this host that died with it."""
    holder = engine.lock_owner(env)
    return holder is not None and is_dead(holder)


def _busy(env: str, holder: str) -> Conflict:
    host, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    return Conflict(
        f"another apply works on {env}: process {pid} on {host}",
        code="conflict.locked",
        hint=f"wait for it; if it is gone for good, remove the container envspec-lock-{env}",
        where=Where(address=env),
    )


def owner() -> str:
    """Return this process's name for others: ``host:pid:when it began``."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_dead(holder: str) -> bool:
    """Say whether the process that took the mutex ran on this host and is gone, its number reused or not."""
    host, _, rest = holder.partition(":")
    pid, _, started = rest.partition(":")
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started


def _started(pid: int) -> str:
    """Return when a process began, in clock ticks since boot with the boot's ID; "" when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return f"{stat.rpartition(')')[2].split()[_START_TIME]}@{boot}"
