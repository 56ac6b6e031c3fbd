"""The purpose ``try-repo``: what a repository showed becomes an ordinary spec, with the purpose that it asks for.

A repository of one language takes the purpose of that language, and so shares its image; one of several takes the
combined image of ``try-repo``. What was seen goes with the container, so that a converged environment asks nobody
again, and a branch that moves upstream changes nothing.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from envspec import hostpath
from envspec.detect import Toolchain
from envspec.errors import SpecError, Where
from envspec.frontmatter import Param, Source
from envspec.kinds.container import ContainerSpec
from envspec.model import Desired, Resource, to_json
from envspec.pins import Requirement, Version, numbers
from envspec.purposes import Catalogue, Purpose
from envspec.spec.forms import Mount, Repo
from envspec.spec.forms import Purpose as Form
from envspec.spec.load import Loaded
from envspec.spec.models import TRY_REPO
from envspec.spec.names import last_part

FALLBACK = "general"
"""The purpose of a repository that shows no language."""

VERSION = "version"
"""The param by which the purpose of one language is told its version."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")

LOCAL = "/srv/envspec"
"""Where a repository of this host is mounted, read-only, to be cloned from."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a repository showed.

    Attributes:
        url: Where it is, as :func:`location` has it.
        toolchains: What it is made with, sorted by purpose.
    """

    url: str
    toolchains: tuple[Toolchain, ...]

    @property
    def label(self) -> str:
        """Return it as text that :func:`recall` reads."""
        return json.dumps(to_json(self), separators=(",", ":"), ensure_ascii=False)


def recall(text: str, url: str) -> Trial | None:
    """Read a trial back; ``None`` when the text is of another repository, or none that this version wrote."""
    try:
        data = json.loads(text)
        if data["url"] != url:
            return None
        found = tuple(
            Toolchain(
                item["purpose"],
                tuple(item["shown_by"]),
                tuple(Requirement(**asked) for asked in item["requirements"]),
                tuple(item["install"]),
            )
            for item in data["toolchains"]
        )
        return Trial(url, found)
    except (ValueError, TypeError, KeyError):
        return None


