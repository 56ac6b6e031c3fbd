"""Operations inside the fake engine's containers, as :mod:`envspec.engine.base` tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from envspec.engine import fake_state as state
from envspec.engine.base import (
    CA_FILE,
    ENV_FILE,
    RUN_DIR,
    STATE_DIR,
    Account,
    Completed,
    EnsureUser,
    FilePut,
    Forget,
    LedgerEntry,
    Operation,
    PutEnvironment,
    PutFiles,
    PutState,
    ReadEnvironment,
    ReadState,
    Reap,
    Record,
    RemoveFiles,
    RemoveRepo,
    RestoreEnvironment,
    RunCommand,
    SyncRepo,
    WriteRecords,
)
from envspec.engine.fake_command import Shell
from envspec.engine.fake_fs import Node, Refusal, State, Tree, directory, parent_of
from envspec.engine.fake_probe import accounts
from envspec.engine.fake_repo import sync
from envspec.engine.fake_world import Container, FakeRemote


@dataclass(frozen=True, slots=True)
class Inside:
    """One operation's view of a container.

    Attributes:
        container: The container.
        tree: Its files.
        tick: When the operation runs.
        remotes: Git repositories in reach.
        tokens: What ``fail-once`` has seen on this engine.
        deadline: Seconds that the operation has.
    """

    container: Container
    tree: Tree
    tick: int
    remotes: Mapping[str, FakeRemote]
    tokens: set[str]
    deadline: float

    @property
    def state(self) -> State:
        """The ledger, the originals and the windows, wherever ``STATE_DIR`` lies."""
        return self.tree.place(STATE_DIR)[0].layer.state

    def record(self, record: Record | None, facts: Mapping[str, str] | None = None) -> None:
        """Write a record to the ledger."""
        if record is not None:
            entry = LedgerEntry(record.address, record.digest, dict(record.data), dict(facts or {}))
            self.state.ledger[record.address] = entry


def subjects(operation: Operation) -> tuple[str, ...]:
    """Return the addresses that an operation is about, for the journal of calls."""
    match operation:
        case PutFiles(files):
            return tuple(item.record.address for item in files)
        case RemoveFiles(paths):
            return tuple(address for address, _ in paths)
        case WriteRecords(records):
            return tuple(record.address for record in records)
        case Forget(addresses) | ReadState(addresses):
            return addresses
        case RemoveRepo(address):
            return (address,)
    record = getattr(operation, "record", None)
    return (record.address,) if record else ()


def perform(inside: Inside, operation: Operation) -> Completed:
    """Do an operation; a refusal inside is an exit code.

    Raises:
        EngineTimeout: A command never ends.
    """
    if inside.tree.place(STATE_DIR)[0].read_only:
        return Completed(1, stderr=f"{STATE_DIR}: Read-only file system".encode())
    inside.state.windows.add(inside.tick)
    try:
        return _dispatch(inside, operation)
    except Refusal as refusal:
        return Completed(1, stderr=str(refusal).encode())


def _dispatch(inside: Inside, operation: Operation) -> Completed:  # noqa: PLR0912 -- one line for each kind of operation
    match operation:
        case PutFiles():
            _put_files(inside, operation)
        case RemoveFiles():
            _remove_files(inside, operation)
        case EnsureUser():
            _ensure_user(inside, operation)
        case PutEnvironment():
            _put_environment(inside, operation)
        case SyncRepo():
            facts = sync(inside.tree, inside.tick, inside.remotes, operation)
            inside.record(operation.record, facts)
        case RemoveRepo():
            if inside.tree.get(operation.path) is not None:
                inside.tree.drop(operation.path)
            inside.state.ledger.pop(operation.address, None)
        case RunCommand():
            return _run(inside, operation)
        case WriteRecords():
            for record in operation.records:
                inside.record(record)
        case Forget():
            for address in operation.addresses:
                inside.state.ledger.pop(address, None)
        case Reap():
            return Completed(0, b"0\n")
        case ReadState():
            return Completed(0, state.pack(inside.state, operation.addresses))
        case PutState():
            state.unpack(inside.state, operation.data)
        case ReadEnvironment():
            return Completed(0, state.pack_files(inside.tree, RUN_DIR))
        case RestoreEnvironment():
            state.unpack_files(inside.tree, operation.data, inside.tick)
    return Completed(0)


def _put_files(inside: Inside, operation: PutFiles) -> None:
    for item in operation.files:
        here = inside.tree.get(item.path)
        if here is not None and here.type == "dir":
            raise Refusal(f"{item.path}: Is a directory")
    for item in operation.files:
        here = inside.tree.get(item.path)
        if here is not None and item.record.address not in inside.state.ledger:
            inside.state.originals.setdefault(item.record.address, here)
        uid, gid = (item.uid, item.gid) if _is_theirs(inside, item) else (0, 0)
        inside.tree.make_directory(parent_of(item.path), directory(0o755, uid, gid, inside.tick, "apply"))
        made = Node("file", item.mode, item.uid, item.gid, item.content, inside.tick, "apply")
        inside.tree.put(item.path, made)
        inside.record(item.record)


def _is_theirs(inside: Inside, item: FilePut) -> bool:
    """Whether a file's missing parents belong to the file's owner: below their home or the workspace."""
    homes = [account.home for account in accounts(inside.tree) if account.uid == item.uid]
    return any(item.path.startswith(f"{top.rstrip('/')}/") for top in (*homes, inside.container.config.workdir))


def _remove_files(inside: Inside, operation: RemoveFiles) -> None:
    for address, path in operation.paths:
        if address not in inside.state.ledger:
            continue
        here = inside.tree.get(path)
        if here is not None and here.type == "dir":
            raise Refusal(f"{path}: Is a directory")
        original = inside.state.originals.pop(address, None)
        if original is not None:
            inside.tree.put(path, original)
        elif here is not None:
            inside.tree.drop(path)
        del inside.state.ledger[address]


def _ensure_user(inside: Inside, wish: EnsureUser) -> None:
    tree = inside.tree
    known = accounts(tree)
    account = next((account for account in known if account.uid == wish.uid), None)
    if account is None:
        if any(other.name == wish.name for other in known):
            raise Refusal(f"useradd: user '{wish.name}' already exists")
        account = Account(wish.name, wish.uid, wish.gid, f"/home/{wish.name}", "/bin/bash")
        _ensure_group(inside, wish)
        line = f"{account.name}:x:{account.uid}:{account.gid}::{account.home}:{account.shell}\n"
        _append(inside, "/etc/passwd", line)
    if tree.get(account.home) is None:
        tree.make_directory(parent_of(account.home), directory(tick=inside.tick, by="apply"))
        tree.put(account.home, directory(0o755, account.uid, account.gid, inside.tick, "apply"))
    for path in wish.own:
        top = tree.get(path)
        if top is not None and top.uid == 0:
            tree.put(path, replace(top, uid=wish.uid, gid=wish.gid))
    inside.record(wish.record)


def _ensure_group(inside: Inside, wish: EnsureUser) -> None:
    group = inside.tree.get("/etc/group")
    lines = group.content.decode().splitlines() if group else []
    if not any(line.split(":")[2:3] == [str(wish.gid)] for line in lines):
        _append(inside, "/etc/group", f"{wish.name}:x:{wish.gid}:\n")


def _append(inside: Inside, path: str, line: str) -> None:
    here = inside.tree.get(path) or Node()
    content = here.content + line.encode()
    inside.tree.put(path, replace(here, content=content, tick=inside.tick, by="apply"))


def _put_environment(inside: Inside, wish: PutEnvironment) -> None:
    if inside.tree.get(RUN_DIR) is None:
        raise Refusal(f"{RUN_DIR}: No such file or directory")
    content = wish.text.encode()
    inside.tree.put(ENV_FILE, Node("file", 0o400, wish.uid, wish.gid, content, inside.tick, "apply"))
    if wish.ca:
        inside.tree.put(CA_FILE, Node("file", 0o444, 0, 0, wish.ca, inside.tick, "apply"))
    elif inside.tree.get(CA_FILE) is not None:
        inside.tree.drop(CA_FILE)
    inside.record(wish.record)


def _run(inside: Inside, wish: RunCommand) -> Completed:
    if wish.creates and inside.tree.get(wish.creates) is not None:
        inside.record(wish.record)
        return Completed(0)
    shell = Shell(
        inside.tree, inside.tick, inside.tokens, wish.workdir, wish.uid, wish.gid, inside.deadline, wish.attempt_timeout
    )
    code = 1
    for _ in range(wish.retries + 1):
        code = shell.run(wish.command)
        if code == 0:
            inside.record(wish.record)
            break
    return Completed(code, "".join(f"{line}\n" for line in shell.output).encode())
