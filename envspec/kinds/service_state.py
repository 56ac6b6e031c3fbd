"""What a service shall be, and how the container that is there differs from it; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from envspec.engine.inspect import familiar
from envspec.engine.objects import ContainerState, Mount
from envspec.kinds import anonymous, names
from envspec.kinds.base import Observed
from envspec.kinds.container import cut_off, names_in, remembered, stale_binds
from envspec.kinds.limits import LIMITS, differs, told
from envspec.model import Cause, Diff, Hidden, to_json
from envspec.secrets import seal

SHELVED = ("secrets.", "configs.")
"""How the names of files begin that a service binds from memory."""

SECRET = "(hidden)"
"""Stands in a diff for a value that nobody may see."""


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service.

    Attributes:
        name: Name in the document; of a further container ``web[2]``.
        container: Name of its container.
        image: Reference of its image.
        settings: Everything that is compared by what was written at creation, by attribute; secrets masked.
        environment: Its variables, sorted; values that came from the user's files are hidden.
        networks: Names of its networks on the engine, each with the aliases asked for, sorted.
        limits: Limits, restart policy and confinement that are compared with the container as it is, by attribute.
        defaults: Attributes of the settings that envspec set, not the document.
        patience: Seconds within which it must run and be healthy, or end.
        ends: Whether others wait for its end: it is as it shall be when it exited with 0.
        may_end: Whether its author wrote that it is not started again after it exited with 0: that is its right end.
        masked: Those of the settings that hold secrets, as they are handed to Compose, by attribute.
        content: Digest of what its image is built from, "" when it is not built.
        shares: Address of the service whose network it lives in, "" for none.
        restarts_with: Addresses of services after whose change it is started again.
        volumes_from: Addresses of services whose volumes it mounts.
        replicas: How many containers the service has.
        shelved: Files that it binds from the memory of the engine's host, by name.
        directory: Project directory.
        document: The whole resolved document as JSON, ``$`` doubled.
    """

    name: str
    container: str
    image: str
    settings: Mapping[str, Any]
    environment: tuple[tuple[str, str | Hidden], ...] = ()
    networks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)
    defaults: tuple[str, ...] = ()
    patience: float = 0.0
    ends: bool = False
    may_end: bool = False
    masked: tuple[tuple[str, Hidden], ...] = ()
    content: str = ""
    shares: str = ""
    restarts_with: tuple[str, ...] = ()
    volumes_from: tuple[str, ...] = ()
    replicas: int = 1
    shelved: tuple[tuple[str, Hidden], ...] = ()
    directory: str = ""
    document: Hidden = field(default_factory=lambda: Hidden("{}"))

    @property
    def address(self) -> str:
        """Return its address."""
        return f"service.{self.name}"

    @property
    def unnamed(self) -> frozenset[str]:
        """Return where it asks for volumes without naming them."""
        mounts = self.settings.get("volumes") or ()
        return frozenset(str(m["target"]) for m in mounts if m.get("type") == "volume" and not m.get("source"))

    @property
    def named(self) -> tuple[Mount, ...]:
        """Return what it mounts by name or path."""
        mounts = self.settings.get("volumes") or ()
        found = (m for m in mounts if m.get("source") and m.get("target"))
        return tuple(Mount(str(m["target"]), str(m.get("type")), str(m["source"])) for m in found)

    @property
    def which(self) -> str:
        """Return which of how many containers it is, "" for the only one."""
        return f" ({self.name.partition('[')[2].rstrip(']') or 1} of {self.replicas})" if self.replicas > 1 else ""

    @property
    def remembered(self) -> str:
        """Return what its container's label keeps.

        That is settings, the names alone of variables and networks, and whether it may end.
        """
        kept = {
            "ends": self.ends or self.may_end,
            "settings": dict(self.settings),
            "environment": [name for name, _ in self.environment],
            "networks": [name for name, _ in self.networks],
        }
        return json.dumps(kept, sort_keys=True, ensure_ascii=False)

    def noted(self, key: str) -> str:
        """Return the same, and settings that hold secrets sealed, so that a changed secret is noticed.

        Args:
            key: A new key for the seals, which is kept with them.
        """
        seals = {name: seal(key, value.text.encode()) for name, value in self.masked}
        kept = json.loads(self.remembered)
        return json.dumps({**kept, "key": key, "seals": seals} if seals else kept, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Differences:
    """How a container differs.

    Attributes:
        stubborn: What takes a new container.
        status: It has to be started, or started again.
        name: It has another name, or is not the only one.
        shelved: Files that it binds from memory.
        networks: By name, the networks that it is to leave, join, or be called otherwise on.
        limits: Limits that can be set in place.
    """

    stubborn: tuple[Diff, ...] = ()
    status: tuple[Diff, ...] = ()
    name: tuple[Diff, ...] = ()
    shelved: tuple[Diff, ...] = ()
    networks: tuple[tuple[str, Diff], ...] = ()
    limits: tuple[Diff, ...] = ()

    @property
    def live(self) -> tuple[Diff, ...]:
        """Return what can be changed on the container that is there."""
        return (*self.status, *self.name, *self.shelved, *(diff for _, diff in self.networks), *self.limits)


def base_of(name: str) -> str:
    """Return the name of the service that a container belongs to."""
    return name.partition("[")[0]


def key_of(name: str) -> str:
    """Return the name under which Compose is handed a container: ``web[2]`` is ``web.2`` there."""
    return name.replace("[", ".").rstrip("]")


def built_name(env: str, service: str) -> str:
    """Return the name of the image that is built for a service whose author names none; Compose's own."""
    return f"{env}-{service}"


def boxes_of(address: str, world: Observed) -> tuple[ContainerState, ...]:
    """Return the containers of a service, the one that counts first: the one under its proper name.

    A killed Compose leaves a second one, under a temporary name that ends in the proper one.
    """
    found = [box for box in world.services if box.labels.get(names.ADDRESS) == address]
    return tuple(sorted(found, key=lambda box: (len(box.name), box.name)))


def borrows(box: ContainerState) -> bool:
    """Say whether a container was made to mount the volumes of others."""
    settings = remembered(box).get("settings")
    return isinstance(settings, dict) and bool(settings.get("volumes_from"))


def lost_volumes(spec: ServiceSpec, world: Observed) -> tuple[Mount, ...]:
    """Return the volumes of a service's container that nobody named and that a replacement does not take over.

    Compose takes over what the service itself or its image asks for. An image that is built or pulled only then counts
    as one that asks for the same: what it turns out not to take over is kept.
    """
    box = boxes_of(spec.address, world)[0]
    image = world.images.get(spec.image)
    if spec.volumes_from or image is None or (spec.content and image.labels.get(names.DIGEST) != spec.content):
        return ()
    others = (other for other in world.containers if other.id != box.id and not borrows(other))
    elsewhere = {mount.source for other in others for mount in other.anonymous}
    wanted = spec.unnamed | {mount.target for mount in anonymous.kept(box, image, spec.named)}
    return tuple(mount for mount in box.anonymous if mount.source not in elsewhere and mount.target not in wanted)


def compare(spec: ServiceSpec, world: Observed) -> Differences:
    """Compare a service with its container, which must exist."""
    boxes = boxes_of(spec.address, world)
    box = boxes[0]
    kept = remembered(box)
    settings = _settings(spec, kept)
    limits = [] if settings else _limits(spec, box)
    status = _status(spec, box, world)
    # What never ran may lack what comes between its making and its start.
    half = status if box.status == "created" else []
    stubborn = [
        *half,
        *_image(spec, box, world),
        *settings,
        *_environment(spec, box, kept),
        *_shared(spec, box, world),
        *(diff for diff in limits if not world.changes_in_place(diff.path, diff.after)),
    ]
    shelved = [] if settings else _shelved(spec, world)
    known = {network.id for network in world.networks}
    networks = _networks(spec, box, kept, known)
    stubborn += [diff for name, diff in networks if _is_stale(box, name, known)]
    misnamed = Diff("name", [b.name for b in boxes], spec.container, Cause.ENGINE)
    return Differences(
        stubborn=tuple(stubborn),
        status=tuple(diff for diff in status if diff not in half),
        name=(misnamed,) if _is_misnamed(spec, boxes) else (),
        shelved=tuple(shelved),
        networks=tuple((name, diff) for name, diff in networks if diff not in stubborn),
        limits=tuple(diff for diff in limits if diff not in stubborn),
    )


def says(diff: Diff) -> str:
    """Return a difference in words."""
    if diff.path == "status":
        return f"it {in_words(diff.before)}"
    if diff.path == "name":
        return "an interrupted apply left a second container" if len(diff.before) > 1 else "it has another name"
    if diff.path.startswith("networks."):
        network = diff.path.removeprefix("networks.")
        return f"leave network {network}" if diff.after is None else f"join network {network}"
    return _says_of_setting(diff)


def _says_of_setting(diff: Diff) -> str:
    drifted = diff.cause is Cause.DRIFT
    if diff.path == "image" and drifted:
        return "its reference names another image now"
    if diff.path.startswith(SHELVED) and diff.before is None and drifted:
        return f"{diff.path} is gone"
    if diff.path in LIMITS and drifted:
        return f"{diff.path} changed outside envspec"
    if diff.before is None or diff.after is None:
        return f"{diff.path} {'added' if diff.before is None else 'removed'}"
    return f"{diff.path} changed outside envspec" if drifted else f"{diff.path} changed"


def reason(spec: ServiceSpec, diffs: tuple[Diff, ...]) -> str:
    """Return differences in words; what envspec itself set, and an older version did not, is said to be its own."""
    new = [d.path for d in diffs if d.path in spec.defaults and d.cause is Cause.SPEC and d.before is None]
    others = [says(diff) for diff in diffs if diff.path not in new]
    return "; ".join([*others, *([f"new defaults of envspec for services: {', '.join(new)}"] if new else [])])


def _is_misnamed(spec: ServiceSpec, boxes: tuple[ContainerState, ...]) -> bool:
    return len(boxes) > 1 or boxes[0].name != spec.container


def _status(spec: ServiceSpec, box: ContainerState, world: Observed) -> list[Diff]:
    if box.running:
        if found := cut_off(box, world) or stale_binds(box, world):
            return [found]
        return [Diff("status", "unhealthy", "healthy", Cause.DRIFT)] if box.health == "unhealthy" else []
    if (spec.ends or spec.may_end) and box.status == "exited" and box.exit_code == 0:
        return []
    cause = Cause.ENGINE if box.status == "created" else Cause.DRIFT
    return [Diff("status", state_of(box), "exited with 0" if spec.ends else "running", cause)]


def state_of(box: ContainerState) -> str:
    """Return a container's state, with the exit code of one that ended."""
    return f"exited with {box.exit_code}" if box.status == "exited" else box.status


def has_completed(box: ContainerState) -> bool:
    """Say whether a service's container ended well, and was made to end."""
    ended = box.status == "exited" and box.exit_code == 0
    return ended and remembered(box).get("ends") is True and box.config.restart in ("no", "on-failure")


def in_words(state: str) -> str:
    """Return a state as the rest of a sentence, "is paused": how it came to be, as far as the engine tells."""
    if state == "created":
        return "was created, but not started"
    return state if state.startswith("exited") else f"is {state}"


def _image(spec: ServiceSpec, box: ContainerState, world: Observed) -> list[Diff]:
    """Compare the image that runs with the one that the reference means now, and that with what it is built from."""
    wanted, running = world.images.get(spec.image), world.images.get(box.image_id)
    if spec.content and (wanted is None or wanted.labels.get(names.DIGEST) != spec.content):
        before = running.labels.get(names.DIGEST) if running else None
        return [] if wanted is None and before == spec.content else [Diff("build", before, spec.content, Cause.SPEC)]
    if familiar(box.config.image) != familiar(spec.image):
        return [Diff("image", box.config.image, spec.image, Cause.SPEC)]
    if wanted is not None and wanted.id != box.image_id:
        return [Diff("image", box.image_id, wanted.id, Cause.DRIFT)]
    return []


def _settings(spec: ServiceSpec, kept: Mapping[str, Any]) -> list[Diff]:
    found = kept.get("settings")
    before = found if isinstance(found, dict) else {}
    keys = sorted({*before, *spec.settings})
    return [
        Diff(key, before.get(key), spec.settings.get(key), Cause.SPEC)
        for key in keys
        if before.get(key) != spec.settings.get(key)
    ] + _sealed(spec, kept)


def _sealed(spec: ServiceSpec, kept: Mapping[str, Any]) -> list[Diff]:
    """Compare settings that hold secrets by their seals; a container of an earlier version has none."""
    key, seals = kept.get("key"), kept.get("seals")
    if not isinstance(key, str) or not isinstance(seals, dict):
        return []
    wanted = {name: seal(key, value.text.encode()) for name, value in spec.masked}
    shown = kept.get("settings")
    same = [name for name in wanted if name in seals and (shown or {}).get(name) == spec.settings.get(name)]
    return [Diff(name, SECRET, SECRET, Cause.SPEC) for name in same if seals[name] != wanted[name]]


def _environment(spec: ServiceSpec, box: ContainerState, kept: Mapping[str, Any]) -> list[Diff]:
    """Compare variables with those of the container itself: no label holds their values."""
    diffs = []
    was = names_in(kept, "environment")
    for name, wish in spec.environment:
        value = wish.text if isinstance(wish, Hidden) else wish
        now = box.config.env.get(name) if name in was else None
        if now != value:
            shown = (now and SECRET, SECRET) if isinstance(wish, Hidden) else (now, value)
            diffs.append(Diff(f"environment.{name}", *shown, Cause.SPEC))
    gone = was - {name for name, _ in spec.environment}
    return diffs + [Diff(f"environment.{name}", SECRET, None, Cause.SPEC) for name in sorted(gone)]


def _shared(spec: ServiceSpec, box: ContainerState, world: Observed) -> list[Diff]:
    """Compare the container whose network it lives in: a new one of it has another ID."""
    if not spec.shares:
        return []
    other = next((b.id for b in boxes_of(spec.shares, world)), "")
    if box.config.network == f"container:{other}":
        return []
    return [Diff("network_mode", box.config.network, spec.shares, Cause.DRIFT)]


def _shelved(spec: ServiceSpec, world: Observed) -> list[Diff]:
    """Compare what lies in memory for it, which no label tells of; a restart of the host loses it."""
    diffs = []
    for name, wish in spec.shelved:
        now = world.shelved.get(f"{spec.name}/{name}")
        if now != wish:
            diffs.append(Diff(name, now and SECRET, SECRET, Cause.SPEC if now else Cause.DRIFT))
    return diffs


def _limits(spec: ServiceSpec, box: ContainerState) -> list[Diff]:
    found = ((name, getattr(box.config, name), spec.limits[name]) for name in sorted(spec.limits))
    return [
        Diff(n, told(n, to_json(before)), told(n, to_json(after)), Cause.DRIFT)
        for n, before, after in found
        if differs(n, before, after)
    ]


def _networks(
    spec: ServiceSpec, box: ContainerState, kept: Mapping[str, Any], known: set[str]
) -> list[tuple[str, Diff]]:
    if spec.shares:
        return []
    joined = {a.network: a for a in box.networks if a.network not in ("none", "host", "bridge")}
    wanted = dict(spec.networks)
    was = names_in(kept, "networks")
    diffs = []
    for name in sorted(joined.keys() | wanted.keys()):
        now, then = joined.get(name), wanted.get(name)
        stale = now is not None and bool(now.network_id) and now.network_id not in known
        if now and then is not None and not stale and {*then} <= {*now.aliases}:
            continue
        cause = Cause.SPEC if (name in was) == (then is None) else Cause.DRIFT
        before = list(now.aliases) if now else None
        diffs.append((name, Diff(f"networks.{name}", before, None if then is None else list(then), cause)))
    return diffs


def _is_stale(box: ContainerState, network: str, known: set[str]) -> bool:
    """Say whether a container hangs on a network that is gone; another of the name may be there by now."""
    return any(a.network == network and a.network_id and a.network_id not in known for a in box.networks)
