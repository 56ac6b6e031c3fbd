"""The JSON Schemas: current, valid, and in agreement with what the loader takes and what envspec writes."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from envspec import events, model
from envspec.spec import schema

ROOT = Path(__file__).parents[2]
VALID = sorted((ROOT / "tests" / "cases" / "spec" / "valid").glob("*.yaml"))
EXAMPLES = sorted((ROOT / "examples").glob("*/env.yaml"))


class EditorLoader(yaml.SafeLoader):
    """Reads YAML as editors do: by the core schema of YAML 1.2, where ``NO`` and ``22:22`` are texts."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # the base class's attribute


for tag, pattern in {
    "merge": r"<<",
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
}.items():
    EditorLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})$"), None)


@functools.cache
def checked_in(name: str) -> Any:
    """Return a schema as it is shipped; `make check` holds that it is current."""
    return json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text())


def check(name: str, value: object) -> None:
    jsonschema.validate(value, checked_in(name), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", ["spec", "settings", "plan", "report", "event"])
def test_each_schema_is_valid_and_says_what_it_is(name: str) -> None:
    found = checked_in(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"].startswith(f"urn:envspec:schema:{name}:")
    assert found["title"]


@pytest.mark.parametrize("name", ["spec", "settings"])
def test_every_key_is_described(name: str) -> None:
    found = checked_in(name)
    undescribed = [key for key, value in found["properties"].items() if not value.get("description")]
    assert undescribed == []


@pytest.mark.parametrize("path", [*VALID, *EXAMPLES], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_the_loader_takes_the_schema_takes(path: Path) -> None:
    check("spec", yaml.load(path.read_text(), EditorLoader))  # a safe loader


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{purpose: python, image: x}",
        "{purpose: python, memmory: 4g}",
        "{purpose: python, memory: lots}",
        "{purpose: python, ports: [a:b]}",
        "{purpose: python, mounts: [{host: x}]}",
        "{purpose: python, network: hosts}",
        "{purpose: python, env: {A: [1]}}",
        "{purpose: {version: 3}}",
        "{purpose: python, gpu: 'yes'}",
    ],
)
def test_what_is_plainly_wrong_the_schema_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check("spec", yaml.load(text, EditorLoader))  # a safe loader


def test_plans_reports_and_events_are_as_their_schemas_say() -> None:
    change = model.Change(
        "container.workspace",
        "container",
        model.Action.UPDATE,
        "memory",
        (model.Diff("memory", 1, None, model.Cause.SPEC),),
    )
    outcome = model.Outcome(change.address, change.action, model.Status.FAILED, error={"code": "step.failed"})
    check("plan", model.to_json(model.Plan("shop", "f", model.Summary(update=1), (change,))))
    check("report", model.to_json(model.Report("shop", False, (outcome,), 1.5)))
    for event in (
        events.StepStarted(change.address, change.action),
        events.StepOutput(change.address, "line"),
        events.StepFinished(outcome),
        events.Notice("lock taken over"),
    ):
        check("event", model.to_json(event))


def test_stale_files_are_named_and_renewed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "DIRECTORY", tmp_path / "schemas")
    assert schema.main(["--check"]) == 1
    assert "plan.schema.json: stale" in capsys.readouterr().err
    assert schema.main(["--write"]) == 0
    assert schema.main(["--check"]) == 0
    (tmp_path / "schemas" / "plan.schema.json").write_text("{}")
    assert [path.name for path in schema.stale(tmp_path / "schemas")] == ["plan.schema.json"]
