"""Looking costs a fixed number of reads, whatever the size of the environment."""

from __future__ import annotations

from pathlib import Path

from .world import World


def reads_of_a_look(directory: Path, files: int) -> int:
    world = World(directory)
    doc = {"image": "debian:13", "config_files": {f"/etc/many/{n}.conf": f"{n}\n" for n in range(files)}}
    world.applied(doc)
    before = world.engine.reads
    assert world.look(doc).plan.empty
    return world.engine.reads - before


def test_a_look_at_60_files_reads_as_often_as_one_at_3(directory: Path) -> None:
    few, many = reads_of_a_look(directory, 3), reads_of_a_look(directory, 60)
    assert few == many
    assert few <= 6
