"""Every error code that the product writes out is named by a test, but for a list that only gets shorter.

That a test names a code is a hint that it provokes it, no proof.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FORM = re.compile(r"[a-z]+\.[a-z_]+")

NOT_NAMED = frozenset(
    (
        "compose.context",
        "conflict.lock_lost",
        "container.volume_gone",
        "engine.bootstrap_failed",
        "engine.call_failed",
        "engine.flooded",
        "engine.gone",
        "engine.no_api",
        "engine.no_bootstrap",
        "engine.no_compose",
        "engine.no_entry",
        "engine.not_running",
        "engine.permission",
        "env.no_spec",
        "env.stopped",
        "exec.left_running",
        "host.no_space",
        "host.path",
        "image.missing",
        "image.unfit",
        "job.ambiguous",
        "job.exists",
        "job.failed",
        "job.id",
        "refused.remote_agent",
        "shell.no_terminal",
        "snapshot.copy",
        "snapshot.in_the_way",
        "snapshot.no_directory",
        "snapshot.no_spec",
        "snapshot.unwritable",
        "spec.invalid",
        "spec.read_only",
        "spec.repo_on_mount",
        "spec.unsupported",
        "step.exit_code",
        "step.out_of_reach",
    )
)
"""Codes that no test names yet. Write the test and take the code out; a new code never comes in."""


def given() -> Iterator[str]:
    """Yield the codes that are written out where an error is made: ``code="…"``, and the defaults of classes."""
    for file in (ROOT / "envspec").rglob("*.py"):
        if file.name.startswith("fake"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            value: ast.expr | None = None
            if isinstance(node, ast.keyword):
                value = node.value if node.arg == "code" else None
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                names = node.targets if isinstance(node, ast.Assign) else [node.target]
                value = node.value if "default_code" in map(ast.unparse, names) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                yield value.value


def named_in_tests() -> set[str]:
    files = (file for file in (ROOT / "tests").rglob("*.py") if file != Path(__file__))
    return set(re.findall(r"[\"' ]([a-z]+\.[a-z_]+)", "\n".join(file.read_text() for file in files)))


def test_every_code_has_one_form() -> None:
    assert {code for code in given() if not FORM.fullmatch(code)} <= {
        "internal",
        "usage",
        "refused",
        "conflict",
        "interrupted",
    }


def test_every_code_is_named_by_a_test_or_listed() -> None:
    codes = {code for code in given() if FORM.fullmatch(code)}
    assert codes - named_in_tests() == NOT_NAMED
