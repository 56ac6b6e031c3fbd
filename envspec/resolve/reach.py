"""What of this host a spec asks for by path: directories to bind, files to read; judged as services are."""

from __future__ import annotations

from collections.abc import Iterator

from envspec.compose import effects, paths
from envspec.compose.effects import Wanted
from envspec.compose.places import Part, dotted
from envspec.errors import Where
from envspec.kinds import names
from envspec.model import Effect
from envspec.resolve.box import Place
from envspec.spec.load import Loaded
from envspec.spec.variables import EnvSource


def reaches(loaded: Loaded, place: Place, *, trusted: bool) -> dict[Effect, Where]:
    """Return the effects of what a spec names by path, each with the place in the file.

    Args:
        loaded: The spec.
        place: Where it lies.
        trusted: Whether it is trusted with the user's own.
    """
    found: dict[Effect, Where] = {}
    for loc, wanted in _wanted(loaded, place):
        for name, detail in effects.of_path(wanted, place.directory, trusted=trusted):
            found.setdefault(Effect(name, names.WORKSPACE, f"{dotted(loc)}: {detail}"), place.where(*loc))
    return found


def _wanted(loaded: Loaded, place: Place) -> Iterator[tuple[tuple[Part, ...], Wanted]]:
    """Yield what is asked for, each with its key; what the user's own configuration asks for is theirs to say."""
    spec = loaded.spec
    if place.mount_cwd:
        yield ("mount_cwd",), Wanted(place.directory)
    for index, mount in enumerate(spec.mounts):
        real = paths.real(paths.expanded(mount.host), place.directory)
        yield ("mounts", index, "host"), Wanted(real)
    read: list[tuple[tuple[Part, ...], str]] = [
        (("config_files", path, "source"), file.source or "") for path, file in spec.config_files.items()
    ]
    own = loaded.top is None or loaded.top.find(("dotfiles",))[1] is not None
    if spec.dotfiles and own:
        read += [
            (("dotfiles", "inline", path, "source"), file.source or "") for path, file in spec.dotfiles.inline.items()
        ]
    read += [
        (("env", name, "from_file"), value.from_file or "")
        for name, value in spec.env.items()
        if isinstance(value, EnvSource)
    ]
    if spec.compose:
        read.append((("compose", "file"), spec.compose.file or ""))
        read += [(("compose", "env_file", index), name) for index, name in enumerate(spec.compose.env_file)]
    for loc, name in read:
        if name:
            yield loc, Wanted(paths.real(paths.expanded(name), place.directory), reads=True)
