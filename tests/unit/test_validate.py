"""What `validate` finds without an engine: all that a plan would refuse, at once, each with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envspec import api
from envspec.api.targets import Options
from envspec.engine.capabilities import Versions
from envspec.engine.fake import FakeEngine
from envspec.engine.stack import ComposeConfig, ComposeSource
from envspec.errors import EngineNotReady, SpecError, SpecFaults, near

COMMENT = "# a comment, so that no fault is on the first line\n"


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NOT_SET", raising=False)
    directory = tmp_path / "shop"
    directory.mkdir()
    return directory / "env.yaml"


def faults(file: Path, text: str) -> list[tuple[int, str]]:
    """Return line and code of all faults that `validate` finds, which have to be those of a plan where it has them."""
    file.write_text(COMMENT + text)
    with pytest.raises(SpecError) as caught:
        api.validate(file, engine=FakeEngine())
    found = caught.value.faults if isinstance(caught.value, SpecFaults) else (caught.value,)
    assert {fault.where.file for fault in found} == {str(file)}
    return [(fault.where.line, fault.code) for fault in found]


def planned(file: Path) -> list[tuple[int, str]]:
    """Return line and code of all faults that a plan finds."""
    with pytest.raises(SpecError) as caught:
        api.plan(file, Options(), engine=FakeEngine())
    found = caught.value.faults if isinstance(caught.value, SpecFaults) else (caught.value,)
    return [(fault.where.line, fault.code) for fault in found]


EVERYTHING = """\
purpose: {use: python, vresion: '3', version: '3.12;'}
trust: untrusted
forward_git: true
forward_gh: true
mounts: ["./not-here:/a", "/not-here:/b"]
config_files:
  /etc/a: {source: missing}
  /etc/b: {source: missing too}
env:
  A: {from_env: NOT_SET}
  B: {from_file: missing}
repos:
  - {url: /srv/not-mounted, path: a}
dotfiles:
  repo: /srv/not-mounted
  inline: {.vimrc: {source: missing}}
compose: {file: missing.yaml}
"""

PLACES = [
    (2, "purpose.param"),
    (2, "purpose.unknown_param"),
    (4, "spec.untrusted"),
    (5, "spec.untrusted"),
    (6, "spec.mount_missing"),
    (6, "spec.mount_missing"),
    (8, "spec.source"),
    (9, "spec.source"),
    (11, "spec.secret_missing"),
    (12, "spec.secret_missing"),
    (14, "spec.repo_unreachable"),
    (16, "spec.repo_unreachable"),
    (17, "spec.source"),
    (18, "compose.unreadable"),
]


def test_all_that_a_plan_would_refuse_is_found_at_once_with_its_lines(spec: Path) -> None:
    assert sorted(faults(spec, EVERYTHING)) == PLACES
    assert sorted(planned(spec)) == PLACES


@pytest.mark.parametrize("text", ["purpose: pyhton\n", "purpose: {use: pyhton, version: '3'}\n"])
def test_an_unknown_purpose_has_its_line_and_hides_no_other_fault(spec: Path, text: str) -> None:
    text += "mounts: ['./not-here:/a']\n"
    assert faults(spec, text) == planned(spec) == [(2, "purpose.unknown"), (3, "spec.mount_missing")]


def test_what_can_be_checked_is_although_other_keys_are_misspelt(spec: Path) -> None:
    text = "purpsoe: python\nmemory: lots\nmounts: ['./not-here:/a']\nrepo_url: x y\n"
    found = [
        (2, "spec.no_purpose"),
        (2, "spec.unknown_key"),
        (3, "spec.value"),
        (4, "spec.mount_missing"),
        (5, "spec.value"),
    ]
    assert faults(spec, text) == planned(spec) == found


def test_a_version_that_the_named_source_lacks_has_its_line(spec: Path) -> None:
    text = "purpose: {use: python, version: '3.9'}\nimage_source: bootstrap\n"
    assert faults(spec, text) == planned(spec) == [(2, "purpose.version")]
    assert faults(spec, "image: debian:13\nimage_source: bootstrap\n") == planned(spec) == [(3, "spec.image_source")]


def test_a_language_that_try_repo_does_not_know_has_its_line(spec: Path) -> None:
    text = "purpose: {use: try-repo, pyhton: '3.9', nod: '20'}\nrepo_url: https://example.org/a/b\n"
    assert faults(spec, text) == [(2, "purpose.unknown_param")] * 2


def test_a_faulty_template_shows_all_its_faults_at_their_lines_behind_the_front_matter(spec: Path) -> None:
    purposes = spec.parent / "purposes"
    purposes.mkdir()
    file = purposes / "mine.Dockerfile.j2"
    matter = "---\nsummary: mine\nbase: {registry: 'debian:13', bootstrap: debian-13}\n"
    file.write_text(matter + "setup: ['{{ a }}']\n---\nFROM {{ base }}\nRUN {{ b }}\nRUN {{ c }}\n")
    spec.write_text("purpose: mine\n")
    with pytest.raises(SpecFaults) as caught:
        api.validate(spec)
    assert [str(fault.where) for fault in caught.value.faults] == [f"{file}:{line}" for line in (4, 7, 8)]
    file.write_text(matter + "---\nFROM {{ base }}\n{% if base %}\n  {# no #}\nRUN true\n{% endif %}\nRUNN x\n")
    with pytest.raises(SpecError) as one:
        api.validate(spec)
    assert str(one.value.where) == f"{file}:10"
    (purposes / "other.Dockerfile.j2").write_text(matter + "---\nFROM {{ base }}\nRUN a\nCOPY x y\nRUN b <<EOF\n")
    file.write_text(matter + '---\nFROM {{ base }}\n{% include "other" %}\nRUN {{\n base }}\nADD z z\n')
    with pytest.raises(SpecFaults) as several:
        api.validate(spec)
    other = purposes / "other.Dockerfile.j2"
    assert [str(f.where) for f in several.value.faults] == [f"{file}:9", f"{other}:7", f"{other}:8"]


def test_a_key_of_the_front_matter_is_guessed_among_those_of_its_place(spec: Path) -> None:
    purposes = spec.parent / "purposes"
    purposes.mkdir()
    (purposes / "mine.Dockerfile.j2").write_text(
        "---\nsummary: mine\ndescription: more\nbase: {registry: a, bootstrap: b, regstry: c}\n---\nFROM {{ base }}\n"
    )
    spec.write_text("purpose: mine\n")
    with pytest.raises(SpecFaults) as caught:
        api.validate(spec)
    hints = [fault.hint for fault in caught.value.faults]
    assert hints[0].startswith("the keys here are `base`, `detect`, ")
    assert hints[1] == "did you mean `registry`?"


class WithoutCompose(FakeEngine):
    """An engine of a host that has no Compose."""

    def compose_config(self, source: ComposeSource) -> ComposeConfig:
        raise EngineNotReady(f"Compose is not installed, so {source.project} cannot be read")


def test_services_are_checked_as_far_as_compose_is_here(spec: Path) -> None:
    spec.write_text("image: debian:13\ncompose: {services: {db: {image: 'redis:7'}}}\n")
    assert api.validate(spec, engine=FakeEngine()).notes == ()
    notes = api.validate(spec, engine=WithoutCompose()).notes
    assert notes == ("the services are not checked: Compose is not installed, so shop cannot be read",)


SERVICES = """\
image: debian:13
compose:
  services:
    a:
      image: x
      bogus: 1
      ports: ["99999:80"]
    b: {image: x, network_mode: "service:zzz"}
    c:
      image: x
      mem_limit: lots
      gpus: all
    d: {image: x, depends_on: [a, nope]}
    e: {image: x}
