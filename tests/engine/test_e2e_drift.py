"""A change by hand shows in the plan with its cause and is healed by apply, in place where that can be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine.by_hand import bare_build
from tests.engine.contract import REMOTE, SECOND
from tests.engine.e2e import ON_DOCKER, Place, Places, bare, causes, change, engine_name, objects, remove_all

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def settled(places: Places) -> Place:
    """A converged environment that the tests of this file spoil, one thing at a time, and heal."""
    place = places()
    place.write(
        repos=[{"url": REMOTE, "path": "app"}],
        config_files={
            "/etc/evt/one.conf": "one\n",
            "/etc/evt/two.conf": {"content": "two\n", "mode": "0600", "owner": "root"},
        },
        env={"GREETING": "hello"},
        networks=[f"{place.name}-net"],
        memory="256m",
        pids=100,
        cpus="0.75",
        health={"command": 'test "$GREETING" = hello'},
    )
    place.apply()
    return place


def reset_repo(place: Place) -> None:
    place.inside("git -c safe.directory=* -C /workspace/app reset -q --hard v1")


def head(place: Place) -> str:
    return place.inside("git -c safe.directory=* -C /workspace/app rev-parse HEAD")


@dataclass(frozen=True)
class Drift:
    """Something done by hand: what, where and as which attribute it shows, and what proves that it was mended."""

    spoil: Callable[[Place], object]
    address: str
    attribute: str
    healed: Callable[[Place], str]
    value: str
    cause: str = "drift"


def at(script: str) -> Callable[[Place], str]:
    return lambda place: place.inside(script)


def read(template: str) -> Callable[[Place], str]:
    return lambda place: place.inspect(template)


def by_hand(*words: str) -> Callable[[Place], str]:
    return lambda place: bare(*words, place.box)


ONE, TWO, BOX = "file./etc/evt/one.conf", "file./etc/evt/two.conf", "container.workspace"
STATUS = read("{{.State.Status}}")

IN_PLACE = {
    "a file edited": Drift(at("echo more >> /etc/evt/one.conf"), ONE, "sha256", at("cat /etc/evt/one.conf"), "one"),
    "a mode changed": Drift(at("chmod 777 /etc/evt/two.conf"), TWO, "mode", at("stat -c %a /etc/evt/two.conf"), "600"),
    "an owner changed": Drift(
        at("chown 1234:1234 /etc/evt/two.conf"), TWO, "owner", at("stat -c %u:%g /etc/evt/two.conf"), "0:0"
    ),
    "a file removed": Drift(at("rm /etc/evt/one.conf"), ONE, "sha256", at("cat /etc/evt/one.conf"), "one"),
    "a file turned into a link": Drift(
        at("ln -sf /etc/passwd /etc/evt/one.conf"), ONE, "type", at("stat -c %F /etc/evt/one.conf"), "regular file"
    ),
    "a repository reset": Drift(reset_repo, "repo./workspace/app", "head", head, SECOND),
    "variables edited": Drift(
        at("sed -i s/hello/evil/ /run/envspec/env"),
        "environment.workspace",
        "env.GREETING",
        lambda place: place.exec("sh", "-c", "echo $GREETING"),
        "hello",
    ),
    "stopped": Drift(by_hand("stop", "--time", "0"), BOX, "status", STATUS, "running"),
    "killed": Drift(by_hand("kill"), BOX, "status", STATUS, "running"),
    "paused": Drift(by_hand("pause"), BOX, "status", STATUS, "running"),
    "restarted": Drift(
        by_hand("restart", "--time", "0"),
        "environment.workspace",
        "env.GREETING",
        lambda place: place.exec("sh", "-c", "echo $GREETING"),
        "hello",
        cause="engine",
    ),
}

LIMITS = {
    "memory changed": Drift(
        by_hand("update", "--memory", "512m", "--memory-swap", "512m"),
        BOX,
        "memory",
        read("{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}"),
        f"{256 * MIB} {256 * MIB}",
    ),
    "pids changed": Drift(
        by_hand("update", "--pids-limit", "50"), BOX, "pids", read("{{.HostConfig.PidsLimit}}"), "100"
    ),
    "processors changed": Drift(
        by_hand("update", "--cpus", "1.5"), BOX, "cpus", read("{{.HostConfig.NanoCpus}}"), "750000000"
    ),
    "swap changed": Drift(
        by_hand("update", "--memory-swap", "-1"), BOX, "swap", read("{{.HostConfig.MemorySwap}}"), f"{256 * MIB}"
    ),
    "restart policy changed": Drift(
        by_hand("update", "--restart", "always"), BOX, "restart", read("{{.HostConfig.RestartPolicy.Name}}"), "no"
    ),
}
"""Podman tells nobody of a limit that was changed by hand, and goes back to its own with the next start."""


@ON_DOCKER
@pytest.mark.parametrize("drift", LIMITS.values(), ids=list(LIMITS))
def test_a_limit_changed_by_hand_is_set_again(settled: Place, drift: Drift) -> None:
    heals_in_place(settled, drift)


@pytest.mark.parametrize("drift", IN_PLACE.values(), ids=list(IN_PLACE))
def test_drift_is_planned_with_its_cause_and_healed_in_place(settled: Place, drift: Drift) -> None:
    heals_in_place(settled, drift)


def heals_in_place(settled: Place, drift: Drift) -> None:
    before = settled.id
    drift.spoil(settled)
    assert causes(settled.plan(), drift.address)[drift.attribute] == drift.cause
    told = settled.apply()
    assert told.result["ok"] is True
    assert drift.healed(settled) == drift.value
    assert settled.id == before
    assert settled.plan()["changes"] == []
    assert settled.exec("sh", "-c", "echo $GREETING") == "hello"


def test_a_network_disconnected_is_joined_again_with_its_alias(settled: Place) -> None:
    network = f"{settled.name}-net"
    bare("network", "disconnect", network, settled.box)
    assert causes(settled.plan(), BOX) == {f"networks.{network}": "drift"}
    before = settled.id
    settled.apply()
    aliases = settled.inspect(f'{{{{json (index .NetworkSettings.Networks "{network}").Aliases}}}}')
    assert settled.name in aliases
    assert settled.id == before
    assert settled.plan()["changes"] == []


def test_a_network_joined_by_hand_is_left_again(settled: Place) -> None:
    stray = f"{settled.name}-stray"
    bare("network", "create", "--label", f"dev.envspec.test={settled.name}", stray)
    try:
        bare("network", "connect", stray, settled.box)
        assert causes(settled.plan(), BOX) == {f"networks.{stray}": "drift"}
        settled.apply()
        assert stray not in settled.inspect("{{json .NetworkSettings.Networks}}")
        assert settled.plan()["changes"] == []
    finally:
        bare("network", "rm", "--force", stray)


def test_a_removed_container_is_made_again_with_all_that_was_in_it(settled: Place) -> None:
    bare("rm", "--force", settled.box)
    plan = settled.plan()
    assert change(plan, BOX)["action"] == "create"
    assert [diff["cause"] for diff in change(plan, BOX)["diff"]] == ["drift"]
    settled.apply()
    assert settled.inside("cat /etc/evt/one.conf") == "one"
    assert head(settled) == SECOND
    assert settled.plan()["changes"] == []
    assert objects(settled.name)["container"] == [settled.box]


LIMITED = {
    "command": ["sleep", "infinity"],
    "mem_limit": "128m",
    "mem_reservation": "32m",
    "cpu_shares": 512,
    "cpuset": "0",
    "restart": "on-failure:3",
}


def test_swap_shares_processors_and_reserve_set_by_hand_are_seen_and_healed(git_image: str, place: Place) -> None:
    place.write(memory="256m", compose={"services": {"db": {"image": git_image, **LIMITED}}})
    place.apply()
    assert place.plan()["changes"] == []
    if engine_name() == "podman":  # it tells nobody of what was set by hand
        return
    db = f"{place.name}-db-1"
    options = "--memory-swap -1 --cpu-shares 77 --cpuset-cpus 1 --memory-reservation 16m --restart on-failure:9"
    bare("update", *options.split(), db)
    bare("update", *options.split()[2:8], place.box)
    plan = place.plan()
    assert {*causes(plan, "service.db").items()} == {
        (name, "drift") for name in ("swap", "cpu_shares", "cpuset_cpus", "memory_reservation", "retries")
    }
    assert change(plan, "service.db")["action"] == "update"
    assert change(plan, BOX)["action"] == "replace"
    assert causes(plan, BOX) == dict.fromkeys(("cpu_shares", "cpuset_cpus", "memory_reservation"), "drift")
    place.apply()
    form = "{{with .HostConfig}}{{.MemorySwap}} {{.CpuShares}} {{.CpusetCpus}} {{.MemoryReservation}}{{end}}"
    assert bare("inspect", "--format", form, db) == f"{256 * MIB} 512 0 {32 * MIB}"
    assert place.inspect(form) == f"{256 * MIB} 0  0"
    assert place.plan()["changes"] == []


def test_one_that_was_renamed_is_entered_copied_to_and_named_again(settled: Place, tmp_path: Path) -> None:
    other, before = f"{settled.name}-other", settled.id
    bare("rename", settled.box, other)
    try:
        assert settled.exec("sh", "-c", "echo $GREETING") == "hello"
        words = settled.run("connect", settled.name).stdout.split()
        assert (words[0], other in words) == (engine_name(), True)
        (tmp_path / "a").write_text("a\n")
        settled.run("cp", str(tmp_path / "a"), f"{settled.name}:/opt/a")
        settled.run("job", "start", settled.name, "--name", "hello", "--", "true")
        settled.run("job", "wait", f"{settled.name}/hello")
        assert causes(settled.plan(), BOX) == {"name": "drift"}
    finally:
        settled.apply()
    assert settled.id == before
    assert settled.exec("cat", "/opt/a") == "a"


@pytest.fixture
def moving_tag(git_image: str, place: Place) -> Iterator[str]:
    """A tag of one's own that can be moved."""
    ref = f"envspec-test/{place.name}:1"
    bare("tag", git_image, ref)
    yield ref
    remove_all(place.name)  # while a container runs it, an image loses its name but stays
    bare("rmi", ref)


