"""Reading a Compose document and the files that it names, before any process has seen them.

Everything is read with the bounds of :mod:`envspec.spec.tree`, because Compose itself takes gigabytes and minutes for
a bomb of 300 bytes. What lies outside the project is not even opened unless the user allowed it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envspec.compose import paths
from envspec.compose.texts import is_telling
from envspec.engine.stack import ComposeSource
from envspec.errors import Refused, SpecError, SpecFaults, Where
from envspec.model import Effect
from envspec.spec import tree
from envspec.spec.load import Loaded
from envspec.spec.services import typed

OUTSIDE_FILE = "outside-file"
"""Effect of reading a file that lies outside the project."""

MAX_FILES = 32
"""Files that one document may take in with ``include`` and ``extends``."""

MAX_ENV_BYTES = 256 * 1024

REMOTE = re.compile(r"(?i)^([a-z][a-z0-9+.-]*://|git@|github\.com/|oci:)")
"""How a path begins that Compose would fetch from elsewhere."""

_STEERING = re.compile(r"(COMPOSE|DOCKER|BUILDX|BUILDKIT)_")
_OURS = re.compile(r"ENVSPEC_[A-Z_]+")
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """A Compose document, read but not yet resolved.

    Attributes:
        file: What errors call it.
        directory: Project directory: relative paths start here.
        root: What lies below is the project: the spec's directory, or the document's where that lies elsewhere.
        data: Its content as JSON.
        profiles: Profiles to switch on.
        secrets: Variables of the files that the spec names.
        host: Values of variables of this host that its secrets and configs name.
        taken: Values of the files of variables that an ``include`` names.
        effects: What is known to need permission before it is resolved.
        mentions: Names of envspec's variables that it, or a file that it takes in, speaks of.
        inputs: Digest of every other file that was read.
    """

    file: str
    directory: Path
    root: Path
    data: Mapping[str, Any]
    profiles: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    host: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    taken: tuple[str, ...] = field(default=(), repr=False)
    effects: tuple[Effect, ...] = ()
    mentions: frozenset[str] = frozenset()
    inputs: str = ""

    @property
    def telling(self) -> list[str]:
        """Return the values of the user's files that nobody may see, the longest first."""
        values = {*self.taken, *(value for _, value in self.secrets)}
        return sorted(filter(is_telling, values), key=lambda value: (-len(value), value))

    def source(self, project: str, variables: Mapping[str, str]) -> ComposeSource:
        """Return what Compose is given to resolve.

        Args:
            project: Name of the project.
            variables: Variables of envspec's own.
        """
        return ComposeSource(
            project=project,
            directory=str(self.directory),
            text=json.dumps(self.data, sort_keys=True),
            profiles=self.profiles,
            variables=tuple(sorted((name, value) for name, value in variables.items() if name in self.mentions)),
            secrets=self.secrets,
            inputs=self.inputs,
        )


def read(loaded: Loaded, allowed: tuple[str, ...]) -> Document | None:
    """Read the Compose document of a spec; ``None`` when it has none.

    Args:
        loaded: The spec and where it lies.
        allowed: Effects that the user permits.

    Raises:
        SpecError: The document, or a file that it takes in, is missing, faulty, or passes a bound.
        Refused: It takes in a file outside the project, which the user did not allow.
    """
    wish = loaded.spec.compose
    if wish is None:
        return None
    secrets: dict[str, str] = {}
    for index, name in enumerate(wish.env_file):
        secrets.update(
            _variables(loaded.directory / Path(name).expanduser(), loaded.where("compose", "env_file", index))
        )
    if wish.file is None:
        assert wish.document is not None
        taken = _Taken(str(loaded.file), loaded.directory, allowed)
        data = taken.take(wish.document, loaded.directory)
        directory = loaded.directory
    else:
        path = loaded.directory / Path(wish.file).expanduser()
        directory = path.parent.resolve()
        root = loaded.directory if paths.lies_inside(directory, loaded.directory) else directory
        taken = _Taken(str(path), root, allowed)
        data = taken.take(_load(path, loaded.where("compose", "file")), directory)
    return Document(
        file=taken.file,
        directory=directory,
        root=taken.root,
        data=data,
        profiles=tuple(sorted(wish.profiles)),
        secrets=tuple(sorted(secrets.items())),
        effects=tuple(sorted(set(taken.effects))),
        mentions=frozenset(taken.mentions),
        taken=tuple(sorted(taken.values)),
        inputs=taken.digest.hexdigest(),
    )


