"""What shall be inside the workspace: account, variables, files, repositories, commands, health."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field

from envspec import host as hosts
from envspec import hostpath
from envspec.engine.objects import Mount
from envspec.engine.operations import RunFile
from envspec.errors import Faults, SpecError
from envspec.forward import gh
from envspec.forward.values import Wish
from envspec.host import HostFacts
from envspec.host_network import cargo
from envspec.kinds import lease, names
from envspec.kinds.command import CommandSpec
from envspec.kinds.environment import EnvironmentSpec
from envspec.kinds.file import FileSpec
from envspec.kinds.health import HealthSpec
from envspec.kinds.loss import lies_below
from envspec.kinds.repo import RepoSpec
from envspec.kinds.user import UserSpec
from envspec.model import Hidden, Resource
from envspec.resolve import dotfiles, forward, home
from envspec.resolve.box import READ_ONLY_TMPFS, Place
from envspec.resolve.greeting import greeting
from envspec.resolve.user import Identity
from envspec.resolve.variables import passed, written
from envspec.spec.forms import ConfigFile
from envspec.spec.models import Spec

MAX_SOURCE_BYTES = 64 * 1024 * 1024
"""Largest file that ``source`` may name; it travels through memory."""

INSTALL_TIMEOUT = 1800.0
"""Seconds that one install command may take; as for a setup command that names no ``timeout``."""


@dataclass(frozen=True, slots=True)
class Inner:
    """What resolving the inside is given; ``auto_install`` is the shell text that ``install: auto`` stands for."""

    spec: Spec
    place: Place
    who: Identity
    mounted: tuple[Mount, ...]
    host: HostFacts
    services: tuple[str, ...] = ()
    auto_install: str = ""
    wished: Wish = field(default_factory=Wish)
    passes: str | tuple[str, ...] = "none"
    base: str = ""
    purpose_setup: tuple[str, ...] = ()


def resources(given: Inner) -> tuple[Resource, ...]:
    """Return everything inside, each after what it needs.

    Raises:
        SpecError: A ``source`` or a local repository cannot be had.
    """
    ground = _user(given)
    first = (*(r.address for r in ground), "environment.workspace")
    parts = _parts(given)
    environment = Resource("environment.workspace", "environment", parts.environment, first[:-1] or _CONTAINER)
    files, repos = parts.files, parts.repos
    paths = sorted(spec.path for spec in repos)
    early = [spec for spec in files if not any(lies_below(spec.path, path) for path in paths)]
    early_addresses = tuple(f"file.{spec.path}" for spec in early)
    found = [*ground, environment, *_lease(given, first)]
    found += [Resource(f"file.{spec.path}", "file", spec, (*_CONTAINER, *first)) for spec in early]
    own = _dotfiles(given, parts.dotfiles, (*_CONTAINER, *first, *early_addresses))
    before = (*first, *early_addresses, *(resource.address for resource in own))
    found += own
    for spec in sorted(repos, key=lambda repo: repo.path):
        outer = tuple(f"repo.{path}" for path in paths if path != spec.path and lies_below(spec.path, path))
        found.append(Resource(f"repo.{spec.path}", "repo", spec, (*_CONTAINER, *before, *outer)))
    for late in (spec for spec in files if spec not in early):
        holding = tuple(f"repo.{path}" for path in paths if lies_below(late.path, path))
        found.append(Resource(f"file.{late.path}", "file", late, (*_CONTAINER, *first, *holding)))
    found += _commands(given, repos, (*given.services, *(r.address for r in found)))
    if given.spec.health:
        everything = (*_CONTAINER, *given.services, *(r.address for r in found))
        found.append(Resource("health.workspace", "health", _health(given), everything))
    return tuple(found)


_CONTAINER = (names.WORKSPACE,)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the host has to have for it; ``dotfiles`` is the repository's URL as seen from inside, and the files."""

    environment: EnvironmentSpec
    files: list[FileSpec]
    repos: list[RepoSpec]
    dotfiles: tuple[str, tuple[FileSpec, ...]]


def _parts(given: Inner) -> _Parts:
    """Look for all that the host has to have, and report all that is missing at once."""
    faults = Faults()
    environment, files, repos, own = None, list[FileSpec](), list[RepoSpec](), ("", tuple[FileSpec, ...]())
    with faults:
        environment = _environment(given)
    with faults:
        files += _files(given)
    with faults:
        repos = _repos(given)
    with faults:
        own = _own(given)
    with faults:
        forward.check(given.spec, given.place, given.host.forwarded)
    faults.stop()
    assert environment is not None
    forwarded = _forwarded(given, (name for name, _ in environment.variables))
    return _Parts(environment, [*files, *_cargo(given), *forwarded], repos, own)


def _lease(given: Inner, needs: tuple[str, ...]) -> list[Resource]:
    """Return how long the environment is wanted, where the file says so."""
    if given.spec.ttl is None:
        return []
    return [Resource(lease.WORKSPACE, "lease", lease.LeaseSpec(given.spec.ttl), (*_CONTAINER, *needs[:-1]))]


