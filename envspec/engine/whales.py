"""Changing a Docker engine, and the only import of python-on-whales.

python-on-whales knows the command line's words; what it lacks, ENGINE-FACTS by measurement, is added here: every call
gets a deadline from ``timeout``, no object or exception of its own leaves this file (its exceptions carry whole command
lines, its objects ask the engine again on every look), and what it has no form for (standard input, several aliases,
streamed progress) runs in our own runner.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from envspec.engine import bootstrap, held, inspect, shelf
from envspec.engine.choice import docker_proxies
from envspec.engine.client import DEADLINE
from envspec.engine.dialect import DOCKER, Dialect
from envspec.engine.inspect import USED, USER_LABEL
from envspec.engine.mutex import GUARD_LABEL, QUIET, MutexClient
from envspec.engine.new_volumes import Claim, claims, container_name
from envspec.engine.objects import LINE, Build, ContainerConfig, Limits
from envspec.engine.operations import Completed
from envspec.engine.options import create_options, plain, quoted
from envspec.engine.orphans import end_compose
from envspec.engine.part import Part
from envspec.engine.private import in_memory
from envspec.engine.runner import SETTLED, Runner
from envspec.engine.stack import ComposeUp
from envspec.errors import EngineCallFailed, EngineNotReady, EngineTimeout, Where
from envspec.model import Hidden
from envspec.scratch import scratch

if TYPE_CHECKING:
    from python_on_whales import DockerClient

T = TypeVar("T")

PULL_DEADLINE = 1800.0
"""Seconds for pulling an image."""

BUILD_DEADLINE = 3600.0
"""Seconds for building or bootstrapping one."""

IMPORT_DEADLINE = 600.0
"""Seconds for importing a bootstrapped archive."""

RACES = 6
"""Tries to make a network that others of the same name are made beside."""

RACE_PAUSE = 0.2
"""Seconds that the first pause between two of them takes at most; each later one may take as much longer."""

_NO_ADDRESSES = re.compile(r"non-overlapping|no available network|free subnet|address pools? .*fully subnetted")
_SHOWN = 8
_NO_NETWORK = re.compile(r"network (\S+) not found")
_KILL_AFTER = 5
_TIMED_OUT = (124, 137)
_TAIL = 20


class WhalesEngine(MutexClient):
    """A Docker engine; keeps the contract of :class:`envspec.engine.base.Engine`.

    Args:
        runner: Starts the engine's command, and counts what python-on-whales starts; a new one when none is given.
        command: The engine's command, with options that lead to the engine.
        dialect: How that command is spoken to.
        remote: Address of an engine that does not see this host's files, "" when it does.
        rootless: Whether the engine runs without root; ``None`` where it is to be asked.
        socket: Path of the socket of this host that leads to the engine, "" where the engine is this host's anyway.
    """

    def __init__(  # noqa: PLR0913 - the way to an engine
        self,
        runner: Runner | None = None,
        command: Sequence[str] = ("docker",),
        dialect: Dialect = DOCKER,
        *,
        remote: str = "",
        rootless: bool | None = False,
        socket: str = "",
    ) -> None:
        super().__init__(runner, command, dialect, remote=remote, rootless=rootless, socket=socket)
        self._prefix = ("timeout", f"--kill-after={_KILL_AFTER}")
        self._composing = threading.Lock()
        self._mutexes = {}

    # ── containers ───────────────────────────────────────────────────────────────────────────────────────────────

    def create_container(self, name: str, config: ContainerConfig, labels: Mapping[str, str]) -> str:
        """Create a container, not started, and return its ID."""
        given = {**labels, USER_LABEL: config.user, **self._dialect.labels(config)}
        options = self._dialect.options(create_options(config), config) | {"labels": given}
        options["envs"] = self._blanks | options["envs"]

        def create(docker: DockerClient) -> str:
            return docker.container.create(config.image, list(config.command), name=name, pull="never", **options).id

        what = f"cannot create the container {name}"
        container_id = self._call(what, ("create",), create, where=name, through=self._creator)
        self._hold_image(config.image, container_id)
        variables = self._image_variables.get(config.image)
        if variables is not None:
            self._remember(container_id, {"Config": {"WorkingDir": config.workdir, "Env": variables}})
        return container_id

    def _hold_image(self, ref: str, container_id: str) -> None:
        """Keep a container's image from going with its name, where the engine would let it: see :mod:`held`."""
        with self._lock:
            known = ref in self._image_variables
        if not known:
            self.images([ref])
        if ref in self._fleeting:
            self._run("image", "tag", ref, held.reference(container_id))

    @property
    def _blanks(self) -> dict[str, str]:
        """Return empty variables in the place of the proxies that the command would write into a container."""
        return dict.fromkeys(docker_proxies(), "") if self.name == "docker" else {}

    @property
    def _creator(self) -> tuple[str, ...]:
        """Return the command by which containers are created."""
        return (*self._dialect.creator, *self._command)

    def start(self, container_id: str) -> None:
        """Start a container; one that runs is left alone."""
        self._call("cannot start the container", ("container", "start"), lambda d: d.container.start(container_id))

    def stop(self, container_id: str, grace: int = 5) -> None:
        """Stop a container, killing it after ``grace`` seconds; Docker 28 renamed the long form of the option."""
        completed = self._run("container", "stop", "-t", str(grace), "--", container_id, deadline=DEADLINE + grace)
        if completed.code:
            raise self._refused("cannot stop the container", completed)

    def unpause(self, container_id: str) -> None:
        """Let a paused container go on."""
        self._call(
            "cannot let the container go on", ("container", "unpause"), lambda d: d.container.unpause(container_id)
        )

    def remove_container(self, container_id: str, *, borrows: bool = False) -> None:
        """Kill and remove a container with its anonymous volumes; one that is gone is left alone.

        Those that it took over from another container have a name as far as the engine knows: they are removed here.
        The engine refuses to remove what another container uses.
        """
        found = self._inspect("container", [container_id])
        taken = [mount.source for data in found if not borrows for mount in inspect.container(data).anonymous]
        self._remove("container", container_id, lambda d: d.container.remove(container_id, force=True, volumes=True))
        for data in filter(held.may_hold, found):
            self._run("image", "rm", held.reference(str(data["Id"])))
        if taken:
            self._run("volume", "rm", "--", *taken)

    def check_health(self, container_id: str) -> None:
        """Do nothing: Docker checks by itself."""

    def rename(self, container_id: str, name: str) -> None:
        """Give a container a new name."""
        what = f"cannot rename the container to {name}"
        self._call(what, ("container", "rename"), lambda d: d.container.rename(container_id, name), where=name)

    def update(self, container_id: str, limits: Limits) -> None:
        """Set limits in place."""
        given: dict[str, Any] = {
            "memory": limits.memory,
            "memory_swap": limits.memory_swap,
            "memory_reservation": limits.memory_reservation,
            "cpu_shares": limits.cpu_shares,
            "cpuset_cpus": limits.cpuset_cpus,
            "cpus": limits.cpus,
            "pids_limit": limits.pids,
            "restart": limits.restart,
        }
        what = "cannot set the container's limits"
        try:
            self._call(what, ("container", "update"), lambda d: d.container.update(container_id, **given))
        except EngineCallFailed as error:
            used = self.usage([container_id]).get(container_id) if limits.memory else None
            if used is None or limits.memory is None or used.memory < limits.memory:
                raise
            raise EngineCallFailed(
                f"{what}: {_mebibytes(used.memory)} are in use, more than the {_mebibytes(limits.memory)} of `memory`",
                code="engine.memory_in_use",
                hint="end what uses it, or ask for more `memory`",
                where=error.where,
            ) from None

    # ── networks and volumes ─────────────────────────────────────────────────────────────────────────────────────

    def connect(self, network_id: str, container_id: str, aliases: Sequence[str]) -> None:
        """Attach a container to a network. Runs in our own runner: several aliases are one too many for the library."""
        flags = [part for alias in aliases for part in ("--alias", alias)]
        completed = self._run("network", "connect", *flags, "--", network_id, container_id)
        if completed.code:
            raise self._refused("cannot connect the container to the network", completed)

    def disconnect(self, network_id: str, container_id: str) -> None:
        """Detach a container from a network."""
        what = "cannot disconnect the container from the network"
        self._call(what, ("network", "disconnect"), lambda d: d.network.disconnect(network_id, container_id))

    def create_network(self, name: str, labels: Mapping[str, str], *, internal: bool = False) -> str:
        """Create a bridge network and return its ID; the library has no form for an internal one.

        Docker before 26 lets two of one name be made at once. Whoever sees another one takes back their own and tries
        again after a while of their own: the last of several sees all the others.
        """
        words = ["--driver", "bridge", *(["--internal"] if internal else [])]
        for key, value in sorted(labels.items()):
            words += ["--label", f"{key}={value}"]
        for attempt in range(1, RACES + 1):
            made = self._create_network(name, words)
            if self.name != "docker" or not self._has_rival(name, made):
                return made
            self.remove_network(made)
            time.sleep(random.uniform(0, attempt * RACE_PAUSE))
        raise EngineCallFailed(
            f"cannot create the network {name}: others of this name are being made all the time",
            where=Where(address=name),
        )

    def _create_network(self, name: str, words: Sequence[str]) -> str:
        completed = self._run("network", "create", *words, "--", name)
        if completed.code and _NO_ADDRESSES.search(self._said(completed)):
            raise self._without_addresses(name)
        if completed.code:
            raise self._refused(f"cannot create the network {name}", completed, where=name)
        return completed.stdout.decode().strip()

    def _has_rival(self, name: str, made: str) -> bool:
        words = ("network", "ls", "--no-trunc", "--quiet", "--filter", f"name=^{re.escape(name)}$")
        return not {made}.issuperset(self._listed(*words).split())

    def _without_addresses(self, name: str) -> EngineCallFailed:
        """Return the error of a network for which the engine has no addresses left, with those that nobody uses."""
        own = {"bridge", "host", "none", "podman"}
        others = [network for network in self.networks() if network.name not in own]
        unused = [network.name for network in others if not self.network_users(network.id)]
        free = f"{self.name} network rm {' '.join(sorted(unused)[:_SHOWN])}" if unused else "envspec list"
        told = f"removes {'some that nobody uses' if len(unused) > _SHOWN else 'those that nobody uses'}"
        return EngineCallFailed(
            f"cannot create the network {name}: the engine's address ranges are used up by {len(others)} networks",
            code="engine.no_addresses",
            hint=f"`{free}` {told if unused else 'names environments to destroy'}; or give the engine more ranges",
            where=Where(address=name),
        )

    def remove_network(self, network_id: str) -> None:
        """Remove a network; one that is gone is left alone."""
        self._remove("network", network_id, lambda d: d.network.remove(network_id))

    def create_volume(
        self, name: str, labels: Mapping[str, str], *, driver: str = "local", options: Mapping[str, str] | None = None
    ) -> None:
        """Create a volume. Runs in our own runner: the library asks the engine again for what it has just made."""
        flags = [part for key, value in sorted(labels.items()) for part in ("--label", f"{key}={value}")]
        flags += [part for key, value in sorted((options or {}).items()) for part in ("--opt", f"{key}={value}")]
        completed = self._run("volume", "create", "--driver", driver, *flags, "--", name)
        if completed.code:
            raise self._refused(f"cannot create the volume {name}", completed, name)

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is left alone."""
        self._remove("volume", name, lambda d: d.volume.remove(name))

    # ── images ───────────────────────────────────────────────────────────────────────────────────────────────────

    def pull(self, ref: str, on_line: LINE | None = None, *, origin: str = "") -> None:
        """Pull an image from its registry, or from a mirror, whose name for it is gone afterwards."""
        source = self._dialect.full_name(origin or ref)
        known = bool(origin and self.images([source]))
        argv = [*self._command, "image", "pull", "--", source]
        self._stream(f"cannot pull {source}", argv, PULL_DEADLINE, on_line, code="engine.pull_failed", where=ref)
        if origin:
            self.tag(source, self._dialect.full_name(ref))
        if origin and not known:
            self.remove_image(source)

    def bootstrap(
        self, recipe: str, ref: str, labels: Mapping[str, str], on_line: LINE | None = None, *, sources: bytes = b""
    ) -> None:
        """Make a base image from the distribution's package mirror, or from another."""
        lacking = bootstrap.missing(recipe)
        if lacking:
            raise EngineNotReady(
                f"the host lacks what it takes to bootstrap {recipe}: {', '.join(lacking)}",
                code="engine.no_bootstrap",
                hint="envspec preflight --fix",
            )
        changes = [*bootstrap.IMPORT_CHANGES, *(f"LABEL {quoted(k)}={quoted(v)}" for k, v in sorted(labels.items()))]
        with scratch() as directory:
            tar = directory / "root.tar"
            what = f"cannot bootstrap {recipe}"
            self._stream(
                what,
                bootstrap.argv(recipe, tar, mirrored=bool(sources)),
                BUILD_DEADLINE,
                on_line,
                stdin=sources,
                code="engine.bootstrap_failed",
            )
            self._call(
                f"cannot import {ref}",
                ("image", "import"),
                lambda d: d.image.import_(tar, tag=ref, changes=changes),
                deadline=IMPORT_DEADLINE,
                where=ref,
            )

    def build(self, build: Build, on_line: LINE | None = None) -> None:
        """Build an image; its secrets lie on no disk.

        A Dockerfile on standard input would be left among the temporary files by buildx 0.13.
        """
        with contextlib.ExitStack() as held:
            context = held.enter_context(scratch())
            told, words = _labelled(build, self._dialect)
            (context / "Dockerfile").write_text(told, encoding="utf-8")
            argv = [*self._command, *self._dialect.build, "--tag", build.tag, *words]
            for identity, content in sorted(build.secrets.items()):
                path = held.enter_context(in_memory(content))
                argv += ["--secret", f"id={plain(identity)},src={plain(str(path))}"]
            argv += ["--no-cache"] if build.no_cache else []
            self._stream(
                f"the build of {build.tag} failed",
                [*argv, str(context)],
                BUILD_DEADLINE,
                on_line,
                code="engine.build_failed",
                where=build.tag,
            )

    def tag(self, image_id: str, ref: str) -> None:
        """Give an image one more reference."""
        self._call(f"cannot tag the image {ref}", ("image", "tag"), lambda d: d.image.tag(image_id, ref), where=ref)

    def mark_used(self, refs: Sequence[str]) -> None:
        """Give images the references that they have, which Docker remembers the time of; one that is gone stays so.

        Docker's containerd store leaves the time of a reference that means the same image already. There an image gets
        a second one, taken away and given again each time: the newest time of all its references counts.
        """
        for ref in refs:
            before = self._tagged(ref)
            self._run("image", "tag", ref, ref)
            if before and self._tagged(ref) == before:
                self._run("image", "rm", f"{ref}{USED}")
                self._run("image", "tag", ref, f"{ref}{USED}")

    def _tagged(self, ref: str) -> str:
        """Return when a reference to an image was given last, "" where nobody knows."""
        found = self._inspect("image", [ref])
        return Part(found[0] if found else None).part("Metadata").text("LastTagTime")

    def release_images(self) -> None:
        """Remove the references by which containers that are gone kept their images."""
        tags = self._listed("image", "ls", "--filter", f"reference={held.REPOSITORY}", "--format", "{{.Tag}}").split()
        if not tags:
            return
        boxes = self._listed("ps", "--all", "--quiet", "--no-trunc").split()
        if orphans := held.without_container(tags, boxes):
            self._run("image", "rm", "--", *orphans)

    def remove_image(self, ref: str) -> None:
        """Remove a reference, and the image with its last one; one that is gone is left alone.

        What :meth:`mark_used` gave goes first: the engine refuses to remove only the last one of an image in use.
        """
        if self.name == "docker":
            self._run("image", "rm", f"{ref}{USED}")
            if self._is_held(ref):
                self.release_images()
                if self._is_held(ref):
                    raise EngineCallFailed(
                        f"cannot remove the image {ref[:60]}: a container uses it",
                        hint="remove its container first",
                        where=Where(address=ref),
                    )
        self._remove("image", ref, lambda d: d.image.remove(ref))

    def _is_held(self, ref: str) -> bool:
        """Say whether only containers would keep an image without a reference."""
        return any(held.keeps_alone(image, ref) for image in self._inspect("image", [ref]))

    # ── services ─────────────────────────────────────────────────────────────────────────────────────────────────

    def compose_up(self, up: ComposeUp, on_line: LINE | None = None) -> None:
        """Make one service of a project run; the document, which may hold secrets, lies on no disk."""
        with self._composing, self._composer() as command, in_memory(up.document) as path:
            if wanted := self._claims(up):
                self._compose_up_again(up, command, path, on_line, start=False)
                for claim in wanted:
                    self.give_new_volume(container_name(up.document, up.project, up.service), claim)
                up = replace(up, recreate=False, build=False)
            self._compose_up_again(up, command, path, on_line, start=True)

    def _claims(self, up: ComposeUp) -> tuple[Claim, ...]:
        """Return the volumes that a service must be given before it is started."""
        return claims(up.document, up.service)

    def _compose_up_again(
        self, up: ComposeUp, command: tuple[str, ...], path: Path, on_line: LINE | None, *, start: bool
    ) -> None:
        """Run Compose, and once more where it overlooked a network."""
        try:
            self._compose_up(up, command, path, on_line, start=start)
        except EngineCallFailed as error:
            if not self._overlooks_a_network(error):
                raise
            self._compose_up(up, command, path, on_line, start=start)

    def _overlooks_a_network(self, error: EngineCallFailed) -> bool:
        """Say whether the engine did not find a network that is there: Docker 20.10 may, while others come and go."""
        missing = _NO_NETWORK.search(error.message)
        return missing is not None and any(network.name == missing[1] for network in self.networks())

    def _compose_up(
        self, up: ComposeUp, command: tuple[str, ...], path: Path, on_line: LINE | None, *, start: bool
    ) -> None:
        def bring_up(docker: DockerClient) -> None:
            for _, line in docker.compose.up(
                [up.service],
                detach=start,
                start=start,
                dependencies=False,
                build=up.build,
                force_recreate=up.recreate,
                pull="missing",
                color=False,
                stream_logs=True,
            ):
                if on_line is not None:
                    on_line(self._runner.redactor.text(line.decode(errors="replace").strip()))

        self._call(
            f"Compose cannot bring {up.service} up",
            ("compose", "up"),
            bring_up,
            deadline=BUILD_DEADLINE,
            where=f"service.{up.service}",
            through=command,
            compose={
                "compose_files": [path],
                "compose_project_name": up.project,
                "compose_project_directory": up.directory,
                "compose_env_files": ["/dev/null"],
            },
        )

    def shelve(self, env: str, service: str, files: Mapping[str, Hidden]) -> None:
        """Let the shelf hold these files of a service, by name, and no others."""
        shelf.write(env, service, {name: content.text for name, content in files.items()})

    def end_orphans(self, env: str) -> None:
        """End the Compose that a killed apply left running on this host."""
        end_compose(env)

    @contextlib.contextmanager
    def _composer(self) -> Iterator[tuple[str, ...]]:
        """Yield the command whose sub-command ``compose`` works on this engine."""
        yield self._command

    # ── the mutex ────────────────────────────────────────────────────────────────────────────────────────────────

    def _make_mutex(self, name: str, image: str, labels: Mapping[str, str]) -> str:
        """Create the container that is a mutex; one of several who do wins.

        Runs in our own runner: every change begins with it, and the library for all others loads meanwhile.
        """
        _preload()
        flags = [part for key, value in sorted(labels.items()) for part in ("--label", f"{key}={value}")]
        flags += [part for key in sorted(self._blanks) for part in ("--env", f"{key}=")]
        command = () if GUARD_LABEL in labels else ("lock",)
        words = ("create", "--name", name, *QUIET, *flags, "--", image, *command)
        completed = self._runner.run((*self._creator, *words), deadline=DEADLINE)
        if completed.code:
            raise self._refused("cannot make the lock", completed, name)
        return completed.stdout.decode(errors="replace").strip()

    def cancel(self) -> None:
        """End every call that is under way, from any thread; later calls raise ``Interrupted``."""
        self._runner.cancel()
        for pid in _children():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if Path(os.fsdecode(words[0])).name == self._prefix[0] and os.fsdecode(words[1]) == self._prefix[1]:
                    os.kill(pid, signal.SIGTERM)

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _call(  # noqa: PLR0913 -- one call says all about one command
        self,
        what: str,
        command: Sequence[str],
        action: Callable[[DockerClient], T],
        *,
        deadline: float = DEADLINE,
        where: str = "",
        through: Sequence[str] = (),
        compose: Mapping[str, Any] | None = None,
    ) -> T:
        """Do something with the library, and turn its failures into ours.

        Args:
            what: What could not be done, should it fail.
            command: The engine's sub-command, for the count of calls.
            action: Does it; what it returns must not be the library's.
            deadline: Seconds that it may take.
            where: Name of the object.
            through: Command that leads to the engine; its own when there is none.
            compose: What the library's client is to know of a Compose project.

        Raises:
            EngineCallFailed: The engine refused.
            EngineNotReady: The engine does not answer.
            EngineTimeout: The deadline passed.
            Interrupted: The work was cancelled.
        """
        self._runner.check()
        from python_on_whales import DockerClient, DockerException  # noqa: PLC0415 -- 190 ms that readers don't pay
        from python_on_whales.client_config import ClientNotFoundError  # noqa: PLC0415 -- the same

        # With the value 1 the library prints the whole environment, whatever secrets it holds.
        os.environ.pop("PYTHON_ON_WHALES_DEBUG", None)
        os.environ.update(SETTLED)
        self._runner.note([*self._command, *command])
        call = [*self._prefix, f"{deadline:g}", *(through or self._command)]
        docker = DockerClient(client_call=call, **(compose or {}))
        try:
            return action(docker)
        except DockerException as error:
            failed = Completed(error.return_code, stderr=(error.stderr or "").encode())
        except ClientNotFoundError:
            hint = "brew install coreutils" if sys.platform == "darwin" else "envspec preflight --fix"
            raise EngineNotReady("timeout (of coreutils) is not installed", hint=hint) from None
        except UnicodeDecodeError:
            failed = Completed(1, stderr=b"it said why in bytes that are no text")
        self._runner.check()
        if failed.code in _TIMED_OUT:
            self._check_ready()
            raise EngineTimeout(f"{what}: the engine did not answer within {deadline:g} s", where=Where(address=where))
        raise self._refused(what, failed, where)

    def _remove(self, kind: str, name: str, action: Callable[[DockerClient], None]) -> None:
        """Remove an object, content when it is gone anyway."""
        try:
            self._call(f"cannot remove the {kind} {name[:60]}", (kind, "rm"), action, where=name)
        except EngineCallFailed:
            if self._inspect(kind, [name]):
                raise

    def _stream(  # noqa: PLR0913 -- one call says all about one long run
        self,
        what: str,
        argv: Sequence[str],
        deadline: float,
        on_line: LINE | None,
        *,
        code: str,
        stdin: bytes = b"",
        where: str = "",
    ) -> None:
        """Run something long in our own runner, passing its progress on."""
        completed = self._runner.run(argv, stdin=stdin, deadline=deadline, on_line=on_line, keep=1 << 20)
        if completed.code:
            self._check_ready()
            text = (completed.stdout + completed.stderr).decode(errors="replace").strip().splitlines()
            tail = self._runner.redactor.text("\n".join(text[-_TAIL:]))
            raise EngineCallFailed(f"{what}:\n{tail}", code=code, where=Where(address=where))


def _labelled(build: Build, dialect: Dialect) -> tuple[str, list[str]]:
    """Return the Dockerfile and the options of a build that give an image its labels, every byte as it is."""
    labels = sorted(build.labels.items())
    if not dialect.expands_labels:
        return build.dockerfile, [part for key, value in labels for part in ("--label", f"{key}={value}")]
    lines = (f"LABEL {quoted(key)}={quoted(value)}\n" for key, value in labels)
    return "\n".join([build.dockerfile.rstrip("\n"), "".join(lines)]), []


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def _preload() -> None:
    """Load the library in the background."""
    threading.Thread(target=importlib.import_module, args=("python_on_whales",), daemon=True).start()


def _children() -> list[int]:
    """Return the PIDs of this process's own children, where the kernel tells them."""
    found: list[int] = []
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in path.read_text(encoding="ascii").split()]
    return found
