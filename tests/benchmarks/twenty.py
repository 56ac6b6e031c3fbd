"""Twenty environments of one purpose side by side, against twenty bare ``docker run``."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.timing import Row, call, envspec

NAMES = tuple(f"envspec-bench-{number:02}" for number in range(20))
AT_ONCE = 5

SPEC = """\
name: {name}
purpose: general
image_source: bootstrap
mount_cwd: false
"""


def twenty(directory: Path, image: str) -> Row:
    """Return the seconds until all twenty are up, both ways, five at once; taking them away is not counted.

    Args:
        directory: Where the specs are written.
        image: The purpose's image.
    """
    for name in NAMES:
        (directory / name).mkdir(parents=True)
        (directory / name / "env.yaml").write_text(SPEC.format(name=name))
    try:
        ours = _timed(lambda name: envspec("apply", "--yes", str(directory / name)))
        bare = _timed(
            lambda name: call("docker", "run", "-d", "--init", "--name", f"{name}-bare", image, "sleep", "99")
        )
    finally:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(_remove, NAMES))
    return Row("twenty side by side", ours, bare, "")


def _timed(action: Callable[[str], None]) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(action, NAMES))
    return time.perf_counter() - started


def _remove(name: str) -> None:
    envspec("destroy", name, "--yes", "--volumes")
    call("docker", "rm", "--force", f"{name}-bare")
