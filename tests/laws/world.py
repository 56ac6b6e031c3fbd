"""A small world to live histories in: a fake engine, a directory of the host, and the doors of the core."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from envspec import host
from envspec.api import converge
from envspec.api.converge import Doors
from envspec.api.targets import Cancel, Options, Target
from envspec.api.work import Look, look
from envspec.engine.base import Reader
from envspec.engine.facts import ENV_FILE
from envspec.engine.fake import FakeEngine
from envspec.engine.fake_fs import Node
from envspec.engine.fake_hooks import Crashed
from envspec.engine.fake_world import DEBIAN, PASSWD, FakeRemote
from envspec.forward import read as reading
from envspec.forward.values import Entry, Forwarded, HomeFile, SshFile, Wish
from envspec.host import HostFacts
from envspec.host_network import HostNetwork
from envspec.model import Hidden, Report, type_json
from envspec.spec.load import Loaded, loads

from .turns import taking_turns

ENV = "shop"
BOX = "shop-workspace"

Doc = Mapping[str, Any]
"""A spec as plain data."""

COMMITS = tuple(f"{number}" * 40 for number in range(1, 10))
APP, LIB = "https://git.example/app.git", "https://git.example/lib.git"
DOTS, SCRIPTED = "https://git.example/dots.git", "https://git.example/scripted.git"
REMOTES = {
    APP: FakeRemote(
        {"main": [*COMMITS[:3]], "dev": [COMMITS[0], COMMITS[3]]}, tags={"v1": COMMITS[0], "v2": COMMITS[2]}
    ),
    LIB: FakeRemote({"trunk": [COMMITS[5], COMMITS[6]]}, tags={"v1": COMMITS[5]}, default="trunk"),
    DOTS: FakeRemote(
        {"main": [COMMITS[7], COMMITS[8]], "old": [COMMITS[7]]},
        files={".bashrc": b"dots\n", ".vimrc": b"dots\n", ".config/tool/rc": b"dots\n", "notes.txt": b"no link\n"},
    ),
    SCRIPTED: FakeRemote(
        {"main": [COMMITS[7], COMMITS[8]]}, files={".bashrc": b"no link\n", "install.sh": b"touch .installed"}
    ),
}

KNOWN = "git.example ssh-ed25519 AAAA\n"
CANARY = "canary"
"""What every secret of the host holds, and nothing else."""

PROXIES = {"http_proxy": f"http://me:{CANARY}-1@proxy:3128"}
SECRETS = {"DEPLOY_KEY": f"{CANARY}-2 it's", "SOME_API_KEY": f"{CANARY}-3", "CI": "1"}

NETWORK = HostNetwork(
    {"PIP_INDEX_URL": Hidden(f"https://me:{CANARY}-4@index.example/simple"), "GOPROXY": "https://go.example"},
    {"npmrc": Hidden(f"//npm.example/:_authToken={CANARY}-5\n")},
    cargo="[net]\nretry = 3\n",
)

WITH_A_USER = {**DEBIAN, "/etc/passwd": Node(content=PASSWD + b"node:x:1000:1000::/home/node:/bin/sh\n")}
"""An image whose uid 1000 is taken, as in the images of Node."""

UNNAMED = "/srv/data"
"""Where one of the images has a ``VOLUME``."""

BASES = ("debian:13-slim", "python:3.12-slim-bookworm", "python:3.13-slim-bookworm")
"""What the purposes `clean` and `python` start from where they do not bootstrap."""


class Everything(tuple[str, ...]):
    """All addresses that there could be."""

    __slots__ = ()

    def __contains__(self, _: object) -> bool:
        return True


VERBS = (
    *("name", "command", "remote", "rootless", "alias", "machine", "sees"),
    *("containers", "images", "networks", "network_users", "volumes", "probe", "publishers"),
    "replaced_binds",
    *("inquire", "logs", "compose_config", "compose_variables", "versions", "hide", "shelf", "shelved"),
    "read_archive",
)
"""What :class:`envspec.engine.base.Reader` can do."""


class OnlyReading:
    """The read verbs of an engine and nothing else."""

    def __init__(self, engine: Reader) -> None:
        for verb in VERBS:
            setattr(self, verb, getattr(engine, verb))

    def __getattr__(self, verb: str) -> object:
        raise AssertionError(f"a plan asked for {verb}")


@dataclass
class World:
    """An engine and what goes on around it.

    Attributes:
        directory: Directory of the host that specs lie in.
        seed: Decides the order of steps that could run at once.
        reachable: Whether the registry answers.
        parallel: Whether steps run in threads after all, in no order that could be had again.
        engine: The engine.
    """

    directory: Path
    seed: int = 0
    reachable: bool = False
    parallel: bool = False
    engine: FakeEngine = field(default_factory=lambda: FakeEngine(("debian:13", "ubuntu:24.04", *BASES)))

    def __post_init__(self) -> None:
        self.engine.add_image("node:22", files=WITH_A_USER)
        self.engine.add_image("ubuntu:24.04", volumes=(UNNAMED,))
        self.engine.remotes.update(REMOTES)
        self.engine.registry = {"registry.example/tool:1": {}}

    def target(self, doc: Doc | None) -> Target:
        """Return what a spec, or its absence, stands for."""
        if doc is None:
            return Target(ENV, None, destroy=True)
        return Target(ENV, _loaded(json.dumps({"name": ENV, **doc}), self.directory), destroy=False)

    def options(self, doc: Doc | None, *, allow: bool | Sequence[str] = True, **more: Any) -> Options:
        """Return options that agree to everything, to losses at some addresses, or to none."""
        allowed = Everything() if allow is True else tuple(allow or ())
        asked = {"volumes": True, "allow": Everything(), **more}
        return Options(destroy=doc is None, allow_data_loss=allowed, yes=True, **asked)

    def look(self, doc: Doc | None, **more: Any) -> Look:
        """Plan, with an engine that can only be read."""
        reader: Any = OnlyReading(self.engine)
        with self._host():
            return look(reader, self.target(doc), self.options(doc, **more))

    def apply(self, doc: Doc | None, **more: Any) -> Report:
        """Apply a spec, or destroy."""
        doors = Doors(lambda _: None, lambda _: True, Cancel())
        with self._host(), nullcontext() if self.parallel else taking_turns(self.seed):
            return converge.run(self.engine, self.target(doc), self.options(doc, **more), doors)

    def applied(self, doc: Doc | None, **more: Any) -> Report:
        """Apply, and insist that all went well."""
        report = self.apply(doc, **more)
        assert report.ok, explain(report)
        return report

    def killed(self, doc: Doc | None, *, before: int | None = None, after: int | None = None) -> bool:
        """Apply, be killed at a mutating call, come back, and say whether that call was reached."""
        if before is not None:
            self.engine.crash_before = before
        else:
            self.engine.crash_after = after
        try:
            self.apply(doc)
        except Crashed:
            reached = True
        else:
            reached = False
        self.engine.revive()
        return reached

    def state(self) -> type_json:
        """Return the environment without what is only history."""
        return self.engine.canonical(ENV)

    def variables(self) -> str | None:
        """Return the text that holds the variables inside."""
        node = self.engine.container(BOX).tree.get(ENV_FILE)
        return node.content.decode() if node else None

    @contextmanager
    def _host(self) -> Iterator[None]:
        facts = HostFacts(
            1000,
            1000,
            "ada",
            PROXIES,
            b"PEM",
            hostname="host",
            environ=SECRETS,
            ca_extras=(b"PEM 1", b"PEM 2"),
            network=NETWORK,
        )
        with (
            mock.patch.object(host, "gather", return_value=facts),
            mock.patch.object(reading, "read", forwarded),
            mock.patch.object(host, "registry_reachable", return_value=self.reachable),
        ):
            yield


def forwarded(wish: Wish) -> Forwarded:
    """Return what this host's user has of what is looked for."""
    keys = (SshFile("config", "Host *\n"), SshFile("id_ed25519", f"{CANARY}-7\n"), SshFile("known_hosts", KNOWN))
    return Forwarded(
        git=(Entry("user.name", "Ada"), Entry("alias.x", "!echo; 'x' \"y\"")) if wish.git else (),
        known_hosts=KNOWN.encode() if wish.git or wish.ssh else b"",
        gh_token=Hidden(f"{CANARY}-6") if wish.gh else None,
        agent="/run/user/1000/agent" if wish.ssh == "agent" else "",
        agent_uid=1000,
        ssh=keys if wish.ssh == "files" else (),
        secret=tuple(HomeFile(path, f"{CANARY}-{8 + number}\n") for number, path in enumerate(wish.secret)),
        seed=tuple(HomeFile(path, "a: 1\n") for path in wish.seed),
    )


@functools.lru_cache(maxsize=64)
def _loaded(text: str, directory: Path) -> Loaded:
    """Load a spec from its JSON, written as the YAML that users write; a history reads each of its specs often."""
    return loads(yaml.safe_dump(json.loads(text), sort_keys=False).encode(), "env.yaml", directory)


def explain(report: Report) -> str:
    """Return what went wrong in a report."""
    failed = [(o.address, o.status.value, o.detail) for o in report.outcomes if o.status.value != "done"]
    return f"failed: {failed}; remaining: {report.remaining}"


def differences(before: type_json, after: type_json, at: str = "") -> list[str]:
    """Return where two JSON values differ, one line each."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [line for key in keys for line in differences(before.get(key), after.get(key), f"{at}/{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [line for number, (one, two) in pairs for line in differences(one, two, f"{at}/{number}")]
    return [] if before == after else [f"{at}: {json.dumps(before)} ≠ {json.dumps(after)}"]


def insist_equal(one: type_json, two: type_json, told: str) -> None:
    """Insist that two states are one.

    Raises:
        AssertionError: They differ, and where.
    """
    found = differences(one, two)
    assert not found, f"{told}:\n" + "\n".join(found)
