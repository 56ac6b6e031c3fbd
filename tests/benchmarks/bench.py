"""Times envspec against the bare engine commands that it stands for, in pairs, in one run.

``python -m tests.benchmarks`` (or ``make bench``) prints medians and their ratio. The machine's speed drifts, so
A and B run in turn and only ratios are worth quoting. Nothing here judges; the budgets of the design are printed
beside the figures.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from envspec.engine.objects import ContainerConfig
from envspec.kinds.base import Observed
from envspec.kinds.container import ContainerSpec
from envspec.kinds.file import FileSpec
from envspec.model import Desired, Resource
from envspec.planner import plan
from tests.benchmarks.timing import DEADLINE, Row, call, envspec, pairs
from tests.benchmarks.twenty import twenty

ENV = "envspec-bench"
BOX = f"{ENV}-workspace"
BARE = "envspec-bench-bare"
FILES = 20

SPEC = """\
name: {env}
purpose: general
image_source: bootstrap
mount_cwd: false
env: {{GREETING: hello}}
config_files:
{files}
setup_commands: ["true"]
"""


STACK = f"{ENV}-stack"
BARE_STACK = f"{BARE}-stack"
STACK_SPEC = """\
name: {env}
image: envspec/base:debian-13
image_source: local
mount_cwd: false
compose: {{file: compose.yaml}}
"""
COMPOSE = """\
services:
  db: {image: "envspec/base:debian-13", command: sleep infinity, init: true, volumes: ["data:/data"]}
  cache: {image: "envspec/base:debian-13", command: sleep infinity, init: true, environment: {SIZE: "1"}}
  web: {image: "envspec/base:debian-13", command: sleep infinity, init: true, depends_on: [db, cache]}
volumes: {data: {}}
"""


def write_spec(directory: Path, greeting: str = "0") -> Path:
    """Write the spec that is measured; ``greeting`` changes one file of it."""
    files = "\n".join(f"  /etc/bench/{n}.conf: value {greeting if n == 0 else n}" for n in range(FILES))
    path = directory / "env.yaml"
    path.write_text(SPEC.format(env=ENV, files=files))
    return path


def bare_look(image: str) -> None:
    """Make the reads that a no-op apply stands for, one after another."""
    call("docker", "ps", "-a", "--no-trunc")
    call("docker", "inspect", BOX)
    call("docker", "network", "ls")
    call("docker", "volume", "ls")
    call("docker", "image", "inspect", image)
    call("docker", "exec", BOX, "true")


def bare_create(image: str, archive: Path) -> None:
    """Make an environment of the same content with the engine's own commands."""
    call("docker", "volume", "create", BARE)
    call("docker", "run", "-d", "--init", "--name", BARE, "-v", f"{BARE}:/workspace", image, "sleep", "infinity")
    call("docker", "exec", "-u", "0", BARE, "sh", "-c", "echo 'export GREETING=hello' >/run/env")
    with archive.open("rb") as stream:
        subprocess.run(["docker", "cp", "-", f"{BARE}:/etc"], stdin=stream, check=True, timeout=DEADLINE)
    call("docker", "exec", BARE, "true")


def bare_destroy() -> None:
    """Remove what :func:`bare_create` made."""
    call("docker", "rm", "-f", "-v", BARE)
    call("docker", "volume", "rm", BARE)


def planning(resources: int) -> float:
    """Return the seconds that planning takes, looking at a world where nothing is there yet."""
    files = [FileSpec(f"/etc/app/{n}.conf", b"x", 0o644, 0, 0) for n in range(resources)]
    box = Resource("container.workspace", "container", ContainerSpec(ContainerConfig("debian:13")))
    inside = [Resource(f"file.{f.path}", "file", f, ("container.workspace",)) for f in files]
    desired = Desired("bench", (box, *inside))
    started = time.perf_counter()
    plan(desired, Observed("bench"))
    return time.perf_counter() - started


@contextmanager
def workspace() -> Iterator[Path]:
    """Give a directory, and remove all that was made on the engine."""
    with tempfile.TemporaryDirectory() as name:
        try:
            yield Path(name)
        finally:
            for argv in (("docker", "rm", "-f", "-v", BARE, BOX), ("docker", "volume", "rm", BARE, BOX)):
                subprocess.run(argv, check=False, capture_output=True, timeout=DEADLINE)


