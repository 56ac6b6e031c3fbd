"""README's two commands on a machine that was set up a moment ago: no engine, no tools, a clean clone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.engines.catalogue import FRESH, FRESH_PACKAGES
from tests.engines.enclosure import PATH, machine
from tests.engines.roots import filesystem

CHECKOUT = Path(__file__).parents[2]
CLONE = "/srv/envspec"
TWO_FILES = "tests/engine/test_e2e_quickstart.py tests/engine/test_e2e_walk.py"
TRY = (
    "make quickstart",
    ".venv/bin/envspec plan --detailed-exitcode examples/quickstart",
    "make engines",
    ".venv/bin/envspec apply --yes --engine podman examples/quickstart",
    ".venv/bin/envspec plan --detailed-exitcode --engine podman examples/quickstart",
)
"""What shows that preflight brings both engines, and that each makes an environment."""

DEPTHS = {
    "try": TRY,
    "tests": (
        *TRY,
        "make check",
        "make test-unit",
        f"ENVSPEC_PODMAN=first .ci/with-engine .venv/bin/python -m pytest -q {TWO_FILES}",
    ),
    "all": ("make quickstart", "make test"),
}
"""What is run, by how much of it: to begin with, with some of the tests, with all of them."""


def try_fresh(suite: str, depth: str, *, environ: dict[str, str], say: Callable[[str], None]) -> bool:
    """Run README's commands on a fresh machine, and say whether one failed; the ones after it are not run then.

    Args:
        suite: Debian suite that the machine is of, one of ``FRESH``.
        depth: How much is run, one of ``DEPTHS``.
        environ: Variables that the machine's network asks for.
        say: Tells the person who waits.
    """
    tested = FRESH[suite]
    root = filesystem(tested.name, suite, FRESH_PACKAGES, say)
    with machine(tested, root) as (enter, shared):
        _clone(CHECKOUT, shared / Path(CLONE).name)
        steps = ("update-ca-certificates >/dev/null", *DEPTHS[depth])
        begun = time.monotonic()
        code = subprocess.run(
            [*enter, "sh", "-c", script(steps)],
            env={**environ, "PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"},
            check=False,
        ).returncode
        say(f"{tested.name}: {'failed' if code else 'passed'} in {time.monotonic() - begun:.0f} s")
        return code != 0


def script(steps: Sequence[str]) -> str:
    """Return shell text that runs steps in the clone until one fails, each with its time."""
    told = (f'echo "+ {step}"; begun=$(date +%s); {step}; echo "  $(($(date +%s) - begun)) s"' for step in steps)
    return "\n".join(["set -e", f"cd {CLONE}", *told])


def _clone(checkout: Path, target: Path) -> None:
    """Clone what is committed; git there belongs to whoever runs it."""
    quiet = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(checkout), str(target)], env=quiet, check=True)
