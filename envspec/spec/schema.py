"""JSON Schemas of what envspec reads and writes, generated from the models.

``python -m envspec.spec.schema --write`` renews the files in ``schemas/``, ``--check`` says which are stale.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ComputedField, DataclassField, ModelField, TypedDictField

from envspec import events, model
from envspec.spec.forms import Form
from envspec.spec.models import VERSION, Spec
from envspec.spec.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DIRECTORY = Path(__file__).resolve().parents[2] / "schemas"
"""Where the schemas lie in a checkout."""


class _Input(GenerateJsonSchema):
    """Describes what authors write; a key's own name is title enough."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # the base class's signature
        """Give keys no title."""
        return False


class _Output(_Input):
    """Describes what envspec writes: every key is always there."""

    def field_is_required(
        self,
        field: ModelField | DataclassField | TypedDictField | ComputedField,  # noqa: ARG002  # as above
        total: bool,  # noqa: ARG002  # as above
    ) -> bool:
        """Require every key."""
        return True


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas of ``spec``, ``settings``, ``plan``, ``report`` and ``event``, in draft 2020-12."""
    event = Annotated[events.Event, Field(discriminator="event")]
    major = model.FORMAT_VERSION.split(".", maxsplit=1)[0]
    return {
        "spec": _framed("spec", str(VERSION), _read(Spec)),
        "settings": _framed("settings", str(VERSION), _read(Settings)),
        "plan": _framed("plan", major, _written(model.Plan)),
        "report": _framed("report", major, _written(model.Report)),
        "event": _framed("event", major, _written(event)),
    }


def render(schema: dict[str, Any]) -> str:
    """Return the text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def stale(directory: Path) -> list[Path]:
    """Return the files in a directory that are missing or differ from what the models say, sorted."""
    return [path for path, text in _files(directory) if not path.is_file() or path.read_text("utf-8") != text]


def write(directory: Path) -> None:
    """Write ``NAME.schema.json`` for every schema into a directory, which is made where it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    for path, text in _files(directory):
        path.write_text(text, "utf-8")


def _files(directory: Path) -> list[tuple[Path, str]]:
    return [(directory / f"{name}.schema.json", render(schema)) for name, schema in sorted(schemas().items())]


def _framed(name: str, version: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Give a schema its identity; the title says what it is of."""
    head = {"$schema": DIALECT, "$id": f"urn:envspec:schema:{name}:{version}", "title": f"envspec {name}"}
    return head | {key: value for key, value in schema.items() if key not in head}


def _read(form: type[Form]) -> dict[str, Any]:
    """Return the schema of what authors write; the docstrings below its keys describe them.

    Pydantic can do that itself (``use_attribute_docstrings``), but at every import: it took a tenth of a plan's time.
    """
    schema = form.model_json_schema(schema_generator=_Input)
    known = {found.__name__: found for found in _forms(Form)}
    for name, part in [(form.__name__, schema), *schema.get("$defs", {}).items()]:
        for key, text in _docstrings(known[name]) if name in known else ():
            for shape in (part, *part.get("anyOf", ())):
                if key in shape.get("properties", {}):
                    shape["properties"][key] = dict(sorted({"description": text, **shape["properties"][key]}.items()))
    return schema


def _forms(form: type[Form]) -> Iterator[type[Form]]:
    """Yield all forms that are made of one."""
    for found in form.__subclasses__():
        yield found
        yield from _forms(found)


def _docstrings(form: type[Form]) -> Iterator[tuple[str, str]]:
    """Yield the keys of a form that a docstring follows, each with it; those that it inherits too."""
    for base in form.__mro__:
        if issubclass(base, Form):
            (found,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            assert isinstance(found, ast.ClassDef)
            for one, after in zip(found.body, found.body[1:], strict=False):
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(after, ast.Expr):
                    yield one.target.id, inspect.cleandoc(ast.literal_eval(after.value))


def _written(type_: Any) -> dict[str, Any]:
    """Return the schema of a dataclass, or a union of some, as JSON output; docstrings describe the keys."""
    schema = TypeAdapter(type_).json_schema(mode="serialization", schema_generator=_Output)
    known = dict(inspect.getmembers(model, inspect.isclass)) | dict(inspect.getmembers(events, inspect.isclass))
    for name, part in [(getattr(type_, "__name__", ""), schema), *schema.get("$defs", {}).items()]:
        if name in known:
            _describe(part, inspect.getdoc(known[name]) or "")
    return schema


def _describe(schema: dict[str, Any], doc: str) -> None:
    """Take a schema's description, and those of its keys, from a Google-style docstring."""
    head, _, attributes = doc.partition("\nAttributes:\n")
    schema["description"] = _prose(head)
    for match in re.finditer(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
        if match[1] in schema.get("properties", {}):
            schema["properties"][match[1]]["description"] = _prose(match[2])


def _prose(text: str) -> str:
    """Return the first paragraph of a docstring as one line of the words that JSON's readers know."""
    first = " ".join(text.strip().split("\n\n")[0].split())
    return re.sub(r":\w+:`[\w.]*?(\w+)`", r"\1", first).replace("``None``", "null").replace("``", "`")


def main(arguments: list[str]) -> int:
    """Write the schemas, or check that they are current.

    Args:
        arguments: ``--write`` or ``--check``.

    Returns:
        The exit code: 1 when a file is stale.
    """
    parser = argparse.ArgumentParser(prog="python -m envspec.spec.schema", description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--check", action="store_true", help="exit 1 when a file is stale")
    choice.add_argument("--write", action="store_true", help="write the files")
    if parser.parse_args(arguments).write:
        write(DIRECTORY)
        return 0
    found = stale(DIRECTORY)
    for path in found:
        sys.stderr.write(f"{path}: stale; `python -m envspec.spec.schema --write` renews it\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
