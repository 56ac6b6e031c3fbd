"""Whoever works inside tries to have `envspec cp`, which writes as root, write what is not theirs."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from envspec.errors import EngineCallFailed, EnvspecError
from envspec.inside.copy_in import copy_in
from tests.engine.contract import USER
from tests.engine.hostile import Act, Target, raced

pytestmark = pytest.mark.engine


def copied(target: Target, tree: Path | str, destination: str) -> str:
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
    shutil.copytree(top, top.parent / "cp" / "victim")
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
        assert copied(target, source, destination) in {"copy.foreign_link", "copy.no_directory"}
    target.unharmed()


def test_a_copy_leads_nowhere_while_links_and_directories_take_turns(target: Target, tree: Path) -> None:
    """In a directory of the user's, in one above it, and in one of root's that holds one of the user's."""
    target.root("mkdir -p /opt/cp && chown 1000:1000 /opt/cp")

    def attempt(source: Path | str, destination: str) -> Act:
        return lambda target: copied(target, source, destination)

    for path, destination, source in (
        ("/workspace/cr1", "/workspace/cr1", f"{tree}/."),
        ("/workspace/cr2/victim", "/workspace/cr2", tree),
        ("/opt/cp/victim", "/opt", tree.parent / "cp"),
    ):
        raced(path, attempt(source, destination))(target)
        target.unharmed()


SWAPPED = {
    "the directory": ("ln -sfn /srv/victim /workspace/cs1", "/workspace/cs1", "app"),
    "a directory in the user's": ("mkdir -p cs2; ln -sfn /srv/victim cs2/s", "/workspace/cs2", "s/app"),
    "a directory in one of the user's in root's": ("ln -sfn /srv/victim /opt/cp/s", "/opt", "cp/s/app"),
}


@pytest.mark.parametrize("swapped", SWAPPED)
def test_what_was_swapped_between_look_and_write_leads_nowhere(target: Target, swapped: str) -> None:
    make, directory, name = SWAPPED[swapped]
    target.root("mkdir -p /opt/cp && chown 1000:1000 /opt/cp")
    target.user(f"cd /workspace && {make}")
    info = tarfile.TarInfo(name)
    info.uid = info.gid = USER
    with (
        pytest.raises(EngineCallFailed, match="cannot write to"),
        target.engine.write_archive(target.box, directory, (USER, USER)) as sink,
        tarfile.open(fileobj=sink, mode="w|") as tar,
    ):
        tar.addfile(info)
    target.unharmed()


def test_what_is_merged_into_roots_directory_keeps_what_is_there(target: Target, tree: Path) -> None:
    target.root("mkdir -p /opt/m/victim/deep && echo root > /opt/m/victim/other && chown 1000 /opt/m/victim/deep")
    assert copied(target, tree, "/opt/m") == ""
    said = target.root(
        "cd /opt/m && find . -mindepth 1 -printf '%p %U %m\\n' | sort && ! ls -A /opt /opt/m | grep envspec"
    )
    assert said.splitlines() == [
        "./victim 0 755",
        "./victim/app 1000 644",
        "./victim/deep 1000 755",
        "./victim/deep/app 1000 644",
        "./victim/other 0 644",
    ]
    target.root("rm -r /opt/m")
