"""What is told of background jobs, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field

RUNNING = "running"
STATES = (RUNNING, "exited", "cancelled", "timed_out", "lost")
"""What may become of a job."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is.

    Attributes:
        env: Its environment.
        id: Its ID, unique there.
        state: One of :data:`STATES`; ``lost`` when the container was restarted, or somebody killed the job or what
            waits for it inside. One that kills itself cannot be told from that.
        code: Its exit code, 128 and the signal's number where a signal ended it; ``None`` while it runs and where
            nobody could see it.
        command: Its command.
        user: ``uid:gid`` that it runs as.
        workdir: Directory that it runs in.
        timeout: Seconds that it may take, 0 for any number.
        started: When it was started, in ISO 8601.
        ended: When it ended, "" where that is not known.
        seconds: Between the two; ``None`` where that is not known.
        output_bytes: Bytes that it has printed.
        reason: Why it is lost, or which signal ended it.
    """

    env: str
    id: str
    state: str
    code: int | None
    command: tuple[str, ...]
    user: str
    workdir: str
    timeout: float
    started: str
    ended: str
    seconds: int | None
    output_bytes: int
    reason: str = ""

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.state == RUNNING


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How to run a job.

    Attributes:
        root: Whether as root instead of the environment's user.
        workdir: Directory, "" for the workspace, to which a relative one belongs.
        timeout: Seconds that it may take; then all of it is ended; 0 for any number.
        stdin: What it reads.
    """

    root: bool = False
    workdir: str = ""
    timeout: float = 0
    stdin: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Started:
    """A job, and whether this very call started it: of one that was known by then nothing is changed."""

    job: Job
    created: bool


@dataclass(frozen=True, slots=True)
class Polled:
    """A part of what a job printed.

    Attributes:
        job: The job as it was just before.
        offset: Place of the first byte.
        next_offset: Place to ask for next.
        output: The bytes, standard output and error in their order; cut at no character's middle while more comes.
        more: Whether there is, or may come, more.
    """

    job: Job
    offset: int
    next_offset: int
    output: bytes
    more: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What cancelling came to.

    Attributes:
        job: The job as it is now.
        ended: How many processes were ended.
        left: ``PID COMMAND`` of each that could not be; empty proves that nothing of the job runs any more.
    """

    job: Job
    ended: int
    left: tuple[str, ...]
