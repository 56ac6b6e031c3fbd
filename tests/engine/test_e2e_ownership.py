"""What the engine makes as root on the way to a mount, and what git says of directories that are somebody else's."""

from __future__ import annotations

import subprocess

import pytest

from tests.engine.e2e import Place, Places, bare

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

USER = 1234
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")


@pytest.fixture(scope="module")
def settled(places: Places) -> Place:
    """A workspace of the host's root, with repositories in it, for a user who is somebody else and forwards nothing."""
    place = places()

    def git(directory: str, *words: str) -> None:
        subprocess.run([*GIT, "-C", str(place.directory / directory), *words], check=True, capture_output=True)

    for name in (".", "nested", "origin"):
        (place.directory / name).mkdir(exist_ok=True)
        git(name, "init", "-q")
        git(name, "commit", "-q", "--allow-empty", "-m", "first")
    git(".", "submodule", "add", "-q", str(place.directory / "origin"), "sub")
    keeper = {
        "image": place.image,
        "user": "1000:1000",
        "command": ["sh", "-c", "touch /data/mine && exec sleep infinity"],
        "volumes": ["kept:/data"],
    }
    volumes = {"cache": "/home/dev/.cache/with blank", "share": "/home/dev/.local/share/app"}
    place.write(
        user=f"{USER}:{USER}",
        forward_git=False,
        compose={"services": {"keeper": keeper}, "volumes": {"kept": None}},
        volumes=[{"name": name, "container": path} for name, path in volumes.items()],
    )
    place.apply()
    return place


def test_the_home_above_a_mount_is_the_users_with_all_that_a_home_has(settled: Place) -> None:
    shown = settled.inside("cd /home/dev && stat -c '%n %u' . .cache '.cache/with blank' .local .local/share .bashrc")
    assert {line.rpartition(" ")[2] for line in shown.splitlines()} == {str(USER)}
    assert settled.exec("sh", "-c", "touch ~/.mine ~/.cache/mine && cmp ~/.bashrc /etc/skel/.bashrc && echo ok") == "ok"
    assert settled.plan()["changes"] == []


def test_a_service_that_is_not_root_writes_to_its_new_volume(settled: Place) -> None:
    assert (
        bare("exec", f"{settled.name}-keeper-1", "stat", "-c", "%u:%a", "/data", "/data/mine") == "1000:755\n1000:644"
    )


def test_git_works_in_repositories_and_submodules_of_a_bound_directory(settled: Place) -> None:
    for name in (".", "nested", "sub"):
        assert "first" in settled.exec("git", "-C", name, "log", "-1", "--format=%s") or name == "."
        settled.exec("git", "-C", name, "status")
    settled.exec("git", "submodule", "status")


def test_what_root_put_into_a_directory_above_a_mount_stays_roots(settled: Place) -> None:
    """A second setting up, as after a killed apply, with a home into which somebody put something else."""
    settled.inside("chown 0:0 /home/dev/.local /home/dev/.local/share && touch /home/dev/.local/roots")
    settled.inside("grep -rl user.workspace /var/lib/envspec/ledger | xargs rm")
    assert [item["address"] for item in settled.plan()["changes"]] == ["user.workspace"]
    settled.apply()
    assert settled.inside("stat -c %u /home/dev/.local /home/dev/.local/share") == f"0\n{USER}"
