"""The laws of the fake engine's histories, held by a sample of the same histories on real engines.

Specs are drawn by the strategies of the laws and put into words that this engine can do: images with the same
repositories, any free port instead of a fixed one, networks of names of one's own. What came of them is read with the
bare client.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from envspec import host
from envspec.api import converge
from envspec.api.converge import Doors
from envspec.api.targets import Cancel, Options, Target
from envspec.api.work import Look, look
from envspec.engine.whales import WhalesEngine
from envspec.forward import read as reading
from envspec.host import HostFacts
from envspec.model import Report
from envspec.spec.load import loads
from tests.engine.by_hand import bare_build
from tests.engine.e2e import bare, named, remove_all
from tests.laws.strategies import PATHS, History, pairs
from tests.laws.world import APP, COMMITS, LIB, SECRETS, differences, explain, forwarded

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

SAMPLES = 20
SERVED = 4
"""Every how many of the samples end with services; the others never have any."""

DRAWN = 320
ON_PODMAN = sorted((*range(0, SAMPLES, 2 * SERVED), *range(2, SAMPLES, SERVED)))
CASES = [("docker", number) for number in range(SAMPLES)] + [("podman", number) for number in ON_PODMAN]
UID = os.geteuid() or 1000

ORIGINS = "/var/lib/origins"
IMAGES = {"debian:13": "envspec-test/laws:1", "ubuntu:24.04": "envspec-test/laws:2", "node:22": "envspec-test/laws:3"}
FIRST_IMAGE = rf"""FROM {{base}}
RUN printf '#!/bin/sh\nprintf "%%s\\n" "$2" > "$1"\n' > /usr/local/bin/write && chmod 755 /usr/local/bin/write
RUN export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org \
    GIT_AUTHOR_DATE=2024-01-01T00:00:00+0000 GIT_COMMITTER_DATE=2024-01-01T00:00:00+0000 \
    && commit() {{{{ echo "$1" > README.md && git add . && git commit -qm "$1" && git tag "id-$1"; }}}} \
    && git init -q -b main /tmp/app && cd /tmp/app \
    && commit 0 && git tag v1 && commit 1 && commit 2 && git tag v2 && git checkout -q -b dev v1 && commit 3 \
    && git checkout -q main && git clone -q --bare /tmp/app {ORIGINS}/app.git \
    && git init -q -b trunk /tmp/lib && cd /tmp/lib \
    && commit 5 && git tag v1 && commit 6 && git clone -q --bare /tmp/lib {ORIGINS}/lib.git \
    && rm -r /tmp/app /tmp/lib
"""
NEXT_IMAGES = {
    "envspec-test/laws:2": "RUN echo another > /etc/which\n",
    "envspec-test/laws:3": "RUN useradd --uid 1000 --create-home node\n",
}
USED = (0, 2, 3, 5, 6)
"""Commits that the strategies name, by their place in ``COMMITS``."""

SHORT = 9
"""Letters of a commit that the strategies shorten."""

READ = r"""
for path in "$@"; do
  [ -e "$path" ] && stat -c '%n %F %a %u:%g' "$path" && sha256sum "$path"
