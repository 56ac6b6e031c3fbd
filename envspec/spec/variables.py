"""Variables of the environment: what the author writes of them, and which ones pass from the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Tag, WithJsonSchema, model_validator

from envspec.spec import names
from envspec.spec.forms import Form
from envspec.spec.values import ANY_TEXT, bad, choice, is_scalar, line, listed, mapped, optional, text


class EnvSource(Form):
    """Where the value of a variable is, which makes it a secret: another variable of the host, or a file."""

    written: ClassVar[str] = "write `from_env: NAME` or `from_file: PATH`"

    from_env: Annotated[
        str | None, BeforeValidator(optional(names.variable)), WithJsonSchema({"type": ["string", "null"]})
    ] = None
    """Name of a variable of the host."""
    from_file: Annotated[str | None, BeforeValidator(optional(line)), WithJsonSchema({"type": ["string", "null"]})] = (
        None
    )
    """Path of a file, relative to the spec; a line break at its end does not count."""

    @model_validator(mode="after")
    def _one(self) -> EnvSource:
        if (self.from_env is None) == (self.from_file is None):
            raise bad("exactly one of `from_env` and `from_file` belongs here", self.written)
        return self


def _variables(value: object) -> object:
    """Take a mapping of variables, and say what to do about Compose's list."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        raise bad("a mapping belongs here, not a list", "write `NAME: value`, one a line, without dashes")
    return mapped(value)


def _value(value: object) -> object:
    """Read a variable's value as text, or take where it is."""
    return value if isinstance(value, Mapping | EnvSource) else text(value)


def _form(value: object) -> str:
    return "(text)" if isinstance(value, str) else "(source)"


def _passthrough(value: object) -> object:
    """Read which variables pass from the host."""
    return choice("auto", "all", "none")(value) if is_scalar(value) else listed(value)


def _passthrough_form(value: object) -> str:
    return "(word)" if is_scalar(value) else "(list)"


_Text = Annotated[str, Tag("(text)"), WithJsonSchema({"type": [*ANY_TEXT, "null"]})]
_Source = Annotated[EnvSource, Tag("(source)")]
EnvValue = Annotated[_Text | _Source, Discriminator(_form), BeforeValidator(_value)]

Variables = Annotated[dict[names.Variable, EnvValue], BeforeValidator(_variables)]
"""Variables by name: each a text, or where its value is."""

_Word = Annotated[Literal["auto", "all", "none"] | None, Tag("(word)")]
_List = Annotated[tuple[names.VariablePattern, ...], Tag("(list)")]
EnvPassthrough = Annotated[_Word | _List, Discriminator(_passthrough_form), BeforeValidator(optional(_passthrough))]
"""Which variables pass from the host; ``None`` leaves it to the purpose."""
