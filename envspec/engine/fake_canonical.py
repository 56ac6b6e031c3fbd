"""What two environments of the fake engine are compared by: everything that the spec decides, nothing that is history.

Left out, because an environment may have it from its past and still be the one that the spec asks for: IDs, times,
free ports and addresses; windows and what the ledger remembers beside digests; that a container was updated in place;
labels that are frozen at creation while the thing itself was updated (:data:`HISTORY`); files that commands and hands
made, for these cannot be undone; directories, for a removed file may leave its parents; images that no container of
the environment runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from envspec.engine.facts import CA_FILE, ENV_FILE, RUN_DIR, SEALS_FILE, STATE_DIR
from envspec.engine.fake_fs import Layer, Node, Tree
from envspec.engine.fake_probe import accounts
from envspec.engine.fake_world import Container
from envspec.engine.objects import LABEL
from envspec.model import to_json, type_json

if TYPE_CHECKING:
    from envspec.engine.fake_store import Store

HISTORY = frozenset(LABEL + name for name in ("base", "digest", "settings", "session", "expires", "stands-in"))
"""Labels that tell of the creation: an update in place leaves them as they were."""

ACCOUNTS = ("/etc/passwd", "/etc/group")
"""Files that are compared by the accounts in them."""


def canonical(store: Store, env: str) -> type_json:
    """Return the state of an environment as JSON; equal for environments that a user could not tell apart."""
    containers, networks, volumes = store.of_env(env)
    return {
        "containers": [_container(store, container) for container in containers],
        "networks": [{"name": n.name, "labels": _labels(n.labels), "internal": n.internal} for n in networks],
        "volumes": [
            {"name": volume.name, "labels": _labels(volume.labels), "files": _files(volume.layer)} for volume in volumes
        ],
        "binds": _binds(store, containers),
        "shelf": {key: text for key, text in sorted(store.shelf_files.items()) if key.startswith(f"{env}/")},
        "locked": store.lock_is_held(env),
    }


def _container(store: Store, container: Container) -> type_json:
    image = store.image_of(container.config.image)
    return {
        "name": container.name,
        "status": container.status,
        "labels": _labels(container.labels),
        "config": to_json(container.config),
        "runs_its_image": image is not None and image.id == container.image_id,
        "networks": [[name, list(place.aliases)] for name, place in sorted(container.networks.items())],
        "inside": _inside(container),
    }


def _inside(container: Container) -> type_json:
    tree = container.tree
    ledger = tree.place(STATE_DIR)[0].layer.state.ledger
    return {
        "ledger": {key: ledger[key].digest for key in sorted(ledger) if not key.startswith("container.")},
        "files": _files(container.layer),
        "accounts": [to_json(account) for account in accounts(tree)],
        "environment": _text(tree, ENV_FILE),
        "secrets": _secrets(tree),
        "ca": _text(tree, CA_FILE),
        "run_dir": tree.get(RUN_DIR) is not None,
    }


def _secrets(tree: Tree) -> type_json:
    """Return what lies in the tmpfs, but for the seals, whose key is another one every time."""
    apart = {ENV_FILE, CA_FILE, SEALS_FILE}
    files = {path: node for path, node in tree.below(RUN_DIR) if node.type == "file" and path not in apart}
    return {path: [f"{files[path].mode:o}", files[path].uid, _text(tree, path)] for path in sorted(files)}


def _binds(store: Store, containers: list[Container]) -> type_json:
    hosts = {m.source for container in containers for m in container.config.mounts if m.type == "bind"}
    return {host: _files(store.binds[host]) for host in sorted(hosts)}


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: labels[key] for key in sorted(labels) if key not in HISTORY}


def _text(tree: Tree, path: str) -> str | None:
    node = tree.get(path)
    return None if node is None else node.content.decode(errors="replace")


def _files(layer: Layer) -> type_json:
    """Return what operations wrote in a layer: files by mode, owner and digest, repositories by where they are."""
    found: dict[str, type_json] = {}
    for path, node in layer.below():
        if node.repo is not None:
            found[path] = [node.repo.origin, node.repo.branch, node.repo.head, node.uid, node.gid]
        elif node.type == "file" and node.by == "apply" and path not in ACCOUNTS and not _as_before(layer, path, node):
            found[path] = [f"{node.mode:o}", node.uid, node.gid, hashlib.sha256(node.content).hexdigest()]
        elif node.type == "link" and node.by == "apply":
            found[path] = ["link", node.uid, node.gid, node.content.decode()]
    return dict(sorted(found.items()))


def _as_before(layer: Layer, path: str, node: Node) -> bool:
    below = layer.lower.get(path)
    return below is not None and (below.content, below.mode, below.uid) == (node.content, node.mode, node.uid)
