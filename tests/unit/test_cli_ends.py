"""How environments end, and what a renamed file leaves: in `status`, plans and reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig, Mount
from envspec.kinds import names
from envspec.kinds.lease import span
from tests.unit.test_cli_commands import SPEC, Terminal, engine, envspec, spec

__all__ = ["engine", "envspec", "spec"]


@pytest.mark.usefixtures("engine")
def test_a_renamed_file_says_that_the_old_environment_still_runs(envspec: Terminal, spec: Path) -> None:
    assert envspec("apply") == 0
    assert "before it was named" not in envspec.out
    spec.write_text(SPEC.replace("name: shop", "name: store"))
    said = "note: this file made the environment shop before it was named store; shop is left as it is: "
    assert envspec("plan") == 0
    assert f"{said}`envspec destroy shop` removes it" in envspec.out
    assert envspec("destroy", ".", "--yes") == 0
    assert said in envspec.out
    assert "There is nothing of store." in envspec.out
    assert envspec("apply") == 0
    assert said in envspec.out
    code, document = envspec.json("destroy", "shop", "--yes")
    assert (code, document["result"]["notes"]) == (0, [])


@pytest.mark.usefixtures("engine")
def test_one_run_and_another_file_beside_it_are_no_renaming(envspec: Terminal, spec: Path) -> None:
    assert envspec("apply") == 0
    spec.with_name("api.yaml").write_text(SPEC.replace("name: shop", "name: api"))
    assert envspec("plan", "api.yaml") == 0
    assert "before it was named" not in envspec.out


@pytest.mark.usefixtures("engine")
def test_status_says_whether_it_is_persistent_and_how_it_ends(envspec: Terminal, spec: Path) -> None:
    assert envspec("apply", "--session", "s1") == 0
    assert envspec("status", "shop") == 0
    assert "persistent" not in envspec.out
    assert "with `envspec session end s1`" in envspec.out
    spec.write_text(f"{SPEC}persistent: true\n")
    assert envspec("apply", "--yes") == 0
    assert envspec("status", "shop") == 0
    lines = [line.split(maxsplit=1) for line in envspec.out.splitlines()]
    assert ["persistent", "yes"] in lines
    code, document = envspec.json("status", "shop")
    assert (code, document["result"]["persistent"]) == (0, True)


@pytest.mark.usefixtures("engine")
def test_a_ttl_reads_as_it_was_written(envspec: Terminal, spec: Path) -> None:
    spec.write_text(f"{SPEC}ttl: 8h\n")
    assert envspec("plan") == 0
    assert "expires 8h after this" in envspec.out
    assert envspec("apply") == 0
    spec.write_text(f"{SPEC}ttl: 1h30m\n")
    assert envspec("plan") == 0
    assert "ttl: 8h → 1h30m" in envspec.out


@pytest.mark.parametrize("written", ["7d", "24h", "8h", "1h30m", "90s", "45m"])
def test_durations_are_written_as_people_write_them(written: str) -> None:
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    total, number = 0, ""
    for character in written:
        number = number + character if character.isdigit() else number
        if character in units:
            total, number = total + int(number) * units[character], ""
    assert span(total) == ("1m30s" if written == "90s" else written)
    assert span(0.5) == "0.5s"


@pytest.mark.usefixtures("spec")
def test_what_goes_with_a_session_is_said(engine: FakeEngine, envspec: Terminal) -> None:
    assert envspec("apply", "--session", "s1") == 0
    for number in range(7):
        engine.tamper.write_file("shop-workspace", f"/opt/n{number}", "by hand")
    assert envspec("session", "end", "s1") == 0
    named = ", ".join(f"/opt/n{number} (undeclared)" for number in range(5))
    assert f"session; with it went {named} and 2 more" in envspec.out


@pytest.mark.usefixtures("spec")
@pytest.mark.parametrize("command", [("apply",), ("gc", "shop")])
def test_what_an_interrupted_snapshot_left_is_called_so_and_goes(
    engine: FakeEngine, envspec: Terminal, command: tuple[str, ...]
) -> None:
    assert envspec("apply") == 0
    labels = names.labels("shop", names.SNAPSHOT_HELPER, "container.snapshot")
    config = ContainerConfig("debian:13", mounts=(Mount("/mnt/0", "volume", "shop-v", read_only=True),))
    engine.create_volume("shop-v", {})
    engine.start(engine.create_container("envspec-snapshot-s", config, labels))
    assert envspec("plan") == 0
    assert "left by an interrupted snapshot" in envspec.out
    before = len(engine.calls)
    assert envspec(*command) == 0
    assert "envspec-snapshot-s" not in [box.name for box in engine.containers("shop")]
    assert not any("GiveOver" in str(call) for call in engine.calls[before:])
    assert envspec("plan", "--detailed-exitcode") == 0
