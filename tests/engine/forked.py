"""Commands of envspec as processes that are forked from one that has loaded it, which spares each the loading.

Loading Python and envspec is most of what a command costs, and the end-to-end tests run thousands. What is forked is a
process of its own, with its own variables, directory, streams, argument list, signals and exit code; only how its
modules came into memory is another way. Commands that a test starts to interrupt or to kill are started in full.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import faulthandler
import functools
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from envspec.cli.main import program

BESIDE = ("networkx", "python_on_whales", "rich.console", "rich.progress", "jinja2.sandbox", "yaml")
"""What envspec loads when it needs it."""

FIXED = ("LANG", "LC_", "PYTHON")
"""How variables begin that Python reads once, when it starts."""

SERVER = (sys.executable, "-m", "tests.engine.forked")
LARGEST = 1 << 20
"""Bytes of a request."""


class Forked:
    """A command that was forked; as far as the tests ask, the same as :class:`subprocess.Popen`."""

    def __init__(self, args: Sequence[str], out: int, err: int, told: int) -> None:
        self.args = list(args)
        self.stdout: IO[str] = os.fdopen(out, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(err, encoding="utf-8")
        self._told = os.fdopen(told, "rb")
        self.pid = int(self._told.readline())
        self.returncode: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        with self._told:
            self.returncode = int(self._told.readline())
        self._ended.set()

    def wait(self, timeout: float) -> int:
        """Return the exit code, negative for a signal."""
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code, or ``None`` while it runs."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Server:
    """The process that has envspec loaded, one for each process of the tests."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        with theirs:
            self._process = subprocess.Popen(
                [*SERVER, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONFAULTHANDLER": "1"},
                cwd=Path(__file__).parents[2],
            )
        self._lock = threading.Lock()
        atexit.register(self.end)

    def run(self, words: Sequence[str], directory: Path, environ: Mapping[str, str]) -> Forked:
        """Begin a command.

        Args:
            words: Its arguments, without the name of the program.
            directory: Where it works.
            environ: All its variables.
        """
        request = json.dumps({"words": list(words), "directory": str(directory), "environ": dict(environ)}).encode()
        (out, out_to), (err, err_to), (told, told_to) = os.pipe(), os.pipe(), os.pipe()
        handed = array.array("i", [out_to, err_to, told_to])
        try:
            with self._lock:
                self._ours.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handed)])
        finally:
            for end in handed:
                os.close(end)
        return Forked(["envspec", *words], out, err, told)

    def end(self) -> None:
        """End it; what it forked goes on."""
        self._ours.close()
        self._process.wait(10)


@functools.cache
def _server() -> Server:
    return Server()


def fork(words: Sequence[str], directory: Path, environ: Mapping[str, str]) -> Forked | None:
    """Begin a command, or return ``None`` where Python itself has to be started for it.

    Args:
        words: Its arguments, without the name of the program.
        directory: Where it works.
        environ: All its variables.
    """
    fixed = {name for name in {*environ, *os.environ} if name.startswith(FIXED)}
    if any(environ.get(name) != os.environ.get(name) for name in fixed):
        return None
    return _server().run(words, directory, environ)


def _serve(ours: socket.socket) -> None:
    """Fork what is asked for until nobody is left to ask; returns in each command's own process, to be it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for the commands
    while True:
        request, handed, _, _ = socket.recv_fds(ours, LARGEST, 3)
        if not request:
            sys.exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ours.close()
            _become(json.loads(request), *handed)
            return
        for end in handed:
            os.close(end)


def _become(request: dict[str, Any], out: int, err: int, told: int) -> None:
    """Fork once more: this process tells how that one ends, and that one becomes the command."""
    pid = os.fork()
    if pid:
        os.close(out)
        os.close(err)
        os.write(told, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(told)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv[1:] = request["words"]


def _load() -> None:
    """Import all of envspec, and what it loads when it needs it."""
    package = importlib.import_module("envspec")
    for module in pkgutil.walk_packages(package.__path__, "envspec."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in BESIDE:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    gc.collect()
    gc.freeze()


def main() -> None:
    """Load, serve, and be a command in what was forked."""
    ours = socket.socket(fileno=int(sys.argv[1]))
    faulthandler.enable()
    _load()
    _serve(ours)
    program()


if __name__ == "__main__":
    main()
