"""Changing a Podman engine: what it does otherwise than Docker, and nothing else."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from envspec.engine import shim
from envspec.engine.capabilities import IN_PLACE
from envspec.engine.client import DEADLINE
from envspec.engine.dialect import PODMAN, PODMAN_ROOTLESS
from envspec.engine.inspect import NANO, status_of
from envspec.engine.new_volumes import Claim
from envspec.engine.objects import LINE, PAUSES, UNLIMITED, ContainerConfig, Limits
from envspec.engine.operations import Completed
from envspec.engine.part import Part
from envspec.engine.paths import Seen
from envspec.engine.podman_leftovers import remove_leftovers
from envspec.engine.podman_socket import MONITORS, api_socket
from envspec.engine.runner import Runner
from envspec.engine.stack import ComposeUp
from envspec.engine.whales import WhalesEngine
from envspec.errors import EngineCallFailed, EngineNotReady, Where

CGROUP_2 = Path("/sys/fs/cgroup/cgroup.controllers")
"""Exists where cgroups are of version 2, the only one that is delegated to users; cgroups(7)."""

SYSTEMD = Path("/run/systemd/system")
"""Exists where systemd runs the host; sd_booted(3)."""

DEFAULT_INTERVAL = 30.0
"""Seconds between two health checks, and for one, where an image or a document names none; Docker's."""

STOP_GRACE = "10s"
"""How long a service may take to end before it is killed, where its document says nothing; Docker's."""

DOCKER = "docker"

T = TypeVar("T")

HALF_IMAGE = 2.0
"""Seconds within which an image that is being made has its manifest; Podman writes both at its end."""

_HALF_IMAGE = re.compile(r"item named \"manifest\" for image with ID \"([0-9a-f]{64})\"")
"""What Podman 4 says, whatever image it is asked for, once a client was killed as it committed one."""

COPY_DEADLINE = 20.0
"""Seconds for asking whether a path exists in a container that does not run."""


