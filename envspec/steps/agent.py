"""The socket of the host's SSH agent, which comes and goes with a login while the container stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from envspec.engine.facts import AGENT_SOCKET
from envspec.engine.objects import Mount


@contextmanager
def standing_in(mounts: tuple[Mount, ...]) -> Iterator[None]:
    """Let a container be started although the socket that it mounts is gone, as it is after a new login.

    No engine starts a container whose bind is missing, and what is inside has to be asked before another takes its
    place. An empty file stands at the socket's place meanwhile.

    Args:
        mounts: The container's mounts; only that of the agent matters.
    """
    missing = [Path(m.source) for m in mounts if m.target == AGENT_SOCKET and not Path(m.source).exists()]
    made: list[Path] = []
    try:
        with suppress(OSError):  # where none can be made, the engine says what is missing
            for path in missing:
                for parent in reversed([parent for parent in path.parents if not parent.exists()]):
                    parent.mkdir(mode=0o700)
                    made.append(parent)
                path.touch(mode=0o600, exist_ok=False)
                made.append(path)
        yield
    finally:
        with suppress(OSError):
            for path in reversed(made):
                path.rmdir() if path.is_dir() else path.unlink()
