"""What the probe inside printed, read back: names of files may hold all that is no line feed."""

from __future__ import annotations

import pytest

from envspec.engine.facts import Questions
from envspec.engine.inside import answer


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
def test_a_file_whose_name_holds_a_separator_is_one_file(separator: str) -> None:
    name = f"/srv/a{separator}b"
    parts = {"ledger": "", "passwd": "", "exists": f"{name}\n", "undeclared": f"/srv/c\n{name}\n", "end": ""}
    output = "".join(f"\nMARK {part}\n{text}" for part, text in parts.items()).encode()
    read = answer(output, Questions(exists=(name,)), "MARK")
    assert read is not None
    assert read.undeclared == tuple(sorted(("/srv/c", name)))
    assert read.exists == frozenset({name})
