"""What git says, and which of the four reasons it stands for: the name, the network, the credentials, the ref."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from envspec.engine.operations import REPO_CODES, Completed
from envspec.engine.script import text_of
from envspec.errors import OutOfReach
from envspec.kinds.repo import HINTS, failure

SAID = {
    "not_found": [
        "fatal: repository 'https://git.example/none.git/' not found",
        "remote: Not Found\nfatal: repository 'https://git.example/none.git/' not found",
        "fatal: repository '/srv/none.git' does not exist",
        "fatal: '/srv/none.git' does not appear to be a git repository\nfatal: Could not read from remote repository.",
        "ERROR: Repository not found.\nfatal: Could not read from remote repository.",
        "remote: Repository not found.\nfatal: repository 'https://git.example/a/b/' not found",
        "ERROR: The project you were looking for could not be found or you don't have permission to view it.",
        "fatal: remote error: access denied or repository not exported: /none.git",
        "fatal: https://git.example/page/info/refs not valid: is this a git repository?",
    ],
    "network": [
        "fatal: unable to access 'https://x.invalid/a.git/': Could not resolve host: x.invalid",
        "fatal: unable to access 'https://x/a.git/': Could not resolve proxy: proxy.invalid",
        "fatal: unable to access 'http://127.0.0.1:1/': Failed to connect to 127.0.0.1 port 1 after 0 ms: "
        "Couldn't connect to server",
        "fatal: unable to access 'https://x/a/': Failed to connect to x port 443: Connection refused",
        "fatal: unable to access 'https://x/': Received HTTP code 407 from proxy after CONNECT",
        "fatal: unable to access 'https://x/': The requested URL returned error: 502",
        "fatal: unable to access 'https://x/': SSL certificate problem: unable to get local issuer certificate",
        "fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none CRLfile: none",
        "fatal: unable to access 'https://x/': gnutls_handshake() failed: The TLS connection was non-properly closed.",
        "fatal: unable to access 'https://x/': Operation timed out after 300 milliseconds",
        "ssh: Could not resolve hostname x.invalid: Name or service not known\n"
        "fatal: Could not read from remote repository.",
        "ssh: connect to host x port 22: Connection refused\nfatal: Could not read from remote repository.",
        "ssh: connect to host x port 22: No route to host\nfatal: Could not read from remote repository.",
        "fatal: unable to look up x.invalid (port 9418) (Name or service not known)",
        "fatal: unable to connect to 127.0.0.1:\n127.0.0.1[0: 127.0.0.1]: errno=Connection refused",
        "error: RPC failed; curl 56 GnuTLS recv error\nfatal: early EOF",
    ],
    "credentials": [
        "fatal: could not read Username for 'https://git.example': terminal prompts disabled",
        "fatal: could not read Username for 'https://git.example': No such device or address",
        "fatal: could not read Password for 'https://a@git.example': terminal prompts disabled",
        "remote: Invalid username or password.\nfatal: Authentication failed for 'https://git.example/a.git/'",
        "fatal: unable to access 'https://git.example/a.git/': The requested URL returned error: 403",
        "git@git.example: Permission denied (publickey).\nfatal: Could not read from remote repository.",
        "Host key verification failed.\nfatal: Could not read from remote repository.",
        "remote: Repository not found.\nfatal: could not read Username for 'https://git.example': prompts disabled",
        "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights",
    ],
    "ref": [
        "warning: Could not find remote branch none to clone.\nfatal: Remote branch none not found in upstream origin",
        "fatal: couldn't find remote ref refs/heads/none",
        "fatal: remote error: upload-pack: not our ref 0000000000000000000000000000000000000000",
        "error: Server does not allow request for unadvertised object 0000000000000000000000000000000000000000",
    ],
}


def clone(tmp_path: Path, said: str, ref: str = "", second: str = "exit 0") -> Completed:
    """Clone with a git that says something and fails; asked once more, it does what ``second`` says."""
    (tmp_path / "said").write_text(said)
    stand_in = tmp_path / "git"
    script = f'case " $* " in *" ls-remote "*) {second} ;; *" clone "*) cat {tmp_path}/said >&2; exit 128 ;; esac'
    stand_in.write_text(f"#!/bin/sh\n{script}\n")
    stand_in.chmod(0o755)
    text = f"{text_of('git_reason')}\n{text_of('git')}"
    words = ("clone", "https://git.example/app.git", str(tmp_path / "app"), ref, "0", "", "", "")
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-c", text, "git", *words], env=environ, capture_output=True, timeout=10, check=False
    )
    return Completed(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("reason", "said"),
    [(reason, said) for reason in sorted(SAID) for said in SAID[reason]],
    ids=lambda value: value[:60],
)
def test_gits_words_are_told_apart(tmp_path: Path, reason: str, said: str) -> None:
    error = failure(clone(tmp_path, said, ref="none" if reason == "ref" else ""), "repo./workspace/app")
    assert error.code == f"repo.{reason}"
    assert error.hint == HINTS[reason]
    assert error.where.address == "repo./workspace/app"
    assert said.splitlines()[-1] in error.message
    assert error.retriable == (reason == "network")


def test_what_the_other_side_writes_is_not_taken_for_gits_own_words(tmp_path: Path) -> None:
    said = "remote: Permission denied (publickey). Could not resolve host\nfatal: the remote is in a strange mood"
    assert failure(clone(tmp_path, said), "repo.x").code == "repo.failed"


def test_a_second_look_tells_what_the_first_words_leave_open(tmp_path: Path) -> None:
    open_words = "fatal: something else altogether"
    assert failure(clone(tmp_path, open_words), "repo.x").code == "repo.failed"
    assert failure(clone(tmp_path, open_words, ref="none"), "repo.x").code == "repo.ref"
    assert failure(clone(tmp_path, open_words, ref="main", second="echo 1234 refs/heads/main"), "repo.x").code == (
        "repo.failed"
    )
    away = "echo 'fatal: Could not resolve host: git.example' >&2; exit 128"
    assert failure(clone(tmp_path, open_words, second=away), "repo.x").code == "repo.network"


def test_an_image_without_git_is_told_from_all_of_that(tmp_path: Path) -> None:
    words = ("clone", "https://git.example/app.git", str(tmp_path / "app"), "", "0", "", "", "")
    argv = ["/bin/sh", "-c", f"{text_of('git_reason')}\n{text_of('git')}", "git", *words]
    done = subprocess.run(argv, env={"PATH": str(tmp_path)}, capture_output=True, timeout=10, check=False)
    error = failure(Completed(done.returncode, done.stdout, done.stderr), "repo.x")
    assert (error.code, error.message) == ("repo.no_git", "git is not installed in the container")


def test_every_code_has_a_next_step_and_the_message_begins_with_the_reason() -> None:
    assert set(REPO_CODES.values()) == set(HINTS)
    error = failure(Completed(24, b"fatal: from git\nhttps://x has no branch none\n"), "repo.x")
    assert error.message == "https://x has no branch none\nfatal: from git"
    assert failure(Completed(24), "repo.x").message == "exit code 24"
    assert failure(Completed(125, b"cannot become uid 7\n"), "repo.x").code == "repo.failed"
    allowed = failure(Completed(26, b"local changes\n"), "repo./a").hint
    assert "--allow-data-loss repo./a" in allowed
    assert isinstance(failure(Completed(21, b"no\n"), "repo.x"), OutOfReach)
