"""What a repository is made with, and how it is installed, told from its files alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from envspec.detect import Knowledge, detect, install_commands, install_script, knowledge, wanted
from envspec.frontmatter import InstallRule
from envspec.purposes import catalogue

KNOWN = knowledge(catalogue(None))
PROJECT = "[project]\nname = 'x'\nversion = '1'\n"
TESTS = "install-test-dependencies"
BUN = ("npm install --global bun@1", "bun install --frozen-lockfile")
BERRY = 'npm install --global --force "@yarnpkg/cli-dist@'


def seen(files: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the purposes that files show, with the commands that install them."""
    return {item.purpose: item.install for item in detect(files, files, KNOWN)}


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({"uv.lock": "", "pyproject.toml": PROJECT}, ("uv sync --active --inexact --frozen", TESTS)),
        ({"poetry.lock": "", "pyproject.toml": ""}, ("uvx --from poetry~=2.0 poetry install --no-interaction", TESTS)),
        ({"pyproject.toml": PROJECT, "requirements.txt": ""}, ("uv pip install --editable .", TESTS)),
        (
            {"pyproject.toml": "[tool.ruff]\n", "requirements.txt": ""},
            ("uv pip install --requirement requirements.txt", TESTS),
        ),
        ({"setup.py": ""}, ("uv pip install --editable .", TESTS)),
        ({"package.json": "{}", "package-lock.json": ""}, ("npm ci",)),
        ({"package.json": "{}", "bun.lock": ""}, BUN),
        ({"package.json": "{}", "bun.lockb": ""}, BUN),
        ({"package.json": "{}", "pnpm-lock.yaml": ""}, ("pnpm install --frozen-lockfile",)),
        ({"package.json": "{}", "yarn.lock": ""}, ("yarn install --frozen-lockfile",)),
        ({"package.json": '{"packageManager": "pnpm@9.1.0"}'}, ("pnpm install",)),
        ({"package.json": '{"packageManager": "yarn@1.22.22"}'}, ("yarn install",)),
        ({"package.json": "{}"}, ("npm install",)),
        ({"Cargo.toml": "", "Cargo.lock": ""}, ("cargo fetch --locked",)),
        ({"Cargo.toml": ""}, ("cargo fetch",)),
        ({"go.mod": ""}, ("go mod download",)),
        ({"README.md": ""}, ()),
    ],
)
def test_a_repository_is_installed_by_the_first_file_that_says_how(
    files: dict[str, str], commands: tuple[str, ...]
) -> None:
    assert install_commands(files, files, KNOWN) == commands
    assert tuple(command for found in seen(files).values() for command in found) == commands


def test_a_newer_yarn_is_brought_before_it_installs() -> None:
    files = {"yarn.lock": "", "package.json": '{"packageManager": "yarn@4.5.0"}'}
    first, second = install_commands(files, files, KNOWN)
    assert first.startswith(BERRY)
    assert second == "yarn install --immutable"


def test_a_mixed_repository_shows_all_of_its_languages_wherever_they_are() -> None:
    files = {
        "pyproject.toml": PROJECT,
        "Cargo.toml": "",
        "web/package.json": "{}",
        "web/package-lock.json": "",
        "docs/package.json": "{}",
        "tests/go.mod": "",
        ".github/package.json": "{}",
        "rust/Cargo.toml": "",
    }
    assert seen(files) == {
        "node": ("cd web && npm ci",),
        "python": ("uv pip install --editable .", TESTS),
        "rust": ("cargo fetch",),
    }


def test_a_directory_with_a_strange_name_stays_one_word() -> None:
    files = {"a b'; id #/package.json": "{}"}
    assert seen(files) == {"node": ("cd 'a b'\"'\"'; id #' && npm install",)}


def test_a_directory_whose_name_could_fool_a_terminal_is_passed_over() -> None:
    assert seen({"a\x1b[2Jb/package.json": "{}", "a\u202eb/package.json": "{}", "a\nb/package.json": "{}"}) == {}


def test_what_is_shown_is_told_with_the_files_and_the_versions_of_its_places() -> None:
    files = {".nvmrc": "20\n", "web/package.json": '{"engines": {"node": ">=18"}}', "other/.nvmrc": "16\n"}
    (found,) = detect(files, files, KNOWN)
    assert found.shown_by == ("web/package.json",)
    assert [(wish.text, wish.file) for wish in found.requirements] == [("20", ".nvmrc"), (">=18", "web/package.json")]


def test_only_files_whose_text_matters_are_asked_for() -> None:
    files = ["README.md", "package.json", "package-lock.json", "web/go.mod", "pyproject.toml", "uv.lock"]
    assert wanted(files, KNOWN) == ("package.json", "pyproject.toml", "web/go.mod")


def test_purposes_that_know_the_same_files_count_once_the_one_asked_for_first() -> None:
    assert [item.purpose for item in KNOWN] == ["go", "node", "python", "rust"]


# ── the same inside ──────────────────────────────────────────────────────────────────────────────────────────────


def tools(directory: Path, *names: str) -> Path:
    """Make programs that say what they were called with."""
    directory.mkdir()
    for name in names:
        program = directory / name
        program.write_text(f'#!/bin/sh\necho "ran: {name} $*"\n')
        program.chmod(0o755)
    return directory


