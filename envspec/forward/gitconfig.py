"""git's configuration of the host, made right for the inside: what to keep of it, and how to write it down.

Pure. What names programs or paths of the host, what holds credentials, and what would make git inside fail stays
behind; see ``git-config(1)`` for every name here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

from envspec.forward.values import Entry, SshWish

CORE = frozenset(
    (
        *("abbrev", "autocrlf", "bigfilethreshold", "checkstat", "commentchar", "commentstring", "commitgraph"),
        *("compression", "deltabasecachelimit", "eol", "logallrefupdates", "loosecompression", "multipackindex"),
        *("notesref", "packedgitlimit", "packedgitwindowsize", "preloadindex", "protecthfs", "protectntfs"),
        *("quotepath", "safecrlf", "trustctime", "untrackedcache", "warnambiguousrefs", "whitespace"),
    )
)
"""What of ``core`` means the same inside; the rest runs programs, or is for one file system."""

HTTP = frozenset(("followredirects", "lowspeedlimit", "lowspeedtime", "maxrequests", "minsessions", "postbuffer"))
"""What of ``http`` means the same inside; the rest is proxies, headers, cookies and certificates of the host."""

OF_THE_HOST = frozenset(
    (
        *("browser", "credential", "credentialcache", "credentialstore", "daemon", "difftool", "extensions", "filter"),
        *("fsmonitor", "gitcvs", "gitweb", "gui", "guitool", "imap", "include", "includeif", "instaweb", "lfs"),
        *("maintenance", "man", "mergetool", "protocol", "safe", "scalar", "sendemail", "web"),
    )
)
"""Sections that are about programs, directories and credentials of the host.

A filter whose program is missing inside would make every checkout fail; an image that has one says so itself.
"""

PROGRAMS = frozenset(
    (
        *("askpass", "cmd", "command", "defaultkeycommand", "difffilter", "driver", "editor", "external", "helper"),
        *("pager", "program", "proxy", "receivepack", "textconv", "uploadpack", "vcs"),
    )
)
"""Names, in whatever section, whose value is a program."""

MISSING_FAILS = frozenset(("commit.template", "init.templatedir"))
"""Files of the host without which git fails or, worse, hooks of the host."""

SIGNING = frozenset(("commit.gpgsign", "push.gpgsign", "tag.forcesignannotated", "tag.gpgsign", "user.signingkey"))
"""What makes git sign; without a key it fails."""

_SECRET_NAME = re.compile(r"token|secret|passw|passphrase|smtppass|cookie|api-?key|credential|extraheader")
_SECRET_TEXT = re.compile(
    r"""
    [a-z][a-z0-9+.-]*://[^\s/@:]*:[^\s/@]*@              # a URL with a password
    | https?://[^\s/@]+@                                 # a URL with a token in the user's place
    | \b(?:gh[pousr]_|github_pat_|glpat-|sk-|xox[a-z]-|hf_|npm_|pypi-|AKIA|ASIA)[A-Za-z0-9_-]{12,}  # by its form
    | \b(?:bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}
    | (?:token|password|passwd|secret|api_?key)\s*[=:]\s*[^\s$"'`({]{4}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SSH_URL = re.compile(r"(?:git\+)?ssh(?:\+git)?://|(?![a-z][a-z0-9+.-]*://)[^/\s:]+:", re.IGNORECASE)
_HOST_URL = re.compile(r"file://|[/.~]", re.IGNORECASE)
_BOOLEANS = frozenset(("true", "false", "yes", "no", "on", "off", "0", "1", ""))


def read(output: bytes) -> tuple[Entry, ...]:
    """Read what ``git config --list --show-scope -z`` printed, and return the entries of the user's own files."""
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    found = []
    for scope, text in zip(fields[::2], fields[1::2], strict=False):
        key, line_break, value = text.partition("\n")
        if scope == "global" and "." in key:
            found.append(Entry(key, value if line_break else None))
    return tuple(found)


def chosen(entries: Iterable[Entry], ssh: SshWish, key_inside: Callable[[str], str]) -> tuple[Entry, ...]:
    """Return what is right inside, in order.

    Args:
        entries: The configuration of the host.
        ssh: How SSH keys come inside.
        key_inside: Returns the ``user.signingkey`` of SSH as it has to read inside, "" for one out of reach there.
    """
    kept = [entry for entry in entries if not _stays_behind(entry, ssh)]
    last = {entry.key: entry.value or "" for entry in kept}
    key = key_inside(last.get("user.signingkey", "")) if last.get("gpg.format") == "ssh" else ""
    if not key:
        return tuple(entry for entry in kept if entry.key not in SIGNING and entry.section != "gpg")
    return tuple(Entry(entry.key, key) if entry.key == "user.signingkey" else entry for entry in kept)


def signs(entries: Iterable[Entry]) -> bool:
    """Say whether a configuration makes git sign commits or tags by itself."""
    wanted = SIGNING - {"user.signingkey"}
    return any(
        entry.key in wanted and (entry.value or "true").lower() in ("true", "yes", "on", "1") for entry in entries
    )


def render(entries: Iterable[Entry]) -> bytes:
    """Return a file of git's configuration that holds the entries in their order.

    Every value is quoted and every special character in it is escaped, so that it reads back as it was.
    """
    lines = []
    for (section, subsection), group in groupby(entries, key=lambda entry: (entry.section, entry.subsection)):
        quoted = "" if subsection is None else f' "{_escaped(subsection, _IN_HEADER)}"'
        lines.append(f"[{section}{quoted}]")
        lines += [f"\t{entry.name}{_assigned(entry.value)}" for entry in group]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


_IN_HEADER: Mapping[str, str] = {"\\": "\\\\", '"': '\\"'}
_IN_VALUE: Mapping[str, str] = {**_IN_HEADER, "\n": "\\n", "\t": "\\t", "\b": "\\b"}


def _assigned(value: str | None) -> str:
    return "" if value is None else f' = "{_escaped(value, _IN_VALUE)}"'


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)


