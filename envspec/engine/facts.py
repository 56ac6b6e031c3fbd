"""What is asked of the inside of a container, and what it answers: files, repositories, accounts, the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

RUN_DIR = "/run/envspec"
"""A tmpfs in every container: the environment's variables and the CA bundle live here, and die with a restart."""


ENV_FILE = f"{RUN_DIR}/env"
"""Shell text that exports every variable; read by every shell and every exec of ours, root's too, so it is root's."""


SECRETS_FILE = f"{RUN_DIR}/secrets"
"""Shell text that exports the secret ones; :data:`ENV_FILE` reads it, and no probe does. It belongs to the user."""


ROOT_SECRETS_FILE = f"{RUN_DIR}/root/secrets"
"""The same text, of which root reads this copy: whoever owns a file can change it."""


IMAGE_FILE = f"{RUN_DIR}/image"
"""Shell text that tells what the image and the engine themselves set of the variables, as ``ENVSPEC_IMAGE_NAME``."""


_SECRETS = SECRETS_FILE.removeprefix(f"{RUN_DIR}/")
_ALL_SECRETS = (_SECRETS, ROOT_SECRETS_FILE.removeprefix(f"{RUN_DIR}/"))


SEALS_FILE = f"{RUN_DIR}/seals"
"""A random key, and by it the keyed digest of every secret that was written; root's alone."""


CA_FILE = f"{RUN_DIR}/ca.pem"
"""The host's CA bundle, where the host trusts more than the image does."""


ANCHOR = "/usr/local/share/ca-certificates/envspec-{}.crt"
"""The host's own CAs in a container's system store, one a file, counted from 1: where an administrator puts them."""


STATE_DIR = "/var/lib/envspec"
"""The ledger and the windows: what was applied inside this container's filesystem, and when."""


FORWARDED_GIT = f"{STATE_DIR}/forwarded/gitconfig"
"""git's configuration of the host's user; the system's file includes it, so that it holds for everybody."""


AGENT_SOCKET = "/run/host-services/ssh-auth.sock"
"""Where the socket of the host's SSH agent is mounted; the path that Docker Desktop uses."""


@dataclass(frozen=True, slots=True, order=True)
class RepoQuestion:
    """Asks for the state of a repository.

    Attributes:
        path: Absolute path of its work tree.
        address: Address of its resource; the probe compares HEAD with the fact ``commit`` of its ledger entry.
    """

    path: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Questions:
    """Everything that one probe shall answer.

    Attributes:
        files: Absolute paths to describe and hash.
        repos: Repositories to describe.
        exists: Absolute paths whose existence matters.
        undeclared: Roots below which to look for files made outside any apply; empty means do not look. The search
            stays on the root's own filesystem and passes over caches, logs, ``/tmp`` and :data:`STATE_DIR`.
        declared: Paths (files, or directories with all below them) that the search passes over.
        since: Token of a :class:`~envspec.engine.operations.Mark`: what is older counts as kept elsewhere; "", or
            one that is not known there, for all.
        links: Addresses whose ledger entries remember links (facts ``home``, ``from``, ``link1`` and on).

    A path, but for a root of the search, may begin with ``~UID/``: it is below the home of that user then, and the home
    itself where nothing follows.
    """

    files: tuple[str, ...] = ()
    repos: tuple[RepoQuestion, ...] = ()
    exists: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    since: str = ""

    def merged(self, other: Questions) -> Questions:
        """Return the questions of both, sorted and each asked once."""
        return Questions(
            files=tuple(sorted({*self.files, *other.files})),
            repos=tuple(sorted({*self.repos, *other.repos})),
            exists=tuple(sorted({*self.exists, *other.exists})),
            undeclared=tuple(sorted({*self.undeclared, *other.undeclared})),
            declared=tuple(sorted({*self.declared, *other.declared})),
            links=tuple(sorted({*self.links, *other.links})),
            since=self.since or other.since,
        )


