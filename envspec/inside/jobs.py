"""Background jobs: commands that go on without whoever started them, and that anybody who reaches the engine finds.

All that is known of a job lies inside the environment, written by root (``scripts/job.sh``); a supervisor waits there
for its end. Nothing is kept on the host.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from envspec.engine.client import Client
from envspec.engine.inside import pack
from envspec.engine.operations import Completed
from envspec.engine.script import Script, entering, shell, with_tree
from envspec.errors import Conflict, EngineCallFailed, UsageError, Where
from envspec.inside.capture import execute
from envspec.inside.door import Door
from envspec.inside.exec import ExecOptions, Streams, run
from envspec.inside.job import Cancelled, Job, JobOptions, Polled, Started

POLL_LIMIT = 64 * 1024
"""Bytes of output that one poll returns unless more are asked for."""

MAX_POLL = 16 * 1024 * 1024
"""Bytes that one poll returns at most, however many are asked for: they pass through memory."""

GRACE = 3
"""Seconds between asking a job's processes to end and killing them."""

CALL_DEADLINE = 120.0
"""Seconds for a call that does not wait for a job."""

WORKERS = 8
"""Environments that are asked side by side."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_UNKNOWN = 3


@dataclass(frozen=True)
class Jobs:
    """The jobs of one environment.

    Attributes:
        door: The environment.
    """

    door: Door

    @cached_property
    def _client(self) -> Client:
        return Client(command=self.door.engine)

    def start(self, words: Sequence[str], options: JobOptions | None = None, name: str = "") -> Started:
        """Start a command that goes on by itself, with the environment's variables.

        Args:
            words: The command and its arguments, which arrive as they are.
            options: How to run it.
            name: Its ID, "" for a new one. Starting one ID twice is one job.

        Raises:
            UsageError: The ID is none.
            Conflict: There is another job of this ID.
            EngineCallFailed: It could not be started.
        """
        options = options or JobOptions()
        job_id = _checked(name or f"job-{secrets.token_hex(4)}")
        user = "0:0" if options.root else self.door.user or "0:0"
        uid, _, gid = user.partition(":")
        workdir = self.door.directory(options.workdir)
        meta: dict[str, Any] = {"id": job_id, "command": [*words], "user": user, "workdir": workdir}
        meta |= {"timeout": options.timeout, "stdin": hashlib.sha256(options.stdin).hexdigest()}
        args = (job_id, secrets.token_hex(8), uid, gid or uid, workdir, f"{options.timeout:g}")
        done = self._call("job_start", *args, stdin=archive(meta, words, options.stdin))
        how, _, rest = done.stdout.partition(b"\n")
        job, _ = self._described(rest)
        known = json.loads(rest.partition(b"\n")[0])
        if known != json.loads(json.dumps(meta)):
            raise Conflict(
                f"{self.door.env} has another job {job_id}: {shlex.join(job.command)[:200]}",
                code="job.exists",
                hint="choose another --name",
                where=Where(address=f"{self.door.env}/{job_id}"),
            )
        return Started(job, how == b"new")

    def list(self) -> tuple[Job, ...]:
        """Return all jobs, in the order in which they were started."""
        rest = self._call("job_list").stdout
        found = []
        while rest:
            job, rest = self._described(rest)
            found.append(job)
        return tuple(sorted(found, key=lambda job: (job.started, job.id)))

    def poll(self, job_id: str, offset: int = 0, limit: int = POLL_LIMIT) -> Polled:
        """Return a job and a part of what it printed.

        Args:
            job_id: The job.
            offset: Place of the first byte to return.
            limit: How many bytes to return at most; never more than :data:`MAX_POLL`.

        Raises:
            UsageError: There is no such job.
        """
        limit = min(limit, MAX_POLL)
        job, output = self._described(self._call("job_poll", _checked(job_id), str(offset), str(limit)).stdout)
        if job.running or offset + len(output) < job.output_bytes:
            whole = whole_characters(output)
            # Where the limit leaves no room for a whole one, a part is better than nothing for ever.
            output = output if not whole and len(output) == limit else whole
        place = offset + len(output)
        return Polled(job, offset, place, output, job.running or place < job.output_bytes)

    def follow(self, job_id: str, offset: int = 0, *, follow: bool = True, streams: Streams | None = None) -> int:
        """Print what a job printed, byte for byte, and what comes until it has ended; return 0 when that went well.

        Args:
            job_id: The job.
            offset: Place of the first byte.
            follow: Whether to go on with what comes.
            streams: Where to print, this process's own standard output where that is not said.

        Raises:
            UsageError: There is no such job.
            Interrupted: A signal asked this process to stop.
        """
        self.get(job_id)
        script = with_tree("job", "job_follow", args=(job_id, str(offset), "1" if follow else ""))
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - what the script says to whoever looks for its end
            given = streams or Streams()
            chosen = Streams(b"", given.stdout, nothing)
            return run(self.door, _words(script), ExecOptions(root=True, workdir="/"), chosen).code

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UsageError: There is no such job.
        """
        return self.poll(job_id, limit=0).job

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """Return a job once it has ended, or as it is when the time is up.

        Args:
            job_id: The job.
            timeout: Seconds to wait, ``None`` for ever.

        Raises:
            UsageError: There is no such job.
            Interrupted: A signal asked this process to stop.
        """
        limit = "-1" if timeout is None else f"{timeout * 100:.0f}"
        script = with_tree("job", "job_wait", args=(_checked(job_id), limit))
        done = execute(self.door, _words(script), ExecOptions(root=True, workdir="/"))
        return self._described(self._judged(job_id, Completed(done.code, done.stdout)).stdout)[0]

    def cancel(self, job_id: str, grace: int = GRACE) -> Cancelled:
        """End all that a job started, also what it left behind when it ended, and say what is left.

        Args:
            job_id: The job.
            grace: Seconds between asking its processes to end and killing them.

        Raises:
            UsageError: There is no such job.
        """
        done = self._call("job_cancel", _checked(job_id), str(grace), deadline=CALL_DEADLINE + grace)
        job, rest = self._described(done.stdout)
        ended, *left = rest.decode(errors="replace").splitlines()
        return Cancelled(job, int(ended), tuple(left))

    def _call(self, name: str, *args: str, stdin: bytes = b"", deadline: float = CALL_DEADLINE) -> Completed:
        script = with_tree("job", name, args=args, stdin=stdin)
        done = self._client.run_script(self.door.container, script, deadline=deadline, binary=True)
        return self._judged(args[0] if args else "", done)

    def _judged(self, job_id: str, done: Completed) -> Completed:
        if done.code == _UNKNOWN:
            raise UsageError(
                f"{self.door.env} has no job {job_id}",
                code="job.unknown",
                hint=f"`envspec job list {self.door.env}` names them",
                where=Where(address=f"{self.door.env}/{job_id}"),
            )
        if done.code:
            raise EngineCallFailed(
                f"the job's script failed: {done.tail}", code="job.failed", where=Where(address=self.door.env)
            )
        return done

    def _described(self, text: bytes) -> tuple[Job, bytes]:
        """Read what ``describe`` of ``scripts/job.sh`` printed, and return what stands behind it."""
        line, _, rest = text.partition(b"\n")
        told, _, rest = rest.partition(b"\n")
        meta = json.loads(line)
        state, code, started, ended, size, reason = told.decode(errors="replace").split(" ", 5)
        return Job(
            env=self.door.env,
            id=meta["id"],
            state=state,
            code=int(code) if code.isdigit() else None,
            command=tuple(map(_readable, meta["command"])),
            user=meta["user"],
            workdir=meta["workdir"],
            timeout=meta["timeout"],
            started=_time(started),
            ended=_time(ended),
            seconds=max(0, int(ended) - int(started)) if ended.isdigit() else None,
            output_bytes=int(size),
            reason=reason,
        ), rest


