"""The variables that every shell, exec, command and process inside sees; they live in a tmpfs and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envspec.engine.facts import ANCHOR, CA_FILE, ENV_FILE, Answer, LedgerEntry, Questions, SealedFile
from envspec.engine.operations import PutEnvironment, RunFile
from envspec.engine.run_files import (
    BANNER,
    MARK,
    READ_BANNER,
    READ_IMAGE,
    READ_SECRETS,
    ROOT_SECRETS,
    SECRETS,
    exports,
    parse,
    sealed_text,
    secret_files,
)
from envspec.kinds.base import Kind, Observed, Setting, Verdict, Work, cause_of, record, spec_of
from envspec.model import Action, Cause, Desired, Diff, Disruption, Hidden, Resource
from envspec.secrets import seal
from envspec.steps.base import Step, StepList
from envspec.steps.guest import PutVariables

ADDRESS = "environment.workspace"
"""Address of an environment's one resource of this kind."""

SHOWN = 6
"""Names that a line of a plan or a report shows; the report in JSON has all of them."""

HIDDEN = str(Hidden(""))
"""What stands for a secret, wherever one would be shown."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names of variables, each group sorted: what the file writes, what is secret, and by what tools reach out."""

    plain: tuple[str, ...]
    secret: tuple[str, ...]
    host: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """Variables, and files that live beside them.

    Attributes:
        variables: ``(name, value)`` of each, sorted by name; a :class:`Hidden` value is never shown or digested.
        uid: Numeric owner of the files that hold them.
        gid: Their group.
        ca_digest: SHA-256 of the CA bundle that comes along, "" for none.
        brought: Names of those variables that the host brings and nobody wrote; plans count them and list the rest.
        files: Other files of the tmpfs, sorted by path.
        trusted: Certificates that the system's own store trusts besides, each in PEM.
    """

    variables: tuple[tuple[str, str | Hidden], ...]
    uid: int
    gid: int
    ca_digest: str = ""
    brought: tuple[str, ...] = ()
    files: tuple[RunFile, ...] = ()
    trusted: tuple[bytes, ...] = ()

    @property
    def plain(self) -> dict[str, str]:
        """Return the variables that anybody may see, by name."""
        return {name: value for name, value in self.variables if not isinstance(value, Hidden)}

    @property
    def secrets(self) -> dict[str, Hidden]:
        """Return the secret variables, by name."""
        return {name: value for name, value in self.variables if isinstance(value, Hidden)}

    @property
    def names(self) -> Names:
        """Return the names of all variables but those that only point at the CA bundle."""
        secrets, values = self.secrets, dict(self.variables)
        own = [name for name, _ in self.variables if name not in self.brought]
        return Names(
            tuple(name for name in own if name not in secrets),
            tuple(name for name in own if name in secrets),
            tuple(sorted(name for name in self.brought if values[name] not in (CA_FILE, Hidden(CA_FILE)))),
        )

    @property
    def hidden(self) -> Iterator[str]:
        """Yield every text in it that must not be shown."""
        yield from (value.text for value in self.secrets.values())
        yield from (file.content.text for file in self.files if isinstance(file.content, Hidden))

    @property
    def text(self) -> str:
        """Return the shell text of the plain variables, which reads the secret ones and what greets people."""
        greets = any(file.path == BANNER for file in self.files)
        secrets = READ_SECRETS if self.secrets else ""
        return READ_IMAGE + exports(self.plain.items()) + secrets + MARK + (READ_BANNER if greets else "")

    @property
    def brought_files(self) -> tuple[RunFile, ...]:
        """Return the files beside the variables, but for the greeting that every environment has."""
        return tuple(file for file in self.files if file.path != BANNER)


