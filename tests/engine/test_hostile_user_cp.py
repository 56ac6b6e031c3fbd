"""Whoever works inside tries to have `envspec cp`, which writes as root, write what is not theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.errors import EnvspecError
from envspec.inside.copy_in import copy_in
from tests.engine.hostile import Target

pytestmark = pytest.mark.engine


def copied(target: Target, tree: Path, destination: str) -> str:
    """Copy a tree in; return the code of the error, "" where there is none."""
    try:
        copy_in(target.engine, target.door.env, str(tree), destination, lambda _: None)
    except EnvspecError as error:
        return error.code
    return ""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What would overwrite the victim's files."""
    top = tmp_path_factory.mktemp("cp") / "victim"
    (top / "deep").mkdir(parents=True)
    for path in ("app", "deep/app"):
        (top / path).write_text("the user's\n")
    return top


REFUSED = {
    "a link to root's directory": ("ln -sfn /srv /workspace/cp1", "/workspace/cp1"),
    "a link in the place of the copy": ("mkdir -p /workspace/cp2; ln -sfn /srv/victim /workspace/cp2/x", "cp2/x"),
    "a link in the place of a file": ("mkdir -p /workspace/cp3; ln -sf /srv/victim/app /workspace/cp3/f", "cp3/f"),
    "a link above": ("ln -sfn /srv /workspace/cp4", "/workspace/cp4/victim/new"),
    "a link by way of another": ("ln -sfn cp6 /workspace/cp5; ln -sfn ../srv /workspace/cp6", "/workspace/cp5/victim"),
    "a link where everybody may write": ("ln -sfn /srv /tmp/cp7", "/tmp/cp7"),
}


@pytest.mark.parametrize("attempt", REFUSED)
def test_a_copy_does_not_follow_the_users_links(target: Target, tree: Path, attempt: str) -> None:
    make, destination = REFUSED[attempt]
    target.user(make)
    for source in (tree / "app", f"{tree}/."):
        assert copied(target, Path(source), destination) in {"copy.foreign_link", "copy.no_directory"}
    target.unharmed()
