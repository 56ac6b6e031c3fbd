"""What BuildKit leaves out of a context is what the digest of a build leaves out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cases.dockerignore import CASES, FILES, make
from tests.engine.e2e import PATIENCE

pytestmark = pytest.mark.engine


def arrived(context: Path, dockerfile: Path, target: Path) -> set[str]:
    argv = ("docker", "buildx", "build", "--quiet", f"--output=type=local,dest={target}", "--file", str(dockerfile))
    done = subprocess.run([*argv, str(context)], capture_output=True, text=True, timeout=PATIENCE, check=False)
    if "not found" in done.stderr and not target.exists():  # nothing at all is left to copy
        return set()
    assert done.returncode == 0, done.stderr
    return {str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir()}


@pytest.mark.usefixtures("docker_engine")
def test_buildkit_leaves_out_what_the_table_says(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    wrong = {}
    for number, (name, (text, out)) in enumerate(CASES.items()):
        context, target = tmp_path / f"context-{number}", tmp_path / f"target-{number}"
        make(context, text)
        lacking = set(FILES) - arrived(context, dockerfile, target)
        if lacking != set(out.split()):
            wrong[name] = lacking ^ set(out.split())
    assert wrong == {}


@pytest.mark.usefixtures("docker_engine")
def test_buildkit_reads_the_file_beside_the_dockerfile_first(tmp_path: Path) -> None:
    dockerfile = tmp_path / "web.Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    dockerfile.with_name("web.Dockerfile.dockerignore").write_text("**/build\n")
    context = tmp_path / "context"
    make(context, "src\n")
    found = arrived(context, dockerfile, tmp_path / "target")
    assert "src/app.py" in found
    assert not found & {"build/out", "src/build/lib"}
