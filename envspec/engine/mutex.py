"""An environment's mutex: a container, for of several who create one of a name the engine lets one.

It runs a program that lives as long as its holder (see :mod:`envspec.engine.guard`). A running one is held; one that
has ended was held by somebody who died; one that has not begun belongs to somebody who is about to begin, and does
nothing yet. It is removed without force where it is taken from the dead, so that the engine itself refuses when it
runs after all.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from envspec.engine import guard
from envspec.engine.archive_client import ArchiveClient
from envspec.engine.client import DEADLINE
from envspec.engine.objects import LABEL, LOCK_PREFIX, LOCK_REPOSITORY, Holder, Proof
from envspec.engine.operations import Completed
from envspec.engine.part import Part
from envspec.engine.pipe import opened
from envspec.errors import Conflict, EngineCallFailed, Where

GUARD_IMAGE = f"{LOCK_REPOSITORY}:2"
"""What a mutex is made of."""

EMPTY_IMAGE = f"{LOCK_REPOSITORY}:1"
"""The same where the engine's architecture is not known, and in earlier versions: such a mutex never runs."""

LOCK_LABEL = f"{LABEL}lock"
OWNER_LABEL = f"{LABEL}owner"
GUARD_LABEL = f"{LABEL}guard"
"""Says of a mutex that it runs as long as its holder lives."""

QUIET = (
    *("--interactive", "--network", "none", "--log-driver", "none", "--pull", "never"),
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--stop-signal", "KILL"),
)
"""Options of the container: it reads its input, writes no log, and can do nothing else."""

LOCK_ATTEMPTS = 5
"""How often a mutex is tried for that was given back just as it was found taken."""

_EMPTY_TAR = bytes(10240)
_ENDED = ("exited", "stopped", "dead")
_NOT_BEGUN = ("created", "configured", "initialized")


@dataclass(slots=True)
class _Held:
    """A mutex that this process holds."""

    id: str
    owner: str
    guard: ExitStack = field(default_factory=ExitStack)
    given_back: threading.Event = field(default_factory=threading.Event)


