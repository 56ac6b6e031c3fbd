"""What a repository is made with, told from the names of its files and the text of a few of them. Pure.

What shows a language and how a repository of its kind is installed is said by the purposes themselves, so that a
purpose of the user's own is detected as those that ship are.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from envspec import pins
from envspec.frontmatter import InstallRule
from envspec.pins import Requirement
from envspec.purposes import Catalogue

IGNORED = frozenset(
    [
        *("benchmark", "benchmarks", "demo", "demos", "doc", "docs", "example", "examples", "fixtures", "node_modules"),
        *("samples", "spec", "specs", "test", "testdata", "tests", "third_party", "vendor"),
    ]
)
"""Directories whose files say nothing of the repository that they are in."""

MAX_DIRECTORIES = 8
"""Directories below the root that are looked at for one language; of more, the first by name."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What one purpose knows of the repositories of its kind.

    Attributes:
        purpose: Name of the purpose.
        shown_by: Files that show it.
        rules: How such a repository is installed; the first rule that fits counts.
        tests: Commands that install what its tests need, after those of the rule.
    """

    purpose: str
    shown_by: tuple[str, ...]
    rules: tuple[InstallRule, ...]
    tests: tuple[str, ...] = ()

    @property
    def files(self) -> frozenset[str]:
        """Return the names of all files that it knows."""
        return frozenset((*self.shown_by, *(rule.file for rule in self.rules)))


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A purpose that a repository asks for.

    Attributes:
        purpose: Its name.
        shown_by: Files that show it, as paths in the repository, sorted.
        requirements: The versions that the repository asks for.
        install: Commands that install the repository, run at its root.
    """

    purpose: str
    shown_by: tuple[str, ...]
    requirements: tuple[Requirement, ...] = ()
    install: tuple[str, ...] = ()


def knowledge(catalogue: Catalogue, first: str = "") -> tuple[Knowledge, ...]:
    """Return what the purposes know, each kind of repository once.

    Args:
        catalogue: The purposes in reach.
        first: Name of the purpose that comes before all others where two know the same files, "" for none.

    Raises:
        SpecError: A purpose's file is faulty.
    """
    found: list[Knowledge] = []
    for name in sorted(catalogue.names(), key=lambda name: (name != first, name)):
        matter = catalogue.get(name).matter
        new = Knowledge(name, matter.detect, matter.install, matter.tests)
        if new.files and not any(new.files & known.files for known in found):
            found.append(new)
    return tuple(sorted(found, key=lambda known: known.purpose))


def install_commands(
    files: Iterable[str], contents: Mapping[str, str], known: tuple[Knowledge, ...]
) -> tuple[str, ...]:
    """Return the commands that install a repository by the files at its root.

    Args:
        files: Paths in the repository; only those without a directory count.
        contents: Text of those files that :func:`wanted` names.
        known: What the purposes know.
    """
    names = frozenset(files)
    return tuple(command for item in known for command in _install(item, "", names, contents))


def install_script(known: tuple[Knowledge, ...]) -> str:
    """Return POSIX shell text that does inside, by the files in its working directory, what they ask for.

    It does what :func:`install_commands` says, without anybody having looked at the repository before. A rule whose
    tool is not there is passed over; where that leaves nothing, the script fails and says so.

    Args:
        known: What the purposes know.
    """
    return "\n".join([_SCRIPT_HEAD, *(_chain(item) for item in known if item.rules), _SCRIPT_TAIL])


def wanted(files: Iterable[str], known: tuple[Knowledge, ...]) -> tuple[str, ...]:
    """Return the paths whose text :func:`detect` reads, sorted."""
    matching = {rule.file for item in known for rule in item.rules if rule.matching}
    return tuple(sorted(path for path in files if _name(path) in matching | pins.FILES))


def detect(files: Iterable[str], contents: Mapping[str, str], known: tuple[Knowledge, ...]) -> tuple[Toolchain, ...]:
    """Say what a repository is made with, sorted by purpose.

    What lies at the root counts; only what is not shown there is looked for in the directories below it.

    Args:
        files: Paths in the repository, at the root and one directory below.
        contents: Text of those files that :func:`wanted` names.
        known: What the purposes know.
    """
    paths = frozenset(files)
    found = []
    for item in known:
        places = _places(item, paths)
        if not places:
            continue
        shown = tuple(path for place in places for path in sorted(place + name for name in item.files) if path in paths)
        install = tuple(command for place in places for command in _install(item, place, paths, contents))
        found.append(Toolchain(item.purpose, shown, _requirements(item, places, contents), install))
    return tuple(found)


def _places(item: Knowledge, paths: frozenset[str]) -> tuple[str, ...]:
    """Return the directories that show a purpose: the root as "", others as ``name/``."""
    if any(name in paths for name in item.files):
        return ("",)
    below = {path.partition("/")[0] for path in paths if path.count("/") == 1 and _name(path) in item.files}
    # A name is shown and becomes part of a command: one that could fool a terminal is passed over.
    own = sorted(name for name in below if name.isprintable() and name not in IGNORED and not name.startswith("."))
    return tuple(f"{name}/" for name in own[:MAX_DIRECTORIES])


def _install(item: Knowledge, place: str, paths: frozenset[str], contents: Mapping[str, str]) -> tuple[str, ...]:
    """Return the commands of the first rule that fits in a directory, to be run at the root."""
    for rule in item.rules:
        path = place + rule.file
        if path in paths and (not rule.matching or re.search(rule.matching, contents.get(path, ""), re.MULTILINE)):
            into = f"cd {shlex.quote(place.rstrip('/'))} && " if place else ""
            return tuple(into + command for command in (*rule.run, *item.tests))
    return ()


def _requirements(item: Knowledge, places: tuple[str, ...], contents: Mapping[str, str]) -> tuple[Requirement, ...]:
    """Return the versions that the files of the root and of the directories ask for."""
    found: list[Requirement] = []
    for place in dict.fromkeys(("", *places)):
        texts = {_name(path): text for path, text in contents.items() if path == place + _name(path)}
        found += pins.requirements(item.purpose, texts, place)
    return tuple(found)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


_SCRIPT_HEAD = """\
# install: auto
found='' missing='' did=''
# fits FILE PATTERN TOOL: whether a rule counts here
fits() {
  [ -f "$1" ] || return 1
  [ -z "$2" ] || grep -Eq -e "$2" -- "$1" || return 1
  found=$1
  command -v "$3" > /dev/null || { missing="$missing $1 ($3)"; return 1; }
  did=$1
  printf 'installing by %s\\n' "$1"
}"""

_SCRIPT_TAIL = """\
[ -n "$found" ] || echo 'nothing here says how it is installed'
[ -z "$missing" ] || echo "passed over, for want of a tool:$missing" >&2
[ -z "$missing" ] || [ -n "$did" ] || exit 127"""


def _chain(item: Knowledge) -> str:
    """Return the shell's choice among the rules of one purpose."""
    lines: list[str] = []
    for rule in item.rules:
        words = " ".join(shlex.quote(word) for word in (rule.file, rule.matching, _tool(rule)))
        lines.append(f"{'elif' if lines else 'if'} fits {words}; then")
        lines += [f"  {command}" for command in rule.run]
        # An image of somebody else's may lack the program; it installs the repository all the same.
        lines += [f"  if command -v {command.split()[0]} > /dev/null; then {command}; fi" for command in item.tests]
    return "\n".join([*lines, "fi"])


def _tool(rule: InstallRule) -> str:
    """Return the program that a rule's first command runs."""
    return next((word for word in rule.run[0].split() if "=" not in word), "true")
