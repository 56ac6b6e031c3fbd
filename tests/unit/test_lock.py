"""The lock that every machine installs from has all that pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
_PIN = re.compile(r"^(?P<requirement>[^ #].*?) \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M)


def pins() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for match in _PIN.finditer((ROOT / ".ci" / "requirements.lock").read_text()):
        pin = Requirement(match["requirement"])
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize("wanted", WANTED)
def test_the_lock_has_one_version_that_the_project_admits(wanted: str, python: str) -> None:
    requirement = Requirement(wanted)
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    known = pins()[canonicalize_name(requirement.name)]
    (pin,) = [pin for pin in known if pin.marker is None or pin.marker.evaluate(environment)]
    (version,) = [specifier.version for specifier in pin.specifier]
    assert requirement.specifier.contains(version)


def test_the_lock_names_no_host() -> None:
    assert "://" not in (ROOT / ".ci" / "requirements.lock").read_text()
