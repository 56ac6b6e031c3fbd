"""What lies in the tmpfs of a container, as text: the variables, the secrets, and the seals that tell of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from envspec.engine.facts import CA_FILE, ENV_FILE, RUN_DIR, SEALS_FILE, SECRETS_FILE, SealedFile, Seals
from envspec.engine.operations import PutEnvironment, RunFile
from envspec.model import Hidden
from envspec.secrets import seal

READ_SECRETS = f"[ ! -r {SECRETS_FILE} ] || . {SECRETS_FILE}\n"
"""Line of the plain variables' text that reads the secret ones."""

BANNER = "banner"
"""Path, below the tmpfs, of the file that greets people."""

READ_BANNER = f"case $- in *i*) [ ! -r {RUN_DIR}/{BANNER} ] || . {RUN_DIR}/{BANNER} ;; esac\n"
"""Line of the plain variables' text by which interactive shells read :data:`BANNER`."""

RESERVED = frozenset(path.removeprefix(f"{RUN_DIR}/") for path in (CA_FILE, ENV_FILE, SEALS_FILE, SECRETS_FILE))
"""Paths below the tmpfs that have a meaning of their own."""


def exports(variables: Iterable[tuple[str, str]]) -> str:
    """Return shell text that exports variables."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables)


def parse(text: str) -> dict[str, str]:
    """Return the variables of a text that :func:`exports` made; what does not read so is passed over."""
    try:
        words = shlex.split(text)
    except ValueError:
        return {}
    pairs = (word.partition("=") for word in words if "=" in word)
    return {name: value for name, _, value in pairs}


def sealed_text(name: str, value: str) -> bytes:
    """Return what a secret variable's seal is made of."""
    return f"{name}={value}".encode(errors="surrogateescape")


def secret_files(put: PutEnvironment) -> tuple[RunFile, ...]:
    """Return the files that seals tell of, the secret variables' first."""
    if not put.secrets:
        return put.files
    text = exports((name, value.text) for name, value in put.secrets)
    return (RunFile("secrets", Hidden(text), 0o400, put.uid, put.gid), *put.files)


def contents(put: PutEnvironment, key: str) -> Iterator[RunFile]:
    """Yield all files of the tmpfs but the CA bundle.

    Args:
        put: What to write.
        key: A new key for the seals.

    Raises:
        ValueError: A file's path is reserved, absolute, or leads out of the tmpfs: a bug of the caller.
    """
    yield RunFile("env", put.text, 0o400, put.uid, put.gid)
    files = secret_files(put)
    for file in put.files:
        parts = file.path.split("/")
        if file.path in RESERVED or not all(part.strip(".") for part in parts) or "\n" in file.path:
            raise ValueError(f"{file.path} is no path for a file of the tmpfs")
    yield from files
    lines = [f"key {key}"]
    lines += [f"secret {name} {seal(key, sealed_text(name, value.text))}" for name, value in put.secrets]
    lines += [f"file {file.path}" for file in files]
    yield RunFile("seals", "".join(f"{line}\n" for line in lines), 0o400, 0, 0)


@dataclass(frozen=True, slots=True)
class SealLines:
    """What :data:`SEALS_FILE` says.

    Attributes:
        key: The key, "" when it is missing.
        variables: Seals of the secret variables, by name.
        files: Paths of the sealed files.
    """

    key: str
    variables: Mapping[str, str]
    files: tuple[str, ...]


def read_lines(text: str) -> SealLines:
    """Read the text of :data:`SEALS_FILE`; what does not read so is passed over."""
    key, variables, files = "", {}, []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "key":
            key = rest
        elif word == "secret":
            name, _, digest = rest.partition(" ")
            variables[name] = digest
        elif word == "file":
            files.append(rest)
    return SealLines(key, variables, tuple(files))


def read_seals(text: str) -> Seals | None:
    """Read what the probe tells: the lines of :data:`SEALS_FILE`, then ``is SEAL MODE UID GID PATH`` of each file."""
    lines = read_lines(text)
    files = {}
    for line in text.splitlines():
        word, *fields = line.split(" ", 5)
        if word == "is" and len(fields) == len(("seal", "mode", "uid", "gid", "path")):
            digest, mode, uid, gid, path = fields
            files[path] = SealedFile(int(mode, 8), int(uid), int(gid), digest)
    return Seals(lines.key, lines.variables, files) if lines.key else None
