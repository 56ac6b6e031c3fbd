"""What the tests of a Python project need: the program of the purpose, run here on projects of several kinds."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PURPOSE = Path(__file__).parents[2] / "purposes" / "python.Dockerfile.j2"
LINE = re.compile(r"^    '(.*)' \\$", re.MULTILINE)
RECORDS = '#!/bin/sh\nprintf \'%s\\n\' "$(basename "$0") $*" >> "$CALLS"\n'

GROUPS = """\
[tool.poetry.dependencies]
python = "^3.11"
[tool.poetry.dev-dependencies]
tox = "*"
[tool.poetry.group.test.dependencies]
attrs = "^7.0"
mock = {version = ">=4,<6", optional = true}
local = {path = "../local"}
[tool.poetry.group.docs.dependencies]
sphinx = "*"
"""
OPTIONAL = "[tool.poetry.group.test]\noptional = true\n[tool.poetry.group.test.dependencies]\nattrs = '^7.0'\n"
TOX = """\
[tox]
envlist = py3
[testenv]
deps =
    hypothesis >= 6  # for the properties
    -r{toxinidir}/reqs.txt
    -r missing.txt
    # a comment
    py38: backport
    {[base]deps}
    -c constraints.txt
commands = run
[testenv:docs]
deps = sphinx
"""


def program() -> str:
    text = "\n".join(LINE.findall(PURPOSE.read_text()))
    ast.parse(text)
    return text


def installed(tmp_path: Path, files: dict[str, str]) -> list[str]:
    """Return the commands that the program runs in a project of some files."""
    project, tools = tmp_path / "project", tmp_path / "bin"
    project.mkdir()
    tools.mkdir()
    for name, text in files.items():
        (project / name).write_text(text)
    for name in ("uv", "uvx"):
        (tools / name).write_text(RECORDS)
        (tools / name).chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    environ = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(calls)}
    subprocess.run([sys.executable, "-c", program()], cwd=project, env=environ, check=True)
    return calls.read_text().splitlines()


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({"pyproject.toml": GROUPS}, ["uv pip install tox attrs>=7.0 mock>=4,<6"]),
        (
            {"pyproject.toml": OPTIONAL, "poetry.lock": ""},
            ["uvx --from poetry~=2.0 poetry install --no-interaction --with test"],
        ),
        ({"pyproject.toml": GROUPS, "poetry.lock": ""}, []),
        ({"tox.ini": TOX, "reqs.txt": ""}, ["uv pip install hypothesis >= 6 --requirement reqs.txt"]),
        ({"tox.ini": "[tox]\n[testenv]\ndeps = attrs\n"}, ["uv pip install attrs"]),
        (
            {"pyproject.toml": "[dependency-groups]\ntest = ['attrs']\nlint = ['ruff']\n"},
            ["uv pip install --group test"],
        ),
    ],
    ids=["poetry-groups", "poetry-optional", "poetry-locked", "tox", "tox-one", "dependency-groups"],
)
def test_what_a_project_says_its_tests_need_is_installed(
    tmp_path: Path, files: dict[str, str], commands: list[str]
) -> None:
    assert installed(tmp_path, files) == commands, json.dumps(files)
