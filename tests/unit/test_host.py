"""Facts of the host: users, proxies, extra CAs, registry reach."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envspec import host
from envspec.engine.facts import CA_FILE
from envspec.model import Hidden

pytestmark = pytest.mark.usefixtures("anchors")

PROXY = "http://someone:pa55word@proxy.example:3128"


def pem(text: str, columns: int = 64) -> str:
    body = base64.b64encode(text.encode() * 8).decode()
    lines = [body[start : start + columns] for start in range(0, len(body), columns)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


@pytest.fixture
def anchors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An imaginary host that trusts two public CAs; returns where its administrator's own would lie."""
    directory = tmp_path / "anchors"
    directory.mkdir()
    (tmp_path / "system.crt").write_text(f"# comment\n{pem('public 1')}\n{pem('public 2')}")
    monkeypatch.setattr(host, "ANCHOR_DIRS", (str(directory), str(tmp_path / "absent")))
    monkeypatch.setattr(host, "SYSTEM_BUNDLES", (str(tmp_path / "absent.crt"), str(tmp_path / "system.crt")))
    return directory


def test_the_user_is_who_runs_this() -> None:
    facts = host.gather({})
    assert (facts.uid, facts.gid, facts.hostname) == (os.getuid(), os.getgid(), socket.gethostname())
    assert facts.user


def test_a_host_without_extra_cas_brings_no_bundle(tmp_path: Path) -> None:
    facts = host.gather({"SSL_CERT_FILE": str(tmp_path / "system.crt")})
    assert (facts.ca_bundle, facts.ca_sources) == (b"", ())
    assert host.container_environment(facts) == {}
    assert host.build_secrets(facts) == {}


def test_an_anchor_brings_the_whole_bundle_each_certificate_once(anchors: Path) -> None:
    (anchors / "corp.crt").write_text(pem("corporate") + pem("public 1", columns=76))
    facts = host.gather({})
    assert facts.ca_bundle.decode() == pem("public 1") + pem("public 2") + pem("corporate")
    assert facts.ca_sources == (str(anchors / "corp.crt"),)


def test_an_anchor_that_the_system_bundle_holds_already_counts(anchors: Path) -> None:
    (anchors / "corp.crt").write_text(pem("public 2"))
    assert host.gather({}).ca_bundle.decode() == pem("public 1") + pem("public 2")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
def test_a_bundle_of_the_users_own_is_brought_in(tmp_path: Path, variable: str) -> None:
    own = tmp_path / "own.pem"
    own.write_text(pem("mine"))
    facts = host.gather({variable: str(own)})
    assert facts.ca_bundle.decode() == pem("public 1") + pem("public 2") + pem("mine")
    assert facts.ca_sources == (str(own),)


def test_a_copy_of_the_systems_bundle_is_nothing_extra(tmp_path: Path) -> None:
    (tmp_path / "copy.pem").write_text(pem("public 2"))
    (tmp_path / "link.pem").symlink_to(tmp_path / "system.crt")
    environ = {"SSL_CERT_FILE": str(tmp_path / "copy.pem"), "CURL_CA_BUNDLE": str(tmp_path / "link.pem")}
    assert host.gather(environ).ca_bundle == b""


def test_the_bundle_does_not_depend_on_the_order_of_the_sources(tmp_path: Path) -> None:
    for name in ("z", "a"):
        (tmp_path / f"{name}.pem").write_text(pem(f"extra {name}"))
    one = host.gather({"SSL_CERT_FILE": str(tmp_path / "z.pem"), "CURL_CA_BUNDLE": str(tmp_path / "a.pem")})
    two = host.gather({"SSL_CERT_FILE": str(tmp_path / "a.pem"), "CURL_CA_BUNDLE": str(tmp_path / "z.pem")})
    assert (one.ca_bundle, one.ca_sources, one.ca_extras) == (two.ca_bundle, two.ca_sources, two.ca_extras)
    assert one.ca_extras == (pem("extra a").encode(), pem("extra z").encode())


