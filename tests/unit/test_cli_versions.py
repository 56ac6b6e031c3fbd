"""Versions and base images that are others than promised: said in the plan, the report, `status` and `render`."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec import host
from envspec.engine.fake import FakeEngine
from tests.unit.test_cli_commands import Terminal, engine, envspec

__all__ = ["engine", "envspec"]

BOOTSTRAPPED = "envspec/base:debian-13"
INSTEAD = f"base image: {BOOTSTRAPPED} instead of python:3.12-slim-bookworm, so python is 3.13 instead of 3.12"


@pytest.fixture(autouse=True)
def _no_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host, "registry_reachable", lambda *_: False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    Path("env.yaml").write_text("name: shop\npurpose: python\nmount_cwd: false\nforward_git: false\n")


@pytest.mark.usefixtures("engine")
def test_a_version_that_is_swapped_is_named_in_plan_report_and_status_with_the_reason(envspec: Terminal) -> None:
    assert envspec("plan") == 0
    assert f"note: {INSTEAD} (no registry can be reached)" in envspec.out
    assert envspec("apply") == 0
    assert f"note: {INSTEAD} (no registry can be reached)" in envspec.out
    assert envspec("status", "shop") == 0
    assert f"{BOOTSTRAPPED} instead of python:3.12-slim-bookworm, so python is 3.13 instead of 3.12" in envspec.out
    code, document = envspec.json("status", "shop")
    assert (code, document["result"]["base"]) == (
        0,
        INSTEAD.removeprefix("base image: ") + " (no registry can be reached)",
    )


@pytest.mark.usefixtures("engine")
def test_who_asks_for_the_version_that_there_is_hears_of_no_other_version(envspec: Terminal) -> None:
    Path("env.yaml").write_text("name: shop\npurpose: {use: python, version: '3.13'}\nmount_cwd: false\n")
    assert envspec("plan") == 0
    assert f"{BOOTSTRAPPED} instead of python:3.13-slim-bookworm (no registry can be reached)" in envspec.out


@pytest.mark.usefixtures("engine")
def test_another_distribution_than_promised_is_named_where_no_version_says_so(envspec: Terminal) -> None:
    Path("env.yaml").write_text("name: shop\npurpose: general\nmount_cwd: false\n")
    assert envspec("plan") == 0
    assert f"{BOOTSTRAPPED} instead of ubuntu:24.04" in envspec.out


@pytest.mark.usefixtures("engine")
def test_render_prints_the_dockerfile_that_is_built_here_and_any_other_on_request(envspec: Terminal) -> None:
    for words in (("render",), ("render", "--purpose", "python")):
        assert envspec(*words) == 0
        assert envspec.out.startswith(f"FROM {BOOTSTRAPPED}\n")
        assert f"note: {INSTEAD}" in envspec.err
        assert envspec(*words, "--image-source", "registry") == 0
        assert envspec.out.startswith("FROM python:3.12-slim-bookworm\n")
    code, document = envspec.json("render")
    assert (code, document["result"]["base"], document["result"]["source"]) == (0, BOOTSTRAPPED, "bootstrap")


def test_render_takes_the_base_image_that_the_engine_has(
    envspec: Terminal, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "registry_reachable", lambda *_: True)
    assert envspec("render") == 0
    assert envspec.out.startswith("FROM python:3.12-slim-bookworm\n")
    engine.bootstrap("debian-13", BOOTSTRAPPED, {})
    assert envspec("render") == 0
    assert envspec.out.startswith(f"FROM {BOOTSTRAPPED}\n")
    assert "it is on this engine already" in envspec.err


def test_purposes_says_both_versions_where_they_differ(envspec: Terminal) -> None:
    assert envspec("purposes", "go") == 0
    assert "by default 1.22, or 1.24 where no registry can be reached" in envspec.out
    assert "base image: golang:1.22-bookworm, or envspec/base:debian-13 where no registry" in envspec.out
    code, document = envspec.json("purposes", "go")
    assert (code, document["result"]["params"]["version"]["defaults"]) == (0, {"registry": "1.22", "bootstrap": "1.24"})