def _stays_behind(entry: Entry, ssh: SshWish) -> bool:
    return any(
        (
            entry.section in OF_THE_HOST,
            entry.section == "core" and not (entry.name in CORE or _in_the_home(entry)),
            entry.section == "http" and entry.name not in HTTP,
            entry.section == "url" and _url_stays_behind(entry, ssh),
            entry.section == "pager" and (entry.value or "").lower() not in _BOOLEANS,
            entry.section != "alias" and (_runs(entry) or _is_path(entry)),
            entry.key in MISSING_FAILS,
            _is_secret(entry),
        )
    )


def _in_the_home(entry: Entry) -> bool:
    """Say whether it names a file below the home, whichever that is inside, and nothing is lost when it is missing."""
    return entry.name in ("attributesfile", "excludesfile") and (entry.value or "").startswith("~/")


def _runs(entry: Entry) -> bool:
    return entry.name in PROGRAMS or entry.name.endswith("hook") or (entry.value or "").startswith("!")


def _is_path(entry: Entry) -> bool:
    """Say whether the value is an absolute path; that of the key to sign with is looked at by itself."""
    return entry.key != "user.signingkey" and (entry.value or "").startswith("/")


def _url_stays_behind(entry: Entry, ssh: SshWish) -> bool:
    """Say whether URLs would be rewritten to something that cannot be reached inside."""
    base = entry.subsection or ""
    return bool(_HOST_URL.match(base)) or (not ssh and bool(_SSH_URL.match(base)))


def _is_secret(entry: Entry) -> bool:
    if entry.section != "alias" and _SECRET_NAME.search(f"{entry.section}.{entry.name}"):
        return True
    return any(_SECRET_TEXT.search(text) for text in (entry.subsection or "", entry.value or ""))
