"""Finding out whether something between this host and the outside re-signs TLS.

The certificate of a public host is checked against the distribution's own CAs, without those that an administrator or
a user added. Where only the added ones vouch for it, or nobody does, somebody stands in between.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from envspec.host_reach import connection, within

PUBLIC_HOST = "pypi.org"
"""Whose certificate is looked at: every distribution's CAs vouch for it, and containers ask it for packages."""

_HTTPS = 443


class Sight(StrEnum):
    """What was seen."""

    PUBLIC = "public"
    """The distribution's own CAs vouch for the host: nobody stands in between."""
    KNOWN = "known"
    """Only CAs that this host was given vouch for it: TLS is re-signed, and the host trusts whoever does it."""
    UNKNOWN = "unknown"
    """Nobody that this host trusts vouches for it."""
    NOTHING = "nothing"
    """The host cannot be reached."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a public host's certificate.

    Attributes:
        sight: What that comes to.
        issuer: Who signed it, "" where nobody vouches for that.
        host: Whose certificate it is.
    """

    sight: Sight
    issuer: str = ""
    host: str = PUBLIC_HOST


def look(  # noqa: PLR0913 - what it is told has defaults
    system: bytes,
    extras: tuple[bytes, ...],
    *,
    host: str = PUBLIC_HOST,
    port: int = _HTTPS,
    timeout: float = 2.0,
    environ: Mapping[str, str] = os.environ,
) -> Seen:
    """Look at a public host's certificate.

    Args:
        system: The distribution's bundle in PEM; extras that were merged into it do not count as its own.
        extras: The CAs, each in PEM, that this host trusts besides.
        host: Whose certificate to look at.
        port: Its port.
        timeout: Seconds for all of it.
        environ: The process's environment, for the proxy.
    """
    own = system.decode("ascii", errors="replace")
    for extra in extras:
        own = own.replace(extra.decode("ascii", errors="replace"), "")
    both = (own, own + "".join(extra.decode("ascii", errors="replace") for extra in extras))

    def attempt() -> Seen:
        for sight, trusted in zip((Sight.PUBLIC, Sight.KNOWN), both, strict=True):
            try:
                return Seen(sight, _issuer(trusted, host, port, timeout, environ), host)
            except ssl.SSLCertVerificationError:
                continue
            except (OSError, ValueError):
                return Seen(Sight.NOTHING, host=host)
        return Seen(Sight.UNKNOWN, host=host)

    return within(timeout, attempt) or Seen(Sight.NOTHING, host=host)


def _issuer(trusted: str, host: str, port: int, timeout: float, environ: Mapping[str, str]) -> str:
    """Return who signed a host's certificate.

    Raises:
        ssl.SSLCertVerificationError: None of the trusted CAs did.
        OSError: The host cannot be reached.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusted.strip():
        context.load_verify_locations(cadata=trusted)
    with (
        connection(host, port, timeout, environ) as opened,
        context.wrap_socket(opened, server_hostname=host) as wrapped,
    ):
        parts: Any = (wrapped.getpeercert() or {}).get("issuer", ())
    named = {key: value for part in parts for key, value in part}
    return str(named.get("organizationName") or named.get("commonName") or "")
