"""The quickstart's repository: the bundle that ships holds exactly the sources beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from envspec.spec.load import load

EXAMPLE = Path(__file__).parents[2] / "examples" / "quickstart"


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file() and not {".git", "__pycache__"} & set(path.parts))
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_the_bundle_is_current(tmp_path: Path) -> None:
    clone = tmp_path / "app"
    command = ("git", "clone", "--quiet", "--branch", "main", str(EXAMPLE / "app.bundle"), str(clone))
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert contents(clone) == contents(EXAMPLE / "source"), "examples/quickstart/make-bundle renews it"


def test_everything_that_the_spec_names_ships_with_it() -> None:
    spec = load(EXAMPLE).spec
    named = [repo.url for repo in spec.repos] + [file.source for file in spec.config_files.values() if file.source]
    assert named
    assert [name for name in named if not (EXAMPLE / name).is_file()] == []
