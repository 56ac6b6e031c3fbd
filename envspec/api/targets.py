"""What a command works on and how it is asked to: as light as can be, for every command begins with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from envspec.errors import SpecError

if TYPE_CHECKING:
    from envspec.engine.base import Reader
    from envspec.engine.whales import WhalesEngine
    from envspec.model import Plan
    from envspec.resolve.trial import Tried
    from envspec.spec.load import Loaded

Confirm: TypeAlias = "Callable[[Plan], bool]"
"""Shows a plan that ends something which exists and says whether to go on."""


class Cancel:
    """Carries the user's wish to stop: running steps finish, and no new one starts."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def request(self) -> None:
        """Ask for an end."""
        self.event.set()

    @property
    def requested(self) -> bool:
        """Whether an end was asked for."""
        return self.event.is_set()


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asks beyond the spec.

    Attributes:
        replace: Addresses to make anew whether they need it or not.
        target: Addresses to limit the work to, with what they need.
        destroy: Whether the environment shall go.
        allow_data_loss: Addresses that may lose work or data.
        yes: Whether what ends something that exists was agreed to.
        no_cache: Whether the image is built afresh.
        take_over: Whether an environment that another spec made may become this one's.
        volumes: Whether the volumes that the spec named go with the environment.
        allow: Names of effects that may reach out of the containers.
        session: Session that what is made belongs to, "" for what the process's environment says.
        runner: The process that makes the environment for one command only, as :func:`envspec.api.lock.owner` has it.
        ephemeral: Whether files that nobody declared, and running jobs, go with an environment that was meant to go.
        installs: Whether a repository that is tried is installed after it was cloned.
        restored: ID of the snapshot's image that a restore made the workspace from: it stays, whatever its own image
            means by now.
        since: Token of the moment before which all that was made is kept elsewhere: in the snapshot that is restored.
        command: The command that hints name where it is neither ``envspec apply`` nor ``envspec destroy``.
    """

    replace: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    destroy: bool = False
    allow_data_loss: tuple[str, ...] = ()
    yes: bool = False
    no_cache: bool = False
    take_over: bool = False
    volumes: bool = False
    allow: tuple[str, ...] = ()
    session: str = ""
    runner: str = ""
    ephemeral: bool = False
    installs: bool = True
    restored: str = ""
    since: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What to work on.

    Attributes:
        env: Name of the environment.
        loaded: Its spec; ``None`` when only the name is known, which is enough to destroy it.
        destroy: Whether it shall go.
        tried: What the repository that ``try-repo`` looks at showed; the spec is the ordinary one by then.
    """

    env: str
    loaded: Loaded | None
    destroy: bool
    tried: Tried | None = None

    @property
    def has_document(self) -> bool:
        """Return whether a Compose document has to be judged before anything is done."""
        return not self.destroy and self.loaded is not None and self.loaded.spec.compose is not None


def open_engine(asked: str = "", context: str = "") -> WhalesEngine:
    """Return the engine to work on. Nothing is asked of it yet.

    Args:
        asked: ``docker``, ``podman`` or ``auto``; "" for what the environment or the user's configuration asks for.
        context: Name of a Docker context, "" for none.

    Raises:
        UsageError: There is no such engine.
        SpecError: The user's configuration is faulty.
    """
    from envspec.engine.choice import choose  # noqa: PLC0415 - reading a spec needs no engine

    chosen = choose(asked, context)
    if chosen.name == "podman":
        from envspec.engine.podman_engine import PodmanEngine  # noqa: PLC0415 - the same

        return PodmanEngine(command=chosen.command, alias=chosen.alias)
    from envspec.engine.whales import WhalesEngine  # noqa: PLC0415 - the same

    return WhalesEngine(command=chosen.command, remote=chosen.remote, rootless=chosen.rootless, socket=chosen.socket)


def read_target(target: str | Path, *, destroy: bool, reader: Reader | None = None) -> Target:
    """Return what a name, a file or a directory stands for.

    Args:
        target: The name, file or directory.
        destroy: Whether the environment is to be destroyed, so that its name is enough.
        reader: Resolves a Compose document when all faults of the file are looked for.

    Raises:
        SpecError: The file is missing or faulty; what a plan would refuse later is among its faults.
    """
    text = str(target)
    if destroy and is_name(text):
        return Target(text, None, destroy=True)
    try:
        loaded = _load(target)
    except SpecError:
        if not destroy:
            from envspec.api.words import validate  # noqa: PLC0415 - only a faulty file pays for it

            validate(Path(target), engine=reader)
        raise
    assert loaded.spec.name is not None
    return Target(loaded.spec.name, loaded, destroy)


def is_name(text: str) -> bool:
    """Say whether a target is the name of an environment and not a path."""
    return "/" not in text and not text.endswith((".yaml", ".yml")) and text not in ("", ".", "..")


def locate(target: str) -> str:
    """Return the name of the environment that a name, a file or a directory stands for.

    Raises:
        SpecError: The file is faulty.
    """
    if is_name(target):
        return target
    name = _load(target).spec.name
    assert name is not None
    return name


def _load(target: str | Path) -> Loaded:
    from envspec.spec.load import load  # noqa: PLC0415 - brings pydantic, which a name does without

    return load(Path(target))
