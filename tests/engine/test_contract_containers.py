"""Containers: create, start, stop, rename, remove, and what is read back."""

from __future__ import annotations

import pytest

from envspec.engine.facts import RUN_DIR, Questions
from envspec.engine.objects import ContainerConfig, Mount, Port
from envspec.engine.operations import PutEnvironment, Record
from envspec.errors import EngineCallFailed
from tests.engine.contract import TEST_LABEL, World, refused

pytestmark = pytest.mark.engine

CONFIGURED: dict[str, object] = {
    "command": ("sleep", "3600"),
    "hostname": "elsewhere",
    "user": "1000:1000",
    "workdir": "/work",
    "tmpfs": (RUN_DIR, "/scratch"),
    "ports": (Port(53, protocol="udp"), Port(80)),
    "add_hosts": (("api.test", "10.1.2.3"), ("db.test", "10.1.2.4")),
    "memory": 64 << 20,
    "cpus": 0.5,
    "pids": 100,
    "shm_size": 32 << 20,
    "cap_drop": ("ALL",),
    "cap_add": ("CHOWN", "SETUID"),
    "security_opt": ("no-new-privileges",),
    "read_only": True,
    "restart": "unless-stopped",
    "init": False,
}


@pytest.mark.parametrize("attribute", sorted(CONFIGURED))
def test_what_it_is_created_with_is_read_back(world: World, configured: str, attribute: str) -> None:
    assert getattr(world.state(configured).config, attribute) == CONFIGURED[attribute]


@pytest.fixture(scope="module")
def configured(world: World) -> str:
    return world.create(**CONFIGURED)  # type: ignore[arg-type]  # fields of the configuration by name


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("memory", None),
        ("cpus", None),
        ("pids", None),
        ("ports", ()),
        ("mounts", ()),
        ("add_hosts", ()),
        ("shm_size", None),
        ("gpu", False),
        ("cap_drop", ()),
        ("cap_add", ()),
        ("security_opt", ()),
        ("read_only", False),
        ("privileged", False),
        ("restart", "no"),
        ("init", True),
        ("network", "bridge"),
        ("tmpfs", (RUN_DIR,)),
        ("user", "0:0"),
    ],
)
def test_what_was_left_out_is_read_back_as_left_out(world: World, box: str, attribute: str, value: object) -> None:
    assert getattr(world.state(box).config, attribute) == value


def test_mounts_are_read_back(world: World) -> None:
    mounts = (Mount("/data", "volume", world.volume()), Mount("/kept", "volume", world.volume(), read_only=True))
    assert world.state(world.create(mounts=mounts)).config.mounts == mounts


def test_variables_are_read_back(world: World) -> None:
    state = world.state(world.create(env={"COLOUR": "light blue"}))
    assert state.config.env["COLOUR"] == "light blue"


@pytest.mark.parametrize("network", ["none", "host"])
def test_other_networks_are_read_back(world: World, network: str) -> None:
    assert world.state(world.create(network=network)).config.network == network


def test_a_new_container_is_created_and_not_started(world: World) -> None:
    state = world.state(world.create(name := world.name()))
    assert (state.name, state.status, state.running, state.published) == (name, "created", False, ())


def test_a_started_container_runs_its_image_on_the_bridge(world: World, box: str) -> None:
    state = world.state(box)
    assert (state.status, state.running, state.exit_code) == ("running", True, 0)
    assert state.image_id == world.engine.images((world.base,))[world.base].id
    assert [attachment.network for attachment in state.networks] == ["bridge"]


def test_labels_are_kept(world: World) -> None:
    labels = {**world.labels, "dev.envspec.digest": "abc", "dev.envspec.settings": '{"a": "b,c=d\\n"}'}
    state = world.state(world.create(labels=labels))
    assert labels.items() <= state.labels.items()


def test_an_image_passes_its_labels_on(world: World) -> None:
    ref = world.build(labels={TEST_LABEL: "1", "dev.envspec.base": "of the image", "dev.envspec.kind": "image"})
    state = world.state(world.create(image=ref, labels={**world.labels, "dev.envspec.kind": "container"}))
    assert state.labels["dev.envspec.base"] == "of the image"
    assert state.labels["dev.envspec.kind"] == "container"


def test_a_taken_name_is_refused(world: World) -> None:
    world.create(name := world.name())
    with refused():
        world.create(name)


def test_an_unknown_image_is_refused(world: World) -> None:
    with refused():
        world.create(image="envspec-test/none:1")


