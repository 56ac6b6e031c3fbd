"""What those lost who came from Compose: values, keys and files passed over in silence, faults without a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envspec.api.stack import Permission, stack
from envspec.compose import needs
from envspec.compose.read import Document, read
from envspec.engine import stack as engine_stack
from envspec.engine.capabilities import Versions, version_of
from envspec.engine.fake import FakeEngine
from envspec.engine.fake_compose import variables
from envspec.engine.stack import config_of
from envspec.errors import Refused, SpecError, SpecFaults
from envspec.model import Effect
from envspec.resolve import Candidate
from envspec.spec.load import load

OLD = Versions((20, 10, 24), (2, 26, 1))
OLD_PODMAN = Versions((4, 3, 1), (2, 26, 1))
NEW = Versions((28, 5), (2, 39))
SPEC = "name: shop\nimage: debian:13\ncompose: {file: compose.yaml}\n"


def document(directory: Path, text: str, spec: str = SPEC, allowed: tuple[str, ...] = ()) -> Document:
    (directory / "env.yaml").write_text(spec)
    (directory / "compose.yaml").write_text(text)
    found = read(load(directory / "env.yaml"), allowed, variables)
    assert found is not None
    return found


def place(error: SpecError | Refused) -> tuple[str, int, str]:
    return Path(error.where.file).name, error.where.line, error.where.address


def notes_of(directory: Path, text: str, spec: str = SPEC, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    made = document(directory, text, spec)
    way = Candidate("registry", base="debian:13")
    loaded = load(directory / "env.yaml")
    return stack(FakeEngine(), loaded, made, way, Permission(), environ or {}).project.notes


DB = "services:\n  db:\n    image: x\n"


def test_the_env_file_beside_a_compose_file_gives_values_and_is_spoken_of(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TAG='16'\nCOMPOSE_PROFILES=extra\nDOCKER_HOST=tcp://there\n")
    found = document(tmp_path, "services: {db: {image: 'x:${TAG}'}}\n")
    assert (found.secrets, found.profiles) == ((("TAG", "16"),), ())
    assert [note.split()[0] for note in found.notes] == ["variables", "COMPOSE_PROFILES", "DOCKER_HOST"]
    assert "`profiles`" in found.notes[1]


def test_files_that_the_spec_names_stand_in_for_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TAG=16\n")
    (tmp_path / "own.env").write_text("TAG=17\n")
    found = document(tmp_path, DB, SPEC.replace("file:", "env_file: [own.env], file:"))
    assert (dict(found.secrets), found.notes, Path(found.stray).name) == ({"TAG": "17"}, (), ".env")


def test_an_env_file_that_is_a_link_out_of_the_project_is_not_read(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret").write_text("A=1\n")
    (project / ".env").symlink_to(tmp_path / "secret")
    with pytest.raises(Refused) as caught:
        document(project, DB)
    assert "outside-file" in caught.value.hint


def test_a_variable_without_a_value_is_named_with_its_line(tmp_path: Path) -> None:
    text = "services:\n  db:\n    image: x\n    command: ['$$HOME', '${HOME}']\n    user: ${WHO}\n"
    notes = notes_of(tmp_path, text, environ={"HOME": "/root"})
    assert ["compose.yaml:4:25: $HOME" in notes[0], "compose.yaml:5:11: $WHO" in notes[1]] == [True, True]
    assert ["not passed on" in note for note in notes] == [True, False]


def test_a_stray_env_file_beside_a_spec_is_what_an_unset_variable_points_to(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WHO=me\n")
    inline = "name: shop\nimage: debian:13\ncompose: {services: {db: {image: x, user: '${WHO}'}}}\n"
    (note,) = notes_of(tmp_path, DB, inline)
    assert ("env.yaml:3:" in note, "`env_file: [.env]`" in note) == (True, True)


@pytest.mark.parametrize("name", ["compose.override.yaml", "compose.override.yml", "docker-compose.override.yml"])
def test_a_file_that_compose_would_merge_is_named_and_how_to_merge_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("services: {db: {user: '1'}}\n")
    (note,) = document(tmp_path, DB).notes
    assert f"include: [{{path: [compose.yaml, {name}]}}]" in note
    merged = f"name: shop\nimage: debian:13\ncompose: {{include: [{{path: [compose.yaml, {name}]}}]}}\n"
    assert document(tmp_path, DB, merged).data["include"][0]["path"] == ["compose.yaml", name]


def test_what_compose_warns_of_is_read_apart() -> None:
    begin = 'time="2026-11-25T17:00:00Z" level=warning msg='
    unset = 'The \\"X\\" variable is not set. Defaulting to a blank string.'
    found = config_of("{}", f'{begin}"{unset}"\n{begin}"something else"\n')
    assert (found.unset, found.warnings) == (("X",), ("something else",))


def test_what_compose_says_of_a_faulty_file_of_variables_is_not_repeated() -> None:
    said = 'failed to read /proc/1/fd/3: line 3: unexpected character "\\\\" in variable name "canary"'
    fault = engine_stack.variables_fault(said)
    assert (fault.where.line, "canary" in str(fault)) == (3, False)


def test_a_faulty_file_of_variables_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=1\n")
    (tmp_path / "b.env").write_text("B=1\nPW='it'\\''s'\n")
    with pytest.raises(SpecError) as caught:
        document(tmp_path, DB, SPEC.replace("file:", "env_file: [a.env, b.env], file:"))
    assert place(caught.value)[:2] == ("b.env", 2)


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        (DB + "    foo: 1\n", "services.db Additional property foo is not allowed", 4),
        (DB + "    mem_limit: 1q\n", "error decoding 'services[db].mem_limit': invalid size: '1q'", 4),
        (DB + "    ports:\n      - 1\n      - q\n", "services.db.ports.1 is invalid", 6),
        (DB + "    depends_on: [q]\n", 'service "db" depends on undefined service "q": invalid compose project', 2),
        (DB, "something without a name", 1),
    ],
)
def test_a_refusal_of_compose_has_the_line_of_its_key(text: str, said: str, line: int, tmp_path: Path) -> None:
    where = document(tmp_path, text).places.said(said)
    assert (Path(where.file).name, where.line) == ("compose.yaml", line)


def test_lines_of_an_inline_document_are_those_of_the_spec(tmp_path: Path) -> None:
    inline = "name: shop\nimage: debian:13\ncompose:\n  services:\n    db:\n      image: x\n      scale: 99\n"
    with pytest.raises(SpecError) as caught:
        notes_of(tmp_path, DB, inline)
    assert place(caught.value) == ("env.yaml", 5, "services.db")


def test_a_key_of_a_file_that_is_taken_in_has_the_line_there(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text("services:\n  other:\n    image: x\n    gpus: all\n")
    found = document(tmp_path, "include: [part.yaml]\n" + DB)
    where = found.places.where("services", "other", "gpus")
    assert (Path(where.file).name, where.line, where.address) == ("part.yaml", 4, "services.other.gpus")


def test_what_reaches_out_has_the_line_of_what_reaches_out(tmp_path: Path) -> None:
    found = document(tmp_path, DB + "    volumes:\n      - ./x:/x\n      - /etc:/h\n    privileged: true\n")
    effect = Effect("host-bind", "service.db", "/etc, outside the project")
    with pytest.raises(Refused) as caught:
        Permission((), insists=True).check((effect,), found.places.effect)
    assert place(caught.value) == ("compose.yaml", 6, "service.db")


def asked(directory: Path, engine: str, versions: Versions, **service: Any) -> tuple[str, ...]:
    found = document(directory, json.dumps({"services": {"db": {"image": "x", **service}}}))
    return needs.check(found, found.data, engine, lambda: versions)


IGNORED = [
    ({"healthcheck": {"test": ["CMD", "true"], "start_interval": "1s"}}, "healthcheck.start_interval", "both"),
    ({"networks": {"default": {"mac_address": "02:42:ac:11:00:77"}}}, "networks.default.mac_address", "both"),
    ({"mac_address": "02:42:ac:11:00:77"}, "mac_address", "podman"),
    ({"extra_hosts": ["a:host-gateway"]}, "extra_hosts[0]", "podman"),
    ({"post_start": [{"command": ["x"]}]}, "post_start", "both"),
    ({"gpus": "all"}, "gpus", "both"),
    ({"volumes": [{"type": "volume", "volume": {"subpath": "s"}}]}, "volumes[0].volume.subpath", "both"),
    ({"volumes": [{"type": "bind", "source": '/a"b'}]}, "volumes[0].source", "podman"),
    ({"volumes": [{"type": "bind", "source": "/a:b"}]}, "volumes[0].source", "podman"),
]


@pytest.mark.parametrize(("service", "path", "which"), IGNORED, ids=[f"{path}-{which}" for _, path, which in IGNORED])
def test_what_would_be_ignored_is_refused_before_anything_is_made(
    service: dict[str, Any], path: str, which: str, tmp_path: Path
) -> None:
    for engine, versions in (("docker", OLD), ("podman", OLD_PODMAN)):
        if which in ("both", engine):
            with pytest.raises(SpecFaults) as caught:
                asked(tmp_path, engine, versions, **service)
            assert caught.value.where.address == f"services.db.{path}"
            assert (caught.value.code, bool(caught.value.hint)) == ("compose.unsupported", True)
        else:
            assert asked(tmp_path, engine, versions, **service) == ()
    assert asked(tmp_path, "docker", NEW, **service) == ()


def test_what_has_no_effect_and_changes_nothing_is_noted_by_name(tmp_path: Path) -> None:
    more = {"annotations": {"a": "b"}, "deploy": {"placement": {"constraints": []}}, "pull_policy": "always"}
    assert asked(tmp_path, "docker", OLD, **more) == (
        "services.db.annotations has no effect here",
        "services.db.pull_policy has no effect here",
        "services.db.deploy.placement has no effect here",
    )
    secret = {"secrets": [{"source": "s", "mode": "0400"}]}
    assert asked(tmp_path, "docker", OLD, **secret) == ("services.db.secrets[0].mode has no effect here",)


def test_no_version_is_asked_for_where_nothing_depends_on_one(tmp_path: Path) -> None:
    found = document(tmp_path, DB)
    assert needs.check(found, found.data, "docker", lambda: pytest.fail("asked")) == ()


@pytest.mark.parametrize(
    ("text", "version"), [("20.10.24+dfsg1", (20, 10, 24)), ("v2.26.1-4", (2, 26, 1)), ("dev", ())]
)
def test_a_version_is_its_numbers(text: str, version: tuple[int, ...]) -> None:
    assert version_of(text) == version
