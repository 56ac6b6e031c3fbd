"""Purposes: their files, their params, what they render to, and how they defend themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envspec.engine import bootstrap
from envspec.errors import SpecError, SpecFaults
from envspec.frontmatter import Source
from envspec.purposes import MAX_BYTES, Catalogue, Purpose, catalogue, read

ROOT = Path(__file__).parents[2]
BUILTIN = ("amplifier", "clean", "general", "go", "node", "python", "rust", "try-repo")
EVERYTHING = {"python": "3.13", "node": "22", "rust": "1.85", "go": "1.24"}
SOURCES: tuple[Source, ...] = ("bootstrap", "local", "registry")

MINE = """---
summary: what I need
params:
  flavour:
    description: how it tastes
    pattern: '[a-z]+'
    default: plain
base: {registry: 'registry.example/mine:{{ flavour }}', bootstrap: debian-13}
---
FROM {{ base }}
{% if image_source == "bootstrap" %}
RUN echo bootstrapped
{% endif %}
RUN {{ mounts }} echo {{ flavour }}
"""


@pytest.fixture
def spec_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a spec, beside a user's configuration that has no purposes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "spec" / "purposes").mkdir(parents=True)
    return tmp_path / "spec"


def write(spec_dir: Path, text: str, name: str = "mine") -> Path:
    file = spec_dir / "purposes" / f"{name}.Dockerfile.j2"
    file.write_text(text)
    return file


def mine(spec_dir: Path, old: str = "", new: str = "") -> Purpose:
    """Return the user's own purpose, a part of it replaced."""
    assert old in MINE
    return read(write(spec_dir, MINE.replace(old, new, 1) if old else MINE))


# ── the catalogue ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("spec_dir")
def test_the_purposes_that_ship_are_there() -> None:
    assert catalogue(None).names() == BUILTIN
    assert all(catalogue(None).get(name).builtin for name in BUILTIN)


def test_a_purpose_beside_the_spec_is_one_file(spec_dir: Path) -> None:
    write(spec_dir, MINE)
    found = catalogue(spec_dir)
    assert found.names() == tuple(sorted((*BUILTIN, "mine")))
    purpose = found.get("mine")
    assert purpose.base({}, "registry").ref == "registry.example/mine:plain"
    assert purpose.render({"flavour": "sweet"}, "registry", "registry.example/mine:sweet").splitlines() == [
        "FROM registry.example/mine:sweet",
        "RUN --mount=type=secret,id=env,target=/run/envspec/env"
        " --mount=type=secret,id=ca,target=/run/envspec/ca.pem"
        " --mount=type=secret,id=apt-conf,target=/run/envspec/apt-conf"
        " --mount=type=secret,id=apt-list,target=/run/envspec/apt-list"
        " --mount=type=secret,id=netrc,target=/run/envspec/netrc"
        " --mount=type=secret,id=npmrc,target=/run/envspec/npmrc echo sweet",
    ]


