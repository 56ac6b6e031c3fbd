"""Reading a Compose document and the files that it names, before any process has seen them.

Everything is read with the bounds of :mod:`envspec.spec.tree`, because Compose itself takes gigabytes and minutes for
a bomb of 300 bytes. What lies outside the project is not even opened unless the user allowed it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from envspec import hostpath
from envspec.compose import beside, paths
from envspec.compose.hardening import NO_NEW_PRIVILEGES, WAIVERS
from envspec.compose.places import Part, Places, dotted
from envspec.compose.texts import is_telling
from envspec.compose.variables import VariableFile, Variables, values_of
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

_OURS = re.compile(r"ENVSPEC_[A-Z_]+|(?<![A-Za-z0-9_])PWD(?![A-Za-z0-9_])")


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
        notes: What of its surroundings is used, and what is not although Compose would.
        stray: A file ``.env`` beside it that is not read, "" for none.
        places: Where its keys stand.
        waived: Defaults of envspec's that services do without, by service.
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
    notes: tuple[str, ...] = ()
    stray: str = ""
    waived: Mapping[str, frozenset[str]] = field(default_factory=dict)
    places: Places = field(default_factory=Places, repr=False, compare=False)

    def fault(self, path: Sequence[Part], message: str, hint: str, code: str = "compose.unsupported") -> SpecError:
        """Return the error of a key of it.

        Args:
            path: The key, such as ``("services", "web", "ports", 0)``.
            message: What is wrong with it.
            hint: The next step.
            code: The error's code.
        """
        where = self.places.where(*path)
        return SpecError(f"{dotted(tuple(path))}: {message}", code=code, hint=hint, where=where)

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


def read(loaded: Loaded, allowed: tuple[str, ...], variables: Variables) -> Document | None:
    """Read the Compose document of a spec; ``None`` when it has none.

    Args:
        loaded: The spec and where it lies.
        allowed: Effects that the user permits.
        variables: Reads files of variables.

    Raises:
        SpecError: The document, or a file that it takes in, is missing, faulty, or passes a bound.
        Refused: It takes in a file outside the project, which the user did not allow.
    """
    wish = loaded.spec.compose
    if wish is None:
        return None
    path = hostpath.expanded(loaded.directory, wish.file) if wish.file else None
    directory = hostpath.real(path.parent) if path else loaded.directory
    root = loaded.directory if paths.lies_inside(directory, loaded.directory) else directory
    taken = _Taken(str(path or loaded.file), root, allowed)
    if path:
        data = taken.take(taken.load(path, loaded.where("compose", "file")), directory)
    else:
        assert wish.document is not None
        if loaded.top:
            above = ("compose", "document") if "document" in _keys(loaded.top, "compose") else ("compose",)
            taken.places.add(str(loaded.file), loaded.top, *above)
        data = taken.take(wish.document, directory)
    notes = beside.overrides(path) if path else ()
    stray = str(directory / beside.DOT_ENV) if os.path.lexists(directory / beside.DOT_ENV) else ""
    named = [
        _text(hostpath.expanded(loaded.directory, name), loaded.where("compose", "env_file", index))
        for index, name in enumerate(wish.env_file)
    ]
    if path and stray and not named:
        own = taken.file_of(beside.DOT_ENV, directory, ())
        secrets, steering = beside.parted(values_of((_text(own, Where(str(own))),), variables))
        notes, stray = (*notes, *beside.told(secrets, steering)), ""
    else:
        secrets = values_of(named, variables, steered=False)
    return Document(
        file=taken.file,
        directory=directory,
        root=taken.root,
        data=data,
        profiles=tuple(sorted(wish.profiles)),
        secrets=tuple(sorted(secrets.items())),
        effects=tuple(sorted(set(taken.effects))),
        mentions=frozenset(taken.mentions),
        taken=tuple(sorted({value for file in taken.variables for value in values_of((file,), variables).values()})),
        inputs=taken.digest.hexdigest(),
        notes=notes,
        stray=stray,
        places=taken.places,
        waived=taken.waived,
    )


def _keys(top: tree.Node, name: str) -> Mapping[str, Any]:
    """Return the keys below one of the spec's."""
    value = top.find((name,))[0].value
    return value if isinstance(value, dict) else {}