def all_jobs(doors: Sequence[Door]) -> tuple[Job, ...]:
    """Return the jobs of several environments, asked side by side; one that goes away meanwhile has none."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only who asks several pays for it

    with ThreadPoolExecutor(WORKERS) as pool:
        return tuple(job for jobs in pool.map(_jobs_of, doors) for job in jobs)


def _jobs_of(door: Door) -> tuple[Job, ...]:
    try:
        return Jobs(door).list()
    except EngineCallFailed:
        return ()


def find(doors: Sequence[Door], job_id: str) -> Jobs:
    """Return the jobs of the one environment that has a job of an ID.

    Raises:
        UsageError: No environment has one, or several have.
    """
    envs = [job.env for job in all_jobs(doors) if job.id == _checked(job_id)]
    if not envs:
        raise UsageError(
            f"no running environment has a job {job_id}", code="job.unknown", hint="`envspec job list` names them"
        )
    if len(envs) > 1:
        places = ", ".join(f"{env}/{job_id}" for env in envs)
        raise UsageError(f"several environments have a job {job_id}", code="job.ambiguous", hint=f"use one of {places}")
    return Jobs(next(door for door in doors if door.env == envs[0]))


def _checked(job_id: str) -> str:
    if not _ID.fullmatch(job_id):
        hint = "letters, digits, `_`, `.` and `-`, at most 63, a letter or a digit first"
        raise UsageError(f"{job_id[:60]} is not an ID of a job", code="job.id", hint=hint)
    return job_id


def _words(script: Script) -> tuple[str, ...]:
    return shell(("-c", script.text, "envspec", *script.args))


def archive(meta: dict[str, Any], words: Sequence[str], stdin: bytes) -> bytes:
    """Return a tar archive of what a job is made of, as ``scripts/job_start.sh`` reads it.

    Args:
        meta: What is told of the job later, as JSON.
        words: The command; as shell text, for no other form takes line breaks and any bytes.
        stdin: What it reads.
    """
    files = {
        "meta": json.dumps(meta).encode() + b"\n",
        "command": os.fsencode(f"set -- {shlex.join(words)}\n"),
        "enter": entering().encode(),
        "supervise": with_tree("job", "oom", "job_supervise").text.encode(),
    }
    if stdin:
        files["stdin"] = stdin
    return pack((name, content, 0o600, 0, 0) for name, content in files.items())


def whole_characters(output: bytes) -> bytes:
    """Return output without a last character of UTF-8 that is not complete."""
    for back in range(1, min(4, len(output)) + 1):
        byte = output[-back]
        if byte & 0b1100_0000 == 0b1100_0000:
            width = 2 + (byte >= 0b1110_0000) + (byte >= 0b1111_0000)
            return output[:-back] if back < width else output
        if byte < 0b1000_0000:
            break
    return output


def _readable(word: str) -> str:
    return word.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _time(seconds: str) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z") if seconds.isdigit() else ""