def test_a_private_key_in_the_same_file_stays_outside(anchors: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0a2V5\n-----END PRIVATE KEY-----\n"
    (anchors / "corp.pem").write_text(key + pem("corporate") + key)
    bundle = host.gather({}).ca_bundle
    assert b"c2VjcmV0a2V5" not in bundle
    assert b"PRIVATE" not in bundle
    assert bundle.count(b"BEGIN CERTIFICATE") == 3


def test_what_is_no_bundle_is_passed_over(anchors: Path, tmp_path: Path) -> None:
    os.mkfifo(anchors / "fifo.crt")  # reading it would block for ever
    (anchors / "text.crt").write_text("no certificate")
    (anchors / "dir.crt").mkdir()
    assert host.gather({"SSL_CERT_FILE": str(tmp_path / "missing"), "CURL_CA_BUNDLE": str(anchors)}).ca_bundle == b""


def test_containers_get_proxies_in_both_cases_and_the_bundle(anchors: Path) -> None:
    (anchors / "corp.crt").write_text(pem("corporate"))
    facts = host.gather({"http_proxy": PROXY, "NO_PROXY": "localhost", "ALL_PROXY": "", "HOME": "/root"})
    variables = host.container_environment(facts)
    assert variables["http_proxy"] == Hidden(PROXY)
    assert variables["NO_PROXY"] == "localhost"
    assert {"HOME", "ALL_PROXY", "COREPACK_INTEGRITY_KEYS"}.isdisjoint(variables)
    assert {variables[name] for name in host.CA_VARIABLES} == {CA_FILE}
    assert list(variables) == sorted(variables)


def test_builds_get_the_same_as_shell_text(anchors: Path) -> None:
    (anchors / "corp.crt").write_text(pem("corporate"))
    facts = host.gather({"https_proxy": "http://a'b; id"})
    secrets = host.build_secrets(facts)
    assert secrets["ca"] == facts.ca_bundle
    assert f"export PIP_CERT={CA_FILE}\n" in secrets["env"].decode()
    assert "export https_proxy='http://a'\"'\"'b; id'\n" in secrets["env"].decode()


def test_facts_do_not_print_credentials() -> None:
    assert "pa55word" not in repr(host.gather({"https_proxy": PROXY}))


def test_gathering_is_fast(anchors: Path, tmp_path: Path) -> None:
    (tmp_path / "system.crt").write_text("".join(pem(f"public {number}" * 20) for number in range(150)))
    (anchors / "corp.crt").write_text(pem("corporate"))
    host.gather({})  # warms the disk's cache
    started = time.process_time()
    assert host.gather({}).ca_bundle.count(b"BEGIN") == 151
    assert time.process_time() - started < 0.05


@contextmanager
def server(reply: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A listener on loopback that answers one request; yields its address and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                asked.append(connection.recv(4096))
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", asked
        finally:
            thread.join(10)


def test_a_registry_that_accepts_a_connection_is_reachable() -> None:
    with server(b"") as (address, _):
        assert host.registry_reachable(address, environ={})


def test_a_registry_that_refuses_or_has_no_name_is_not_reachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    assert not host.registry_reachable(address, environ={})
    assert not host.registry_reachable("registry.invalid", environ={})
    assert not host.registry_reachable("127.0.0.1:port", environ={})


def test_a_resolver_that_hangs_does_not_hold_us_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*_: object) -> socket.socket:
        released.wait(10)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", hang)
    started = time.monotonic()
    assert not host.registry_reachable("registry.example", timeout=0.1, environ={})
    assert time.monotonic() - started < 5
    released.set()


@pytest.mark.parametrize(
    ("reply", "reachable"), [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 403 No\r\n\r\n", False)]
)
def test_the_proxy_decides_where_one_is_set(reply: bytes, reachable: bool) -> None:
    with server(reply) as (address, asked):
        environ = {"HTTPS_PROXY": f"http://user:p%40ss@{address}"}
        assert host.registry_reachable("registry.example", environ=environ) is reachable
    assert asked[0].startswith(b"CONNECT registry.example:443 HTTP/1.")
    assert b"Basic " + base64.b64encode(b"user:p@ss") in asked[0]


@pytest.mark.parametrize("no_proxy", ["*", "127.0.0.1", "other.example, 127.0.0.1"])
def test_no_proxy_goes_past_the_proxy(no_proxy: str) -> None:
    environ = {"https_proxy": "http://proxy.invalid:1", "no_proxy": no_proxy}
    with server(b"") as (address, _):
        assert host.registry_reachable(address, environ=environ)
