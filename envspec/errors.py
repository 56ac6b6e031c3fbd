"""The one tree of errors that a user can cause.

Every error has a stable ``code``, one clear ``message``, a ``hint`` that names the next step, and says ``where``:
a place in a file, an address, or an object on the engine. Doors turn an error into text or JSON and take the
process's exit code from it; nothing else prints errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place that an error points to.

    Attributes:
        file: Path of a file as the user wrote it, or "" when the place is not in a file.
        line: Line in it, from 1; 0 when unknown.
        column: Column in the line, from 1; 0 when unknown.
        address: Address of a resource (``file./etc/app.conf``) or name of an object on the engine.
    """

    file: str = ""
    line: int = 0
    column: int = 0
    address: str = ""

    def __str__(self) -> str:
        """Render as ``file:line:column``, or as the address where there is no file."""
        if not self.file:
            return self.address
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)

    def as_json(self) -> dict[str, object]:
        """Return the parts that are set, as plain JSON."""
        parts: dict[str, object] = {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "address": self.address,
        }
        return {key: value for key, value in parts.items() if value}


class EnvspecError(Exception):
    """Base of every error that a user can cause.

    Args:
        message: One sentence saying what is wrong, without secrets.
        code: Stable identifier such as ``spec.unknown_key``; defaults to the class's ``code``.
        hint: The next step: a command to type or a key to change.
        where: Where the fault is.
    """

    category: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 70
    retriable: ClassVar[bool] = False
    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, code: str = "", hint: str = "", where: Where | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.where = where or Where()

    def as_json(self) -> dict[str, object]:
        """Return the ``error`` object of the JSON that every command prints."""
        return {
            "code": self.code,
            "category": self.category,
            "message": self.message,
            "hint": self.hint,
            "where": self.where.as_json(),
            "retriable": self.retriable,
        }


class UsageError(EnvspecError):
    """The command line asks for something that makes no sense."""

    category = "usage"
    exit_code = 3
    default_code = "usage"


class SpecError(EnvspecError):
    """One fault of a spec, a purpose or a template."""

    category = "spec"
    exit_code = 3
    default_code = "spec.invalid"

    @property
    def every(self) -> tuple[SpecError, ...]:
        """Return it with all the faults that it stands for."""
        return (self,)


class SpecFaults(SpecError):
    """All faults of one file at once, in the order of the file.

    Args:
        faults: At least one fault.
    """

    def __init__(self, faults: tuple[SpecError, ...]) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(first.message + more, code=first.code, hint=first.hint, where=first.where)
        self.faults = faults

    @property
    def every(self) -> tuple[SpecError, ...]:
        """Return it with all the faults that it stands for."""
        return (self, *self.faults)

    def as_json(self) -> dict[str, object]:
        """Return the error with every single fault under ``faults``."""
        return super().as_json() | {"faults": [fault.as_json() for fault in self.faults]}


class Faults:
    """Collects the faults of independent parts, so that all of them are reported at once.

    Each part runs in a ``with`` block of its own, which ends at the part's first fault; :meth:`stop` raises them all.
    """

    def __init__(self, known: Iterable[SpecError] = ()) -> None:
        self._found: dict[tuple[Where, str], SpecError] = {}
        for error in known:
            self.add(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Keep a fault, and let every other error pass."""
        if not isinstance(error, SpecError):
            return False
        self.add(error)
        return True

    def __bool__(self) -> bool:
        """Return whether there is a fault."""
        return bool(self._found)

    def add(self, error: SpecError) -> None:
        """Keep a fault; the same one at the same place counts once."""
        for fault in error.faults if isinstance(error, SpecFaults) else (error,):
            self._found.setdefault((fault.where, fault.message), fault)

    def stop(self) -> None:
        """Raise what was found.

        Raises:
            SpecError: There is one fault; :class:`SpecFaults` holds several, in the order of the file.
        """
        found = tuple(self._found[key] for key in sorted(self._found))
        if found:
            raise found[0] if len(found) == 1 else SpecFaults(found)


class StepFailed(EnvspecError):
    """A step of an apply failed: a command, a build, a clone, an engine call."""

    category = "step"
    exit_code = 1
    default_code = "step.failed"


class OutOfReach(StepFailed):
    """A step failed because the network did not lead where it had to; it may do so another time."""

    retriable = True
    default_code = "step.out_of_reach"


class Refused(EnvspecError):
    """Nothing was done, because policy or missing approval forbids it."""

    category = "refused"
    exit_code = 4
    default_code = "refused"


class EngineNotReady(EnvspecError):
    """No engine answers, or it lacks what is asked of it."""

    category = "engine"
    exit_code = 5
    retriable = True
    default_code = "engine.not_ready"


class EngineCallFailed(EnvspecError):
    """The engine refused one call."""

    category = "engine"
    exit_code = 1
    default_code = "engine.call_failed"


class EngineTimeout(EngineCallFailed):
    """An engine call passed its deadline and was ended."""

    retriable = True
    default_code = "engine.timeout"


class EngineSilent(EngineTimeout):
    """An engine call gave no sign of life in the time in which it should have begun, and was ended."""

    default_code = "engine.silent"


class EngineFlooded(EngineCallFailed):
    """An engine call printed more than it ever needs to, and was ended."""

    default_code = "engine.flooded"


class Conflict(EnvspecError):
    """Something else holds the name, the lock, or has moved the world since the plan."""

    category = "conflict"
    exit_code = 6
    retriable = True
    default_code = "conflict"


class Interrupted(EnvspecError):
    """The user stopped the work."""

    category = "interrupted"
    exit_code = 130
    retriable = True
    default_code = "interrupted"


_NEAR = 0.75
"""Share of letters that two words have in common from which one counts as the other misspelt."""


def near(word: str, known: Iterable[str]) -> str:
    """Return the known word that somebody may have meant, "" when none resembles theirs.

    Args:
        word: What was written.
        known: The words that it may be; the word itself is not one of them.
    """
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    others = sorted(set(known) - {word})
    misspelt = difflib.get_close_matches(word[:40], others, n=1, cutoff=_NEAR)
    shortened = (other for other in others if word.startswith(other) or _abbreviates(word, other))
    return next(iter((*misspelt, *shortened)), "")


def _abbreviates(word: str, other: str) -> bool:
    """Say whether a word is another one with letters left out, as ``cmd`` is ``command``."""
    letters = iter(other)
    return len(word) > 2 and word[0] == other[:1] and all(letter in letters for letter in word)
