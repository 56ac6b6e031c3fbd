"""What is done inside a container: typed operations that carry data, and how one ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from envspec.model import Hidden


@dataclass(frozen=True, slots=True)
class Record:
    """A ledger entry to write: address, digest of what was desired, and what to remember."""

    address: str
    digest: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilePut:
    """One file to write.

    Attributes:
        path: Absolute path; missing parents are made, owned by the file's owner where they lie below the owner's
            home or the workspace, else by root.
        content: The whole content.
        mode: Permission bits.
        uid: Numeric owner.
        gid: Numeric group.
        record: Its ledger entry.
        link: Whether it is a symbolic link, to the path that its content is; its mode is 0o777 then.
    """

    path: str
    content: bytes
    mode: int
    uid: int
    gid: int
    record: Record
    link: bool = False


@dataclass(frozen=True, slots=True)
class PutFiles:
    """Write files, all in one tar stream.

    A path that has no ledger entry yet and exists is kept as the *original*, to be put back by :class:`RemoveFiles`.
    Each file appears whole or not at all. A path that is a directory fails the operation before anything is written.
    """

    files: tuple[FilePut, ...]


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    """Remove files that we wrote, put their originals back, and drop their entries.

    What the ledger does not know is left alone, and so is a directory that took a file's place.

    Attributes:
        paths: ``(address, path)`` of each.
    """

    paths: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EnsureUser:
    """Make sure that an account exists, with its home.

    Which of the mount points and the home belong to user and group in the end is remembered as the facts ``own1`` and
    on, a path each. A command of root's that gives one away drops its fact.

    Attributes:
        name: Login name to give when the uid has no account, "" to give none; an account that has the uid already is
            kept as it is.
        uid: Numeric user.
        gid: Numeric group; made, named like the user, when it does not exist.
        own: Mount points of named volumes whose top directory is given to the user when root still owns it.
        record: Its ledger entry.
    """

    name: str
    uid: int
    gid: int
    own: tuple[str, ...]
    record: Record


@dataclass(frozen=True, slots=True)
class GiveOver:
    """Give what was made for one user to another; what belongs to anybody else stays theirs.

    Attributes:
        former: Numeric user whose it was.
        uid: Numeric user whose it shall be.
        gid: Their group.
        tops: Directories, given without what is in them.
        trees: Directories, given with all below them but for what is mounted there.
        files: ``(address, path)`` of files; given are the directories that were made when they were written.
    """

    former: int
    uid: int
    gid: int
    tops: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file that lives in the tmpfs alone, such as a key.

    Attributes:
        path: Where, below :data:`RUN_DIR`; directories above it are root's and can be read by all.
        content: Its content; bytes that are no UTF-8 are carried as ``surrogateescape`` has them. What is
            :class:`Hidden` is masked wherever it would be shown.
        mode: Permission bits.
        uid: Numeric owner.
        gid: Numeric group.
    """

    path: str
    content: str | Hidden
    mode: int
    uid: int
    gid: int

    @property
    def data(self) -> bytes:
        """Return the content as bytes."""
        text = self.content.text if isinstance(self.content, Hidden) else self.content
        return text.encode(errors="surrogateescape")


