"""``envspec init``: a spec to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from envspec import hostpath, shipped
from envspec.cli import options, output
from envspec.cli.failures import unknown_purpose
from envspec.errors import Refused, SpecError, UsageError, Where

FALLBACK_PURPOSE = "general"
SCHEMA_FILE = ".envspec.schema.json"
"""Lies beside the spec, so that editors of everybody who has the repository find it, without a network."""

TEMPLATE = """\
# yaml-language-server: $schema={schema}
#
# What this environment must be: `envspec plan` says what differs, `envspec apply` makes it so.
version: 1
name: {name}
purpose: {purpose}

# Variables; a change needs no restart.
env:
  ENVSPEC_ENVIRONMENT: {name}

# Repositories to clone beside this file, and how to install them:
#   repos:
#     - {{url: https://example.com/team/app.git, ref: main, install: make install}}
repos: []

# Files in the container, by absolute path:
#   config_files:
#     /etc/app/config.toml: {{source: config.toml, mode: "0640"}}
config_files: {{}}

# Commands that are run once, and again when they change.
setup_commands: []

# Apply waits until this succeeds.
health:
  command: "true"

memory: 4g
"""


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), required=False)
@click.option("--purpose", help="What it is for; by default what the files of the directory show.")
@click.option("--name", help="Name of the environment; by default that of the directory.")
@options.json_option
def command(directory: Path, purpose: str | None, name: str | None, as_json: bool) -> None:
    """Write an env.yaml into DIRECTORY, with its JSON Schema beside it for editors. Overwrites nothing."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.spec import load  # noqa: PLC0415 - the same

    existing = next((directory / known for known in load.FILE_NAMES if hostpath.is_there(directory / known)), None)
    if existing:
        raise Refused(f"{existing} is there already", hint="`envspec validate` checks it", where=Where(str(existing)))
    rows = api.purposes(directory)
    chosen = purpose or detected(rows, directory)
    names = [str(row["name"]) for row in rows]
    if chosen not in names:
        raise unknown_purpose(chosen, names)
    slug = name or load.slug_of(hostpath.real(directory))
    if not slug:
        raise UsageError("the directory's name makes no name for an environment", hint="add --name, such as --name app")
    text = TEMPLATE.format(schema=SCHEMA_FILE, name=slug, purpose=chosen)
    _check(text, directory)
    file = directory / load.FILE_NAMES[0]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / SCHEMA_FILE).write_bytes((shipped.directory("schemas") / "spec.schema.json").read_bytes())
    with file.open("x", encoding="utf-8") as stream:
        stream.write(text)
    if as_json:
        output.print_result(
            {"file": str(file), "schema": str(directory / SCHEMA_FILE), "name": slug, "purpose": chosen}
        )
    else:
        output.print_text(f"Wrote {file} (purpose {chosen}), and {SCHEMA_FILE} for editors. Next: envspec apply {file}")


def detected(rows: Sequence[Mapping[str, Any]], directory: Path) -> str:
    """Return the purpose of which most files are there, the first by name of equals."""
    found = {row["name"]: sum(hostpath.is_there(directory / name) for name in row.get("detect", ())) for row in rows}
    best = max(sorted(found), key=lambda name: found[name], default=FALLBACK_PURPOSE)
    return best if found.get(best) else FALLBACK_PURPOSE


def _check(text: str, directory: Path) -> None:
    """Refuse a name that would make the file invalid, before it is written."""
    from envspec.spec import load  # noqa: PLC0415 - completion and --help do without pydantic

    try:
        load.loads(text.encode(), load.FILE_NAMES[0], directory)
    except SpecError as error:
        raise UsageError(error.message, hint=error.hint) from None
