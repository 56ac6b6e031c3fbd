"""How an environment ends, in words: for the report of an apply and for ``status``."""

from __future__ import annotations

from envspec.engine.facts import Answer
from envspec.engine.objects import ContainerState
from envspec.kinds import names
from envspec.kinds.lease import expiry


def ending(env: str, box: ContainerState, answer: Answer | None) -> str:
    """Say how an environment ends.

    Args:
        env: Its name.
        box: Its workspace.
        answer: What the probe found inside; ``None`` when nobody could look.
    """
    session = box.labels.get(names.SESSION, "")
    by_hand = f"it stays until `envspec destroy {env}`"
    until = expiry(answer, box.labels)
    expires = f"; it expires {until.isoformat(timespec='seconds')}, and `envspec gc` then removes it" if until else ""
    if is_persistent(box):
        return f"{by_hand}, for it is persistent{expires}"
    return (f"with `envspec session end {session}`" if session else by_hand) + expires


def is_persistent(box: ContainerState) -> bool:
    """Say whether an environment outlives its session, and a restart of the engine."""
    return box.config.restart != "no"
