"""A company's registries of packages for npm, cargo and Go, each of one tiny package, over TLS and behind a login."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping

from tests.engine.stand_ins import Answers, Page, basic

NPM, CRATE, MIRRORED, MODULE = "evtpkg", "evtcrate", "evtmirrored", "corp.example/evt/mod"
"""Names of the packages; the second crate is one of crates.io, which a mirror stands in for."""

BINARY, JSON, TEXT = "application/octet-stream", "application/json", "text/plain"


def packages(address: str, npm_token: str, crate_token: str, go_login: str) -> Answers:
    """Return the server of all of them.

    Args:
        address: Its host and port, as it is seen from inside.
        npm_token: What npm has to prove itself with.
        crate_token: The same for cargo; its mirror of crates.io asks for nothing.
        go_login: ``user:password`` for Go.
    """
    pages = {
        **_guarded(_npm(address), f"Bearer {npm_token}"),
        **_guarded(_crates(address, "crates", CRATE, login=True), crate_token),
        **_crates(address, "mirror", MIRRORED, login=False),
        **_guarded(_go(), basic(go_login)),
    }
    return Answers(pages)


def _guarded(pages: Mapping[str, Page], authorization: str) -> dict[str, Page]:
    return {path: Page(page.type, page.content, authorization) for path, page in pages.items()}


def _npm(address: str) -> dict[str, Page]:
    """Return what a registry of npm answers; see its docs/REGISTRY-API.md."""
    manifest = {"name": NPM, "version": "1.0.0", "main": "index.js"}
    files = {"package/package.json": json.dumps(manifest), "package/index.js": "module.exports = 'from npm';\n"}
    archive = _tar(files)
    place = f"/npm/{NPM}/-/{NPM}-1.0.0.tgz"
    integrity = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    dist = {"tarball": f"https://{address}{place}", "integrity": f"sha512-{integrity}"}
    document = {"name": NPM, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {**manifest, "dist": dist}}}
    return {f"/npm/{NPM}": Page(JSON, json.dumps(document).encode()), place: Page(BINARY, archive)}


def _crates(address: str, place: str, name: str, *, login: bool) -> dict[str, Page]:
    """Return a sparse index and its crate; https://doc.rust-lang.org/cargo/reference/registry-index.html."""
    manifest = f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n'
    source = f'pub const FROM: &str = "{place}";\n'
    archive = _tar({f"{name}-1.0.0/Cargo.toml": manifest, f"{name}-1.0.0/src/lib.rs": source})
    entry = {"name": name, "vers": "1.0.0", "deps": [], "features": {}, "yanked": False}
    entry["cksum"] = hashlib.sha256(archive).hexdigest()
    config = {"dl": f"https://{address}/{place}/dl", **({"auth-required": True} if login else {})}
    return {
        f"/{place}/config.json": Page(JSON, json.dumps(config).encode()),
        f"/{place}/{name[:2]}/{name[2:4]}/{name}": Page(TEXT, json.dumps(entry).encode()),
        f"/{place}/dl/{name}/1.0.0/download": Page(BINARY, archive),
    }


def _go() -> dict[str, Page]:
    """Return what a proxy of modules answers; https://go.dev/ref/mod#goproxy-protocol."""
    module = f"module {MODULE}\n".encode()
    source = 'package mod\n\nconst From = "go"\n'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{MODULE}@v1.0.0/go.mod", module)
        archive.writestr(f"{MODULE}@v1.0.0/mod.go", source)
    info = json.dumps({"Version": "v1.0.0", "Time": "2024-01-01T00:00:00Z"}).encode()
    answers = {"list": b"v1.0.0\n", "v1.0.0.info": info, "v1.0.0.mod": module, "v1.0.0.zip": buffer.getvalue()}
    return {f"/go/{MODULE}/@v/{name}": Page(BINARY, content) for name, content in answers.items()}


def _tar(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)
