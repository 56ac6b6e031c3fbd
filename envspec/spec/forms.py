"""The parts of a spec that have keys of their own, with the short forms in which they may be written."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from envspec.spec import names
from envspec.spec.values import (
    ANY_TEXT,
    Command,
    Fault,
    Flag,
    Seconds,
    Text,
    bad,
    choice,
    flag,
    integer,
    is_null,
    listed,
    mapped,
    optional,
    shown,
    text,
    wrong,
)

_PORT = re.compile(
    r"(?:(?:(?P<address>\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?(?P<host>\d*):)?(?P<container>\d+)(?:/(?P<protocol>\w+))?",
    re.ASCII,
)
_MODE = re.compile(r"(?:0o)?([0-7]{3,5})")
AUTO = "auto"
"""What `install` is where the purposes say how a repository is installed."""

_PARAM = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Form(BaseModel):
    """A mapping of the spec: frozen, unknown keys are faults, and it may have a short form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    written: ClassVar[str] = "write one `key: value` a line"
    """How it is written, for hints."""
    short_schema: ClassVar[dict[str, Any] | None] = None
    """JSON Schema of its short form; ``None`` when it has none."""

    @classmethod
    def expand(cls, short: str) -> Mapping[str, Any]:
        """Return the mapping that a short form stands for.

        Raises:
            PydanticCustomError: The text is not its short form, or it has none.
        """
        raise bad(f"a mapping belongs here, not {shown(short)}", cls.written)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        """Take a mapping, an instance, or the short form."""
        if isinstance(data, Mapping | BaseModel):
            return data
        if isinstance(data, str | int | float) and not is_null(data):
            return cls.expand(text(data))
        raise bad("nothing is written here" if is_null(data) else f"{shown(data)} does not belong here", cls.written)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the short form beside the mapping."""
        mapping = handler(core_schema)
        return {"anyOf": [cls.short_schema, mapping]} if cls.short_schema else mapping


class Purpose(Form):
    """What the environment is for: the name of a purpose, with its parameters."""

    written: ClassVar[str] = "write a name such as `python`, or `use: python` and the purpose's parameters"
    short_schema: ClassVar[dict[str, Any] | None] = {"type": "string", "pattern": f"^{names.SLUG}$"}

    use: names.Slug
    """Name of the purpose; `envspec purposes` lists them."""
    params: dict[str, Text] = Field(default_factory=dict)
    """The purpose's parameters, which may also be written beside `use`."""

    @classmethod
    def expand(cls, short: str) -> Mapping[str, Any]:
        """Take a name alone."""
        return {"use": short}

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        """Gather the keys beside ``use`` as parameters."""
        if not isinstance(data, Mapping) or isinstance(data.get("params"), Mapping):
            return data
        return {key: data[key] for key in data if key == "use"} | {
            "params": {key: data[key] for key in data if key != "use"}
        }

    @field_validator("params")
    @classmethod
    def _check_params(cls, params: dict[str, str]) -> dict[str, str]:
        faults = [
            Fault("spec.value", f"{shown(name)} is not a name for a parameter", "use letters, digits and `_`", (name,))
            for name in params
            if not _PARAM.fullmatch(name)
        ]
        if faults:
            raise wrong(*faults)
        return params

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the parameters where authors write them: beside ``use``."""
        described = super().__get_pydantic_json_schema__(core_schema, handler)
        mapping = handler.resolve_ref_schema(described["anyOf"][1])
        mapping["additionalProperties"] = mapping["properties"].pop("params")["additionalProperties"]
        return described


class Mount(Form):
    """A directory or file of the host, mounted in the container."""

    written: ClassVar[str] = "write `host:container`, `host:container:ro`, or the keys `host`, `container` and `mode`"
    short_schema: ClassVar[dict[str, Any] | None] = {"type": "string", "pattern": "^[^:]+:/[^:]*(:(ro|rw))?$"}

    host: names.HostPath
    """Path on the host: absolute, relative to this file, or beginning with `~/`."""
    container: names.MountTarget
    """Absolute path in the container."""
    mode: Annotated[Literal["rw", "ro"], BeforeValidator(choice("rw", "ro"))] = "rw"
    """Whether the container may write there."""

    @classmethod
    def expand(cls, short: str) -> Mapping[str, Any]:
        """Take ``host:container[:mode]``."""
        parts = short.split(":")
        if len(parts) not in {2, 3}:
            raise bad(f"{shown(short)} is not a mount", cls.written)
        return dict(zip(("host", "container", "mode"), parts, strict=False))


class Volume(Form):
    """A named volume, kept when the container is replaced."""

    written: ClassVar[str] = "write `name:container`, or the keys `name` and `container`"
    short_schema: ClassVar[dict[str, Any] | None] = {"type": "string", "pattern": "^[^:/.]+[^:/]*:/[^:]*$"}

    name: names.VolumeName
    """Name of the volume."""
    container: names.MountTarget
    """Absolute path in the container."""

    @classmethod
    def expand(cls, short: str) -> Mapping[str, Any]:
        """Take ``name:container``."""
        parts = short.split(":")
        if len(parts) != 2:
            raise bad(f"{shown(short)} is not a volume", cls.written)
        return dict(zip(("name", "container"), parts, strict=True))


class Port(Form):
    """A port of the container, published on the host."""

    written: ClassVar[str] = (
        "write `8080:80` (host first), `80` for any free port of the host, `127.0.0.1:8080:80/tcp`, "
        "or the keys `container`, `host`, `address` and `protocol`"
    )
    short_schema: ClassVar[dict[str, Any] | None] = {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 65535},
            {"type": "string", "pattern": r"^(((\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?[0-9]*:)?[0-9]+(/(tcp|udp))?$"},
        ]
    }

    container: Annotated[
        int, BeforeValidator(integer(1, 65535)), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535})
    ]
    """Port in the container."""
    host: Annotated[
        int, BeforeValidator(integer(0, 65535)), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 65535})
    ] = 0
    """Port on the host; 0 is any free one."""
    address: names.BindAddress = "127.0.0.1"
    """Address of the host on which it listens; `0.0.0.0` lets other machines in, past the host's firewall."""
    protocol: Annotated[Literal["tcp", "udp"], BeforeValidator(choice("tcp", "udp"))] = "tcp"
    """tcp or udp."""

    @classmethod
    def expand(cls, short: str) -> Mapping[str, Any]:
        """Take ``[[address:]host:]container[/protocol]``."""
        match = _PORT.fullmatch(short)
        if not match:
            hint = "a range is not taken: list each port" if re.search(r"\d-\d", short) else cls.written
            raise bad(f"{shown(short)} is not a port", hint)
        parts = {key: value for key, value in match.groupdict().items() if value}
        return parts | ({"address": parts["address"].strip("[]")} if "address" in parts else {})


