"""The purpose `try-repo`: from what a repository shows to an ordinary spec, with the versions that a source has."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from envspec.api.attempt import attempted
from envspec.api.check import check
from envspec.api.trial import spec_of
from envspec.detect import detect, knowledge
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import LABEL, ContainerConfig
from envspec.errors import Conflict, SpecError, SpecFaults, StepFailed, UsageError
from envspec.frontmatter import Source
from envspec.host import HostFacts
from envspec.kinds import names
from envspec.purposes import catalogue
from envspec.resolve import candidates, choose, resolve
from envspec.resolve.trial import LOCAL, Trial, Tried, location, recall
from envspec.spec.load import Loaded, loads

URL = "https://example.org/team/app.git"
PURPOSES = catalogue(None)
PROJECT = "[project]\nname = 'x'\n"


def tried(files: dict[str, str], url: str = URL, **asked: str) -> Tried:
    """Return what a repository with these files comes to."""
    return Tried(Trial(url, detect(files, files, knowledge(PURPOSES))), asked, PURPOSES)


def params(files: dict[str, str], source: Source = "bootstrap", **asked: str) -> tuple[str, dict[str, str]]:
    """Return the purpose and its params."""
    found = tried(files, **asked)
    return found.purpose.name, found.params(source)


# ── the purpose ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("files", "purpose"),
    [
        ({"pyproject.toml": PROJECT}, "python"),
        ({"package.json": "{}"}, "node"),
        ({"Cargo.toml": ""}, "rust"),
        ({"go.mod": ""}, "go"),
        ({"README.md": ""}, "general"),
    ],
)
def test_one_language_takes_the_purpose_of_its_own_and_so_its_image(files: dict[str, str], purpose: str) -> None:
    assert params(files) == (purpose, {})


def test_several_languages_take_the_combined_image_with_those_and_no_more() -> None:
    files = {"pyproject.toml": PROJECT, "web/package.json": "{}"}
    assert params(files, "bootstrap") == ("try-repo", {"node": "20", "python": "3.13"})
    assert params(files, "registry") == ("try-repo", {"node": "20", "python": "3.13"})


@pytest.mark.parametrize("source", ["registry", "bootstrap"])
def test_of_several_languages_node_may_be_a_newer_one(source: Source) -> None:
    files = {"pyproject.toml": PROJECT, "package.json": '{"engines": {"node": ">=21"}}'}
    assert params(files, source) == ("try-repo", {"node": "22", "python": "3.13"})
    files |= {"package.json": "{}", ".nvmrc": "24"}
    assert params(files, source) == ("try-repo", {"node": "24", "python": "3.13"})
    purpose = PURPOSES.get("try-repo")
    assert "node@24" in purpose.render({"node": "24"}, source, "debian:13-slim")
    assert "node@" not in purpose.render({"node": "20"}, source, "debian:13-slim")


def test_a_language_that_the_author_names_comes_along() -> None:
    assert params({"pyproject.toml": PROJECT}, rust="1.85") == ("try-repo", {"python": "3.13", "rust": "1.85"})
    assert params({"pyproject.toml": PROJECT}, python="3.11") == ("python", {"version": "3.11"})
    with pytest.raises(SpecError) as caught:
        params({}, pyhton="3.11")
    assert "did you mean `python`?" in caught.value.hint


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("files", "source", "chosen"),
    [
        ({"setup.py": "", ".python-version": "3.11.9"}, "registry", {"version": "3.11.9"}),
        ({"setup.py": "", ".python-version": "3.12"}, "registry", {}),
        ({"setup.py": "", ".python-version": "3.12"}, "bootstrap", {}),
        ({"pyproject.toml": PROJECT + "requires-python = '>=3.13'"}, "registry", {"version": "3.13"}),
        ({"pyproject.toml": PROJECT + "requires-python = '>=3.9,<3.12'"}, "registry", {"version": "3.11"}),
        ({"package.json": '{"engines": {"node": "^18 || ^22.1"}}'}, "registry", {"version": "22"}),
        ({"package.json": '{"engines": {"node": ">=18"}}'}, "bootstrap", {}),
        ({"package.json": "{}", ".nvmrc": "lts/*"}, "bootstrap", {}),
        ({"go.mod": "go 1.21\n"}, "registry", {}),
        ({"go.mod": "go 1.23.4\n"}, "registry", {"version": "1.23"}),
        ({"go.mod": "go 1.23.4\n"}, "bootstrap", {}),
        ({"Cargo.toml": "", "rust-toolchain": "stable"}, "registry", {}),
        ({"Cargo.toml": "", "rust-toolchain": "1.75"}, "registry", {"version": "1.75"}),
        ({"Cargo.toml": "[package]\nrust-version = '1.70'"}, "bootstrap", {}),
    ],
)
def test_a_source_gives_what_the_repository_asks_for_and_its_own_version_where_that_will_do(
    files: dict[str, str], source: Source, chosen: dict[str, str]
) -> None:
    assert params(files, source)[1] == chosen


@pytest.mark.parametrize(
    ("files", "note"),
    [
        (
            {"setup.py": "", ".python-version": "3.11"},
            "python 3.13 stands in for 3.11 (.python-version), which bootstrap does not have",
        ),
        ({"package.json": "{}", ".nvmrc": "18"}, "node 20 stands in for 18 (.nvmrc), which bootstrap does not have"),
        (
            {"package.json": "{}", ".nvmrc": "lts/iron"},
            "node 20 is taken: it is not known which version lts/iron (.nvmrc) is",
        ),
    ],
)
def test_a_stand_in_is_never_silent(files: dict[str, str], note: str) -> None:
    assert tried(files).notes("bootstrap")[-1] == note


@pytest.mark.parametrize(
    ("files", "source", "message"),
    [
        (
            {"pyproject.toml": PROJECT + "requires-python = '<3.12'"},
            "bootstrap",
            "the repository asks for python <3.12 (pyproject.toml); bootstrap has 3.13",
        ),
        (
            {"setup.py": "", ".python-version": "3.14"},
            "bootstrap",
            "the repository asks for python 3.14 (.python-version); bootstrap has 3.13",
        ),
        ({"go.mod": "go 1.25\n"}, "bootstrap", "the repository asks for go >=1.25 (go.mod); bootstrap has 1.24"),
        (
            {"go.mod": "go 1.25\n", "setup.py": ""},
            "registry",
            "the repository asks for go >=1.25 (go.mod); registry has 1.24",
        ),
        (
            {"pyproject.toml": PROJECT + "requires-python = '<3'"},
            "registry",
            "the repository asks for python <3 (pyproject.toml); registry has none that fits, such as 3.12",
        ),
    ],
)
def test_what_a_source_cannot_give_is_an_error_that_says_what_it_has(
    files: dict[str, str], source: Source, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        params(files, source)
    assert (caught.value.code, caught.value.message) == ("trial.version", message)
    assert "{use: try-repo, " in caught.value.hint
    assert "--with" not in caught.value.hint
    assert ("`image_source: registry` has it" in caught.value.hint) is (source == "bootstrap")


def test_what_is_tried_without_a_file_is_told_options_and_no_keys() -> None:
    found = dataclasses.replace(tried({"setup.py": "", ".python-version": "3.14"}), typed=URL)
    with pytest.raises(SpecError) as caught:
        found.params("bootstrap")
    way = f"`envspec try {URL} --with python=3.13` tries it with 3.13"
    assert caught.value.hint == f"`--image-source registry` has it; {way}"
    with pytest.raises(SpecFaults) as named:
        spec_of(URL, "No Name")
    assert str(named.value.where) == ""
    with pytest.raises(SpecError) as unknown:
        check(spec_of(URL, versions={"pyhton": "3.13"}))
    assert (str(unknown.value.where), unknown.value.hint) == ("purpose.pyhton", "did you mean `python`?")


def test_a_repository_whose_install_fails_can_be_tried_without_it() -> None:
    found = dataclasses.replace(tried({"setup.py": ""}), installs=False)
    assert [repo.install for repo in found.expand(written()).spec.repos] == [()]
    assert "not installed, as you asked; it would be with: uv pip install --editable ." in found.notes("bootstrap")


def test_the_author_can_take_another_version_all_the_same() -> None:
    assert params({"go.mod": "go 1.25\n"}, go="1.24") == ("go", {"version": "1.24"})


# ── the spec ─────────────────────────────────────────────────────────────────────────────────────────────────────


def written(text: str = "", directory: Path = Path("/srv/specs/app")) -> Loaded:
    return loads(f"name: app\npurpose: try-repo\nrepo_url: {URL}\n{text}".encode(), "env.yaml", directory)


def test_a_trial_becomes_an_ordinary_spec_that_has_nothing_of_the_users() -> None:
    spec = tried({"web/package.json": "{}"}).expand(written()).spec
    assert spec.purpose is not None
    assert spec.purpose.use == "node"
    assert (spec.mount_cwd, spec.trust) == (False, "untrusted")
    assert [(repo.url, repo.path, repo.install) for repo in spec.repos] == [(URL, "app", ("cd web && npm install",))]


def test_what_the_author_says_stands() -> None:
    text = "trust: trusted\nmount_cwd: true\nrepos: [{url: https://example.org/lib}]\n"
    spec = tried({"setup.py": ""}).expand(written(text)).spec
    assert (spec.mount_cwd, spec.trust, [repo.path for repo in spec.repos]) == (True, "trusted", ["lib", "app"])
    with pytest.raises(SpecError) as caught:
        tried({}).expand(written("repos: [{url: https://example.org/lib, path: app}]\n"))
    assert (caught.value.code, caught.value.where.line) == ("spec.collision", 3)


def test_a_repository_of_this_host_is_mounted_to_be_cloned_from(tmp_path: Path) -> None:
    for url in ("./x", str(tmp_path / "x"), f"file://{tmp_path}/x"):
        assert location(spec_of(url, directory=tmp_path)) == str(tmp_path / "x")
    spec = tried({}, url=str(tmp_path / "x")).expand(spec_of("./x", directory=tmp_path)).spec
    assert [(mount.host, mount.container, mount.mode) for mount in spec.mounts] == [
        (str(tmp_path / "x"), f"{LOCAL}/x", "ro")
    ]


def test_a_path_may_hold_what_a_url_may_not(tmp_path: Path) -> None:
    url = str(tmp_path / "a, b: c")
    spec = tried({"setup.py": ""}, url=url).expand(spec_of("./x", directory=tmp_path)).spec
    assert [(mount.host, mount.container) for mount in spec.mounts] == [(url, f"{LOCAL}/-c")]
    assert [(repo.url, repo.path) for repo in spec.repos] == [(url, " c")]
    with pytest.raises(SpecError) as caught:
        tried({}, url="https://example.org/..").expand(spec_of("https://example.org/..", "a"))
    assert caught.value.code == "spec.value"
    assert location(spec_of("file://elsewhere/x")) == "file://elsewhere/x"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("name: a\npurpose: try-repo\n", "spec.missing"),
        (f"name: a\npurpose: python\nrepo_url: {URL}\n", "spec.collision"),
        (f"name: a\nimage: debian:13\nrepo_url: {URL}\n", "spec.collision"),
        ("name: a\npurpose: try-repo\nrepo_url: https://me:secret@example.org/x\n", "spec.value"),
    ],
)
def test_the_url_and_the_purpose_belong_together(text: str, code: str) -> None:
    with pytest.raises(SpecFaults) as caught:
        loads(text.encode(), "env.yaml", Path("/srv"))
    assert caught.value.code == code
    assert "secret" not in caught.value.message


def test_a_url_makes_the_name_of_its_environment() -> None:
    assert spec_of("https://example.org/team/My_App.git").spec.name == "my-app"
    assert spec_of("git@example.org:team/app.git", "mine").spec.name == "mine"
    assert spec_of(URL, trusted=True).spec.trust == "trusted"
    for url in (".", "./", "../app", "~/app", "/srv/app.git", "file:///srv/app"):
        assert spec_of(url, directory=Path("/srv/app")).spec.name == "app"
    with pytest.raises(UsageError, match="makes no name"):
        spec_of("https://example.org/...")


# ── what is remembered ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_seen_is_remembered_for_its_own_url_alone() -> None:
    trial = tried({"setup.py": "", ".python-version": "3.12", "web/package.json": "{}"}).trial
    assert recall(trial.label, URL) == trial
    assert recall(trial.label, "https://example.org/other") is None
    for text in ("", "[]", "{}", "null", '{"url": "https://example.org/team/app.git", "toolchains": [1]}'):
        assert recall(text, URL) is None


def test_the_workspace_bears_what_was_seen_and_the_plan_tells_it() -> None:
    found = tried({"setup.py": "", ".python-version": "3.12"})
    loaded = found.expand(written())
    chosen = choose(loaded.spec, candidates(loaded.spec, PURPOSES, found.params), {}, lambda: False)
    desired = found.marked(resolve(loaded, HostFacts(1000, 1000, "ada"), PURPOSES, chosen), "bootstrap")
    box = desired.get(names.WORKSPACE)
    assert box is not None
    assert recall(box.spec.detected, URL) == found.trial
    assert desired.notes[:4] == (
        "detected: python 3.13, shown by setup.py, which asks for 3.12 (.python-version)",
        "installs with: uv pip install --editable .",
        "installs with: install-test-dependencies",
        "python 3.13 stands in for 3.12 (.python-version), which bootstrap does not have",
    )
    commands = [r.address for r in desired.of_kind("command")]
    assert commands == [f"command.install./workspace/app[{number}]" for number in range(2)]


def standing(label: str) -> FakeEngine:
    """Return an engine on which an environment of the name stands."""
    engine = FakeEngine(images=("x:1",))
    labels = {**names.labels("app", "container", names.WORKSPACE), f"{LABEL}detected": label}
    engine.create_container("app-workspace", ContainerConfig("x:1"), labels)
    return engine


def test_an_environment_that_stands_is_not_looked_for_again() -> None:
    trial = Trial("https://host.invalid/app", tried({"setup.py": ""}).trial.toolchains)
    loaded, found = attempted(spec_of(trial.url), standing(trial.label))
    assert found is not None
    assert found.trial == trial
    assert loaded.spec.purpose is not None
    assert loaded.spec.purpose.use == "python"


def test_another_environment_of_the_name_is_in_the_way_of_a_try_but_not_of_its_own_file() -> None:
    with pytest.raises(Conflict) as caught:
        attempted(spec_of("https://host.invalid/app"), standing(""))
    assert "--name" in caught.value.hint
    loaded = spec_of("https://host.invalid/app")
    with pytest.raises(StepFailed) as looked:
        attempted(dataclasses.replace(loaded, path=Path("/srv/env.yaml")), standing(""))
    assert looked.value.code == "detect.unreachable"


def test_a_spec_that_tries_nothing_is_left_as_it_is() -> None:
    loaded = loads(b"name: a\npurpose: python\n", "env.yaml", Path("/srv"))
    assert attempted(loaded) == (loaded, None)
