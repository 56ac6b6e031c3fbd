"""Reading single values the way an author writes them: texts, flags, numbers, sizes and durations.

YAML would turn ``NO`` into false, ``1.10`` into 1.1 and ``22:22`` into 1342. So the loader hands over the author's
text (:class:`Scalar`), and the functions here decide what it means at the key where it stands. They take plain
Python values as well, so that a spec that was dumped to JSON validates again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from envspec.visible import one_line

KIB = 1024
GIB = KIB**3
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
"""What YAML takes for null when it is not quoted."""

_UNLIMITED = ("none", "unlimited")
_PID_MAX = 4_194_304
"""The kernel's ``PID_MAX_LIMIT``."""
_UNITS = {"": 1, "b": 1, "k": KIB, "m": KIB**2, "g": GIB, "t": KIB**4}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_LONGEST = 3650 * 86400.0
_SIZE = re.compile(r"(\d{1,20}(?:\.\d{1,6})?) ?([bkmgt]?)(?:i?b)?", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d))")
_INTEGER = re.compile(r"[-+]?\d{1,20}")
_NUMBER = re.compile(r"[-+]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NEVER = re.compile(r"[\x00\ud800-\udfff]")
_SHOWN = 60


class Scalar(str):
    """A scalar's source text.

    Attributes:
        plain: Whether it was written without quotes; only then can it be a null.
    """

    __slots__ = ("plain",)
    plain: bool

    def __new__(cls, text: str, *, plain: bool) -> Scalar:
        """Keep the text and how it was written."""
        scalar = super().__new__(cls, text)
        scalar.plain = plain
        return scalar


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value.

    Attributes:
        code: Stable identifier, ``spec.value``.
        message: One sentence.
        hint: What to write instead.
        at: Where below the value that was being read, as keys and indexes; ``"[key]"`` last means the key itself.
    """

    code: str
    message: str
    hint: str = ""
    at: tuple[str | int, ...] = ()


def wrong(*faults: Fault) -> PydanticCustomError:
    """Return the error that makes pydantic report faults at the place of the value being read."""
    message = "; ".join(fault.message for fault in faults)
    return PydanticCustomError("spec", "{message}", {"message": message, "faults": faults})


def bad(message: str, hint: str = "") -> PydanticCustomError:
    """Return the error for one value that is not what its key takes."""
    return wrong(Fault("spec.value", message, hint))


def shown(value: object) -> str:
    """Render a value for a message: short, on one line, without control characters."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    text = one_line(str(value)[: _SHOWN + 1])
    if not text:
        return "an empty value"
    return f"`{text[:_SHOWN]}…`" if len(text) > _SHOWN else f"`{text}`"


def is_null(value: object) -> bool:
    """Say whether a value is null: ``None``, or an unquoted nothing, ``~`` or ``null``."""
    return value is None or (isinstance(value, Scalar) and value.plain and value in NULLS)


def is_scalar(value: object) -> bool:
    """Say whether a value is a single one, neither list nor mapping."""
    return value is None or isinstance(value, str | int | float)


def text(value: object) -> str:
    """Return any single value as the author's text; a null that is not written out is the empty text.

    Raises:
        PydanticCustomError: It is a list or a mapping, or holds a NUL or half a surrogate pair.
    """
    if not is_scalar(value):
        raise bad(f"a text belongs here, not {shown(value)}", "quote it if it looks like a list or a mapping")
    if isinstance(value, bool):
        return str(value).lower()
    result = "" if value is None else str(value)
    if match := _NEVER.search(result):
        raise bad(f"a text cannot hold the character U+{ord(match[0]):04X}", "take it out")
    return result


def line(value: object) -> str:
    """Return a text of one line that is not empty.

    Raises:
        PydanticCustomError: It is empty, or holds a line break or another control character.
    """
    result = text(value)
    if not result.strip():
        raise bad("a text is missing here", "write a value after the colon")
    if match := _CONTROL.search(result):
        raise bad(f"{shown(result)} holds the control character U+{ord(match[0]):04X}", "write it on one line")
    return result


def command(value: object) -> str:
    """Return shell text that does something."""
    result = text(value)
    if not result.strip():
        raise bad("a command is missing here", "write the shell text to run, or take the line out")
    return result


def flag(value: object) -> bool:
    """Read true or false.

    Raises:
        PydanticCustomError: It is neither; YAML 1.1's yes, no, on and off are not taken, for they are texts elsewhere.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise bad(f"{shown(value)} is neither true nor false", "write `true` or `false`")


def integer(low: int, high: int) -> Callable[[object], int]:
    """Return a reader of whole decimal numbers from ``low`` to ``high``."""

    def read(value: object) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole and not (isinstance(value, str) and _INTEGER.fullmatch(value)):
            raise bad(f"{shown(value)} is not a whole number", f"write a number from {low} to {high}")
        number = int(str(value))
        if not low <= number <= high:
            raise bad(f"{number} is out of range", f"write a number from {low} to {high}")
        return number

    return read


def positive(value: object) -> float:
    """Read a number above 0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise bad(f"{shown(value)} is not a number", "write a number such as `2` or `1.5`")
    result = float(str(value))
    if not math.isfinite(result) or result <= 0:
        raise bad(f"{shown(value)} is not above 0", "write a number such as `2` or `1.5`")
    return result


def size(value: object) -> int:
    """Read a size in bytes; the units k, m, g and t are powers of 1024, as Docker takes them."""
    match = _SIZE.fullmatch(str(value)) if is_scalar(value) and not isinstance(value, bool) else None
    if not match:
        raise bad(f"{shown(value)} is not a size", "write `512m`, `4g`, or a number of bytes")
    return round(float(match[1]) * _UNITS[match[2].lower()]) if match[2] or "." in match[1] else int(match[1])


def at_least(low: int, name: str) -> Callable[[object], int]:
    """Return a reader of sizes that refuses those below ``low`` bytes; ``name`` says what that is."""

    def read(value: object) -> int:
        result = size(value)
        if result < low:
            raise bad(f"{shown(value)} is too small: the engine wants at least {name}", f"write `{name}` or more")
        return result

    return read


def seconds(value: object) -> float:
    """Read a duration: ``500ms``, ``2s``, ``1m30s``, ``1h``, ``7d``, or a number of seconds; ten years at most."""
    hint = "write `2s`, `500ms`, `1m30s`, or a number of seconds"
    if not is_scalar(value) or isinstance(value, bool):
        raise bad(f"{shown(value)} is not a duration", hint)
    written = str(value)
    if _NUMBER.fullmatch(written):
        result = float(written)
    elif parts := _whole(_DURATION, written):
        result = math.fsum(float(number) * _SECONDS[unit] for number, unit in parts)
    else:
        raise bad(f"{shown(value)} is not a duration", hint)
    if not 0 < result <= _LONGEST:
        raise bad(f"{shown(value)} is not a duration above 0 and up to 3650d", hint)
    return result


def _whole(pattern: re.Pattern[str], written: str) -> list[tuple[str, str]]:
    """Return the parts of a text that consists of nothing but matches, else nothing."""
    parts = [(match[1], match[2]) for match in pattern.finditer(written)]
    return parts if "".join(number + unit for number, unit in parts) == written else []


def choice(*names: str) -> Callable[[object], str]:
    """Return a reader of one of some names."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in names:
            return str(value)
        raise bad(f"{shown(value)} is not known here", f"write {either(names)}")

    return read


def either(names: Sequence[str]) -> str:
    """Render names as ```a`, `b` or `c```."""
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else quoted[0]


def optional(read: Callable[[Any], Any], *words: str) -> Callable[[object], Any]:
    """Return a reader that takes null, or one of some words, for ``None``, and else reads on."""

    def read_or_none(value: object) -> Any:
        unset = is_null(value) or (isinstance(value, str) and value.lower() in words)
        return None if unset else read(value)

    return read_or_none


def same(value: object) -> object:
    """Return the value itself; with :func:`optional` for forms that read themselves."""
    return value


def listed(value: object) -> object:
    """Take null for an empty list, and refuse what is no list.

    Raises:
        PydanticCustomError: It is a single value or a mapping.
    """
    if is_null(value):
        return ()
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise bad(f"a list belongs here, not {shown(value)}", "write one item a line, each after `- `")
    return value


def mapped(value: object) -> object:
    """Take null for an empty mapping, and refuse what is no mapping.

    Raises:
        PydanticCustomError: It is a single value or a list.
    """
    if is_null(value):
        return {}
    if not isinstance(value, Mapping):
        raise bad(f"a mapping belongs here, not {shown(value)}", "write one `key: value` a line")
    return value


ANY_TEXT = ("string", "number", "boolean")
"""JSON types of what an author may write without quotes where a text is meant."""
_BYTES: list[dict[str, Any]] = [
    {"type": "integer", "minimum": 1},
    {"type": "string", "pattern": "^[0-9.]+ ?[bkmgtBKMGT]?(i?[bB])?$"},
]
_UNSET: dict[str, Any] = {"enum": [*_UNLIMITED, None]}
LASTS: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^([0-9.]+(ms|s|m|h|d))+$|^[0-9.]+$"},
    ]
}


Text = Annotated[str, BeforeValidator(text), WithJsonSchema({"type": [*ANY_TEXT, "null"]})]
"""Any single value, as text."""
Line = Annotated[str, BeforeValidator(line), WithJsonSchema({"type": "string", "minLength": 1})]
Command = Annotated[str, BeforeValidator(command), WithJsonSchema({"type": [*ANY_TEXT]})]
Flag = Annotated[bool, BeforeValidator(flag)]
Seconds = Annotated[float, BeforeValidator(seconds), WithJsonSchema(LASTS)]
Memory = Annotated[
    int | None,
    BeforeValidator(optional(at_least(6 * KIB**2, "6m"), *_UNLIMITED)),
    WithJsonSchema({"anyOf": [*_BYTES, _UNSET]}),
]
"""Bytes; the engine takes no limit below 6 MiB."""
SharedMemory = Annotated[
    int | None,
    BeforeValidator(optional(at_least(1, "1"), *_UNLIMITED)),
    WithJsonSchema({"anyOf": [*_BYTES, _UNSET]}),
]
"""Bytes."""
Pids = Annotated[
    int | None,
    BeforeValidator(optional(integer(1, _PID_MAX), *_UNLIMITED)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": _PID_MAX}, _UNSET]}),
]
"""Processes."""
Cpus = Annotated[
    float | None,
    BeforeValidator(optional(positive, *_UNLIMITED)),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, _UNSET]}),
]
"""Processors."""
