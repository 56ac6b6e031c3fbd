"""What of the host a spec may name by path without being asked about, and what it says where it is asked."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from envspec import api
from envspec.api.targets import Cancel, Options
from envspec.compose import sensitive
from envspec.engine.fake import FakeEngine
from envspec.errors import Refused

IMAGE = "debian:13"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of whoever runs this, with a key in it."""
    found = tmp_path / "home"
    (found / ".ssh").mkdir(parents=True)
    (found / ".ssh" / "id_ed25519").write_text("a key\n")
    for name in (".cache/pip", ".config/app", ".config/gcloud", "project"):
        (found / name).mkdir(parents=True)
    (found / ".netrc").write_text("machine x\n")
    monkeypatch.setenv("HOME", str(found))
    return found


@pytest.fixture
def project(home: Path) -> Path:
    return home / "project"


def refused(directory: Path, **keys: Any) -> Refused | None:
    """Apply a spec, and return the refusal, ``None`` where there is none."""
    keys = {"name": "evt-reach", "image": IMAGE, "mount_cwd": False, **keys}
    allow = tuple(keys.pop("allow", ()))
    (directory / "env.yaml").write_text(yaml.safe_dump(keys, sort_keys=False))
    options = Options(yes=True, allow=allow)
    try:
        api.apply(
            directory,
            options,
            emit=lambda _: None,
            confirm=lambda _: True,
            cancel=Cancel(),
            engine=FakeEngine(images=(IMAGE,)),
        )
    except Refused as error:
        return error
    return None


SENSITIVE = [
    "/",
    "/etc",
    "/etc/passwd",
    "/dev",
    "/dev/null",
    "/proc",
    "/sys",
    "/boot",
    "/var/lib",
    "/var",
    "/usr",
    "/home",
]


@pytest.mark.parametrize("place", SENSITIVE)
def test_a_place_of_the_hosts_own_is_bound_by_nobody_who_is_not_allowed(place: str, project: Path) -> None:
    error = refused(project, mounts=[f"{place}:/h"])
    assert error is not None
    name = "engine-socket" if place == "/" else "host-bind"
    assert (error.code, f"--allow {name}" in error.hint, "mounts[0].host" in error.message) == (
        "refused.effect",
        True,
        True,
    )
    assert (error.where.file, error.where.line) == (str(project / "env.yaml"), 5)
    assert refused(project, mounts=[f"{place}:/h"], allow=[name]) is None


def test_a_link_is_judged_by_where_it_leads(project: Path) -> None:
    (project / "innocent").symlink_to("/etc")
    error = refused(project, mounts=["innocent:/h"])
    assert error is not None
    assert "/etc" in error.message


@pytest.mark.parametrize(
    "path", [".", "..", ".ssh", ".ssh/id_ed25519", ".config", ".config/gcloud", ".netrc"], ids=lambda path: path
)
def test_what_lets_its_reader_be_the_user_is_asked_about(path: str, home: Path, project: Path) -> None:
    assert refused(project, mounts=[f"{home / path}:/h"]) is not None


@pytest.mark.parametrize("path", ["project", ".cache", ".cache/pip", ".config/app"])
def test_daily_binds_need_no_question(path: str, home: Path, project: Path) -> None:
    assert refused(project, mounts=[f"{home / path}:/h"]) is None
    assert refused(project, mounts=[f"~/{path}:/h"]) is None
    assert refused(project, mount_cwd=True) is None


def test_certificates_and_the_time_zone_are_made_to_be_handed_on() -> None:
    for place in ("/etc/ssl/certs", "/usr/share/zoneinfo", "/dev/shm/x", "/run/secrets/token"):
        assert sensitive.why(Path(place)) == ""


def test_a_spec_in_the_home_does_not_bind_all_of_it(home: Path) -> None:
    error = refused(home, mount_cwd=True)
    assert error is not None
    assert ("mount_cwd" in error.message, "whole home" in error.message) == (True, True)
    assert refused(home, mount_cwd=True, allow=["host-bind"]) is None


def test_an_untrusted_spec_binds_and_reads_what_lies_beside_it_only(home: Path, project: Path) -> None:
    (project / "own").mkdir()
    (project / "text").write_text("x\n")
    (home / "text").write_text("x\n")
    (home / ".cache" / "token").write_text("x\n")
    untrusted: dict[str, Any] = {"trust": "untrusted"}
    assert refused(project, mounts=["own:/h"], **untrusted) is None
    assert refused(project, config_files={"/etc/x": {"source": "text"}}, **untrusted) is None
    assert refused(project, mounts=["~/.cache/pip:/h"], **untrusted) is not None
    for keys in (
        {"config_files": {"/etc/x": {"source": "../text"}}},
        {"env": {"X": {"from_file": "~/.cache/token"}}},
        {"dotfiles": {"inline": {".x": {"source": "../text"}}}},
    ):
        error = refused(project, **keys, **untrusted)
        assert error is not None, keys
        assert "--allow outside-file" in error.hint


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"config_files": {"/x": {"source": "/etc/shadow"}}}, "config_files./x.source"),
        ({"env": {"X": {"from_file": "/etc/shadow"}}}, "env.X.from_file"),
        ({"env": {"X": {"from_file": "~/.ssh/id_ed25519"}}}, "env.X.from_file"),
        ({"dotfiles": {"inline": {".x": {"source": "~/.netrc"}}}}, "dotfiles.inline..x.source"),
        ({"compose": {"file": "/etc/passwd"}}, "compose.file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_secret_of_the_host_is_read_for_nobody_who_is_not_allowed(
    keys: dict[str, Any], key: str, project: Path
) -> None:
    error = refused(project, **keys)
    assert error is not None
    assert (error.code, key in error.message, "--allow outside-file" in error.hint) == ("refused.effect", True, True)
    assert error.where.line > 0


def test_a_service_is_judged_like_the_workspace_even_within_its_project(home: Path) -> None:
    def services(source: str) -> dict[str, Any]:
        volumes = [{"type": "bind", "source": source, "target": "/h"}]
        return {"services": {"x": {"image": IMAGE, "volumes": volumes}}}

    for source in (str(home), str(home / ".ssh"), "/etc"):
        error = refused(home, compose=services(source))
        assert error is not None, source
        assert "--allow host-bind" in error.hint
    assert refused(home, compose=services(str(home / "project"))) is None


def test_a_device_in_place_of_a_file_is_read_by_nobody(project: Path) -> None:
    with pytest.raises(Exception, match="there is no file"):
        refused(project, config_files={"/x": {"source": "/dev/zero"}}, allow=["outside-file"])


def test_whoever_runs_this_owns_more_than_a_home_that_is_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    assert sensitive.why(Path("/etc"))
    assert sensitive.why(Path(os.path.realpath("/srv"))) == ""


def test_another_users_home_is_judged_by_where_it_really_is(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x").symlink_to("/etc")
    monkeypatch.setattr("pwd.getpwnam", lambda _name: SimpleNamespace(pw_dir=str(other)))
    for place in ("~other/x", "~other/x/../etc"):
        refusal = refused(project, mounts=[f"{place}:/h"])
        assert refusal is not None, place
