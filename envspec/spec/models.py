"""The words of a spec: what an author may write, checked and normalised, with nothing resolved yet.

A :class:`Spec` holds what the file says. Defaults that depend on the purpose or the host stay open (``None``).
``Spec.model_validate(spec.model_dump(mode="json")) == spec`` holds for every spec.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from envspec.spec import names
from envspec.spec.dotfiles import Dotfiles
from envspec.spec.forms import (
    ConfigFile,
    Form,
    Health,
    Mount,
    Port,
    Purpose,
    Repo,
    Security,
    SetupCommand,
    Volume,
    unmixed_paths,
)
from envspec.spec.services import Compose
from envspec.spec.values import (
    GIB,
    LASTS,
    Cpus,
    Fault,
    Flag,
    Memory,
    Pids,
    SharedMemory,
    bad,
    choice,
    flag,
    is_null,
    is_scalar,
    listed,
    mapped,
    optional,
    same,
    seconds,
    shown,
    text,
    wrong,
)
from envspec.spec.variables import EnvPassthrough, EnvSource, Variables

VERSION = 1
"""The format of spec files that this version reads."""

FORMS: Mapping[str, type[Form]] = {
    "purpose": Purpose,
    "mounts": Mount,
    "volumes": Volume,
    "ports": Port,
    "repos": Repo,
    "config_files": ConfigFile,
    "env": EnvSource,
    "dotfiles": Dotfiles,
    "setup_commands": SetupCommand,
    "compose": Compose,
    "health": Health,
    "security": Security,
}
"""The keys of a spec whose values have keys of their own."""

TRY_REPO = "try-repo"
"""The purpose that looks at a repository."""

_EVERYWHERE = frozenset({"0.0.0.0", "::"})


def _version(value: object) -> int:
    """Read the format of the file."""
    if str(value) != str(VERSION):
        raise wrong(
            Fault("spec.version", f"{shown(value)} is not a format that this envspec reads", f"write `{VERSION}`")
        )
    return VERSION


def _ssh(value: object) -> object:
    """Read how SSH keys come inside."""
    return "agent" if is_scalar(value) and str(value).lower() == "agent" else flag(value)


def _hosts(value: object) -> object:
    """Take a mapping of names to addresses, or a list of ``name:address``."""
    if is_null(value) or isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        return mapped(value)
    hosts: dict[str, str] = {}
    faults: list[Fault] = []
    for index, item in enumerate(value):
        try:
            name, colon, address = text(item).partition(":")
            if not colon:
                raise bad(f"{shown(item)} is not `name:address`", "write one such as `db:10.0.0.5`")
            if name in hosts:
                raise bad(f"{shown(name)} is given twice", "write one address a host")
            hosts[names.host_name(name)] = names.host_address(address)
        except PydanticCustomError as error:
            found = (error.context or {})["faults"]
            faults += [replace(fault, at=(index,)) for fault in found]
    _raise_any(faults)
    return hosts


def _repeated(keys: Iterable[tuple[tuple[str | int, ...], str]], what: str, hint: str) -> Iterator[Fault]:
    """Yield a fault for each key that was there before; keys come with their place."""
    seen: set[str] = set()
    for at, key in keys:
        if key in seen:
            yield Fault("spec.collision", f"{shown(key)} {what}", hint, at)
        seen.add(key)


def _raise_any(faults: Iterable[Fault]) -> None:
    if found := tuple(faults):
        raise wrong(*found)


def _describe(schema: dict[str, Any]) -> None:
    """Add to the JSON Schema what pydantic cannot know: a list left empty is null, and the file needs one start."""
    for value in schema["properties"].values():
        if isinstance(value.get("type"), str) and value["type"] in {"array", "object"}:
            value["type"] = [value["type"], "null"]
    schema["oneOf"] = [{"required": ["purpose"]}, {"required": ["image"]}]


OptionalFlag = Annotated[bool | None, BeforeValidator(optional(flag)), WithJsonSchema({"type": ["boolean", "null"]})]


class Spec(Form):
    """An environment, as its file describes it."""

    model_config = ConfigDict(json_schema_extra=_describe)

    version: Annotated[int, BeforeValidator(_version), WithJsonSchema({"const": VERSION})] = VERSION
    """Format of this file."""
    name: Annotated[
        str | None,
        BeforeValidator(optional(names.slug)),
        WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^{names.SLUG}$"}, {"type": "null"}]}),
    ] = None
    """Name of the environment; by default that of this file's directory."""
    image: Annotated[
        str | None, BeforeValidator(optional(names.image)), WithJsonSchema({"type": ["string", "null"]})
    ] = None
    """Image to start from, instead of a purpose."""
    purpose: Annotated[Purpose | None, BeforeValidator(optional(same)), Field(validate_default=True)] = None
    """What the environment is for: a name such as `python`, or `use` with parameters."""
    repo_url: Annotated[
        str | None,
        BeforeValidator(optional(names.repo_url)),
        WithJsonSchema({"type": ["string", "null"]}),
        Field(validate_default=True),
    ] = None
    """Repository that the purpose `try-repo` looks at, clones and sets up: a URL as in `repos`."""
    image_source: Annotated[
        Literal["auto", "local", "registry", "bootstrap"],
        BeforeValidator(choice("auto", "local", "registry", "bootstrap")),
    ] = "auto"
    """Where base images come from: what is local, a registry, or made from the distribution's package mirror."""
    workspace: names.Workspace = "/workspace"
    """Working directory in the container."""
    trust: Annotated[
        Literal["trusted", "untrusted"] | None,
        BeforeValidator(optional(choice("trusted", "untrusted"))),
        WithJsonSchema({"enum": ["trusted", "untrusted", None]}),
    ] = None
    """Whether what runs inside may have anything of yours: `untrusted` gets no credentials, no variables of the host
    and not this directory; by default the purpose decides."""
    mount_cwd: Annotated[
        bool | None, BeforeValidator(optional(flag)), WithJsonSchema({"type": ["boolean", "null"]})
    ] = None
    """Whether this file's directory is bound at `workspace`, or a named volume is; by default the purpose decides."""
    mounts: Annotated[tuple[Mount, ...], BeforeValidator(listed)] = ()
    """Directories and files of the host, mounted in the container."""
    volumes: Annotated[tuple[Volume, ...], BeforeValidator(listed)] = ()
    """Named volumes, kept when the container is replaced."""
    network: Annotated[Literal["bridge", "none", "host"], BeforeValidator(choice("bridge", "none", "host"))] = "bridge"
    """How the container reaches out."""
    ports: Annotated[tuple[Port, ...], BeforeValidator(listed)] = ()
    """Ports published on the host."""
    env: Variables = Field(default_factory=dict)
    """Environment variables; every value is kept as written. One from elsewhere, `{from_env: NAME}` or
    `{from_file: PATH}`, is a secret."""
    env_passthrough: EnvPassthrough = None
    """Which variables of the host come inside, as secrets: `auto` (API keys, tokens and the like), `all`, `none`, or a
    list of names and globs; by default the purpose decides."""
    forward_git: OptionalFlag = None
    """Whether the host's git configuration and known hosts come inside; by default the purpose decides."""
    forward_gh: OptionalFlag = None
    """Whether the token of GitHub's CLI comes inside, as a secret; by default the purpose decides."""
    forward_ssh: Annotated[
        bool | Literal["agent"] | None,
        BeforeValidator(optional(_ssh)),
        WithJsonSchema({"enum": [True, False, "agent", None]}),
    ] = None
    """Whether `~/.ssh` comes inside, read-only; `agent` brings the socket of the SSH agent instead."""
    repos: Annotated[tuple[Repo, ...], BeforeValidator(listed)] = ()
    """Git repositories to clone."""
    dotfiles: Annotated[Dotfiles | None, BeforeValidator(optional(same))] = None
    """The user's own files in their home: a repository, files written here, or `none`; by default what the user's
    configuration says."""
    config_files: Annotated[dict[names.FilePath, ConfigFile], BeforeValidator(unmixed_paths)] = Field(
        default_factory=dict
    )
    """Files in the container, by absolute path."""
    setup_commands: Annotated[tuple[SetupCommand, ...], BeforeValidator(listed)] = ()
    """Commands that set the environment up, in this order."""
    compose: Annotated[Compose | None, BeforeValidator(optional(same))] = None
    """Services beside the workspace, which reaches them by name: a Compose document, or `file: PATH`."""
    health: Annotated[Health | None, BeforeValidator(optional(same))] = None
    """How to tell that the environment is ready."""
    user: names.User = "host"
    """Whom everything but setup runs as: `host` (your own uid and gid), `root`, or `uid:gid`."""
    memory: Memory = Field(default=4 * GIB, json_schema_extra={"default": "4g"})
    """Limit on memory, swap included; `none` lifts it."""
    cpus: Cpus = None
    """Limit on processors, such as `1.5`."""
    pids: Pids = 256
    """Limit on processes; `none` lifts it."""
    shm_size: SharedMemory = None
    """Size of `/dev/shm`; by default the engine decides."""
    gpu: Flag = False
    """Whether the container is given all GPUs of the host."""
    add_hosts: Annotated[
        dict[names.HostName, names.HostAddress],
        BeforeValidator(_hosts),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "array", "items": {"type": "string", "pattern": "^[^:]+:.+$"}},
                    {"type": "object", "additionalProperties": {"type": "string"}},
                    {"type": "null"},
                ]
            }
        ),
    ] = Field(default_factory=dict)
    """Extra lines of `/etc/hosts`: `name:address` each, or a mapping; `host-gateway` is the host."""
    networks: Annotated[tuple[names.NetworkName, ...], BeforeValidator(listed)] = ()
    """Named networks to join besides."""
    security: Security = Field(default_factory=Security)
    """What the container may do: the profile `dev` or `strict`, or a mapping."""
    persistent: Flag = False
    """Whether the environment survives the end of its session."""
    host_network: Annotated[
        Literal["auto", "none"] | None,
        BeforeValidator(optional(choice("auto", "none"))),
        WithJsonSchema({"enum": ["auto", "none", None]}),
    ] = None
    """Whether tools inside get packages from where the host gets them, indexes, registries and mirrors: `auto` or
    `none`; by default the purpose and your configuration decide. Proxies and extra CAs always come along."""
    ttl: Annotated[
        float | None, BeforeValidator(optional(seconds)), WithJsonSchema({"anyOf": [*LASTS["anyOf"], {"type": "null"}]})
    ] = None
    """How long it is wanted, such as `8h`: once it has passed, `envspec gc` may remove the environment."""

    @field_validator("purpose")
    @classmethod
    def _one_start(cls, purpose: Purpose | None, info: ValidationInfo) -> Purpose | None:
        if "image" in info.data and (purpose is None) == (info.data["image"] is None):
            if purpose is None:
                hint = "write `purpose: python` (`envspec purposes` lists them), or `image: debian:13`"
                raise wrong(Fault("spec.no_purpose", "the file has neither `purpose` nor `image`", hint))
            raise wrong(Fault("spec.collision", "`purpose` and `image` exclude each other", "keep one of them"))
        return purpose

    @field_validator("repo_url")
    @classmethod
    def _goes_with_its_purpose(cls, url: str | None, info: ValidationInfo) -> str | None:
        purpose = info.data.get("purpose")
        tries = purpose is not None and purpose.use == TRY_REPO
        if tries and url is None:
            hint = "write `repo_url: https://host/owner/repo`"
            raise wrong(Fault("spec.missing", f"`purpose: {TRY_REPO}` needs a `repo_url`", hint))
        if url is not None and "purpose" in info.data and not tries:
            hint = f"write `purpose: {TRY_REPO}`, or list the repository under `repos`"
            raise wrong(Fault("spec.collision", f"`repo_url` goes with `purpose: {TRY_REPO}` only", hint))
        return url

    @field_validator("mounts", "volumes")
    @classmethod
    def _targets_apart(cls, value: Sequence[Mount | Volume], info: ValidationInfo) -> Sequence[Mount | Volume]:
        earlier = [((), info.data[key]) for key in ("workspace",) if key in info.data]
        earlier += [((), mount.container) for mount in info.data.get("mounts", ())]
        own = [((index, "container"), item.container) for index, item in enumerate(value)]
        _raise_any(_repeated([*earlier, *own], "is mounted twice", "give each a `container` path of its own"))
        return value

    @field_validator("volumes")
    @classmethod
    def _volumes_apart(cls, volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
        keys = [((index, "name"), volume.name) for index, volume in enumerate(volumes)]
        _raise_any(
            _repeated([((), "workspace"), *keys], "is taken by another volume", "give each volume a name of its own")
        )
        return volumes

    @field_validator("ports")
    @classmethod
    def _ports_apart(cls, ports: tuple[Port, ...], info: ValidationInfo) -> tuple[Port, ...]:
        network = info.data.get("network", "bridge")
        if ports and network != "bridge":
            message = f"no port can be published with the network `{network}`"
            raise wrong(Fault("spec.collision", message, "take `ports` out, or write `network: bridge`"))
        seen: dict[tuple[int, str, int], set[str]] = {}
        faults: list[Fault] = []
        for index, port in enumerate(ports):
            taken = seen.setdefault((port.host, port.protocol, 0 if port.host else port.container), set())
            if port.address in taken or (port.host and taken and _EVERYWHERE & {port.address, *taken}):
                message = f"port {port.host or port.container}/{port.protocol} is published twice"
                hint = "choose another port of the host, or take one of the two lines out"
                faults.append(Fault("spec.collision", message, hint, (index, "host")))
            taken.add(port.address)
        _raise_any(faults)
        return ports

    @field_validator("repos")
    @classmethod
    def _repos_apart(cls, repos: tuple[Repo, ...], info: ValidationInfo) -> tuple[Repo, ...]:
        root = info.data.get("workspace", "/workspace")
        keys = [((index, "path"), posixpath.normpath(posixpath.join(root, r.path))) for index, r in enumerate(repos)]
        _raise_any(_repeated(keys, "is taken by another repository", "give each a `path` of its own"))
        return repos

    @field_validator("config_files")
    @classmethod
    def _files_apart(cls, files: dict[str, ConfigFile], info: ValidationInfo) -> dict[str, ConfigFile]:
        taken = {str(info.data.get("workspace", ""))}
        taken |= {posixpath.join(info.data.get("workspace", "/"), repo.path) for repo in info.data.get("repos", ())}
        taken |= {str(parent) for path in files for parent in _parents(path)}
        _raise_any(
            Fault("spec.collision", f"{shown(path)} is a directory too", "choose another path", (path, "[key]"))
            for path in files
            if path in taken
        )
        return files

    @field_validator("compose")
    @classmethod
    def _services_need_bridge(cls, compose: Compose | None, info: ValidationInfo) -> Compose | None:
        network = info.data.get("network", "bridge")
        if compose and network != "bridge":
            message = f"services cannot be reached with the network `{network}`"
            raise wrong(Fault("spec.collision", message, "take `compose` out, or write `network: bridge`"))
        return compose

    @field_validator("networks")
    @classmethod
    def _networks_need_bridge(cls, networks: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        network = info.data.get("network", "bridge")
        if networks and network != "bridge":
            message = f"no other network can be joined with the network `{network}`"
            raise wrong(Fault("spec.collision", message, "take `networks` out, or write `network: bridge`"))
        keys = [((index,), name) for index, name in enumerate(networks)]
        _raise_any(_repeated(keys, "is joined twice", "take one of the two lines out"))
        return networks


def _parents(path: str) -> Iterator[str]:
    """Yield the directories above a path, without the root."""
    while (path := posixpath.dirname(path)) != "/":
        yield path
