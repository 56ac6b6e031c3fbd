"""Operations as shell scripts, and the probe's answer as facts: the pure half of what happens inside a container.

The scripts lie in ``scripts/``. Each runs as ``sh -c TEXT envspec ARGS…``; what is large or could be private travels
on standard input.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from envspec.engine import disposable
from envspec.engine.facts import ANCHOR, Account, Answer, FileFact, LedgerEntry, Questions, RepoFact, located
from envspec.engine.operations import (
    Baseline,
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
from envspec.engine.run_files import contents, read_seals
from envspec.engine.script import Script, reap, text_of
from envspec.engine.script import operation as text_of_operation
from envspec.model import to_json
from envspec.secrets import new_key

_COUNT = re.compile(r"[0-9]{1,12}")

_IN_PATHS = frozenset({"ensure_user", "give_over", "put_files", "remove_files", "remove_repo", "sync_repo"})
"""Scripts that write where others may write too."""

_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}


def ledger_name(address: str) -> str:
    """Return the name of an address's file in the ledger."""
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def record_line(record: Record | None) -> str:
    """Return a record as the line that the scripts read: the name in the ledger and the JSON; "" for none."""
    if record is None:
        return ""
    content = {"address": record.address, "digest": record.digest, "data": to_json(record.data)}
    return f"{ledger_name(record.address)} {json.dumps(content, sort_keys=True, separators=(',', ':'))}"


def prepare(operation: Operation, workspace: str) -> Script:  # noqa: PLR0911, PLR0912 -- a line each kind
    """Turn an operation into a script.

    Args:
        operation: What to do.
        workspace: Working directory of the container; directories made below it belong to the user.
    """
    match operation:
        case PutFiles():
            return _script("put_files", workspace, stdin=_files_tar(operation))
        case RemoveFiles(paths):
            return _script("remove_files", stdin=_lines(f"{ledger_name(address)}\n{path}" for address, path in paths))
        case EnsureUser(name, uid, gid, own, record):
            return _script("ensure_user", name, str(uid), str(gid), *own, stdin=_lines([record_line(record)]))
        case GiveOver():
            return _give_over(operation)
        case PutEnvironment():
            return _script("put_environment", str(operation.uid), *operation.names, stdin=_environment_tar(operation))
        case SyncRepo():
            return _sync_repo(operation, workspace)
        case RemoveRepo(address, path):
            return _script("remove_repo", ledger_name(address), path)
        case InstallDotfiles():
            return _install_dotfiles(operation)
        case RemoveDotfiles(address, uid, gid):
            args = (ledger_name(address), str(uid), str(gid), text_of("dotfiles"))
            return _script("remove_dotfiles", *args)
        case RunCommand():
            return _run_command(operation)
        case CopyTrees(pairs):
            return _script("copy_trees", *(path for pair in pairs for path in pair))
        case WriteRecords(records):
            return _script("write_records", stdin=_lines(map(record_line, records)))
        case Baseline():
            return _script("baseline")
        case Mark(token, roots):
            return _script("mark", token, *roots)
        case Forget(addresses):
            return _script("forget", *map(ledger_name, addresses))
        case Reap():
            return reap()
        case ReadState(addresses):
            return _script("read_state", *map(ledger_name, addresses))
        case PutState(data):
            return _script("put_state", stdin=data or pack(()))
        case ReadEnvironment():
            return _script("read_environment")
        case RestoreEnvironment(data):
            return _script("restore_environment", stdin=data or pack(()))


def probe() -> Script:
    """Return the script that reads questions and answers them."""
    return Script(text_of("probe"), (text_of("repo"), text_of("job")))


def asked(questions: Questions, mark: str) -> bytes:
    """Return questions as the probe reads them.

    Args:
        questions: The questions.
        mark: A text that no answer can hold; it separates the parts of the output.
    """
    looks = questions.repos or questions.undeclared
    return _lines(
        [
            mark,
            *(f"E {path}" for path in questions.exists),
            *(f"F {path}" for path in questions.files),
            *(f"R {question.path}" for question in questions.repos),
            *(f"C {index} {ledger_name(question.address)}" for index, question in enumerate(questions.repos)),
            *(f"U {path}" for path in questions.undeclared),
            *(f"D {_literal(path)}" for path in questions.declared),
            *(f"S {questions.since}" for _ in range(bool(questions.since))),
            *(f"K {ledger_name(address)}" for address in questions.links),
            *(f"N {name}" for name in disposable.NAMES if looks),
            *(f"P {path}" for path in disposable.PATHS if looks),
            *(f"L {link}" for link in disposable.LINKS if looks),
        ]
    )


def proof(mark: str) -> bytes:
    """Return the text behind which the probe prints nothing more."""
    return f"\n{mark} end\n".encode()


