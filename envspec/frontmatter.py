"""The front matter of a purpose: its models, and reading them from YAML with the line of every fault."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from envspec.errors import SpecError, SpecFaults, Where, near
from envspec.yaml_text import YamlText, yaml_text

Source = Literal["registry", "bootstrap", "local"]
"""Where a base image comes from. A local image bears the name that it has in its registry."""

RESERVED = frozenset({"base", "image_source", "mounts"})
"""Names that every template has beside its params."""

_MAX_DEPTH = 8
_HOME_PATH = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_PARAM_NAME = re.compile(r"[a-z][a-z0-9_]{0,38}")


def _tuple_of(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_tuple_of)]
"""One text or a list of them."""


def _expression(value: str) -> str:
    """Insist that a text is a regular expression."""
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


class _Words(BaseModel):
    """Base of the front matter's models: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PerSource(_Words):
    """A text for each source."""

    registry: str
    bootstrap: str


class Versions(_Words):
    """The values that a source can give; an empty list means any."""

    registry: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()


class Param(_Words):
    """A typed param of a purpose.

    Attributes:
        description: What it means.
        pattern: Regular expression that the whole value must match.
        default: Its value when nothing is asked, the same for all sources or one for each.
        versions: The values that a source can give, where it can't give all that match.
    """

    description: str
    pattern: str
    default: str | PerSource
    versions: Versions = Versions()

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        return _expression(value)

    def default_for(self, source: Source) -> str:
        """Return the value when nothing is asked."""
        if isinstance(self.default, str):
            return self.default
        return self.default.bootstrap if source == "bootstrap" else self.default.registry

    def offered_by(self, source: Source) -> tuple[str, ...]:
        """Return the values that a source can give; empty means any that match."""
        return self.versions.bootstrap if source == "bootstrap" else self.versions.registry