def derive(base: str, ref: str) -> None:
    """Build an image that differs from its base in one file."""
    bare_build(ref, f"FROM {base}\nRUN echo {ref} > /etc/which\n")


def test_a_moved_tag_takes_a_new_container_of_the_new_image(place: Place, moving_tag: str) -> None:
    place.write(image=moving_tag)
    place.apply()
    derive(moving_tag, moving_tag)
    plan = place.plan()
    assert causes(plan, BOX)["image"] == "drift"
    assert change(plan, BOX)["action"] == "replace"
    place.apply()
    assert place.inspect("{{.Image}}") == bare("image", "inspect", "--format", "{{.Id}}", moving_tag)
    assert place.inside("cat /etc/which") == moving_tag
    assert place.plan()["changes"] == []


def own_purpose(directory: Path, name: str, steps: str) -> None:
    """Write a purpose beside a spec: one file is all it takes."""
    (directory / "purposes").mkdir()
    front = f"---\nsummary: {name}\nbase:\n  registry: debian:13-slim\n  bootstrap: debian-13\n---\n"
    text = f'FROM {{{{ base }}}}\nSHELL ["/bin/bash", "-eo", "pipefail", "-c"]\n{steps}\n'
    (directory / "purposes" / f"{name}.Dockerfile.j2").write_text(front + text)


