"""The variables inside: the author's own, those from elsewhere that are secrets, and those that pass from the host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from envspec import hostpath
from envspec.errors import Faults, SpecError
from envspec.host import HostFacts
from envspec.model import Hidden
from envspec.resolve.box import Place
from envspec.spec.models import Spec
from envspec.spec.values import shown
from envspec.spec.variables import EnvSource

MAX_VALUE = 120 * 1024
"""Bytes of the longest value; the kernel starts no process with a longer one (``MAX_ARG_STRLEN``, 128 KiB)."""

HOST_ONLY = (
    *("_", "PATH", "HOME", "SHELL", "USER", "LOGNAME", "USERNAME", "MAIL", "PWD", "OLDPWD", "SHLVL", "HOSTNAME"),
    *("HOSTTYPE", "OSTYPE", "MACHTYPE", "TERM", "TERM_*", "TERMCAP", "TERMINFO*", "COLORTERM", "COLUMNS", "LINES"),
    *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "WINDOWID", "DESKTOP_*", "SESSION_MANAGER", "GDM*", "XDG_*"),
    *("GNOME_*", "GTK_*", "KDE_*", "QT_*", "VTE_*", "TMUX*", "STY", "VSCODE_*", "WSL*", "WT_*", "DBUS_*", "SSH_*"),
    *("GPG_*", "GIT_ASKPASS", "GIT_SSH*", "LANG", "LANGUAGE", "LC_*", "TZ", "TMP", "TEMP", "TMPDIR", "EDITOR"),
    *("VISUAL", "PAGER", "BROWSER", "LESS*", "LS_COLORS", "HIST*", "PS[0-4]", "PROMPT_*", "IFS", "ENV", "BASH*"),
    *("ZDOTDIR", "ZSH*", "LD_*", "MANPATH", "INFOPATH", "PYTHON*", "VIRTUAL_ENV*", "CONDA_*", "PYENV_*", "NVM_*"),
    *("NODE_PATH", "GOPATH", "GOROOT", "GOBIN", "CARGO_HOME", "RUSTUP_HOME", "JAVA_HOME", "SUDO_*", "SYSTEMD_*"),
    *("INVOCATION_ID", "JOURNAL_STREAM", "MANAGERPID", "DOCKER_*", "CONTAINER_HOST", "KUBECONFIG", "ENVSPEC_*"),
    *("SSL_CERT_*", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "GIT_SSL_CAINFO"),
)
"""Variables that tell of the host itself: its paths, screens, agents, locale. No glob takes them along."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def passed(patterns: str | Iterable[str], host: HostFacts) -> dict[str, Hidden]:
    """Return the variables of the host that come inside, by name; empty ones do not.

    Args:
        patterns: ``auto``, ``all``, ``none``, or names and globs; a name that is written out is taken whatever it is.
        host: Facts of the host.
    """
    if patterns == "none":
        return {}
    wanted = {"auto": host.passthrough, "all": ("*",)}.get(patterns, ()) if isinstance(patterns, str) else (*patterns,)
    exact = {pattern for pattern in wanted if _NAME.fullmatch(pattern)}
    found = {}
    for name, value in sorted(host.environ.items()):
        by_glob = _any(name, wanted) and not _any(name, HOST_ONLY)
        if value and _NAME.fullmatch(name) and (name in exact or by_glob):
            found[name] = Hidden(value)
    return found


def written(spec: Spec, place: Place, host: HostFacts) -> dict[str, str | Hidden]:
    """Return the author's variables; those whose value is elsewhere are secrets.

    Raises:
        SpecError: One is not there, or is none that a variable can hold.
    """
    found: dict[str, str | Hidden] = {}
    faults = Faults()
    for name, value in spec.env.items():
        with faults:
            if not isinstance(value, EnvSource):
                found[name] = value
            elif value.from_env is not None:
                found[name] = Hidden(_of_host(name, value.from_env, place, host.environ))
            else:
                found[name] = Hidden(_of_file(name, value.from_file or "", place))
    faults.stop()
    return found


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _of_host(name: str, wanted: str, place: Place, environ: Mapping[str, str]) -> str:
    if wanted not in environ:
        raise SpecError(
            f"{name} is to be {wanted} of this host, which is not set",
            code="spec.secret_missing",
            hint=f"`export {wanted}=…` before you apply, or take the line out",
            where=place.where("env", name, "from_env"),
        )
    return environ[wanted]


def _of_file(name: str, path: str, place: Place) -> str:
    def missing(told: str, hint: str) -> SpecError:
        where = place.where("env", name, "from_file")
        return SpecError(f"{name}: {told}", code="spec.secret_missing", hint=hint, where=where)

    file = hostpath.expanded(place.directory, path)
    try:
        if not hostpath.is_file(file):
            raise missing(f"there is no file {shown(path)}", "`from_file` is relative to the spec's directory")
        with file.open("rb") as stream:
            data = stream.read(MAX_VALUE + 1)
    except OSError as error:
        raise missing(f"{path} cannot be read: {error.strerror}", "look at the file's permissions") from None
    if len(data) > MAX_VALUE or b"\0" in data:
        told = "holds a NUL byte" if b"\0" in data else f"is larger than {MAX_VALUE // 1024} KiB"
        raise missing(f"{path} {told}, which no variable can hold", "bring it inside with `config_files` or `mounts`")
    text = data.decode(errors="surrogateescape")
    return re.sub(r"\r?\n\Z", "", text)