def answer(output: bytes, questions: Questions, mark: str) -> Answer | None:
    """Read what the probe printed; ``None`` when it did not come to its end."""
    parts = _parts(output, mark)
    if "end" not in parts:
        return None
    environment = parts.get("environment")
    seals = parts.get("seals")
    undeclared = parts.get("undeclared")
    accounts = tuple(_accounts(_text(parts["passwd"])))
    files = _files(_text(parts.get("stat", b"")), _text(parts.get("sha256", b"")))
    exists = frozenset(_rows(_text(parts["exists"])))
    return Answer(
        ledger=_ledger(_text(parts["ledger"])),
        files={path: files[place] for path in questions.files if (place := located(path, accounts)) in files},
        repos={
            question.path: _repo(parts, index)
            for index, question in enumerate(questions.repos)
            if f"repo {index} state" in parts
        },
        exists=frozenset(path for path in questions.exists if located(path, accounts) in exists),
        accounts=accounts,
        environment=None if environment is None else _text(environment),
        seals=None if seals is None else read_seals(_text(seals)),
        undeclared=None if undeclared is None else tuple(sorted(_rows(_text(undeclared)))),
        hollow=frozenset(_rows(_text(parts.get("hollow", b"")))),
        unlinked=tuple(sorted(_rows(_text(parts.get("unlinked", b""))))),
        jobs=tuple(sorted(_text(parts.get("jobs", b"")).split())),
    )


def _script(name: str, *args: str, stdin: bytes = b"") -> Script:
    return Script(text_of_operation(*(("paths",) if name in _IN_PATHS else ()), name), args, stdin)


def _literal(path: str) -> str:
    """Return a pattern of ``find`` that matches a path and nothing else."""
    return re.sub(r"([*?\[\]])", r"\\\1", path)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _give_over(operation: GiveOver) -> Script:
    lines = [f"T - {path}" for path in operation.tops] + [f"A - {path}" for path in operation.trees]
    lines += [f"F {ledger_name(address)} {path}" for address, path in operation.files]
    return _script("give_over", str(operation.former), str(operation.uid), str(operation.gid), stdin=_lines(lines))


def _sync_repo(operation: SyncRepo, workspace: str) -> Script:
    args = (
        workspace,
        str(operation.uid),
        str(operation.gid),
        f"{text_of('git_reason')}\n{text_of('git')}",
        operation.url,
        operation.path,
        operation.ref,
        str(operation.depth),
        operation.commit,
        "all" if operation.force else "made" if operation.overwrite else "",
        operation.submodules,
    )
    return _script("sync_repo", *args, stdin=_lines([record_line(operation.record)]))


def _install_dotfiles(operation: InstallDotfiles) -> Script:
    lists = ("\n".join(words) for words in (operation.scripts, operation.links, operation.taken))
    args = (str(operation.uid), str(operation.gid), text_of("dotfiles"), operation.path, *lists)
    again = "again" if operation.again else ""
    return _script("install_dotfiles", *args, again, stdin=_lines([record_line(operation.record)]))


def _run_command(operation: RunCommand) -> Script:
    args = (
        str(operation.uid),
        str(operation.gid),
        operation.workdir,
        str(operation.retries),
        f"{operation.interval:g}",
        f"{operation.attempt_timeout:g}",
        operation.creates,
    )
    return Script(
        text_of_operation("oom", "run_command"), args, _lines([record_line(operation.record), operation.command])
    )


# ── tar streams ──────────────────────────────────────────────────────────────────────────────────────────────────


def pack(members: Iterable[tuple[str, bytes, int, int, int]]) -> bytes:
    """Return a tar archive of ``(name, content, mode, uid, gid)`` members.

    GNU's format holds ids of any size, and every tar reads it: busybox passes over the headers of pax.
    """
    buffer = io.BytesIO()
    now = int(time.time())
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content, mode, uid, gid in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.gid, info.mtime = len(content), mode, uid, gid, now
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _files_tar(operation: PutFiles) -> bytes:
    manifest: list[str] = []
    members: list[tuple[str, bytes, int, int, int]] = []
    for file in operation.files:
        name, _, text = record_line(file.record).partition(" ")
        kind = "link" if file.link else "file"
        manifest += [f"{name} {file.uid} {file.gid} {kind}", file.path, text]
        members.append((f"f/{name}", file.content, file.mode, file.uid, file.gid))
    return pack([("manifest", _lines(manifest), 0o600, 0, 0), *members])


def _environment_tar(operation: PutEnvironment) -> bytes:
    members = [("record", _lines([record_line(operation.record)]), 0o600, 0, 0)]
    files = contents(operation, new_key())
    members += [(f"run/{file.path}", file.data, file.mode, file.uid, file.gid) for file in files]
    if operation.ca:
        members.append(("run/ca.pem", operation.ca, 0o444, 0, 0))
    names = (PurePosixPath(ANCHOR.format(number)).name for number in range(1, len(operation.trusted) + 1))
    members += [(f"store/{name}", pem, 0o644, 0, 0) for name, pem in zip(names, operation.trusted, strict=True)]
    return pack(members)


# ── the probe's answer ───────────────────────────────────────────────────────────────────────────────────────────


