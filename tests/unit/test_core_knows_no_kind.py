"""The core of a plan knows no kind by name: a new one is a new file, and changes nothing there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import envspec
from envspec.kinds.every import all_kinds

ROOT = Path(envspec.__file__).parent
CORE = sorted([*(ROOT / name for name in ("executor.py", "ordering.py", "planner.py")), *(ROOT / "steps").glob("*.py")])
SHARED = ("envspec.kinds.base", "envspec.kinds.every", "envspec.kinds.standing")
"""Modules of the kinds' package that hold no kind, and are for the core too."""


def named(tree: ast.Module) -> list[str]:
    """Return the kinds that a module names: in a text that is a kind or an address, or by an import.

    The code of an error may look like an address, and is none.
    """
    found = []
    codes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "code"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in codes:
            first, dot, _ = node.value.partition(".")
            if node.value in all_kinds() or (dot and first in all_kinds() and " " not in node.value):
                found.append(node.value)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("envspec.kinds"):
            found += [str(node.module)] if node.module not in SHARED else []
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_no_kind_is_named(path: Path) -> None:
    allowed = {"network."}  # the place of an error that a step reports, not a choice
    assert [name for name in named(ast.parse(path.read_text())) if name not in allowed] == []


@pytest.mark.parametrize(
    "source", ['x = c.kind == "service"', 'a.startswith("file.")', "from envspec.kinds.volume import Volume"]
)
def test_what_names_a_kind_is_found(source: str) -> None:
    assert named(ast.parse(source))
