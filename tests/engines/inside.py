"""What runs in an enclosure, as ``python -m tests.engines.inside``: start the engine, give it the base image, test.

Arguments: the engine's name, the directory for results, an archive of the base image or "", and what to run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.engine.conftest import ONLY
from tests.engines.catalogue import ENGINES, Tested

PATIENCE = 60.0
"""Seconds for a daemon to answer."""

HERE = Path(__file__).parent
CONTRACT = sorted(str(path) for path in (HERE.parent / "engine").glob("test_contract_*.py"))
WITHOUT_CGROUPS = "ENVSPEC_WITHOUT_CGROUPS"
"""Says why the tests of the scenario that need cgroups are left out."""

SETS = {"contract": CONTRACT, "scenario": [str(HERE / "test_scenario.py")]}
"""Test files by the name of what they are."""

REFUSAL = str(HERE / "test_refusal.py")
"""What is tested as well where an engine has to be helped to run anything."""


def main(name: str, results: str, archive: str, *sets: str) -> int:
    """Run sets of tests on an engine, and return how many of the sets failed."""
    tested, directory = ENGINES[name], Path(results)
    os.environ["ENVSPEC_ENGINE"] = tested.engine
    if tested.without:
        os.environ[WITHOUT_CGROUPS] = tested.without
    with _engine(tested, directory):
        if archive:
            subprocess.run([tested.engine, "image", "load", "--quiet", "--input", archive], check=True)
        (directory / "version").write_text(version(tested.engine))
        return sum(run(tested, directory, which) != 0 for which in sets)


def run(tested: Tested, directory: Path, which: str) -> int:
    """Run a set of tests, write its results as JUnit has them, and return pytest's exit code."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={directory / which}.xml"]
    environ = {**os.environ, **({ONLY: tested.engine} if which == "contract" else {})}
    files = [*SETS[which], *([REFUSAL] if which == "scenario" and tested.without else [])]
    return subprocess.run([*words, *files], check=False, env=environ).returncode


def version(engine: str) -> str:
    """Return the version of an engine, and of its image store where that is known."""
    template = "{{.Server.Version}}" if engine == "docker" else "{{.Client.Version}}"
    return _asked(engine, "version", "--format", template)


@contextmanager
def _engine(tested: Tested, directory: Path) -> Iterator[None]:
    """Have the engine run; Podman has no daemon."""
    if tested.engine == "podman" or not tested.suite:
        yield
        return
    with (directory / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen(["dockerd"], stdout=log, stderr=subprocess.STDOUT)
        try:
            _await(daemon)
            yield
        finally:
            daemon.terminate()
            daemon.wait(PATIENCE)


def _await(daemon: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        if daemon.poll() is not None or time.monotonic() > end:
            raise SystemExit("dockerd does not answer; dockerd.log beside the results says why")
        time.sleep(0.2)


def _asked(*words: str) -> str:
    argv = [shutil.which(words[0]) or words[0], *words[1:]]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def _arguments(words: Sequence[str]) -> tuple[str, str, str, tuple[str, ...]]:
    name, results, archive, *sets = words
    return name, results, archive, tuple(sets)


if __name__ == "__main__":
    _name, _results, _archive, _sets = _arguments(sys.argv[1:])
    raise SystemExit(main(_name, _results, _archive, *_sets))
