"""Files that would hurt a careless reader are refused within a second, in one line each."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envspec.errors import SpecFaults
from envspec.spec.load import loads

MAX = 256 * 1024
HERE = Path("/srv/shop")


def nested(first: str, item: str) -> str:
    """Twelve levels, each nine times the one before."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{n}: &a{n} " + item.format(",".join([f"*a{n - 1}"] * 9)) for n in range(1, 12)]
    return "\n".join(lines)


ONE_LINE = {
    "too large": (b"x: " + b"a" * MAX, "spec.too_large"),
    "latin-1": (b"name: \xe9t\xe9", "spec.encoding"),
    "utf-16": ("name: x".encode("utf-16"), "spec.encoding"),
    "bell": ("name: a\x07b", "spec.control_character"),
    "escaped escape in a name": ('purpose: python\nname: "\\e[31m"', "spec.value"),
    "escaped escape in a path": ('purpose: python\nworkspace: "/\\e[31m"', "spec.value"),
    "escaped escape in a key": ('purpose: python\nconfig_files: {"/\\e[31m": x}', "spec.control_character"),
    "escaped nul": ('purpose: python\nenv: {A: "\\0"}', "spec.value"),
    "next line in a name": ("purpose: python\nname: a\u0085b", "spec.value"),
    "half a surrogate pair": ('purpose: python\nenv: {A: "x\\ude00"}', "spec.control_character"),
    "a pair the wrong way round": ('env: {A: "\\ude00\\ud83d"}', "spec.control_character"),
    "delete without quotes": ("env: {A: \x7f}", "spec.control_character"),
    "brackets": ("[" * 500, "spec.too_deep"),
    "brackets all over": ("[" * (MAX - 1), "spec.too_deep"),
    "braces all over": ("{" * (MAX - 1), "spec.too_deep"),
    "dashes all over": ("- " * (MAX // 2 - 1), "spec.too_deep"),
    "question marks all over": ("? " * (MAX // 2 - 1), "spec.too_deep"),
    "deep mappings": ("\n".join(" " * depth + "a:" for depth in range(600)), "spec.too_deep"),
    "chain of aliases": (
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000)),
        "spec.too_deep",
    ),
    "alias bomb": (nested("[x,x,x,x,x,x,x,x,x]", "[{}]"), "spec.too_many_values"),
    "merge bomb": (nested("{k: v}", "{{<<: [{}]}}"), "spec.too_many_values"),
    "many values": ("env: [" + "x," * 100_000 + "]", "spec.too_many_values"),
    "many anchors": ("\n".join(f"- &a{n} x" for n in range(20_000)), "spec.too_many_values"),
    "list in itself": ("a: &a [*a]", "spec.alias"),
    "merged with itself": ("a: &a\n  <<: *a", "spec.alias"),
    "alias of nothing": ("a: *b", "spec.alias"),
    "merge of a text": ("env: {<<: x}", "spec.merge"),
    "5000 digits": ("pids: " + "9" * 5000, "spec.number"),
    "250,000 digits": ("pids: " + "9" * 250_000, "spec.number"),
    "python tag": ("name: !!python/object/apply:os.system [id]", "spec.tag"),
    "harmless tag": ("name: !!str x", "spec.tag"),
    "own tag": ("name: !include x", "spec.tag"),
    "two documents": ("purpose: python\n---\npurpose: node\n", "spec.documents"),
    "a list": ("- purpose: python", "spec.not_a_mapping"),
    "a text": ("purpose", "spec.not_a_mapping"),
    "nothing": ("", "spec.empty"),
    "comments only": ("# purpose: python\n", "spec.empty"),
    "a list as key": ("? [a]\n: b", "spec.key"),
    "a tab": ("env:\n\tA: b", "spec.syntax"),
    "an open quote": ('name: "x', "spec.syntax"),
    "quotes all over": ("'" * (MAX - 1), "spec.syntax"),
    "long key": ("a" * 3000 + ": 1", "spec.syntax"),
}

HEAVY = {
    "unknown keys": "".join(f"{n:x}{'memory' * 6}: 1\n" for n in range(5000)),
    "same keys": "".join(f"name: {n}\n" for n in range(9000)),
    "bad variables": "env:\n" + "".join(f"  A-{n}: 1\n" for n in range(9000)),
    "ports": "ports: [" + "80:80," * 18_000 + "]",
    "capabilities": "security: {cap_add: [" + "NET_ADMN," * 9000 + "]}",
    "files": "config_files: {" + ",".join(f"/a/b{n}: x" for n in range(9000)) + "}",
    "long image": f"image: '{'a-' * 100_000}'",
    "long path": f"workspace: '/{'a/' * 100_000}'",
    "long url": f"repos: [{{url: '{'a.' * 100_000}'}}]",
    "long ref": f"repos: [{{url: ./x, ref: '{'a/' * 100_000}b'}}]",
    "long port": f"ports: ['{'1.' * 100_000}']",
    "long duration": f"health: {{command: x, interval: {'1m' * 100_000}}}",
    "long size": f"memory: '{'1' * 200_000}g'",
}


def timed_faults(data: str | bytes) -> SpecFaults:
    begun = time.process_time()  # of our own: another process on the machine is not the loader's doing
    with pytest.raises(SpecFaults) as caught:
        loads(data.encode() if isinstance(data, str) else data, "env.yaml", HERE)
    assert time.process_time() - begun < 1
    return caught.value


@pytest.mark.parametrize(("data", "code"), ONE_LINE.values(), ids=ONE_LINE)
def test_a_hostile_file_is_refused_in_one_line(data: str | bytes, code: str) -> None:
    error = timed_faults(data)
    (fault,) = error.faults
    assert fault.code == code
    assert fault.hint
    assert "\n" not in fault.message
    assert len(fault.message) < 200
    assert fault.message.isprintable()


@pytest.mark.parametrize("data", HEAVY.values(), ids=HEAVY)
def test_many_and_long_faults_are_told_within_a_second(data: str) -> None:
    assert all(len(fault.message) < 200 for fault in timed_faults(data).faults)


@pytest.mark.parametrize("bracket", ["[", "{"])
def test_too_many_brackets_are_reported_at_the_same_place_whatever_the_parser_says(bracket: str) -> None:
    places = [timed_faults(bracket * count).faults[0].where for count in (500, MAX - 1)]
    assert places[0] == places[1]


def test_honest_bounds_are_not_reached_by_a_large_spec() -> None:
    files = "".join(f"  /etc/f{n}: {{content: x, mode: '0600', owner: root}}\n" for n in range(1000))
    assert len(loads(f"purpose: python\nconfig_files:\n{files}".encode(), "e", HERE).spec.config_files) == 1000


def test_a_byte_order_mark_is_passed_over() -> None:
    assert loads("\ufeffpurpose: python".encode(), "e", HERE).spec.purpose is not None


@given(
    st.one_of(
        st.binary(), st.text().map(str.encode), st.text("[]{}:-?&*!|>'\"#%@`, \n\tab<", max_size=200).map(str.encode)
    )
)
def test_no_input_causes_anything_but_faults(data: bytes) -> None:
    with contextlib.suppress(SpecFaults):
        loads(data, "env.yaml", HERE)
