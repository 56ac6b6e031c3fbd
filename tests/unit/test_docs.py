"""The documents: their links lead somewhere, README stays short, and no key or command is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envspec.cli.main import COMMANDS
from envspec.spec.models import Spec

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


@pytest.mark.parametrize("document", ["README.md", "docs/spec.md"])
def test_every_key_is_named(document: str) -> None:
    text = (ROOT / document).read_text()
    known = {field.alias or name for name, field in Spec.model_fields.items()} - {"version", "name", "repo_url"}
    assert {key for key in known if f"`{key}`" not in text} == set()


def test_every_command_is_described() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    assert {name for name, _ in COMMANDS if not re.search(rf"`{name}\b|`envspec {name}\b", text)} == set()
