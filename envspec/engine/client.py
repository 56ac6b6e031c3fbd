"""Reading an engine, and entering its containers, by way of its command line and nothing heavier.

Nothing here imports python-on-whales or pydantic, so that reading and ``exec`` stay as fast as the bare command.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any

from envspec.engine import binds, held, inside, inspect, shelf, usage
from envspec.engine.capabilities import Versions, version_of
from envspec.engine.choice import no_answer
from envspec.engine.dialect import DOCKER, Dialect, rows
from envspec.engine.facts import Answer, Questions
from envspec.engine.inquiry import Inquiry
from envspec.engine.machine import Machine, machine_of
from envspec.engine.objects import (
    LABEL,
    LINE,
    LOCK_REPOSITORY,
    UNCOUNTED,
    UNLIMITED,
    ContainerState,
    ImageState,
    NetworkState,
    Port,
    StoredImage,
    VolumeState,
)
from envspec.engine.operations import (
    Completed,
    InstallDotfiles,
    Operation,
    ReadEnvironment,
    ReadState,
    RemoveDotfiles,
    RunCommand,
    SyncRepo,
)
from envspec.engine.part import Part
from envspec.engine.private import in_memory
from envspec.engine.publishing import published
from envspec.engine.runner import KEEP, NO_SIGNS, Runner, Signs
from envspec.engine.script import LOADER, Script, reap, shell, shielded
from envspec.engine.sight import Sight
from envspec.engine.stack import (
    ComposeConfig,
    ComposeSource,
    compose_version_argv,
    config_argv,
    config_environment,
    config_fault,
    config_of,
    env_file_text,
    variables_fault,
    variables_of,
    variables_source,
)
from envspec.errors import (
    EngineCallFailed,
    EngineFlooded,
    EngineNotReady,
    EngineTimeout,
    EnvspecError,
    Interrupted,
    Where,
)
from envspec.model import Hidden

DEADLINE = 60.0
"""Seconds for a call that only asks the engine."""

READY_DEADLINE = 10.0
"""Seconds in which an engine tells its version, unless it hangs."""

PROBE_DEADLINE = 120.0
"""Seconds for the probe, which may have to search a whole filesystem."""

PROBE_BEGINS = 20.0
"""Seconds within which a probe, which prints as it goes, has begun: one that has not is asked once more."""

REAP_DEADLINE = 20.0
"""Seconds for ending, inside, what a cut-off operation left running."""

SLOW_START = 10.0
"""Seconds for a container that was just started to let somebody in: an engine may call it running before it does."""

SLOW_START_PAUSE = 0.3
"""Seconds between two tries to enter it."""

KEPT_OUTPUT = 1024 * 1024
"""Bytes kept of what an operation printed; all of it passes through ``on_line``."""

MOST_ANSWERED = 32 * 1024 * 1024
"""Bytes of the longest answer of a probe, or of an operation that runs nobody's program: a container may lie."""

_CHATTY = (RunCommand, SyncRepo, InstallDotfiles, RemoveDotfiles)
_CANNOT_RUN = (126, 127)
"""How an exec ends whose program or directory is not there, or cannot be used: 127 since Docker 28, 126 before."""
_TOOLS = "its image needs /bin/sh, sleep, awk, find, sha256sum, stat and tar"
_NO_REASON = "no reason given"
_SAYS_NOTHING = (
    *("envspec-ended", "Run '", "See '", "Error: failed to start containers"),
    *("tar: Exiting with failure", "tar: Error is not recoverable"),
)