class Environment(Kind[EnvironmentSpec]):
    """Changing a variable never touches the container; a restart loses them and the next apply brings them back."""

    name = "environment"
    inside = True
    volatile = True

    def existing(self, world: Observed) -> tuple[str, ...]:  # noqa: ARG002 - every environment has one
        """Return nothing: it is part of every workspace and goes with it."""
        return ()

    def actual(self, address: str, spec: EnvironmentSpec | None, world: Observed) -> Any:  # noqa: ARG002 - one per env
        """Return digests of what is there, keyed by a key that no plan holds: values stay out of plans."""
        answer = world.answer
        if answer.environment is None:
            return None
        found: dict[str, Any] = {"text": "present", "ca": _sha(answer.files.get(CA_FILE))}
        if answer.seals:
            found["text"] = seal(answer.seals.key, answer.environment.encode())
            found["files"] = answer.seals.files
        return found

    def questions(self, resource: Resource, spec: EnvironmentSpec) -> Questions:  # noqa: ARG002 - the spec says all
        """Ask for the CA bundle, and for the CAs in the system's store; the variables are always part of the answer."""
        anchors = (ANCHOR.format(number) for number in range(1, len(spec.trusted) + 2))
        return Questions(files=tuple(sorted((CA_FILE, ENV_FILE, *anchors))))

    def diff(self, resource: Resource, spec: EnvironmentSpec, world: Observed) -> Verdict | None:
        """Compare variable by variable, secret ones by their seals."""
        known = world.answer.entry(resource.address)
        if world.answer.environment is None:
            return _missing(spec, world, known)
        cause = cause_of(resource, world)
        diffs = (
            *_variables(spec, world.answer, known, cause),
            *_files(spec, world.answer, cause),
            *_bundle(spec, world.answer, cause),
            *_store(spec, world.answer, cause),
        )
        diffs = diffs or tuple(_by_hand(spec, world.answer))
        if diffs:
            return Verdict(Action.UPDATE, ", ".join(map(_told, diffs)), diffs, Disruption.WRITE)
        if known is None or known.digest != resource.digest:
            return Verdict(Action.UPDATE, "in place already: recorded as applied", (), Disruption.NONE)
        return None

    def removal(self, address: str, world: Observed) -> Verdict | None:  # noqa: ARG002 - see existing()
        """Leave it alone."""
        return None

    def steps(self, work: tuple[Work, ...], setting: Setting) -> tuple[Step, ...]:
        """Write everything into the tmpfs, by stdin."""
        (item,) = work
        spec = spec_of(item, EnvironmentSpec)
        assert item.resource is not None
        put = _put(spec, record(item.resource, plain=sorted(spec.plain)))
        sequence = StepList(item.change.address)
        sequence.then(PutVariables(setting.guest, put, with_ca=bool(spec.ca_digest)), detail=_count(spec))
        return tuple(sequence.steps)


def secrets_of(desired: Desired) -> Iterator[str]:
    """Yield every text of an environment that must not be shown."""
    for resource in desired.of_kind(Environment.name):
        assert isinstance(resource.spec, EnvironmentSpec)
        yield from resource.spec.hidden


def _put(spec: EnvironmentSpec, note: Any) -> PutEnvironment:
    secrets = tuple(spec.secrets.items())
    names = tuple(name for name, _ in spec.variables)
    return PutEnvironment(spec.text, spec.uid, spec.gid, b"", note, secrets, spec.files, spec.trusted, names)


def _missing(spec: EnvironmentSpec, world: Observed, known: LedgerEntry | None) -> Verdict:
    """Say what it takes where there is nothing: it was never there, or a stop emptied the tmpfs."""
    written = [(name, value) for name, value in spec.variables if name not in spec.brought]
    added = tuple(Diff(f"env.{name}", None, str(value), Cause.SPEC) for name, value in written)
    added += tuple(Diff(f"files.{file.path}", None, _shown(file), Cause.SPEC) for file in spec.brought_files)
    stopped = world.workspace is not None and world.inside is None
    if known is None and not stopped:
        return Verdict(Action.CREATE, _count(spec), added, Disruption.WRITE)
    lost = tuple(Diff(d.path, None, d.after, Cause.ENGINE) for d in added)
    lost = lost or (Diff("present", False, True, Cause.ENGINE),)
    paused = world.workspace is not None and world.workspace.status == "paused"
    why = "they cannot be read while it is paused" if paused else "a stop emptied the tmpfs that holds them"
    return Verdict(Action.UPDATE, why, lost, Disruption.WRITE)


def _variables(spec: EnvironmentSpec, answer: Answer, known: LedgerEntry | None, cause: Cause) -> Iterator[Diff]:
    """Yield the variables that differ; what somebody else put there is not shown, for it may be a secret."""
    plain, secrets = spec.plain, spec.secrets
    ours = {*plain, *(known.data.get("plain", ()) if known else ())} - secrets.keys()  # type: ignore[misc]  # names
    before = {name: value if name in ours else HIDDEN for name, value in parse(answer.environment or "").items()}
    sealed: Mapping[str, str] = answer.seals.variables if answer.seals else {}
    for name in sorted({*before, *sealed, *plain, *secrets}):
        was = HIDDEN if name in sealed else before.get(name)
        if name not in secrets:
            if name in sealed or before.get(name) != plain.get(name):
                yield Diff(f"env.{name}", was, plain.get(name), cause)
        elif name not in sealed or name in before:
            yield Diff(f"env.{name}", was, HIDDEN, cause)
        elif answer.seals and sealed[name] != seal(answer.seals.key, sealed_text(name, secrets[name].text)):
            yield Diff(f"env.{name}", HIDDEN, HIDDEN, Cause.SPEC)