"""


class Compose(FakeEngine):
    """Refuses one fault at a time, in the words of Compose 2.26."""

    def compose_config(self, source: ComposeSource) -> ComposeConfig:
        services = json.loads(source.text)["services"]
        for wrong, said in (
            ("bogus" in services["a"], "services.a Additional property bogus is not allowed"),
            ("ports" in services["a"], "Invalid hostPort: 99999"),
            ("mem_limit" in services["c"], "error decoding 'services[c].mem_limit': invalid size: 'lots'"),
            (
                "network_mode" in services["b"],
                'service "b" depends on undefined service "zzz": invalid compose project',
            ),
            ("depends_on" in services["d"], 'service "d" depends on undefined service "nope": invalid compose project'),
        ):
            if wrong:
                raise SpecError(f"Compose does not take the document: {said}", code="compose.invalid")
        return super().compose_config(source)

    def versions(self) -> Versions:
        return Versions((20, 10), (2, 26))


def test_all_that_compose_refuses_is_found_at_once_with_what_it_would_ignore(spec: Path) -> None:
    spec.write_text(SERVICES)
    with pytest.raises(SpecFaults) as caught:
        api.plan(spec, Options(), engine=Compose())
    found = [(fault.where.line, fault.code) for fault in caught.value.faults]
    refused = [(line, "compose.invalid") for line in (6, 7, 8, 11)]
    assert found == [*refused, (12, "compose.unsupported"), (13, "compose.invalid")]


def test_a_fault_that_cannot_be_taken_out_is_the_only_one(spec: Path) -> None:
    class Says(FakeEngine):
        def compose_config(self, source: ComposeSource) -> ComposeConfig:
            raise SpecError(f"Compose does not take the document of {source.project}", code="compose.invalid")

    spec.write_text(SERVICES)
    with pytest.raises(SpecError, match="does not take"):
        api.validate(spec, engine=Says())


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *(
            ("pyhton", "python"),
            ("mem", "memory"),
            ("cmd", "command"),
            ("health_check", "health"),
            ("volume", "volumes"),
        ),
        *(("dockerfile", ""), ("name", ""), ("x", "")),
    ],
)
def test_a_guess_is_near_and_never_the_word_itself(word: str, meant: str) -> None:
    assert near(word, ("python", "memory", "health", "volumes", "dotfiles", "name", "command")) == meant
