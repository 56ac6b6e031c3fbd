"""Names, paths and addresses that a spec may hold, each checked before anything is done with it.

What is refused here would be misread further on: an option where a name belongs, a colon in a path that the engine's
command line splits there, a URL that makes git run a program.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema

from envspec.engine.capabilities import UNMOUNTABLE
from envspec.engine.facts import RUN_DIR, STATE_DIR
from envspec.spec.values import bad, either, line, optional, shown, text

SLUG = r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?"
"""Name of an environment or a purpose: a DNS label, short enough for the names that derive from it."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_VARIABLES = re.compile(r"[A-Za-z_*?\[][A-Za-z0-9_*?\[\]!-]{0,254}")
_OBJECT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z0-9]+:[0-9a-fA-F]{32,128})?",
    re.ASCII,
)
"""An image reference, after the grammar of ``distribution/reference``."""
_ACCOUNT = re.compile(r"(0|[1-9]\d{0,9})(?::(0|[1-9]\d{0,9}))?")
_HIGHEST_ID = 2**31 - 1
"""The highest uid and gid that Docker takes."""
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_SCP = re.compile(r"(?:\w[\w.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?![:/-])[^\s:@][^\s@]*", re.ASCII)
_BAD_REF = re.compile(r"(^|/)\.|\.lock(/|$)|\.\.|[\x00-\x20\x7f~^:?*\[\\]|^[-/]|/$|//|\.$|@\{|^@$")
"""What ``git check-ref-format`` refuses, and a leading dash."""

_KERNEL = ("/proc", "/sys", "/dev", RUN_DIR, STATE_DIR)
_SYSTEM = (
    "/ /bin /boot /etc /home /lib /lib32 /lib64 /libx32 /run /sbin /tmp /usr /usr/bin /usr/include /usr/lib "
    "/usr/local /usr/local/bin /usr/local/lib /usr/local/sbin /usr/sbin /usr/share /var /var/cache /var/lib /var/log "
    "/var/run /var/tmp"
)
_PATH_MAX = 4096
"""Linux' limit on a path, its closing NUL included."""
_NO_WORKSPACE = ("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr/bin", "/usr/sbin")
_CAPABILITIES = (
    "ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH "
    "FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN "
    "NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT "
    "SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"
)
"""``capabilities(7)``, without ``CAP_``."""


def slug(value: object) -> str:
    """Read the name of an environment or a purpose."""
    name = text(value)
    if not re.fullmatch(SLUG, name):
        raise bad(
            f"{shown(name)} is not a name",
            "use 1 to 40 lower-case letters, digits and dashes, with no dash at either end",
        )
    return name


def variable(value: object) -> str:
    """Read the name of an environment variable."""
    name = text(value)
    if not _VARIABLE.fullmatch(name):
        raise bad(
            f"{shown(name)} is not a name for a variable",
            "use letters, digits and underscores, and no digit first",
        )
    return name


def variable_pattern(value: object) -> str:
    """Read a name of variables, or a glob of names such as ``*_API_KEY``.

    Raises:
        PydanticCustomError: It can match no name of a variable.
    """
    written = line(value)
    if not _VARIABLES.fullmatch(written):
        raise bad(f"{shown(written)} is not a variable name", "write a name, or a glob such as `*_API_KEY`")
    return written


def engine_name(value: object) -> str:
    """Read the name of a volume or network, as the engine takes them."""
    name = text(value)
    if not _OBJECT.fullmatch(name):
        raise bad(
            f"{shown(name)} is not a name that the engine takes",
            "use at least two letters, digits, `_`, `.` and `-`, beginning with a letter or digit",
        )
    return name


def network_name(value: object) -> str:
    """Read the name of a network to join."""
    name = engine_name(value)
    if name in {"bridge", "host", "none", "default"}:
        raise bad(f"{shown(name)} is not a network to join", "choose it with `network`; here go networks of your own")
    return name


def image(value: object) -> str:
    """Read an image reference."""
    ref = text(value)
    if len(ref) > 255 or not _IMAGE.fullmatch(ref):
        raise bad(f"{shown(ref)} is not an image reference", "write one such as `debian:13` or `ghcr.io/owner/app:1.2`")
    return ref


def account(value: object) -> str:
    """Read whom the environment works as: ``host``, ``root``, ``uid`` or ``uid:gid``."""
    return _account(value, ("host", "root"), group_needed=False)


def owner(value: object) -> str:
    """Read whom a file belongs to: ``user``, ``root`` or ``uid:gid``."""
    return _account(value, ("user", "root"), group_needed=True)


