"""What is found on the host of GitHub's token and of SSH, and what becomes of it in a resolved environment."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from envspec.engine.facts import AGENT_SOCKET, FORWARDED_GIT, Answer, FileFact
from envspec.engine.objects import ContainerConfig, ContainerState, Mount
from envspec.errors import SpecError
from envspec.forward import gh, ssh
from envspec.forward.read import read
from envspec.forward.values import Entry, Forwarded, SshFile, Wish
from envspec.host import HostFacts
from envspec.kinds import names
from envspec.kinds.base import Observed
from envspec.kinds.container import Container, ContainerSpec
from envspec.kinds.environment import EnvironmentSpec
from envspec.kinds.file import FileSpec
from envspec.model import Action, Desired, Hidden, Resource
from envspec.purposes import catalogue
from envspec.resolve import candidates, choose, resolve, wish
from envspec.resolve.forward import KNOWN_HOSTS
from envspec.spec.load import Loaded, loads
from envspec.steps.agent import standing_in

TOKEN = "ghp_0123456789"
HOSTS = f"github.com:\n  user: ada\n  oauth_token: {TOKEN}\nghe.example:\n  oauth_token: other\n"


# ── GitHub's token ──


def hosts_file(home: Path, text: str) -> None:
    (home / ".config/gh").mkdir(parents=True)
    (home / ".config/gh/hosts.yml").write_text(text)


def found(environ: dict[str, str], home: Path, printed: bytes | None = None) -> str | None:
    token = gh.token({"PATH": str(home), **environ}, home, lambda _: printed)
    return token.text if token else None


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"GH_TOKEN": "one", "GITHUB_TOKEN": "two"}, "one"),
        ({"GH_TOKEN": "", "GITHUB_TOKEN": "two"}, "two"),
        ({}, TOKEN),
        ({"GH_CONFIG_DIR": "/nonexistent"}, None),
    ],
)
def test_the_token_is_the_one_that_gh_would_take(tmp_path: Path, environ: dict[str, str], token: str | None) -> None:
    hosts_file(tmp_path, HOSTS)
    assert found(environ, tmp_path) == token


def test_gh_is_asked_where_a_keyring_holds_the_token(tmp_path: Path) -> None:
    program = tmp_path / "gh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert found({}, tmp_path, b"never asked") is None
    hosts_file(tmp_path, "github.com:\n  user: ada\n")
    assert found({}, tmp_path, f"{TOKEN}\n".encode()) == TOKEN
    assert found({}, tmp_path, None) is None
    program.unlink()
    assert found({}, tmp_path, b"there is no gh") is None


@pytest.mark.parametrize(
    "text", ["", "[", "- 1\n", "github.com: x\n", "ghe.example:\n  oauth_token: other\n", "a: &a [*a]"]
)
def test_a_file_that_says_nothing_of_github_is_no_login(tmp_path: Path, text: str) -> None:
    hosts_file(tmp_path, text)
    assert found({}, tmp_path, b"never asked") is None


def test_no_token_of_several_lines_is_taken(tmp_path: Path) -> None:
    assert found({"GH_TOKEN": "one\nexport X=2"}, tmp_path) is None


# ── SSH ──


def test_the_files_of_ssh_come_without_sockets_leftovers_and_who_may_come_in(tmp_path: Path) -> None:
    root = tmp_path / ".ssh"
    (root / "config.d/work").mkdir(parents=True)
    for name in ("id_ed25519", "config", "known_hosts", "config.d/work/hosts"):
        (root / name).write_text(name)
    for name in (
        "authorized_keys",
        "authorized_keys2",
        "rc",
        "environment",
        "known_hosts.old",
        "config~",
        ".config.swp",
    ):
        (root / name).write_text("left")
    (root / "huge").write_bytes(b"x" * (ssh.MAX_FILE_BYTES + 1))
    (root / "gone").symlink_to("nowhere")
    (root / "linked").symlink_to(root / "config")
    (root / "circle").symlink_to(root)
    with socket.socket(socket.AF_UNIX) as master:
        master.bind(str(root / "ctl-git@host:22"))
        taken, told = ssh.files(tmp_path)
    assert [file.path for file in taken] == ["config", "config.d/work/hosts", "id_ed25519", "known_hosts", "linked"]
    assert told == (
        "~/.ssh/gone stays behind: No such file or directory",
        "~/.ssh/huge is larger than 1 MiB and stays behind",
    )
    assert "Host" not in repr(SshFile("config", "Host x"))


def test_bytes_of_any_kind_survive(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/key").write_bytes(bytes(range(256)))
    ((key,), _) = ssh.files(tmp_path)
    assert key.text.encode(errors="surrogateescape") == bytes(range(256))


def test_no_files_and_no_known_hosts_are_nothing(tmp_path: Path) -> None:
    assert ssh.files(tmp_path) == ((), ())
    assert ssh.known_hosts(tmp_path) == b""


@contextmanager
def listening(path: Path) -> Iterator[Path]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path


def test_an_agent_is_one_that_takes_a_connection_wherever_links_lead(tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "agent")
    with listening(tmp_path / "agent") as path:
        for given in (path, link):
            assert ssh.agent({"SSH_AUTH_SOCK": str(given)}) == (str(path), os.getuid())
    for dead in (str(path), str(tmp_path), str(tmp_path / "none"), ""):  # it ended, and left its socket behind
        assert ssh.agent({"SSH_AUTH_SOCK": dead}) == ("", 0)
    assert ssh.agent({}) == ("", 0)


def test_nothing_is_looked_for_that_nobody_wants(tmp_path: Path) -> None:
    hosts_file(tmp_path, HOSTS)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text("host key\n")
    assert read(Wish(), {"HOME": str(tmp_path), "GH_TOKEN": TOKEN}) == Forwarded()


# ── what becomes of it ──

FOUND = Forwarded(
    git=(Entry("user.name", "Ada"),),
    known_hosts=b"git.example ssh-ed25519 AAAA\n",
    gh_token=Hidden(TOKEN),
    ssh=(SshFile("config", "Host x\n"), SshFile("known_hosts", "git.example\n")),
)


def spec(directory: Path, **keys: Any) -> Loaded:
    start = {} if "purpose" in keys else {"image": "debian:13"}
    return loads(yaml.safe_dump({"name": "shop", **start, **keys}).encode(), "env.yaml", directory)


def desired(directory: Path, forwarded: Forwarded = FOUND, uid: int = 1000, **keys: Any) -> Desired:
    loaded, purposes = spec(directory, **keys), catalogue(directory)
    ways = candidates(loaded.spec, purposes)
    chosen = choose(loaded.spec, ways, {}, lambda: True)
    facts = HostFacts(uid, uid, "ada", forwarded=forwarded)
    return resolve(loaded, facts, purposes, chosen)


def content(wanted: Desired, path: str) -> str:
    resource = wanted.get(f"file.{path}")
    assert resource is not None, path
    assert isinstance(resource.spec, FileSpec)
    return resource.spec.content.decode()


def environment(wanted: Desired) -> EnvironmentSpec:
    (resource,) = wanted.of_kind("environment")
    assert isinstance(resource.spec, EnvironmentSpec)
    return resource.spec


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({}, Wish(git=True, gh=True)),
        ({"forward_git": False, "forward_gh": False}, Wish()),
        ({"forward_ssh": True}, Wish(git=True, gh=True, ssh="files")),
        ({"forward_ssh": "agent"}, Wish(git=True, gh=True, ssh="agent")),
        ({"purpose": "clean"}, Wish()),
        ({"purpose": "clean", "forward_git": True}, Wish(git=True)),
        ({"trust": "untrusted"}, Wish()),
    ],
)
def test_what_is_looked_for_follows_from_spec_purpose_and_trust(
    tmp_path: Path, keys: dict[str, Any], wanted: Wish
) -> None:
    found_wish = wish(spec(tmp_path, **keys), catalogue(tmp_path))
    assert found_wish == Wish(wanted.git, wanted.gh, wanted.ssh, str(tmp_path))


@pytest.mark.parametrize("key", [{"forward_git": True}, {"forward_gh": True}, {"forward_ssh": "agent"}])
def test_an_untrusted_environment_gets_nothing_even_if_it_asks(tmp_path: Path, key: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as error:
        desired(tmp_path, trust="untrusted", **key)
    assert error.value.code == "spec.untrusted"


def test_the_token_is_hidden_and_its_helper_serves_one_host(tmp_path: Path) -> None:
    wanted = desired(tmp_path)
    assert environment(wanted).secrets == {"GH_TOKEN": Hidden(TOKEN)}
    text = content(wanted, FORWARDED_GIT)
    assert '[credential "https://github.com"]' in text
    assert text.count("[credential") == 1
    assert TOKEN not in text
    assert "[credential" not in content(desired(tmp_path, forward_gh=False), FORWARDED_GIT)


@pytest.mark.parametrize("name", ["GH_TOKEN", "GITHUB_TOKEN"])
def test_a_token_that_the_author_gives_wins(tmp_path: Path, name: str) -> None:
    wanted = desired(tmp_path, env={name: "mine"})
    assert {**environment(wanted).plain, **environment(wanted).secrets} == {name: "mine"}
    assert "[credential" in content(wanted, FORWARDED_GIT)


def test_files_of_ssh_are_secret_and_links_lead_to_them_for_root_and_the_user(tmp_path: Path) -> None:
    wanted = desired(tmp_path, forward_ssh=True)
    secret = {file.path: (file.content, file.mode, file.uid) for file in environment(wanted).files if "/" in file.path}
    assert secret == {
        f"ssh/{uid}/{name}": (Hidden(text), 0o400, uid)
        for uid in (0, 1000)
        for name, text in (("config", "Host x\n"), ("known_hosts", "git.example\n"))
    }
    for uid in (0, 1000):
        assert content(wanted, f"~{uid}/.ssh/config") == f"/run/envspec/ssh/{uid}/config"
        assert wanted.get(f"file.~{uid}/.ssh/known_hosts") is None
    assert content(wanted, KNOWN_HOSTS) == FOUND.known_hosts.decode()


def test_what_the_author_writes_is_not_overwritten(tmp_path: Path) -> None:
    assert content(desired(tmp_path, config_files={KNOWN_HOSTS: "mine\n"}), KNOWN_HOSTS) == "mine\n"


def test_a_read_only_root_has_git_and_no_known_hosts(tmp_path: Path) -> None:
    wanted = desired(tmp_path, security={"read_only": True})
    assert "Ada" in content(wanted, FORWARDED_GIT)
    assert wanted.get(f"file.{KNOWN_HOSTS}") is None
    assert environment(wanted).plain["GIT_CONFIG_SYSTEM"] == FORWARDED_GIT


@pytest.mark.parametrize(
    ("forwarded", "keys", "code"),
    [
        (Forwarded(agent="/tmp/a,b"), {"forward_ssh": "agent", "user": "root"}, "spec.mount_path"),
        (Forwarded(agent="/tmp/a", agent_uid=0), {"forward_ssh": "agent"}, "spec.agent_user"),
        (Forwarded(), {"forward_ssh": True}, "spec.no_ssh"),
        (FOUND, {"forward_ssh": True, "security": {"read_only": True}}, "spec.no_ssh"),
    ],
)
def test_what_cannot_be_had_is_told_before_anything_happens(
    tmp_path: Path, forwarded: Forwarded, keys: dict[str, Any], code: str
) -> None:
    with pytest.raises(SpecError) as error:
        desired(tmp_path, forwarded, **keys)
    assert error.value.code == code
    assert error.value.hint
    assert error.value.where.line


def test_a_bound_directory_of_somebody_else_is_safe_for_git(tmp_path: Path) -> None:
    mine, others = os.getuid(), os.getuid() + 1
    assert "safe" not in content(desired(tmp_path, uid=mine), FORWARDED_GIT)
    for forwards in (True, False):
        told = content(desired(tmp_path, uid=others, forward_git=forwards), FORWARDED_GIT)
        assert 'directory = "/workspace"' in told
        assert 'directory = "/workspace/*"' in told, "repositories within it, and submodules"


# ── an agent that comes and goes ──


def test_without_an_agent_a_note_says_so_and_what_is_mounted_stays(tmp_path: Path) -> None:
    there = desired(tmp_path, Forwarded(agent="/tmp/a", agent_uid=1000), forward_ssh="agent")
    gone = desired(tmp_path, Forwarded(), forward_ssh="agent")
    assert [note for note in gone.notes if note.startswith("no SSH agent answers")]
    with_agent, without = (wanted.get(names.WORKSPACE) for wanted in (there, gone))
    assert with_agent is not None
    assert without is not None
    box = ContainerState(
        id="1",
        name="shop-workspace",
        status="running",
        image_id="sha256:a",
        labels=names.labels("shop", "container", names.WORKSPACE),
        config=with_agent.spec.config,
        networks=(),
    )
    kept = without.spec.beside(box)
    assert kept.settings == with_agent.spec.settings
    assert without.spec.settings != with_agent.spec.settings


AGENT = Mount(AGENT_SOCKET, "bind", "/tmp/agent")


def boxed(files: dict[str, FileFact], mounts: tuple[Mount, ...] = (AGENT,)) -> Observed:
    config = ContainerConfig("i", mounts=mounts)
    box = ContainerState("1", "shop-workspace", "running", "sha", {"dev.envspec.env": "shop"}, config)
    return Observed("shop", containers=(box,), inside=Answer(files=files, jobs=("build",)))


@pytest.mark.parametrize(
    ("files", "action"), [({}, Action.UPDATE), ({AGENT_SOCKET: FileFact("other")}, None)], ids=["ended", "there"]
)
def test_a_container_with_the_socket_of_an_agent_that_ended_is_started_again(
    files: dict[str, FileFact], action: Action | None
) -> None:
    wanted = ContainerSpec(ContainerConfig("i", mounts=(AGENT,)))
    verdict = Container().diff(Resource("container.workspace", "container", wanted), wanted, boxed(files))
    paths = {diff.path for diff in verdict.diff} - {"networks.bridge"} if verdict else set()
    assert paths == ({"status"} if action else set())
    assert (tuple(lost.text for lost in verdict.losses) if verdict else ()) == (
        ("job build (running)",) if action else ()
    )


def test_an_empty_file_stands_in_for_a_socket_that_is_gone_while_a_container_starts(tmp_path: Path) -> None:
    gone, other = tmp_path / "ssh-X" / "agent.1", tmp_path / "data"
    with standing_in((Mount(AGENT_SOCKET, "bind", str(gone)), Mount("/data", "bind", str(other)))):
        assert gone.read_bytes() == b""
        assert not other.exists()
    assert not gone.parent.exists()
    with listening(tmp_path / "agent") as path, standing_in((Mount(AGENT_SOCKET, "bind", str(path)),)):
        assert path.is_socket()
    assert path.exists()
