"""Opening a connection to the outside the way the host's tools do: directly, or by way of the proxy that is set."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

T = TypeVar("T")


def within(seconds: float, action: Callable[[], T]) -> T | None:
    """Return what an action comes to, ``None`` when it takes longer.

    A resolver that does not answer cannot be given a deadline, so the attempt is left behind in its own thread.
    """
    answers: list[T] = []
    attempt = threading.Thread(target=lambda: answers.append(action()), daemon=True)
    attempt.start()
    attempt.join(seconds)
    return answers[0] if answers else None


def connection(name: str, port: int, timeout: float, environ: Mapping[str, str]) -> socket.socket:
    """Return an open connection to a host.

    Args:
        name: Its name.
        port: Its port.
        timeout: Seconds for each step.
        environ: The process's environment, for the proxy.

    Raises:
        OSError: It cannot be reached, or the proxy refuses.
        ValueError: The proxy is no URL.
    """
    proxy = _proxy_for(name, environ)
    if proxy is None:
        return socket.create_connection((name, port), timeout)
    return _tunnel(name, port, timeout, proxy)


def _tunnel(name: str, port: int, timeout: float, proxy: SplitResult) -> socket.socket:
    """Return a connection to a host through a proxy."""
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - only a proxy pays for it

    headers = {}
    if proxy.username:
        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    tunnel = HTTPConnection(proxy.hostname or "", proxy.port or 80, timeout=timeout)
    tunnel.set_tunnel(name, port, headers)
    try:
        tunnel.connect()
    except HTTPException as error:
        tunnel.close()
        raise OSError("the proxy does not answer as a proxy does") from error
    except BaseException:
        tunnel.close()
        raise
    opened: socket.socket = tunnel.sock
    return opened


def _proxy_for(name: str, environ: Mapping[str, str]) -> SplitResult | None:
    """Return the proxy for a host, ``None`` where it is reached directly.

    Raises:
        ValueError: The proxy is no URL.
    """
    excluded = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")
    suffixes = [entry.strip().lstrip(".") for entry in excluded]
    if any(entry == "*" or f".{name}".endswith(f".{entry}") for entry in suffixes if entry):
        return None
    for variable in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        value = environ.get(variable, "")
        if value:
            return urlsplit(value if "://" in value else f"http://{value}")
    return None
