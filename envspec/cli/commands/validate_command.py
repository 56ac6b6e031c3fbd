"""``envspec validate``: every fault of a spec, or that there is none."""

from __future__ import annotations

from pathlib import Path

import click

from envspec.cli import options, output


@click.command()
@options.spec_argument
@options.json_option
def command(spec: Path, as_json: bool) -> None:
    """Check SPEC, a file or a directory with an env.yaml; every fault is named with its line.

    Checks all that a plan checks before it asks the engine: keys and values, the purpose and its params, files,
    variables and paths that the spec names, and the Compose document.
    """
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    valid = api.validate(spec)
    if as_json:
        output.print_result({"valid": True, "file": valid.file, "name": valid.name, "notes": list(valid.notes)})
    else:
        notes = (f"note: {note}" for note in valid.notes)
        output.print_text("\n".join((f"{valid.file} is valid: environment {valid.name}", *notes)))