def _parts(output: bytes, mark: str) -> Mapping[str, bytes]:
    """Cut the output at its marks; each part is what stands between the line of its mark and the next mark."""
    found: dict[str, bytes] = {}
    for part in output.split(f"\n{mark} ".encode())[1:]:
        name, _, content = part.partition(b"\n")
        found[name.decode(errors="replace")] = content
    return found


def _text(data: bytes) -> str:
    r"""Return text of the inside; bytes that are not UTF-8, as in names of files, are shown as ``\xff``."""
    return data.decode(errors="backslashreplace")


def _rows(text: str) -> list[str]:
    """Return the lines of a text: they end at a line feed and nowhere else, for names of files may hold the rest."""
    return text.removesuffix("\n").split("\n") if text else []


def _ledger(text: str) -> tuple[LedgerEntry, ...]:
    """Read the entries, one after another: a line of JSON, then ``key=value`` facts. A spoilt one does not exist."""
    entries: list[LedgerEntry] = []
    facts: dict[str, str] = {}
    for line in text.split("\n"):
        if line.startswith("{"):
            facts = {}
            entry = _entry(line, facts)
            if entry is not None:
                entries.append(entry)
        elif "=" in line:
            key, _, value = line.partition("=")
            facts[key] = value
    return tuple(sorted(entries, key=lambda entry: entry.address))


def _entry(line: str, facts: dict[str, str]) -> LedgerEntry | None:
    try:
        record = json.loads(line)
        return LedgerEntry(str(record["address"]), str(record["digest"]), dict(record["data"]), facts)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _files(stats: str, sums: str) -> Mapping[str, FileFact]:
    hashes = {path: digest for digest, _, path in (line.partition("  ") for line in _rows(sums))}
    facts: dict[str, FileFact] = {}
    for line in _rows(stats):
        fields = line.split(" ", 3)
        if len(fields) == len(("mode", "uid", "gid", "path")):
            mode, path = int(fields[0], 16), fields[3]
            kind = _TYPES.get(stat.S_IFMT(mode), "other")
            digest = hashes.get(path, "") if kind in ("file", "link") else ""
            facts[path] = FileFact(kind, stat.S_IMODE(mode), int(fields[1]), int(fields[2]), digest)
    return facts


def _accounts(text: str) -> Iterable[Account]:
    for line in _rows(text):
        fields = line.split(":")
        if len(fields) == len(("name", "password", "uid", "gid", "gecos", "home", "shell")):
            name, _, uid, gid, _, home, shell = fields
            if uid.isdigit() and gid.isdigit():
                yield Account(name, int(uid), int(gid), home, shell)


def _repo(parts: Mapping[str, bytes], index: int) -> RepoFact:
    facts = _repo_parts(_text(parts.get(f"repo {index} facts", b"")))

    def part(name: str) -> str:
        return facts.get(name, "")

    state = _text(parts[f"repo {index} state"]).strip()
    if state != "repo" or "status" not in facts:
        return RepoFact("other" if state == "repo" else state)
    status = _rows(part("status"))
    head = _header(status, "# branch.oid ")
    branch = _header(status, "# branch.head ")
    changes = [line for line in status if line and not line.startswith("#")]
    by_hand = _rows(_text(parts.get(f"repo {index} by-hand", b"")))
    dirty = sum(_is_by_hand(line, by_hand) for line in changes)
    return RepoFact(
        state="repo",
        origin=part("origin").rstrip("\n"),
        head="" if head == "(initial)" else head,
        branch="" if branch == "(detached)" else branch,
        descends=part("descends").strip() != "no",
        dirty=dirty,
        made=len(changes) - dirty,
        unpushed=sum(int(line) for line in part("unpushed").split() if _COUNT.fullmatch(line)),
    )


def _repo_parts(text: str) -> Mapping[str, str]:
    """Cut what a repository's owner said of it into parts; each follows a line ``=NAME``."""
    found: dict[str, str] = {}
    for part in f"\n{text}".split("\n=")[1:]:
        name, _, content = part.partition("\n")
        found[name] = content
    return found


def _is_by_hand(line: str, by_hand: Sequence[str]) -> bool:
    """Say whether somebody made a local change by hand: what it names was touched outside any apply, or is gone.

    Args:
        line: A line of ``git status --porcelain=v2``; a path in it that git had to quote counts as made by hand, and
            so does a tracked file where nobody looks for work.
        by_hand: Paths in the work tree that were touched outside any apply.
    """
    kind, _, rest = line.partition(" ")
    fields = {"1": 7, "2": 8, "u": 9}.get(kind, 0)
    path = rest.split(" ", fields)[-1].partition("\t")[0]
    gone = kind != "?" and "D" in rest[:2]
    unseen = kind != "?" and disposable.passed_over(path)
    return (
        gone
        or unseen
        or path.startswith('"')
        or any(f == path or f.startswith(path.rstrip("/") + "/") for f in by_hand)
    )


def _header(status: Sequence[str], prefix: str) -> str:
    return next((line.removeprefix(prefix) for line in status if line.startswith(prefix)), "")