class Repo(Form):
    """A git repository to clone."""

    written: ClassVar[str] = "write `url:` and, where you need them, `path`, `ref`, `depth` and `install`"

    url: names.Url
    """Where from: https, ssh, git or file URL, `git@host:path`, or a path (`./x` is relative to this file)."""
    path: Annotated[names.InnerPath, Field(validate_default=True)] = ""
    """Where to, relative to `workspace`; by default the last part of the URL without `.git`."""
    ref: names.Ref = ""
    """Branch, tag or commit; by default the remote's default branch."""
    depth: Annotated[
        int,
        BeforeValidator(lambda value: optional(integer(0, 2**31 - 1))(value) or 0),
        WithJsonSchema({"type": ["integer", "null"], "minimum": 0}),
    ] = 0
    """How many commits to fetch; 0 is all."""
    submodules: Flag = False
    """Whether its submodules are checked out too."""
    install: Annotated[
        tuple[Command, ...],
        BeforeValidator(lambda value: (value,) if isinstance(value, str) and not is_null(value) else listed(value)),
        WithJsonSchema({"anyOf": [{"type": [*ANY_TEXT, "null"]}, {"type": "array", "items": {"type": [*ANY_TEXT]}}]}),
    ] = ()
    """Command or commands to run in it after it was cloned or moved to another commit; `auto` for what the purposes
    know of such a repository."""

    @property
    def installs_by_itself(self) -> bool:
        """Whether the purposes say how it is installed."""
        return self.install == (AUTO,)

    @field_validator("path", mode="before")
    @classmethod
    def _default_path(cls, path: Any, info: ValidationInfo) -> Any:
        """Name the directory after the URL where the author names none."""
        if path != "" and not is_null(path):
            return path
        if "url" not in info.data:
            return "."
        name = names.last_part(info.data["url"])
        if name in {"", ".", "..", "~"}:
            raise wrong(Fault("spec.value", "the URL names no directory to clone into", "give the repository a `path`"))
        return name