def test_a_memory_limit_in_which_nothing_runs_is_refused(world: World) -> None:
    with refused():  # Docker when it creates, Podman when it starts
        world.run(memory=1 << 20)


def test_start_and_stop_do_nothing_the_second_time(world: World) -> None:
    box = world.create()
    for _ in range(2):
        world.engine.start(box)
        assert world.state(box).status == "running"
    for _ in range(2):
        world.engine.stop(box, grace=0)
        assert world.state(box).status == "exited"


def test_what_is_gone_cannot_be_started_or_stopped(world: World) -> None:
    box = world.create()
    world.engine.remove_container(box)
    with refused():
        world.engine.start(box)
    with refused():
        world.engine.stop(box)


def test_a_free_port_is_chosen_at_start_and_stays_zero_in_the_configuration(world: World) -> None:
    box = world.run(ports=(Port(80),))
    state = world.state(box)
    (port,) = state.published
    assert (port.container, port.address, port.protocol) == (80, "127.0.0.1", "tcp")
    assert port.host > 0
    assert state.config.ports == (Port(80),)
    world.engine.stop(box, grace=0)
    assert world.state(box).published == ()


def test_a_taken_host_port_is_refused_at_start_only(world: World) -> None:
    first = world.run(ports=(Port(80),))
    host = world.state(first).published[0].host
    second = world.create(ports=(Port(81, host),))
    with refused():
        world.engine.start(second)
    assert world.state(second).status == "created"
    assert world.state(first).running
    world.engine.stop(first, grace=0)
    world.engine.start(second)
    assert world.state(second).published == (Port(81, host),)


def test_a_paused_container_goes_on_when_unpaused(world: World) -> None:
    box = world.run()
    world.hands.pause(box)
    assert world.state(box).status == "paused"
    with refused():
        world.engine.start(box)
    with pytest.raises(EngineCallFailed):
        world.shell(box, "true")
    world.engine.unpause(box)
    assert world.state(box).status == "running"
    with refused():
        world.engine.unpause(box)


def test_a_paused_container_can_be_stopped(world: World) -> None:
    box = world.run()
    world.hands.pause(box)
    world.engine.stop(box, grace=0)
    assert world.state(box).status == "exited"


def test_removing_kills_and_does_nothing_the_second_time(world: World) -> None:
    box = world.run()
    world.engine.remove_container(box)
    world.engine.remove_container(box)
    assert box not in {state.id for state in world.engine.containers(world.env)}


def test_a_rename_frees_the_old_name(world: World) -> None:
    first = world.run()
    old = world.state(first).name
    new = world.name()
    world.engine.rename(first, new)
    assert world.state(first).name == new
    second = world.create(old)
    with refused():
        world.engine.rename(second, new)


def test_containers_are_found_by_environment_and_by_name(world: World) -> None:
    ours = world.create()
    foreign = world.create(name := world.name(), labels={TEST_LABEL: "1"})
    by_env = {state.id for state in world.engine.containers(world.env)}
    assert ours in by_env
    assert foreign not in by_env
    assert foreign in {state.id for state in world.engine.containers(world.env, (name, "evt-none"))}
    everything = {state.id for state in world.engine.containers()}
    assert ours in everything
    assert foreign not in everything


def test_a_restart_keeps_files_and_empties_the_tmpfs(world: World) -> None:
    box = world.run()
    world.do(box, PutEnvironment("export A=1\n", 0, 0, b"", Record("environment.e", "d")))
    world.shell(box, "touch /opt/kept")
    world.engine.stop(box, grace=0)
    world.engine.start(box)
    found = world.engine.probe(box, Questions(exists=("/opt/kept",)))
    assert found.environment is None
    assert found.exists == {"/opt/kept"}
    assert found.entry("environment.e")


def test_files_of_a_container_go_with_it(world: World) -> None:
    box = world.create(name := world.name())
    world.engine.start(box)
    world.shell(box, "touch /opt/gone")
    world.engine.remove_container(box)
    again = world.create(name)
    world.engine.start(again)
    assert world.exists(again, "/opt/gone") == frozenset()


def test_the_working_directory_is_made(world: World) -> None:
    box = world.run(workdir="/made/for/me")
    assert world.exists(box, "/made/for/me") == {"/made/for/me"}


def test_the_default_configuration_is_what_the_engine_reads_back(world: World, box: str) -> None:
    read = world.state(box).config
    expected = ContainerConfig(world.base, hostname="box", env=read.env)
    assert read == expected