def _files(spec: EnvironmentSpec, answer: Answer, cause: Cause) -> Iterator[Diff]:
    """Yield the files that differ, but for the one of the secret variables."""
    before = {path: file for path, file in answer.seals.files.items() if path not in _COPIES} if answer.seals else {}
    after = {file.path: file for file in spec.files}
    for path in sorted(before.keys() | after.keys()):
        was, wanted = before.get(path), after.get(path)
        if answer.seals is None or was is None or wanted is None or was != _sealed(answer.seals.key, wanted):
            yield Diff(f"files.{path}", HIDDEN if was else None, _shown(wanted), cause)


def _bundle(spec: EnvironmentSpec, answer: Answer, cause: Cause) -> Iterator[Diff]:
    digest = _sha(answer.files.get(CA_FILE))
    if digest != spec.ca_digest:
        yield Diff("ca_bundle", digest[:12] or None, spec.ca_digest[:12] or None, cause)


def _store(spec: EnvironmentSpec, answer: Answer, cause: Cause) -> Iterator[Diff]:
    """Yield the CAs of the system's store that differ, one that is too many among them."""
    for number, wanted in enumerate((*spec.trusted, b""), 1):
        digest = hashlib.sha256(wanted).hexdigest() if wanted else ""
        found = _sha(answer.files.get(ANCHOR.format(number)))
        if found != digest:
            yield Diff(f"ca_store.{number}", found[:12] or None, digest[:12] or None, cause)


def _by_hand(spec: EnvironmentSpec, answer: Answer) -> Iterator[Diff]:
    """Yield what was changed by hand although every variable is named as it shall be."""
    if answer.environment != spec.text:
        yield Diff("env", HIDDEN, HIDDEN, Cause.DRIFT)
    here = answer.files.get(ENV_FILE)
    if here is not None and here.uid != 0:
        yield Diff("env.owner", here.uid, 0, Cause.DRIFT)
    wanted = (file for file in secret_files(_put(spec, None)) if file.path in _COPIES)
    if any(answer.seals is None or answer.seals.files.get(f.path) != _sealed(answer.seals.key, f) for f in wanted):
        yield Diff("secrets", HIDDEN, HIDDEN, Cause.DRIFT)


def _sealed(key: str, file: RunFile) -> SealedFile:
    return SealedFile(file.mode, file.uid, file.gid, seal(key, file.data))


_COPIES = (SECRETS, ROOT_SECRETS)


def _shown(file: RunFile | None) -> str | None:
    if file is None:
        return None
    return HIDDEN if isinstance(file.content, Hidden) else f"{len(file.data)} bytes"


def _told(diff: Diff) -> str:
    """Return what a reason says of a difference."""
    if diff.cause is Cause.SPEC and diff.before == diff.after == HIDDEN:
        return f"{diff.path} has another value on this host"
    if diff.path == "env.owner":
        return f"the variables belong to uid {diff.before}, and root reads them"
    return f"{diff.path}: changed by hand" if diff.path in ("env", "secrets") else diff.path


def _sha(fact: Any) -> str:
    return fact.sha256 if fact else ""


def _count(spec: EnvironmentSpec) -> str:
    """Return what an environment has, by name, and how many files beside that."""
    count = len(spec.brought_files)
    files = f"{count} {'file' if count == 1 else 'files'}" if count else ""
    return "; ".join(filter(None, (listed(spec.names, ca_bundle=bool(spec.ca_digest)), files))) or "no variables"


def listed(names: Names, *, ca_bundle: bool) -> str:
    """Return the names of variables in one line, those that are too many as a number.

    Args:
        names: The names.
        ca_bundle: Whether the host's CA bundle comes along.
    """
    titled = (("", names.plain), ("secret: ", names.secret), ("of the host: ", names.host))
    parts = [f"{title}{_shortened(found)}" for title, found in titled if found]
    return "; ".join([*parts, *(["the host's CA bundle"] if ca_bundle else [])])


def _shortened(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