def run_script(files: Mapping[str, str], tmp_path: Path, *programs: str) -> subprocess.CompletedProcess[str]:
    place = tmp_path / "repository"
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text)
    environ = {"PATH": f"{tools(tmp_path / 'bin', *programs)}:/usr/bin:/bin"}
    argv = ["/bin/sh", "-e", "-c", install_script(KNOWN)]
    return subprocess.run(argv, cwd=place, env=environ, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    "files",
    [
        {"uv.lock": "", "pyproject.toml": PROJECT},
        {"pyproject.toml": "[tool.ruff]\n", "requirements.txt": ""},
        {"package.json": "{}", "pnpm-lock.yaml": ""},
        {"package.json": '{"packageManager": "pnpm@9.1.0"}'},
        {"go.mod": "", "pyproject.toml": PROJECT, "Cargo.toml": ""},
    ],
)
def test_the_script_does_what_the_files_ask_for(files: dict[str, str], tmp_path: Path) -> None:
    done = run_script(files, tmp_path, "uv", "uvx", "npm", "pnpm", "yarn", "cargo", "go", TESTS)
    assert (done.returncode, done.stderr) == (0, "")
    ran = [line.removeprefix("ran: ").strip() for line in done.stdout.splitlines() if line.startswith("ran: ")]
    assert tuple(ran) == install_commands(files, files, KNOWN)


def test_the_script_passes_over_what_has_no_tool(tmp_path: Path) -> None:
    done = run_script({"go.mod": "", "package.json": "{}"}, tmp_path, "npm")
    assert (done.returncode, done.stderr) == (0, "passed over, for want of a tool: go.mod (go)\n")
    assert "ran: npm install\n" in done.stdout


def test_the_script_fails_where_no_tool_is_there_at_all(tmp_path: Path) -> None:
    done = run_script({"setup.py": ""}, tmp_path)
    assert (done.returncode, done.stderr) == (127, "passed over, for want of a tool: setup.py (uv)\n")


def test_the_script_fails_when_a_command_does_and_has_nothing_to_do_without_a_file(tmp_path: Path) -> None:
    assert run_script({}, tmp_path, "npm").stdout == "nothing here says how it is installed\n"
    place = tmp_path / "again"
    place.mkdir()
    (place / "x.txt").write_text("")
    failing = Knowledge("mine", (), (InstallRule(file="x.txt", run=("test 1 = 2", "echo on")),))
    argv = ["/bin/sh", "-e", "-c", install_script((failing,))]
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "on" in done.stdout.splitlines()) == (1, False)


# ── what tests need ──────────────────────────────────────────────────────────────────────────────────────────────

GROUPS = "[dependency-groups]\ndev = []\n'test' = []\ndocs = []\n"
EXTRAS = "[project.optional-dependencies]\ntests = []\ngpu = []\n"
INSTALL = "uv pip install"


@pytest.mark.parametrize(
    ("files", "calls"),
    [
        ({"pyproject.toml": GROUPS}, [f"{INSTALL} --group dev --group test"]),
        ({"pyproject.toml": PROJECT + EXTRAS}, [f"{INSTALL} --editable .[tests]"]),
        (
            {"pyproject.toml": PROJECT + EXTRAS + GROUPS, "uv.lock": ""},
            ["uv sync --active --inexact --frozen --extra tests --group dev --group test"],
        ),
        ({"requirements-dev.txt": "", "requirements.txt": ""}, [f"{INSTALL} --requirement requirements-dev.txt"]),
        ({"requirements/test.txt": ""}, [f"{INSTALL} --requirement requirements/test.txt"]),
        ({"test-requirements.txt": ""}, [f"{INSTALL} --requirement test-requirements.txt"]),
        (
            {"setup.py": "setup(extras_require={'test': ['x'], 'docs': ['y']})"},
            [f"{INSTALL} --editable .[test]"],
        ),
        (
            {"setup.cfg": "[options.extras_require]\ntesting =\n  x\n[x]\ndev = 1\n"},
            [f"{INSTALL} --editable .[testing]"],
        ),
        ({"setup.py": "", "tests/unit/test_x.py": ""}, [f"{INSTALL} pytest"]),
        ({"setup.py": "", "tox.ini": "commands = pytest"}, [f"{INSTALL} pytest"]),
        ({"setup.py": ""}, []),
    ],
)
def test_the_tests_of_a_tried_python_project_have_what_they_need(
    files: dict[str, str], calls: list[str], tmp_path: Path
) -> None:
    dockerfile = catalogue(None).get("python").render({}, "bootstrap", "envspec/base:debian-13")
    run = next(line for line in dockerfile.replace("\\\n", "").splitlines() if line.startswith("RUN printf '%s"))
    for name in ("bin", "none"):
        (tmp_path / name).mkdir()
    subprocess.run(["bash", "-ec", run[4:].replace("/usr/local/bin", f"{tmp_path}/bin")], check=True, timeout=30)
    (tmp_path / "bin" / "uv").write_text(f'#!/bin/sh\necho "uv $*" >> {tmp_path}/calls\n')
    (tmp_path / "bin" / "uv").chmod(0o755)
    (tmp_path / "none" / "pytest.py").write_text("raise ImportError\n")
    for name, text in files.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(text)
    subprocess.run(
        [sys.executable, str(tmp_path / "bin" / TESTS)],
        cwd=tmp_path / "project",
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "none")},
        check=True,
        timeout=30,
    )
    done = (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []
    assert done == calls