def location(loaded: Loaded) -> str:
    """Return the URL of the repository to try; one of this host as its real path."""
    url = loaded.spec.repo_url or ""
    if url.startswith(("file:///", "file://localhost/")):
        url = unquote(urlsplit(url).path, errors="surrogateescape")
    if url.startswith(("/", "./", "../", "~")):
        return str(hostpath.real(hostpath.expanded(loaded.directory, url)))
    return url


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial with what is around it.

    Attributes:
        trial: What the repository showed.
        asked: The params that the author gave ``try-repo``: a version by the name of its language.
        catalogue: The purposes in reach.
        typed: The URL where it was given on the command line, "" where a file says it.
        installs: Whether the repository is installed after it was cloned.
    """

    trial: Trial
    asked: Mapping[str, str]
    catalogue: Catalogue
    typed: str = ""
    installs: bool = True

    @property
    def purpose(self) -> Purpose:
        """Return the purpose to take.

        Raises:
            SpecError: The author asks for a language that is none.
        """
        combined = self.catalogue.get(TRY_REPO)
        combined.check_names(self.asked)
        names = {item.purpose for item in self.trial.toolchains} | set(self.asked)
        if len(names) > 1 and names & set(combined.matter.params):
            return combined
        return self.catalogue.get(min(names, default=FALLBACK))

    def expand(self, loaded: Loaded) -> Loaded:
        """Return the ordinary spec that the one with the purpose ``try-repo`` stands for.

        Raises:
            SpecError: Its repository would be cloned over another one.
        """
        spec, url, mounts = loaded.spec, self.trial.url, loaded.spec.mounts
        matter = self.catalogue.get(TRY_REPO).matter
        if url.startswith("/"):
            inside = f"{LOCAL}/{_UNSAFE.sub('-', last_part(url))}"
            # What the engine cannot mount is told where mounts are made, with the place in the file.
            mounts = (*mounts, Mount.model_construct(host=url, container=inside, mode="ro"))
        purpose = self.purpose
        taken = (item for item in self.trial.toolchains if _is_taken(item, purpose))
        install = [command for item in taken for command in item.install] if self.installs else []
        repo = _repo(url, install, loaded)
        if any(repo.path == other.path for other in spec.repos):
            raise SpecError(
                f"`repo_url` would be cloned to {repo.path}, as another repository is",
                code="spec.collision",
                hint="give the other one another `path`",
                where=loaded.where("repo_url"),
            )
        ordinary = {
            "purpose": Form(use=purpose.name),
            "mount_cwd": matter.mount_cwd if spec.mount_cwd is None else spec.mount_cwd,
            "mounts": mounts,
            "repos": (*spec.repos, repo),
            "trust": spec.trust or matter.trust,
        }
        return dataclasses.replace(loaded, spec=spec.model_copy(update=ordinary))

    def params(self, source: Source) -> dict[str, str]:
        """Return the params that the purpose is given.

        Raises:
            SpecError: The source has no version that the repository can do with.
        """
        return {name: choice.version for name, choice in self._choices(source).items() if choice.told}

    def marked(self, desired: Desired, source: Source) -> Desired:
        """Return what shall be with notes of what was seen, and with the label that remembers it."""
        resources = tuple(self._labelled(resource) for resource in desired.resources)
        return dataclasses.replace(desired, resources=resources, notes=(*self.notes(source), *desired.notes))

    def notes(self, source: Source) -> tuple[str, ...]:
        """Return what the reader should know: what was seen, what follows from it, and where that falls short."""
        purpose, choices = self.purpose, self._choices(source)
        found = []
        for item in self.trial.toolchains:
            if not _is_taken(item, purpose):
                found.append(f"detected: {item.purpose}, but left out: it cannot be combined with {purpose.name}")
                continue
            choice = choices.get(item.purpose if purpose.name == TRY_REPO else VERSION)
            version = f" {choice.version}" if choice else ""
            asked = f", which asks for {_listed(item.requirements)}" if item.requirements else ""
            found.append(f"detected: {item.purpose}{version}, shown by {', '.join(item.shown_by)}{asked}")
            word = "installs with" if self.installs else "not installed, as you asked; it would be with"
            found += [f"{word}: {command}" for command in item.install]
        if not self.trial.toolchains:
            found.append(f"detected: nothing that a purpose knows; taking `{purpose.name}`, and nothing is installed")
        return (*found, *(choice.note for choice in choices.values() if choice.note))

    def _labelled(self, resource: Resource) -> Resource:
        if not isinstance(resource.spec, ContainerSpec):
            return resource
        return dataclasses.replace(resource, spec=dataclasses.replace(resource.spec, detected=self.trial.label))

    def _choices(self, source: Source) -> dict[str, _Choice]:
        """Return the version of each language by the param that tells it."""
        purpose = self.purpose
        wishes = {item.purpose: item.requirements for item in self.trial.toolchains if _is_taken(item, purpose)}
        found = {}
        for language in sorted({*wishes, *self.asked}):
            name = language if purpose.name == TRY_REPO else VERSION
            param = purpose.matter.params.get(name)
            if param is None:
                continue
            given = self.asked.get(language, "")
            choice = _Choice(given, told=True) if given else self._choose(language, param, wishes[language], source)
            # The combined image has no language but those that it is told.
            found[name] = dataclasses.replace(choice, told=choice.told or purpose.name == TRY_REPO)
        return found

    def _choose(self, language: str, param: Param, wishes: tuple[Requirement, ...], source: Source) -> _Choice:
        """Choose the version of a language, or say what there is instead, and how to have that or the right one."""
        choice = _choose(language, param, wishes, source)
        if choice:
            return choice
        default, offered = _default(param, source), _offered(param, source)
        other: Source = "registry" if source == "bootstrap" else "bootstrap"
        take = f"purpose: {{use: {TRY_REPO}, {language}: '{default}'}}"
        ways = [f"`envspec try {self.typed} --with {language}={default}`" if self.typed else f"`{take}`"]
        if _choose(language, param, wishes, other):
            ways = [f"`--image-source {other}`" if self.typed else f"`image_source: {other}`", *ways]
        has = ", ".join(offered) or f"none that fits, such as {default}"
        raise SpecError(
            f"the repository asks for {language} {_listed(wishes)}; {source} has {has}",
            code="trial.version",
            hint=f"{ways[0]} has it; {ways[1]} tries it with {default}" if ways[1:] else f"{ways[0]} tries it anyhow",
            where=Where(address="repo_url"),
        )


@dataclass(frozen=True, slots=True)
class _Choice:
    """The version of one language; ``told`` says whether the purpose has to be told, and ``note`` what is amiss."""

    version: str
    told: bool
    note: str = ""


def _repo(url: str, install: list[str], loaded: Loaded) -> Repo:
    """Return the repository to clone; its URL was checked with the spec, and a real path may hold more than one may."""
    try:
        known = Repo.model_validate({"url": "/", "path": last_part(url), "install": install})
    except ValidationError:
        raise SpecError(
            f"{last_part(url)!r}, the last part of `repo_url`, is not a directory to clone into",
            code="spec.value",
            hint="list it under `repos` with a `path` and `install: auto`, and name a `purpose`",
            where=loaded.where("repo_url"),
        ) from None
    return known.model_copy(update={"url": url})


def _is_taken(item: Toolchain, purpose: Purpose) -> bool:
    """Say whether a language is in the image of the purpose that a trial takes."""
    return item.purpose in (purpose.matter.params if purpose.name == TRY_REPO else (purpose.name,))


def _offered(param: Param, source: Source) -> tuple[str, ...]:
    """Return the versions that a source has, the one to take first last; empty means any."""
    return tuple(version for version in param.offered_by(source) if numbers(version))


def _default(param: Param, source: Source) -> str:
    """Return the version that a source gives when none is asked for."""
    given = param.default_for(source)
    return given if numbers(given) else _offered(param, source)[-1]


def _choose(language: str, param: Param, wishes: tuple[Requirement, ...], source: Source) -> _Choice | None:
    """Choose the version of a language: the purpose's own, else one that the repository can do with, else ``None``.

    A version that is merely pinned may be newer than the pin, with a note; a range must be kept.
    """
    offered, default = _offered(param, source), _default(param, source)
    candidates = offered[::-1] or _candidates(wishes, len(numbers(default)))
    fitting = [text for text in candidates if re.fullmatch(param.pattern, text)]
    unclear = tuple(wish for wish in wishes if not wish.ranges and wish.text != "stable")
    taken = f"{language} VERSION is taken: it is not known which version {_listed(unclear)} is" if unclear else ""
    pinned = any(wish.pin and wish.ranges for wish in wishes) and not offered
    for version in (*fitting, default) if pinned else (default, *fitting):
        if all(wish.allows(version) for wish in wishes):
            return _Choice(version, version != default, taken.replace("VERSION", version))
    for version in (default, *fitting):
        behind = tuple(wish for wish in wishes if not wish.allows(version))
        if all(wish.pin and wish.is_older_than(version) for wish in behind):
            note = f"{language} {version} stands in for {_listed(behind)}, which {source} does not have"
            return _Choice(version, version != default, note)
    return None


def _listed(wishes: tuple[Requirement, ...]) -> str:
    return ", ".join(f"{wish.text} ({wish.file})" for wish in wishes)


def _candidates(wishes: tuple[Requirement, ...], length: int) -> tuple[str, ...]:
    """Return the versions to ask a source for that has any: a pin as it stands, the newest or the first of a range."""
    found: list[Version] = []
    for wish in sorted(wishes, key=lambda wish: not wish.pin):
        if wish.pin and numbers(wish.text):
            found.append(numbers(wish.text))
        for first, end in reversed(wish.ranges):
            if end is not None and end[:length][-1] > 0:
                found.append((*end[:length][:-1], end[:length][-1] - (len(end) <= length)))
            found.append(first[:length])
    return tuple(dict.fromkeys(".".join(str(part) for part in version) for version in found))
