"""Several commands at once, their lines on one standard output, each with its name before it.

These lines are what the commands say to the user, as one command's would be: they are passed on as they are.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence

import click

GRACE = 3.0
"""Seconds that a command gets to end when it is no longer wanted."""


def print_merged(calls: Mapping[str, Sequence[str]]) -> int:
    """Run commands side by side and print their lines until all have ended.

    Args:
        calls: Command lines by the name that their lines bear.

    Returns:
        The exit code: 1 when one of them failed.
    """
    width = max(map(len, calls), default=0)
    children = {
        name: subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for name, argv in calls.items()
    }
    readers = [
        threading.Thread(target=_pass_on, args=(child, name.ljust(width)), daemon=True)
        for name, child in children.items()
    ]
    try:
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        return int(any(child.wait(GRACE) for child in children.values()))
    finally:
        for child in children.values():
            _end(child)


def _pass_on(child: subprocess.Popen[bytes], name: str) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        click.echo(f"{name} | {line.decode(errors='replace').rstrip()}")


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdout is not None:
        child.stdout.close()
