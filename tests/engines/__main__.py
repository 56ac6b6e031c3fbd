"""Run the tests on other engines: ``python -m tests.engines [--sets contract,scenario] [--table FILE] [ENGINE…]``.

``--fresh SUITE`` tries README's commands on a machine of that suite which has nothing yet.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.engines import inside, table
from tests.engines.catalogue import ENGINES, FRESH, Tested
from tests.engines.enclosure import PATH, enclosure
from tests.engines.fresh import DEPTHS, try_fresh
from tests.engines.roots import base_archive, cache, root

CHECKOUT = Path(__file__).parents[2]
TOOLS = ("nsenter", "unshare", "ip", "iptables", "mmdebstrap")
KEPT = ("CI", "LANG", "TZ")
CERTIFICATES = "ca-certificates.crt"
"""How variables end that lead tools to the host's certificates."""

PROBE = "import ssl, sqlite3, ctypes, readline, pytest, envspec"


def main() -> int:
    """Run what the command line asks for, and return 1 where something of it failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}; all unless named")
    parser.add_argument("--sets", default="contract,scenario", help="what to run, with commas between")
    parser.add_argument("--table", type=Path, help="write the table of all engines that have results to this file")
    parser.add_argument("--fresh", choices=FRESH, help="run README's commands on a fresh machine of this suite instead")
    parser.add_argument("--depth", choices=DEPTHS, default="try", help="with --fresh: how much is run")
    parser.add_argument("--prepare", action="store_true", help="only make what the tests on these engines take")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    if asked.fresh:
        _check_host()
        return try_fresh(asked.fresh, asked.depth, environ=_kept(), say=say)
    chosen = [ENGINES[name] for name in asked.engines or ENGINES]
    if any(tested.suite for tested in chosen):
        _check_host()
    if asked.prepare:
        for suite in dict.fromkeys(tested.suite for tested in chosen if tested.suite):
            root(suite, say)
        return 0
    failed = [tested.name for tested in chosen if test(tested, asked.sets.split(","))]
    if asked.table:
        asked.table.parent.mkdir(parents=True, exist_ok=True)
        asked.table.write_text(table.render(cache() / "results"))
    say(f"failed: {', '.join(failed)}" if failed else "all passed")
    return bool(failed)


def _end(*_: object) -> None:
    """End as an exception does, so that nothing is left of an enclosure."""
    raise SystemExit(143)


def test(tested: Tested, sets: list[str]) -> bool:
    """Run sets of tests on an engine, and say whether something failed."""
    results = cache() / "results" / tested.name
    results.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    say(f"{tested.name}: {', '.join(sets)}")
    archive = base_archive()
    words = [tested.name, str(results), str(archive or ""), *sets]
    code = _inside(tested, words) if tested.suite else inside.main(*words)
    say(f"{tested.name}: {'failed' if code else 'passed'} in {time.monotonic() - begun:.0f} s")
    return code != 0


def _inside(tested: Tested, words: list[str]) -> int:
    files = root(tested.suite, say)
    with enclosure(tested, files) as enter:
        environ = {**_kept(), "PATH": PATH, "HOME": str(cache() / "state" / tested.name / "home")}
        tests = [*enter, _python(enter, environ, files), "-m", "tests.engines.inside", *words]
        return subprocess.run(tests, check=False, env=environ, cwd=CHECKOUT).returncode


def _kept() -> dict[str, str]:
    """Return the variables of this process that mean the same in an enclosure."""
    return {name: value for name, value in os.environ.items() if name in KEPT or value.endswith(CERTIFICATES)}


def _python(enter: list[str], environ: dict[str, str], files: Path) -> str:
    """Return a Python that works in an enclosure: this one, or one of the suite's in the cache."""
    own = cache() / "venvs" / files.name
    for python in (sys.executable, str(own / "bin/python")):
        probe = [*enter, python, "-c", PROBE]
        if subprocess.run(probe, check=False, env=environ, cwd=CHECKOUT, capture_output=True).returncode == 0:
            return python
    subprocess.run([*enter, str(CHECKOUT / ".ci/venv"), str(own), "locked"], env=environ, cwd=CHECKOUT, check=True)
    return str(own / "bin/python")


def _check_host() -> None:
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if lacking:
        raise SystemExit(f"missing on this host: {', '.join(lacking)}; apt-get install iproute2 iptables mmdebstrap")
    if os.geteuid():
        raise SystemExit("namespaces for other engines take root")


def say(line: str) -> None:
    """Tell the person who waits what is going on."""
    print(f"== {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