def _mode(value: object) -> int:
    """Read permission bits: a text is octal as in ``chmod``, whatever YAML makes of it; an int is what it is."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o7777:
        return value
    match = _MODE.fullmatch(value) if isinstance(value, str) else None
    if not match or int(match[1], 8) > 0o7777:
        raise bad(f"{shown(value)} is not a file mode", "write it in octal, such as `0644` or `0755`")
    return int(match[1], 8)


class ConfigFile(Form):
    """A file in the container: its content, or the file beside the spec that holds it."""

    written: ClassVar[str] = "write the text, or the keys `content` or `source`, `mode` and `owner`"
    short_schema: ClassVar[dict[str, Any] | None] = {"type": [*ANY_TEXT]}

    content: Annotated[str | None, BeforeValidator(optional(text)), WithJsonSchema({"type": ["string", "null"]})] = None
    """The text itself."""
    source: Annotated[
        str | None, BeforeValidator(optional(names.source_path)), WithJsonSchema({"type": ["string", "null"]})
    ] = None
    """Path of a file that holds the content, relative to this file."""
    mode: Annotated[
        int,
        BeforeValidator(_mode),
        PlainSerializer(lambda mode: f"{mode:04o}", return_type=str, when_used="json"),
        WithJsonSchema({"anyOf": [{"type": "string", "pattern": "^(0o)?[0-7]{3,5}$"}, {"type": "integer"}]}),
    ] = Field(default=0o644, json_schema_extra={"default": "0644"})
    """Permission bits in octal, as `chmod` takes them; `0644` and `"0644"` are the same."""
    owner: names.Owner = "user"
    """Whom it belongs to: `user` (of the environment), `root`, or `uid:gid`."""

    @classmethod
    def expand(cls, short: str) -> Mapping[str, Any]:
        """Take the content alone."""
        return {"content": short}

    @model_validator(mode="after")
    def _one_origin(self) -> ConfigFile:
        if (self.content is None) == (self.source is None):
            both = self.content is not None
            raise bad(
                "`content` and `source` exclude each other" if both else "the file has neither `content` nor `source`",
                "keep one of them" if both else 'write one of them; `content: ""` makes an empty file',
            )
        return self


def unmixed_paths(value: object) -> object:
    """Take a mapping of paths, and refuse two spellings of one path, which a dict would silently merge."""
    files = mapped(value)
    seen: dict[str, str] = {}
    for path in files if isinstance(files, Mapping) else ():
        normal = posixpath.normpath(str(path).removeprefix("~/"))
        if normal in seen:
            message = f"{shown(path)} and {shown(seen[normal])} are one file"
            raise wrong(Fault("spec.collision", message, "keep one of them", (path, "[key]")))
        seen[normal] = str(path)
    return files


class SetupCommand(Form):
    """A command that sets the environment up, run once and again when it changes."""

    written: ClassVar[str] = "write a command, or the keys `run`, `as_root`, `workdir`, `timeout` and `creates`"
    short_schema: ClassVar[dict[str, Any] | None] = {"type": [*ANY_TEXT]}

    run: Command
    """Shell text."""
    as_root: Flag = False
    """Whether root runs it instead of the environment's user."""
    workdir: Annotated[
        str | None, BeforeValidator(optional(names.any_path)), WithJsonSchema({"type": ["string", "null"]})
    ] = None
    """Directory to run it in, absolute or relative to `workspace`, which is the default."""
    timeout: Seconds = 1800.0
    """How long it may take, such as `10m`; a number is seconds."""
    creates: Annotated[
        str | None, BeforeValidator(optional(names.any_path)), WithJsonSchema({"type": ["string", "null"]})
    ] = None
    """A path, absolute or relative to `workdir`, that it makes: it is run again when that is missing."""

    @classmethod
    def expand(cls, short: str) -> Mapping[str, Any]:
        """Take the command alone."""
        return {"run": short}


class Health(Form):
    """A command that tells whether the environment is ready; apply waits for it."""

    written: ClassVar[str] = "write `command:` and, where you need them, `interval`, `timeout` and `retries`"

    command: Command
    """Shell text; ready when it exits 0."""
    interval: Seconds = 2.0
    """Time between two tries, such as `2s`; a number is seconds."""
    timeout: Seconds = 30.0
    """How long one try may take, such as `30s`; a number is seconds."""
    retries: Annotated[
        int, BeforeValidator(integer(0, 10_000)), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10_000})
    ] = 15
    """How often to try again."""


class Security(Form):
    """What the container may do on the host's kernel."""

    written: ClassVar[str] = "write `dev`, `strict`, or the keys `profile`, `cap_add`, `read_only` and `privileged`"
    short_schema: ClassVar[dict[str, Any] | None] = {"enum": ["dev", "strict"]}

    profile: Annotated[Literal["dev", "strict"], BeforeValidator(choice("dev", "strict"))] = "dev"
    """dev suits daily work. strict leaves root the few capabilities that setting up needs and the user none, gives one
    processor unless `cpus` says more, and gives services a read-only root filesystem."""
    cap_add: Annotated[tuple[names.Capability, ...], BeforeValidator(listed)] = ()
    """Capabilities to add, with or without `CAP_`."""
    read_only: Annotated[bool | None, BeforeValidator(optional(flag))] = None
    """Whether the root filesystem can only be read; `/tmp`, `/home` and mounts stay writable. Off by default."""
    privileged: Flag = False
    """Whether isolation is off altogether."""

    @classmethod
    def expand(cls, short: str) -> Mapping[str, Any]:
        """Take the profile alone."""
        return {"profile": short}

    @field_validator("cap_add")
    @classmethod
    def _sort(cls, capabilities: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(capabilities)))

    @model_validator(mode="after")
    def _no_contradiction(self) -> Security:
        if self.privileged and self.profile == "strict":
            raise bad("`privileged` takes away what the profile `strict` asks for", "drop one of the two")
        return self