def test_the_spec_comes_before_the_user_and_the_user_before_what_ships(spec_dir: Path, tmp_path: Path) -> None:
    users = tmp_path / "config" / "envspec" / "purposes"
    users.mkdir(parents=True)
    (users / "python.Dockerfile.j2").write_text(MINE.replace("what I need", "the user's"))
    assert catalogue(spec_dir).get("python").matter.summary == "the user's"
    write(spec_dir, MINE.replace("what I need", "the spec's"), "python")
    assert catalogue(spec_dir).get("python").matter.summary == "the spec's"
    assert catalogue(spec_dir).names() == BUILTIN


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("pyhton", "did you mean `python`?"),
        ("zzz", "there are amplifier, clean, general, go, node, python, rust, try-repo"),
        ("../x", "there are"),
    ],
)
def test_an_unknown_purpose_is_told_with_the_nearest(spec_dir: Path, name: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        catalogue(spec_dir).get(name)
    assert caught.value.code == "purpose.unknown"
    assert caught.value.hint.startswith(hint)


def test_listing_purposes_does_not_import_the_template_engine() -> None:
    script = (
        "import sys; from envspec.purposes import catalogue; catalogue(None).get('go'); print('jinja2' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30, cwd=ROOT
    )
    assert done.stdout.strip() == "False"


# ── what ships ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Every purpose that ships, rendered for every source."""
    directory = tmp_path_factory.mktemp("rendered")
    files = []
    for name in BUILTIN:
        for source in SOURCES:
            purpose = catalogue(None).get(name)
            file = directory / f"{name}.{source}.Dockerfile"
            file.write_text(purpose.render({}, source, purpose.base({}, source).ref))
            files.append(file)
    combined = catalogue(None).get("try-repo")
    files.append(directory / "combined.Dockerfile")
    files[-1].write_text(combined.render(EVERYTHING, "bootstrap", combined.base({}, "bootstrap").ref))
    return tuple(files)


def test_hadolint_is_content_with_every_rendered_file(rendered: tuple[Path, ...]) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    argv = [str(hadolint), "--config", str(ROOT / ".hadolint.yaml"), *(str(file) for file in rendered)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_rendered_file_reads_the_environment_and_names_no_user(rendered: tuple[Path, ...]) -> None:
    for file in rendered:
        text = file.read_text()
        lines = text.splitlines()
        assert lines[1:3] == [
            'SHELL ["/bin/bash", "-eo", "pipefail", "-c"]',
            "ENV BASH_ENV=/run/envspec/env ENV=/run/envspec/env",
        ]
        assert "apt-get install -y --no-install-recommends" in text
        assert "rm -rf /var/lib/apt/lists/*" in text
        assert not re.search(r"^\s*USER|^\s*\n|[{}]%|\{\{", text, re.MULTILINE), file.name


def test_a_local_image_renders_as_the_one_from_the_registry(rendered: tuple[Path, ...]) -> None:
    texts = {file.name: file.read_text() for file in rendered}
    for name in BUILTIN:
        assert texts[f"{name}.local.Dockerfile"] == texts[f"{name}.registry.Dockerfile"]


def test_a_stand_in_never_bears_the_name_of_the_real_image() -> None:
    for name in BUILTIN:
        wish = catalogue(None).get(name).base({}, "bootstrap")
        assert (wish.ref, wish.recipe) == ("envspec/base:debian-13", "debian-13")
        assert wish.recipe in bootstrap.RECIPES


@pytest.mark.parametrize(
    ("name", "params", "ref"),
    [
        ("python", {}, "python:3.12-slim-bookworm"),
        ("python", {"version": "3.11.9"}, "python:3.11.9-slim-bookworm"),
        ("node", {}, "node:20-bookworm-slim"),
        ("rust", {}, "rust:1-slim-bookworm"),
        ("go", {}, "golang:1.22-bookworm"),
        ("general", {}, "ubuntu:24.04"),
        ("clean", {}, "debian:13-slim"),
    ],
)
def test_base_images_of_the_registry(name: str, params: dict[str, str], ref: str) -> None:
    wish = catalogue(None).get(name).base(params, "registry")
    assert (wish.ref, wish.recipe) == (ref, "")


def test_only_clean_takes_nothing_of_the_user_along() -> None:
    matters = {name: catalogue(None).get(name).matter for name in BUILTIN}
    assert {name for name, matter in matters.items() if not matter.mount_cwd} == {"clean", "try-repo"}
    assert {name for name, matter in matters.items() if matter.forwards == ()} == {"clean"}
    assert {name for name, matter in matters.items() if matter.trust == "untrusted"} == {"try-repo"}


def test_the_combined_image_is_made_of_the_single_ones_packages_from_every_source() -> None:
    combined = catalogue(None).get("try-repo")
    text = combined.render(EVERYTHING, "registry", "debian:13-slim")
    for name in EVERYTHING:
        single = catalogue(None).get(name).render({}, "bootstrap", "debian:13-slim")
        assert single[single.index("RUN ") :] in text
    assert "nodejs" not in combined.render({"python": "3.13"}, "registry", "debian:13-slim")


def test_a_purpose_can_include_only_what_lies_beside_it(spec_dir: Path) -> None:
    head = MINE[: MINE.index("{% if")]
    write(spec_dir, head + 'RUN echo one\n{% if image_source == "bootstrap" %}\nRUN echo two\n{% endif %}\n', "part")
    include = head + 'RUN echo first\n{% include "part" %}\n'
    text = read(write(spec_dir, include)).render({}, "bootstrap", "debian:13")
    assert text == "FROM debian:13\nRUN echo first\nRUN echo one\nRUN echo two\n"
    with pytest.raises(SpecError, match="cannot be read"):
        read(write(spec_dir, include.replace("part", "python")))
    with pytest.raises(SpecError, match="cannot use `include`"):
        read(write(spec_dir, include.replace('"part"', '"../part"'))).render({}, "bootstrap", "debian:13")


# ── params ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "value", ["3.12\nRUN id", "3.12\n", "3.12 && id", "3.12\\", "", "latest", "３.12", "3.12\u2028RUN id", "3" * 300]
)
def test_a_value_that_is_no_version_never_reaches_the_template(value: str) -> None:
    with pytest.raises(SpecError) as caught:
        catalogue(None).get("python").render({"version": value}, "registry", "python:3.12")
    assert caught.value.code == "purpose.param"
    assert "such as '3.12'" in caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("value", ["a\nRUN id", "a\\", "a\rb", "a\x00"])
def test_a_sloppy_pattern_still_lets_no_line_break_or_continuation_through(spec_dir: Path, value: str) -> None:
    purpose = mine(spec_dir, "'[a-z]+'", "'(?s).*'")
    with pytest.raises(SpecError, match="does not fit `flavour`"):
        purpose.render({"flavour": value}, "registry", "x")


def test_an_unknown_param_is_told_with_the_nearest() -> None:
    with pytest.raises(SpecError) as caught:
        catalogue(None).get("python").render({"verison": "3.12"}, "registry", "x")
    assert (caught.value.code, caught.value.hint) == ("purpose.unknown_param", "did you mean `version`?")
    with pytest.raises(SpecError) as caught:
        catalogue(None).get("general").render({"version": "1"}, "registry", "x")
    assert caught.value.hint == "it has no params"


def test_a_version_that_a_source_cannot_give_says_what_it_has() -> None:
    purpose = catalogue(None).get("python")
    assert purpose.values({}, "bootstrap") == {"version": "3.13"}
    with pytest.raises(SpecError) as caught:
        purpose.base({"version": "3.12"}, "bootstrap")
    assert caught.value.code == "purpose.version"
    assert caught.value.message == "purpose `python`: version 3.12 cannot come from bootstrap, which has 3.13"
    assert caught.value.hint == "set `image_source: registry`, ask for 3.13, or leave `version` out"


@pytest.mark.parametrize("ref", ["x\nRUN id", "x y", "-x", ""])
def test_a_base_that_is_no_reference_is_refused(ref: str) -> None:
    with pytest.raises(SpecError, match="not an image reference"):
        catalogue(None).get("go").render({}, "registry", ref)


# ── faulty files ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_faults_of_front_matter_are_told_with_their_lines(spec_dir: Path) -> None:
    text = MINE.replace("summary:", "sumary:").replace("    pattern: '[a-z]+'", "    patern: x\n    pattern: '['")
    file = write(spec_dir, text)
    with pytest.raises(SpecFaults) as caught:
        catalogue(spec_dir).get("mine")
    told = [(fault.where.line, fault.message.split(":")[0], fault.hint) for fault in caught.value.faults]
    assert told == [
        (2, "`summary` is missing", ""),
        (2, "unknown key `sumary`", "did you mean `summary`?"),
        (6, "unknown key `params.flavour.patern`", "did you mean `pattern`?"),
        (7, "params.flavour.pattern", ""),
    ]
    assert str(caught.value.where) == f"{file}:2"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("FROM x\n", "begins with front matter", 1),
        ("---\nsummary: a\nsummary: b\n---\nFROM x\n", "`summary` is there twice, first on line 2", 3),
        ("---\na: &x [1]\nb: *x\n---\nFROM x\n", "an alias has no place", 3),
        (f"---\na: {'[' * 600}\n---\nFROM x\n", "too deep a nesting", 2),
        ("---\na: [1\n---\nFROM x\n", "not YAML", 3),
        ("---\na: \x07\n---\nFROM x\n", "not YAML", 0),
        ("---\n- a\n---\nFROM x\n", "the front matter must be keys and values", 2),
    ],
)
def test_front_matter_that_is_none_is_refused(spec_dir: Path, text: str, message: str, line: int) -> None:
    with pytest.raises(SpecError, match=re.escape(message)) as caught:
        read(write(spec_dir, text))
    assert caught.value.where.line == line


