"""Podman's API socket, by which Compose works with it: the one that is there, or one of our own while it is needed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from envspec.engine.runner import Runner, allowed
from envspec.engine.unix_socket import takes_connections
from envspec.errors import EngineNotReady
from envspec.scratch import scratch

MONITORS = "/run"
"""Where containers are started: their monitor, conmon, leaves an empty file ``oom`` there when the kernel ends
something of theirs for lack of memory."""

START_DEADLINE = 20.0
"""Seconds for the service to take connections; it does so in about 0.1 s."""

IDLE = 30
"""Seconds without a connection after which a service that outlived us ends itself."""

_POLL = 0.02
_END = 5.0


@contextlib.contextmanager
def api_socket(runner: Runner, command: Sequence[str], *, rootless: bool) -> Iterator[str]:
    """Yield the address of Podman's API; a service that had to be started is ended behind it.

    Args:
        runner: Counts the service as a child process.
        command: The engine's command.
        rootless: Whether Podman runs without root.

    Raises:
        EngineNotReady: The service does not come up.
    """
    own = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}") if rootless else Path("/run")
    there = own / "podman" / "podman.sock"
    if takes_connections(str(there), 1.0):
        yield f"unix://{there}"
        return
    with scratch() as directory:
        path = directory / "podman.sock"
        with _service(runner, command, path):
            yield f"unix://{path}"


@contextlib.contextmanager
def _service(runner: Runner, command: Sequence[str], path: Path) -> Iterator[None]:
    """Run the service, in a session of its own so that no terminal's Ctrl-C ends it under Compose's feet."""
    argv = [*command, "system", "service", "--time", str(IDLE), f"unix://{path}"]
    runner.note(argv)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        argv, stdin=quiet, stdout=quiet, stderr=quiet, env=allowed(os.environ), cwd=MONITORS, start_new_session=True
    )
    try:
        until = time.monotonic() + START_DEADLINE
        while not takes_connections(str(path), 1.0):
            runner.check()
            if process.poll() is not None or time.monotonic() > until:
                raise EngineNotReady(
                    "Podman's API service, by which Compose works, does not come up",
                    code="engine.no_api",
                    hint=f"`podman system service --time 5 unix://{path}` says why",
                )
            time.sleep(_POLL)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