class InstallRule(_Words):
    """How a repository that has a certain file is installed.

    Attributes:
        file: The file, directly in the directory that is installed.
        matching: Extended regular expression that some line of the file must match; "" for any file. It is read by
            Python and by ``grep -E``, so it keeps to what both understand.
        run: The commands, run there.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    matching: str = ""
    run: Texts = Field(min_length=1)

    @field_validator("matching")
    @classmethod
    def _compiles(cls, value: str) -> str:
        return _expression(value)


class HomeFiles(_Words):
    """Files of the user's home that come along where the environment is trusted, as paths below it.

    Attributes:
        secret: Those that stay in the tmpfs; their place in the home is a link.
        seed: Those that are copied, for what runs inside goes on writing them; one that holds a credential stays out.
    """

    secret: Texts = ()
    seed: Texts = ()

    @field_validator("secret", "seed")
    @classmethod
    def _lie_below(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if not _HOME_PATH.fullmatch(path) or ".." in path.split("/"):
                raise ValueError(f"`{path}` is not a path below the home directory")
        return paths


class FrontMatter(_Words):
    """What a purpose says of itself.

    Attributes:
        summary: One line for a person.
        params: Its params by name.
        base: Template of the image's reference in its registry, and the recipe that bootstraps a stand-in.
        detect: Files in a repository that show this purpose.
        packaged: Whether its tools are packages of the distribution from every source, so that the template's
            ``image_source`` is always ``bootstrap``.
        forwards: What of the user it takes along; empty for nothing, ``None`` to leave that to the spec's defaults.
        mount_cwd: Whether the working directory is bound by default.
        trust: Whether what runs in it may have anything of the user's, by default.
        home: Files of the user's home that come along.
        setup: Templates of commands that the user inside runs once, before all others; one that is blank is left out.
        install: How a repository of its kind is installed; the first rule whose file is there counts.
        tests: Commands that install what the tests of such a repository need, run after those of the rule.
    """

    summary: str = Field(min_length=1)
    params: dict[str, Param] = {}
    base: PerSource
    detect: Texts = ()
    packaged: bool = False
    forwards: Texts | None = None
    mount_cwd: bool = True
    trust: Literal["trusted", "untrusted"] = "trusted"
    home: HomeFiles = HomeFiles()
    setup: Texts = ()
    install: tuple[InstallRule, ...] = ()
    tests: Texts = ()
    _places: dict[tuple[str | int, ...], int] = PrivateAttr(default_factory=dict)

    def line(self, *path: str | int) -> int:
        """Return the line of a value in its file, 0 when it was not read from one."""
        return self._places.get(_place(path, self._places), 0)

    @model_validator(mode="after")
    def _names(self) -> Self:
        for name in sorted(self.params):
            if not _PARAM_NAME.fullmatch(name) or name in RESERVED | {"use"}:
                raise ValueError(f"`{name}` cannot be the name of a param")
        return self


def parse(text: str, file: Path) -> FrontMatter:
    """Read front matter.

    Args:
        text: The YAML between the two lines ``---``; the first of them is line 1 of the file.
        file: Path of the file, for errors.

    Raises:
        SpecError: It is no YAML, or uses what front matter needs not: aliases, a deep nesting, a key twice.
        SpecFaults: All its other faults.
    """
    places: dict[tuple[str | int, ...], int] = {}
    shown = yaml_text(text)
    try:
        depth = 0
        for event in yaml.parse(shown.text, yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH or isinstance(event, yaml.AliasEvent):
                what = "an alias" if isinstance(event, yaml.AliasEvent) else "too deep a nesting"
                raise fault(f"{what} has no place in front matter", file, _line(event.start_mark))
        data = _plain(yaml.compose(shown.text, yaml.SafeLoader), (), places, _Written(shown, file))
    except yaml.MarkedYAMLError as error:
        raise fault(f"the front matter is not YAML: {error.problem}", file, _line(error.problem_mark)) from None
    except yaml.YAMLError:
        raise fault("the front matter is not YAML", file) from None
    try:
        matter = FrontMatter.model_validate(data)
    except ValidationError as error:
        raise SpecFaults(tuple(sorted(_faults(error, places, file), key=lambda fault: fault.where))) from None
    matter._places.update(places)
    return matter


@dataclass(frozen=True, slots=True)
class _Written:
    """The text that is read, as the parser has it, and its file."""

    text: YamlText
    file: Path


def _plain(node: yaml.Node | None, path: tuple[str | int, ...], places: dict[Any, int], written: _Written) -> Any:
    """Turn a YAML node into dicts, lists and texts; a scalar stays what its author wrote."""
    if node is None:
        return None
    places[path] = _line(node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag.endswith(":null") else written.text.restore(str(node.value), node.style)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, index), places, written) for index, item in enumerate(node.value)]
    result: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value)
        if name in result:
            told = f"`{name}` is there twice, first on line {places[*path, name]}"
            raise fault(told, written.file, _line(key.start_mark))
        result[name] = _plain(value, (*path, name), places, written)
        places[*path, name] = _line(key.start_mark)
    return result


def _faults(error: ValidationError, places: Mapping[tuple[str | int, ...], int], file: Path) -> list[SpecError]:
    faults = []
    for item in error.errors():
        path = _place(tuple(item["loc"]), places)
        name = ".".join(str(part) for part in item["loc"])
        told = {
            "extra_forbidden": f"unknown key `{name}`",
            "missing": f"`{name}` is missing",
            "model_type": f"{name or 'the front matter'} must be keys and values",
        }
        message = told.get(item["type"], f"{name}: {item['msg']}")
        known = _known(tuple(item["loc"]))
        listed = "the keys here are " + ", ".join(f"`{key}`" for key in known)
        unknown = item["type"] == "extra_forbidden"
        hint = nearest(str(item["loc"][-1]), known) or listed if unknown else ""
        faults.append(fault(message, file, places.get(path, 1), hint))
    return faults


def _place(path: tuple[str | int, ...], places: Mapping[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    """Return a place, or the nearest one above it that is written."""
    while path and path not in places:
        path = path[:-1]
    return path


def _known(loc: tuple[str | int, ...]) -> list[str]:
    """Return the keys that may stand at the place of a key."""
    depth = len(loc)
    form: type[_Words] = FrontMatter
    if depth > 1:
        form = _FORMS.get(str(loc[0]), FrontMatter)
    if form is Param and depth > 3:  # params, NAME, and then a key that has keys
        form = Versions if loc[2] == "versions" else PerSource
    return sorted(form.model_fields)


_FORMS: dict[str, type[_Words]] = {"params": Param, "base": PerSource, "home": HomeFiles, "install": InstallRule}


def _line(mark: Any) -> int:
    return mark.line + 2 if mark else 0  # marks count from 0, and the first line holds `---`


def nearest(word: str, known: Sequence[str]) -> str:
    """Return a hint that names the closest known word, or "" when none is close."""
    meant = near(word, known)
    return f"did you mean `{meant}`?" if meant else ""


def fault(message: str, file: Path, line: int = 0, hint: str = "") -> SpecError:
    """Make the error for a faulty purpose file."""
    return SpecError(message, code="purpose.invalid", hint=hint, where=Where(file=str(file), line=line))
