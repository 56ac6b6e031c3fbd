"""What the tests of work inside share: a running environment, made past envspec, and what runs in it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from envspec.engine.facts import ENV_FILE
from envspec.engine.objects import ContainerConfig
from envspec.engine.whales import WhalesEngine
from envspec.kinds import names
from tests.engine.e2e import ENVSPEC, bare, remove_all, until

SECRET = "deep 'blue'"
MEMORY = 512 * 1024**2
LISTING = "for p in /proc/[0-9]*; do tr '\\0\\n' '  ' <$p/cmdline; echo; done 2>/dev/null; true"


@dataclass(frozen=True)
class Inner:
    """An environment whose commands run as uid 1000 and see the variable COLOUR."""

    env: str
    engine: WhalesEngine

    @property
    def box(self) -> str:
        return names.container(self.env)

    def root(self, script: str, *args: str) -> str:
        """Run a script inside as root, past envspec."""
        return bare("exec", "-u", "0", "-w", "/", self.box, "sh", "-c", script, "sh", *args)

    def running(self, text: str) -> list[str]:
        """Return the command lines inside that begin with a text."""
        return [line for line in self.root(LISTING).splitlines() if line.startswith(text)]

    def kill(self, text: str) -> None:
        """Kill what begins with a text, as somebody from outside would."""
        script = (
            'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline | grep -q "^$1" && kill -9 ${p#/proc/}; done; true'
        )
        self.root(script, text)

    def await_running(self, text: str) -> None:
        until(lambda: self.running(text), f"{text} inside")

    def await_gone(self, text: str) -> None:
        until(lambda: not self.running(text), f"no {text} inside", 20)


def envspec(
    *words: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a user would."""
    env = {**os.environ, **(environ or {})}
    return subprocess.run([*ENVSPEC, *words], input=stdin, capture_output=True, timeout=120, check=False, env=env)


def under_way(*words: str) -> subprocess.Popen[bytes]:
    """Start the command line, and leave it running."""
    return subprocess.Popen(
        [*ENVSPEC, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture(scope="module")
def inner(bare_engine: WhalesEngine, request: pytest.FixtureRequest) -> Iterator[Inner]:
    """One environment for all tests of a file."""
    assert sys.executable
    made = Inner(f"evt-{uuid.uuid4().hex[:10]}", bare_engine)
    base = request.getfixturevalue(f"{bare_engine.name}_base")
    config = ContainerConfig(base, user="1000:1000", workdir="/tmp", memory=MEMORY)
    labels = names.labels(made.env, "container", names.WORKSPACE)
    try:
        bare_engine.start(bare_engine.create_container(made.box, config, labels))
        made.root(f"echo \"export COLOUR='deep blue'\" >{ENV_FILE}; chmod 444 {ENV_FILE}")
        yield made
    finally:
        remove_all(made.env)
