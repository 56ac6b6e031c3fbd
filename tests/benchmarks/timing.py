"""Running commands and timing them in pairs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

BYTECODE = str(Path(tempfile.gettempdir()) / "envspec-bench-bytecode")
"""Where Python keeps it, so that a checkout stays clean."""

DEADLINE = 600.0
"""Seconds that one command may take."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: what it is, both medians in seconds, and what the design allows."""

    name: str
    ours: float
    bare: float
    budget: str


def call(*argv: str, environ: Mapping[str, str] | None = None) -> None:
    """Run a command to its end; what it prints is thrown away."""
    quiet, pipe = subprocess.DEVNULL, subprocess.PIPE
    subprocess.run(argv, check=True, stdout=quiet, stderr=pipe, timeout=DEADLINE, env=environ)


def envspec(*argv: str) -> None:
    """Run the command line in a process of its own, as a user would: an installed package has its bytecode."""
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    call(sys.executable, "-m", "envspec.cli.main", *argv, environ={"PYTHONPYCACHEPREFIX": BYTECODE, **environ})


def pairs(ours: Callable[[], None], bare: Callable[[], None], runs: int) -> tuple[float, float]:
    """Return the medians of two actions that ran in turn, after one run of each that does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        for action, kept in zip((ours, bare), times, strict=True):
            started = time.perf_counter()
            action()
            if number:
                kept.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])
