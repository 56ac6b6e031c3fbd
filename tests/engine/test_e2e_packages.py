"""npm, cargo and Go inside get packages from the servers that the host's user gets them from, with their logins."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.engine.by_hand import gateway
from tests.engine.e2e import ON_DOCKER, Place, Places, bare
from tests.engine.package_servers import CRATE, MIRRORED, MODULE, NPM, packages
from tests.engine.stand_ins import Answers, fill_home, served

pytestmark = [ON_DOCKER, pytest.mark.engine, pytest.mark.timeout(600)]

NPM_TOKEN, CRATE_TOKEN, PASSWORD = (f"canary{uuid.uuid4().hex}" for _ in range(3))

IN_NODE = f"""mkdir app && cd app && npm init -y > /dev/null && npm install --no-audit --no-fund {NPM} > /dev/null
node -p 'require("{NPM}")'; cd .. && mkdir other && cd other && pnpm add {NPM} > /dev/null
node -p 'require("{NPM}")'"""
IN_RUST = f"""cargo init -q --name app app && cd app
printf '%s = {{ version = "1", registry = "corp" }}\\n{MIRRORED} = "1"\\n' {CRATE} >> Cargo.toml
echo 'fn main() {{ println!("{{}}\\n{{}}", {CRATE}::FROM, {MIRRORED}::FROM) }}' > src/main.rs
cargo fetch -q && cargo build -q --offline && target/debug/app"""
IN_GO = rf"""mkdir app && cd app && go mod init evt.example/app 2> /dev/null
printf 'package main\n\nimport "{MODULE}"\n\nfunc main() {{ print(mod.From) }}\n' > main.go
go get {MODULE}@v1.0.0 2> /dev/null && go mod download && go run . 2>&1"""


def told(home: Path, address: str, authority: trustme.CA) -> dict[str, str]:
    """Write what tells the tools of a host, and return the variables of its user."""
    files = {
        ".npmrc": f"registry=https://{address}/npm/\n//{address}/npm/:_authToken={NPM_TOKEN}\n",
        ".cargo/config.toml": f'[registries.corp]\nindex = "sparse+https://{address}/crates/"\n'
        f'[source.crates-io]\nreplace-with = "near"\n[source.near]\nregistry = "sparse+https://{address}/mirror/"\n',
        ".cargo/credentials.toml": f'[registries.corp]\ntoken = "{CRATE_TOKEN}"\n',
        ".config/go/env": f"GOPROXY=https://{address}/go\nGONOSUMDB=corp.example/*\n",
        ".netrc": f"machine {address} login ada password {PASSWORD}\n",
    }
    return fill_home(home, files, authority.cert_pem.bytes())


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables of a host's user who is told of the company's servers, while those serve."""
    host = gateway()
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(tls)
    with served(Answers(), tls=tls) as server:
        address = f"{host}:{server.port}"
        server.pages = packages(address, NPM_TOKEN, CRATE_TOKEN, f"ada:{PASSWORD}").pages
        yield told(tmp_path_factory.mktemp("home"), address, authority)


@pytest.mark.parametrize(
    ("purpose", "script", "printed"),
    [("node", IN_NODE, "from npm\nfrom npm"), ("rust", IN_RUST, "crates\nmirror"), ("go", IN_GO, "go")],
    ids=["npm", "cargo", "go"],
)
def test_packages_come_from_the_companys_servers(
    company: dict[str, str], places: Places, purpose: str, script: str, printed: str
) -> None:
    place: Place = places()
    place.write(purpose=purpose, image_source="bootstrap", mount_cwd=False, host_network="none", user="1000:1000")
    place.apply()  # the image, which is the same for everybody, is made from the outside's packages
    box = place.id
    place.environ = {**place.environ, **company}
    place.write(purpose=purpose, image_source="bootstrap", mount_cwd=False, user="1000:1000")
    place.apply()
    assert place.id == box
    assert place.exec("bash", "-euc", script) == printed
    shown = bare("container", "inspect", place.box) + place.run("plan", ".", "--json").stdout
    assert [canary for canary in (NPM_TOKEN, CRATE_TOKEN, PASSWORD) if canary in shown] == []