@dataclass(frozen=True, slots=True)
class PutEnvironment:
    """Write variables, secrets and the CA bundle into the tmpfs by stdin, and make shells read them.

    Secrets are sealed with a new key (:data:`SEALS_FILE`). What an earlier one wrote and this one does not is removed.

    Attributes:
        text: Shell text of the plain variables; it is root's, and can be read by all.
        uid: Numeric owner of the secret ones; root gets a copy of its own.
        gid: Numeric group.
        ca: The CA bundle in PEM, or ``b""`` to remove the file.
        record: Its ledger entry.
        secrets: ``(name, value)`` of each secret variable; where there are any, ``text`` has to read
            :data:`SECRETS_FILE`.
        files: Other files.
        trusted: Certificates, each in PEM, that the system's own store shall trust besides; those of an earlier one are
            forgotten. They lie at :data:`ANCHOR`, outside the tmpfs: a certificate is public.
        names: Names of the variables; what the image sets of them is written down at :data:`IMAGE_FILE`.
    """

    text: str
    uid: int
    gid: int
    ca: bytes
    record: Record
    secrets: tuple[tuple[str, Hidden], ...] = ()
    files: tuple[RunFile, ...] = ()
    trusted: tuple[bytes, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncRepo:
    """Bring a repository to a ref; clone it first when it is not there.

    A clone is made in a temporary directory beside its place and moved, so that the place never holds half of one.
    Where the place is a repository with the same origin it is kept: nothing is done when ``commit`` is "" and the
    ref is checked out; else the ref is fetched and checked out. Local changes stop the operation unless ``force``.
    The commit that HEAD is at in the end is remembered as the fact ``commit``, the branch checked out as the fact
    ``branch`` ("" when detached, as after a tag or a commit), and a place that is the user's as the fact ``own1``.

    Attributes:
        url: Where from.
        path: Absolute path of the work tree.
        ref: Branch, tag or commit; "" for the remote's default branch in a clone and for whatever is checked out in
            a repository that is there; ``HEAD`` for the remote's default branch in both.
        depth: Commits to fetch, 0 for all.
        commit: Commit to put HEAD at, "" for the tip of the ref.
        force: Whether local changes and commits may be thrown away.
        overwrite: Whether local changes may be overwritten, because only commands of an apply made them.
        submodules: ``on`` to check submodules out, ``off`` to take them away again, "" to leave them alone.

    Exit codes tell what went wrong: :data:`REPO_CODES`.
        uid: Numeric owner of the work tree; git runs as this user.
        gid: Numeric group.
        record: Its ledger entry.
    """

    url: str
    path: str
    ref: str
    depth: int
    commit: str
    force: bool
    uid: int
    gid: int
    record: Record
    overwrite: bool = False
    submodules: str = ""


REPO_CODES: Mapping[int, str] = MappingProxyType(
    {
        20: "failed",
        21: "network",
        22: "credentials",
        23: "not_found",
        24: "ref",
        25: "occupied",
        26: "local_changes",
        27: "no_git",
    }
)
"""What the exit codes of :class:`SyncRepo` say."""


@dataclass(frozen=True, slots=True)
class RemoveRepo:
    """Remove a work tree with all that is in it, and drop its entry."""

    address: str
    path: str


@dataclass(frozen=True, slots=True)
class InstallDotfiles:
    """Let a repository of dotfiles set its user's home up.

    The first of the scripts that is there is run in the repository; where there is none, ``make``, if there is a
    Makefile and make; else names in it are linked from home. What was in a link's place is kept as the *original*, or,
    where one is kept already, beside it. Links of the last time that are no longer wanted are taken away, and their
    originals put back. Remembered are the facts ``way`` (a script, ``make`` or ``links``), ``home``, ``from``, and
    ``link1`` and on: names relative to both.

    Attributes:
        path: Absolute path of the work tree.
        scripts: Paths in it.
        links: Names in it, the last parts of which may be ``*``; none means that nothing but a script will do.
        taken: Paths relative to home that belong to others: neither they nor what is above or below is linked.
        again: Whether a script that ended well the last time is run once more.
        uid: Numeric user; everything is done as this user.
        gid: Numeric group.
        record: Its ledger entry, written when all went well.
    """

    path: str
    scripts: tuple[str, ...]
    links: tuple[str, ...]
    taken: tuple[str, ...]
    again: bool
    uid: int
    gid: int
    record: Record


@dataclass(frozen=True, slots=True)
class RemoveDotfiles:
    """Take away the links that :class:`InstallDotfiles` made, put originals back, and drop the entry.

    What a script did stays.
    """

    address: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run a command with the environment's variables.

    Attributes:
        command: Shell text, run by ``bash -eo pipefail`` where there is one, else by ``sh -e``.
        workdir: Directory to run in.
        uid: Numeric user to run as.
        gid: Numeric group to run as.
        record: Its ledger entry, written only when the command exits 0; ``None`` writes none.
        retries: How often to try again after a failure.
        interval: Seconds between two tries.
        attempt_timeout: Seconds after which one try counts as failed with code 124; 0 for no limit but the deadline.
        creates: Absolute path; when it exists the command is not run, and its record is written all the same.
    """

    command: str
    workdir: str
    uid: int
    gid: int
    record: Record | None
    retries: int = 0
    interval: float = 0.0
    attempt_timeout: float = 0.0
    creates: str = ""


@dataclass(frozen=True, slots=True)
class AskCommand(RunCommand):
    """Run a command that only asks: no step waits for it, and nothing depends on whether it succeeds."""


@dataclass(frozen=True, slots=True)
class CopyTrees:
    """Put all that is in one directory into another, with owners, modes, times and links.

    Attributes:
        pairs: Absolute paths of the directory to read and of the one to fill, which is made where it is missing.
    """

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WriteRecords:
    """Write ledger entries alone."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Count every file that is there now as one that is kept elsewhere, so that losing it is no loss."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Remember this moment under a token, so that it can be told later what was changed since.

    It prints ``hole SIZE PATH`` for each large file of which less than half is on disk.

    Attributes:
        token: The token.
        roots: Directories to look for such files in, each on its own file system.
    """

    token: str
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop ledger entries alone."""

    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reap:
    """End every process of an operation that was cut off, descendants and ``setsid`` ones included.

    What an operation that ended well left running (a server started by a setup command) is not touched. Prints the
    number of processes ended.
    """


@dataclass(frozen=True, slots=True)
class ReadState:
    """Print, as a tar stream, what a container that takes this one's place must know.

    That is all windows, and the ledger entries (with kept originals) of the addresses: those of files and
    repositories that lie in a volume or a bind which the next container mounts too.
    """

    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PutState:
    """Unpack what :class:`ReadState` printed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ReadEnvironment:
    """Print the tmpfs's files as a tar stream, to put them back should the container have to be started again."""


@dataclass(frozen=True, slots=True)
class RestoreEnvironment:
    """Unpack what :class:`ReadEnvironment` printed into the tmpfs, owners and modes kept."""

    data: bytes


Operation = (
    PutFiles
    | RemoveFiles
    | EnsureUser
    | GiveOver
    | PutEnvironment
    | SyncRepo
    | RemoveRepo
    | InstallDotfiles
    | RemoveDotfiles
    | RunCommand
    | CopyTrees
    | WriteRecords
    | Baseline
    | Mark
    | Forget
    | Reap
    | ReadState
    | PutState
    | ReadEnvironment
    | RestoreEnvironment
)


@dataclass(frozen=True, slots=True)
class Completed:
    """How an operation or an exec ended: exit code and what it printed."""

    code: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def tail(self) -> str:
        """Return the last 20 lines of what it printed, standard error last."""
        text = (self.stdout + (b"\n" if self.stdout and self.stderr else b"") + self.stderr).decode(errors="replace")
        return "\n".join(text.rstrip().splitlines()[-20:])
