"""The public names of ``envspec.api``, which are imported when they are asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from envspec import api


def test_every_public_name_is_there_and_a_type_checker_is_told_where_it_lives() -> None:
    tree = ast.parse(Path(str(api.__file__)).read_text(encoding="utf-8"))
    told = {
        str(alias.asname): str(node.module)
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(told) == sorted(api.__all__)
    for name in api.__all__:
        found = getattr(api, name)
        assert found is getattr(sys.modules[told[name]], name)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = api.nothing_of_the_kind


@pytest.mark.parametrize(
    ("name", "unneeded"),
    [
        ("open_engine", ("pydantic", "jinja2", "yaml", "envspec.kinds", "networkx", "python_on_whales")),
        ("environments", ("pydantic", "jinja2", "networkx", "python_on_whales", "envspec.planner")),
        ("apply", ("networkx", "python_on_whales", "envspec.inside", "envspec.api.lifecycle")),
    ],
)
def test_a_name_brings_only_what_it_uses(name: str, unneeded: tuple[str, ...]) -> None:
    code = f"import sys\nfrom envspec import api\napi.{name}\nprint(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True, timeout=60)
    assert not {*unneeded} & {*done.stdout.split()}