def measure(directory: Path, runs: int) -> list[Row]:
    """Return all comparisons."""
    spec = str(write_spec(directory))
    archive = directory / "files.tar"
    call("tar", "-cf", str(archive), "-C", str(directory), "env.yaml")
    envspec("apply", "--yes", spec)
    image = subprocess.run(
        ["docker", "inspect", "-f", "{{.Config.Image}}", BOX], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()
    rows = [Row("no-op apply", *pairs(lambda: envspec("apply", spec), lambda: bare_look(image), runs), "")]
    rows += devcontainer(directory, image, spec, runs)
    step = iter(range(1, 10_000))

    def change_file() -> None:
        write_spec(directory, str(next(step)))
        envspec("apply", spec)

    rows.append(Row("one-file change", *pairs(change_file, lambda: copy_one(directory), runs), ""))
    ours, bare = pairs(lambda: envspec("exec", ENV, "--", "true"), lambda: call("docker", "exec", BOX, "true"), runs)
    rows.append(Row("exec", ours, bare, f"+80 ms (is +{(ours - bare) * 1000:.0f} ms)"))
    rows.append(copying(directory, runs))
    rows.append(Row("--help", *pairs(lambda: envspec("--help"), lambda: call("docker", "--help"), runs), ""))
    # The bare commands wrote files that nobody declared.
    allowed = ("--allow-data-loss", "container.workspace", "--allow-data-loss", "volume.workspace")
    envspec("destroy", ENV, "--yes", "--volumes", *allowed)

    def create() -> None:
        envspec("apply", spec)

    def undo() -> None:
        envspec("destroy", ENV, "--yes", "--volumes")

    rows.append(Row("warm create", *create_pairs(create, undo, image, archive, runs), "2.00"))
    rows.append(services(directory / "stack", runs))
    rows.append(twenty(directory / "twenty", image))
    return rows


def services(directory: Path, runs: int) -> Row:
    """Compare the no-op on three services, drift check included, with that of Compose, which has none."""
    directory.mkdir()
    spec, document = directory / "env.yaml", directory / "compose.yaml"
    spec.write_text(STACK_SPEC.format(env=STACK))
    document.write_text(COMPOSE)
    up = ("docker", "compose", "--project-name", BARE_STACK, "--file", str(document), "up", "--detach")
    try:
        envspec("apply", "--yes", str(spec))
        call(*up)
        return Row("no-op / compose up -d", *pairs(lambda: envspec("apply", str(spec)), lambda: call(*up), runs), "")
    finally:
        gone = ("--yes", "--volumes", "--allow-data-loss", "volume.data", "--allow-data-loss", "volume.workspace")
        envspec("destroy", STACK, *gone)
        call("docker", "compose", "--project-name", BARE_STACK, "--file", str(document), "down", "--volumes")


def copying(directory: Path, runs: int) -> Row:
    """Compare copying a file of 32 MiB in; envspec looks first whether the place is one to copy to."""
    large = directory / "large"
    large.write_bytes(bytes(range(256)) * (1 << 17))
    ours, bare = pairs(
        lambda: envspec("cp", str(large), f"{ENV}:/srv/large"),
        lambda: call("docker", "cp", str(large), f"{BOX}:/srv/large"),
        runs,
    )
    return Row("cp of 32 MiB", ours, bare, "")


def copy_one(directory: Path) -> None:
    """Change one file with the engine's own commands."""
    call("docker", "cp", str(directory / "env.yaml"), f"{BOX}:/etc/bench/bare.conf")
    call("docker", "exec", "-u", "0", BOX, "chown", "0:0", "/etc/bench/bare.conf")


def create_pairs(
    create: Callable[[], None], undo: Callable[[], None], image: str, archive: Path, runs: int
) -> tuple[float, float]:
    """Time making an environment whose image is there, both ways; removing it is not counted."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        create()
        ours.append(time.perf_counter() - started)
        undo()
        started = time.perf_counter()
        bare_create(image, archive)
        bare.append(time.perf_counter() - started)
        bare_destroy()
    return statistics.median(ours), statistics.median(bare)


def devcontainer(directory: Path, image: str, spec: str, runs: int) -> list[Row]:
    """Compare the no-op with ``devcontainer up`` on an unchanged container, where that CLI is installed."""
    if shutil.which("devcontainer") is None:
        print("devcontainer is not on PATH: `npm install -g @devcontainers/cli` adds that comparison", file=sys.stderr)
        return []
    folder = directory / "dev"
    (folder / ".devcontainer").mkdir(parents=True)
    (folder / ".devcontainer" / "devcontainer.json").write_text(f'{{"image": "{image}"}}')
    up = ("devcontainer", "up", "--workspace-folder", str(folder))
    try:
        return [Row("no-op / devcontainer up", *pairs(lambda: envspec("apply", spec), lambda: call(*up), runs), "0.60")]
    finally:
        label = f"label=devcontainer.local_folder={folder}"
        made = subprocess.run(
            ["docker", "ps", "-aq", "--filter", label], check=True, capture_output=True, text=True, timeout=60
        ).stdout.split()
        for box in made:
            call("docker", "rm", "-f", box)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each, 7 by default")
    runs = parser.parse_args().runs
    with workspace() as directory:
        rows = measure(directory, runs)
    print(f"\n{'':24}{'envspec':>10}{'bare':>10}{'ratio':>8}  budget")
    for row in rows:
        print(f"{row.name:24}{row.ours * 1000:8.0f}ms{row.bare * 1000:8.0f}ms{row.ours / row.bare:8.2f}  {row.budget}")
    print(f"{'planning 1,000 resources':24}{planning(1000) * 1000:8.0f}ms{'':18}  1,000 ms")
