"""Purposes: what an environment is for, each one file with YAML front matter and a Dockerfile template.

A purpose holds nothing of a user or a host, so that one image serves every environment that asks for the same. The
files beside the spec come first, then the user's own, then those that ship with envspec.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from envspec import frontmatter, shipped
from envspec.dockerfile import first_heredoc
from envspec.engine.facts import CA_FILE, ENV_FILE, RUN_DIR
from envspec.errors import Faults, SpecError, Where
from envspec.frontmatter import RESERVED, FrontMatter, Source, fault, nearest
from envspec.host_network import FILES

SUFFIX = ".Dockerfile.j2"
"""End of a purpose's file name; the rest is its name."""

MAX_BYTES = 64 * 1024
"""A larger file is no purpose."""

BASE_REPOSITORY = "envspec/base"
"""Bootstrapped images are ``envspec/base:RECIPE``: a stand-in never bears the name of what it stands for."""

MOUNTS = " ".join(
    f"--mount=type=secret,id={name},target={path}"
    for name, path in (("env", ENV_FILE), ("ca", CA_FILE), *((name, f"{RUN_DIR}/{name}") for name in FILES))
)
"""What a template prints after ``RUN`` as ``{{ mounts }}``: the host's proxies, CAs and package indexes, in no layer.

All of them on every host, so that an image bears the same digest on each; a build mounts those that there are.
"""

_MAX_VALUE = 200
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_REFERENCE = re.compile(r"[a-z0-9][A-Za-z0-9._/:@-]{0,254}")
_INCLUDE = re.compile(r'^\{% include "([a-z0-9-]{1,40})" %\}\n', re.MULTILINE)
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*\n", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BaseWish:
    """The base image that a purpose wants.

    Attributes:
        ref: Its reference.
        recipe: Recipe of :mod:`envspec.engine.bootstrap` that makes it, or "" when it comes from a registry.
    """

    ref: str
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose, read and checked.

    Attributes:
        name: Its name.
        matter: What it says of itself.
        template: The Dockerfile template, blank where the front matter was, so that line numbers hold.
        file: Path of its file.
        builtin: Whether it ships with envspec.
        origins: File and line that each line of the template is from.
    """

    name: str
    matter: FrontMatter
    template: str
    file: str
    builtin: bool
    origins: tuple[tuple[str, int], ...] = field(default=(), repr=False)

    def values(self, params: Mapping[str, str], source: Source) -> dict[str, str]:
        """Return the value of every param, sorted by name.

        Args:
            params: What the user asks for.
            source: Where the base image comes from.

        Raises:
            SpecError: A param is unknown, does not match its pattern, or asks for what the source can't give.
        """
        faults = Faults()
        with faults:
            self.check_names(params)
        for name in sorted(params.keys() & self.matter.params.keys()):
            with faults:
                self._check_value(name, params[name], source)
        faults.stop()
        return {name: params.get(name, param.default_for(source)) for name, param in sorted(self.matter.params.items())}

    def check_names(self, names: Iterable[str]) -> None:
        """Insist that all names are those of params.

        Raises:
            SpecError: One is not.
        """
        faults = Faults()
        for name in sorted(names):
            if name not in self.matter.params:
                faults.add(self._unknown_param(name))
        faults.stop()

    def base(self, params: Mapping[str, str], source: Source) -> BaseWish:
        """Return the base image that the purpose wants from a source.

        Raises:
            SpecError: As :meth:`values`, or the reference comes out as none.
        """
        values = self.values(params, source)
        if source == "bootstrap":
            return BaseWish(f"{BASE_REPOSITORY}:{self.matter.base.bootstrap}", self.matter.base.bootstrap)
        from envspec import template  # noqa: PLC0415 - imports jinja2, which listing purposes does not need

        with self._placed(self.matter.line("base", "registry")):
            template.check(self.matter.base.registry, frozenset(self.matter.params), self.file)
            ref = template.fill(self.matter.base.registry, values, self.file)
            _check_reference(ref, self.file)
        return BaseWish(ref)

    def render(self, params: Mapping[str, str], source: Source, base_ref: str) -> str:
        """Render the Dockerfile.

        Args:
            params: What the user asks for.
            source: Where the base image comes from. ``local`` renders as ``registry`` does: it is the same image.
            base_ref: Reference of the base image as the engine knows it.

        Raises:
            SpecError: As :meth:`values`, or the template or what comes out of it is refused.
        """
        from envspec import template  # noqa: PLC0415 - imports jinja2, which listing purposes does not need

        values = self.values(params, source)
        _check_reference(base_ref, self.file)
        packaged = source == "bootstrap" or self.matter.packaged
        fixed = {"base": base_ref, "mounts": MOUNTS, "image_source": "bootstrap" if packaged else "registry"}
        with self._placed():
            template.check(self.template, RESERVED | frozenset(values), self.file)
            return template.render(self.template, values | fixed, self.file)

    def heredoc(self, dockerfile: str) -> tuple[str, int] | None:
        """Return file and line of the first here-document of the template, ``None`` where what it became has none."""
        if not first_heredoc(dockerfile):
            return None
        line = first_heredoc(self.template)
        return self.origins[line - 1] if 0 < line <= len(self.origins) else (self.file, line)

    def setup(self, params: Mapping[str, str], source: Source) -> tuple[str, ...]:
        """Return the commands that set it up inside.

        Raises:
            SpecError: As :meth:`values`, or a template is refused.
        """
        if not self.matter.setup:
            return ()
        from envspec import template  # noqa: PLC0415 - imports jinja2, which listing purposes does not need

        values = self.values(params, source)
        filled = []
        for index, text in enumerate(self.matter.setup):
            with self._placed(self.matter.line("setup", index)):
                template.check(text, frozenset(values), self.file)
                filled.append(template.fill(text, values, self.file).strip())
        return tuple(command for command in filled if command)

    @contextmanager
    def _placed(self, line: int = 0) -> Iterator[None]:
        """Give faults of a template their place in the file: a line of the front matter, or where the line is from."""
        try:
            yield
        except SpecError as error:
            for fault in error.every:
                written = fault.where.line
                if line:
                    fault.where = Where(self.file, line)
                elif 0 < written <= len(self.origins):
                    fault.where = Where(*self.origins[written - 1])
            raise

    def _unknown_param(self, name: str) -> SpecError:
        known = sorted(self.matter.params)
        return SpecError(
            f"purpose `{self.name}` has no param `{name}`",
            code="purpose.unknown_param",
            hint=nearest(name, known) or (f"it has {', '.join(known)}" if known else "it has no params"),
            where=Where(address=f"purpose.{name}"),
        )

    def _check_value(self, name: str, value: str, source: Source) -> None:
        param = self.matter.params[name]
        # A backslash or a line break could join or add instructions whatever the pattern lets through.
        is_plain = len(value) <= _MAX_VALUE and value.isprintable() and "\\" not in value
        if not is_plain or not re.fullmatch(param.pattern, value):
            raise SpecError(
                f"purpose `{self.name}`: {value[:60]!r} does not fit `{name}`",
                code="purpose.param",
                hint=f"{param.description}; it must match {param.pattern}, such as {param.default_for(source)!r}",
                where=Where(address=f"purpose.{name}"),
            )
        offered = param.offered_by(source)
        if offered and value not in offered:
            other = "registry" if source == "bootstrap" else "bootstrap"
            raise SpecError(
                f"purpose `{self.name}`: {name} {value} cannot come from {source}, which has {', '.join(offered)}",
                code="purpose.version",
                hint=f"set `image_source: {other}`, ask for {' or '.join(offered)}, or leave `{name}` out",
                where=Where(address=f"purpose.{name}"),
            )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The purposes in reach.

    Attributes:
        directories: Where to look, first come first served.
        builtin: The one of them that ships with envspec.
    """

    directories: tuple[Path, ...]
    builtin: Path

    def names(self) -> tuple[str, ...]:
        """Return the names of all purposes, sorted."""
        files = (file for directory in self.directories for file in directory.glob(f"*{SUFFIX}"))
        names = {file.name.removesuffix(SUFFIX) for file in files}
        return tuple(sorted(name for name in names if _NAME.fullmatch(name)))

    def get(self, name: str) -> Purpose:
        """Read a purpose.

        Raises:
            SpecError: There is none of that name, or its file is faulty.
        """
        if _NAME.fullmatch(name):
            for directory in self.directories:
                file = directory / f"{name}{SUFFIX}"
                if file.is_file():
                    return read(file, builtin=directory == self.builtin)
        raise SpecError(
            f"there is no purpose `{name[:60]}`",
            code="purpose.unknown",
            hint=nearest(name, self.names()) or f"there are {', '.join(self.names())}",
            where=Where(address="purpose"),
        )