def test_the_moved_tag_of_a_purpose_is_given_back_and_nothing_is_built(place: Place, git_image: str) -> None:
    own_purpose(place.directory, "tiny", f"RUN echo {place.name} > /etc/which")
    place.write(purpose="tiny", image_source="bootstrap")
    ref = place.apply().result["image"]
    try:
        right = bare("image", "inspect", "--format", "{{.Id}}", ref)
        before = place.id
        bare("tag", git_image, ref)
        plan = place.plan()
        assert causes(plan, "image.workspace") == {"id": "drift"}
        told = place.apply()
        assert told.result["image_cached"] is True
        assert bare("image", "inspect", "--format", "{{.Id}}", ref) == right
        assert place.id == before
        assert place.plan()["changes"] == []
    finally:
        bare("rm", "--force", place.box)
        bare("rmi", "--force", ref)


def test_a_commit_on_top_is_work_and_no_drift(settled: Place) -> None:
    work = "git -c safe.directory=* -c user.name=a -c user.email=a@example.org -C /workspace/app"
    settled.inside(f"{work} commit -q --allow-empty -m work")
    assert settled.plan()["changes"] == []
    settled.inside(f"{work} reset -q --hard {SECOND}")


def test_a_change_of_the_file_is_told_from_a_change_by_hand(settled: Place) -> None:
    text = settled.file.read_text()
    try:
        settled.file.write_text(text.replace("two.conf", "due.conf").replace("256m", "300m"))
        plan = settled.plan()
        assert causes(plan, "file./etc/evt/due.conf") == {"sha256": "spec"}
        assert causes(plan, BOX) == {"memory": "spec"}
    finally:
        settled.file.write_text(text)
