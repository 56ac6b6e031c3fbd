"""Operations inside the fake engine's containers, as :mod:`envspec.engine.base` tells them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from envspec.engine import fake_state as state
from envspec.engine.facts import (
    ANCHOR,
    CA_FILE,
    RUN_DIR,
    SEALS_FILE,
    SECRETS_FILE,
    STATE_DIR,
    Account,
    LedgerEntry,
    located,
)
from envspec.engine.fake_command import Shell
from envspec.engine.fake_dotfiles import Home, install
from envspec.engine.fake_fs import Node, Original, Refusal, State, Tree, directory, lies_below, parent_of
from envspec.engine.fake_probe import accounts
from envspec.engine.fake_repo import sync
from envspec.engine.fake_world import Container, FakeRemote
from envspec.engine.operations import (
    Baseline,
    Completed,
    CopyTrees,
    EnsureUser,
    Forget,
    GiveOver,
    InstallDotfiles,
    Mark,
    Operation,
    PutEnvironment,
    PutFiles,
    PutState,
    ReadEnvironment,
    ReadState,
    Reap,
    Record,
    RemoveDotfiles,
    RemoveFiles,
    RemoveRepo,
    RestoreEnvironment,
    RunCommand,
    SyncRepo,
    WriteRecords,
)
from envspec.engine.run_files import contents, read_lines
from envspec.model import to_json
from envspec.secrets import new_key


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

    def at(self, path: str) -> str:
        """Return where a path lies, one in a home that ``~UID/`` stands for too."""
        return located(path, accounts(self.tree))

    def record(self, record: Record | None, facts: Mapping[str, str] | None = None) -> None:
        """Write a record to the ledger."""
        if record is not None:
            entry = LedgerEntry(record.address, record.digest, to_json(record.data), dict(facts or {}))
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
        case RemoveRepo(address) | RemoveDotfiles(address):
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
    inside.state.begin(inside.tick)
    try:
        return _dispatch(inside, operation)
    except Refusal as refusal:
        return Completed(refusal.code, f"{refusal}\n".encode())


def _dispatch(inside: Inside, operation: Operation) -> Completed:  # noqa: PLR0912 -- one line for each kind of operation
    match operation:
        case PutFiles():
            _put_files(inside, operation)
        case RemoveFiles():
            _remove_files(inside, operation)
        case EnsureUser():
            _ensure_user(inside, operation)
        case GiveOver():
            _give_over(inside, operation)
        case PutEnvironment():
            _put_environment(inside, operation)
        case SyncRepo():
            wish = replace(operation, path=inside.at(operation.path))
            if inside.tree.get(wish.path) is None:
                _make_parents(inside, wish.path, wish.uid, wish.gid)
            facts = sync(inside.tree, inside.tick, inside.remotes, wish)
            top = inside.tree.get(wish.path)
            facts |= {"own1": wish.path} if top and top.uid == wish.uid else {}
            inside.record(wish.record, facts)
        case RemoveRepo():
            if inside.tree.get(inside.at(operation.path)) is not None:
                inside.tree.drop(inside.at(operation.path))
            inside.state.forget(operation.address)
        case InstallDotfiles():
            home = _home(inside, operation.record.address, operation)
            inside.record(operation.record, install(home, inside.tokens, operation))
        case RemoveDotfiles(address):
            home = _home(inside, address, operation)
            for place, target in home.linked():
                home.unlink(place, target)
            inside.state.forget(address)
        case RunCommand():
            return _run(inside, operation)
        case CopyTrees():
            _copy_trees(inside, operation)
        case WriteRecords():
            for record in operation.records:
                inside.record(record)
        case Baseline():
            inside.state.rootfs = inside.state.initial = inside.tick
        case Mark(token):
            inside.state.marks[token] = inside.tick
        case Forget():
            for address in operation.addresses:
                inside.state.forget(address)
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


def _home(inside: Inside, address: str, operation: InstallDotfiles | RemoveDotfiles) -> Home:
    return Home(inside.tree, inside.state, address, inside.tick, operation.uid, operation.gid)


def _copy_trees(inside: Inside, operation: CopyTrees) -> None:
    for source, target in operation.pairs:
        if inside.tree.get(source) is None:
            raise Refusal(f"{source}: No such file or directory")
        inside.tree.make_directory(target, lambda _: directory(tick=inside.tick, by="apply"))
        for path, node in inside.tree.below(source):
            inside.tree.put(target + path.removeprefix(source), replace(node, tick=inside.tick))


def _put_files(inside: Inside, operation: PutFiles) -> None:
    files = tuple(replace(item, path=inside.at(item.path)) for item in operation.files)
    for item in files:
        here = inside.tree.get(item.path)
        if here is not None and here.type == "dir":
            raise Refusal(f"{item.path}: Is a directory")
    for item in files:
        here = inside.tree.get(item.path)
        made = _make_parents(inside, item.path, item.uid, item.gid)
        if item.record.address not in inside.state.ledger:
            inside.state.originals.setdefault(item.record.address, Original(here, made))
        node = Node("link" if item.link else "file", item.mode, item.uid, item.gid, item.content, inside.tick, "apply")
        inside.tree.put(item.path, node)
        inside.record(item.record)


def _make_parents(inside: Inside, path: str, uid: int, gid: int) -> str:
    """Make what is missing above a path, the user's own from home and below the workspace on; return the topmost."""
    home = next((f"{account.home}/" for account in accounts(inside.tree) if account.uid == uid), "/")
    workspace = f"{inside.container.config.workdir.rstrip('/')}/"

    def like(above: str) -> Node:
        theirs = above.startswith(workspace) or (home != "/" and f"{above}/".startswith(home))
        owner = (uid, gid) if theirs else (0, 0)
        return directory(0o755, *owner, inside.tick, "apply")

    return inside.tree.make_directory(parent_of(path), like)


