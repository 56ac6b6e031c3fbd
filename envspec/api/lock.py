"""One apply at a time: a mutex on the engine itself, which every machine that reaches the engine sees.

Whether its holder lives is read from the engine (:class:`envspec.engine.objects.Proof`), not from this host's
processes: the holder may be on another host, in another PID namespace, or another user whose processes are hidden.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from envspec.engine.base import Engine
from envspec.engine.objects import PAUSES, Holder, Proof
from envspec.errors import Conflict, EnvspecError, Where

BEGINS_WITHIN = 15.0
"""Seconds after which a mutex whose holder has not begun is taken for one of a holder that died before it could.

A living holder is safe: it does nothing before its mutex runs, and one that runs cannot be taken.
"""

_POLL = 0.2
_START_TIME = 19
"""Place of a process's start time among the fields of ``/proc/PID/stat`` behind its name; see proc(5)."""

_FIRST_NAMESPACE = "pid:[4026531836]"
"""The PID namespace that sees the processes of all others; ``PROC_PID_INIT_INO`` of the kernel."""


@contextmanager
def locked(engine: Engine, env: str, notes: Mapping[str, str] | None = None) -> Iterator[bool]:
    """Hold an environment's mutex.

    Args:
        engine: The engine.
        env: Name of the environment.
        notes: What others are to know should this process die, by label.

    Yields:
        Whether it was taken from somebody who died: what that left half-way may still run. What they had paused goes
        on.

    Raises:
        Conflict: Somebody else holds it.
    """
    stolen = False
    if not engine.lock(env, owner(), notes):
        stolen = _free_of_the_dead(engine, env)
        if not engine.lock(env, owner(), notes):
            holder = engine.lock_holder(env)
            raise _busy(engine, env, holder.owner if holder else "another apply")
    try:
        yield stolen
    finally:
        engine.unlock(env, owner())


def _free_of_the_dead(engine: Engine, env: str) -> bool:
    """Remove the mutex of a holder that died; say whether there was one.

    Raises:
        Conflict: It lives.
    """
    until = time.monotonic() + BEGINS_WITHIN
    holder = engine.lock_holder(env)
    while holder and holder.proof is Proof.BEGINS and not has_died(holder) and time.monotonic() < until:
        time.sleep(_POLL)
        holder = engine.lock_holder(env)
    if holder is None:
        return False
    if holder.proof is not Proof.BEGINS and not has_died(holder):
        raise _busy(engine, env, holder.owner)
    _let_go_on(engine, env, holder)
    engine.break_lock(env, holder.owner)
    return True


def _let_go_on(engine: Engine, env: str, holder: Holder) -> None:
    """Let the containers go on that a dead holder had paused, before the mutex goes, which alone tells of them."""
    paused = holder.notes.get(PAUSES, "").split()
    for box in engine.containers(env) if paused else ():
        if box.id in paused and box.status == "paused":
            with contextlib.suppress(EnvspecError):  # somebody else did
                engine.unpause(box.id)


def abandoned(engine: Engine, env: str) -> bool:
    """Say whether the mutex is held by somebody who died."""
    holder = engine.lock_holder(env)
    return holder is not None and has_died(holder)


def has_died(holder: Holder) -> bool:
    """Say whether a holder has certainly died; where nothing on the engine proves it, by this host's processes."""
    if holder.proof in (Proof.NONE, Proof.BEGINS):
        return is_dead(holder.owner)
    return holder.proof is Proof.DIED


def _busy(engine: Engine, env: str, holder: str) -> Conflict:
    host, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    return Conflict(
        f"another envspec works on {env}: process {pid} on {host}",
        code="conflict.locked",
        hint=f"wait for it; if it is gone for good: `{' '.join(engine.command)} rm --force envspec-lock-{env}`",
        where=Where(address=env),
    )


def owner() -> str:
    """Return this process's name for others: ``host:pid:when it began@the host's boot@its PID namespace``."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}@{_boot()}@{_namespace()}"


def is_dead(name: str) -> bool:
    """Say whether a process is certainly gone, by what :func:`owner` called it, its number reused or not.

    That can be known of a process of this host and of this PID namespace only. An earlier version named no namespace:
    then nothing may run on the whole host that began at the same moment.
    """
    host, _, rest = name.partition(":")
    pid, _, rest = rest.partition(":")
    started, boot, namespace = (*rest.split("@"), "", "")[:3]
    if host != socket.gethostname() or not boot or boot != _boot() or not pid.isdigit():
        return False
    if not namespace:
        return _namespace() == _FIRST_NAMESPACE and _started(1) != "" and started not in _all_started()
    if namespace != _namespace():
        return False
    try:
        os.kill(int(pid), 0)  # tells of processes that /proc hides from other users, too
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _started(int(pid)) not in ("", started)


def _started(pid: int | str) -> str:
    """Return when a process began, in clock ticks since boot; "" when there is no such process, or it is hidden."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[_START_TIME]


def _all_started() -> set[str]:
    """Return when each process of this host began."""
    return {_started(path.name) for path in Path("/proc").glob("[0-9]*")}


def _boot() -> str:
    """Return the ID of the kernel's boot, "" where it is not told."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _namespace() -> str:
    """Return the ID of this process's PID namespace, "" where it is not told."""
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""
