"""Values that the whole of envspec speaks in: they hold data, import nothing but errors' neighbours, and do nothing.

The words are the field's: a *plan* is a list of *changes*; a change is a difference between a *desired* resource
and what was *observed*; a *report* tells how each step of an apply ended. The idea of keeping the vocabulary apart
from all behaviour is OpenTofu's ``internal/plans``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FORMAT_VERSION = "1.0"

type_json = Any
"""A JSON value: ``None``, ``bool``, ``int``, ``float``, ``str``, and lists and string-keyed dicts of these."""


class Action(StrEnum):
    """What a change does to its resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    RUN = "run"


class Cause(StrEnum):
    """Why desired and observed differ."""

    SPEC = "spec"
    """The author changed the file."""
    DRIFT = "drift"
    """The world is no longer as it was applied: changed by hand, or it ended by itself."""
    ENGINE = "engine"
    """The engine did it: a restart emptied a tmpfs, say."""


class Disruption(StrEnum):
    """How much a change disturbs, least first."""

    NONE = "none"
    WRITE = "write"
    CONNECT = "connect"
    UPDATE = "update"
    RESTART = "restart"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Diff:
    """One attribute that differs.

    Attributes:
        path: Name of the attribute (``memory``, ``env.PATH``).
        before: Observed value, ``None`` when absent.
        after: Desired value, ``None`` when absent.
        cause: Why they differ.
    """

    path: str
    before: type_json
    after: type_json
    cause: Cause


class LossKind(StrEnum):
    """What sort of thing a change would lose."""

    UNCOMMITTED = "uncommitted"
    UNPUSHED = "unpushed"
    UNDECLARED = "undeclared"
    """A file that the spec does not name."""
    JOB = "job"
    """A background job that runs."""
    UNNAMED_VOLUME = "unnamed_volume"
    """What is in a volume that nobody named."""
    VOLUME = "volume"
    FILE = "file"
    """A file that is overwritten, and was not written by envspec."""
    DIRECTORY = "directory"
    """What lies where a repository is to be."""
    UNKNOWN = "unknown"
    """What could not be looked at."""


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """Something that exists and would be gone.

    Attributes:
        kind: What sort of thing.
        subject: Which: a path, a job, a volume.
        detail: What people should know of it, "" for nothing.
    """

    kind: LossKind
    subject: str
    detail: str = ""

    @property
    def text(self) -> str:
        """Return it as people read it: ``/opt/tool (undeclared)``."""
        return f"{self.subject} ({self.detail})" if self.detail else self.subject


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one resource.

    Attributes:
        address: Address of the resource, ``container.workspace``.
        kind: Its kind.
        action: What is done.
        reason: Why, in words for a person; explains and never drives behaviour.
        diff: The attributes that differ.
        disruption: How much it disturbs.
        data_loss: What exists and would be gone, each in words that name it; empty when nothing is lost.
        needs: Addresses of the changes that must be done before it.
        interrupts: Whether it ends something that exists, or all that runs in a workspace: a person is asked first.
        losses: The same as ``data_loss``, as values.
    """

    address: str
    kind: str
    action: Action
    reason: str
    diff: tuple[Diff, ...] = ()
    disruption: Disruption = Disruption.NONE
    data_loss: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    interrupts: bool = False
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One thing that is run: an engine verb, or an operation inside a container.

    Attributes:
        id: Its ID, unique in a plan.
        changes: Addresses of the changes that it serves.
        verb: Name of what it does, ``create_container``.
        text: What it does, to what, as people read it.
        arguments: All that it is done with; secrets are masked, and bytes are given by their digest.
        needs: IDs of the steps that must have ended well before it.
        unless: IDs of steps; it runs only when one of them failed or was left out. Empty for a step that runs when all
            goes well.
    """

    id: str
    changes: tuple[str, ...]
    verb: str
    text: str
    arguments: type_json
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Effect:
    """Something that reaches out of a container, and that the user has to allow by name.

    Attributes:
        name: Stable name of what it does, ``host-bind``; ``--allow NAME`` permits it.
        address: Address of the resource that does it, or a file.
        detail: What exactly, in words.
    """

    name: str
    address: str
    detail: str


