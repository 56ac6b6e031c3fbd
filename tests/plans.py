"""Golden plans: each case of ``tests/cases/plans`` is a spec, what becomes of it, and what is printed.

``before.yaml``
    What is applied first; left out where nothing is there.
``after.yaml``
    What is planned; left out where the environment is to go.
``world.yaml``
    What happens in between, and how the plan is asked for. All keys are optional: ``happens``, a list of changes by
    name, see :data:`CHANGES`; ``target`` and ``replace``, lists of addresses; ``keep_volumes``, as a destroy without
    ``--volumes`` does; ``registry``, whether the registry answers; ``host``, ``plain`` for one that brings nothing
    along.
``plan.txt``, ``steps.txt``
    What ``envspec plan --steps`` prints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from envspec import host
from envspec.api import ports
from envspec.api.targets import Options
from envspec.cli.output import Painter
from envspec.cli.plan_text import plan_lines
from envspec.cli.steps_text import step_lines
from envspec.engine.fake_hooks import Crashed
from envspec.engine.objects import ContainerConfig, Limits, Port
from envspec.forward import read as reading
from envspec.forward.values import Forwarded
from envspec.host import HostFacts
from envspec.model import Plan, plan_from_json, to_json
from envspec.resolve import forward
from tests.laws.world import SECRETS, Doc, World

CASES = Path(__file__).parent / "cases" / "plans"

HOST = "/host"
"""Stands in a plan for the directory that the spec is in."""

KEYS = frozenset({"happens", "target", "replace", "keep_volumes", "registry", "host"})
"""Keys of ``world.yaml``."""

PLAIN = Painter(enabled=False)

_IMAGE = re.compile(r"(envspec/[a-z-]+):[0-9a-f]{12}")
"""An image's tag changes with every change of its purpose, which is no change of how a plan reads."""


@dataclass
class PlannedWorld(World):
    """A world in which the facts of this host, and what is allowed, are told apart from it.

    Attributes:
        plain: Whether the host brings nothing along but what a spec asks for by name.
        allowed: Whether all effects are allowed.
    """

    plain: bool = False
    allowed: bool = True

    def options(self, doc: Doc | None, **more: Any) -> Options:
        found = super().options(doc, **more)
        return found if self.allowed else replace(found, allow=())

    @contextmanager
    def _host(self) -> Iterator[None]:
        facts = HostFacts(1000, 1000, "ada", hostname="host", environ={"DEPLOY_KEY": SECRETS["DEPLOY_KEY"]})
        with (
            super()._host(),
            mock.patch.object(ports, "_is_bound", return_value=False),
            mock.patch.object(forward, "_is_foreign", return_value=False),  # whoever runs the tests is ada
        ):
            if not self.plain:
                yield
                return
            with (
                mock.patch.object(host, "gather", return_value=facts),
                mock.patch.object(reading, "read", return_value=Forwarded()),
            ):
                yield


def _remove_network(world: World, name: str) -> None:
    """Stop what is attached to a network and remove it."""
    for box in world.engine.containers():
        if any(attachment.network == name for attachment in box.networks):
            world.engine.tamper.stop(box.name)
    for network in world.engine.networks():
        if network.name == name:
            world.engine.remove_network(network.id)


def _race_network(world: World, name: str) -> None:
    """Create a second network of a name, as two clients at once can."""
    labels = next(network.labels for network in world.engine.networks() if network.name == name)
    world.engine.tamper.race_network(name, labels)


def _untag(world: World, ref: str) -> None:
    """Take a reference from an image that containers run."""
    image = world.engine.image_of(ref)
    assert image
    world.engine.tamper.retag("kept:1", image.id)
    world.engine.remove_image(ref)


def _move_tag(world: World, ref: str) -> None:
    """Let a reference mean a newer image."""
    image = world.engine.image_of(ref)
    assert image
    world.engine.add_image(ref, files=image.files, seed="newer")


def _unhealthy(world: World, name: str) -> None:
    """Let the health check of a running container fail."""
    world.engine.container(name).check = "unhealthy"


def _update(world: World, name: str, limits: Mapping[str, Any]) -> None:
    """Set limits by hand."""
    world.engine.tamper.update(name, Limits(**limits))


def _hold_port(world: World, number: int) -> None:
    """Let a container of somebody else hold a port."""
    config = ContainerConfig("debian:13", ports=(Port(80, number),))
    world.engine.start(world.engine.create_container("theirs", config, {}))


def _join(world: World, network: str) -> None:
    """Let a container of somebody else join a network."""
    made = world.engine.create_container("theirs", ContainerConfig("debian:13"), {})
    found = next(one for one in world.engine.networks() if one.name == network)
    world.engine.connect(found.id, made, ())