def _user(given: Inner) -> list[Resource]:
    """Return the account; where the root filesystem is read-only it has no name. Root needs none, but may take over."""
    who = given.who
    own = tuple(mount.target for mount in given.mounted if mount.type == "volume" and not mount.read_only)
    if who.uid == 0 and not own:
        return []
    others = tuple(mount.target for mount in given.mounted if mount.target not in own)
    name = "" if given.spec.security.read_only else who.name
    return [Resource("user.workspace", "user", UserSpec(name, who.uid, who.gid, own, others), _CONTAINER)]


def _environment(given: Inner) -> EnvironmentSpec:
    """Return the author's variables over those that pass from the host, and over those by which tools reach out.

    All that comes from the host is hidden: a proxy's URL may carry credentials too.
    """
    reach = hosts.container_environment(given.host, given.base)
    variables: dict[str, str | Hidden] = dict(reach)
    passing = passed(given.passes, given.host)
    tokens = () if given.wished.gh or given.passes != "auto" else gh.VARIABLES
    variables.update({name: value for name, value in passing.items() if name not in tokens})
    variables.update(
        forward.variables(given.spec, given.host.forwarded, given.mounted, given.who, here=given.host.machine.here)
    )
    variables.update(written(given.spec, given.place, given.host))
    bundle = given.host.ca_bundle
    return EnvironmentSpec(
        variables=tuple(sorted(variables.items(), key=lambda pair: pair[0])),
        uid=given.who.uid,
        gid=given.who.gid,
        ca_digest=hashlib.sha256(bundle).hexdigest() if bundle else "",
        brought=tuple(name for name in reach if name not in given.spec.env and name not in passing),
        files=_run_files(given),
        trusted=() if given.spec.security.read_only else given.host.ca_extras,
    )


def _run_files(given: Inner) -> tuple[RunFile, ...]:
    """Return the files of the tmpfs: the user's own, and those that tell of the host's package indexes."""
    who = given.who
    network = (
        RunFile(name, text, 0o400, who.uid, who.gid) for name, text in given.host.network.files_for(given.base).items()
    )
    greeted = greeting(given.place.env, given.spec, given.services)
    return tuple(sorted((*forward.run_files(given.host.forwarded, who), *network, greeted), key=lambda file: file.path))


def _cargo(given: Inner) -> list[FileSpec]:
    """Return cargo's configuration where the host's cargo asks others; no variable can say all of it."""
    text = given.host.network.cargo
    if not text or given.spec.security.read_only or cargo.FILE in given.spec.config_files:
        return []
    return [FileSpec(cargo.FILE, text.encode(), 0o644, 0, 0)]


def _files(given: Inner) -> list[FileSpec]:
    found = []
    faults = Faults()
    writable = [*READ_ONLY_TMPFS, *(mount.target for mount in given.mounted if not mount.read_only)]
    for path, wish in sorted(given.spec.config_files.items()):
        if given.spec.security.read_only and not any(lies_below(path, root) for root in writable):
            faults.add(
                SpecError(
                    f"{path} cannot be written: the root filesystem is read-only",
                    code="spec.read_only",
                    hint=f"put it below one of {', '.join(sorted(writable))}, or take `read_only` out",
                    where=given.place.where("config_files", path),
                )
            )
        with faults:
            found.append(_file(given, wish, path, "config_files", path))
    faults.stop()
    return found


def _file(given: Inner, wish: ConfigFile, path: str, *at: str) -> FileSpec:
    """Return one file; ``at`` is where the author writes of it."""
    uid, gid = _owner(wish.owner, given.who)
    content = wish.content.encode() if wish.content is not None else _source(given, wish.source or "", *at)
    return FileSpec(path, content, wish.mode, uid, gid)


def _dotfiles(given: Inner, own: tuple[str, tuple[FileSpec, ...]], needs: tuple[str, ...]) -> tuple[Resource, ...]:
    """Return the user's own files in their home as resources."""
    wish = given.spec.dotfiles
    return () if wish is None or wish.skip else dotfiles.resources(wish, *own, given.who, needs)


def _own(given: Inner) -> tuple[str, tuple[FileSpec, ...]]:
    """Return where the repository of the user's own files is cloned from, "" for none, and those written inline."""
    wish = given.spec.dotfiles
    if wish is None or wish.skip:
        return "", ()
    if given.spec.security.read_only:
        raise SpecError(
            "dotfiles cannot be written: the root filesystem is read-only",
            code="spec.read_only",
            hint="take `read_only` or `dotfiles` out",
            where=given.place.where("dotfiles"),
        )
    faults = Faults()
    url, files = "", []
    with faults:
        url = _inner_url(given, wish.repo, "dotfiles", "repo") if wish.repo else ""
    for path, file in sorted(wish.inline.items()):
        with faults:
            files.append(_file(given, file, dotfiles.below_home(path, given.who), "dotfiles", "inline", path))
    faults.stop()
    return url, tuple(files)


def _forwarded(given: Inner, variables: Iterable[str]) -> list[FileSpec]:
    """Return the files that come from the host's user, but for those that the author writes."""
    found = given.host.forwarded
    entries = forward.git_entries(
        found, given.wished, variables, given.mounted, given.who, here=given.host.machine.here
    )
    specs = forward.files(given.spec, found, entries, given.who)
    return [spec for spec in specs if spec.path not in given.spec.config_files]