def catalogue(spec_dir: Path | None) -> Catalogue:
    """Return the purposes in reach of a spec.

    Args:
        spec_dir: Directory of the spec, ``None`` when there is no spec.
    """
    builtin = shipped.directory("purposes")
    beside = () if spec_dir is None else (spec_dir / "purposes",)
    return Catalogue((*beside, platformdirs.user_config_path("envspec") / "purposes", builtin), builtin)


def read(file: Path, *, builtin: bool = False) -> Purpose:
    """Read a purpose's file and check all of it.

    Raises:
        SpecError: The file cannot be read; :class:`envspec.errors.SpecFaults` holds all faults of its front matter.
    """
    text = _text(file)
    found = _FRONT_MATTER.match(text)
    if not found:
        raise fault("a purpose begins with front matter between two lines `---`", file, 1)
    matter = frontmatter.parse(found.group(1), file)
    before = found.group(0).count("\n")
    lines = [_Line("\n", str(file), number + 1) for number in range(before)]
    for number, line in enumerate(_lines(text[found.end() :]), before + 1):
        included = _INCLUDE.fullmatch(line)
        lines += _part(file, included.group(1), number) if included else [_Line(line, str(file), number)]
    template = "".join(line.text for line in lines)
    origins = tuple((line.file, line.number) for line in lines)
    return Purpose(file.name.removesuffix(SUFFIX), matter, template, str(file), builtin, origins)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a template with its end, and where it is from."""

    text: str
    file: str
    number: int


def _part(file: Path, name: str, included: int) -> list[_Line]:
    """Return the instructions of the purpose beside a file, from its first ``RUN`` on; ``included`` is the line."""
    other = file.with_name(f"{name}{SUFFIX}")
    lines = [_Line(line, str(other), number) for number, line in enumerate(_lines(_text(other)), 1)]
    start = next((index for index, line in enumerate(lines) if line.text.startswith("RUN ")), None)
    if start is None:
        raise fault(f"purpose `{name}` has no RUN that could be included", file, included)
    return lines[start:]


def _lines(text: str) -> list[str]:
    """Return the lines of a text, each with its end; a line ends at a line feed and nowhere else."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise fault(f"the file is larger than {MAX_BYTES // 1024} KiB", file)
        return content.decode().replace("\r\n", "\n")
    except OSError as error:
        raise fault(f"the file cannot be read: {error.strerror}", file) from None
    except UnicodeDecodeError:
        raise fault("the file is not UTF-8", file) from None


def _check_reference(ref: str, file: str) -> None:
    if not _REFERENCE.fullmatch(ref):
        raise SpecError(f"{ref[:60]!r} is not an image reference", code="purpose.base", where=Where(file=file))
