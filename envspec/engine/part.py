"""An engine's JSON, read field by field: a field of an unexpected shape is noted and reads as absent.

Reading the engine must not fail because of one object: every user of the engine would be stopped by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any


class Part:
    """A JSON object whose fields have the types that are asked for; ``null`` reads as absent everywhere.

    Args:
        value: The JSON value; anything but an object is a fault.
        path: Where it stands in the document, for the faults.
        faults: Collects the paths of unreadable fields; a new set for the top of a document.
    """

    def __init__(self, value: object, path: str = "", faults: set[str] | None = None) -> None:
        self._faults: set[str] = set() if faults is None else faults
        self._path = path
        self._data: Mapping[str, Any] = {}
        if isinstance(value, Mapping):
            self._data = value
        elif value is not None:
            self._faults.add(path or "all of it")

    @property
    def unread(self) -> tuple[str, ...]:
        """Return the paths of all fields of the document that could not be read, sorted."""
        return tuple(sorted(self._faults))

    def fault(self, name: str) -> None:
        """Note that a field cannot be read."""
        self._faults.add(self._place(name))

    def need(self, *names: str) -> None:
        """Note those of the fields that are absent."""
        self._faults.update(self._place(name) for name in names if self._data.get(name) is None)

    def part(self, name: str) -> Part:
        """Return a field that is an object."""
        return Part(self._data.get(name), self._place(name), self._faults)

    def given(self, name: str) -> bool:
        """Say whether a field is there and not empty, whatever it is."""
        return bool(self._data.get(name))

    def text(self, name: str) -> str:
        """Return a field that is a text, "" when absent."""
        return str(self._checked(name, self._data.get(name), str, ""))

    def number(self, name: str) -> int:
        """Return a field that is a whole number, 0 when absent."""
        return int(self._checked(name, self._data.get(name), int, 0))

    def flag(self, name: str) -> bool:
        """Return a field that is true or false, false when absent."""
        value = self._data.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.fault(name)
        return False

    def moment(self, name: str) -> float:
        """Return a field that is a time in ISO 8601, in seconds since the epoch; an empty one cannot be read."""
        try:
            found = datetime.fromisoformat(self._data.get(name))  # type: ignore[arg-type]  # checked by trying
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (TypeError, ValueError, OverflowError):
            self.fault(name)
            return 0.0

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a field that is a list of texts; a single text is a list of one."""
        value = self._data.get(name)
        found = [value] if isinstance(value, str) else self._checked(name, value, list, [])
        return tuple(item for item in found if self._is(name, item, str))

    def parts(self, name: str) -> tuple[Part, ...]:
        """Return a field that is a list of objects."""
        found = self._checked(name, self._data.get(name), list, [])
        return tuple(Part(item, self._place(name), self._faults) for item in found if item is not None)

    def table(self, name: str) -> dict[str, str]:
        """Return a field that maps names to texts."""
        found = self._checked(name, self._data.get(name), Mapping, {})
        return {key: value for key, value in found.items() if self._is(name, value, str)}

    def entries(self, name: str) -> Iterator[tuple[str, Part]]:
        """Yield the names and values of a field that maps names to objects."""
        for key, value in self._checked(name, self._data.get(name), Mapping, {}).items():
            yield key, Part(value, self._place(f"{name}.{key}"), self._faults)

    def lists(self, name: str) -> Iterator[tuple[str, tuple[Part, ...]]]:
        """Yield the names and values of a field that maps names to lists of objects."""
        inner = self.part(name)
        for key in inner._data:
            yield key, inner.parts(key)

    def _place(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _is(self, name: str, value: object, kind: type) -> bool:
        if isinstance(value, kind):
            return True
        self.fault(name)
        return False

    def _checked(self, name: str, value: Any, kind: type, absent: Any) -> Any:
        if value is None or isinstance(value, bool) or not isinstance(value, kind):
            if value is not None:
                self.fault(name)
            return absent
        return value
