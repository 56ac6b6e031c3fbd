"""Networks, volumes and images."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from envspec.engine.base import Engine
from envspec.engine.facts import Questions
from envspec.engine.objects import Attachment, Build, Mount, NetworkState, Port
from envspec.engine.operations import PutState, ReadState, RunCommand
from envspec.errors import EngineCallFailed
from tests.engine.contract import TEST_LABEL, World, refused

pytestmark = pytest.mark.engine


def by_id(world: World, network: str) -> NetworkState | None:
    return next((state for state in world.engine.networks() if state.id == network), None)


def joined(world: World, box: str) -> tuple[Attachment, ...]:
    return world.state(box).networks


def test_who_holds_a_port_of_the_host_is_told_by_name_and_nobody_once_it_stopped(world: World) -> None:
    box = world.run(ports=(Port(80),))
    state = world.state(box)
    assert world.engine.publishers()[state.name] == state.published
    world.engine.stop(box, 0)
    assert not world.engine.publishers().get(world.state(box).name)


# ── networks ──


@pytest.mark.parametrize("_again", range(3))
def test_of_several_who_make_a_network_at_once_one_wins(world: World, _again: int) -> None:
    name, start = world.name(), threading.Barrier(3)

    def make(_number: int) -> str:
        start.wait()
        with contextlib.suppress(EngineCallFailed):
            return world.network(name)
        return ""

    with ThreadPoolExecutor(3) as pool:
        made = [one for one in pool.map(make, range(3)) if one]
    assert [network.id for network in world.engine.networks() if network.name == name] == made
    assert len(made) == 1


def test_a_network_is_listed_with_its_name_driver_and_labels(world: World) -> None:
    network = world.network(name := world.name())
    found = by_id(world, network)
    assert found is not None
    assert (found.name, found.driver) == (name, "bridge")
    assert found.labels["dev.envspec.env"] == world.env


def test_a_network_tells_whether_it_is_internal(world: World) -> None:
    names = {world.name(): True, world.name(): False}
    for name, internal in names.items():
        world.network(name, internal=internal)
    assert {net.name: net.internal for net in world.engine.networks() if net.name in names} == names


def test_networks_are_sorted_and_the_engines_own_are_among_them(world: World) -> None:
    found = world.engine.networks()
    assert list(found) == sorted(found, key=lambda state: (state.name, state.id))
    assert "bridge" in {state.name for state in found}


def test_a_second_network_of_a_name_is_refused(world: World) -> None:
    network = world.network(name := world.name())
    with refused():
        world.network(name)
    assert [state.id for state in world.engine.networks() if state.name == name] == [network]


def test_connecting_gives_the_aliases_and_disconnecting_takes_the_network(world: World) -> None:
    box, network = world.run(), world.network(name := world.name())
    world.engine.connect(network, box, ("web", "app"))
    own = next(attachment for attachment in joined(world, box) if attachment.network == name)
    assert own == Attachment(name, network, ("app", "web"))
    assert world.engine.network_users(network) == (world.state(box).name,)
    world.engine.disconnect(network, box)
    assert [attachment.network for attachment in joined(world, box)] == ["bridge"]
    assert world.engine.network_users(network) == ()


def test_a_container_can_be_connected_before_it_is_started(world: World) -> None:
    box, network = world.create(), world.network(name := world.name())
    world.engine.connect(network, box, ("web",))
    world.engine.start(box)
    own = next(attachment for attachment in joined(world, box) if attachment.network == name)
    assert own == Attachment(name, network, ("web",))


def test_connecting_twice_is_refused(world: World) -> None:
    box, network = world.run(), world.network()
    world.engine.connect(network, box, ())
    with refused():
        world.engine.connect(network, box, ())


def test_disconnecting_what_is_not_connected_is_refused(world: World, box: str) -> None:
    network = world.network()
    with refused():
        world.engine.disconnect(network, box)


def test_the_default_bridge_can_be_left_and_joined(world: World) -> None:
    box = world.run()
    bridge = next(state.id for state in world.engine.networks() if state.name == "bridge")
    world.engine.disconnect(bridge, box)
    assert joined(world, box) == ()
    world.engine.connect(bridge, box, ())
    assert [attachment.network for attachment in joined(world, box)] == ["bridge"]


@pytest.mark.parametrize("mode", ["none", "host"])
def test_a_container_without_a_network_of_its_own_cannot_join_one(world: World, mode: str) -> None:
    box, network = world.create(network=mode), world.network()
    assert joined(world, box) == ()
    with refused():
        world.engine.connect(network, box, ())


def test_what_does_not_exist_cannot_be_connected(world: World, box: str) -> None:
    gone = world.network()
    world.engine.remove_network(gone)
    with refused():
        world.engine.connect(gone, box, ())


def test_a_network_in_use_is_not_removed(world: World) -> None:
    box, network = world.run(), world.network()
    world.engine.connect(network, box, ())
    with refused():
        world.engine.remove_network(network)
    world.engine.disconnect(network, box)
    world.engine.remove_network(network)
    world.engine.remove_network(network)
    assert by_id(world, network) is None


def test_a_stopped_container_counts_as_a_user_and_only_podman_keeps_its_network(world: World) -> None:
    box, network = world.run(), world.network()
    world.engine.connect(network, box, ())
    world.engine.stop(box, grace=0)
    assert world.engine.network_users(network) == (world.state(box).name,)
    if world.engine.name == "podman":  # it holds its network there, as one that runs does
        with refused():
            world.engine.remove_network(network)
        return
    world.engine.remove_network(network)
    with refused():
        world.engine.start(box)


# ── volumes ──


def test_a_volume_is_listed_with_its_labels(world: World) -> None:
    name = world.volume()
    found = next(state for state in world.engine.volumes() if state.name == name)
    assert found.driver == "local"
    assert found.labels["dev.envspec.env"] == world.env
    everything = [state.name for state in world.engine.volumes()]
    assert everything == sorted(everything)


def test_an_existing_volume_is_silently_kept_with_its_labels(world: World) -> None:
    name = world.volume()
    world.engine.create_volume(name, {**world.labels, "dev.envspec.address": "volume.other"})
    found = next(state for state in world.engine.volumes() if state.name == name)
    assert "dev.envspec.address" not in found.labels


def test_a_volume_outlives_its_container(world: World) -> None:
    mounts = (Mount("/data", "volume", world.volume()),)
    first = world.run(mounts=mounts)
    world.shell(first, "touch /data/kept")
    world.engine.remove_container(first)
    assert world.exists(world.run(mounts=mounts), "/data/kept") == {"/data/kept"}


def test_a_volume_in_use_is_not_removed(world: World) -> None:
    name = world.volume()
    box = world.create(mounts=(Mount("/data", "volume", name),))
    with refused():
        world.engine.remove_volume(name)
    world.engine.remove_container(box)
    world.engine.remove_volume(name)
    world.engine.remove_volume(name)
    assert name not in {state.name for state in world.engine.volumes()}


def test_nothing_is_written_to_a_read_only_mount(world: World) -> None:
    box = world.run(mounts=(Mount("/data", "volume", world.volume(), read_only=True),))
    assert world.shell(box, "touch /data/x").code != 0
    assert world.exists(box, "/data/x") == frozenset()


# ── images ──


def test_images_are_found_by_reference_and_by_id(world: World) -> None:
    found = world.engine.images((world.base, "envspec-test/none:1"))
    assert set(found) == {world.base}
    identity = found[world.base].id
    assert world.engine.images((identity,))[identity].id == identity


def test_no_question_gets_no_image(world: World) -> None:
    assert world.engine.images(()) == {}


def test_a_built_image_bears_its_labels(world: World) -> None:
    labels = {TEST_LABEL: "1", "dev.envspec.digest": "abc", "dev.envspec.settings": '{"a": "b,c=d $e"}'}
    ref = world.build(labels=labels)
    assert labels.items() <= world.engine.images((ref,))[ref].labels.items()


def test_building_the_same_again_gives_the_same_image(world: World) -> None:
    ref = world.build("ENV A=1\n")
    first = world.engine.images((ref,))[ref].id
    world.build("ENV A=1\n", ref)
    assert world.engine.images((ref,))[ref].id == first
    world.build("ENV A=2\n", ref)
    assert world.engine.images((ref,))[ref].id != first


@pytest.mark.parametrize("text", ["RUN false\n", "FROB it\n"])
def test_a_build_that_fails_leaves_no_image(world: World, text: str) -> None:
    with refused():
        world.build(text, ref := world.image_ref())
    assert world.engine.images((ref,)) == {}


def test_a_build_on_nothing_is_refused(world: World) -> None:
    with refused():
        world.engine.build(Build("FROM 127.0.0.1:1/none:1\n", world.image_ref(), {}))


def test_a_build_leaves_no_temporary_file(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    world.build("ENV A=1\n")
    assert list(tmp_path.iterdir()) == []


def test_the_progress_of_a_build_is_told(world: World) -> None:
    lines: list[str] = []
    world.engine.build(Build(f"FROM {world.base}\n", world.image_ref(), {TEST_LABEL: "1"}), on_line=lines.append)
    assert lines


def test_a_tag_is_taken_from_the_image_that_had_it(world: World) -> None:
    ref, other = world.build("ENV A=1\n"), world.build("ENV A=2\n")
    first, second = (world.engine.images((name,))[name].id for name in (ref, other))
    world.engine.tag(second, ref)
    assert world.engine.images((ref,))[ref].id == second
    world.engine.tag(first, ref)
    assert world.engine.images((ref,))[ref].id == first


def test_a_tag_of_an_unknown_image_is_refused(world: World) -> None:
    with refused():
        world.engine.tag("sha256:" + "0" * 64, world.image_ref())


def test_a_container_keeps_the_image_that_it_was_made_from(world: World) -> None:
    ref = world.build("ENV A=1\n")
    box = world.create(image=ref)
    before = world.state(box)
    world.build("ENV A=2\n", ref)
    after = world.state(box)
    assert (after.image_id, after.config.image) == (before.image_id, ref)
    assert world.engine.images((after.image_id,))


def test_a_reference_is_removed_and_what_is_gone_is_left_alone(world: World) -> None:
    ref = world.build("ENV A=3\n")
    again = world.image_ref()
    identity = world.engine.images((ref,))[ref].id
    world.engine.tag(identity, again)
    world.engine.remove_image(ref)
    world.engine.remove_image(ref)
    assert set(world.engine.images((ref, again))) == {again}
    world.engine.remove_image(again)
    assert world.engine.images((again,)) == {}


def test_the_last_reference_of_a_running_image_is_not_removed(world: World) -> None:
    ref = world.build("ENV A=4\n")
    box = world.run(image=ref)
    with refused():
        world.engine.remove_image(ref)
    world.engine.remove_container(box)
    world.engine.remove_image(ref)


def test_an_image_that_no_registry_has_cannot_be_pulled(world: World) -> None:
    with refused():
        world.engine.pull("127.0.0.1:1/none:1")


def test_images_that_environments_share_are_told_with_who_runs_them(world: World) -> None:
    purpose = world.name()
    ref = f"envspec/{purpose}:1"
    labels = {TEST_LABEL: "1", "dev.envspec.kind": "image", "dev.envspec.purpose": purpose}
    world.build("ENV A=1\n", ref, labels)
    upon = world.image_ref()
    try:
        world.engine.build(Build(f"FROM {ref}\nENV B=1\n", upon, {}))
        name = world.name()
        box = world.create(name, {TEST_LABEL: "1"}, image=ref)
        found = [
            stored for stored in world.engine.stored_images() if stored.labels.get("dev.envspec.purpose") == purpose
        ]
        assert [(stored.refs, [use.container for use in stored.uses]) for stored in found] == [((ref,), [name])]
        assert found[0].size > 0
        assert found[0].uses[-1].created >= found[0].created
        world.engine.remove_container(box)
        (unused,) = (stored for stored in world.engine.stored_images() if stored.refs == (ref,))
        world.engine.mark_used([ref, f"envspec/{purpose}:none"])
        (marked,) = (stored for stored in world.engine.stored_images() if stored.refs == (ref,))
        assert marked.id == unused.id
        if world.engine.name == "podman":  # it has no such time
            assert unused.last_used == marked.last_used == marked.created
        else:
            assert marked.created <= unused.last_used < marked.last_used
    finally:
        world.engine.remove_image(upon)
        world.engine.remove_image(ref)
    assert purpose not in {stored.labels.get("dev.envspec.purpose") for stored in world.engine.stored_images()}


def test_an_image_outlives_its_name_as_long_as_a_container_has_it(world: World) -> None:
    ref, saved = world.image_ref(), world.image_ref()
    world.build("ENV A=1\n", ref, {TEST_LABEL: "1"})
    first = world.engine.images([ref])[ref].id
    box = world.create(image=ref)
    world.build("ENV A=2\n", ref, {TEST_LABEL: "1"})
    try:
        assert world.engine.images([ref])[ref].id != first
        assert world.engine.images([first])[first].id == first
        assert world.engine.commit(box, saved, {TEST_LABEL: "1"})
        world.engine.release_images()
        assert first in world.engine.images([first])
        world.build("ENV A=1\n", ref, {TEST_LABEL: "1"})
        assert world.engine.images([ref])[ref].id == first
    finally:
        world.engine.remove_container(box)
        world.engine.remove_image(saved)
        world.engine.remove_image(ref)


# ── volumes that nobody named ──


def test_a_volume_of_the_image_is_told_apart_goes_with_its_container_and_can_be_taken_over(world: World) -> None:
    image = world.build("VOLUME /data")
    assert world.engine.images([image])[image].volumes == ("/data",)
    first = world.run(image=image)
    (mount,) = world.state(first).anonymous
    assert (mount.target, world.state(first).config.mounts) == ("/data", ())
    world.hands.write(first, "/data/mine", "by hand\n")

    second = world.run(image=world.base, mounts=(mount,))
    assert (world.state(second).anonymous, world.state(second).config.mounts) == ((mount,), ())
    borrower = world.run(mounts=(mount,))
    world.engine.remove_container(first)
    world.engine.remove_container(borrower, borrows=True)
    assert world.exists(second, "/data/mine")
    assert mount.source in {volume.name for volume in world.engine.volumes()}
    world.engine.remove_container(second)
    assert mount.source not in {volume.name for volume in world.engine.volumes()}


def test_what_a_new_container_finds_in_a_volume_of_its_image_is_not_undeclared(world: World) -> None:
    plain, image = world.run(), world.build("VOLUME /etc/skel")
    world.do(plain, RunCommand("true", "/", 0, 0, None))
    carried = world.do(plain, ReadState()).stdout
    box = world.run(image=image)
    world.do(box, PutState(carried))
    world.hands.write(box, "/etc/skel/mine", "by hand\n")
    asked = Questions(undeclared=("/", "/etc/skel"))
    assert world.engine.probe(box, asked).undeclared == ("/etc/skel/mine",)


def test_an_engine_of_this_host_sees_what_lies_here(engine: Engine, tmp_path: Path) -> None:
    assert engine.machine().here
    assert engine.sees((str(tmp_path), "/dev/shm")) == {str(tmp_path): True, "/dev/shm": True}
