"""git's configuration of the host as it is written for the inside, read back by git itself."""

from __future__ import annotations

import base64
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from envspec.forward import gitconfig
from envspec.forward.read import read
from envspec.forward.values import Entry, Forwarded, SshWish, Wish

Entries = Sequence[tuple[str, str | None]]


class Host:
    """A user of a host: a home and what lies in it."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def write(self, path: str, text: str) -> Path:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, ssh: SshWish = "", directory: str = "/") -> Forwarded:
        environ = {
            "HOME": str(self.home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "SSH_AUTH_SOCK": str(self.home / "agent"),
        }
        return read(Wish(git=True, ssh=ssh, directory=directory), environ)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def listed(file: Path) -> list[tuple[str, str | None]]:
    """Return what git reads in a file."""
    argv = ("git", "config", "--file", str(file), "--list", "-z")
    output = subprocess.run(argv, capture_output=True, check=True).stdout.decode(errors="surrogateescape")
    pairs = (entry.partition("\n") for entry in output.split("\0")[:-1])
    return [(key, value if line_break else None) for key, line_break, value in pairs]


def pairs(entries: Sequence[Entry]) -> list[tuple[str, str | None]]:
    return [(entry.key, entry.value) for entry in entries]


def kept(*entries: tuple[str, str | None], ssh: SshWish = "") -> list[tuple[str, str | None]]:
    found = gitconfig.chosen([Entry(*entry) for entry in entries], ssh, lambda _: "")
    return pairs(found)


NASTY: Entries = [
    ("user.name", 'Ada "the Countess" Lovelace; # & sons'),
    ("user.name", " led and followed by blanks "),
    ("alias.say", '!f() { echo "it\'s; $1" # not a comment\n\tls \\"*\\"; }; f'),
    ("alias.lines", "!echo one\necho two\n"),
    ("alias.back", 'log --pretty=\\"%h\\t%s\\"'),
    ("alias.empty", ""),
    ("color.ui", None),
    ('branch.sub.dot.and "quote" \\ ].description', "a = b"),
    ("url.https://git.example/.insteadof", "ex:"),
    ("x.grüße.value", "漢字 \x08\t\x01"),
    ("x.value", "a\rb\r\n"),
    ("x.bytes", b"\xff\xfe".decode(errors="surrogateescape")),
]


def test_whatever_git_can_hold_reads_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_bytes(gitconfig.render([Entry(*entry) for entry in NASTY]))
    assert listed(file) == list(NASTY)


def test_includes_are_followed_and_conditions_hold_for_the_directory_of_the_spec(host: Host) -> None:
    work = host.home / "work" / "app"
    work.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(work)], check=True, env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"})
    host.write(
        ".gitconfig", '[user]\nname=Ada\nemail=ada@home\n[include]\npath=more\n[includeIf "gitdir:~/work/"]\npath=job\n'
    )
    host.write("more", "[alias]\nst = status\n")
    host.write("job", "[user]\nemail=ada@job\n")
    host.write(".config/git/config", "[color]\nui = auto\n")
    everywhere = [("color.ui", "auto"), ("user.name", "Ada"), ("user.email", "ada@home"), ("alias.st", "status")]
    assert pairs(host.read().git) == everywhere
    assert pairs(host.read(directory=str(work)).git) == [*everywhere, ("user.email", "ada@job")]


def test_a_broken_repository_does_not_hide_the_users_configuration(host: Host) -> None:
    host.write(".gitconfig", "[user]\nname=Ada\n")
    host.write("app/.git/HEAD", "ref: refs/heads/main\n")
    host.write("app/.git/config", "[broken\n")
    for directory in ("objects", "refs"):
        (host.home / "app/.git" / directory).mkdir()
    assert pairs(host.read(directory=str(host.home / "app")).git) == [("user.name", "Ada")]


def test_no_configuration_is_nothing_and_one_that_cannot_be_read_is_told_of(host: Host) -> None:
    assert host.read() == Forwarded()
    unread = Forwarded(notes=("your git configuration stays behind: there is no git here that can read it",))
    host.write(".gitconfig", "[user]\nname=Ada\n")
    assert read(Wish(git=True), {"HOME": str(host.home), "PATH": "/nonexistent"}) == unread
    host.write(".gitconfig", "[user\n")
    assert host.read() == unread


@pytest.mark.parametrize(
    "entry",
    [
        ("credential.helper", "store"),
        ("credential.https://git.example.username", "ada"),
        ("include.path", "more"),
        ("includeif.gitdir:~/work/.path", "job"),
        ("http.proxy", "http://proxy:3128"),
        ("http.https://git.example/.proxy", "http://proxy:3128"),
        ("http.https://git.example/.extraheader", "Authorization: Basic YWRhOmJ5cm9u"),
        ("http.cookiefile", "~/.cookies"),
        ("http.sslverify", "false"),
        ("http.https://ada:byron@git.example/.postbuffer", "1"),
        ("remote.x.url", "https://ada:byron@git.example/x.git"),
        ("remote.x.proxy", "socks5://proxy"),
        ("url.https://oauth2:glpat-0123456789abcdefghij@gitlab.example/.insteadof", "https://gitlab.example/"),
        ("url.https://ghp_0123456789abcdefghijklmnop@github.com/.insteadof", "https://github.com/"),
        ("url.https://git.example/?private_token=abcdef/.insteadof", "ex:"),
        ("url./srv/mirror/.insteadof", "https://git.example/"),
        ("url.file:///srv/mirror/.insteadof", "https://git.example/"),
        ("github.token", "0123"),
        ("github.oauth-token", "0123"),
        ("sendemail.smtppass", "byron"),
        ("user.note", "glpat-0123456789abcdefghij"),
        ("alias.leak", "!curl -H 'Authorization: Bearer abcdefgh12345678' https://api.example"),
        ("core.fsmonitor", "/usr/bin/watch"),
        ("core.hookspath", "~/hooks"),
        ("core.sshcommand", "ssh -i ~/.ssh/work"),
        ("core.editor", "code --wait"),
        ("core.pager", "delta"),
        ("core.excludesfile", "/home/ada/.gitignore"),
        ("core.worktree", "/home/ada"),
        ("pager.diff", "delta"),
        ("sequence.editor", "interactive-rebase-tool"),
        ("diff.external", "difft"),
        ("diff.png.textconv", "exiftool"),
        ("merge.ours.driver", "true"),
        ("filter.lfs.required", "true"),
        ("interactive.difffilter", "delta --color-only"),
        ("trailer.x.command", "whoami"),
        ("submodule.x.update", "!rm -rf ."),
        ("uploadpack.packobjectshook", "evil"),
        ("protocol.ext.allow", "always"),
        ("safe.directory", "*"),
        ("init.templatedir", "~/.git-templates"),
        ("commit.template", "~/.gitmessage"),
        ("mailmap.file", "/home/ada/.mailmap"),
        ("gpg.program", "/usr/bin/gpg2"),
        ("user.signingkey", "ABCDEF"),
        ("commit.gpgsign", "true"),
        ("tag.gpgsign", None),
    ],
)
def test_what_is_the_hosts_own_or_secret_stays_behind(entry: tuple[str, str | None]) -> None:
    assert kept(entry, ("user.name", "Ada")) == [("user.name", "Ada")]


@pytest.mark.parametrize(
    "entry",
    [
        ("user.email", "ada@example.org"),
        ("user.useconfigonly", "true"),
        ("init.defaultbranch", "main"),
        ("pull.rebase", "true"),
        ("alias.co", "checkout"),
        ("alias.token", "!f() { token=$(gh auth token); echo done; }; f"),
        ("alias.where", "!pwd"),
        ("core.autocrlf", "input"),
        ("core.excludesfile", "~/.gitignore_global"),
        ("pager.branch", "false"),
        ("http.postbuffer", "524288000"),
        ("url.https://git.example/.insteadof", "git://git.example/"),
        ("url.https://.insteadof", "git://"),
        ("rerere.enabled", None),
        ("merge.conflictstyle", "zdiff3"),
        ("blame.ignorerevsfile", ".git-blame-ignore-revs"),
    ],
)
def test_what_is_the_users_comes_along(entry: tuple[str, str | None]) -> None:
    assert kept(entry) == [entry]


@pytest.mark.parametrize("base", ["git@github.com:", "ssh://git@github.com/", "git+ssh://github.com/", "work:"])
def test_urls_become_ssh_only_where_ssh_comes_along(base: str) -> None:
    entry = (f"url.{base}.insteadof", "https://github.com/")
    assert kept(entry) == []
    assert kept(entry, ssh="agent") == [entry]


PUBLIC = "ssh-ed25519 " + base64.b64encode(b"the key's public half").decode()
SIGNED = "[gpg]\nformat = ssh\n[commit]\ngpgsign = true\n[user]\nsigningkey = "


def told(*texts: bytes) -> bytes:
    """Return strings as SSH's formats have them: each behind its length."""
    return b"".join(struct.pack(">I", len(text)) + text for text in texts)


