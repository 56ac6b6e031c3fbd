"""What tests make and ask with the engine's own client, past envspec."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.engine.e2e import bare


def bare_build(ref: str, dockerfile: str, *options: str) -> None:
    """Build an image with the engine's own client; on standard input, buildx would leave the file behind."""
    with tempfile.TemporaryDirectory() as context:
        Path(context, "Dockerfile").write_text(dockerfile)
        bare("build", "--quiet", *options, "--tag", ref, context)


def gateway() -> str:
    """Return the host's address as containers on the default network see it."""
    docker = bare("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}}{{end}}", "bridge", code=None)
    return docker or bare("network", "inspect", "--format", "{{range .Subnets}}{{.Gateway}}{{end}}", "podman")
