"""Changes made by hand to what a spec declares, each with the address that it must show up at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from envspec.engine.facts import ANCHOR, ENV_FILE, RUN_DIR, SECRETS_FILE, Questions, RepoQuestion, located
from envspec.engine.fake import FakeEngine
from envspec.engine.fake_probe import accounts
from envspec.engine.objects import UNLIMITED, ContainerState, Limits
from envspec.kinds.command import CommandSpec
from envspec.kinds.container import ContainerSpec
from envspec.kinds.dotfiles import DotfilesSpec
from envspec.kinds.file import FileSpec
from envspec.kinds.image import ImageSpec
from envspec.kinds.loss import lies_below
from envspec.kinds.repo import RepoSpec
from envspec.kinds.service_state import ServiceSpec
from envspec.kinds.user import UserSpec, home_of
from envspec.model import Cause, Desired

from .world import APP, BOX, COMMITS, LIB, World


@dataclass(frozen=True)
class Tampering:
    """One change by hand.

    Attributes:
        address: Where the plan must show it.
        told: What is done.
        do: Does it.
        cause: The cause that the plan must give; ``None`` where nothing is left that could tell.
    """

    address: str
    told: str
    do: Callable[[], object]
    cause: Cause | None = Cause.DRIFT


def _service(engine: FakeEngine, address: str, spec: ServiceSpec) -> list[Tampering]:
    name, tamper = spec.container, engine.tamper
    return [
        Tampering(address, "stop it", lambda: tamper.stop(name)),
        Tampering(address, "pause it", lambda: tamper.pause(name)),
        Tampering(address, "give it memory", lambda: tamper.update(name, Limits(memory=1 << 28))),
        Tampering(address, "let it swap", lambda: tamper.update(name, Limits(swap=3 << 20))),
        Tampering(address, "weigh it", lambda: tamper.update(name, Limits(cpu_shares=77))),
        Tampering(address, "bind it to a processor", lambda: tamper.update(name, Limits(cpuset_cpus="0"))),
        Tampering(address, "let it retry", lambda: tamper.update(name, Limits(restart="on-failure:7"))),
        Tampering(address, "give it processes", lambda: tamper.update(name, Limits(pids=77))),
        Tampering(address, "cut it off", lambda: tamper.disconnect(name, spec.networks[0][0])),
        Tampering(address, "remove it", lambda: tamper.remove(name), None),
        *(Tampering(address, "empty the shelf", engine.shelf_files.clear) for _ in spec.shelved),
    ]


def possible(world: World, desired: Desired) -> list[Tampering]:
    """Return everything that can be done by hand to what is declared, in a fixed order."""
    engine = world.engine
    box = next(found for found in engine.containers("shop") if found.name == BOX)
    found: list[Tampering] = []
    for resource in desired.resources:
        spec = resource.spec
        if isinstance(spec, FileSpec):
            found += _file(engine, resource.address, spec)
        elif isinstance(spec, RepoSpec):
            found += _repo(engine, resource.address, spec, box)
        elif isinstance(spec, DotfilesSpec):
            found += _dotfiles(engine, resource.address, box)
        elif isinstance(spec, CommandSpec) and spec.creates:
            found.append(
                Tampering(resource.address, "remove what it creates", lambda p=spec.creates: _drop(engine, p))  # type: ignore[misc]  # a bound default
            )
        elif isinstance(spec, ContainerSpec):
            found += _container(engine, resource.address, spec)
        elif isinstance(spec, UserSpec):
            found += _user(engine, resource.address, spec)
        elif isinstance(spec, ImageSpec):
            found += _image(engine, resource.address, spec, box)
        elif isinstance(spec, ServiceSpec):
            found += _service(engine, resource.address, spec)
    found.append(
        Tampering(
            "environment.workspace",
            "edit the variables",
            lambda: engine.tamper.write_file(BOX, ENV_FILE, "export Z=1\n"),
        )
    )
    if engine.container(BOX).tree.get(SECRETS_FILE) is not None:
        found.append(
            Tampering(
                "environment.workspace",
                "edit the secrets",
                lambda: engine.tamper.write_file(BOX, SECRETS_FILE, "export Z=1\n"),
            )
        )
    for path, what in ((f"{RUN_DIR}/npmrc", "edit a file of the tmpfs"), (ANCHOR.format(2), "edit a trusted CA")):
        if engine.container(BOX).tree.get(path) is not None:
            spoil = partial(engine.tamper.write_file, BOX, path, "by hand")
            found.append(Tampering("environment.workspace", what, spoil))
    return found


def _place(engine: FakeEngine, path: str) -> str:
    """Return where a path lies that may be below a home."""
    return located(path, accounts(engine.container(BOX).tree))


def _dotfiles(engine: FakeEngine, address: str, box: ContainerState) -> list[Tampering]:
    entry = engine.probe(box.id, Questions()).entry(address)
    assert entry
    links = [f"{entry.facts['home']}/{value}" for key, value in entry.facts.items() if key.startswith("link")]
    return [Tampering(address, f"remove {link}", lambda p=link: _drop(engine, p)) for link in links]  # type: ignore[misc]  # a bound default


def _drop(engine: FakeEngine, path: str) -> None:
    engine.tamper.remove_file(BOX, path)


def _file(engine: FakeEngine, address: str, spec: FileSpec) -> list[Tampering]:
    hand, path = engine.tamper, _place(engine, spec.path)
    return [
        Tampering(address, "edit", lambda: hand.write_file(BOX, path, spec.content + b"by hand")),
        Tampering(address, "chmod", lambda: hand.chmod(BOX, path, spec.mode ^ 0o111)),
        Tampering(address, "chown", lambda: hand.chown(BOX, path, spec.uid + 7, spec.gid)),
        Tampering(address, "chgrp", lambda: hand.chown(BOX, path, spec.uid, spec.gid + 7)),
        Tampering(address, "remove", lambda: hand.remove_file(BOX, path)),
    ]


def _repo(engine: FakeEngine, address: str, spec: RepoSpec, box: ContainerState) -> list[Tampering]:
    hand, path = engine.tamper, _place(engine, spec.path)
    fact = engine.probe(box.id, Questions(repos=(RepoQuestion(path, address),))).repos[path]
    known = COMMITS[:4] if spec.url == APP else COMMITS[5:7] if spec.url == LIB else COMMITS[7:]
    first = known[0]
    found = [Tampering(address, "remove", lambda: hand.remove_file(BOX, path))]
    if fact.branch:
        found.append(Tampering(address, "git switch -c mine", lambda: hand.switch(BOX, path, "mine")))
    if fact.head != first:
        found.append(Tampering(address, "reset", lambda: hand.set_head(BOX, path, first)))
    return found


def _user(engine: FakeEngine, address: str, spec: UserSpec) -> list[Tampering]:
    """Return what takes a volume, the home or a repository from the user."""
    tree, hand = engine.container(BOX).tree, engine.tamper
    home = located(home_of(spec), accounts(tree))
    repos = [
        path
        for entry in engine.probe(engine.container(BOX).id, Questions()).ledger
        if (path := entry.facts.get("own1"))
    ]
    held = [path for path in repos if any(lies_below(path, top) for top in spec.own)]
    paths = [*spec.own, *held, *([home] if spec.name and not any(lies_below(home, o) for o in spec.others) else [])]
    nodes = {path: node for path in sorted({*paths}) if (node := tree.get(path)) and node.uid == spec.uid}
    return [
        Tampering(address, f"chown {path}", partial(hand.chown, BOX, path, spec.uid + 7, spec.gid)) for path in nodes
    ]


def _container(engine: FakeEngine, address: str, spec: ContainerSpec) -> list[Tampering]:
    hand, config = engine.tamper, spec.config
    found = [
        Tampering(address, "stop", lambda: hand.stop(BOX)),
        Tampering(address, "pause", lambda: hand.pause(BOX)),
        Tampering(address, "remove", lambda: hand.remove(BOX), None),
        Tampering(address, "docker update --memory", lambda: hand.update(BOX, Limits(memory=999 << 20))),
        Tampering(address, "docker update --cpus", lambda: hand.update(BOX, Limits(cpus=0.5))),
        Tampering(address, "docker update --pids-limit", lambda: hand.update(BOX, Limits(pids=77))),
        Tampering(address, "docker update --cpu-shares", lambda: hand.update(BOX, Limits(cpu_shares=77))),
        Tampering(address, "docker update --cpuset-cpus", lambda: hand.update(BOX, Limits(cpuset_cpus="0"))),
        Tampering(
            address, "docker update --memory-reservation", lambda: hand.update(BOX, Limits(memory_reservation=8 << 20))
        ),
        Tampering(address, "docker update --restart", lambda: hand.update(BOX, Limits(restart=_other(config.restart)))),
        *(
            [Tampering(address, "docker update --memory-swap", lambda: hand.update(BOX, Limits(swap=UNLIMITED)))]
            if config.memory
            else []
        ),
        # The ledger of a root that can only be read is forgotten as well, and with it that they were ever there.
        Tampering(
            "environment.workspace",
            "docker restart",
            lambda: hand.restart(BOX),
            None if config.read_only else Cause.ENGINE,
        ),
        Tampering(address, "docker rename", lambda: hand.rename(BOX, "renamed")),
    ]
    found += [
        Tampering(address, f"disconnect {network}", lambda n=network: hand.disconnect(BOX, n))  # type: ignore[misc]  # a bound default
        for network in (*spec.networks, *(["bridge"] if config.network == "bridge" else []))
    ]
    if config.ports and config.network == "bridge":
        found.append(Tampering(address, "start it, refused before", lambda: hand.cut_off(BOX), Cause.ENGINE))
    found += [
        Tampering(f"network.{network}", "stop, network rm", lambda n=network: _remove_network(engine, n), None)  # type: ignore[misc]  # a bound default
        for network in spec.networks
    ]
    found += [
        Tampering(address, f"make {mount.source} again", lambda p=mount.source: hand.replace_on_host(p))  # type: ignore[misc]  # a bound default
        for mount in config.mounts
        if mount.type == "bind"
    ]
    if not spec.content:
        found.append(Tampering(address, "move the tag", lambda: _move_tag(engine, config.image)))
    return found


def _move_tag(engine: FakeEngine, ref: str) -> None:
    image = engine.image_of(ref)
    assert image
    engine.add_image(ref, files=image.files, seed="another")


def _remove_network(engine: FakeEngine, name: str) -> None:
    for box in engine.containers("shop"):
        engine.tamper.stop(box.name)
    for network in engine.networks():
        if network.name == name:
            engine.remove_network(network.id)


def _other(restart: str) -> str:
    return "no" if restart != "no" else "unless-stopped"


def _image(engine: FakeEngine, address: str, spec: ImageSpec, box: ContainerState) -> list[Tampering]:
    other = engine.images(["debian:13"])["debian:13"].id
    return [
        Tampering(address, "move the tag", lambda: engine.tamper.retag(spec.ref, other)),
        Tampering(address, "untag", lambda: _untag(engine, spec.ref, box.image_id), None),
        Tampering(address, "another base", lambda: engine.add_image(spec.base, seed="newer")),
    ]


def _untag(engine: FakeEngine, ref: str, image_id: str) -> None:
    engine.tamper.retag("kept:1", image_id)
    engine.remove_image(ref)