def _account(value: object, words: tuple[str, ...], *, group_needed: bool) -> str:
    written = text(value)
    match = _ACCOUNT.fullmatch(written)
    numbers = [int(part) for part in match.groups() if part] if match else []
    known = bool(numbers) and max(numbers) <= _HIGHEST_ID and len(numbers) > group_needed
    if written not in words and not known:
        raise bad(f"{shown(written)} is not a user", f"write {either([*words, '1000:1000'])}")
    return written


def capability(value: object) -> str:
    """Read a Linux capability, with or without ``CAP_``; return it without."""
    name = line(value).upper().removeprefix("CAP_")
    if name not in _CAPABILITIES.split():
        raise bad(f"{shown(value)} is not a capability", "see `man 7 capabilities` for the names")
    return name


def host_name(value: object) -> str:
    """Read the name of a host."""
    name = text(value)
    if not _HOST.fullmatch(name):
        raise bad(f"{shown(name)} is not a host name", "use letters, digits, dots and dashes")
    return name


def host_address(value: object) -> str:
    """Read the address for a line of ``/etc/hosts``; ``host-gateway`` is the host as the container sees it."""
    return "host-gateway" if text(value) == "host-gateway" else bind_address(value, "write one such as `10.0.0.5`")


def bind_address(value: object, hint: str = "write one such as `127.0.0.1` or `0.0.0.0`") -> str:
    """Read an IP address."""
    written = text(value)
    try:
        return str(ipaddress.ip_address(written))
    except ValueError:
        raise bad(f"{shown(written)} is not an IP address", hint) from None


def within(path: str, roots: tuple[str, ...]) -> bool:
    """Say whether a normalised path is one of the roots or lies below one."""
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def container_path(value: object) -> str:
    """Read an absolute path inside the container and normalise it.

    Raises:
        PydanticCustomError: It is relative, climbs with ``..``, or holds a control character or a backslash.
    """
    path = _clean(line(value))
    if not path.startswith("/"):
        raise bad(f"{shown(path)} is not an absolute path", "begin it with `/`")
    return path


def file_path(value: object) -> str:
    """Read where a file is written inside the container."""
    path = container_path(value)
    if str(value).endswith("/") or path in _SYSTEM.split():
        raise bad(f"{shown(value)} is a directory", "name the file itself, such as `/etc/app.conf`")
    if within(path, _KERNEL):
        raise bad(f"{shown(path)} is not a place for files", "the kernel or envspec itself keeps it; choose another")
    return path


def mount_target(value: object) -> str:
    """Read where a host directory or a volume is mounted inside the container."""
    path = container_path(value)
    _unsplit(path)
    if path in _SYSTEM.split() or within(path, _KERNEL):
        raise bad(f"{shown(path)} belongs to the system", "mount at a directory of its own, such as `/data`")
    return path


def workspace(value: object) -> str:
    """Read the working directory."""
    path = container_path(value)
    _unsplit(path)
    if path in _SYSTEM.split() or within(path, (*_KERNEL, *_NO_WORKSPACE)):
        raise bad(f"{shown(path)} belongs to the system", "choose a directory of its own, such as `/workspace`")
    return path


def inner_path(value: object) -> str:
    """Read a path inside the container, absolute or relative to the directory that its key speaks of."""
    path = _clean(line(value))
    return mount_target(path) if path.startswith("/") else path


def home_path(value: object) -> str:
    """Read the path of a file below the user's home, with or without ``~/``; return it relative to there."""
    path = _clean(line(value).removeprefix("~/"))
    if path.startswith(("/", "~")) or path == ".":
        raise bad(f"{shown(value)} is not a path below the home", "write one such as `.vimrc`, relative to the home")
    return path


def home_directory(value: object) -> str:
    """Read a directory inside, absolute or below the user's home; return the latter with ``~/``."""
    written = line(value)
    return mount_target(written) if written.startswith("/") else f"~/{home_path(written)}"


def tree_path(value: object) -> str:
    """Read the path of a file in a repository, relative to its top."""
    path = _clean(line(value))
    if path.startswith(("/", "~")) or path == ".":
        raise bad(f"{shown(value)} is not a path in the repository", "write one such as `install.sh`")
    return path


def any_path(value: object) -> str:
    """Read a path inside the container that is only looked at, absolute or relative."""
    return _clean(line(value))


def source_path(value: object) -> str:
    """Read the path of a file on the host whose content is copied: absolute or relative to the spec."""
    return line(value)


def host_path(value: object) -> str:
    """Read a path on the host: absolute, relative to the spec, or beginning with ``~/``; it is mounted."""
    path = line(value)
    _unsplit(path)
    return path