@dataclass(frozen=True, slots=True)
class Summary:
    """How many resources a plan treats in which way."""

    create: int = 0
    update: int = 0
    replace: int = 0
    delete: int = 0
    run: int = 0
    noop: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, as a JSON value.

    Attributes:
        env: Name of the environment.
        fingerprint: Digest of the observed world and of the desired one that the plan was made from.
        summary: Counts of changes by action, and of resources that need nothing.
        changes: The changes, in an order in which they could be run one after another.
        notes: What the reader should know: the source of a base image, effects that cannot be undone.
        observed: Digest of what was observed, by address, to tell later what moved.
        effects: What reaches out of the containers and has to be allowed by name.
        steps: What is run, in an order in which it could be run one after another.
        format_version: Version of this JSON format.
    """

    env: str
    fingerprint: str
    summary: Summary
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    observed: Mapping[str, str] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    steps: tuple[PlannedStep, ...] = ()
    format_version: str = FORMAT_VERSION

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes

    @property
    def losses(self) -> tuple[Change, ...]:
        """Return the changes that lose something which exists."""
        return tuple(change for change in self.changes if change.data_loss)


class Status(StrEnum):
    """How a step ended."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not run, because a step that it needs failed or the user interrupted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one change ended.

    Attributes:
        address: Address of the resource.
        action: What was done.
        status: How it ended.
        detail: What a reader wants to know: ``from the cache``, a commit, the last lines of a failed command.
        seconds: Wall time that it took, in seconds.
        error: The error's JSON when it failed, else ``None``.
        cached: Whether it took what was there, and nothing was fetched or built.
    """

    address: str
    action: Action
    status: Status
    detail: str = ""
    seconds: float = 0.0
    error: Mapping[str, type_json] | None = None
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Provision:
    """What came into an environment: names, and never the value of a secret.

    Attributes:
        git: Name and address that git commits with, ``Ada <ada@example.org>``; "" for none.
        github: Name of the variable that holds the token for GitHub; "" for none.
        ssh: How SSH keys came along: ``agent``, ``files``, or "" for not at all.
        variables: Names of the plain variables that the file sets.
        secrets: Names of the secret variables that the file, or the passing of the host's variables, sets.
        host_variables: Names of the variables by which tools reach out as the host does: proxies, package indexes.
        ca_bundle: Whether the CAs that the host trusts came along.
        mounts: Mounts, ``source -> target (ro)``.
        ports: Published ports, ``127.0.0.1:8080->80/tcp``.
        tools: Versions of the tools, where the workspace is new; empty otherwise.
        not_found: What was looked for on the host, and is not there.
        ends: How the environment ends, in words.
    """

    git: str = ""
    github: str = ""
    ssh: str = ""
    variables: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    host_variables: tuple[str, ...] = ()
    ca_bundle: bool = False
    mounts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    not_found: tuple[str, ...] = ()
    ends: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How an apply ended.

    Attributes:
        env: Name of the environment.
        ok: Whether every change was done and a second look found nothing more to do.
        outcomes: Every change's outcome, in the order of the plan.
        seconds: Wall time of the whole, in seconds.
        image: Reference of the image that the workspace runs, or "".
        image_cached: Whether that image was there already and nothing was built or pulled.
        connect: The command that takes a person inside, or "".
        remaining: Addresses that a second look still found different; empty when converged.
        notes: The plan's notes.
        provision: What came inside; ``None`` where the apply did not converge, or where nothing was to stay.
        format_version: Version of this JSON format.
    """

    env: str
    ok: bool
    outcomes: tuple[Outcome, ...]
    seconds: float
    image: str = ""
    image_cached: bool = False
    connect: str = ""
    remaining: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    provision: Provision | None = None
    format_version: str = FORMAT_VERSION


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that must exist.

    Attributes:
        address: Its address, unique in an environment.
        kind: Name of its kind.
        spec: A frozen dataclass of the kind's own, with every default resolved.
        needs: Addresses of the resources that it stands on.
    """

    address: str
    kind: str
    spec: Any
    needs: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Digest of what is desired; equal specs have equal digests."""
        return digest_of(self.spec)


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that one environment must be, in an order that respects ``needs``.

    Attributes:
        env: Name of the environment; names on the engine derive from it.
        resources: The resources; empty to destroy the environment.
        origin: ``host:path`` of the spec, to tell two specs of one name apart; "" when there is none.
        notes: What resolving decided and the reader should know.
        effects: What reaches out of the containers and has to be allowed by name.
    """

    env: str
    resources: tuple[Resource, ...] = ()
    origin: str = ""
    notes: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()

    def get(self, address: str) -> Resource | None:
        """Return the resource at an address, or ``None``."""
        return next((resource for resource in self.resources if resource.address == address), None)

    def of_kind(self, kind: str) -> tuple[Resource, ...]:
        """Return the resources of one kind, in order."""
        return tuple(resource for resource in self.resources if resource.kind == kind)


@dataclass(frozen=True, slots=True)
class Hidden:
    """A text that no plan, label, digest, log or message may show."""

    text: str = field(repr=False)

    def __str__(self) -> str:
        """Return a stand-in, so that formatting never leaks."""
        return "(hidden)"


def to_json(value: Any) -> type_json:  # noqa: PLR0911 - one return a type reads best
    """Turn a value of this module, or of a kind, into plain JSON.

    Dataclasses become dicts in field order, enums their values, tuples lists, bytes their SHA-256 (content that
    is not text has no place in a plan).

    Raises:
        TypeError: The value holds something that JSON has no form for.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Hidden):
        return str(value)
    if isinstance(value, bytes):
        return f"sha256:{hashlib.sha256(value).hexdigest()}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, frozenset | set):
        return sorted(to_json(item) for item in value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def digest_of(value: Any) -> str:
    """Return the SHA-256, in hex, of a value's canonical JSON."""
    text = json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """Build a plan from the JSON that :func:`to_json` made of one.

    Raises:
        KeyError, TypeError, ValueError: The data is not a plan of this format.
    """
    changes = tuple(
        Change(
            address=item["address"],
            kind=item["kind"],
            action=Action(item["action"]),
            reason=item["reason"],
            diff=tuple(Diff(d["path"], d["before"], d["after"], Cause(d["cause"])) for d in item["diff"]),
            disruption=Disruption(item["disruption"]),
            data_loss=tuple(item["data_loss"]),
            needs=tuple(item["needs"]),
            interrupts=item["interrupts"],
            losses=tuple(Loss(LossKind(lost["kind"]), lost["subject"], lost["detail"]) for lost in item["losses"]),
        )
        for item in data["changes"]
    )
    return Plan(
        env=data["env"],
        fingerprint=data["fingerprint"],
        summary=Summary(**data["summary"]),
        changes=changes,
        notes=tuple(data["notes"]),
        observed=dict(data["observed"]),
        effects=tuple(Effect(item["name"], item["address"], item["detail"]) for item in data["effects"]),
        steps=tuple(
            PlannedStep(
                id=item["id"],
                changes=tuple(item["changes"]),
                verb=item["verb"],
                text=item["text"],
                arguments=item["arguments"],
                needs=tuple(item["needs"]),
                unless=tuple(item["unless"]),
            )
            for item in data["steps"]
        ),
        format_version=data["format_version"],
    )