class _Taken:
    """What a document takes in, file by file."""

    def __init__(self, file: str, root: Path, allowed: tuple[str, ...]) -> None:
        self.file = file
        self.root = root
        self.places = Places(file)
        self.variables: list[VariableFile] = []
        self.effects: list[Effect] = []
        self.mentions: set[str] = set()
        self.digest = hashlib.sha256()
        self._allowed = allowed
        self.waived: dict[str, frozenset[str]] = {}
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
                self._service(str(name), service, directory)
        return data

    def load(self, path: Path, where: Where) -> dict[str, Any]:
        """Read one file of the document, and remember where its keys stand."""
        top, faults = tree.read(_bytes(path, where, tree.MAX_BYTES), str(path))
        if faults:
            raise SpecFaults(tuple(faults))
        self.places.add(str(path), top)
        document: dict[str, Any] = typed(top.plain())
        document.pop("version", None)
        return document

    def _include(self, item: Any, directory: Path, *, top: bool) -> dict[str, Any]:
        """Take an included file in, and keep Compose from reading the ``.env`` beside it.

        What an included file includes Compose reads from the disk, where nothing can be added: there such a file has to
        be spoken of by the author, in one way or the other.
        """
        long = item if isinstance(item, dict) else {"path": item}
        files = [str(path) for path in _listed(long.get("path"))]
        found = [self.file_of(file, directory, ("include",)) for file in files]
        base = directory / str(long["project_directory"]) if long.get("project_directory") else directory
        base = base if long.get("project_directory") or not found else found[0].parent
        for path in found:
            self._next(path, base)
        for file in map(str, _listed(long.get("env_file"))):
            if file != os.devnull:
                own = self.file_of(file, directory, ("include", "env_file"))
                self.variables.append(_text(own, Where(str(own))))
                self.digest.update(self.variables[-1].text)
        if not top and not long.get("env_file") and os.path.lexists(base / ".env"):
            raise self._unsupported(
                ("include",),
                f"Compose would read {base / '.env'}, for {', '.join(files)} is included by an included file",
                f"name it there, `env_file: {os.path.relpath(base / '.env', directory)}`, or {os.devnull} for none",
            )
        return {**long, "path": files, "env_file": long.get("env_file") or [os.devnull]}

    def _service(self, name: str, service: dict[str, Any], directory: Path) -> None:
        address, path = f"service.{name}", ("services", name)
        self._waive(name, service)
        if "provider" in service:
            self.effects.append(Effect("provider", address, "Compose runs a program of the host for it"))
        if service.get("use_api_socket"):
            self.effects.append(Effect("engine-socket", address, "use_api_socket gives it the engine"))
        for key in ("env_file", "label_file"):
            for item in _listed(service.get(key)):
                file = item.get("path", "") if isinstance(item, dict) else item
                found = self.file_of(str(file), directory, (*path, key))
                if hostpath.is_there(found):
                    self.digest.update(_bytes(found, Where(str(found)), MAX_ENV_BYTES))
        for index, mount in enumerate(_listed(service.get("volumes"))):
            source = str(mount.get("source") or "" if isinstance(mount, dict) else mount)
            if source.startswith("~"):
                told, hint = f"it mounts {source}", "write the path out: a document has no home"
                raise self._unsupported((*path, "volumes", index), told, hint)
        extended = service.get("extends")
        if isinstance(extended, dict) and extended.get("file"):
            found = self.file_of(str(extended["file"]), directory, (*path, "extends"))
            self._next(found, found.parent)

    def _waive(self, name: str, service: dict[str, Any]) -> None:
        """Note which defaults of envspec's a service does without; Compose itself shows no key of another's."""
        if "x-envspec" not in service:
            return
        said, path = service["x-envspec"], ("services", name, "x-envspec")
        words = list(map(str, _listed(said.get("without")))) if isinstance(said, dict) else []
        if not isinstance(said, dict) or said.keys() != {"without"}:
            hint = f"write `x-envspec: {{without: [WORD, …]}}` with words of {', '.join(WAIVERS)}"
            raise self._unsupported(path, "it says something else than `without`", hint)
        for index, word in enumerate(words):
            if word not in WAIVERS:
                near = get_close_matches(word, WAIVERS, 1)
                hint = f"did you mean {near[0]}?" if near else f"the words are {', '.join(WAIVERS)}"
                raise self._unsupported((*path, "without", index), f"{word!r} is not a default of services", hint)
        if NO_NEW_PRIVILEGES in words:
            self.effects.append(Effect("security-opt", f"service.{name}", f"x-envspec: without {NO_NEW_PRIVILEGES}"))
        self.waived[name] = frozenset(words)

    def _next(self, path: Path, directory: Path) -> None:
        """Look through another file, each once for every directory that its paths start from."""
        if (path, directory) in self._seen:
            return
        self._seen.add((path, directory))
        if len(self._seen) > MAX_FILES:
            told = f"more than {MAX_FILES} files are taken in"
            raise self._unsupported(("include",), told, "put services into fewer files")
        data = self.load(path, Where(str(path)))
        self.digest.update(json.dumps(data, sort_keys=True).encode())
        self.take(data, directory, top=False)

    def file_of(self, name: str, directory: Path, path: tuple[Part, ...]) -> Path:
        """Return where a file really lies, once it is known that it may be read.

        Args:
            name: The file, as the document names it.
            directory: What a relative path starts from.
            path: The key that names it.
        """
        if REMOTE.match(name):
            raise self._unsupported(path, f"it names {name}, which lies elsewhere", "keep a copy in the project")
        real = paths.real(name, directory)
        if "$" in name or not paths.lies_inside(real, self.root):
            shown = f"{name} lies outside {self.root}" if "$" not in name else f"{name} may lead anywhere"
            section, *rest = (str(part) for part in path or (name,))
            effect = Effect(OUTSIDE_FILE, ".".join([section.removesuffix("s") if rest else section, *rest]), shown)
            if OUTSIDE_FILE not in self._allowed or "$" in name:
                raise refused((effect,), self.places.where(*path))
            self.effects.append(effect)
        return real

    def _unsupported(self, path: tuple[Part, ...], message: str, hint: str) -> SpecError:
        where = self.places.where(*path)
        return SpecError(f"{dotted(path)}: {message}", code="compose.unsupported", hint=hint, where=where)


