"""Every purpose, really built from a bootstrapped base, keeps what it promises to a user it has never heard of."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from envspec import host
from envspec.engine.base import Engine
from envspec.engine.objects import LABEL, Build, ContainerConfig, Mount
from envspec.engine.operations import EnsureUser, PutEnvironment, Record, RunCommand
from envspec.engine.runner import Runner
from envspec.engine.whales import WhalesEngine
from envspec.purposes import catalogue

pytestmark = [pytest.mark.engine, pytest.mark.build, pytest.mark.timeout(900)]

LABELS = {f"{LABEL}test": "1"}
UID = 54321
"""Of a user that no image has."""

CANARY = "canary-3f9c.invalid"

HELLO_RUST = """
cargo init -q --name hello hello && cd hello
cargo build -q && ./target/debug/hello
cargo fmt --check && cargo clippy -q
cargo install -q --path . && hello
"""
HELLO_GO = r"""
mkdir hello && cd hello && go mod init example.com/hello
printf 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("Hello from Go")\n}\n' >main.go
go run . && go install . && hello
"""


@dataclass(frozen=True)
class Promise:
    """What a purpose gives: a script that must succeed, and what it prints."""

    script: str
    prints: tuple[str, ...]


PROMISES = {
    "python": Promise(
        """
        python --version; python3 --version; uv --version; git --version; curl --version; c++ --version; make --version
        pip install -q six && python -c 'import six; print(six.__name__, "at", six.__file__)'
        uv pip install -q idna && python -c 'import idna; print(idna.__name__, "at", idna.__file__)'
        uv pip uninstall -q six && python -m venv own && own/bin/python -c 'print("a venv of my own")'
        bash -lc 'command -v python uv'
        """,
        (
            *("Python 3.13.", "uv 0.", "git version 2.", "curl 8.", "c++ (Debian", "GNU Make"),
            *("six at /opt/venv/lib/python3.13/", "idna at /opt/venv/lib/", "a venv of my own"),
            "/opt/venv/bin/python\n/usr/local/bin/uv",
        ),
    ),
    "node": Promise(
        """
        echo node $(node --version) npm $(npm --version) corepack $(corepack --version)
        echo yarn $(yarn --version) pnpm $(pnpm --version); git --version; curl --version
        npm install -g semver && semver 1.2.3
        mkdir app && cd app && npm init -y >/dev/null && pnpm add left-pad && node -p 'require("left-pad")("x", 3, "-")'
        bash -lc 'command -v pnpm'
        """,
        (
            *("node v20.", " npm 10.", " corepack 0.", "yarn 1.22.", " pnpm 10.", "git version 2.", "curl 8."),
            *("1.2.3\n", "--x", "/opt/npm/bin/pnpm"),
        ),
    ),
    "rust": Promise(
        f"cargo --version; rustc --version; git --version; curl --version; pkg-config --modversion openssl{HELLO_RUST}"
        "bash -lc 'command -v hello'",
        (
            "cargo 1.85.",
            "rustc 1.85.",
            "git version 2.",
            "curl 8.",
            "\n3.",
            "Hello, world!\n",
            "/usr/local/cargo/bin/hello",
        ),
    ),
    "go": Promise(
        f"go version; git --version; curl --version; gcc --version{HELLO_GO}bash -lc 'command -v hello'",
        (
            "go version go1.24",
            "git version 2.",
            "curl 8.",
            "gcc (Debian",
            "Hello from Go\nHello from Go",
            "/go/bin/hello",
        ),
    ),
    "general": Promise(
        """
        for tool in git curl wget make jq tree vim; do $tool --version; done; less --version; g++ --version
        printf 'int main(void) { return 42; }' >a.c && gcc a.c && { ./a.out || echo "returned $?"; }
        """,
        (
            *("git version 2.", "curl 8.", "GNU Wget", "GNU Make", "jq-1", "tree v2", "VIM - Vi IMproved", "less 6"),
            *("g++ (Debian", "returned 42"),
        ),
    ),
    "clean": Promise(
        "git --version; bash --version; ls /etc/ssl/certs/ca-certificates.crt; command -v curl python3 || echo bare",
        ("git version 2.", "GNU bash, version 5.", "/etc/ssl/certs/ca-certificates.crt", "bare"),
    ),
}


@pytest.fixture(scope="module")
def facts() -> host.HostFacts:
    return host.gather()


@pytest.fixture(scope="module")
def docker() -> Engine:
    return WhalesEngine(Runner())


@pytest.fixture(scope="module")
def base(docker: Engine) -> str:
    """The bootstrapped base. It stays: it is the same for all who share this engine, and so are the layers above."""
    wish = catalogue(None).get("clean").base({}, "bootstrap")
    if wish.ref not in docker.images([wish.ref]):
        docker.bootstrap(wish.recipe, wish.ref, LABELS)
    return wish.ref


@pytest.fixture(scope="module", params=sorted(PROMISES))
def image(
    request: pytest.FixtureRequest, docker: Engine, base: str, facts: host.HostFacts
) -> Iterator[tuple[str, str]]:
    """A purpose's name and its image, built as envspec does."""
    name = str(request.param)
    tag = f"envspec-test/{name}:{uuid.uuid4().hex[:12]}"
    dockerfile = catalogue(None).get(name).render({}, "bootstrap", base)
    try:
        docker.build(Build(dockerfile, tag, LABELS, host.build_secrets(facts)))
        yield name, tag
    finally:
        docker.remove_image(tag)


