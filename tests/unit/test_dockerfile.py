"""Here-documents of Dockerfiles: what they are, and which engines are trusted with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envspec.compose import builds
from envspec.dockerfile import first_heredoc, instructions
from envspec.engine.capabilities import Version, Versions, lacks_heredocs
from envspec.errors import SpecError
from envspec.kinds.image import ImageSpec
from envspec.model import Desired, Resource
from envspec.policy import refuse_unhonoured
from tests.unit.test_compose import document

TEXT = """FROM x
RUN <<EOF
USER root
# no comment
RUN inside \\
EOF
COPY <<-"ONE" <<'TWO' /etc/
\ta
\tONE
ONE
b
TWO
RUN --mount=type=cache,target=/c \\
    cat 3<<E >/d
c
E
ONBUILD RUN <<X
d
X
CMD ["sh"]
"""
ONE = "FROM x\nRUN <<E\nE\n"


def test_a_body_is_no_instruction() -> None:
    found = instructions(tuple(enumerate(TEXT.split("\n"), start=1)))
    assert [(item.line, item.keyword, [heredoc.name for heredoc in item.heredocs]) for item in found] == [
        (1, "FROM", []),
        (2, "RUN", ["EOF"]),
        (7, "COPY", ["ONE", "TWO"]),
        (13, "RUN", ["E"]),
        (17, "ONBUILD", ["X"]),
        (20, "CMD", []),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "RUN cat <<< word",
        'RUN echo "<<EOF"',
        "RUN echo 'a <<EOF b'",
        "RUN echo $((1 << 2))",
        "RUN cat<<EOF",
        'RUN ["sh", "<<EOF"]',
        "ENV A=<<EOF",
        r"RUN echo \<<EOF",
    ],
)
def test_what_looks_like_a_here_document_and_is_none(line: str) -> None:
    assert first_heredoc(f"FROM x\n{line}\nUSER a\n") == 0


def test_the_first_is_found_by_its_line_whatever_continues_one() -> None:
    assert first_heredoc("FROM x\nRUN a \\\n  b\nrun cat <<E\nE\n") == 4
    assert first_heredoc("# escape=`\nFROM x\nRUN a `\n  <<E\nE\n") == 3


def test_one_without_an_end_is_known() -> None:
    found = instructions(((1, "RUN <<A <<B"), (2, "A"), (3, "USER b")))
    assert [(item.keyword, item.ended) for item in found] == [("RUN", False), ("A", True), ("USER", True)]


@pytest.mark.parametrize(
    ("engine", "version", "told"),
    [
        ("docker", (20, 10, 24), "it takes Docker 23, and this is 20.10.24"),
        ("docker", (23, 0, 1), ""),
        ("podman", (4, 3, 1), "it takes Podman 4.9, and this is 4.3.1"),
        ("podman", (5, 4, 2), ""),
        ("docker", (), ""),
    ],
)
def test_which_engines_build_them(engine: str, version: Version, told: str) -> None:
    assert lacks_heredocs(engine, lambda: version) == told


def test_a_purpose_with_one_is_refused_at_plan_where_the_engine_is_too_old() -> None:
    spec = ImageSpec("envspec/mine:1", "mine", ONE, "x", "1", ("mine.Dockerfile.j2", 9))
    desired = Desired("shop", (Resource("image.workspace", "image", spec),))
    with pytest.raises(SpecError, match="purpose mine has a here-document: it takes Docker 23") as caught:
        refuse_unhonoured(desired, "docker", lambda: Versions((20, 10)))
    assert (caught.value.code, str(caught.value.where)) == ("purpose.heredoc", "mine.Dockerfile.j2:9")
    refuse_unhonoured(desired, "docker", lambda: Versions((23,)))


def build_of(directory: Path, engine: str, version: Version, **build: Any) -> None:
    compose: dict[str, Any] = {"services": {"web": {"build": {"context": str(directory), **build}}}}
    builds.check(document(directory, compose), compose, engine, lambda: version)


def test_a_build_with_one_is_refused_at_plan_where_the_engine_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(ONE)
    with pytest.raises(SpecError, match=r"Dockerfile:2 is a here-document: it takes Docker 23") as caught:
        build_of(tmp_path, "docker", (20, 10))
    assert (caught.value.code, caught.value.where.line) == ("compose.heredoc", 1)
    assert caught.value.message.startswith("services.web.build")
    build_of(tmp_path, "docker", (26, 1))
    with pytest.raises(SpecError, match="it takes Podman"):
        build_of(tmp_path, "podman", (4, 3), dockerfile_inline=ONE)


def test_a_build_that_fetches_what_knows_them_is_dockers_own_business(tmp_path: Path) -> None:
    text = f"# syntax=docker/dockerfile:1\n{ONE}"
    build_of(tmp_path, "docker", (20, 10), dockerfile_inline=text)
    with pytest.raises(SpecError, match="it takes Podman"):
        build_of(tmp_path, "podman", (4, 3), dockerfile_inline=text)


def test_an_engine_is_asked_for_its_version_only_where_it_matters(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\nRUN cat <<< E\n")
    compose: dict[str, Any] = {"services": {"web": {"build": {"context": str(tmp_path)}}, "db": {"image": "x"}}}
    builds.check(document(tmp_path, compose), compose, "docker", lambda: pytest.fail("asked"))
