"""A server of private git repositories in a container: over HTTPS for whoever has the token, over SSH for a key.

Its image is what the environments start from too: it has git, an SSH client and curl's CA store.
"""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envspec.engine.objects import Build
from envspec.engine.whales import WhalesEngine
from tests.engine.contract import TEST_LABEL
from tests.engine.e2e import bare, until

IMAGE = "envspec-test/git-server:1"
HTTPS = "https://github.com/evt/private.git"
SSH_HOST = "ssh.evt"
SSH = f"ssh://git@{SSH_HOST}/srv/private.git"
DOTFILES = f"ssh://git@{SSH_HOST}/srv/dotfiles.git"

SERVE = r"""
import base64, http.server, os, ssl, subprocess
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        token = open("/srv/token").read().strip()
        wanted = "Basic " + base64.b64encode(("x-access-token:" + token).encode()).decode()
        if not token or self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=git")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environ = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": "/srv/www", "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query, "REMOTE_USER": "evt",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        output = subprocess.run(["git", "http-backend"], input=body, env=environ, stdout=subprocess.PIPE).stdout
        head, _, content = output.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    do_POST = do_GET
server = http.server.ThreadingHTTPServer(("", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/srv/server.pem", "/srv/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""

DOCKERFILE = r"""FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends git openssh-server openssh-client openssl python3 \
    && rm -rf /var/lib/apt/lists/*
RUN cd /srv && openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj /CN=evt-ca -keyout ca.key -out ca.pem \
    && openssl req -newkey rsa:2048 -nodes -subj /CN=github.com -keyout server.key -out server.csr \
    && printf 'subjectAltName=DNS:github.com\n' > ext \
    && openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 36500 -extfile ext \
        -out server.pem
RUN export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org \
    && useradd --create-home --uid 4000 git && mkdir -p /home/git/.ssh /srv/www/evt /run/sshd \
    && for name in private dotfiles; do git init -q -b main /tmp/$name && cd /tmp/$name && echo $name > .vimrc \
    && git add . && git commit -qm one && git clone -q --bare . /srv/$name.git || exit 1; done \
    && git clone -q --bare /srv/private.git /srv/www/evt/private.git \
    && chown -R git:git /srv/private.git /srv/dotfiles.git /home/git && usermod -p '*' git && : > /srv/token
"""


@dataclass(frozen=True)
class GitServer:
    """A server that runs.

    Attributes:
        box: Its container.
        address: Its IP address.
        ca: PEM of the CA that signed its certificate for github.com.
        host_key: Its line in ``known_hosts``.
    """

    box: str
    address: str
    ca: str
    host_key: str

    @property
    def hosts(self) -> dict[str, str]:
        """Return what environments need as ``add_hosts``."""
        return {"github.com": self.address, SSH_HOST: self.address}

    def admit(self, *, token: str, public_key: str) -> None:
        """Let in whoever has the token or the key, and nobody else."""
        self._write("/srv/token", token)
        self._write("/home/git/.ssh/authorized_keys", public_key)

    def _write(self, path: str, text: str) -> None:
        bare("exec", "-i", self.box, "sh", "-c", 'cat > "$1"', "sh", path, stdin=text)


def build(engine: WhalesEngine, base: str) -> str:
    """Return the image's reference, once the engine has it."""
    engine.build(Build(DOCKERFILE.replace("{base}", base), IMAGE, {TEST_LABEL: "1"}))
    return IMAGE


@contextmanager
def serving() -> Iterator[GitServer]:
    """Run a server on the engine that the tests work on."""
    box = f"evt-git-{uuid.uuid4().hex[:10]}"
    start = '/usr/sbin/sshd && exec python3 -c "$1"'
    listening = "grep -q ' [0-9A-F]*:01BB .* 0A ' /proc/net/tcp /proc/net/tcp6 && echo yes"
    options = ("--detach", "--init", "--label", f"{TEST_LABEL}=1", "--name", box)
    try:
        bare("run", *options, IMAGE, "sh", "-c", start, "sh", SERVE)
        until(lambda: bare("exec", box, "sh", "-c", listening, code=None) == "yes", "the server listens")
        address = bare("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", box)
        key = " ".join(bare("exec", box, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
        yield GitServer(box, address, bare("exec", box, "cat", "/srv/ca.pem") + "\n", f"{SSH_HOST} {key}\n")
    finally:
        bare("rm", "--force", "--volumes", box, code=None)


def make_key(path: Path) -> str:
    """Make a key without a passphrase, and return the line of its public half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "evt", "-f", str(path)], check=True)
    return path.with_name(f"{path.name}.pub").read_text()
