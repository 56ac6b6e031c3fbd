"""What lies in the tmpfs of a container, as text: the variables, the secrets, and the seals that tell of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from envspec.engine.facts import (
    CA_FILE,
    ENV_FILE,
    IMAGE_FILE,
    ROOT_SECRETS_FILE,
    RUN_DIR,
    SEALS_FILE,
    SECRETS_FILE,
    SealedFile,
    Seals,
)
from envspec.engine.operations import PutEnvironment, RunFile
from envspec.model import Hidden
from envspec.secrets import seal

ENTERED = "ENVSPEC_ENTERED"
"""Variable of whoever has read the variables, and of all that they start."""

READ_IMAGE = f'[ -n "${{{ENTERED}-}}" ] || [ ! -r {IMAGE_FILE} ] || . {IMAGE_FILE}\n'
"""First line of the plain variables' text: whoever reads it first learns what the image made of them."""

MARK = f"export {ENTERED}=1\n"
"""Line that says that the variables were read."""

SHELLS_OWN = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "SHELL", "TERM", "HOSTNAME", "PWD", "OLDPWD", "SHLVL", "IFS", "OPTIND"),
        *("HISTFILE", "HISTSIZE", "HISTFILESIZE", "SAVEHIST", "MAIL", "MAILCHECK", "COLUMNS", "LINES"),
        *("PS1", "PS2", "PS3", "PS4", "PROMPT"),
    }
)
"""Variables that engines and shells set unasked, so that their being set does not tell of a caller."""

READ_SECRETS = f"""\
[ ! -O {SECRETS_FILE} ] || . {SECRETS_FILE}
[ ! -O {ROOT_SECRETS_FILE} ] || . {ROOT_SECRETS_FILE}
"""
"""Lines of the plain variables' text that read the secret ones: everybody their own copy; its owner may change it."""

BANNER = "banner"
"""Path, below the tmpfs, of the file that greets people."""

READ_BANNER = f"case $- in *i*) [ ! -r {RUN_DIR}/{BANNER} ] || . {RUN_DIR}/{BANNER} ;; esac\n"
"""Line of the plain variables' text by which interactive shells read :data:`BANNER`."""

SECRETS, ROOT_SECRETS = (path.removeprefix(f"{RUN_DIR}/") for path in (SECRETS_FILE, ROOT_SECRETS_FILE))
"""Paths below the tmpfs of the secret variables."""

RESERVED = frozenset(
    path.removeprefix(f"{RUN_DIR}/")
    for path in (CA_FILE, ENV_FILE, IMAGE_FILE, SEALS_FILE, SECRETS_FILE, ROOT_SECRETS_FILE)
)
"""Paths below the tmpfs that have a meaning of their own."""


def exports(variables: Iterable[tuple[str, str]]) -> str:
    """Return shell text that exports variables, but for those that its reader was given otherwise.

    A variable counts as given when it is set to something else than what the image sets (:data:`IMAGE_FILE`), so that
    ``NAME=value ./script`` means what it says although every bash reads this; one of :data:`SHELLS_OWN`, when the
    variables were read before.
    """
    return "".join(f"case {_test(name)} export {name}={shlex.quote(value)} ;; esac\n" for name, value in variables)


def _test(name: str) -> str:
    """Return what a ``case`` looks at, and the pattern of what nobody gave."""
    if name in SHELLS_OWN:
        return f'"${{{ENTERED}-}}" in "")'
    return f'"${{{name}+x${name}}}" in "" | "${{ENVSPEC_IMAGE_{name}-}}")'


def parse(text: str) -> dict[str, str]:
    """Return the variables of a text that :func:`exports` made; what does not read so is passed over."""
    try:
        words = shlex.split(text)
    except ValueError:
        return {}
    pairs = (word.partition("=") for before, word in pairwise(words) if before == "export" and "=" in word)
    return {name: value for name, _, value in pairs if name != ENTERED}


def sealed_text(name: str, value: str) -> bytes:
    """Return what a secret variable's seal is made of."""
    return f"{name}={value}".encode(errors="surrogateescape")


def secret_files(put: PutEnvironment) -> tuple[RunFile, ...]:
    """Return the files that seals tell of, the secret variables' first: the user's copy, and root's."""
    if not put.secrets:
        return put.files
    text = Hidden(exports((name, value.text) for name, value in put.secrets))
    copies = [RunFile(SECRETS, text, 0o400, put.uid, put.gid)]
    if put.uid:
        copies.append(RunFile(ROOT_SECRETS, text, 0o400, 0, 0))
    return (*copies, *put.files)


def contents(put: PutEnvironment, key: str) -> Iterator[RunFile]:
    """Yield all files of the tmpfs but the CA bundle.

    Args:
        put: What to write.
        key: A new key for the seals.

    Raises:
        ValueError: A file's path is reserved, absolute, or leads out of the tmpfs: a bug of the caller.
    """
    yield RunFile("env", put.text, 0o444, 0, 0)
    files = secret_files(put)
    for file in put.files:
        parts = file.path.split("/")
        if file.path in RESERVED or not all(part.strip(".") for part in parts) or "\n" in file.path:
            raise ValueError(f"{file.path} is not a path for a file of the tmpfs")
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