def private(cipher: str) -> str:
    """Return a private key's file, as far as it matters whether it has a passphrase."""
    body = base64.encodebytes(b"openssh-key-v1\0" + told(cipher.encode(), b"bcrypt", b"")).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n"


@contextmanager
def agent(socket_path: Path, answer: bytes) -> Iterator[None]:
    """Be an agent that gives one answer to every question."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if self.rfile.read(5) == b"\0\0\0\x01\x0b":
                self.wfile.write(told(answer))

    with socketserver.UnixStreamServer(str(socket_path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("ssh", "key", "inside"),
    [
        ("agent", "~/.ssh/id.pub", f"key::{PUBLIC}"),
        ("agent", "~/.ssh/id", f"key::{PUBLIC}"),
        ("agent", f"key::{PUBLIC} ada@host", f"key::{PUBLIC}"),
        ("agent", PUBLIC, f"key::{PUBLIC}"),
        ("agent", "~/.ssh/none", None),
        ("agent", "~/.ssh/other", None),
        ("files", "~/.ssh/id", "~/.ssh/id"),
        ("files", "~/.ssh/id.pub", "~/.ssh/id.pub"),
        ("files", "HOME/.ssh/id.pub", "~/.ssh/id.pub"),
        ("files", PUBLIC, "~/.ssh/id.pub"),
        ("files", "~/.ssh/pem", "~/.ssh/pem"),
        ("files", "~/.ssh/locked", None),
        ("files", "~/.ssh/locked-pem", None),
        ("files", "~/.ssh/other.pub", None),
        ("files", "ssh-ed25519 AAAA", None),
        ("files", "~/elsewhere/id.pub", None),
        ("", "~/.ssh/id.pub", None),
        ("", PUBLIC, None),
    ],
)
def test_git_signs_where_the_key_can_be_reached(host: Host, ssh: SshWish, key: str, inside: str | None) -> None:
    for place in (".ssh/id.pub", "elsewhere/id.pub"):
        host.write(place, f"{PUBLIC} ada@host\n")
    host.write(".ssh/other.pub", "ssh-ed25519 AAAA elsewhere\n")
    for place, cipher in ((".ssh/id", "none"), ("elsewhere/id", "none"), (".ssh/locked", "aes256-ctr")):
        host.write(place, private(cipher))
    host.write(".ssh/pem", "-----BEGIN RSA PRIVATE KEY-----\n")
    host.write(".ssh/locked-pem", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n")
    host.write(".gitconfig", f'{SIGNED}"{key.replace("HOME", str(host.home))}"\n')
    blob = base64.b64decode(PUBLIC.split()[1])
    with agent(host.home / "agent", b"\x0c" + struct.pack(">I", 2) + told(b"another", b"", blob, b"ada@host")):
        found = host.read(ssh)
    entries = dict(pairs(found.git))
    if inside is None:
        assert entries == {}
        assert found.notes == ("git does not sign inside: the key cannot be reached there",)
    else:
        assert entries == {"gpg.format": "ssh", "commit.gpgsign": "true", "user.signingkey": inside}
        assert found.notes == ()


@pytest.mark.parametrize("answer", [b"", b"\x05", b"\x0c", b"\x0c\0\0\0\x09\0"])
def test_an_agent_that_tells_no_keys_signs_nothing(host: Host, answer: bytes) -> None:
    host.write(".gitconfig", f'{SIGNED}"{PUBLIC}"\n')
    with agent(host.home / "agent", answer):
        assert host.read("agent").git == ()