def test_versions_stay_what_the_author_wrote(spec_dir: Path) -> None:
    purpose = mine(spec_dir, "pattern: '[a-z]+'\n    default: plain", "pattern: '.*'\n    default: 1.10")
    assert purpose.values({}, "registry") == {"flavour": "1.10"}


@pytest.mark.parametrize("content", [b"x" * (MAX_BYTES + 1), b"---\nsummary: \xff\n---\nFROM x\n"])
def test_a_file_that_is_too_large_or_no_text_is_refused(spec_dir: Path, content: bytes) -> None:
    file = spec_dir / "purposes" / "mine.Dockerfile.j2"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read(file)
    assert caught.value.code == "purpose.invalid"


@pytest.mark.parametrize("name", ["base", "mounts", "image_source", "use", "Version", "a-b"])
def test_a_param_cannot_take_a_reserved_name(spec_dir: Path, name: str) -> None:
    with pytest.raises(SpecError, match="cannot be the name of a param"):
        mine(spec_dir, "  flavour:", f"  {name}:")


# ── hostile and faulty templates ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "line",
    [
        "{{ 10 ** (10 ** 8) }}",
        "{{ 'a' * 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% for a in 'xx' %}RUN id\n{% endfor %}",
        "{% set a = 'x' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include '/etc/passwd' %}",
        "{{ ''.__class__ }}",
        "{{ 'x' | center(1000000000) }}",
        "{{ lipsum(n=100000) }}",
        "{{ cycler }}",
        "{{ flavor }}",
        "{{ flavour",
        "{% if %}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    ],
)
def test_a_template_can_only_print_compare_and_choose(spec_dir: Path, line: str) -> None:
    purpose = mine(spec_dir, "FROM {{ base }}\n", "FROM {{ base }}\n" + line + "\n")
    with pytest.raises(SpecError) as caught:
        purpose.render({}, "registry", "x")
    assert caught.value.code == "purpose.template"
    assert caught.value.where.file == purpose.file


