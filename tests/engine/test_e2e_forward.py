"""What of the user's own comes inside works there, for root and the user, in every door and in a bare exec."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from envspec.engine.whales import WhalesEngine
from tests.engine import git_server
from tests.engine.e2e import Place, bare, causes, change, make_place, remove_all, until
from tests.engine.git_server import DOTFILES, HTTPS, SSH, GitServer
from tests.engine.people import account, become

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

TOKEN = "ghp_evtTOKENevtTOKENevtTOKENevtTOKEN0000"
SECRETS = "from-env-canary from-a-file-canary passed-canary"
GITCONFIG = """
[user]
    name = "Ada \\"the Countess\\" Lovelace"
    email = ada@example.org
[alias]
    say = "!f() { echo \\"it's $1; yes\\"; }; f"
[credential]
    helper = store
[core]
    editor = /usr/bin/no-such-editor
"""


ORDINARY = pytest.mark.parametrize("user", ["uid 1000"], indirect=True)


@dataclass(frozen=True)
class User:
    """Somebody of the host: how to become them, and who works inside when they apply.

    Attributes:
        place: Their directory with a spec.
        home: Their home.
        key: Public half of their SSH key.
        uid: Who works inside.
        keys: What their specs write of that.
        agents: Those of their SSH agents that run.
    """

    place: Place
    home: Path
    key: str
    uid: int
    keys: dict[str, Any]
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_agent(self, socket: Path) -> None:
        """Start an agent that has the key, and use it from now on."""
        self.place.environ = {**self.place.environ, "SSH_AUTH_SOCK": str(socket)}
        owner = self.home.stat()
        drop = ("setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups")
        self.agents.append(subprocess.Popen([*drop, "ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL))
        until(socket.is_socket, f"an agent at {socket}")
        add = (*drop, "ssh-add", "-q", str(self.home / ".ssh" / "id_ed25519"))
        subprocess.run(add, env={**os.environ, **self.place.environ}, check=True, timeout=20)

    def end_agents(self) -> None:
        """End all agents, and the sockets with them."""
        while self.agents:
            agent = self.agents.pop()
            agent.terminate()
            agent.wait(10)

    def bare(self, *words: str, uid: int | None = None, code: int | None = 0) -> str:
        """Run a command inside with nothing but the engine's own client, and no shell."""
        return bare("exec", "--user", str(self.uid if uid is None else uid), self.place.box, *words, code=code)


@pytest.fixture(scope="module")
def server(bare_engine: WhalesEngine, request: pytest.FixtureRequest) -> Iterator[GitServer]:
    git_server.build(bare_engine, request.getfixturevalue(f"{bare_engine.name}_base"))
    with git_server.serving() as running:
        yield running


@pytest.fixture(params=["root", "uid 1000"])
def user(request: pytest.FixtureRequest, bare_engine: WhalesEngine, server: GitServer) -> Iterator[User]:
    """Root, and uid 1000: that of the host where it may use the engine, else the one that the spec names."""
    with account() as entry, tempfile.TemporaryDirectory(prefix="evt-forward-") as directory:
        base = Path(directory)
        base.chmod(0o755)
        home = base / "home"
        ordinary = request.param != "root"
        as_them = become(entry) if ordinary and bare_engine.name == "docker" else ()
        with somebody(base, home, as_them, entry if ordinary else pwd.getpwuid(0), server) as found:
            try:
                yield found
            finally:
                found.place.stop_all()
                remove_all(found.place.name)


