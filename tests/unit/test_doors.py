"""Which running workspaces a command that asks all of them is given."""

from __future__ import annotations

from pathlib import Path

from envspec.inside.door import open_doors

DOCKER = """#!/bin/sh
case "$1" in
ps) printf 'a\\nb\\nc\\nd\\n' ;;
container)
    case "$5" in
    a) echo "true false 0:0 shop /shop-workspace-next /work" ;;
    b) echo "true false 0:0 shop /shop-workspace /work" ;;
    c) echo "true false 0:0 blog /renamed /work" ;;
    *) echo "Error: No such container: $5" >&2; exit 1 ;;
    esac ;;
esac
"""


def test_a_renamed_one_is_among_them_and_a_replacement_that_is_being_set_up_is_not(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    assert [(door.env, door.container) for door in open_doors((str(docker),))] == [
        ("blog", "renamed"),
        ("shop", "shop-workspace"),
    ]
