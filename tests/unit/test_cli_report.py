"""The report as the person who asked reads it: what came along, from where, and what nothing was found for."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.api.provision import versions
from envspec.cli.output import Painter
from envspec.cli.plan_text import report_lines
from envspec.engine.fake import FakeEngine
from envspec.errors import EngineCallFailed
from envspec.model import Action, Outcome, Report, Status
from tests.unit.test_cli_commands import BASE, Terminal, engine, envspec

__all__ = ["engine", "envspec"]

SECRET = "ghp-not-to-be-seen-anywhere"

SPEC = f"""\
name: shop
image: {BASE}
image_source: local
mount_cwd: false
env: {{GREETING: hello, PASSWORD: {{from_env: SHOP_PASSWORD}}}}
ports: ["8080:80"]
volumes: ["data:/data"]
"""


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the home of a user who has nothing yet."""
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GH_CONFIG_DIR", "GIT_CONFIG_GLOBAL", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    Path("env.yaml").write_text(SPEC)
    return tmp_path


@pytest.mark.usefixtures("engine")
def test_the_report_names_who_commits_whose_token_came_which_variables_mounts_and_ports(
    envspec: Terminal, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("GH_TOKEN", SECRET)
    assert envspec("apply", "--session", "s1") == 0
    lines = [" ".join(line.split()) for line in envspec.out.splitlines()]
    assert "git identity Ada <ada@example.org>" in lines
    assert "GitHub token came along as GH_TOKEN" in lines
    assert any(line.startswith("variables GREETING; secret: ") and "PASSWORD" in line for line in lines)
    assert "mounts shop-data -> /data, shop-workspace -> /workspace" in lines
    assert "ports 127.0.0.1:8080->80/tcp" in lines
    assert "ends with `envspec session end s1`" in lines
    assert SECRET not in envspec.out + envspec.err
    code, document = envspec.json("apply")
    told = document["result"]["provision"]
    assert (code, told["git"], told["github"]) == (0, "Ada <ada@example.org>", "GH_TOKEN")
    assert (told["variables"], {"GH_TOKEN", "PASSWORD"} <= {*told["secrets"]}) == (["GREETING"], True)
    assert told["not_found"] == []
    assert SECRET not in envspec.out + envspec.err


@pytest.mark.usefixtures("engine")
def test_what_nothing_was_found_for_is_named_with_what_brings_it(envspec: Terminal) -> None:
    assert envspec("apply") == 0
    (line,) = (line for line in envspec.out.splitlines() if "not found here" in line)
    assert "git identity (`git config --global user.name`" in line
    assert "GitHub token (`gh auth login`, or GH_TOKEN)" in line
    assert "git identity  " not in envspec.out


@pytest.mark.usefixtures("engine")
def test_who_turned_forwarding_off_is_told_of_nothing_that_is_missing(envspec: Terminal) -> None:
    Path("env.yaml").write_text(f"{SPEC}forward_git: false\nforward_gh: false\n")
    assert envspec("apply") == 0
    assert "not found here" not in envspec.out


@pytest.mark.usefixtures("engine")
def test_without_a_session_the_report_says_how_the_environment_ends(envspec: Terminal) -> None:
    assert envspec("apply") == 0
    assert "it stays until `envspec destroy shop`" in envspec.out
    Path("env.yaml").write_text(f"{SPEC}persistent: true\nttl: 8h\n")
    assert envspec("apply", "--yes") == 0
    assert "it stays until `envspec destroy shop`, for it is persistent; it expires " in envspec.out


def test_an_image_that_could_not_be_pulled_is_not_from_the_cache(
    envspec: Terminal, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EngineCallFailed("no such image", code="engine.pull_failed")

    monkeypatch.setattr(engine, "pull", refuse)
    Path("env.yaml").write_text(SPEC.replace(BASE, "nowhere:1").replace("image_source: local\n", ""))
    assert envspec("apply") == 1
    assert "Image: nowhere:1 (not made)" in envspec.out
    code, document = envspec.json("apply")
    assert (code, document["error"]["report"]["image_cached"]) == (1, False)


def test_an_image_that_was_built_is_made_now_and_one_that_was_there_from_the_cache() -> None:
    built = Outcome("image.workspace", Action.CREATE, Status.DONE, "built x")
    lines = report_lines(Report("shop", True, (built,), 1.0, "x"), Painter(enabled=False))
    assert "Image: x (made now)" in lines
    lines = report_lines(Report("shop", True, (), 1.0, "x", image_cached=True), Painter(enabled=False))
    assert "Image: x (from the cache)" in lines


def test_versions_are_read_out_of_whatever_the_tools_print() -> None:
    lines = ("go go version go1.24.4 linux/amd64", "python Python 3.13.5", "uv uv 0.13.9", "git git: broken", "\x1b[2J")
    assert versions(lines) == {"python": "3.13.5", "uv": "0.13.9", "go": "1.24.4"}
