"""Compose documents: reading, secrets, build contexts, and what becomes of a resolved one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envspec.compose import context, shelved
from envspec.compose.project import Project, project
from envspec.compose.read import Document, read
from envspec.engine import stack
from envspec.engine.fake_compose import resolved, variables
from envspec.engine.objects import Attachment, ContainerConfig, ContainerState, ImageState, NetworkState
from envspec.engine.stack import ComposeSource, config_argv
from envspec.errors import SpecError
from envspec.kinds import names
from envspec.kinds.base import Observed, Verdict
from envspec.kinds.network import NetworkSpec
from envspec.kinds.service import Service
from envspec.kinds.service_state import ServiceSpec
from envspec.model import Action, Cause, Disruption, Hidden, Resource, digest_of, to_json
from envspec.spec.load import loads

ENV = "shop"
CANARY = "canary-5f3a"
SHELF = "/dev/shm/envspec-0/shop"


def document(directory: Path, compose: dict[str, Any]) -> Document:
    text = json.dumps({"name": ENV, "image": "debian:13", "compose": compose})
    found = read(loads(text.encode(), "env.yaml", directory), (), variables)
    assert found is not None
    return found


def made(directory: Path, compose: dict[str, Any], environ: Mapping[str, str] | None = None) -> Project:
    source = document(directory, compose)
    found = resolved(source.source(ENV, {"ENVSPEC_NAME": ENV}))
    return project(shelved.with_host(source, json.loads(found), environ or {}), found, ENV, SHELF)


def spec_of(found: Project, name: str) -> ServiceSpec:
    (spec,) = [r.spec for r in found.services if r.address == f"service.{name}"]
    assert isinstance(spec, ServiceSpec)
    return spec


def handed(found: Project, name: str) -> dict[str, Any]:
    return dict(json.loads(spec_of(found, name).document.text)["services"][name])


def test_a_variable_of_the_users_files_is_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "vars.env").write_text(f"# a comment\nexport TOKEN='{CANARY}' # another\nPORT=8080\n")
    service = {"image": "x", "environment": {"T": "${TOKEN}", "P": "plain"}, "command": ["serve", "--token=${TOKEN}"]}
    spec = spec_of(made(tmp_path, {"services": {"db": service}, "env_file": ["vars.env"]}), "db")
    assert dict(spec.environment) == {"P": "plain", "T": Hidden(CANARY)}
    assert CANARY not in json.dumps(to_json(spec)) + spec.remembered + spec.noted("k") + repr(spec)
    assert CANARY in spec.document.text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("command", ["serve", "--token=${TOKEN}"]),
        ("labels", {"a": "${TOKEN}"}),
        ("healthcheck", {"test": ["CMD", "ask", "${TOKEN}"]}),
    ],
)
def test_a_secret_that_changed_in_a_setting_is_noticed_and_not_shown(tmp_path: Path, key: str, value: Any) -> None:
    def read(secret: str) -> ServiceSpec:
        (tmp_path / "vars.env").write_text(f"TOKEN={secret}\n")
        found = made(tmp_path, {"services": {"db": {"image": "x", key: value}}, "env_file": ["vars.env"]})
        assert any(f"in {key}, where" in note for note in found.notes)
        return spec_of(found, "db")

    before, after = read(CANARY), read("another-secret")
    labels = {**names.labels(ENV, "service", before.address), names.SETTINGS: before.noted("k")}
    assert CANARY not in labels[names.SETTINGS]
    assert compared(before, box(before, labels=labels)) is None
    verdict = compared(after, box(before, labels=labels))
    assert verdict is not None
    assert [(diff.path, diff.before, diff.cause) for diff in verdict.diff] == [(key, "(hidden)", Cause.SPEC)]


def test_what_is_in_no_file_is_bound_from_memory_where_it_may_not_be_in_a_layer(tmp_path: Path) -> None:
    (tmp_path / "vars.env").write_text(f"TOKEN={CANARY}\n")
    service = {"image": "x", "secrets": [{"source": "tok"}], "configs": [{"source": "a"}, {"source": "b"}]}
    document = {
        "services": {"db": service, "ro": {**service, "secrets": [], "read_only": True}},
        "secrets": {"tok": {"environment": "KEY"}},
        "configs": {"a": {"content": "open"}, "b": {"content": "with ${TOKEN}"}},
        "env_file": ["vars.env"],
    }
    found = made(tmp_path, document, {"KEY": f"{CANARY}-2", "OTHER": "x"})
    spec = spec_of(found, "db")
    assert spec.shelved == (("configs.b", Hidden(f"with {CANARY}")), ("secrets.tok", Hidden(f"{CANARY}-2")))
    assert [name for name, _ in spec_of(found, "ro").shelved] == ["configs.a", "configs.b"]
    assert CANARY not in spec.remembered + spec.document.text + repr(spec)
    files = json.loads(spec.document.text)
    assert files["secrets"] == {"db.tok": {"file": f"{SHELF}/db/secrets.tok"}}
    assert files["configs"]["a"]["content"] == "open"
    given = handed(found, "db")
    assert given["secrets"] == [{"source": "db.tok", "target": "/run/secrets/tok"}]
    assert [item["source"] for item in given["configs"]] == ["a", "db.b"]


def included(directory: Path, how: str) -> None:
    """Write two files, the first of which includes the second."""
    (directory / "deep").mkdir()
    (directory / "one.yaml").write_text(f"include: [{how}]\n")
    (directory / "deep" / "two.yaml").write_text("services: {db: {image: x}}\n")
    (directory / "deep" / ".env").write_text(f"# a comment\nTOKEN='{CANARY}'\n")


@pytest.mark.parametrize(
    ("env_file", "values"), [("deep/.env", (CANARY,)), ("/dev/null", ())], ids=["it is named", "another is named"]
)
def test_a_file_of_variables_that_a_nested_include_names_is_the_users(
    env_file: str, values: tuple[str, ...], tmp_path: Path
) -> None:
    included(tmp_path, f"{{path: deep/two.yaml, env_file: {env_file}}}")
    found = document(tmp_path, {"include": ["one.yaml"], "services": {}})
    assert (found.taken, found.telling, CANARY in repr(found)) == (values, [*values], False)


def test_a_stray_env_file_beside_what_is_included_twice_over_is_refused(tmp_path: Path) -> None:
    included(tmp_path, "deep/two.yaml")
    with pytest.raises(SpecError) as caught:
        document(tmp_path, {"include": ["one.yaml"], "services": {}})
    assert ("deep/.env" in caught.value.message, "env_file" in caught.value.hint) == (True, True)
    (tmp_path / "deep" / ".env").unlink()
    assert document(tmp_path, {"include": ["one.yaml"], "services": {}}).taken == ()


def test_a_variable_of_this_host_is_an_effect_and_one_of_the_users_files_is_none(tmp_path: Path) -> None:
    (tmp_path / "vars.env").write_text(f"TOKEN={CANARY}\n")
    document_ = {"services": {}, "secrets": {"a": {"environment": "TOKEN"}, "b": {"environment": "KEY"}}}
    source = document(tmp_path, {**document_, "env_file": ["vars.env"]})
    data = json.loads(resolved(source.source(ENV, {})))
    found = shelved.with_host(source, data, {"KEY": "1", "TOKEN": "2"})
    assert [(effect.name, effect.address) for effect in found.effects] == [("host-variable", "secrets.b")]
    with pytest.raises(SpecError) as caught:
        shelved.with_host(source, data, {})
    assert caught.value.code == "compose.no_value"


@pytest.mark.parametrize(
    "service",
    [
        {"image": "x", "secrets": [{"source": "tok", "mode": "0400"}]},
        {"image": "x", "build": {"secrets": [{"source": "tok"}]}},
    ],
)
def test_what_a_secret_in_memory_cannot_do_is_said(service: dict[str, Any], tmp_path: Path) -> None:
    document_ = {"services": {"db": service}, "secrets": {"tok": {"environment": "KEY"}}}
    with pytest.raises(SpecError) as caught:
        made(tmp_path, document_, {"KEY": CANARY})
    assert (caught.value.code, bool(caught.value.hint)) == ("compose.unsupported", True)


def test_a_secret_that_changes_shows_as_hidden(tmp_path: Path) -> None:
    (tmp_path / "vars.env").write_text(f"TOKEN={CANARY}\n")
    service = {"image": "x", "environment": {"T": "${TOKEN}"}}
    spec = spec_of(made(tmp_path, {"services": {"db": service}, "env_file": ["vars.env"]}), "db")
    verdict = compared(spec, box(spec, environment={"T": "old"}))
    assert verdict is not None
    assert [(d.path, d.before, d.after) for d in verdict.diff] == [("environment.T", "(hidden)", "(hidden)")]


def test_what_compose_is_handed_depends_on_nothing_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    service = {
        "image": "x",
        "environment": {"UNSET": None, "SET": "1"},
        "ports": [{"target": 80, "published": "8080"}, {"target": 81, "host_ip": "10.0.0.1"}],
        "volumes": [{"type": "bind", "source": str(tmp_path / "link"), "target": "/x"}],
        "depends_on": {},
        "profiles": [],
    }
    found = made(tmp_path, {"services": {"db": service}})
    given = handed(found, "db")
    assert given["environment"] == {"SET": "1"}
    assert [port["host_ip"] for port in given["ports"]] == ["127.0.0.1", "10.0.0.1"]
    assert given["volumes"][0]["source"] == str(tmp_path / "real")
    assert not {"depends_on", "profiles"} & given.keys()
    assert found.notes == ("ports of services that name no address are published on 127.0.0.1 only",)


def test_networks_and_volumes_are_resources_and_only_used_by_compose(tmp_path: Path) -> None:
    volumes = [{"type": "volume", "source": "data", "target": "/d"}]
    services = {
        "db": {"image": "x", "volumes": volumes, "networks": {"back": None}},
        "web": {"image": "x", "depends_on": {"db": {"condition": "service_healthy"}}},
    }
    found = made(tmp_path, {"services": services, "networks": {"back": None}, "volumes": {"data": None}})
    assert {r.address for r in found.outer} == {"network.shop", "network.shop_back", "volume.data"}
    assert found.networks == ("shop", "shop_back")
    assert {r.address: r.needs for r in found.services} == {
        "service.db": ("network.shop", "network.shop_back", "volume.data"),
        "service.web": ("network.shop", "network.shop_back", "service.db"),
    }
    text = json.loads(spec_of(found, "db").document.text)
    assert text["volumes"]["data"] == {"name": "shop-data", "external": True}
    assert text["networks"]["default"] == {"name": "shop", "external": True}


def test_each_further_container_is_a_service_of_its_own_reached_by_the_same_name(tmp_path: Path) -> None:
    services = {
        "web": {"image": "x", "deploy": {"replicas": 3}, "secrets": [{"source": "tok"}], "environment": {"A": "1"}},
        "front": {"image": "x", "depends_on": {"web": {"condition": "service_started", "restart": True}, "off": {}}},
        "off": {"image": "x", "scale": 0},
    }
    found = made(tmp_path, {"services": services, "secrets": {"tok": {"environment": "K"}}}, {"K": CANARY})
    addresses = ("service.web", "service.web[2]", "service.web[3]")
    assert tuple(r.address for r in found.services) == (*addresses, "service.front")
    assert {r.address: {*r.needs} - {"network.shop"} for r in found.services} == {
        "service.web": set(),
        "service.web[2]": {"service.web"},
        "service.web[3]": {"service.web"},
        "service.front": {*addresses},
    }
    assert spec_of(found, "front").restarts_with == addresses
    spec = spec_of(found, "web[2]")
    assert (spec.container, spec.networks, spec.which) == ("shop-web-2", (("shop", ("web", "web.2")),), " (2 of 3)")
    assert dict(spec.environment) == {"A": "1"}
    text = json.loads(spec.document.text)
    assert sorted(text["services"]) == ["front", "web", "web.2", "web.3"]
    assert text["services"]["web.2"]["networks"] == {"default": {"aliases": ["web"]}}
    assert text["secrets"]["web.2.tok"] == {"file": f"{SHELF}/web[2]/secrets.tok"}
    assert found.notes == ("off has 0 containers", "web has 3 containers")


def test_another_number_changes_nothing_of_those_that_stay(tmp_path: Path) -> None:
    two, three = (made(tmp_path, {"services": {"web": {"image": "x", "scale": number}}}) for number in (2, 3))
    for name in ("web", "web[2]"):
        assert compared(spec_of(three, name), box(spec_of(two, name))) is None


def test_an_internal_network_is_one_and_its_ports_are_spoken_of(tmp_path: Path) -> None:
    services = {
        "db": {"image": "x", "networks": {"back": None}, "ports": [{"target": 1, "host_ip": "127.0.0.1"}]},
        "web": {"image": "x", "networks": {"back": None, "default": None}, "ports": [{"target": 1}]},
    }
    found = made(tmp_path, {"services": services, "networks": {"back": {"internal": True}}})
    assert {r.address: r.spec for r in found.outer} == {
        "network.shop": NetworkSpec("shop"),
        "network.shop_back": NetworkSpec("shop_back", internal=True),
    }
    assert [note.partition(" ")[0] for note in found.notes if "internal" in note] == ["db"]


@pytest.mark.parametrize(
    "compose",
    [
        {"services": {"x": {"image": "x", "deploy": {"replicas": 3}, "ports": [{"target": 1, "published": "80"}]}}},
        {"services": {"x": {"image": "x", "scale": 3, "container_name": "y"}}},
        {"services": {"x": {"image": "x", "scale": 100_000}}},
        {"services": {"x": {"image": "x", "scale": 2}, "x.2": {"image": "x"}}},
        {"services": {"x": {"image": "x"}}, "networks": {"default": {"enable_ipv6": True}}},
        {"services": {"workspace": {"image": "x"}}},
    ],
)
def test_what_is_not_done_is_said(compose: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        made(tmp_path, compose)
    assert (caught.value.code, bool(caught.value.hint)) == ("compose.unsupported", True)


def test_a_build_context_counts_by_what_the_build_is_given(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "cache").mkdir()
    (tmp_path / ".dockerignore").write_text("# no caches\ncache\n**/*.log\n*.tmp\n!keep.tmp\n")
    build = {"context": str(tmp_path)}
    before = context.digest(build, "service.x")
    for name in ("cache/one", "deep.log", "some.tmp"):
        (tmp_path / name).write_text("left out\n")
    assert context.digest(build, "service.x") == before
    for name in ("keep.tmp", "app.py"):
        (tmp_path / name).write_text("taken in\n")
        after = context.digest(build, "service.x")
        assert after != before
        before = after
    assert context.digest({**build, "args": {"A": "1"}}, "service.x") != before


def box(spec: ServiceSpec, **changes: Any) -> ContainerState:
    """Return the container that a service asks for, but for some changes."""
    environment = {n: v.text if isinstance(v, Hidden) else v for n, v in spec.environment}
    config = {
        "image": spec.image,
        "env": {**environment, **changes.pop("environment", {})},
        **{name: value for name, value in spec.limits.items() if value is not None},
        **changes.pop("config", {}),
    }
    state: dict[str, Any] = {
        "id": "1" * 64,
        "name": spec.container,
        "status": "running",
        "image_id": "sha256:a",
        "labels": {**names.labels(ENV, "service", spec.address), names.SETTINGS: spec.remembered},
        "config": ContainerConfig(**config),
        "networks": tuple(Attachment(name, f"id-{name}", aliases) for name, aliases in spec.networks),
        **changes,
    }
    return ContainerState(**state)


def compared(
    spec: ServiceSpec, *boxes: ContainerState, image: str = "sha256:a", shelved: Mapping[str, Hidden] | None = None
) -> Verdict | None:
    nets = tuple(NetworkState(f"id-{name}", name, "bridge", {}) for name, _ in spec.networks)
    world = Observed(
        ENV, containers=boxes, images={spec.image: ImageState(image, {})}, networks=nets, shelved=shelved or {}
    )
    return Service().diff(Resource(spec.address, "service", spec), spec, world)


@pytest.fixture
def spec(tmp_path: Path) -> ServiceSpec:
    service = {
        "image": "x",
        "environment": {"A": "1"},
        "mem_limit": "67108864",
        "healthcheck": {"test": ["CMD", "true"]},
    }
    return spec_of(made(tmp_path, {"services": {"db": service}}), "db")


def test_a_service_as_it_shall_be_needs_nothing(spec: ServiceSpec) -> None:
    assert compared(spec, box(spec, health="healthy")) is None


@pytest.mark.parametrize(
    ("changes", "action", "path", "cause"),
    [
        ({"status": "exited"}, Action.UPDATE, "status", Cause.DRIFT),
        ({"status": "paused"}, Action.UPDATE, "status", Cause.DRIFT),
        ({"status": "created"}, Action.REPLACE, "status", Cause.ENGINE),
        ({"health": "unhealthy"}, Action.UPDATE, "status", Cause.DRIFT),
        ({"networks": ()}, Action.UPDATE, "networks.shop", Cause.DRIFT),
        ({"networks": (Attachment("shop", "gone", ("db",)),)}, Action.REPLACE, "networks.shop", Cause.DRIFT),
        ({"config": {"memory": 1}}, Action.UPDATE, "memory", Cause.DRIFT),
        ({"config": {"cpus": 2.0}}, Action.REPLACE, "cpus", Cause.DRIFT),
        ({"config": {"image": "y"}}, Action.REPLACE, "image", Cause.SPEC),
        ({"image_id": "sha256:old"}, Action.REPLACE, "image", Cause.DRIFT),
        ({"environment": {"A": "2"}}, Action.REPLACE, "environment.A", Cause.SPEC),
        ({"name": "0123_shop-db-1"}, Action.UPDATE, "name", Cause.ENGINE),
    ],
)
def test_every_difference_has_its_own_remedy(
    spec: ServiceSpec, changes: dict[str, Any], action: Action, path: str, cause: Cause
) -> None:
    verdict = compared(spec, box(spec, **changes))
    assert verdict is not None
    assert (verdict.action, [(d.path, d.cause) for d in verdict.diff]) == (action, [(path, cause)])


@pytest.mark.parametrize(
    ("there", "cause"),
    [({}, Cause.DRIFT), ({"db/secrets.tok": Hidden("old")}, Cause.SPEC), ({"db/secrets.tok": None}, None)],
)
def test_what_lies_in_memory_is_compared_and_mended_with_a_restart(
    there: dict[str, Hidden | None], cause: Cause | None, tmp_path: Path
) -> None:
    service = {"image": "x", "secrets": [{"source": "tok"}]}
    found = made(tmp_path, {"services": {"db": service}, "secrets": {"tok": {"environment": "K"}}}, {"K": CANARY})
    spec = spec_of(found, "db")
    seen = {key: value or Hidden(CANARY) for key, value in there.items()}
    verdict = compared(spec, box(spec), shelved=seen)
    if cause is None:
        assert verdict is None
    else:
        assert verdict is not None
        assert (verdict.action, verdict.disruption) == (Action.UPDATE, Disruption.RESTART)
        assert [(d.path, d.cause) for d in verdict.diff] == [("secrets.tok", cause)]


def test_what_a_service_that_is_gone_left_in_memory_is_removed() -> None:
    world = Observed(ENV, shelved={"old/secrets.tok": Hidden(CANARY)})
    assert Service().existing(world) == ("service.old",)


def test_an_attribute_of_the_document_is_named_with_what_it_was(spec: ServiceSpec) -> None:
    kept = json.loads(spec.remembered)
    kept["settings"]["command"] = ["old"]
    labels = {**names.labels(ENV, "service", spec.address), names.SETTINGS: json.dumps(kept)}
    verdict = compared(spec, box(spec, labels=labels))
    assert verdict is not None
    assert [(d.path, d.before, d.after) for d in verdict.diff] == [("command", ["old"], None)]


def test_two_containers_of_one_service_are_one_too_many(spec: ServiceSpec) -> None:
    verdict = compared(spec, box(spec), box(spec, id="2" * 64, name="0123_shop-db-1"))
    assert verdict is not None
    assert (verdict.action, [d.path for d in verdict.diff]) == (Action.UPDATE, ["name"])


def test_a_service_that_is_starting_is_waited_for(spec: ServiceSpec) -> None:
    verdict = compared(spec, box(spec, health="starting"))
    assert verdict is not None
    assert verdict.action is Action.RUN


def test_the_document_alone_changes_no_digest(spec: ServiceSpec) -> None:
    assert digest_of(spec) == digest_of(to_json(spec))
    assert "services" not in json.dumps(to_json(spec))


def test_the_plugin_of_the_users_own_directory_resolves_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir()
    plugin.touch(mode=0o755)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    argv = config_argv(("docker", "--context", "there"), ComposeSource("shop", "/srv", "{}"), "/dev/null")
    assert argv[:3] == [str(plugin), "--project-name", "shop"]


def test_without_a_plugin_in_sight_the_engines_command_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(stack, "_PLUGINS", ())
    argv = config_argv(("nowhere", "--context", "there"), ComposeSource("shop", "/srv", "{}"), "/dev/null")
    assert argv[:4] == ["nowhere", "--context", "there", "compose"]
