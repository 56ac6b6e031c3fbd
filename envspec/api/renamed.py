"""A spec that was given another name leaves the environment of its old name running: who plans is told."""

from __future__ import annotations

import os
from collections.abc import Iterable

from envspec.api.targets import Target
from envspec.engine.base import Reader
from envspec.engine.objects import ContainerState
from envspec.errors import EnvspecError
from envspec.kinds import names
from envspec.kinds.base import Observed, is_service
from envspec.spec.load import load
from envspec.visible import one_line


def notes(reader: Reader, target: Target, hostname: str, world: Observed) -> tuple[str, ...]:
    """Return what to say of other environments that the target's file made when it bore another name.

    Asked only where there is nothing of the target yet, for a renamed spec begins anew.

    Args:
        reader: The engine.
        target: What is worked on.
        hostname: Name of this host.
        world: The world as it was observed.
    """
    if target.loaded is None or not target.loaded.path or world.workspace is not None:
        return ()
    origin = one_line(f"{hostname}:{os.path.realpath(target.loaded.path)}")
    former = _made_by(reader.containers(), origin) - {target.env}
    if former and target.loaded.path.is_file():
        try:
            former.discard(str(load(target.loaded.path).spec.name))  # a run or a fork goes by a name of its own
        except EnvspecError:
            return ()
    return tuple(
        f"this file made the environment {name} before it was named {target.env}; {name} is left as it is: "
        f"`envspec destroy {name}` removes it"
        for name in sorted(former)
    )


def _made_by(boxes: Iterable[ContainerState], origin: str) -> set[str]:
    """Return the environments that a file made, but for forks of a snapshot and those of one run."""
    return {
        box.labels[names.ENV]
        for box in boxes
        if box.labels.get(names.ORIGIN) == origin
        and not is_service(box)
        and not box.labels.keys() & {names.RESTORED, names.RUN}
    }