def _remove_files(inside: Inside, operation: RemoveFiles) -> None:
    tree = inside.tree
    for address, written in operation.paths:
        path = inside.at(written)
        here = tree.get(path)
        if address not in inside.state.ledger:
            continue
        original = inside.state.forget(address) or Original(None)
        if here is not None and here.type == "dir":
            continue
        if original.node is not None:
            tree.make_directory(parent_of(path), lambda _: directory(tick=inside.tick, by="apply"))
            tree.put(path, replace(original.node, tick=inside.tick))
            continue
        if here is not None:
            tree.drop(path)
        above = parent_of(path)
        while original.made and lies_below(above, original.made) and not tree.children(above):
            tree.drop(above)
            above = parent_of(above)


def _ensure_user(inside: Inside, wish: EnsureUser) -> None:
    if wish.uid != 0:
        tree = inside.tree
        if wish.name:
            _ensure_named(inside, wish)
        for path in wish.own:
            top = tree.get(path)
            if top is not None and top.type == "dir" and top.uid == 0:
                tree.put(path, replace(top, uid=wish.uid, gid=wish.gid))
    inside.record(wish.record, _owned(inside, wish))


def _owned(inside: Inside, wish: EnsureUser) -> dict[str, str]:
    """Return what belongs to the user now, as facts to remember."""
    home = next((account.home for account in accounts(inside.tree) if account.uid == wish.uid), "/")
    places = (*wish.own, *([home] if wish.name and home != "/" else []))
    nodes = [(path, inside.tree.get(path)) for path in places]
    theirs = [
        path for path, node in nodes if node and node.type == "dir" and (node.uid, node.gid) == (wish.uid, wish.gid)
    ]
    return {f"own{number}": path for number, path in enumerate(theirs, 1)}


def _give_over(inside: Inside, wish: GiveOver) -> None:
    tree = inside.tree
    given = set(wish.tops) | {path for top in wish.trees for path, _ in tree.below(top)}
    for address, path in wish.files:
        original = inside.state.originals.get(address)
        if original and original.made:
            given.update(above for above in _above(path) if lies_below(above, original.made))
    for path in sorted(given):
        node = tree.get(path)
        if node is not None and node.uid == wish.former:
            tree.put(path, replace(node, uid=wish.uid, gid=wish.gid))


def _above(path: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(path).parents]