def _clean(path: str) -> str:
    """Normalise a path: no doubled or closing slash, no ``.``; refuse what another reader would misread."""
    if len(path) >= _PATH_MAX:
        raise bad(f"{shown(path)} is too long for a path", f"use fewer than {_PATH_MAX} characters")
    if "\\" in path:
        raise bad(f"{shown(path)} holds a backslash", "separate directories with `/`")
    if ".." in path.split("/"):
        raise bad(f"{shown(path)} climbs with `..`", "write the path that you mean without `..`")
    normal = posixpath.normpath(path)
    return normal[1:] if normal.startswith("//") else normal


def _unsplit(path: str) -> None:
    """Refuse what the engine's command line would split a path at."""
    if found := sorted({*UNMOUNTABLE} & set(path)):
        raise bad(f"{shown(path)} holds a `{found[0]}`, where the engine would cut it", "use a path without it")


def repo_url(value: object) -> str:
    """Read where a repository is cloned from; the message never repeats a URL, for it may hold a password.

    Raises:
        PydanticCustomError: Git would take it for an option or run a program, or it carries credentials.
    """
    url = line(value)
    forms = "write `https://host/owner/repo`, `git@host:owner/repo`, or a path such as `./repo`"
    if url.startswith("-") or "::" in url or re.search(r"\s|\\", url):
        raise bad("the URL is not one that is safe to give to git", forms)
    if url.startswith(("/", "./", "../", "~/")):
        return url
    if "://" not in url:
        if not _SCP.fullmatch(url):
            raise bad("this is neither a URL nor a path", forms)
        return url
    try:
        parts = urlsplit(url)
        host, user, password, _port = parts.hostname or "", parts.username, parts.password, parts.port
    except ValueError:
        raise bad("the URL cannot be read", forms) from None
    if parts.scheme not in {"https", "ssh", "git", "file"}:
        raise bad(f"{shown(parts.scheme)} URLs are not taken", forms)
    if password is not None or (user is not None and parts.scheme != "ssh"):
        raise bad("the URL carries credentials", "take them out; git's own credential helper gives them when needed")
    if (parts.scheme != "file" and not _HOST.fullmatch(host)) or (user or "").startswith("-"):
        raise bad("the URL names no host", forms)
    return url


def last_part(url: str) -> str:
    """Return what ``git clone`` would call the directory: the last part of a URL without ``.git`` or ``.bundle``."""
    tail = re.split(r"[/:]", url.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0].rstrip("/"))[-1]
    return re.sub(r"\.(git|bundle)$", "", tail)


def git_ref(value: object) -> str:
    """Read a branch, tag or commit; null is "", the remote's default branch."""
    ref = optional(text)(value) or ""
    if ref and (len(ref) > 255 or _BAD_REF.search(ref)):
        raise bad(f"{shown(ref)} is not a branch, tag or commit", "write a name that `git check-ref-format` takes")
    return ref


Slug = Annotated[str, BeforeValidator(slug), WithJsonSchema({"type": "string", "pattern": f"^{SLUG}$"})]
Variable = Annotated[str, BeforeValidator(variable)]
VolumeName = Annotated[str, BeforeValidator(engine_name)]
NetworkName = Annotated[str, BeforeValidator(network_name)]
Image = Annotated[str, BeforeValidator(image)]
User = Annotated[
    str,
    BeforeValidator(account),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^(host|root|\d+(:\d+)?)$"}, {"type": "integer"}]}),
]
Owner = Annotated[str, BeforeValidator(owner), WithJsonSchema({"type": "string", "pattern": r"^(user|root|\d+:\d+)$"})]
Capability = Annotated[str, BeforeValidator(capability)]
HostName = Annotated[str, BeforeValidator(host_name)]
HostAddress = Annotated[str, BeforeValidator(host_address)]
BindAddress = Annotated[str, BeforeValidator(bind_address)]
FilePath = Annotated[str, BeforeValidator(file_path)]
MountTarget = Annotated[str, BeforeValidator(mount_target), WithJsonSchema({"type": "string", "pattern": "^/"})]
Workspace = Annotated[str, BeforeValidator(workspace), WithJsonSchema({"type": "string", "pattern": "^/"})]
InnerPath = Annotated[str, BeforeValidator(inner_path)]
VariablePattern = Annotated[
    str, BeforeValidator(variable_pattern), WithJsonSchema({"type": "string", "pattern": f"^{_VARIABLES.pattern}$"})
]
"""A name of variables, or a glob of names."""
HomePath = Annotated[str, BeforeValidator(home_path)]
HomeDirectory = Annotated[str, BeforeValidator(home_directory)]
AnyPath = Annotated[str, BeforeValidator(any_path)]
HostPath = Annotated[str, BeforeValidator(host_path)]
Url = Annotated[str, BeforeValidator(repo_url)]
Ref = Annotated[str, BeforeValidator(git_ref), WithJsonSchema({"type": ["string", "number", "null"]})]
