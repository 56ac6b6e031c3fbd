"""The key ``compose``: services beside the workspace, in the words of Compose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema, model_validator

from envspec.spec import names
from envspec.spec.forms import Form
from envspec.spec.values import Line, Scalar, bad, is_null, listed, optional, shown

FILE_KEYS = frozenset({"file", "profiles", "env_file"})
"""Keys of ours; everything else beside them is a document written inline."""

TEXT_MAPPINGS = frozenset(
    {"annotations", "args", "driver_opts", "environment", "extra_hosts", "labels", "options", "sysctls"}
)
"""Keys of Compose whose values are texts, so that ``1.10`` and ``010`` stay what the author wrote."""

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_OCTAL = re.compile(r"0o?[0-7]{1,20}")
_FLOAT = re.compile(r"[-+]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})")


def typed(value: Any, *, texts: bool = False) -> Any:
    """Return texts of YAML as the JSON values that Compose takes them for (YAML 1.2, octal numbers as in 1.1).

    Args:
        value: Texts, lists and mappings, as :meth:`envspec.spec.tree.Node.plain` returns them, or JSON already.
        texts: Whether single values stay as they were written, but for nulls.
    """
    if isinstance(value, Mapping):
        return {str(key): typed(item, texts=texts or str(key) in TEXT_MAPPINGS) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [typed(item, texts=texts) for item in value]
    if not isinstance(value, Scalar):
        return value
    if is_null(value):
        return None
    return str(value) if texts or not value.plain else _scalar(str(value))


def _scalar(text: str) -> Any:
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text.replace("o", ""), 8)
    return float(text) if _FLOAT.fullmatch(text) else text


def _document(value: object) -> dict[str, Any]:
    """Read a document written inline."""
    if not isinstance(value, Mapping):
        raise bad(f"a Compose document belongs here, not {shown(value)}", "write `services:` and the services below it")
    return {key: item for key, item in typed(value).items() if key != "version"}


class Compose(Form):
    """Services beside the workspace: a Compose document, written here or in a file of its own."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})
    written: ClassVar[str] = "write `services:` with the services below it, or `file:` with the path of a Compose file"

    file: Annotated[
        str | None, BeforeValidator(optional(names.source_path)), WithJsonSchema({"type": ["string", "null"]})
    ] = None
    """The Compose file, relative to this one."""
    profiles: Annotated[tuple[Line, ...], BeforeValidator(listed)] = ()
    """Profiles of Compose to switch on."""
    env_file: Annotated[tuple[Line, ...], BeforeValidator(listed)] = ()
    """Files of variables for the document, relative to this one; no other variables of the host reach it."""
    document: Annotated[
        dict[str, Any] | None, BeforeValidator(optional(_document)), WithJsonSchema({"type": ["object", "null"]})
    ] = None
    """The document itself, as an alternative to writing its keys right here."""

    @model_validator(mode="before")
    @classmethod
    def _inline(cls, data: Any) -> Any:
        """Take a document whose keys stand right below ``compose``."""
        if not isinstance(data, Mapping):
            return data
        ours = {key: data[key] for key in data if key in FILE_KEYS or key == "document"}
        inline = {key: data[key] for key in data if key not in ours}
        if not inline:
            return ours
        if not is_null(ours.get("file")) or not is_null(ours.get("document")):
            raise bad(f"{shown(sorted(inline)[0])} cannot be combined with a whole document", "write one of them")
        return {**ours, "document": inline}

    @model_validator(mode="after")
    def _one_document(self) -> Compose:
        if (self.file is None) == (self.document is None):
            raise bad("a Compose document is missing" if self.file is None else "two documents are given", self.written)
        return self
