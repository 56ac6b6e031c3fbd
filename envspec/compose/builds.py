"""What Dockerfiles of services take of the engine that builds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from envspec import hostpath
from envspec.compose.read import REMOTE, Document
from envspec.dockerfile import directives, first_heredoc
from envspec.engine.capabilities import Version, lacks_heredocs
from envspec.errors import Faults

MOST = 1 << 20
"""Bytes of a Dockerfile that are looked at."""


def check(document: Document, resolved: Mapping[str, Any], engine: str, version: Callable[[], Version]) -> None:
    """Insist that the engine knows the here-documents of all Dockerfiles that services are built from.

    Docker may fetch what knows them from a registry, where a Dockerfile asks for that by ``# syntax=``.

    Args:
        document: The document as it was read.
        resolved: What Compose made of it.
        engine: ``docker`` or ``podman``.
        version: Asks for its version; only where there is a here-document.

    Raises:
        SpecError: It does not; all that it does not know.
    """
    faults = Faults()
    for name, key, place, text in _dockerfiles(resolved):
        line = first_heredoc(text)
        fetches = engine == "docker" and "syntax" in directives(text)
        if line and not fetches and (told := lacks_heredocs(engine, version)):
            message = f"{place}:{line} is a here-document: {told}"
            hint = "write the lines with RUN printf '%s\\n' …, or use a newer engine"
            faults.add(document.fault(("services", name, "build", key), message, hint, "compose.heredoc"))
    faults.stop()


def _dockerfiles(resolved: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield, of each service that is built here, its name, the key of its Dockerfile, the file, and its text."""
    for name, service in sorted((resolved.get("services") or {}).items()):
        build = service.get("build") or {}
        context = str(build.get("context") or "")
        if inline := build.get("dockerfile_inline"):
            yield name, "dockerfile_inline", "Dockerfile", str(inline)
        elif context and not REMOTE.match(context):
            path = Path(context) / str(build.get("dockerfile") or "Dockerfile")
            if hostpath.is_file(path):
                with path.open("rb") as file:
                    yield name, "dockerfile", str(path), file.read(MOST).decode(errors="replace")