def test_a_fault_in_a_template_is_told_with_the_line_of_the_file(spec_dir: Path) -> None:
    purpose = mine(spec_dir, "echo {{ flavour }}", "echo {{ flavor }}")
    with pytest.raises(SpecError, match="`flavor`, which nothing defines") as caught:
        purpose.render({}, "registry", "x")
    assert caught.value.where.line == MINE.splitlines().index("RUN {{ mounts }} echo {{ flavour }}") + 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("RUN cat <<EOF", "here-document of RUN has no end"),
        ("RUN cat <<EOF\necho a", "here-document of RUN has no end"),
        ("COPY <<A file /app\nA", "build context"),
        ("# syntax=docker/dockerfile:1", "parser directive"),
        ("# ESCAPE = `", "parser directive"),
        ("RUM id", "not an instruction"),
        ("COPY . /app", "build context"),
        ("ADD file /app", "build context"),
    ],
)
def test_a_dockerfile_that_the_engine_would_not_build_is_refused(spec_dir: Path, line: str, message: str) -> None:
    purpose = mine(spec_dir, "FROM {{ base }}\n", f"FROM {{{{ base }}}}\n{line}\n")
    with pytest.raises(SpecError, match=message):
        purpose.render({}, "registry", "x")


def test_here_documents_are_taken_as_they_are_written(spec_dir: Path) -> None:
    body = "RUN <<EOF\n# check=1\n\nUSER of {{ flavour }} \\\nEOF\nCOPY <<-'A' /etc/a\n\tb\n\tA\n"
    purpose = mine(spec_dir, "FROM {{ base }}\n", f"FROM {{{{ base }}}}\n{body}")
    text = purpose.render({}, "registry", "x")
    assert body.replace("{{ flavour }}", "plain") in text
    assert purpose.heredoc(text) == (purpose.file, MINE.splitlines().index("FROM {{ base }}") + 2)
    assert purpose.heredoc("FROM x\n") is None


