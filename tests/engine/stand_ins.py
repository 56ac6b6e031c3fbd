"""Servers that stand in for a company's own: an index of Python packages behind a login, and an image registry."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

PACKAGE = "evtpkg"
WHEEL = f"{PACKAGE}-1.0-py3-none-any.whl"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Page(NamedTuple):
    """What lies at a path: its type, its content, and the ``Authorization`` that it insists on, "" for none."""

    type: str
    content: bytes
    authorization: str = ""


@dataclass
class Answers:
    """What a server says, and what it was asked.

    Attributes:
        pages: What lies at each path.
        asked: Status and path of every request.
        port: Where it listens.
    """

    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[int, str]] = field(default_factory=list)
    port: int = 0

    def handler(self) -> type[BaseHTTPRequestHandler]:
        answers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                kind, content, wanted = answers.pages.get(self.path, Page("", b""))
                allowed = not wanted or self.headers.get("Authorization") == wanted
                status = 401 if not allowed else 200 if kind else 404
                answers.asked.append((status, self.path))
                self.send_response(status)
                body = content if status == 200 else b""
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="evt"')
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                if kind == MANIFEST:
                    self.send_header("Docker-Content-Digest", digest(content))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def served(answers: Answers, address: str = "0.0.0.0", tls: ssl.SSLContext | None = None) -> Iterator[Answers]:
    """Serve until the end of the block, at a free port, over TLS where there is something to prove oneself with."""
    server = ThreadingHTTPServer((address, 0), answers.handler())
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    answers.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def basic(login: str) -> str:
    """Return the ``Authorization`` of a ``user:password``."""
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def index(login: str) -> Answers:
    """Return a simple index (PEP 503) of one package, for whoever has the ``user:password``."""
    authorization = basic(login)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr(f"{PACKAGE}.py", "NAME = 'evtpkg'\n")
        wheel.writestr(f"{PACKAGE}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
        wheel.writestr(
            f"{PACKAGE}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{PACKAGE}-1.0.dist-info/RECORD", "")
    page = f'<!DOCTYPE html><html><body><a href="/files/{WHEEL}">{WHEEL}</a></body></html>'
    return Answers(
        {
            f"/simple/{PACKAGE}/": Page("text/html", page.encode(), authorization),
            f"/files/{WHEEL}": Page("application/octet-stream", buffer.getvalue(), authorization),
        }
    )


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def registry(name: str, tag: str, text: str) -> Answers:
    """Return a registry (OCI distribution, reading only) of one image that holds one file, ``/told``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("told")
        info.size = len(text.encode())
        tar.addfile(info, io.BytesIO(text.encode()))
    layer = buffer.getvalue()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/told"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": len(config),
                "digest": digest(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
                    "size": len(layer),
                    "digest": digest(layer),
                }
            ],
        }
    ).encode()
    blobs = {f"/v2/{name}/blobs/{digest(blob)}": Page("application/octet-stream", blob) for blob in (layer, config)}
    manifests = {f"/v2/{name}/manifests/{ref}": Page(MANIFEST, manifest) for ref in (tag, digest(manifest))}
    return Answers({"/v2/": Page("application/json", b"{}"), **blobs, **manifests})


def fill_home(home: Path, files: Mapping[str, str], ca: bytes) -> dict[str, str]:
    """Write the files of a user of the company, and its certificate, and return the variables of that user."""
    for name, text in {**files, "ca.pem": ca.decode()}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "NODE_EXTRA_CA_CERTS": str(home / "ca.pem")}