class _Taken:
    """What a document takes in, file by file."""

    def __init__(self, file: str, root: Path, allowed: tuple[str, ...]) -> None:
        self.file = file
        self.root = root
        self.effects: list[Effect] = []
        self.mentions: set[str] = set()
        self.digest = hashlib.sha256()
        self._allowed = allowed
        self.values: set[str] = set()
        self._seen: set[tuple[Path, Path]] = set()

    def take(self, data: dict[str, Any], directory: Path, *, top: bool = True) -> dict[str, Any]:
        """Look through one document and all that it takes in; return it without traces of ``.env`` files.

        Args:
            data: The document.
            directory: What its relative paths start from.
            top: Whether it is the one that the spec names.
        """
        self.mentions.update(_OURS.findall(json.dumps(data)))
        if "include" in data:
            data = {**data, "include": [self._include(item, directory, top=top) for item in _listed(data["include"])]}
        services = data.get("services")
        for name, service in sorted(services.items()) if isinstance(services, dict) else ():
            if isinstance(service, dict):
                self._service(f"service.{name}", service, directory)
        return data

    def _include(self, item: Any, directory: Path, *, top: bool) -> dict[str, Any]:
        """Take an included file in, and keep Compose from reading the ``.env`` beside it.

        What an included file includes Compose reads from the disk, where nothing can be added: there such a file has to
        be spoken of by the author, in one way or the other.
        """
        long = item if isinstance(item, dict) else {"path": item}
        files = [str(path) for path in _listed(long.get("path"))]
        found = [self._file(file, directory, "include") for file in files]
        base = directory / str(long["project_directory"]) if long.get("project_directory") else directory
        base = base if long.get("project_directory") or not found else found[0].parent
        for path in found:
            self._next(path, base)
        for file in map(str, _listed(long.get("env_file"))):
            if file != os.devnull:
                self._values(self._file(file, directory, "include.env_file"))
        if not top and not long.get("env_file") and os.path.lexists(base / ".env"):
            raise self._unsupported(
                f"Compose would read {base / '.env'}, for {', '.join(files)} is included by an included file",
                f"name it there, `env_file: {os.path.relpath(base / '.env', directory)}`, or {os.devnull} for none",
            )
        return {**long, "path": files, "env_file": long.get("env_file") or [os.devnull]}

    def _values(self, path: Path) -> None:
        """Remember the values of a file of variables that Compose reads, in whatever way they are written there."""
        text = _bytes(path, Where(str(path)), MAX_ENV_BYTES)
        self.digest.update(text)
        found = (_ASSIGNMENT.fullmatch(line.strip()) for line in text.decode(errors="replace").splitlines())
        self.values.update(_unquoted(match[2].strip()) for match in found if match)

    def _service(self, address: str, service: dict[str, Any], directory: Path) -> None:
        if "provider" in service:
            self.effects.append(Effect("provider", address, "Compose runs a program of the host for it"))
        if service.get("use_api_socket"):
            self.effects.append(Effect("engine-socket", address, "use_api_socket gives it the engine"))
        for key in ("env_file", "label_file"):
            for item in _listed(service.get(key)):
                name = item.get("path", "") if isinstance(item, dict) else item
                path = self._file(str(name), directory, f"{address}.{key}")
                if path.exists():
                    self.digest.update(_bytes(path, Where(str(path)), MAX_ENV_BYTES))
        for mount in _listed(service.get("volumes")):
            source = str(mount.get("source") or "" if isinstance(mount, dict) else mount)
            if source.startswith("~"):
                raise self._unsupported(f"{address} mounts {source}", "write the path out: a document has no home")
        extended = service.get("extends")
        if isinstance(extended, dict) and extended.get("file"):
            path = self._file(str(extended["file"]), directory, f"{address}.extends")
            self._next(path, path.parent)

    def _next(self, path: Path, directory: Path) -> None:
        """Look through another file, each once for every directory that its paths start from."""
        if (path, directory) in self._seen:
            return
        self._seen.add((path, directory))
        if len(self._seen) > MAX_FILES:
            raise self._unsupported(f"more than {MAX_FILES} files are taken in", "put services into fewer files")
        data = _load(path, Where(str(path)))
        self.digest.update(json.dumps(data, sort_keys=True).encode())
        self.take(data, directory, top=False)

    def _file(self, name: str, directory: Path, address: str) -> Path:
        """Return where a file really lies, once it is known that it may be read."""
        if REMOTE.match(name):
            raise self._unsupported(f"{address} names {name}, which lies elsewhere", "keep a copy in the project")
        path = paths.real(name, directory)
        if "$" in name or not paths.lies_inside(path, self.root):
            shown = f"{name} lies outside {self.root}" if "$" not in name else f"{name} may lead anywhere"
            if OUTSIDE_FILE not in self._allowed or "$" in name:
                raise refused((Effect(OUTSIDE_FILE, address, shown),))
            self.effects.append(Effect(OUTSIDE_FILE, address, shown))
        return path

    def _unsupported(self, message: str, hint: str) -> SpecError:
        return SpecError(message, code="compose.unsupported", hint=hint, where=Where(self.file))


