"""An environment's mutex: a container that never runs, for of several who create one of a name the engine lets one."""

from __future__ import annotations

from collections.abc import Mapping

from envspec.engine.archive_client import ArchiveClient
from envspec.engine.client import DEADLINE
from envspec.engine.objects import LABEL, LOCK_PREFIX
from envspec.engine.operations import Completed
from envspec.engine.part import Part
from envspec.errors import EngineCallFailed

LOCK_IMAGE = "envspec/lock:1"
"""An empty image: what the mutex is made of."""

LOCK_LABEL = f"{LABEL}lock"
OWNER_LABEL = f"{LABEL}owner"

LOCK_ATTEMPTS = 5
"""How often a mutex is tried for that was given back just as it was found taken."""

_EMPTY_TAR = bytes(10240)


class MutexClient(ArchiveClient):
    """The part of a real engine that takes and gives back mutexes."""

    _mutexes: dict[tuple[str, str], str]
    """IDs of those that were taken, by environment and owner."""

    def lock(self, env: str, owner: str) -> bool:
        """Take the environment's mutex: of several who create a container of one name, the engine lets one."""
        if not self.images([LOCK_IMAGE]):
            completed = self._run("image", "import", "-", LOCK_IMAGE, stdin=_EMPTY_TAR)
            if completed.code:
                raise self._refused("cannot make the image of locks", completed)
        labels = {LOCK_LABEL: env, OWNER_LABEL: owner}

        for attempt in range(LOCK_ATTEMPTS):
            try:
                made = self._make_mutex(_lock_name(env), labels)
            except EngineCallFailed:
                if self._inspect("container", [_lock_name(env)]):
                    return False
                if attempt + 1 == LOCK_ATTEMPTS:
                    raise
            else:
                with self._lock:
                    self._mutexes[env, owner] = made
                return True
        return False

    def lock_owner(self, env: str) -> str | None:
        """Return who holds the mutex, ``None`` when nobody does."""
        for found in self._inspect("container", [_lock_name(env)]):
            return Part(found).part("Config").table("Labels").get(OWNER_LABEL, "somebody else")
        return None

    def locked_envs(self) -> tuple[str, ...]:
        """Return the environments whose mutex is held, sorted."""
        words = ("container", "ls", "--all", "--filter", f"label={LOCK_LABEL}", "--format", "{{.Names}}")
        return tuple(sorted(name.removeprefix(LOCK_PREFIX) for name in self._listed(*words).split()))

    def unlock(self, env: str, owner: str = "") -> None:
        """Give the mutex back, after :meth:`cancel` too; what bears its name and is none is left alone.

        It is removed by its ID, so that one which another process takes meanwhile stays.
        """
        with self._lock:
            made = self._mutexes.pop((env, owner), "")
        for held in [made] if made else self._held(env, owner):
            completed = self._regardless("container", "rm", "--force", "--volumes", "--", held)
            if completed.code and held in self._held(env, owner):
                raise self._refused(f"cannot unlock {env}", completed, env)

    def _held(self, env: str, owner: str) -> list[str]:
        """Return the ID of an environment's mutex, nothing when nobody holds it, or another than the owner."""
        chosen: tuple[str, ...] = ("--filter", f"label={LOCK_LABEL}={env}", "--filter", f"name=^{_lock_name(env)}$")
        if owner:
            chosen += ("--filter", f"label={OWNER_LABEL}={owner}")
        completed = self._regardless("container", "ls", "--all", "--quiet", "--no-trunc", *chosen)
        if completed.code:
            raise self._refused(f"cannot look for the lock of {env}", completed, env)
        return completed.stdout.decode().split()

    def _regardless(self, *args: str) -> Completed:
        """Run a command that cleans up, and so even after the work was cancelled."""
        return self._runner.run([*self._command, *args], deadline=DEADLINE, regardless=True)

    def _make_mutex(self, name: str, labels: Mapping[str, str]) -> str:
        """Create the container and return its ID; MUST be given by the engine, and raise when the name is taken."""
        raise NotImplementedError


def _lock_name(env: str) -> str:
    return f"{LOCK_PREFIX}{env}"
