"""Any repository: what a failed clone says, submodules, large files, shallow clones, and what installs one."""

from __future__ import annotations

from typing import Any

import pytest

from envspec.engine.objects import Build
from envspec.engine.whales import WhalesEngine
from tests.engine.contract import FIRST, REMOTE, SECOND, TEST_LABEL
from tests.engine.e2e import Place, Places, change, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

LARGE_IMAGE = "envspec-test/git-lfs:1"
LARGE_DOCKERFILE = r"""FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends git-lfs && rm -rf /var/lib/apt/lists/*
RUN git init -q -b main /tmp/large && cd /tmp/large && git lfs install --local && git lfs track '*.bin' \
    && head -c 4096 /dev/zero | tr '\0' x > big.bin && git add . \
    && git -c user.name=a -c user.email=a@example.org commit -qm one \
    && git init -q --bare -b main /srv/large.git && git push -q file:///srv/large.git main \
    && chown -R 1000:1000 /srv/large.git && rm -r /tmp/large
"""

SERVER = r"""
use IO::Socket::INET;
my ($port, $status) = @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 5, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  while (<$client>) { last if /^\r?\n$/ }
  print $client "HTTP/1.1 $status\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  close $client;
}
"""
"""Answers every request with one status."""

STATUSES = {8401: "401 Unauthorized", 8403: "403 Forbidden", 8404: "404 Not Found", 8502: "502 Bad Gateway"}

FAILING = {
    "no-such-page": ("https://h8404.example/a.git", "", "repo.not_found"),
    "no-such-path": ("file:///srv/none.git", "", "repo.not_found"),
    "wants-a-password": ("https://h8401.example/a.git", "", "repo.credentials"),
    "forbids": ("https://h8403.example/a.git", "", "repo.credentials"),
    "is-down": ("https://h8502.example/a.git", "", "repo.network"),
    "closed-port": ("https://127.0.0.1:1/a.git", "", "repo.network"),
    "no-such-host": ("https://none.invalid/a.git", "", "repo.network"),
    "no-such-branch": (REMOTE, "none", "repo.ref"),
    "no-such-commit": (REMOTE, "0" * 40, "repo.ref"),
    "no-such-short-commit": (REMOTE, "0000000", "repo.ref"),
}
"""URL, ref and the code that tells what is wrong."""


@pytest.fixture(scope="module")
def place(places: Places) -> Place:
    """A running environment, with servers that turn everybody away, and git told where they are."""
    place = places()
    rules = "".join(f'[url "http://127.0.0.1:{port}/"]\n\tinsteadOf = https://h{port}.example/\n' for port in STATUSES)
    write(place, dotfiles={"inline": {".gitconfig": rules}})
    place.apply()
    for port, status in STATUSES.items():
        place.inside('setsid perl -e "$1" "$2" "$3" > /dev/null 2>&1 < /dev/null &', SERVER, str(port), status)
        probe = f"perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(\"127.0.0.1:{port}\")' && echo up || true"
        until(lambda probe=probe: place.inside(probe) == "up", f"port {port} answers")  # type: ignore[misc]  # a bound default
    return place


def write(place: Place, **keys: Any) -> None:
    place.write(mount_cwd=False, user="1000:1000", **keys)


def git(place: Place, *words: str, path: str = "app") -> str:
    return place.exec("git", "-C", f"/workspace/{path}", *words)


def prepare(place: Place, script: str) -> str:
    """Do something with git as the user, and return what it prints."""
    return place.exec(
        "env",
        *(f"GIT_{who}_{what}=a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")),
        "sh",
        "-c",
        script,
    )


def test_the_error_says_what_failed(place: Place) -> None:
    rules = place.inside("cat /home/*/.gitconfig")
    repos = [{"url": url, "ref": ref, "path": path} for path, (url, ref, _) in FAILING.items()]
    write(place, dotfiles={"inline": {".gitconfig": rules + "\n"}}, repos=[*repos, {"url": REMOTE, "path": "good"}])
    told = place.apply(code=1)
    outcomes = {item["address"]: item for item in told.error["report"]["outcomes"]}
    codes = {path: outcomes[f"repo./workspace/{path}"]["error"]["code"] for path in FAILING}
    assert codes == {path: code for path, (_, _, code) in FAILING.items()}
    assert outcomes["repo./workspace/good"]["status"] == "done"
    for path, (_, _, code) in FAILING.items():
        error = outcomes[f"repo./workspace/{path}"]["error"]
        assert error["hint"]
        assert error["retriable"] == (code == "repo.network")
    assert place.inside("ls /workspace") == "good"


