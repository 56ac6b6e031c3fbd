"""Plans in files: what was looked at and agreed to is what is done, or nothing is."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envspec.api.targets import Options, Target
from envspec.errors import SpecError, Where
from envspec.model import Plan, plan_from_json, to_json
from envspec.spec.load import Loaded
from envspec.spec.models import Spec

if TYPE_CHECKING:
    from envspec.api.work import Look

FORMAT = "envspec plan 1"
"""First key of every saved plan."""

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan from a file, with the spec that it was made from."""

    plan: Plan
    target: Target
    options: Options


def write(out: Path, target: Target, options: Options, seen: Look) -> None:
    """Save a plan. It holds no secret: neither does a spec.

    Raises:
        SpecError: The file cannot be written.
    """
    loaded = target.loaded
    data = {
        "format": FORMAT,
        "env": target.env,
        "destroy": target.destroy,
        "options": to_json({"replace": options.replace, "target": options.target, "volumes": options.volumes}),
        "options_no_cache": options.no_cache,
        "spec": loaded.spec.model_dump(mode="json") if loaded else None,
        "path": str(loaded.path) if loaded and loaded.path else "",
        "directory": str(loaded.directory) if loaded else "",
        "plan": to_json(seen.plan),
    }
    try:
        with tempfile.NamedTemporaryFile("w", dir=out.parent, delete=False, encoding="utf-8") as file:
            json.dump(data, file, indent=1)
        os.replace(file.name, out)  # noqa: PTH105 - both names are at hand
    except OSError as error:
        raise SpecError(
            f"the plan cannot be written: {error.strerror}",
            code="plan.unwritable",
            hint="name a file in a directory that you may write to",
            where=Where(file=str(out)),
        ) from None


def read(path: Path) -> Saved | None:
    """Read a saved plan; ``None`` when the file is something else, such as a spec.

    Raises:
        SpecError: It is a plan that this version cannot read.
    """
    data = _load(path)
    if data is None:
        return None
    try:
        loaded = None
        if data["spec"] is not None:
            spec = Spec.model_validate(data["spec"])
            loaded = Loaded(spec, Path(data["path"]) if data["path"] else None, Path(data["directory"]), data["path"])
        chosen = data["options"]
        options = Options(
            replace=tuple(chosen["replace"]),
            target=tuple(chosen["target"]),
            destroy=bool(data["destroy"]),
            volumes=bool(chosen["volumes"]),
            no_cache=bool(data["options_no_cache"]),
        )
        return Saved(plan_from_json(data["plan"]), Target(data["env"], loaded, bool(data["destroy"])), options)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SpecError(
            "this saved plan cannot be read",
            code="plan.unreadable",
            hint="plan again with `envspec plan --out`",
            where=Where(file=str(path)),
        ) from None


def options_with(plan: Saved, now: Options) -> Options:
    """Return the options that a plan was made with, and the consent that is given now."""
    return dataclasses.replace(plan.options, yes=now.yes, allow_data_loss=now.allow_data_loss, allow=now.allow)


def _load(path: Path) -> dict[str, Any] | None:
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        with path.open("rb") as file:
            if file.read(1) != b"{":
                return None
            data = json.loads(b"{" + file.read())
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and data.get("format") == FORMAT else None
