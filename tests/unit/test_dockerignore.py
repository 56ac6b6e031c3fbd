"""A ``.dockerignore`` leaves out what BuildKit leaves out; the engine tests hold the same table against BuildKit."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.compose import context
from envspec.compose.dockerignore import Ignored
from envspec.errors import SpecError
from tests.cases.dockerignore import CASES, FILES, make


def kept(root: Path, dockerfile: str = "Dockerfile") -> set[str]:
    ignored = Ignored(root, root / dockerfile)
    return {name for name in FILES if not ignored(root / name)}


@pytest.mark.parametrize(("text", "out"), CASES.values(), ids=CASES)
def test_what_is_left_out(text: str, out: str, tmp_path: Path) -> None:
    make(tmp_path, text)
    assert set(FILES) - kept(tmp_path) == set(out.split())


def test_the_file_beside_the_dockerfile_wins(tmp_path: Path) -> None:
    make(tmp_path, "src\n")
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "web.Dockerfile.dockerignore").write_text("**/build\n")
    assert "src/app.py" in kept(tmp_path, "docker/web.Dockerfile")
    assert "build/out" not in kept(tmp_path, "docker/web.Dockerfile")


def test_a_dockerfile_in_the_document_has_no_file_beside_it(tmp_path: Path) -> None:
    make(tmp_path, "build\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("src\n")
    build = {"context": str(tmp_path), "dockerfile_inline": "FROM scratch\nCOPY . /\n"}
    before = context.digest(build, "service.web")
    (tmp_path / "build" / "out").write_text("changed")
    assert context.digest(build, "service.web") == before
    (tmp_path / "src" / "app.py").write_text("changed")
    assert context.digest(build, "service.web") != before


@pytest.mark.parametrize("line", ["a[b", "!"])
def test_a_line_that_is_not_a_pattern_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text(f"ok\n{line}\n")
    with pytest.raises(SpecError) as caught:
        Ignored(tmp_path, tmp_path / "Dockerfile")
    assert (caught.value.code, caught.value.where.line) == ("compose.dockerignore", 2)


def test_a_changed_file_whose_name_ends_like_an_ignored_one_makes_another_image(tmp_path: Path) -> None:
    make(tmp_path, "**/build\n")
    build = {"context": str(tmp_path)}
    before = context.digest(build, "service.web")
    (tmp_path / "build" / "out").write_text("changed")
    assert context.digest(build, "service.web") == before
    (tmp_path / "src" / "prebuild").write_text("changed")
    assert context.digest(build, "service.web") != before


def test_a_dockerfile_counts_that_the_context_leaves_out(tmp_path: Path) -> None:
    make(tmp_path, "Dockerfile\n")
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    before = context.digest({"context": str(tmp_path)}, "service.web")
    (tmp_path / "Dockerfile").write_text("FROM b\n")
    assert context.digest({"context": str(tmp_path)}, "service.web") != before