def refused(effects: tuple[Effect, ...], where: Where | None = None) -> Refused:
    """Return the refusal of effects that nobody allowed.

    Args:
        effects: At least one.
        where: Where the first of them stands in a file, ``None`` where that is not known.
    """
    told = "; ".join(f"{effect.name}: {effect.address}: {effect.detail}" for effect in effects[:5])
    more = f"; and {len(effects) - 5} more" if len(effects) > 5 else ""
    flags = " ".join(f"--allow {name}" for name in sorted({effect.name for effect in effects}))
    return Refused(
        f"this reaches out of its containers: {told}{more}",
        code="refused.effect",
        hint=f"take it out, or allow it by name: {flags}",
        where=dataclasses.replace(where or Where(), address=effects[0].address),
    )


def _text(path: Path, where: Where) -> VariableFile:
    return VariableFile(path, _bytes(path, where, MAX_ENV_BYTES))


def _bytes(path: Path, where: Where, most: int) -> bytes:
    """Read a regular file, and one byte more than it may have; what is no file could be read for ever.

    Raises:
        SpecError: It cannot be read, or is larger.
    """
    why = "it is not a file" if hostpath.is_there(path) and not hostpath.is_file(path) else ""
    try:
        with (path if not why else Path("/dev/null")).open("rb") as stream:
            data = stream.read(most + 1)
    except (OSError, ValueError) as error:
        why, data = str(getattr(error, "strerror", "it is not a path")), b""
    if len(data) > most:
        why = f"it is larger than {most // 1024} KiB"
    if why:
        raise SpecError(
            f"{path} cannot be read: {why}", code="compose.unreadable", hint="look at the path", where=where
        )
    return data


def _listed(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else [] if value is None else [value]