@pytest.fixture
def box(image: tuple[str, str], docker: Engine) -> Iterator[str]:
    """A running container of the image, tied down as an environment is."""
    name = f"evt-{uuid.uuid4().hex[:10]}"
    config = ContainerConfig(
        image[1],
        hostname="box",
        cap_drop=("NET_RAW",),
        security_opt=("no-new-privileges",),
        pids=256,
        mounts=(Mount("/workspace", "volume", name),),
    )
    docker.create_volume(name, LABELS)
    try:
        identity = docker.create_container(name, config, LABELS)
        try:
            docker.start(identity)
            yield identity
        finally:
            docker.remove_container(identity)
    finally:
        docker.remove_volume(name)


def test_a_purpose_keeps_its_promises_to_any_user(
    image: tuple[str, str], box: str, docker: Engine, facts: host.HostFacts
) -> None:
    promise = PROMISES[image[0]]
    text = host.build_secrets(facts).get("env", b"").decode()
    for operation in (
        EnsureUser("somebody", UID, UID, ("/workspace",), Record("user.somebody", "d")),
        PutEnvironment(text, UID, UID, facts.ca_bundle, Record("environment", "d")),
        RunCommand(promise.script, "/workspace", UID, UID, None),
    ):
        done = docker.perform(box, operation, deadline=300)
        assert done.code == 0, done.tail
    printed = done.stdout.decode()
    print(printed)
    assert [words for words in promise.prints if words not in printed] == []


def test_what_a_build_reaches_out_with_stays_out_of_the_image(docker: Engine, base: str) -> None:
    tag = f"envspec-test/canary:{uuid.uuid4().hex[:12]}"
    facts = host.HostFacts(1000, 1000, "x", proxies={"no_proxy": CANARY}, ca_bundle=b"-----BEGIN CANARY-----\n")
    purpose = catalogue(None).get("clean").render({}, "bootstrap", base).splitlines()
    mounts = next(line for line in purpose if line.startswith("RUN")).removesuffix("\\")
    # The instruction itself must hold no canary, so a quote parts it.
    proof = """test "$no_proxy" = canary-'3f9c.invalid' && grep -q "BEGIN"' CANARY' "$SSL_CERT_FILE" "$PIP_CERT\""""
    text = "\n".join([*purpose[:3], f"{mounts} {proof}", ""])
    try:
        docker.build(Build(text, tag, LABELS, host.build_secrets(facts), no_cache=True))
        for words in (["save", tag], ["image", "inspect", tag], ["history", "--no-trunc", tag]):
            done = subprocess.run(["docker", *words], capture_output=True, check=True, timeout=120)
            assert CANARY.encode() not in done.stdout
            assert b"BEGIN CANARY" not in done.stdout
    finally:
        docker.remove_image(tag)