def _owner(owner: str, who: Identity) -> tuple[int, int]:
    if owner == "user":
        return who.uid, who.gid
    if owner == "root":
        return 0, 0
    uid, _, gid = owner.partition(":")
    return int(uid), int(gid or uid)


def _source(given: Inner, source: str, *at: str) -> bytes:
    file = hostpath.expanded(given.place.directory, source)
    try:
        if not hostpath.is_file(file):
            raise _no_source(given, at, f"there is no file {source}", "`source` is relative to the spec's directory")
        if file.stat().st_size > MAX_SOURCE_BYTES:
            raise _no_source(given, at, f"{source} is larger than 64 MiB", "mount it or clone it instead")
        return file.read_bytes()
    except OSError as error:
        told = f"{source} cannot be read: {error.strerror}"
        raise _no_source(given, at, told, "`source` is relative to the spec's directory") from None


def _no_source(given: Inner, at: tuple[str, ...], message: str, hint: str) -> SpecError:
    return SpecError(message, code="spec.source", hint=hint, where=given.place.where(*at, "source"))


def _repos(given: Inner) -> list[RepoSpec]:
    found = []
    faults = Faults()
    for index, wish in enumerate(given.spec.repos):
        path = posixpath.normpath(posixpath.join(given.spec.workspace, wish.path))
        if any(mount.target == path and mount.type == "bind" for mount in given.mounted):
            faults.add(
                SpecError(
                    f"{path} is a directory of the host: a repository is not cloned over what lies there",
                    code="spec.repo_on_mount",
                    hint="give it a `path` below, such as `app`, or set `mount_cwd: false`",
                    where=given.place.where("repos", index, "path"),
                )
            )
        with faults:
            url = _inner_url(given, wish.url, "repos", index, "url")
            found.append(RepoSpec(url, path, wish.ref, wish.depth, given.who.uid, given.who.gid, wish.submodules))
    faults.stop()
    return found


def _inner_url(given: Inner, url: str, *at: str | int) -> str:
    """Return a URL as it is seen from inside: a local path has to lie in something that is mounted."""
    if not url.startswith(("/", "./", "../", "~")):
        return url
    real = str(hostpath.real(hostpath.expanded(given.place.directory, url)))
    for mount in sorted(given.mounted, key=lambda m: -len(m.source)):
        if mount.type == "bind" and lies_below(real, mount.source):
            return posixpath.normpath(posixpath.join(mount.target, real.removeprefix(mount.source).lstrip("/")))
    raise SpecError(
        f"{url} is not mounted, so it cannot be cloned inside",
        code="spec.repo_unreachable",
        hint="set `mount_cwd: true`, or add its directory to `mounts`",
        where=given.place.where(*at),
    )


def _commands(given: Inner, repos: list[RepoSpec], needs: tuple[str, ...]) -> list[Resource]:
    """Return the purpose's commands, then install commands, then setup commands, each after the one before it."""
    found: list[Resource] = []
    seen: dict[str, int] = {}
    previous = needs
    first = home.commands(given.spec, given.host.forwarded, given.purpose_setup, given.who)
    for address, spec in (*first, *_installs(given, repos), *_setups(given)):
        number = seen.get(spec.key, 0)
        seen[spec.key] = number + 1
        numbered = CommandSpec(
            spec.command, spec.workdir, spec.uid, spec.gid, spec.timeout, spec.creates, spec.trigger, number
        )
        found.append(Resource(address, "command", numbered, (*_CONTAINER, *previous)))
        previous = (address,)
    return found


def _installs(given: Inner, repos: list[RepoSpec]) -> list[tuple[str, CommandSpec]]:
    who = given.who
    found = []
    for wish, spec in zip(given.spec.repos, repos, strict=True):
        for number, command in enumerate((given.auto_install,) if wish.installs_by_itself else wish.install):
            trigger = f"{spec.url} {spec.ref}"
            run = CommandSpec(command, spec.path, who.uid, who.gid, INSTALL_TIMEOUT, trigger=trigger)
            found.append((f"command.install.{spec.path}[{number}]", run))
    return found


def _setups(given: Inner) -> list[tuple[str, CommandSpec]]:
    found = []
    for number, wish in enumerate(given.spec.setup_commands):
        uid, gid = (0, 0) if wish.as_root else (given.who.uid, given.who.gid)
        workdir = posixpath.normpath(posixpath.join(given.spec.workspace, wish.workdir or ""))
        creates = posixpath.normpath(posixpath.join(workdir, wish.creates)) if wish.creates else ""
        found.append((f"command.setup[{number}]", CommandSpec(wish.run, workdir, uid, gid, wish.timeout, creates)))
    return found


def _health(given: Inner) -> HealthSpec:
    wish = given.spec.health
    assert wish is not None
    who = given.who
    return HealthSpec(wish.command, given.spec.workspace, who.uid, who.gid, wish.interval, wish.timeout, wish.retries)