class Client:
    """Everything that is read of an engine, and what runs inside its containers.

    Keeps the contract of :class:`envspec.engine.base.Reader`.

    Args:
        runner: Starts the engine's command; a new one when none is given.
        command: The engine's command, with options that lead to the engine, such as ``--context``.
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
        self._rootless = rootless
        self._socket = socket
        self._machine: Machine | None = None
        self._sight: Sight | None = None
        self._runner = runner or Runner()
        self._command = tuple(command)
        self._dialect = dialect
        self._remote = remote
        self._workspaces: dict[str, str] = {}
        self._resolved: dict[ComposeSource, ComposeConfig | EnvspecError] = {}
        self._variables: dict[tuple[bytes, ...], Mapping[str, str]] = {}
        self._versions: Versions | None = None
        self._loaders: dict[str, str] = {}
        self._image_variables: dict[str, Sequence[str]] = {}
        self._fleeting: set[str] = set()
        self._counts_swap: bool | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Return ``docker`` or ``podman``."""
        return self._dialect.name

    @property
    def command(self) -> tuple[str, ...]:
        """Return the engine's command, with the options that lead to the engine."""
        return self._command

    @property
    def remote(self) -> str:
        """Return the address of an engine that does not see this host's files, "" when it does."""
        return self._remote

    @property
    def rootless(self) -> bool:
        """Return whether the engine runs without root, as the user whom it serves."""
        with self._lock:
            known = self._rootless
        if known is None:
            known = self.machine().rootless if self._socket else self._told_rootless()
            with self._lock:
                self._rootless = known
        return known

    def _told_rootless(self) -> bool:
        """Ask an engine whose socket is not here whether it runs without root."""
        return b"name=rootless" in self._run("info", "--format", "{{json .SecurityOptions}}").stdout

    @property
    def alias(self) -> str:
        """Return what goes by another engine's name and led to this one, "" where nothing did."""
        return ""

    def machine(self) -> Machine:
        """Return the machine that the engine runs on, asked through its socket where that is not known."""
        with self._lock:
            if self._machine is None:
                told = Machine(system=self._remote, here=not self._remote)
                self._machine = machine_of(self._socket) if self._socket else told
            return self._machine

    def sees(self, paths: Sequence[str]) -> Mapping[str, bool]:
        """Say of paths of this host whether the engine sees what lies there."""
        machine = self.machine()
        if machine.here:
            return dict.fromkeys(paths, True)
        with self._lock:
            sight = self._sight = self._sight or Sight(machine, self._run, self._remove_look, self._shells)
        answers = {path: sight.of(path) for path in paths}
        return {path: seen for path, seen in answers.items() if seen is not None}

    def _shells(self) -> Sequence[str]:
        """Return the IDs of the images that are here, those of envspec first; the mutex's own have no shell."""
        listed = self._listed("image", "ls", "--no-trunc", "--format", "{{.Repository}}\t{{.ID}}").splitlines()
        found = [(name, id) for name, _, id in (line.partition("\t") for line in listed) if name != LOCK_REPOSITORY]
        return tuple(dict.fromkeys(id for _, id in sorted(found, key=lambda one: not one[0].startswith("envspec/"))))

    def _remove_look(self, name: str) -> None:
        self._runner.run([*self._command, "rm", "--force", "--", name], deadline=DEADLINE, regardless=True)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def containers(self, env: str = "", names: Sequence[str] = ()) -> tuple[ContainerState, ...]:
        """Return the containers of an environment, or of all, and those that bear the names, sorted by name."""
        listed = self._dialect.read_containers(self._listed(*self._dialect.containers))
        chosen = [row.id for row in listed if (row.env == env if env else row.env) or not row.names.isdisjoint(names)]
        found = self._inspect("container", chosen)
        for one in found:
            self._remember(Part(one).text("Id"), one)
        states = (self._counted(inspect.container(self._dialect.describe(one))) for one in found)
        return tuple(sorted(states, key=lambda state: state.name))

    def _counted(self, state: ContainerState) -> ContainerState:
        """Tell swap without a limit from swap that the host does not count: Docker writes the same for both."""
        if state.config.swap != UNLIMITED:
            return state
        with self._lock:
            known = self._counts_swap
        if known is None:
            known = self._run("info", "--format", "{{.SwapLimit}}").stdout.strip() != b"false"
            with self._lock:
                self._counts_swap = known
        return state if known else replace(state, config=replace(state.config, swap=UNCOUNTED))

    def images(self, refs: Sequence[str]) -> Mapping[str, ImageState]:
        """Return those of the references, or IDs, that exist locally."""
        wanted = sorted({*refs})
        found = self._inspect("image", wanted)
        matches = {ref: data for ref in wanted if (data := inspect.find_image(found, ref)) is not None}
        with self._lock:
            self._image_variables.update({ref: _env_of(data) for ref, data in matches.items()})
            self._fleeting.update(ref for ref, data in matches.items() if held.is_fleeting(data))
        return {ref: inspect.image(data) for ref, data in matches.items()}

    def stored_images(self) -> tuple[StoredImage, ...]:
        """Return the images of purposes and the bootstrapped bases, sorted by their first reference."""
        ours = self._listed("image", "ls", "--quiet", "--no-trunc", "--filter", f"label={LABEL}kind").split()
        boxes = self._listed("ps", "--all", "--quiet", "--no-trunc").split() if ours else []
        images, containers = self._inspect("image", sorted({*ours})), self._inspect("container", boxes)
        return inspect.stored_images(images, containers, inspect.is_shared)

    def networks(self) -> tuple[NetworkState, ...]:
        """Return all networks, sorted by name, then ID."""
        networks = self._dialect.read_networks(self._listed(*self._dialect.networks))
        return tuple(sorted(networks, key=lambda network: (network.name, network.id)))

    def network_users(self, network_id: str) -> tuple[str, ...]:
        """Return the names of the containers, stopped ones too, that are attached to a network, sorted."""
        listed = self._listed("ps", "--all", "--filter", f"network={network_id}", "--format", "{{json .Names}}")
        return tuple(sorted(row[0] for row in rows(listed, 1) if isinstance(row[0], str)))

    def publishers(self) -> Mapping[str, tuple[Port, ...]]:
        """Return the ports of the host that running containers hold, whoever made them, by the container's name."""
        rows = self._listed("ps", "--format", "{{.Names}}\t{{.Ports}}").splitlines()
        return {name: published(ports) for name, _, ports in (row.partition("\t") for row in rows)}

    def volumes(self) -> tuple[VolumeState, ...]:
        """Return all named volumes, sorted by name."""
        volumes = self._dialect.read_volumes(self._listed(*self._dialect.volumes))
        return tuple(sorted(volumes, key=lambda volume: volume.name))

    def probe(self, container_id: str, questions: Questions) -> Answer:
        """Answer questions about the inside of a running container, in one exec."""
        return self.inquire(container_id).ask(questions)

    def inquire(self, container_id: str) -> Inquiry:
        """Go inside a running container, to be asked what is there once the questions are known."""

        def enter(script: Script, questions: bytes | IO[bytes], signs: Signs) -> Completed:
            token = secrets.token_hex(8)
            limited = replace(signs, most=MOST_ANSWERED)
            try:
                return self._enter(
                    container_id, script, deadline=PROBE_DEADLINE, token=token, stdin=questions, signs=limited
                )
            except EngineFlooded:
                raise self._cut_short(container_id, token) from None

        return Inquiry(
            enter,
            PROBE_BEGINS,
            lambda completed: self._no_entry(container_id, completed),
            self._slow_start(container_id),
        )

    def replaced_binds(self, containers: Sequence[ContainerState]) -> Mapping[str, tuple[str, ...]]:
        """Return, by container ID, the targets of binds whose source is another file or directory by now."""
        same = not self._remote and any(box.pid for box in containers) and self.machine().here
        found = {box.id: self._replaced(box) for box in containers if box.pid} if same else {}
        return {id: targets for id, targets in found.items() if targets}

    def _replaced(self, box: ContainerState) -> tuple[str, ...]:
        mounts = box.config.mounts
        try:
            return binds.replaced(box.pid, mounts)
        except binds.Hidden:
            targets = [mount.target for mount in mounts if mount.type == "bind"]
        words = ("exec", "--user", "0", box.id, "/bin/sh", "-c", binds.ASK, "envspec", *targets)
        completed = self._run(*words)
        answer = completed.stdout.decode(errors="surrogateescape")
        return () if completed.code else binds.replaced_by_answer(mounts, answer)

    def usage(self, container_ids: Sequence[str]) -> Mapping[str, usage.Usage]:
        """Return what running containers use of the host at the moment, by ID; one that is gone is left out."""
        form = "json" if self.name == "podman" else "{{json .}}"
        completed = self._run("stats", "--no-stream", "--format", form, "--", *container_ids)
        found = usage.read(completed.stdout.decode(errors="replace").strip()) if not completed.code else ()
        return {id: one for id in container_ids for one in found if one.container and id.startswith(one.container)}

    def logs(self, container_id: str, lines: int) -> str:
        """Return the last lines that a container's main process printed, "" when the container is gone."""
        completed = self._run("logs", "--tail", str(lines), "--", container_id)
        if completed.code and not self._inspect("container", [container_id]):
            return ""
        said = (completed.stdout + completed.stderr).decode(errors="replace")
        return self._runner.redactor.text(said).strip()

    def hide(self, text: str) -> None:
        """Mask a secret, from now on, in all that operations print and errors tell."""
        self._runner.redactor.add(text)

    def compose_config(self, source: ComposeSource) -> ComposeConfig:
        """Resolve a Compose document; the answer is kept, for one command may ask for it several times."""
        with self._lock:
            known = self._resolved.get(source)
        if isinstance(known, EnvspecError):
            raise known
        if known is not None:
            return known
        for _, value in source.secrets:
            self._runner.redactor.add(value)
        with in_memory(env_file_text(source.secrets)) as env_file:
            completed = self._resolve(source, str(env_file))
        said = self._runner.redactor.text(completed.stderr.decode(errors="replace"))
        if completed.code:
            fault = config_fault(said, source.project)
            if not isinstance(fault, EngineNotReady):
                with self._lock:
                    self._resolved[source] = fault
            raise fault
        resolved = config_of(completed.stdout.decode(errors="replace"), said)
        with self._lock:
            self._resolved[source] = resolved
        return resolved

    def compose_variables(self, files: Sequence[bytes]) -> Mapping[str, str]:
        """Read files of variables; the answer is kept, and what they hold lies on no disk of ours."""
        with self._lock:
            known = self._variables.get(tuple(files))
        if known is not None:
            return known
        with contextlib.ExitStack() as held:
            places = [str(held.enter_context(in_memory(text))) for text in files]
            completed = self._resolve(variables_source(places), os.devnull)
        if completed.code:
            said = completed.stderr.decode(errors="replace")
            fault = config_fault(said, "")
            raise fault if isinstance(fault, EngineNotReady) else variables_fault(said)
        found = variables_of(completed.stdout.decode(errors="replace"))
        with self._lock:
            self._variables[tuple(files)] = found
        return found

    def versions(self) -> Versions:
        """Return the versions of the engine and of its Compose, asked once."""
        with self._lock:
            known = self._versions
        if known is None:
            engine = self._run("version", "--format", "{{.Server.Version}}")
            compose = self._runner.run(compose_version_argv(self._resolver), deadline=DEADLINE)
            texts = (done.stdout.decode(errors="replace") for done in (engine, compose))
            known = Versions(*map(version_of, texts))
            with self._lock:
                self._versions = known
        return known

    def _resolve(self, source: ComposeSource, env_file: str) -> Completed:
        return self._runner.run(
            config_argv(self._resolver, source, env_file),
            stdin=source.text.encode(),
            deadline=DEADLINE,
            environ=config_environment(source, os.environ),
        )

    def shelf(self, env: str) -> str:
        """Return where what services bind lies in this host's memory, "" where the engine does not see that."""
        return "" if self._remote else str(shelf.directory(env))

    def shelved(self, env: str) -> Mapping[str, Hidden]:
        """Return what lies there, by ``SERVICE/NAME``."""
        return {} if self._remote else {key: Hidden(text) for key, text in shelf.read(env).items()}

    @property
    def _resolver(self) -> tuple[str, ...]:
        """Return the command whose sub-command ``compose`` resolves documents; it asks no engine."""
        return self._command

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────

    def perform(
        self, container_id: str, operation: Operation, *, deadline: float = 60.0, on_line: LINE | None = None
    ) -> Completed:
        """Do an operation inside a running container; see :meth:`envspec.engine.base.Engine.perform`."""
        script = inside.prepare(operation, self._workspace(container_id))
        binary = isinstance(operation, ReadState | ReadEnvironment)
        most = math.inf if isinstance(operation, _CHATTY) else KEEP if binary else MOST_ANSWERED
        repeatable = not isinstance(operation, RunCommand)
        return self.run_script(
            container_id, script, deadline=deadline, on_line=on_line, binary=binary, repeatable=repeatable, most=most
        )

    def run_script(  # noqa: PLR0913 -- one call says all about one operation
        self,
        container_id: str,
        script: Script,
        *,
        deadline: float = DEADLINE,
        on_line: LINE | None = None,
        binary: bool = False,
        repeatable: bool = False,
        most: float = KEEP,
    ) -> Completed:
        """Run one of the scripts as root inside a running container, in one exec.

        Args:
            container_id: The container, by ID or name.
            script: A script that begins with the prelude.
            deadline: Seconds after which it is ended, inside too.
            on_line: Takes its output while it runs, unless that is binary.
            binary: Whether its output is kept whole and as it is.
            repeatable: Whether running it twice does no harm: it is run again where the engine was slow to let it in.
            most: Bytes of output after which it is ended.

        Raises:
            EngineTimeout: The deadline passed; nothing of the script is left running inside.
            EngineFlooded: It printed too much; nothing of it is left running inside either.
            EngineCallFailed: The container is gone or does not run.
        """
        token = secrets.token_hex(8)
        proof = _proof(token)
        again = self._slow_start(container_id)
        while True:
            try:
                completed = self._enter(
                    container_id,
                    script,
                    deadline=deadline,
                    token=token,
                    on_line=None if binary else on_line,
                    keep=2 * KEEP if binary else KEPT_OUTPUT,
                    signs=Signs(proof=proof, most=most),
                )
            except (EngineTimeout, Interrupted):
                self._reap(container_id, token)
                raise
            except EngineFlooded:
                raise self._cut_short(container_id, token) from None
            codes = [line.removeprefix(proof) for line in completed.stderr.splitlines() if line.startswith(proof)]
            if codes:
                stdout = completed.stdout if binary else self._runner.redactor.data(completed.stdout)
                return Completed(int(codes[-1]), stdout)
            if not (repeatable and again(completed)):
                return self._cut_off(container_id, completed)

    def _workspace(self, container_id: str) -> str:
        """Return the container's working directory, asking once."""
        with self._lock:
            known = self._workspaces.get(container_id)
        if known is not None:
            return known
        found = self._inspect("container", [container_id])
        if not found:
            raise _gone(container_id)
        self._remember(container_id, found[0])
        return self._workspaces[container_id]

    def _remember(self, container_id: str, inspected: Mapping[str, Any]) -> None:
        """Keep a container's working directory, and the shell text that sets its variables of the loader."""
        pairs = (item.partition("=") for item in _env_of(inspected))
        loader = "".join(f"export {name}={shlex.quote(value)}; " for name, _, value in pairs if name in LOADER)
        with self._lock:
            self._workspaces[container_id] = Part(inspected).part("Config").text("WorkingDir") or "/"
            self._loaders[container_id] = loader

    def _enter(  # noqa: PLR0913 -- one call says all about one exec
        self,
        container_id: str,
        script: Script,
        *,
        deadline: float,
        token: str = "",
        on_line: LINE | None = None,
        keep: int = KEEP,
        regardless: bool = False,
        stdin: bytes | IO[bytes] = b"",
        signs: Signs = NO_SIGNS,
    ) -> Completed:
        """Run a script as root in one exec; what it reads is its own unless something else is given."""
        mark = ["--env", f"ENVSPEC_STEP={token}"] if token else []
        command = self._as_root(container_id, ("-c", script.text, "envspec", *script.args), "--interactive", *mark)
        proof = _proof(token).decode()

        def pass_on(line: str) -> None:
            if on_line is not None and not (token and line.startswith(proof)):
                on_line(line)

        listener = None if on_line is None else pass_on
        return self._runner.run(
            command,
            stdin=stdin or script.stdin,
            deadline=deadline,
            on_line=listener,
            keep=keep,
            regardless=regardless,
            signs=signs,
        )

    def _as_root(self, container_id: str, words: Sequence[str], *options: str) -> list[str]:
        """Return the command that runs a shell as root inside, out of reach for whoever works there.

        Args:
            container_id: The container.
            words: What the shell is given.
            options: More options of the exec.
        """
        with self._lock:
            loader = self._loaders.get(container_id, "")
        kept = ("--env", f"ENVSPEC_LOADER={loader}") if loader else ()
        return [
            *(*self._command, "exec", "--user", "0", "--workdir", "/", *shielded(), *kept, *options),
            *(container_id, *shell(words)),
        ]

    def _cut_short(self, container_id: str, token: str) -> EngineFlooded:
        """End what is left of a script that printed too much, and return the error that names its container."""
        self._reap(container_id, token)
        found = self._inspect("container", [container_id])
        name = str(found[0]["Name"]).removeprefix("/") if found else container_id[:12]
        return EngineFlooded(
            f"the inside of the container {name} was cut off: it printed more than it ever needs to",
            hint="its /bin/sh is not what it should be: start from another image, then `envspec apply`",
            where=Where(address=name),
        )

    def _reap(self, container_id: str, token: str, grace: int = 0) -> None:
        """End what an operation that was cut off left running inside; whatever fails here, the next apply does it."""
        try:
            script = reap(token, grace)
            self._enter(
                container_id,
                script,
                deadline=REAP_DEADLINE,
                token=secrets.token_hex(8),
                regardless=True,
                signs=Signs(most=MOST_ANSWERED),
            )
        except EnvspecError:
            return

    def _slow_start(self, container_id: str) -> Callable[[Completed], bool]:
        """Return what says of an exec that came to nothing whether to try again, after a pause that it makes.

        It says so where the container runs and the engine named no reason, for :data:`SLOW_START` seconds at most.
        """
        until = time.monotonic() + SLOW_START

        def again(completed: Completed) -> bool:
            silent = (
                completed.code in (0, *_CANNOT_RUN) and not completed.stdout and self._said(completed) == _NO_REASON
            )
            if not silent or time.monotonic() > until:
                return False
            found = self._inspect("container", [container_id])
            if not found or inspect.status_of(found[0]) != "running":
                return False
            time.sleep(SLOW_START_PAUSE)
            return True

        return again

    def _cut_off(self, container_id: str, completed: Completed) -> Completed:
        """Judge an exec that did not come to its own end: the container died, or only the operation did."""
        found = self._inspect("container", [container_id])
        alive = bool(found) and inspect.status_of(found[0]) == "running"
        if alive and completed.code not in (0, *_CANNOT_RUN):
            return Completed(completed.code, self._runner.redactor.data(completed.stdout), completed.stderr)
        raise self._no_entry(container_id, completed)

    def _no_entry(self, container_id: str, completed: Completed) -> EngineCallFailed:
        """Return the error of an exec that could not be done, by looking at the container."""
        found = self._inspect("container", [container_id])
        if not found:
            return _gone(container_id)
        status, name = inspect.status_of(found[0]), Part(found[0]).text("Name").removeprefix("/")
        if status != "running":
            code = Part(found[0]).part("State").number("ExitCode")
            unfit = status == "exited" and code in _CANNOT_RUN
            how = f"{status} with code {code}" if unfit else status
            return EngineCallFailed(
                f"the container {name} is {how}, so its inside cannot be reached",
                code="engine.not_running",
                hint=_TOOLS if unfit else "`envspec apply` starts it",
                where=Where(address=name),
            )
        return EngineCallFailed(
            f"the inside of the container {name} cannot be entered: {self._said(completed)}",
            code="engine.no_entry",
            hint=_TOOLS,
            where=Where(address=name),
        )

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, *args: str, stdin: bytes = b"", deadline: float = DEADLINE) -> Completed:
        try:
            return self._runner.run([*self._command, *args], stdin=stdin, deadline=deadline)
        except EngineTimeout:
            self._check_ready()
            raise

    def _listed(self, *args: str) -> str:
        """Run a command that lists, and return what it printed."""
        completed = self._run(*args)
        if completed.code:
            raise self._refused("the engine cannot list what it has", completed)
        return completed.stdout.decode(errors="replace")

    def _inspect(self, kind: str, names: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return the ``inspect`` of those of the objects that exist, in one call; none for no names."""
        if not names:
            return []
        completed = self._run(kind, "inspect", "--", *names)
        try:
            found = json.loads(completed.stdout)
        except (ValueError, RecursionError):
            raise self._refused(f"the engine cannot describe a {kind}", completed) from None
        found = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
        if completed.code and not found:
            self._check_ready()
        return found

    def _refused(self, what: str, completed: Completed, where: str = "") -> EngineCallFailed:
        """Return the error of a call that the engine refused; raise another where it does not answer at all."""
        self._check_ready()
        return EngineCallFailed(f"{what}: {self._said(completed)}", where=Where(address=where))

    def _said(self, completed: Completed) -> str:
        """Return the last line of what the engine printed, masked."""
        lines = completed.stderr.decode(errors="replace").strip().splitlines()
        telling = [line for line in lines if line and not line.startswith(_SAYS_NOTHING)]
        text = telling[-1] if telling else _NO_REASON
        return self._runner.redactor.text(text.removeprefix("Error response from daemon: ").removeprefix("Error: "))

    def _check_ready(self) -> None:
        """Raise :class:`envspec.errors.EngineNotReady` unless the engine answers."""
        argv = [*self._command, "version", "--format", "{{.Server.Version}}"]
        try:
            completed = self._runner.run(argv, deadline=READY_DEADLINE)
        except EngineTimeout:
            raise EngineNotReady(
                f"the engine does not answer: it has not reported its version within {READY_DEADLINE:g} s",
                code="engine.hangs",
                hint="look at its log, and start it again; `envspec preflight` asks it again",
            ) from None
        if completed.code == 0:
            return
        said = self._said(completed)
        if "permission denied" in said.lower():
            raise EngineNotReady(
                "you may not talk to the engine: permission denied on its socket",
                code="engine.permission",
                hint="join the docker group (`sudo usermod -aG docker $USER`) and log in again",
            )
        raise no_answer(said, self._command)


def _gone(container_id: str) -> EngineCallFailed:
    return EngineCallFailed(
        f"the container {container_id[:12]} is gone",
        code="engine.gone",
        hint="`envspec apply` makes it again",
        where=Where(address=container_id[:12]),
    )


def _env_of(inspected: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the variables, ``NAME=VALUE`` each, that a container or an image has."""
    return Part(inspected).part("Config").texts("Env")


def _proof(token: str) -> bytes:
    """Return the text with which an operation tells its exit code, on stderr, when it has come to its own end."""
    return f"envspec-ended {token} ".encode()
