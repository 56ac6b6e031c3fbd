"""``envspec validate``: every fault of a spec, or that there is none."""

from __future__ import annotations

from pathlib import Path

import click

from envspec.cli import options, output


@click.command()
@options.spec_argument
@options.json_option
def command(spec: Path, as_json: bool) -> None:
    """Check SPEC, a file or a directory with an env.yaml; every fault is named with its line."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    loaded = api.validate(spec)
    if as_json:
        output.print_result({"valid": True, "file": loaded.file, "name": loaded.spec.name})
    else:
        output.print_text(f"{loaded.file} is valid: environment {loaded.spec.name}")
