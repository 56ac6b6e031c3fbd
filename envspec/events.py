"""What happens during an apply, as frozen events.

The executor emits them, doors show them: live on a terminal, as plain lines elsewhere, as one JSON object a line
under ``--json``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from envspec.model import Action, Outcome


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A change has begun."""

    address: str
    action: Action
    event: Literal["step_started"] = "step_started"


@dataclass(frozen=True, slots=True)
class StepOutput:
    """A running change printed a line."""

    address: str
    line: str
    event: Literal["step_output"] = "step_output"


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A change has ended, in one of the ways of :class:`envspec.model.Status`."""

    outcome: Outcome
    event: Literal["step_finished"] = "step_finished"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a line that belongs to no single step: a lock taken over, an interrupt seen."""

    text: str
    event: Literal["notice"] = "notice"


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """A copy has come so far.

    Attributes:
        path: What is copied, as it was named.
        bytes: Bytes moved.
        total: Bytes in all, 0 when nobody knows.
    """

    path: str
    bytes: int
    total: int
    event: Literal["copy_progress"] = "copy_progress"


Event = StepStarted | StepOutput | StepFinished | Notice | CopyProgress
Emit = Callable[[Event], None]
"""Takes an event; is called from several threads, one call at a time."""


def silent(_event: Event) -> None:
    """Take an event and show nothing."""