def refused(effects: tuple[Effect, ...]) -> Refused:
    """Return the refusal of effects that nobody allowed.

    Args:
        effects: At least one.
    """
    told = "; ".join(f"{effect.name}: {effect.address}: {effect.detail}" for effect in effects[:5])
    more = f"; and {len(effects) - 5} more" if len(effects) > 5 else ""
    flags = " ".join(f"--allow {name}" for name in sorted({effect.name for effect in effects}))
    return Refused(
        f"this reaches out of its containers: {told}{more}",
        code="refused.effect",
        hint=f"take it out, or allow it by name: {flags}",
        where=Where(address=effects[0].address),
    )


def _load(path: Path, where: Where) -> dict[str, Any]:
    top, faults = tree.read(_bytes(path, where, tree.MAX_BYTES), str(path))
    if faults:
        raise SpecFaults(tuple(faults))
    document: dict[str, Any] = typed(top.plain())
    document.pop("version", None)
    return document


def _bytes(path: Path, where: Where, most: int) -> bytes:
    """Read a regular file, and one byte more than it may have; what is no file could be read for ever.

    Raises:
        SpecError: It cannot be read, or is larger.
    """
    why = "it is not a file" if path.exists() and not path.is_file() else ""
    try:
        with (path if not why else Path("/dev/null")).open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        why, data = str(error.strerror), b""
    if len(data) > most:
        why = f"it is larger than {most // 1024} KiB"
    if why:
        raise SpecError(
            f"{path} cannot be read: {why}", code="compose.unreadable", hint="look at the path", where=where
        )
    return data


def _listed(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else [] if value is None else [value]


def _variables(path: Path, where: Where) -> dict[str, str]:
    """Read ``NAME=value`` lines: quotes are taken off, ``#`` begins a comment; nothing is interpolated.

    Raises:
        SpecError: The file cannot be read, a line is none, or a name would steer the engine's own tools.
    """
    text = _bytes(path, where, MAX_ENV_BYTES).decode(errors="replace")
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ASSIGNMENT.fullmatch(line.strip())
        if match is None or _STEERING.match(match[1]):
            why = "is no `NAME=value`" if match is None else f"sets {match[1]}, which steers the engine's tools"
            raise SpecError(
                f"line {number} of {path.name} {why}",
                code="compose.env_file",
                hint="write one `NAME=value` a line",
                where=Where(str(path), number),
            )
        found[match[1]] = _unquoted(match[2].strip())
    return found


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote in ("'", '"') and value.find(quote, 1) > 0:
        return value[1 : value.index(quote, 1)]
    return re.split(r"\s+#", value, maxsplit=1)[0].strip()