def test_a_value_cannot_begin_a_here_document(spec_dir: Path) -> None:
    text = MINE.replace("pattern: '[a-z]+'", "pattern: '.*'") + "USER nobody\nENV E=1\nRUN id\n"
    purpose = read(write(spec_dir, text))
    assert "USER nobody" in purpose.render({"flavour": "a"}, "registry", "x")
    for value in ("<<E", "<<ENV"):
        with pytest.raises(SpecFaults) as several:
            purpose.render({"flavour": value}, "registry", "x")
        assert {fault.code for fault in several.value.faults} == {"purpose.shape", "purpose.template"}
    purpose = read(write(spec_dir, f"{text}RUN cat <<E\nE\n"))
    with pytest.raises(SpecError) as caught:
        purpose.render({"flavour": "<<E"}, "registry", "x")
    assert caught.value.code == "purpose.shape"


def test_what_looks_like_a_here_document_but_is_none_passes(spec_dir: Path) -> None:
    purpose = mine(spec_dir, "echo bootstrapped", "cat <<< word")
    assert "RUN cat <<< word\n" in purpose.render({}, "bootstrap", "x")


def test_a_dockerfile_begins_with_from(spec_dir: Path) -> None:
    with pytest.raises(SpecError, match="begins with FROM"):
        mine(spec_dir, "FROM {{ base }}\n", "").render({}, "registry", "x")


@pytest.mark.parametrize("text", ['{{ "\\nRUN id" }}', '{{ "a\\nUSER x" }}', '{{ "a\\nRUN id\\nRUN id" }}'])
def test_a_dockerfile_has_no_instruction_that_its_template_has_not(spec_dir: Path, text: str) -> None:
    purpose = mine(spec_dir, "echo {{ flavour }}", "echo " + text)
    with pytest.raises(SpecError) as caught:
        purpose.render({}, "bootstrap", "x")
    assert caught.value.code == "purpose.shape"


def test_lines_and_comments_of_a_continued_instruction_are_one(spec_dir: Path) -> None:
    text = "echo {{ flavour }} \\\n# why\n{% if image_source == 'registry' %}\n    one \\\n{% endif %}\n\n    two"
    rendered = mine(spec_dir, "echo {{ flavour }}", text).render({}, "registry", "x")
    assert rendered.endswith("echo plain \\\n# why\n    one \\\n\n    two\n")


def test_an_empty_catalogue_says_so(tmp_path: Path) -> None:
    assert Catalogue((tmp_path / "absent",), tmp_path).names() == ()


# ── bootstrapping ────────────────────────────────────────────────────────────────────────────────────────────────


def test_bootstrapping_names_no_mirror_and_takes_the_mode_of_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    argv = bootstrap.argv("debian-13", Path("/x/root.tar"))
    assert argv[:3] == ["mmdebstrap", "--mode=unshare", "--variant=minbase"]
    assert argv[-2:] == ["trixie", "/x/root.tar"]
    assert not any("://" in word for word in argv)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--mode=root" in bootstrap.argv("debian-13", Path("/x/root.tar"))


def test_what_bootstrapping_lacks_on_a_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert bootstrap.missing() == ("debian-archive-keyring", "mmdebstrap", "uidmap")


def test_an_unknown_recipe_is_an_error_that_names_the_known() -> None:
    with pytest.raises(SpecError) as caught:
        bootstrap.argv("debian-1", Path("/x"))
    assert (caught.value.code, caught.value.hint) == ("purpose.recipe", "there are debian-13")


def test_a_mirror_is_read_from_standard_input_and_leaves_no_trace_in_the_image() -> None:
    argv = bootstrap.argv("debian-13", Path("/x/root.tar"), mirrored=True)
    assert argv[-3:] == ["trixie", "/x/root.tar", "-"]
    (hook,) = (word for word in argv if "sources.list" in word)
    assert "deb http://deb.debian.org/debian trixie main" in hook
    assert "trixie-security" in hook
