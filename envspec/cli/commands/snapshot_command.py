"""``envspec snapshot``: save environments, and see what was saved."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from envspec.cli import options, output

if TYPE_CHECKING:
    from envspec.inside.snapshot_manifest import Manifest, SavedVolume

_MIB = 1 << 20


@click.group()
def command() -> None:
    """Save an environment's filesystem and its named volumes, those of its services too.

    A snapshot lives on the engine, and stays when the environment is destroyed. Directories of the host that are bound
    are no part of it, nor is anything that lives in memory, such as secrets.
    """


@command.command("create")
@options.engine_options
@options.env_argument
@click.argument("name")
@click.option("--no-pause", is_flag=True, help="Let everything run meanwhile; it may not all be of one moment.")
@options.json_option
def create(env: str, name: str, no_pause: bool, as_json: bool) -> None:
    """Save ENV, a name or a file, as the snapshot NAME."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.cli import progress  # noqa: PLC0415 - the same

    shown = progress.progress(as_json=False)
    try:
        made = api.create_snapshot(env, name, pause=not no_pause, emit=shown, engine=options.open_engine())
    finally:
        shown.pause()
    if as_json:
        output.print_result(made)
    else:
        output.print_text("\n".join(_lines(made)))


@command.command("list")
@options.engine_options
@options.json_option
def list_snapshots(as_json: bool) -> None:
    """List the snapshots on the engine."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    rows = api.snapshots(options.open_engine())
    if as_json:
        output.print_result(rows)
    elif rows:
        shown = [(r.name, r.env, r.created, f"{r.size / _MIB:.1f} MiB", ", ".join(r.used_by) or "-") for r in rows]
        head = ("NAME", "ENVIRONMENT", "CREATED", "SIZE", "USED BY")
        output.print_text("\n".join(output.table([head, *shown])))
    else:
        output.print_text("There is no snapshot.")


@command.command("show")
@options.engine_options
@click.argument("name")
@click.option("--spec", is_flag=True, help="Print its spec alone.")
@click.option("--as", "env", default="", metavar="ENV", help="Print the spec as that of another environment.")
@options.json_option
def show(name: str, spec: bool, env: str, as_json: bool) -> None:
    """Show what the snapshot NAME holds."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core
    from envspec.inside.snapshot_spec import text_for  # noqa: PLC0415 - the same

    manifest = api.show_snapshot(name, options.open_engine())
    if as_json:
        output.print_result(manifest)
    elif spec or env:
        sys.stdout.write(text_for(manifest, env or manifest.env))
    else:
        output.print_text("\n".join(_lines(manifest)))


@command.command("rm")
@options.engine_options
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.json_option
def remove(names: tuple[str, ...], as_json: bool) -> None:
    """Remove snapshots; one that a running environment was restored from stays."""
    from envspec import api  # noqa: PLC0415 - completion and --help do without the core

    engine = options.open_engine()
    for name in names:
        api.remove_snapshot(name, engine)
    if as_json:
        output.print_result({"removed": list(names)})
    else:
        output.print_text("\n".join(f"Removed the snapshot {name}." for name in names))


def _called(volume: SavedVolume) -> str:
    """Return the name of a volume, or what has it where nobody named it."""
    return volume.name if volume.address.startswith("volume.") else volume.address


def _lines(manifest: Manifest) -> list[str]:
    """Return what a person wants to know of a snapshot."""
    moment = "of one moment" if manifest.paused else "made while it ran"
    lines = [
        f"{manifest.name}: {manifest.env} at {manifest.created}, {moment}, {manifest.size / _MIB:.1f} MiB",
        f"image: {manifest.image}",
    ]
    if manifest.volumes:
        lines.append(f"volumes: {', '.join(map(_called, manifest.volumes))}")
    for repo in manifest.repos:
        changes = f", {repo.dirty} uncommitted" if repo.dirty else ""
        lines.append(f"repository: {repo.path} at {repo.commit[:12]}{changes}")
    if manifest.binds:
        lines.append(f"not part of it, for they are the host's: {', '.join(manifest.binds)}")
    return lines