def test_submodules_come_and_go(place: Place) -> None:
    prepare(
        place,
        "git init -q -b main /tmp/super && cd /tmp/super && git -c protocol.file.allow=always submodule --quiet add "
        f"{REMOTE} part && git commit -qm one && git clone -q --bare /tmp/super /tmp/super.git",
    )
    repo = {"url": "file:///tmp/super.git", "path": "super"}
    write(place, repos=[{**repo, "submodules": True, "depth": 1}])
    place.apply()
    assert place.inside("cat /workspace/super/part/README.md") == "two"
    place.inside("echo mine >> /workspace/super/part/README.md")
    write(place, repos=[{**repo, "depth": 1}])
    assert change(place.plan(), "repo./workspace/super")["data_loss"] == ["/workspace/super (1 uncommitted change)"]
    place.inside("echo two > /workspace/super/part/README.md")
    place.apply()
    assert place.inside("ls /workspace/super/part") == ""


def test_a_shallow_clone_stays_shallow_through_every_ref(place: Place) -> None:
    prepare(place, "git clone -q --bare /srv/app.git /tmp/long.git")
    repo = {"url": "file:///tmp/long.git", "path": "app", "depth": 1}
    box = place.id
    for ref, head, branch in (
        ("", SECOND, ["main", "origin/main"]),
        (SECOND[:9], SECOND, []),
        (FIRST, FIRST, []),
    ):
        write(place, repos=[{**repo, "ref": ref}])
        place.apply()
        assert shallow(place) == ["true", head, "1", *branch]
    newer = prepare(
        place,
        "git clone -q /tmp/long.git /tmp/up && cd /tmp/up && git commit -q --allow-empty -m more "
        "&& git push -q origin main && git rev-parse HEAD",
    )
    write(place, repos=[{**repo, "ref": "old"}])
    place.apply()
    assert shallow(place) == ["true", FIRST, "1", "old", "origin/old"]
    write(place, repos=[{**repo, "ref": "main"}])
    place.apply()
    assert shallow(place) == ["true", newer, "1", "main", "origin/main"]
    assert place.id == box


def shallow(place: Place) -> list[str]:
    """Insist that the clone is shallow; return HEAD, the number of commits, the branch and what that follows."""
    return place.inside(
        "git config --global safe.directory '*' && cd /workspace/app && git rev-parse --is-shallow-repository "
        "&& git rev-parse HEAD && git rev-list --count HEAD && git branch --show-current "
        "&& { git rev-parse --abbrev-ref '@{upstream}' 2> /dev/null || true; }"
    ).split()


def test_a_commit_of_ones_own_in_a_shallow_clone_is_not_lost_unasked(place: Place) -> None:
    repo = {"url": REMOTE, "path": "own", "depth": 1}
    write(place, repos=[{**repo, "ref": FIRST}])
    place.apply()
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(place, *who, "commit", "-q", "--allow-empty", "-m", "mine", path="own")
    write(place, repos=[{**repo, "ref": "main"}])
    assert change(place.plan(), "repo./workspace/own")["data_loss"] == ["/workspace/own (1 unpushed commit)"]
    place.apply("--allow-data-loss", "repo./workspace/own")
    assert git(place, "rev-parse", "HEAD", path="own") == SECOND


def test_what_the_purposes_know_installs_a_repository(places: Places) -> None:
    place = places()
    purposes = place.directory / "purposes"
    purposes.mkdir()
    (purposes / "readme.Dockerfile.j2").write_text(
        "---\nsummary: for repositories that have a README\nbase: {registry: 'x:1', bootstrap: debian-13}\n"
        "detect: [README.md]\ninstall:\n  - {file: README.md, run: cp README.md installed}\n---\nFROM {{ base }}\n"
    )
    write(place, repos=[{"url": REMOTE, "path": "app", "install": "auto"}, {"url": REMOTE, "path": "plain"}])
    place.apply()
    assert place.exec("sh", "-c", "cd /workspace && cat app/installed && ls plain") == "two\nREADME.md"


def test_large_files_come_where_git_lfs_is_installed(places: Places, bare_engine: WhalesEngine, git_image: str) -> None:
    bare_engine.build(Build(LARGE_DOCKERFILE.format(base=git_image), LARGE_IMAGE, {TEST_LABEL: "1"}))
    place = places()
    write(place, image=LARGE_IMAGE, repos=[{"url": "file:///srv/large.git", "path": "app"}])
    place.apply()
    assert place.inside("wc -c < /workspace/app/big.bin") == "4096"
    assert place.plan()["changes"] == []
    place.inside("echo mine > /workspace/app/big.bin")
    write(place, image=LARGE_IMAGE)
    assert change(place.plan(), "repo./workspace/app")["data_loss"][0] == "/workspace/app (1 uncommitted change)"