def _die(world: World, doc: Doc | None, verb: str, rest: str = "") -> None:
    """Apply what is planned, and be killed after a call of this verb whose other words hold a text."""

    def kill(called: str, words: str) -> bool:
        if called == verb and rest in words:
            world.engine.crash_before = 1
        return False

    world.engine.fail_on = kill
    try:
        world.apply(doc)
    except Crashed:
        world.engine.fail_on = None
    else:
        raise AssertionError(f"no call of {verb} was made, or it was the last")
    world.engine.revive()


CHANGES: Mapping[str, Callable[..., object]] = {
    "stop": lambda world, name: world.engine.tamper.stop(name),
    "pause": lambda world, name: world.engine.tamper.pause(name),
    "restart": lambda world, name: world.engine.tamper.restart(name),
    "remove": lambda world, name: world.engine.tamper.remove(name),
    "rename": lambda world, name, other: world.engine.tamper.rename(name, other),
    "update": _update,
    "disconnect": lambda world, name, network: world.engine.tamper.disconnect(name, network),
    "fail the health check": _unhealthy,
    "start a job": lambda world, name, job: world.engine.tamper.start_job(name, job),
    "write": lambda world, name, path: world.engine.tamper.write_file(name, path, "by hand\n"),
    "chmod": lambda world, name, path, mode: world.engine.tamper.chmod(name, path, int(mode, 8)),
    "chown": lambda world, name, path, uid: world.engine.tamper.chown(name, path, uid, uid),
    "remove file": lambda world, name, path: world.engine.tamper.remove_file(name, path),
    "reset": lambda world, name, path, commit: world.engine.tamper.set_head(name, path, commit),
    "switch": lambda world, name, path, branch: world.engine.tamper.switch(name, path, branch),
    "edit without a commit": lambda world, name, path: world.engine.tamper.dirty(name, path),
    "commit": lambda world, name, path: world.engine.tamper.commit(name, path),
    "remove network": _remove_network,
    "race network": _race_network,
    "join network": _join,
    "untag": _untag,
    "move tag": _move_tag,
    "hold port": _hold_port,
    "empty memory": lambda world: world.engine.shelf_files.clear(),
    "cut off": lambda world, name: world.engine.tamper.cut_off(name),
    "replace on host": lambda world, path: world.engine.tamper.replace_on_host(str(world.directory / path)),
    "be killed after": _die,
}
"""What can happen between two applies, by name; each takes the world and the words that follow."""


def printed(case: Path, directory: Path) -> dict[str, str]:
    """Return what ``envspec plan --steps`` prints in a case, by name of the file that holds it.

    Args:
        case: Directory of the case.
        directory: Directory of the host that the specs lie in.
    """
    before, after, given = (_doc(case / f"{name}.yaml", directory) for name in ("before", "after", "world"))
    asked = given or {}
    assert asked.keys() <= KEYS, f"{case.name}: {sorted(asked.keys() - KEYS)}"
    world = PlannedWorld(directory, reachable=bool(asked.get("registry")), plain=asked.get("host") == "plain")
    if before is not None:
        world.applied(before)
    for change in asked.get("happens", ()):
        _happen(world, change, after)
    world.allowed = False
    wishes = {key: tuple(asked.get(key, ())) for key in ("target", "replace")}
    plan = _stable(world.look(after, volumes=not asked.get("keep_volumes"), **wishes).plan, directory)
    texts = {"plan.txt": plan_lines(plan, PLAIN), "steps.txt": step_lines(plan, PLAIN)}
    return {name: "".join(f"{line}\n" for line in lines) for name, lines in texts.items()}


def _doc(path: Path, directory: Path) -> Any:
    """Return what a file says of what is on this host, ``None`` where there is no such file."""
    return yaml.safe_load(path.read_text(encoding="utf-8").replace(HOST, str(directory))) if path.exists() else None


def _happen(world: World, change: Any, after: Doc | None) -> None:
    """Do one change: a name, or a name with its words."""
    ((name, words),) = change.items() if isinstance(change, dict) else ((change, []),)
    given = words if isinstance(words, list) else [words]
    CHANGES[name](world, *([after] if name == "be killed after" else []), *given)


def _stable(plan: Plan, directory: Path) -> Plan:
    """Return a plan that names neither this host's directory nor a purpose's digest, before it is cut into columns."""
    text = json.dumps(to_json(plan), ensure_ascii=False).replace(str(directory), HOST)
    return plan_from_json(json.loads(_IMAGE.sub(r"\1:DIGEST", text)))