class MutexClient(ArchiveClient):
    """The part of a real engine that takes and gives back mutexes."""

    _mutexes: dict[str, _Held]
    """Those that were taken, by environment."""

    def lock(self, env: str, owner: str, notes: Mapping[str, str] | None = None) -> bool:
        """Take the environment's mutex: of several who create a container of one name, the engine lets one."""
        image = self._lock_image()
        labels = {**(notes or {}), LOCK_LABEL: env, OWNER_LABEL: owner}
        labels |= {GUARD_LABEL: "1"} if image == GUARD_IMAGE else {}

        for attempt in range(LOCK_ATTEMPTS):
            try:
                made = self._make_mutex(_lock_name(env), image, labels)
            except EngineCallFailed:
                if self._inspect("container", [_lock_name(env)]):
                    return False
                if attempt + 1 == LOCK_ATTEMPTS:
                    raise
            else:
                self._keep(env, _Held(made, owner), guarded=image == GUARD_IMAGE)
                return True
        return False

    def lock_holder(self, env: str) -> Holder | None:
        """Return who holds the mutex and what proves that they live, ``None`` when nobody does."""
        for found in self._inspect("container", [_lock_name(env)]):
            labels = Part(found).part("Config").table("Labels")
            return Holder(labels.get(OWNER_LABEL, "somebody else"), _proof(Part(found)), labels)
        return None

    def locked_envs(self) -> tuple[str, ...]:
        """Return the environments whose mutex is held, sorted."""
        words = ("container", "ls", "--all", "--filter", f"label={LOCK_LABEL}", "--format", "{{.Names}}")
        return tuple(sorted(name.removeprefix(LOCK_PREFIX) for name in self._listed(*words).split()))

    def unlock(self, env: str, owner: str = "") -> None:
        """Give the mutex back, after :meth:`cancel` too; a container of its name that is not a mutex is left alone.

        It is removed by its ID, so that one which another process takes meanwhile stays.
        """
        with self._lock:
            ours = self._mutexes.get(env)
            held = self._mutexes.pop(env) if ours and owner in ("", ours.owner) else None
        if held:
            held.given_back.set()
        try:
            for found in [held.id] if held else self._held(env, owner):
                completed = self._regardless("container", "rm", "--force", "--volumes", "--", found)
                if completed.code and found in self._held(env, owner):
                    raise self._refused(f"cannot unlock {env}", completed, env)
        finally:
            if held:
                held.guard.close()

    def break_lock(self, env: str, owner: str) -> None:
        """Remove the mutex of a holder that died; without force, so that one that runs after all stays."""
        for found in self._held(env, owner):
            self._regardless("container", "rm", "--volumes", "--", found)

    def _held(self, env: str, owner: str) -> list[str]:
        """Return the ID of an environment's mutex, nothing when nobody holds it, or another than the owner."""
        chosen: tuple[str, ...] = ("--filter", f"label={LOCK_LABEL}={env}", "--filter", f"name=^{_lock_name(env)}$")
        if owner:
            chosen += ("--filter", f"label={OWNER_LABEL}={owner}")
        completed = self._regardless("container", "ls", "--all", "--quiet", "--no-trunc", *chosen)
        if completed.code:
            raise self._refused(f"cannot look for the lock of {env}", completed, env)
        return completed.stdout.decode().split()

    def _lock_image(self) -> str:
        """Return the image of mutexes, made where the engine does not have it."""
        if self.images([GUARD_IMAGE]):
            return GUARD_IMAGE
        program = guard.archive(self._architecture())
        if program is not None:
            self._import_lock(GUARD_IMAGE, program, "--change", f'ENTRYPOINT ["{guard.PROGRAM}"]')
            return GUARD_IMAGE
        if not self.images([EMPTY_IMAGE]):
            self._import_lock(EMPTY_IMAGE, _EMPTY_TAR)
        return EMPTY_IMAGE

    def _architecture(self) -> str:
        """Return what the engine calls its host's architecture."""
        form = "{{.Host.Arch}}" if self.name == "podman" else "{{.Architecture}}"
        return self._listed("info", "--format", form).strip()

    def _import_lock(self, ref: str, root: bytes, *options: str) -> None:
        completed = self._run("image", "import", *options, "-", ref, stdin=root)
        if completed.code:
            raise self._refused("cannot make the image of locks", completed)

    def _keep(self, env: str, held: _Held, *, guarded: bool) -> None:
        """Let a mutex that was just made live with this process; after a failure it is gone."""
        if guarded:
            try:
                self._begin_guard(env, held)
            except BaseException:
                held.given_back.set()
                held.guard.close()
                self._regardless("container", "rm", "--force", "--volumes", "--", held.id)
                raise
        with self._lock:
            self._mutexes[env] = held

    def _begin_guard(self, env: str, held: _Held) -> None:
        """Start the mutex, attached to this process, and wait until it says that it runs."""
        argv = [*self._command, "container", "start", "--attach", "--interactive", held.id]
        pipe = held.guard.enter_context(opened(self._runner, argv, idle=DEADLINE, directory=self._start_directory))
        if pipe.read() != guard.READY:
            raise self._refused("cannot start the lock", pipe.finish(), env)

        def watch() -> None:
            if pipe.wait(held.given_back):
                return
            self._runner.fail(_lost(env))
            self.cancel()

        threading.Thread(target=watch, daemon=True).start()

    @property
    def _start_directory(self) -> str | None:
        """Return the directory to start containers from; MAY be given by the engine."""
        return None

    def _regardless(self, *args: str) -> Completed:
        """Run a command that cleans up, and so even after the work was cancelled."""
        return self._runner.run([*self._command, *args], deadline=DEADLINE, regardless=True)

    def _make_mutex(self, name: str, image: str, labels: Mapping[str, str]) -> str:
        """Create the container and return its ID; MUST be given by the engine, and raise when the name is taken."""
        raise NotImplementedError

    def cancel(self) -> None:
        """End every call; MUST be given by the engine."""
        raise NotImplementedError


def _proof(inspected: Part) -> Proof:
    """Return what the state of a mutex says of its holder."""
    status = inspected.part("State").text("Status")
    if GUARD_LABEL not in inspected.part("Config").table("Labels"):
        return Proof.NONE
    if status in _NOT_BEGUN:
        return Proof.BEGINS
    return Proof.DIED if status in _ENDED else Proof.LIVES


def _lost(env: str) -> Conflict:
    return Conflict(
        f"the lock of {env} was lost: its container ended, or somebody removed it",
        code="conflict.lock_lost",
        hint="was the engine restarted? run the same command again to go on where it ended",
        where=Where(address=env),
    )


def _lock_name(env: str) -> str:
    return f"{LOCK_PREFIX}{env}"
