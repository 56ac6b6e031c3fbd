"""The table of engines and features that `make test-engines` writes."""

from __future__ import annotations

from pathlib import Path

from tests.engines.catalogue import ENGINES, NO_CGROUPS
from tests.engines.table import render

CASE = '<testcase classname="tests.engines.test_scenario.Test{feature}" name="test_{name}">{inner}</testcase>'


def results(directory: Path, engine: str, *cases: tuple[str, str, str]) -> None:
    place = directory / engine
    place.mkdir()
    (place / "version").write_text("26.1.5+dfsg1\n")
    lines = "".join(CASE.format(feature=feature, name=name, inner=inner) for feature, name, inner in cases)
    (place / "scenario.xml").write_text(f"<testsuites><testsuite>{lines}</testsuite></testsuites>")


def test_a_feature_is_a_row_and_what_failed_is_named(tmp_path: Path) -> None:
    results(tmp_path, "docker-26", ("PlanAndApply", "it_converges", ""), ("Jobs", "one_starts", "<failure/>"))
    results(tmp_path, "podman-5", ("PlanAndApply", "it_converges", ""))
    lines = render(tmp_path).splitlines()
    assert "|  | Debian 13's Docker 26.1.5 | Debian 13's Podman 26.1.5 |" in lines
    assert "| plan and apply | 1 | 1 |" in lines
    assert "| jobs | **0 of 1** | not run |" in lines
    assert lines[-1] == "- Debian 13's Docker: jobs, one starts"


def test_networks_of_engines_never_meet() -> None:
    numbers = [tested.number for tested in ENGINES.values() if tested.suite]
    assert len(set(numbers)) == len(numbers)


def test_what_an_engine_cannot_be_tested_for_is_said_with_the_reason(tmp_path: Path) -> None:
    results(tmp_path, "podman-experimental", ("Jobs", "one_starts", ""))
    lines = render(tmp_path).splitlines()
    assert "All that ran passed." in lines
    assert lines[-1] == f"experimental's Podman: {NO_CGROUPS}."


def test_contract_tests_are_one_row(tmp_path: Path) -> None:
    results(tmp_path, "docker-26")
    case = '<testcase classname="tests.engine.test_contract_files" name="test_a"/>'
    (tmp_path / "docker-26/contract.xml").write_text(f"<testsuites><testsuite>{case * 3}</testsuite></testsuites>")
    assert "| contract tests | 3 |" in render(tmp_path).splitlines()
