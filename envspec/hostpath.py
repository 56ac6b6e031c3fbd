"""Looking at paths of this host that somebody wrote: whatever they are, looking at them raises nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from envspec.visible import from_visible


def trouble(path: Path | str) -> str:
    """Return why nothing can be had at a path, "" when something is there: "does not exist", "file name too long"."""
    try:
        os.stat(path)  # noqa: PTH116 - takes a text with any byte as it is
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist"
    except OSError as error:
        return f"cannot be used: {str(error.strerror).lower()}"
    except ValueError:  # a NUL, or a character that no file name can hold here
        return "is not a path"
    return ""


def is_there(path: Path | str) -> bool:
    """Say whether something that can be looked at is at a path, links followed."""
    return not trouble(path)


def from_shown(path: str) -> str:
    r"""Return where a path leads that was written as it is shown, with ``\xff`` for a byte that is not UTF-8."""
    written = from_visible(path)
    return written if not is_there(path) and is_there(written) else path


def is_file(path: Path | str) -> bool:
    """Say whether a regular file is at a path, links followed."""
    return stat.S_ISREG(_mode(path))


def is_dir(path: Path | str) -> bool:
    """Say whether a directory is at a path, links followed."""
    return stat.S_ISDIR(_mode(path))


def expanded(directory: Path, path: str) -> Path:
    """Return a path relative to a directory, ``~`` being the user's home; what has no home stays as it is."""
    return directory / os.path.expanduser(path)  # noqa: PTH111 - Path's own raises where there is no such user


def real(path: Path) -> Path:
    """Return where a path leads as far as it can be followed; links in a circle stay as they are."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):  # a link that may not be read, as of another's process; or no path at all
        return path


def _mode(path: Path | str) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return 0
