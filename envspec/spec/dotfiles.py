"""The form of ``dotfiles``, which a spec and the user's settings share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from envspec.spec import names
from envspec.spec.forms import ConfigFile, Form, unmixed_paths
from envspec.spec.values import Fault, Flag, bad, optional, shown, wrong


class Dotfiles(Form):
    """The user's own files in their home: a repository that sets them up, and files written here."""

    written: ClassVar[str] = (
        "write `none`, a URL, or the keys `repo`, `branch`, `target`, `script`, `inline` and `skip`"
    )
    short_schema: ClassVar[dict[str, Any] | None] = {
        "anyOf": [{"const": False}, {"type": "string", "minLength": 1}],
    }

    repo: Annotated[
        str | None, BeforeValidator(optional(names.repo_url)), WithJsonSchema({"type": ["string", "null"]})
    ] = None
    """Repository to clone: https, ssh, git or file URL, `git@host:path`, or a path."""
    branch: names.Ref = ""
    """Branch, tag or commit of it; by default the remote's default branch."""
    target: names.HomeDirectory = "~/.dotfiles"
    """Where it is cloned to."""
    script: Annotated[
        str | None, BeforeValidator(optional(names.tree_path)), WithJsonSchema({"type": ["string", "null"]})
    ] = None
    """Script in it to run; by default `install.sh`, `setup.sh`, `bootstrap.sh`, `script/setup` or a Makefile, whichever
    is there first, and where there is none, the common files are linked from home."""
    inline: Annotated[dict[names.HomePath, ConfigFile], BeforeValidator(unmixed_paths)] = Field(default_factory=dict)
    """Files to write, by path relative to home."""
    skip: Flag = False
    """Whether there are none, whatever the user's configuration says."""

    @classmethod
    def expand(cls, short: str) -> Mapping[str, Any]:
        """Take ``none`` or ``false`` for no dotfiles, and any other text for the repository."""
        return {"skip": True} if short.lower() in {"none", "false"} else {"repo": short}

    @field_validator("inline")
    @classmethod
    def _files_apart(cls, files: dict[str, ConfigFile]) -> dict[str, ConfigFile]:
        above = {path.rsplit("/", n)[0] for path in files for n in range(1, path.count("/") + 1)}
        faults = [
            Fault("spec.collision", f"{shown(path)} is a directory too", "choose another path", (path, "[key]"))
            for path in files
            if path in above
        ]
        if faults:
            raise wrong(*faults)
        return files

    @model_validator(mode="after")
    def _needs_a_repository(self) -> Dotfiles:
        asked = [key for key in ("branch", "script") if getattr(self, key)]
        if asked and self.repo is None:
            raise bad(f"`{asked[0]}` is about a repository, and no `repo` is given", "write `repo: URL`")
        if self.repo is None and not self.inline and not self.skip:
            raise bad("there is neither `repo` nor `inline`", "write one of them, or `dotfiles: none`")
        return self
