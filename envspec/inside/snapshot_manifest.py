"""What a snapshot is: its name, its images, its manifest; and which there are.

A snapshot NAME is up to three images. ``envspec/snapshot/NAME:box`` is the workspace's own filesystem,
``:volumes`` holds a copy of every named volume, and ``:manifest``, which comes last, says what they are: without it
there is no snapshot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from envspec.engine.archive import SNAPSHOT_KIND
from envspec.engine.base import Reader
from envspec.engine.inspect import REPOSITORY
from envspec.engine.objects import StoredImage
from envspec.engine.part import Part
from envspec.errors import Conflict, UsageError
from envspec.kinds import names
from envspec.model import to_json

FORMAT = "1"
"""Version of the manifest."""

BOX, VOLUMES, MANIFEST = "box", "volumes", "manifest"
"""Tags of a snapshot's images."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class SavedVolume:
    """A volume of a snapshot: its address, and the name that it had on the engine."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class SavedRepo:
    """A repository of a snapshot: its path inside, its commit, and how many changes were in no commit."""

    path: str
    commit: str
    dirty: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is.

    Attributes:
        name: Its name.
        env: Name of the environment.
        created: When it was made, in ISO 8601.
        engine: ``docker`` or ``podman``.
        paused: Whether nothing of the environment ran while it was made, so that all of it is of one moment.
        image: Reference of the image that the workspace ran.
        image_id: Its ID.
        box: ID of the image that holds the workspace's filesystem.
        size: Bytes that the snapshot takes beyond the workspace's image.
        volumes: The volumes, in the order of their numbers.
        repos: Repositories that were applied; none are told when the environment did not run.
        binds: Directories of the host that were bound: they are no part of a snapshot.
        services: Names of the services; their volumes are saved, their containers are made anew.
        spec: Text of the spec.
        file: Path of the spec.
        directory: Directory that relative paths in it are relative to.
        format: Version of this format.
        mark: Token, in the workspace, of a moment before it was saved, "" where nobody could look.
    """

    name: str
    env: str
    created: str
    engine: str
    paused: bool
    image: str
    image_id: str
    box: str
    size: int
    volumes: tuple[SavedVolume, ...]
    repos: tuple[SavedRepo, ...]
    binds: tuple[str, ...]
    services: tuple[str, ...]
    spec: str = field(repr=False)
    file: str
    directory: str
    format: str = FORMAT
    mark: str = ""

    def as_bytes(self) -> bytes:
        """Return it as the file that its image holds."""
        return json.dumps(to_json(self), indent=1).encode()


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A snapshot in a list.

    Attributes:
        name: Its name.
        env: Name of the environment.
        created: When it was made, in ISO 8601.
        size: Bytes that it takes beyond the workspace's image.
        used_by: Names of the containers that were made from it.
    """

    name: str
    env: str
    created: str
    size: int
    used_by: tuple[str, ...] = ()


def ref_of(name: str, part: str) -> str:
    """Return the reference of one of a snapshot's images."""
    return f"{REPOSITORY}{SNAPSHOT_KIND}/{name}:{part}"


def check_name(name: str) -> None:
    """Insist that a name is one.

    Raises:
        UsageError: It is not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:60]} is not a name of a snapshot",
            code="snapshot.name",
            hint="use up to 40 lower-case letters, digits and `-`",
        )


def row_labels(manifest: Manifest) -> dict[str, str]:
    """Return the labels of a manifest's image: what a list shows."""
    return {
        names.KIND: SNAPSHOT_KIND,
        names.FORMAT: FORMAT,
        names.SNAPSHOT: manifest.name,
        names.OF: manifest.env,
        names.CREATED: manifest.created,
        names.SIZE: str(manifest.size),
    }


def rows(reader: Reader) -> tuple[SnapshotRow, ...]:
    """Return all snapshots of the engine, sorted by name."""
    images = {ref: image for image in reader.snapshot_images() for ref in image.refs}
    found = []
    for ref, image in sorted(images.items()):
        name = image.labels.get(names.SNAPSHOT, "")
        if ref == ref_of(name, MANIFEST):
            found.append(_row(name, image.labels, images.get(ref_of(name, BOX))))
    return tuple(found)


def _row(name: str, labels: Mapping[str, str], box: StoredImage | None) -> SnapshotRow:
    used_by = tuple(use.container for use in box.uses) if box else ()
    size = labels.get(names.SIZE, "")
    return SnapshotRow(
        name=name,
        env=labels.get(names.OF, ""),
        created=labels.get(names.CREATED, ""),
        size=int(size) if size.isdigit() else 0,
        used_by=tuple(sorted(used_by)),
    )


def row_of(reader: Reader, name: str) -> SnapshotRow:
    """Return one snapshot.

    Raises:
        UsageError: There is none of this name.
    """
    found = next((row for row in rows(reader) if row.name == name), None)
    if found is None:
        raise UsageError(
            f"there is no snapshot {name[:60]}", code="snapshot.unknown", hint="`envspec snapshot list` names them"
        )
    return found


def read(reader: Reader, name: str) -> Manifest:
    """Return the manifest of a snapshot.

    Raises:
        UsageError: There is none of this name.
        Conflict: Another version of envspec made it, or its manifest is damaged.
    """
    row_of(reader, name)
    try:
        data = Part(json.loads(reader.image_file(ref_of(name, MANIFEST))))
    except (ValueError, RecursionError):
        data = Part("")
    made_by = data.text("format")
    if not data.unread and made_by != FORMAT:
        raise Conflict(
            f"the snapshot {name} is of format {made_by!r}",
            code="snapshot.format",
            hint="use the version of envspec that made it",
        )
    found = _manifest(data)
    if data.unread:
        raise Conflict(
            f"the manifest of the snapshot {name} cannot be read: {', '.join(data.unread)}",
            code="snapshot.unreadable",
            hint=f"`envspec snapshot rm {name}` removes what is left of it",
        )
    return found


def _manifest(data: Part) -> Manifest:
    """Read a manifest; fields that cannot be read are known to ``data`` then."""
    data.need(*(item.name for item in fields(Manifest) if item.name != "mark"))  # earlier versions made none
    volumes = (SavedVolume(item.text("address"), item.text("name")) for item in data.parts("volumes"))
    repos = (SavedRepo(r.text("path"), r.text("commit"), r.number("dirty")) for r in data.parts("repos"))
    return Manifest(
        name=data.text("name"),
        env=data.text("env"),
        created=data.text("created"),
        engine=data.text("engine"),
        paused=data.flag("paused"),
        image=data.text("image"),
        image_id=data.text("image_id"),
        box=data.text("box"),
        size=data.number("size"),
        volumes=tuple(volumes),
        repos=tuple(repos),
        binds=data.texts("binds"),
        services=data.texts("services"),
        spec=data.text("spec"),
        file=data.text("file"),
        directory=data.text("directory"),
        format=data.text("format"),
        mark=data.text("mark"),
    )
