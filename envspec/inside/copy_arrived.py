"""What came of a copy into an environment: times that the engine did not take, and what a full disk cut off.

The engine unpacks the stream, and neither says which file it was at when it failed nor removes that one. So the files
are looked at afterwards, by a command that runs as the environment's user: it follows no link that this user could not
follow, and a container that does not run keeps what it has.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from envspec.engine.operations import RunCommand
from envspec.errors import EngineCallFailed, EnvspecError
from envspec.inside.copy_box import Box

LOOKED_AT = 500
"""Files that are looked at after a failure, the last ones sent: more are not under way at once."""

DEADLINE = 60.0
"""Seconds that a look may take."""

_FULL = ("no space left on device", "disk quota exceeded")
_LOST = "lost"
_CUT = "cut"


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that was sent: its absolute path inside, its size, and its time in seconds."""

    path: str
    size: int
    mtime: float


def set_times(box: Box, sent: Sequence[Sent]) -> tuple[str, ...]:
    """Give files the times that engines do not: they take none before 1970.

    Args:
        box: The container.
        sent: What was sent.

    Returns:
        What the user should know of it.
    """
    old = [file for file in sent if file.mtime < 0]
    if not old:
        return ()
    lines = (f"touch -h -d @{file.mtime:.9f} -- {shlex.quote(file.path)}" for file in old)
    if _run(box, "\n".join(lines)) is not None:
        return ()
    count = f"{old[0].path} is" if len(old) == 1 else f"{len(old)} files, such as {old[0].path}, are"
    return (f"{count} from before 1970, which nothing inside can set: the time there is 1970-01-01",)


def cut_off(box: Box, error: EngineCallFailed, sent: Sequence[Sent]) -> EngineCallFailed:
    """Return the error of a copy that ended early, with what arrived; a file that is not whole is removed.

    Args:
        box: The container.
        error: What the engine says.
        sent: What was sent.
    """
    code, hint = error.code, error.hint
    if any(words in error.message.lower() for words in _FULL):
        code, hint = "copy.no_space", "free some space there, and copy again: what arrived stays"
    return EngineCallFailed(f"{error.message}; {_arrived(box, sent)}", code=code, hint=hint, where=error.where)


def _arrived(box: Box, sent: Sequence[Sent]) -> str:
    """Say what arrived, and remove what is not whole."""
    lines = [
        f"p={shlex.quote(file.path)}\n"
        f'if [ ! -e "$p" ]; then echo {_LOST}\n'
        f'elif [ "$(stat -c %s -- "$p")" != {file.size} ]; then echo {_CUT} "$p"; rm -f -- "$p" || true; fi'
        for file in sent[-LOOKED_AT:]
    ]
    said = _run(box, "\n".join(lines)) if sent else ""
    if said is None:
        last = f", and {sent[-1].path} or one before it may be cut off" if sent else ""
        return f"part of it arrived{last}"
    found = said.splitlines()
    cut = [line.removeprefix(f"{_CUT} ") for line in found if line.startswith(_CUT)]
    removed = f", {', '.join(cut)} was cut off and is removed" if cut else ""
    return f"{len(sent) - len(found)} of the files sent arrived whole{removed}"


def _run(box: Box, command: str) -> str | None:
    """Run a command as the environment's user; return what it says, ``None`` where it fails."""
    try:
        done = box.engine.perform(box.state.id, RunCommand(command, "/", *box.owner, None), deadline=DEADLINE)
    except EnvspecError:
        return None
    return None if done.code else done.stdout.decode(errors="replace")
