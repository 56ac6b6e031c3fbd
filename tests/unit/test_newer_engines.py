"""What newer engines do otherwise than those that came before, as they did it."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.engine.objects import Build
from envspec.engine.podman_engine import PodmanEngine
from envspec.engine.runner import Runner
from envspec.engine.whales import WhalesEngine


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A stand-in for an engine's command that keeps what it is asked, and the Dockerfile of a build, beside it."""
    path = tmp_path / "engine"
    script = 'printf "%s\\n" "$@" > "$0.argv"; while [ $# -gt 1 ]; do shift; done; cp "$1/Dockerfile" "$0.file"'
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_dollar_in_a_label_is_no_variable_of_podman_5(asked: Path) -> None:
    PodmanEngine(command=(str(asked),)).build(Build("FROM base\nARG e=1", "t:1", {"evt.a": '{"b": "$e"}'}))
    lines = Path(f"{asked}.file").read_text().splitlines()
    assert lines == ["FROM base", "ARG e=1", r'LABEL "evt.a"="{\"b\": \"\$e\"}"']
    assert "--label" not in Path(f"{asked}.argv").read_text()


def test_docker_takes_labels_as_options(asked: Path) -> None:
    WhalesEngine(command=(str(asked),)).build(Build("FROM base\n", "t:1", {"evt.a": "$e"}))
    assert Path(f"{asked}.file").read_text() == "FROM base\n"
    assert "--label\nevt.a=$e\n" in Path(f"{asked}.argv").read_text()


def test_a_warning_of_old_cgroups_is_in_no_error() -> None:
    said = '[ -n "$PODMAN_IGNORE_CGROUPSV1_WARNING" ] || echo "Using cgroups-v1 which is deprecated" >&2; exit 1'
    assert Runner().run(["sh", "-c", said], deadline=5).stderr == b""
