"""The table of engines and features: what the results of the tests say, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as XML

from tests.engines.catalogue import ENGINES, Tested

INTRODUCTION = """# Engines

`make test-engines` makes this page. It runs one long day with all features, a step after the other, and the contract
tests on each engine: those of the host, and those of other Debian suites, each in namespaces of its own. A number says
how many steps of a feature pass; where some fail, they are named below the table. `.ci/run` runs the day on Debian 13's
Docker and Podman, and on sid's Docker with the containerd store.

    make test-engines ENGINES="docker-26 podman-5" SETS=scenario

Root filesystems are made once, by mmdebstrap in about two minutes each, and kept in `/var/cache/envspec-engines`, or in
the directory that `ENVSPEC_ENGINES_CACHE` names. It takes root.

## A fresh machine

    python -m tests.engines --fresh trixie           # or forky, sid, noble, resolute

makes a minimal system with Python, git and make but no engine, clones what is committed into it, and runs there what
README tells a newcomer to run: `preflight --fix` has to install and start Docker and Podman of that suite by itself,
and the quickstart has to converge on both. `--depth tests` goes on with the static checks, the unit tests and two
files of those on engines, `--depth all` is `make quickstart` and `make test`. The two of Ubuntu take the package
ubuntu-archive-keyring on the host.

## Engines and features
"""


@dataclass(frozen=True, slots=True)
class Step:
    """A test as it ended: the feature that it is of, its name, and whether it passed."""

    feature: str
    name: str
    passed: bool


def render(results: Path) -> str:
    """Return the table of all engines that have results.

    Args:
        results: Directory with one of each engine, as :mod:`tests.engines.inside` fills it.
    """
    tested = [tested for tested in ENGINES.values() if (results / tested.name / "version").is_file()]
    columns = {item.name: _read(results / item.name) for item in tested}
    features = list(dict.fromkeys(step.feature for steps in columns.values() for step in steps))
    heads = [f"{item.title} {_version(results, item)}" for item in tested]
    lines = [INTRODUCTION, _row(["", *heads]), _row(["---"] * (len(heads) + 1))]
    lines += [_row([feature, *(_cell(steps, feature) for steps in columns.values())]) for feature in features]
    failed = [f"- {item.title}: {step.feature}, {step.name}" for item in tested for step in _failures(columns, item)]
    left_out = [f"{item.title}: {item.without}." for item in tested if item.without]
    ends = ["Failed:", "", *failed] if failed else ["All that ran passed." if left_out else "All pass."]
    return "\n".join([*lines, "", *ends, *(line for text in left_out for line in ("", text))]) + "\n"


def _version(results: Path, tested: Tested) -> str:
    return (results / tested.name / "version").read_text().strip().partition("+")[0]


def _failures(columns: Mapping[str, list[Step]], tested: Tested) -> Iterable[Step]:
    return (step for step in columns[tested.name] if not step.passed)


def _cell(steps: list[Step], feature: str) -> str:
    of_it = [step.passed for step in steps if step.feature == feature]
    if not of_it:
        return "not run"
    return f"{len(of_it)}" if all(of_it) else f"**{sum(of_it)} of {len(of_it)}**"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _read(directory: Path) -> list[Step]:
    """Return the steps of an engine, those of the scenario first."""
    return [*_steps(directory / "scenario.xml"), *_steps(directory / "contract.xml")]


def _steps(path: Path) -> list[Step]:
    if not path.is_file():
        return []
    return [_step(case) for case in XML.parse(path).iter("testcase")]


def _step(case: XML.Element) -> Step:
    passed = not any(child.tag in ("failure", "error", "skipped") for child in case)
    place = case.get("classname") or ""
    feature = "contract tests" if "test_contract_" in place else _words(place.rpartition(".Test")[2])
    return Step(feature, (case.get("name") or "").removeprefix("test_").replace("_", " "), passed)


def _words(name: str) -> str:
    """Return the words of a class's name: ``PlanAndApply`` is ``plan and apply``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