@contextmanager
def somebody(
    base: Path, home: Path, as_them: tuple[str, ...], who: pwd.struct_passwd, server: GitServer
) -> Iterator[User]:
    """Give somebody a home, a key with its agent, a token, and a place to work at."""
    key = git_server.make_key(home / ".ssh" / "id_ed25519")
    (home / ".ssh" / "known_hosts").write_text(server.host_key)
    (home / ".gitconfig").write_text(GITCONFIG)
    (home / "ca.pem").write_text(server.ca)
    server.admit(token=TOKEN, public_key=key)
    environ = {
        "ENVSPEC_ENGINE": os.environ["ENVSPEC_ENGINE"],
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "GH_TOKEN": TOKEN,
        "SSL_CERT_FILE": str(home / "ca.pem"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    place = make_place(base, git_server.IMAGE, prefix=as_them, environ=environ)
    for path in (base, place.directory, home, *home.rglob("*")):
        os.chown(path, who.pw_uid, who.pw_gid)
    keys = {"user": f"{who.pw_uid}:{who.pw_gid}"} if who.pw_uid and not as_them else {}
    found = User(place, home, key, who.pw_uid, {**keys, "add_hosts": server.hosts})
    try:
        found.start_agent(base / "agent")
        yield found
    finally:
        found.end_agents()


def clones_both(target: str) -> str:
    return f"git clone -q {HTTPS} {target}-https && git clone -q {SSH} {target}-ssh && git -C {target}-ssh fetch -q"


def reaches(user: User, url: str, uid: int) -> bool:
    """Say whether git gets into a private repository, run by a bare exec."""
    return "refs/heads/main" in user.bare("git", "ls-remote", url, uid=uid, code=None)


def test_private_repositories_are_reached_with_token_and_agent_everywhere(user: User) -> None:
    place = user.place
    (user.home / "secret").write_text("from-a-file-canary\n")
    place.environ = {**place.environ, "EVT_ONE": "from-env-canary", "EVT_API_KEY": "passed-canary"}
    place.write(
        **user.keys,
        forward_ssh="agent",
        env={"ONE": {"from_env": "EVT_ONE"}, "TWO": {"from_file": str(user.home / "secret")}},
        dotfiles={"repo": DOTFILES, "inline": {".evtrc": "inline\n"}},
        repos=[{"url": HTTPS, "path": "https"}, {"url": SSH, "path": "ssh"}],
        setup_commands=[
            {"run": clones_both("/opt/root"), "as_root": True},
            f'test "$ONE $TWO $EVT_API_KEY" = "{SECRETS}" && {clones_both("user")}',
        ],
    )
    told = place.apply()
    assert set(told.done.values()) == {"done"}
    assert place.plan()["changes"] == []

    def works_everywhere() -> None:
        place.exec("sh", "-c", f"rm -rf again-* && {clones_both('again')}")
        assert place.exec("sh", "-c", "echo $ONE $TWO $EVT_API_KEY") == SECRETS
        for uid in {0, user.uid}:
            assert [reaches(user, url, uid) for url in (HTTPS, SSH)] == [True, True]
            assert user.bare("git", "config", "user.name", uid=uid) == 'Ada "the Countess" Lovelace'
            assert user.bare("bash", "-ic", "echo $GH_TOKEN", uid=uid) == TOKEN

    works_everywhere()
    assert user.bare("git", "say", "a b") == "it's a b; yes"
    assert user.bare("sh", "-c", "cat ~/.vimrc ~/.evtrc").split() == ["dotfiles", "inline"]
    owners = user.bare("stat", "-c", "%u", "/workspace/https", "/workspace/user-ssh", "/workspace/again-ssh")
    assert owners.split() == [str(user.uid)] * 3

    bare("restart", "--time", "1", place.box)
    assert not reaches(user, HTTPS, user.uid)
    assert list(place.apply().done) == ["environment.workspace"]
    works_everywhere()

    inspected = bare("container", "inspect", place.box) + str(told.envelope)
    assert not [canary for canary in (TOKEN, *SECRETS.split()) if canary in inspected]


@ORDINARY
def test_keys_come_as_files_that_ssh_takes_and_lie_in_no_layer(user: User) -> None:
    place, home = user.place, user.home
    (home / ".ssh" / "id_ed25519").rename(home / ".ssh" / "work")
    (home / ".ssh" / "config").write_text("Host work\n  HostName ssh.evt\n  User git\n  IdentityFile ~/.ssh/work\n")
    (home / ".ssh" / "authorized_keys").write_text(user.key)
    (home / ".ssh" / "huge").write_bytes(b"x" * 2_000_000)
    for path in (home / ".ssh").iterdir():
        os.chown(path, home.stat().st_uid, home.stat().st_gid)
    place.write(**user.keys, forward_ssh=True, repos=[{"url": "ssh://work/srv/private.git", "path": "app"}])
    told = place.apply()
    assert any("~/.ssh/huge is larger" in note for note in told.result["notes"])
    for uid in {0, user.uid}:
        assert "refs/heads/main" in user.bare("git", "ls-remote", "work:/srv/private.git", uid=uid)
        assert user.bare("sh", "-c", "ls ~/.ssh", uid=uid).split() == ["config", "id_ed25519.pub", "work"]
        assert user.bare("sh", "-c", "stat -L -c '%a %u' ~/.ssh/work", uid=uid) == f"400 {uid}"

    secret = (home / ".ssh" / "work").read_text().splitlines()[2]
    search = "cat > /dev/shm/s; find / -xdev -type f -newer /etc/os-release -exec grep -lF -f /dev/shm/s {} +"
    assert place.inside(f"{search}; rm /dev/shm/s", stdin=secret) == ""
    assert place.inside("grep -rlF -f - /run/envspec", stdin=secret) != ""
    assert secret not in bare("container", "inspect", place.box) + str(told.envelope)

    user.bare("sh", "-c", "rm ~/.ssh/work")
    assert list(place.apply().done) == [f"file.~{user.uid}/.ssh/work"]
    box = place.id
    place.write(**user.keys, repos=[{"url": "ssh://work/srv/private.git", "path": "app"}])
    place.apply()
    assert place.id == box
    assert user.bare("sh", "-c", "ls -A ~/.ssh /run/envspec/ssh 2> /dev/null; :").count("work") == 0


@ORDINARY
def test_git_is_the_users_until_it_is_taken_out(user: User) -> None:
    place = user.place
    file = "/var/lib/envspec/forwarded/gitconfig"
    extend = {"run": "git config --system evt.by setup", "as_root": True}
    place.write(**user.keys, setup_commands=[extend])
    place.apply()
    assert user.bare("git", "config", "user.email") == "ada@example.org"
    assert user.bare("git", "config", "evt.by") == "setup"
    for left in ("core.editor", "credential.helper"):
        assert user.bare("git", "config", left, code=1) == ""

    place.inside(f"echo spoilt > {file}")
    assert change(place.plan(), f"file.{file}")["diff"][0]["cause"] == "drift"
    (user.home / ".gitconfig").write_text("[user]\nemail = ada@elsewhere\n")
    assert list(place.apply().done) == [f"file.{file}"]
    assert user.bare("git", "config", "user.email") == "ada@elsewhere"

    place.write(**user.keys, forward_git=False, forward_gh=False, setup_commands=[extend])
    place.apply()
    assert user.bare("git", "config", "user.email", code=1) == ""
    assert user.bare("sh", "-c", ". /run/envspec/env; echo ${GH_TOKEN:-none}") == "none"


@ORDINARY
def test_another_agent_takes_the_place_of_one_that_ended(user: User) -> None:
    place, base = user.place, user.home.parent
    place.write(**user.keys, forward_ssh="agent", setup_commands=["touch /tmp/of-this-container"])
    place.apply()
    box = place.id
    assert reaches(user, SSH, user.uid)

    user.end_agents()
    user.start_agent(base / "agent")
    assert not reaches(user, SSH, user.uid)
    assert causes(place.plan(), "container.workspace") == {"status": "engine"}
    assert place.told("apply", ".", code=4).error["code"] == "refused.no_consent"
    place.apply()
    assert (place.id, reaches(user, SSH, user.uid)) == (box, True)

    bare("stop", "--time", "1", place.box)
    user.end_agents()
    (base / "login").mkdir(mode=0o777)
    os.chown(base / "login", user.home.stat().st_uid, user.home.stat().st_gid)
    user.start_agent(base / "login" / "agent")
    assert not (base / "agent").exists()
    place.apply()
    assert not (base / "agent").exists()
    assert reaches(user, SSH, user.uid)
    assert place.id != box

    box = place.id
    user.end_agents()
    assert [note for note in place.plan()["notes"] if note.startswith("no SSH agent answers")]
    place.write(**user.keys, forward_ssh="agent", config_files={"/etc/evt": "1"})
    place.apply()
    assert place.id == box


SIGNS = """
[gpg]
    format = {format}
[user]
    signingkey = {key}
[commit]
    gpgsign = true
[tag]
    gpgsign = true
"""
COMMIT = "git init -q $1 && cd $1 && git commit -q --allow-empty -m signed && git tag -m it v1"
VERIFY = """cd $1 && printf '%s %s\n' ada@example.org "$2" > /tmp/signers-$(id -u)
git -c gpg.ssh.allowedSignersFile=/tmp/signers-$(id -u) verify-commit HEAD 2>&1 \
&& git -c gpg.ssh.allowedSignersFile=/tmp/signers-$(id -u) verify-tag v1 2>&1"""


@ORDINARY
def test_commits_are_signed_where_the_key_can_be_reached_and_made_where_it_cannot(user: User) -> None:
    place = user.place
    written = (user.home / ".gitconfig").read_text()

    def commits(name: str) -> None:
        for uid in {0, user.uid}:
            user.bare("sh", "-euc", COMMIT, "sh", f"/tmp/{name}-{uid}", uid=uid)

    def verified(name: str, code: int = 0) -> list[str]:
        script = ("sh", "-euc", VERIFY, "sh")
        return [user.bare(*script, f"/tmp/{name}-{uid}", user.key, uid=uid, code=code) for uid in {0, user.uid}]

    (user.home / ".gitconfig").write_text(written + SIGNS.format(format="ssh", key="~/.ssh/id_ed25519.pub"))
    for name, wish in (("agent", "agent"), ("files", True)):
        place.write(**user.keys, forward_ssh=wish)
        told = place.apply("--allow-data-loss", "container.workspace")
        assert not any("sign" in note for note in told.result["notes"])
        commits(name)
        assert all(text.count('Good "git" signature for ada@example.org') == 2 for text in verified(name))

    place.write(**user.keys)
    unreached = [place.apply("--allow-data-loss", "container.workspace")]
    commits("none")
    (user.home / ".gitconfig").write_text(written + SIGNS.format(format="openpgp", key="0123456789ABCDEF"))
    unreached.append(place.apply())
    commits("openpgp")
    assert all("git does not sign inside: the key cannot be reached there" in t.result["notes"] for t in unreached)
    for name in ("none", "openpgp"):
        verified(name, code=1)