@dataclass(frozen=True, slots=True)
class FileFact:
    """A path that exists.

    Attributes:
        type: ``file``, ``dir``, ``link`` or ``other``.
        mode: Permission bits, 0o7777.
        uid: Numeric owner.
        gid: Numeric group.
        sha256: Hex digest of the content of a regular file, or of the target of a link; "" for all else.
    """

    type: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class RepoFact:
    """A path where a repository was asked for.

    Attributes:
        state: ``repo``, ``other`` (something else is there), ``empty`` (an empty directory).
        origin: URL of the remote ``origin``, "" when it has none.
        head: Full commit of HEAD, "" when there is none.
        branch: Name of the branch checked out, "" when detached.
        descends: Whether HEAD is, or descends from, the commit that the ledger remembers for the address asked
            about; ``True`` when it remembers none.
        dirty: Number of changed, staged or untracked paths that were touched outside any apply, or are gone.
        made: Number of those that only commands of an apply touched.
        unpushed: Number of commits on HEAD or local branches that no remote branch or tag has, stashes included.
    """

    state: str
    origin: str = ""
    head: str = ""
    branch: str = ""
    descends: bool = True
    dirty: int = 0
    made: int = 0
    unpushed: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """A line of ``/etc/passwd``."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What was applied to one address inside a container.

    Attributes:
        address: Address of the resource.
        digest: Digest of what was desired then (:attr:`envspec.model.Resource.digest`).
        data: What the kind chose to remember: plain JSON, never a secret.
        facts: What the operation itself found out, such as ``commit``.
    """

    address: str
    digest: str
    data: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file of the tmpfs that nothing but its seal is told of.

    Attributes:
        mode: Permission bits, 0o7777.
        uid: Numeric owner.
        gid: Numeric group.
        seal: :func:`envspec.secrets.seal` of its content as it is.
    """

    mode: int
    uid: int
    gid: int
    seal: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seals:
    """What is told of secrets: enough to compare them with the wanted ones. It stays in memory.

    Attributes:
        key: The key of the seals.
        variables: Seal of ``NAME=value`` of each secret variable as it was written, by name.
        files: The sealed files that exist, by path below :data:`RUN_DIR`; ``secrets`` is one of them.
    """

    key: str = field(repr=False)
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, SealedFile] = field(default_factory=dict)

    @property
    def present(self) -> tuple[str, ...]:
        """Return the names of the secret variables, where their file is there, sorted."""
        return tuple(sorted(self.variables)) if _SECRETS in self.files else ()

    @property
    def others(self) -> tuple[str, ...]:
        """Return the absolute paths of the other files that are there, sorted."""
        return tuple(f"{RUN_DIR}/{path}" for path in sorted(self.files) if path not in _ALL_SECRETS)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe found inside a running container.

    Attributes:
        ledger: All entries, sorted by address.
        files: Facts of the asked paths that exist.
        repos: Facts of the asked repositories whose path exists.
        exists: Those of the asked paths that exist.
        accounts: All of ``/etc/passwd``, in order.
        environment: Text of :data:`ENV_FILE`, ``None`` when it is missing.
        seals: What is told of secrets, ``None`` when the key is missing.
        undeclared: Files made outside any apply, sorted, at most 200; ``None`` when nobody looked.
        hollow: Those of the searched roots, ``/`` left out, below which no file that counts is, whoever made it.
        unlinked: Paths of the links asked about that are gone or lead elsewhere, sorted.
        jobs: IDs of the background jobs that run, sorted.
    """

    ledger: tuple[LedgerEntry, ...] = ()
    files: Mapping[str, FileFact] = field(default_factory=dict)
    repos: Mapping[str, RepoFact] = field(default_factory=dict)
    exists: frozenset[str] = frozenset()
    accounts: tuple[Account, ...] = ()
    environment: str | None = None
    seals: Seals | None = None
    undeclared: tuple[str, ...] | None = None
    hollow: frozenset[str] = frozenset()
    unlinked: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()

    def entry(self, address: str) -> LedgerEntry | None:
        """Return the ledger's entry for an address, or ``None``."""
        return next((entry for entry in self.ledger if entry.address == address), None)


def located(path: str, accounts: Iterable[Account]) -> str:
    """Return where a path lies: one that begins with ``~UID/`` is below the home of that user.

    Args:
        path: The path.
        accounts: The accounts inside, in order.
    """
    if not path.startswith("~"):
        return path
    uid, _, rest = path[1:].partition("/")
    home = next((account.home for account in accounts if str(account.uid) == uid), "/").rstrip("/")
    return f"{home}/{rest}" if rest or not home else home
