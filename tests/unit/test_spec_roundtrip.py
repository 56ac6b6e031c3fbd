"""Every spec survives being dumped to JSON, as saved plans need it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from envspec.spec.load import loads
from envspec.spec.models import Spec

words = st.from_regex(r"[a-z][a-z0-9]{1,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=20)
commands = texts.filter(str.strip)
scalars = st.one_of(texts, st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
durations = st.one_of(st.integers(1, 10**6), st.floats(0.001, 10**6), st.sampled_from(["2s", "500ms", "1m30s", "1h"]))
sizes = st.one_of(st.none(), st.sampled_from(["none", "512m", "1.5g", "4GiB"]), st.integers(6 * 2**20, 2**50))


def distinct(prefix: str) -> st.SearchStrategy[list[str]]:
    return st.lists(words.map(lambda word: f"{prefix}{word}"), unique=True, max_size=4)


def some(**keys: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=keys)


def built(
    form: st.SearchStrategy[dict[str, object]], **more: st.SearchStrategy[object]
) -> st.SearchStrategy[dict[str, object]]:
    return st.builds(lambda one, two: one | two, form, st.fixed_dictionaries(more))


modes = st.one_of(st.integers(0, 0o7777), st.sampled_from(["0644", "755", "0o600", "4755"]))
origins = st.one_of(st.fixed_dictionaries({"content": scalars}), st.fixed_dictionaries({"source": words}))
files = st.one_of(
    commands,
    st.builds(
        lambda origin, rest: origin | rest,
        origins,
        some(mode=modes, owner=st.sampled_from(["user", "root", "0:0", "1000:1000"])),
    ),
)
purposes = st.one_of(words, built(some(), use=words, params=st.dictionaries(words, scalars, max_size=3)))
starts = st.one_of(st.fixed_dictionaries({"purpose": purposes}), st.fixed_dictionaries({"image": words}))
rest = some(
    name=words,
    image_source=st.sampled_from(["auto", "local", "registry", "bootstrap"]),
    workspace=words.map(lambda word: f"/srv/{word}"),
    mount_cwd=st.one_of(st.none(), st.booleans()),
    mounts=distinct("/mnt/").map(
        lambda paths: [{"host": f".{path}", "container": path, "mode": "ro"} for path in paths]
    ),
    volumes=distinct("v").map(lambda names: [f"{name}:/vol/{name}" for name in names]),
    ports=st.lists(st.integers(1, 65535), unique=True, max_size=4),
    env=st.dictionaries(words, scalars, max_size=4),
    repos=distinct("x").map(lambda names: [{"url": f"./{name}.git", "install": "make"} for name in names]),
    config_files=distinct("/etc/").flatmap(lambda paths: st.fixed_dictionaries(dict.fromkeys(paths, files))),
    setup_commands=st.lists(
        st.one_of(commands, built(some(as_root=st.booleans(), timeout=durations, creates=words), run=commands)),
        max_size=3,
    ),
    health=built(some(interval=durations, timeout=durations, retries=st.integers(0, 100)), command=commands),
    user=st.sampled_from(["host", "root", "1000", "1000:1000"]),
    memory=sizes,
    shm_size=sizes,
    cpus=st.one_of(st.none(), st.floats(0.01, 512)),
    pids=st.one_of(st.none(), st.just("unlimited"), st.integers(1, 10**6)),
    gpu=st.booleans(),
    add_hosts=st.dictionaries(words, st.ip_addresses().map(str), max_size=3),
    networks=distinct("n"),
    security=some(profile=st.just("dev"), cap_add=st.just(["SYS_PTRACE", "CAP_KILL"]), read_only=st.booleans()),
    persistent=st.booleans(),
)
specs = st.builds(lambda start, more: start | more, starts, rest)


@given(specs)
def test_a_spec_survives_json(written: dict[str, object]) -> None:
    spec = Spec.model_validate(written)
    dumped = json.loads(json.dumps(spec.model_dump(mode="json")))
    assert Spec.model_validate(dumped) == spec
    assert Spec.model_validate(dumped).model_dump(mode="json") == dumped


@given(specs)
def test_a_spec_is_the_same_from_json_text_as_from_values(written: dict[str, object]) -> None:
    spec = Spec.model_validate(Spec.model_validate({"name": "shop"} | written).model_dump(mode="json"))
    text = json.dumps(spec.model_dump(mode="json"), ensure_ascii=False)
    assert loads(text.encode(), "dumped.json", Path("/srv/shop")).spec == spec


def test_a_spec_cannot_be_changed() -> None:
    spec = Spec.model_validate({"purpose": "python"})
    with pytest.raises(ValidationError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]  # that is the point


def test_texts_are_plain_strings_that_know_nothing_of_their_file() -> None:
    spec = loads(b"image: debian:13\nenv: {A: b}\nuser: root\n", "env.yaml", Path("/srv/shop")).spec
    assert {type(text) for text in (spec.name, spec.image, spec.user, *spec.env, *spec.env.values())} == {str}


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_a_text_that_nothing_could_carry_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="cannot hold the character"):
        Spec.model_validate({"purpose": "python", "env": {"A": text}})


def test_a_refused_spec_says_so_in_words_outside_the_loader_too() -> None:
    with pytest.raises(ValidationError, match="`4x` is not a size"):
        Spec.model_validate({"purpose": "python", "memory": "4x"})
