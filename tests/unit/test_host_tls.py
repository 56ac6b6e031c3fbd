"""Whether somebody re-signs TLS, told by a server whose certificate this host knows, was given, or has never seen."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme

from envspec.host_tls import Seen, Sight, look

NAME = "localhost"


@contextmanager
def serving(signer: trustme.CA) -> Iterator[int]:
    """Serve TLS at a port of this host with a certificate of a CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signer.issue_cert(NAME).configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                accepted, _ = listener.accept()
                with accepted, context.wrap_socket(accepted, server_side=True) as wrapped:
                    wrapped.recv(1)
            except OSError:  # whoever does not trust us hangs up
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        stopping.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join()
        listener.close()


def pem(authority: trustme.CA) -> bytes:
    return authority.cert_pem.bytes()


@pytest.fixture(scope="module")
def public() -> trustme.CA:
    return trustme.CA(organization_name="Public CA")


@pytest.fixture(scope="module")
def corporate() -> trustme.CA:
    return trustme.CA(organization_name="Corporate CA")


def test_a_host_that_the_distribution_vouches_for_is_public(public: trustme.CA, corporate: trustme.CA) -> None:
    with serving(public) as port:
        seen = look(pem(public), (pem(corporate),), host=NAME, port=port, environ={})
    assert seen == Seen(Sight.PUBLIC, "Public CA", NAME)


def test_one_that_only_an_added_ca_vouches_for_is_re_signed_although_it_was_merged(
    public: trustme.CA, corporate: trustme.CA
) -> None:
    with serving(corporate) as port:
        seen = look(pem(public) + pem(corporate), (pem(corporate),), host=NAME, port=port, environ={})
    assert seen == Seen(Sight.KNOWN, "Corporate CA", NAME)


def test_one_that_nobody_vouches_for_is_unknown(public: trustme.CA) -> None:
    with serving(trustme.CA()) as port:
        assert look(pem(public), (), host=NAME, port=port, environ={}).sight is Sight.UNKNOWN
        assert look(b"", (), host=NAME, port=port, environ={}).sight is Sight.UNKNOWN


def test_one_that_cannot_be_reached_tells_nothing(public: trustme.CA) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert look(pem(public), (), host=NAME, port=port, timeout=0.2, environ={}).sight is Sight.NOTHING
    assert look(pem(public), (), host=NAME, port=port, environ={}).sight is Sight.NOTHING
