"""What was asked of engines and holds until something changes, in the user's state directory.

Nothing here is needed: without the file, or with one that cannot be read or written, engines are asked again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_SOCKETS = 32
MOST_PATHS = 512
"""Entries that are kept, the newest ones."""


class Memory:
    """The file of what was asked.

    Args:
        file: The file; that of the user when ``None``.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    def engine_at(self, path: str, stamp: str) -> dict[str, str] | None:
        """Return what the engine at a socket said, ``None`` where the socket is another one by now.

        Args:
            path: The socket.
            stamp: What tells it from one that was made at its path before.
        """
        known = _table(_table(self._read(), "sockets"), path)
        facts = _table(known, "engine")
        return {key: str(value) for key, value in facts.items()} if facts and known.get("stamp") == stamp else None

    def keep_engine(self, path: str, stamp: str, facts: dict[str, str]) -> None:
        """Remember what the engine at a socket said."""

        def change(all_of_it: dict[str, Any]) -> None:
            sockets = _table(all_of_it, "sockets")
            sockets.pop(path, None)
            all_of_it["sockets"] = _newest({**sockets, path: {"stamp": stamp, "engine": facts}}, MOST_SOCKETS)

        self._change(change)

    def sees(self, engine: str, path: str, device: int) -> bool:
        """Say whether an engine was found to see a path, or one above it on the same file system.

        Args:
            engine: What the engine is known by.
            path: The path.
            device: Number of the file system that it lies on.
        """
        seen = _table(_table(self._read(), "seen"), engine)
        return any(seen.get(str(place)) == device for place in (Path(path), *Path(path).parents))

    def keep_seen(self, engine: str, path: str, device: int) -> None:
        """Remember that an engine sees a path."""

        def change(all_of_it: dict[str, Any]) -> None:
            engines = _table(all_of_it, "seen")
            paths = _table(engines, engine)
            paths.pop(path, None)
            engines[engine] = _newest({**paths, path: device}, MOST_PATHS)
            all_of_it["seen"] = engines

        self._change(change)

    def _place(self) -> Path:
        import platformdirs  # noqa: PLC0415 - only where something is looked up

        return self._file or platformdirs.user_state_path("envspec") / "engines.json"

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._place().read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the file as a whole; of two processes that do at once, one has to ask again some time."""
        import tempfile  # noqa: PLC0415 - paid for where something new was learned

        found, place = self._read(), self._place()
        change(found)
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
            with os.fdopen(number, "w", encoding="utf-8") as half:
                json.dump(found, half)
            Path(name).replace(place)


def _table(found: dict[str, Any], key: str) -> dict[str, Any]:
    value = found.get(key)
    return dict(value) if isinstance(value, dict) else {}


def _newest(entries: dict[str, Any], most: int) -> dict[str, Any]:
    return dict(list(entries.items())[-most:])