class PodmanEngine(WhalesEngine):
    """A Podman engine; keeps the contract of :class:`envspec.engine.base.Engine`.

    Args:
        runner: As for :class:`envspec.engine.whales.WhalesEngine`.
        command: The engine's command, with options that lead to the engine.
        rootless: Whether it runs without root; as this process does when ``None``.
        alias: What goes by Docker's name and led to it, "" where nothing did.
    """

    def __init__(
        self,
        runner: Runner | None = None,
        command: Sequence[str] = ("podman",),
        *,
        rootless: bool | None = None,
        alias: str = "",
    ) -> None:
        unprivileged = os.geteuid() != 0 if rootless is None else rootless
        super().__init__(runner, command, PODMAN_ROOTLESS if unprivileged else PODMAN, rootless=unprivileged)
        self._checked: dict[str, float] = {}
        self._alias = alias

    @property
    def alias(self) -> str:
        """Return what goes by Docker's name and led here, "" where nothing did."""
        return self._alias

    def create_container(self, name: str, config: ContainerConfig, labels: Mapping[str, str]) -> str:
        """Create a container, unless its limits would be ignored: then the next plan would find them missing."""
        limited = (config.memory, config.cpus, config.pids) != (None, None, None)
        if limited and self.rootless and not CGROUP_2.exists():
            raise EngineCallFailed(
                "without root, Podman limits neither memory nor processes where cgroups are of version 1",
                code="engine.no_limits",
                hint="run envspec as root, boot with cgroups of version 2, or set `memory` and `pids` to none",
                where=Where(address=name),
            )
        create = super().create_container
        return self._past_leftovers(re.escape(name), lambda: create(name, config, labels))

    def _make_mutex(self, name: str, image: str, labels: Mapping[str, str]) -> str:
        make = super()._make_mutex
        return self._past_leftovers(re.escape(name), lambda: make(name, image, labels))

    def _past_leftovers(self, pattern: str, create: Callable[[], T]) -> T:
        """Create something, once more where a killed Podman had left a name taken."""
        try:
            return create()
        except EngineCallFailed:
            if not remove_leftovers(self._run, pattern):
                raise
        return create()

    def start(self, container_id: str) -> None:
        """Start a container. Docker makes a working directory that is not there; Podman refuses to start."""
        if (completed := self._start(container_id)).code and self._make_workdir(container_id):
            completed = self._start(container_id)
        if completed.code:
            raise self._refused("cannot start the container", completed)

    def _start(self, container_id: str) -> Completed:
        argv = [*self._command, "container", "start", "--", container_id]
        return self._runner.run(argv, deadline=DEADLINE, directory=MONITORS)

    def _refused(self, what: str, completed: Completed, where: str = "") -> EngineCallFailed:
        """Return the error of a call; an image that was cut off as it was made stops all that looks at images."""
        if half := _HALF_IMAGE.search(completed.stderr.decode(errors="replace")):
            command = " ".join((*self._command, "image", "rm", half[1][:12]))
            return EngineCallFailed(
                f"{what}: the image {half[1][:12]} is there in part, for what made it was killed",
                code="engine.half_image",
                hint=f"`{command}`, then run the same command again",
                where=Where(address=where),
            )
        return super()._refused(what, completed, where)

    def break_lock(self, env: str, owner: str) -> None:
        """Remove the mutex of a holder that died, and the image that died with it while it made a snapshot."""
        holder = self.lock_holder(env)
        super().break_lock(env, owner)
        if holder and holder.owner == owner and PAUSES in holder.notes:
            self._remove_half_image()

    def _remove_half_image(self) -> None:
        """Remove an image that stays half for longer than anybody takes who is about to make one."""
        until = time.monotonic() + HALF_IMAGE
        while half := _HALF_IMAGE.search(self._run("image", "ls", "--all").stderr.decode(errors="replace")):
            if time.monotonic() > until:
                self._run("image", "rm", half[1])
                return
            time.sleep(HALF_IMAGE / 10)

    @property
    def _start_directory(self) -> str:
        return MONITORS

    def stop(self, container_id: str, grace: int = 5) -> None:
        """Stop a container; Podman refuses to stop a paused one."""
        try:
            super().stop(container_id, grace)
        except EngineCallFailed:
            found = self._inspect("container", [container_id])
            if not found or status_of(found[0]) != "paused":
                raise
            self.unpause(container_id)
            super().stop(container_id, grace)

    def update(self, container_id: str, limits: Limits) -> None:
        """Set limits in place; where nothing is to be set Podman would say that it is done.

        Podman 4 changes the cgroup, does not tell it, and forgets it with the next start. Podman 5 tells what was set
        on a container that has ended once it is started again.
        """
        if limits == Limits():
            raise EngineCallFailed(f"there is no limit to set on the container {container_id[:12]}")
        if self.versions().engine < IN_PLACE["podman"].since:
            raise EngineCallFailed(
                f"this Podman cannot change the limits of the container {container_id[:12]} for good",
                hint="`envspec apply` makes a new container",
            )
        super().update(container_id, limits)

    def mark_used(self, refs: Sequence[str]) -> None:
        """Do nothing: Podman keeps no time of an image but that of its making."""

    def release_images(self) -> None:
        """Do nothing: Podman keeps the image of a container."""

    def create_volume(
        self, name: str, labels: Mapping[str, str], *, driver: str = "local", options: Mapping[str, str] | None = None
    ) -> None:
        """Create a volume; an existing one of the name is kept, where Podman would refuse."""
        try:
            super().create_volume(name, labels, driver=driver, options=options)
        except EngineCallFailed:
            if not self._inspect("volume", [name]):
                raise

    def compose_up(self, up: ComposeUp, on_line: LINE | None = None) -> None:
        """Make one service of a project run; a limit on processes that nobody asked for is none, as with Docker."""
        document = json.loads(up.document)
        service = document["services"][up.service]
        _spell_limits(service)
        service.setdefault("pids_limit", UNLIMITED)
        # Left out, it is 0 for what the API makes: a database would be killed at every stop.
        service.setdefault("stop_grace_period", STOP_GRACE)
        given = replace(up, document=json.dumps(document))
        names = rf"{re.escape(f'{up.project}-{up.service}-')}\d+"
        bring_up = super().compose_up
        self._past_leftovers(names, lambda: bring_up(given, on_line))

    def _claims(self, up: ComposeUp) -> tuple[Claim, ...]:  # noqa: ARG002 - the contract's
        """Return nothing: Podman gives a new volume to the user of the first container that mounts it."""
        return ()

    def check_health(self, container_id: str) -> None:
        """Check a container's health when it is due: Podman leaves that to timers of systemd, if there are any."""
        if SYSTEMD.is_dir():
            return
        found = self._inspect("container", [container_id])
        config = Part(found[0] if found else None).part("Config")
        check = config.part("Healthcheck")
        interval = check.number("Interval") / NANO or DEFAULT_INTERVAL
        now = time.monotonic()
        with self._lock:
            due = config.given("Healthcheck") and now - self._checked.get(container_id, -interval) >= interval
            if due:
                self._checked[container_id] = now
        if due:
            patience = check.number("Timeout") / NANO or DEFAULT_INTERVAL
            self._run("healthcheck", "run", container_id, deadline=DEADLINE + patience)

    @contextlib.contextmanager
    def _looking(self, inspected: Mapping[str, Any]) -> Iterator[Callable[[str], Seen]]:
        """Yield what says what is at a path of a container that does not run; its API tells more than its command."""
        from envspec.engine.podman_paths import look  # noqa: PLC0415 - only this pays for a client of HTTP

        with api_socket(self._runner, self._command, rootless=self.rootless) as address:
            yield functools.partial(look, address.removeprefix("unix://"), inspected)

    @property
    def _resolver(self) -> tuple[str, ...]:
        """Return Docker's command, which needs no engine of its own to resolve a document."""
        return (DOCKER,)

    @contextlib.contextmanager
    def _composer(self) -> Iterator[tuple[str, ...]]:
        """Yield Docker's command on Podman's socket; without BuildKit, which Compose would take from a registry."""
        if shutil.which(DOCKER) is None or shim.command_is_podman():
            raise EngineNotReady(
                "Compose works with Podman by way of Docker's own command, which is not installed",
                code="engine.no_compose",
                hint="envspec preflight --fix --engine podman",
            )
        with api_socket(self._runner, self._command, rootless=self.rootless) as address:
            yield ("env", "DOCKER_BUILDKIT=0", DOCKER, "--host", address)

    def _make_workdir(self, container_id: str) -> bool:
        """Make the working directory of a container that did not start; say whether it was missing."""
        found = self._inspect("container", [container_id])
        if not found or status_of(found[0]) not in ("created", "configured", "exited"):
            return False
        workdir = PurePosixPath(Part(found[0]).part("Config").text("WorkingDir") or "/")
        if self._has(container_id, workdir):
            return False
        # An entry for what is missing and no other: a directory copied onto one that exists changes its mode.
        missing = [workdir]
        while len((parent := missing[-1].parent).parts) > 1 and not self._has(container_id, parent):
            missing.append(parent)
        self._run("container", "cp", "-", f"{container_id}:/", stdin=_directories(missing), deadline=COPY_DEADLINE)
        return True

    def _has(self, container_id: str, path: PurePosixPath) -> bool:
        """Say whether a path exists in a container that need not run."""
        completed = self._runner.run(
            [*self._command, "container", "cp", f"{container_id}:{path}", "-"], deadline=DEADLINE, keep=1
        )
        return completed.code == 0


def _spell_limits(service: dict[str, Any]) -> None:
    """Write a service's limits in their short form: Compose takes no short one beside one of `deploy`."""
    shorts = {"memory": "mem_limit", "cpus": "cpus", "pids": "pids_limit"}
    resources = (service.get("deploy") or {}).get("resources") or {}
    limits = resources.get("limits") or {}
    if limits.keys() <= shorts.keys():
        resources.pop("limits", None)
        for long, value in limits.items():
            service[shorts[long]] = float(value) if long == "cpus" else value


def _directories(paths: Sequence[PurePosixPath]) -> bytes:
    """Return a tar archive of empty directories, parents first."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(paths):
            info = tarfile.TarInfo(str(path.relative_to("/")))
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
    return buffer.getvalue()