def _ensure_named(inside: Inside, wish: EnsureUser) -> None:
    tree = inside.tree
    if wish.gid != 0:
        _ensure_group(inside, wish)
    account = _ensure_account(inside, wish)
    if tree.get(account.home) is None:
        tree.make_directory(parent_of(account.home), lambda _: directory(tick=inside.tick, by="apply"))
        tree.put(account.home, directory(0o755, wish.uid, wish.gid, inside.tick, "apply"))


def _ensure_account(inside: Inside, wish: EnsureUser) -> Account:
    _settle_made_up(inside, wish.uid)
    known = accounts(inside.tree)
    found = next((account for account in known if account.uid == wish.uid), None)
    if found is not None:
        return found
    taken = any(account.name == wish.name for account in known)
    name = f"{wish.name}-{wish.uid}" if taken else wish.name
    made = Account(name, wish.uid, wish.gid, f"/home/{name}", "/bin/bash")
    _append(inside, "/etc/passwd", f"{made.name}:x:{made.uid}:{made.gid}::{made.home}:{made.shell}\n")
    return made


def _settle_made_up(inside: Inside, uid: int) -> None:
    """Give the account that Podman's keep-id makes up a home and a shell of its own."""
    passwd = inside.tree.get("/etc/passwd") or Node()
    line = re.compile(rf"^([^:\n]*):\*:{uid}:(\d+)::[^:\n]*:/bin/sh$".encode(), re.MULTILINE)
    content = line.sub(rf"\1:*:{uid}:\2::/home/\1:/bin/bash".encode(), passwd.content)
    if content != passwd.content:
        inside.tree.put("/etc/passwd", replace(passwd, content=content, tick=inside.tick, by="apply"))


def _ensure_group(inside: Inside, wish: EnsureUser) -> None:
    group = inside.tree.get("/etc/group") or Node()
    groups = [line.split(":") for line in group.content.decode().splitlines()]
    if not any(fields[2] == str(wish.gid) for fields in groups):
        taken = any(fields[0] == wish.name for fields in groups)
        name = f"{wish.name}-{wish.gid}" if taken else wish.name
        _append(inside, "/etc/group", f"{name}:x:{wish.gid}:\n")


def _append(inside: Inside, path: str, line: str) -> None:
    here = inside.tree.get(path) or Node()
    content = here.content + line.encode()
    inside.tree.put(path, replace(here, content=content, tick=inside.tick, by="apply"))


def _put_environment(inside: Inside, wish: PutEnvironment) -> None:
    if inside.tree.get(RUN_DIR) is None:
        raise Refusal(f"{RUN_DIR}: No such file or directory")
    files = {f"{RUN_DIR}/{item.path}": item for item in contents(wish, new_key())}
    before = inside.tree.get(SEALS_FILE)
    sealed = read_lines(before.content.decode()).files if before else ()
    for path in (*(f"{RUN_DIR}/{path}" for path in sealed), SECRETS_FILE, CA_FILE):
        if path not in files and inside.tree.get(path) is not None:
            inside.tree.drop(path)
    for path, item in files.items():
        inside.tree.make_directory(parent_of(path), lambda _: directory(0o755, 0, 0, inside.tick, "apply"))
        inside.tree.put(path, Node("file", item.mode, item.uid, item.gid, item.data, inside.tick, "apply"))
    if wish.ca:
        inside.tree.put(CA_FILE, Node("file", 0o444, 0, 0, wish.ca, inside.tick, "apply"))
    _trust(inside, wish.trusted)
    inside.record(wish.record)


def _trust(inside: Inside, certificates: tuple[bytes, ...]) -> None:
    """Put the CAs into the system's store, and take those out that an earlier operation put there."""
    number = 1
    while inside.tree.get(ANCHOR.format(number)) is not None:
        inside.tree.drop(ANCHOR.format(number))
        number += 1
    for number, content in enumerate(certificates, 1):
        path = ANCHOR.format(number)
        inside.tree.make_directory(parent_of(path), lambda _: directory(0o755, 0, 0, inside.tick, "apply"))
        inside.tree.put(path, Node("file", 0o644, 0, 0, content, inside.tick, "apply"))


def _run(inside: Inside, wish: RunCommand) -> Completed:
    if wish.creates and inside.tree.get(wish.creates) is not None:
        inside.record(wish.record)
        return Completed(0)
    if wish.record:
        inside.state.forget(wish.record.address)
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
