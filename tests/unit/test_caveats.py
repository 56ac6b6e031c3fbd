"""What a plan, or the error of a step, says of carriage returns and of what an image does by itself elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from envspec import api
from envspec.api.targets import Options
from envspec.engine.fake import FakeEngine
from envspec.engine.inspect import image
from envspec.engine.objects import ImageState
from envspec.steps.returns import hint


class WithOwnWays(FakeEngine):
    """An engine whose images have an entrypoint and a health check."""

    def images(self, refs: Sequence[str]) -> Mapping[str, ImageState]:
        found = super().images(refs)
        entry, health = ("/entry.sh", "a b"), ("CMD-SHELL", "curl localhost")
        return {ref: replace(state, entrypoint=entry, health=health) for ref, state in found.items()}


def notes(tmp_path: Path, text: str, engine: FakeEngine) -> list[str]:
    (tmp_path / "env.yaml").write_text(f"name: shop\nimage: debian:13\nmount_cwd: false\n{text}")
    return [note for note in api.plan(tmp_path, Options(), engine=engine).notes if not note.startswith("user: ")]


def test_carriage_returns_in_scripts_and_commands_are_named_before_they_run(tmp_path: Path) -> None:
    (tmp_path / "s.sh").write_bytes(b"#!/bin/sh\r\necho hi\r\n")
    text = (
        "config_files: {/usr/bin/hi: {source: s.sh, mode: '0755'}, /etc/dos.ini: \"[a]\\r\\nb=c\\r\\n\"}\n"
        'setup_commands: ["a\\r\\nb", "printf \'\\\\r\'"]\n'
    )
    found = [note.partition(" has ")[0] for note in notes(tmp_path, text, FakeEngine(images=("debian:13",)))]
    assert found == ["file./usr/bin/hi", "command.setup[0]"]


def test_what_an_image_does_by_itself_elsewhere_is_noted(tmp_path: Path) -> None:
    entry, health = notes(tmp_path, "", WithOwnWays(images=("debian:13",)))
    assert entry.startswith("debian:13 has the ENTRYPOINT `/entry.sh 'a b'`, which is not run")
    assert health.startswith("debian:13 has the HEALTHCHECK `curl localhost`, which runs inside")
    assert notes(tmp_path, "", FakeEngine(images=("debian:13",))) == []


@pytest.mark.parametrize("place", ["Config", ""])
def test_an_images_own_ways_are_read_where_each_engine_keeps_them(place: str) -> None:
    check = {"Healthcheck": {"Test": ["CMD", "true"]}}
    config = {"Entrypoint": ["/x"], **(check if place else {})}
    state = image({"Id": "a", "Size": 1, "Config": config, **({} if place else check)})
    assert (state.entrypoint, state.health) == (("/x",), ("CMD", "true"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("bash: line 1: ./x.sh: cannot execute: required file not found", "the script's first line"),
        ("bash: ./x: /bin/bash^M: bad interpreter: No such file or directory", "a script has carriage returns"),
        ("/usr/bin/env: 'bash\\r': No such file or directory", "a script has carriage returns"),
        ("x.sh: line 2: $'\\r': command not found", "a script has carriage returns"),
        ("x.sh: line 2: set: pipefail\n: invalid option name", "a script has carriage returns"),
        ("exec /entry.sh: no such file or directory", "the script's first line"),
        ("error: it's 'fine'\nnothing: else", ""),
    ],
)
def test_a_script_that_fails_for_its_carriage_returns_says_so(said: str, expected: str) -> None:
    assert hint(said).startswith(expected)
    assert bool(hint(said)) is bool(expected)
