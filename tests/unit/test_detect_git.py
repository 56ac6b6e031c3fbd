"""Looking at a repository from the host: nothing of it is checked out or run, and nothing of the user's is given."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from envspec import detect_git
from envspec.detect import knowledge
from envspec.detect_git import look
from envspec.engine.runner import Runner
from envspec.errors import EngineNotReady, StepFailed
from envspec.purposes import catalogue

KNOWN = knowledge(catalogue(None))
WHO = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")


def git(directory: Path, *words: str) -> str:
    argv = ["git", *WHO, "-C", str(directory), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a project at its root and another one below."""
    made = tmp_path / "a repository"
    files = {
        "pyproject.toml": "[project]\nname = 'x'\nrequires-python = '>=3.11'\n",
        "README.md": "# x\n",
        "web/package.json": "{}",
        "web/src/go.mod": "too deep to count",
    }
    for name, text in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    git(tmp_path, "init", "-q", str(made))
    git(made, "add", ".")
    git(made, "commit", "-qm", "one")
    return made


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for temporary files of one's own, which must be empty after every look."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    return directory


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_repository_shows_what_it_is_made_with(repository: Path, temporary: Path, form: str) -> None:
    runner = Runner()
    found = look(form.format(str(repository).replace(" ", "%20" if "file" in form else " ")), KNOWN, runner=runner)
    assert [(item.purpose, item.shown_by, item.install) for item in found] == [
        ("node", ("web/package.json",), ("cd web && npm install",)),
        ("python", ("pyproject.toml",), ("uv pip install --editable .", "install-test-dependencies")),
    ]
    assert [wish.text for wish in found[1].requirements] == [">=3.11"]
    assert list(temporary.iterdir()) == []
    assert runner.calls == 6


def test_a_bundle_and_a_bare_repository_will_do_too(repository: Path, tmp_path: Path) -> None:
    git(repository, "bundle", "create", "-q", str(tmp_path / "x.bundle"), "HEAD", "main")
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    seen = look(str(repository), KNOWN)
    assert look(str(tmp_path / "x.bundle"), KNOWN) == seen
    assert look(str(tmp_path / "bare.git"), KNOWN) == seen


def test_nothing_of_a_hostile_repository_runs_or_is_checked_out(repository: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    touch = f"touch {canary}"
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-receive", "post-update", "reference-transaction", "fsmonitor-watchman"):
        (hooks / name).write_text(f"#!/bin/sh\n{touch}\n")
        (hooks / name).chmod(0o755)
    (repository / ".gitattributes").write_text("* filter=evil diff=evil\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "two")
    for key in ("core.fsmonitor", "filter.evil.smudge", "uploadpack.packObjectsHook", "core.sshCommand"):
        git(repository, "config", key, touch)
    canary.unlink(missing_ok=True)
    assert len(look(str(repository), KNOWN)) == 2
    assert not canary.exists()


def test_large_files_and_links_count_by_their_names_alone(repository: Path) -> None:
    (repository / "pyproject.toml").write_text("[project]\n" + "#" * detect_git.MAX_TEXT)
    (repository / ".python-version").symlink_to("/etc/hostname")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "two")
    python = look(str(repository), KNOWN)[1]
    assert (python.purpose, python.requirements, python.install) == ("python", (), ())


def spied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool) -> str:
    """Return what git sees of the host's user, told by a git that fails."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").write_text('#!/bin/sh\nenv; cat "$GIT_CONFIG_GLOBAL"; exit 1\n')
    (programs / "git").chmod(0o755)
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/canary/agent")
    monkeypatch.setenv("HOME", "/canary/home")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    said: list[str] = []

    class Spy(Runner):
        def run(self, *args, **more):  # type: ignore[no-untyped-def]  # as the runner's
            done = super().run(*args, **more)
            said.append(done.stdout.decode())
            return done

    with pytest.raises(StepFailed):
        look("https://example.invalid/x", KNOWN, trusted=trusted, runner=Spy())
    return "".join(said)


def test_an_untrusted_repository_is_read_without_anything_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = spied(tmp_path, monkeypatch, trusted=False)
    assert "canary" not in said
    for line in (
        "GIT_TERMINAL_PROMPT=0",
        "GIT_CONFIG_NOSYSTEM=1",
        "GIT_ALLOW_PROTOCOL=https:ssh:git:file",
        "\thelper =",
    ):
        assert line in said.splitlines()


def test_a_trusted_repository_is_read_with_the_users_own_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = spied(tmp_path, monkeypatch, trusted=True)
    assert "HOME=/canary/home" in said
    assert "SSH_AUTH_SOCK=/canary/agent" in said
    assert "\tpath = ~/.gitconfig" in said
    assert "AWS_SECRET_ACCESS_KEY" not in said


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://host.invalid/x", "detect.unreachable"),
        ("git://127.0.0.1:1/x", "detect.unreachable"),
        ("/nonexistent/x", "detect.not_found"),
        ("http://127.0.0.1:1/x", "detect.failed"),
    ],
)
def test_the_error_says_why_a_repository_cannot_be_read(url: str, code: str) -> None:
    with pytest.raises(StepFailed) as caught:
        look(url, KNOWN)
    assert caught.value.code == code
    assert url in caught.value.message
    assert caught.value.hint


def test_a_repository_without_a_commit_and_a_directory_that_is_none_are_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "empty")
    with pytest.raises(StepFailed) as caught:
        look(str(tmp_path / "empty"), KNOWN)
    assert caught.value.code == "detect.empty"
    (tmp_path / "plain").mkdir()
    with pytest.raises(StepFailed) as caught:
        look(str(tmp_path / "plain"), KNOWN)
    assert caught.value.code == "detect.not_found"


def test_a_host_without_git_is_told_what_else_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EngineNotReady) as caught:
        look("https://example.invalid/x", KNOWN)
    assert caught.value.code == "host.no_git"
    assert "install: auto" in caught.value.hint