done
cat /run/envspec/env
cat /var/lib/envspec/ledger/*
awk -F: '$3 >= 1000 && $3 < 60000' /etc/passwd
"""
OF_A_RUN = ('"address":"container.', '"address":"environment.', '"address":"lease.')
"""Entries of the ledger that hold IDs, times, or a digest of a text that names the environment."""

READ_REPO = 'git -c safe.directory=* -C "$1" rev-parse HEAD --symbolic-full-name HEAD'


class Everything(tuple[str, ...]):
    """All addresses that there could be."""

    __slots__ = ()

    def __contains__(self, _: object) -> bool:
        return True


def build(ref: str, text: str) -> None:
    bare_build(ref, text, "--label", "dev.envspec.test=1")


@pytest.fixture(scope="module")
def commits(git_image: str) -> Mapping[str, str]:
    """The commits of the images' repositories, by those that the strategies name; the images are made first."""
    first = IMAGES["debian:13"]
    build(first, FIRST_IMAGE.format(base=git_image))
    for ref, step in NEXT_IMAGES.items():
        build(ref, f"FROM {first}\n{step}")
    names = [f"{'app' if number < 5 else 'lib'} {number}" for number in USED]
    script = 'while read -r repo number; do git -C "$0/$repo.git" rev-parse "id-$number"; done'
    words = ("run", "--rm", "-i", first, "sh", "-c", f"git config --global safe.directory '*'; {script}", ORIGINS)
    found = bare(*words, stdin="".join(f"{name}\n" for name in names)).split()
    return {COMMITS[number]: commit for number, commit in zip(USED, found, strict=True)}


@pytest.fixture(scope="module")
def histories() -> list[History]:
    """Distinct histories, the same in every run, from the simplest that are drawn to the richest."""
    drawn: dict[str, History] = {}

    @settings(
        max_examples=DRAWN,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(history=pairs())
    def draw(history: History) -> None:
        if history.docs[0] != history.docs[1]:
            drawn.setdefault(json.dumps(history.docs, sort_keys=True), history)

    draw()
    served = [h for h in drawn.values() if _services(h.docs[1]) and _services(h.docs[0]) != _services(h.docs[1])]
    plain = [h for h in drawn.values() if not any(map(_services, h.docs))]
    chosen = iter(_spread(served, SAMPLES // SERVED)), iter(_spread(plain, SAMPLES - SAMPLES // SERVED))
    return [next(chosen[0] if number % SERVED == 0 else chosen[1]) for number in range(SAMPLES)]


def _spread(found: list[History], count: int) -> list[History]:
    """Return some of them, evenly spread."""
    assert len(found) >= count
    return found[:: len(found) // count][:count]


def _services(doc: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the services of a spec."""
    found: Mapping[str, Any] = doc.get("compose", {}).get("services", {})
    return found


@dataclass
class World:
    """One environment on the real engine, under a name of its own."""

    env: str
    directory: Path
    engine: WhalesEngine
    commits: Mapping[str, str]

    def real(self, doc: Mapping[str, Any]) -> dict[str, Any]:
        """Put a spec into words that this engine can do."""
        text = json.dumps(doc).replace(APP, f"file://{ORIGINS}/app.git").replace(LIB, f"file://{ORIGINS}/lib.git")
        for made_up, commit in self.commits.items():
            text = text.replace(made_up, commit).replace(f'"{made_up[:SHORT]}"', f'"{commit[:SHORT]}"')
        found: dict[str, Any] = json.loads(text)
        purpose, _ = found.pop("purpose", None), found.pop("image_source", None)
        found["image"] = IMAGES["ubuntu:24.04"] if purpose else IMAGES[found["image"]]
        found["networks"] = [f"{self.env}-{name}" for name in found.get("networks", ())]
        targets = {str(port).rpartition(":")[2] for port in found.get("ports", ())}
        found["ports"] = [f"0:{target}" for target in sorted(targets)]
        for service in (found.get("compose") or {}).get("services", {}).values():
            service["image"] = IMAGES[service["image"]]
            service |= {"init": True, "command": service.get("command") or ["sleep", "3d"]}
            for port in service.get("ports", ()):
                del port["published"]  # two worlds stand at once
            if "healthcheck" in service:
                service["healthcheck"]["interval"] = "500ms"
        if isinstance(found.get("security"), dict) and found["security"].pop("privileged", False):
            found["security"]["cap_add"] = ["NET_RAW"]  # not every host may give all capabilities away
        dotfiles = found.get("dotfiles")
        if isinstance(dotfiles, str) or "repo" in (dotfiles or {}):
            found["dotfiles"] = "none"  # it lies on a host that is made up; test_e2e_dotfiles has real ones
        if found.get("forward_ssh") == "agent":
            del found["forward_ssh"]  # a mount of the host's, like any other
        return {**found, "name": self.env}

    def target(self, doc: Mapping[str, Any]) -> Target:
        text = yaml.safe_dump(self.real(doc), sort_keys=False)
        return Target(self.env, loads(text.encode(), "env.yaml", self.directory), destroy=False)

    def look(self, doc: Mapping[str, Any]) -> Look:
        return look(self.engine, self.target(doc), Options())

    def apply(self, doc: Mapping[str, Any]) -> Report:
        doors = Doors(lambda _: None, lambda _: True, Cancel())
        options = Options(allow_data_loss=Everything(), yes=True, volumes=True, allow=Everything())
        report = converge.run(self.engine, self.target(doc), options, doors)
        assert report.ok, explain(report)
        return report

    def state(self, doc: Mapping[str, Any]) -> Any:
        """Return what there is, without IDs, addresses, times and names that are only this world's."""
        box, boxes = f"{self.env}-workspace", named("container", self.env)
        wanted = self.real(doc)
        inside = bare("exec", "-u", "0", box, "sh", "-c", READ, "sh", *PATHS, code=None).splitlines()
        work = wanted.get("workspace", "/workspace")
        repos = {
            repo["path"]: bare("exec", "-u", "0", box, "sh", "-c", READ_REPO, "sh", f"{work}/{repo['path']}")
            for repo in wanted.get("repos", ())
        }
        found = {
            "outside": {data["Name"]: outside(data) for data in json.loads(bare("container", "inspect", *boxes))},
            "inside": {line: True for line in inside if not any(entry in line for entry in OF_A_RUN)},
            "repos": repos,
            "networks": named("network", self.env),
            "volumes": named("volume", self.env),
        }
        text = json.dumps(found, sort_keys=True)
        return json.loads(text.replace(self.env, "ENV").replace(str(self.directory), "DIRECTORY"))

    def identities(self) -> list[str]:
        """Return every object of the environment with what would change if anybody touched it."""
        boxes = bare("container", "ls", "--all", "--quiet", "--filter", f"label=dev.envspec.env={self.env}").split()
        told = "{{.Id}} {{.Name}} {{.State.StartedAt}} {{.State.Status}} {{json .HostConfig}} {{json .NetworkSettings}}"
        seen = bare("container", "inspect", "--format", told, *boxes).splitlines() if boxes else []
        return sorted([*seen, *named("network", self.env), *named("volume", self.env)])

    def tamper(self, doc: Mapping[str, Any], chance: random.Random) -> str:
        """Change one declared thing by hand, and return the address at which that must show."""
        box, wanted = f"{self.env}-workspace", self.real(doc)
        hands: list[tuple[str, tuple[str, ...]]] = [
            ("container.workspace", ("stop", "--time", "0", box)),
            ("container.workspace", ("rm", "--force", box)),
        ]
        as_root = ("exec", "-u", "0", box, "sh", "-c")
        for path in sorted(wanted.get("config_files", {})):
            scripts = ('echo by-hand >> "$0"', 'chmod 777 "$0"', 'chown 4321 "$0"', 'rm "$0"')
            hands += [(f"file.{path}", (*as_root, script, path)) for script in scripts]
        if self.engine.name == "docker" and wanted.get("memory") not in (None, "none"):
            hands.append(("container.workspace", ("update", "--memory", "300m", "--memory-swap", "300m", box)))
        hands += [("container.workspace", ("network", "disconnect", n, box)) for n in wanted["networks"]]
        services = [(f"service.{name}", f"{self.env}-{name}-1") for name in sorted(_services(wanted))]
        if services:  # what hands do to the workspace, the histories without services show
            hands = [(address, ("stop", "--time", "0", name)) for address, name in services]
            hands += [(address, ("rm", "--force", name)) for address, name in services]
            hands += [(address, ("network", "disconnect", self.env, name)) for address, name in services]
        address, words = chance.choice(hands)
        bare(*words)
        return address


def outside(data: dict[str, Any]) -> Mapping[str, Any]:
    """Return what matters of a container's ``inspect``, in one form for what means the same."""
    text = json.dumps(data | {"Id": ""}).replace(data["Id"][:12], "ID")
    for name, item in (data["NetworkSettings"].get("Networks") or {}).items():
        text = text.replace(item["NetworkID"] or "none", name)
    data = json.loads(text)
    config, settings_ = data["Config"], data["HostConfig"]
    of_a_run = ("dev.envspec.settings", "dev.envspec.expires", "com.docker.compose.")
    labels = {key: value for key, value in config["Labels"].items() if not key.startswith(of_a_run)}
    compared = (
        *("Memory", "MemorySwap", "NanoCpus", "ShmSize", "CapAdd", "CapDrop", "SecurityOpt", "ReadonlyRootfs"),
        *("Privileged", "RestartPolicy", "Tmpfs", "ExtraHosts", "Init", "NetworkMode"),
    )
    mounts = [[m["Type"], m["Destination"], m["RW"], m.get("Name") or m["Source"]] for m in data["Mounts"]]
    networks = {
        name: sorted(set(item.get("Aliases") or ()) - {"ID"})
        for name, item in (data["NetworkSettings"].get("Networks") or {}).items()
    }
    return {
        "image": [config["Image"], data["Image"]],
        "status": data["State"]["Status"],
        "hostname": config["Hostname"] if settings_["NetworkMode"] != "host" else "",
        "workdir": config["WorkingDir"],
        "environment": sorted(config["Env"]),
        "labels": labels,
        "pids": max(settings_.get("PidsLimit") or 0, 0),
        "settings": {key: settings_.get(key) for key in compared},
        "ports": sorted(settings_.get("PortBindings") or ()),  # Podman picks the host's when it creates
        "mounts": sorted(mounts),
        "networks": networks,
    }


@pytest.fixture
def worlds(
    bare_engine: WhalesEngine,
    commits: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[World, World]]:
    """Two environments, one with a past and one without; the host's user is the one that the histories know."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(reading, "read", forwarded)
    monkeypatch.setattr(host, "gather", lambda: HostFacts(UID, UID, "ada", hostname="host", environ=SECRETS))
    made = []
    for which in ("past", "fresh"):
        directory = tmp_path / which
        for path in (directory, directory / "aside"):  # the histories mount what lies aside
            path.mkdir()
            if os.geteuid() == 0:
                os.chown(path, UID, UID)
        made.append(World(f"evt-laws-{os.getpid()}-{which}", directory, bare_engine, commits))
    try:
        yield made[0], made[1]
    finally:
        for world in made:
            remove_all(world.env)


@pytest.mark.parametrize(("bare_engine", "number"), CASES, indirect=["bare_engine"])
def test_the_laws_hold_on_real_engines(number: int, histories: list[History], worlds: tuple[World, World]) -> None:
    past, fresh = worlds
    first, last = histories[number].docs
    with ThreadPoolExecutor(max_workers=1) as beside:
        straight = beside.submit(fresh.apply, last)
        past.apply(first)
        assert past.look(first).plan.empty, "law 2: after an apply there is nothing to do"
        before = past.identities()
        past.look(last)
        assert past.identities() == before, "law 5: looking changed the world"
        past.apply(last)
        straight.result()
    assert past.look(last).plan.empty, "law 2: after another apply there is nothing to do"
    reached = past.state(last)
    assert differences(fresh.state(last), reached) == [], "law 3: the past shows"

    address = past.tamper(last, random.Random(number))
    planned = [change.address for change in past.look(last).plan.changes]
    assert address in planned, f"law 6: what was done by hand to {address} does not show"
    past.apply(last)
    assert past.look(last).plan.empty
    assert differences(reached, past.state(last)) == [], "law 6: what was done by hand is not mended"
