"""What was found on the host to be taken inside, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from envspec.model import Hidden

SshWish = Literal["", "agent", "files"]
"""How SSH keys come inside: not at all, by the agent's socket, or as files."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to look for on the host.

    Attributes:
        git: git's configuration and the known hosts of SSH.
        gh: The token of GitHub's CLI.
        ssh: How SSH keys come inside.
        directory: Directory that the environment is for; conditional includes of git's configuration look at it.
        secret: Files of the user's home that are secret, as paths below it.
        seed: Files of it that are copied.
    """

    git: bool = False
    gh: bool = False
    ssh: SshWish = ""
    directory: str = "/"
    secret: tuple[str, ...] = ()
    seed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of git's configuration.

    Attributes:
        key: ``section.name`` or ``section.subsection.name``, as git prints it: section and name in lower case.
        value: Its value, ``None`` where it has no ``=``, which git takes for true.
    """

    key: str
    value: str | None

    @property
    def section(self) -> str:
        """Return the section's name."""
        return self.key.partition(".")[0]

    @property
    def subsection(self) -> str | None:
        """Return what stands in quotes in the section's header, ``None`` where nothing does."""
        rest, dot, _ = self.key.rpartition(".")
        first, found, subsection = rest.partition(".")
        return subsection if dot and found and first else None

    @property
    def name(self) -> str:
        """Return the name within the section."""
        return self.key.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class SshFile:
    """A file of the user's ``~/.ssh``.

    Attributes:
        path: Path below it.
        text: Its whole content, never shown; bytes that are no UTF-8 are carried as ``surrogateescape`` has them.
    """

    path: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HomeFile:
    """A file of the user's home that a purpose brings along.

    Attributes:
        path: Path below the home.
        text: Its whole content, never shown.
    """

    path: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What was found on the host.

    Attributes:
        git: git's configuration as it shall be inside, in order.
        known_hosts: The hosts that the user's SSH knows, as ``known_hosts`` has them.
        gh_token: Token for github.com, ``None`` where the user has none.
        agent: Real path of the SSH agent's socket, "" where none answers or none was asked for.
        agent_uid: Numeric owner of that socket.
        ssh: Files of ``~/.ssh``, sorted by path.
        secret: Files of the home that are secret, sorted by path.
        seed: Files of the home to copy, sorted by path.
        notes: What could not be taken along, in words.
        wish: What was looked for.
    """

    git: tuple[Entry, ...] = ()
    known_hosts: bytes = field(default=b"", repr=False)
    gh_token: Hidden | None = None
    agent: str = ""
    agent_uid: int = 0
    ssh: tuple[SshFile, ...] = ()
    secret: tuple[HomeFile, ...] = ()
    seed: tuple[HomeFile, ...] = ()
    notes: tuple[str, ...] = ()
    wish: Wish = field(default_factory=Wish, compare=False)
