"""A connection by way of a proxy, which is a thread of the test."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from envspec.host_reach import connection


@contextmanager
def proxy(answer: bytes, asked: list[bytes]) -> Iterator[int]:
    """Serve one connection: read a request, answer, then send back what comes."""

    def serve() -> None:
        client, _ = server.accept()
        with client:
            request = b""
            while b"\r\n\r\n" not in request and (part := client.recv(4096)):
                request += part
            asked.append(request)
            client.sendall(answer)
            client.sendall(client.recv(16))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_the_tunnel_carries_what_is_sent_after_the_proxys_login() -> None:
    asked: list[bytes] = []
    with proxy(b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n", asked) as port:
        environ = {"https_proxy": f"http://me:p%40ss@127.0.0.1:{port}"}
        with connection("there.example", 443, 5, environ) as opened:
            opened.sendall(b"ping")
            assert opened.recv(16) == b"ping"
    assert asked[0].startswith(b"CONNECT there.example:443 HTTP/1.")
    assert b"Basic " + base64.b64encode(b"me:p@ss") in asked[0]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 No\r\n\r\n", b"SSH-2.0-x\r\n\r\n"], ids=["refuses", "no proxy"])
def test_a_proxy_that_gives_no_tunnel_is_out_of_reach(answer: bytes) -> None:
    with proxy(answer, []) as port, pytest.raises(OSError, match=r"407|as a proxy does"):
        connection("there.example", 443, 5, {"https_proxy": f"http://127.0.0.1:{port}"})
