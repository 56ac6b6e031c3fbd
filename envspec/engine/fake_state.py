"""What the fake engine carries from one container to the next, as bytes: its counterpart of tar streams."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from envspec.engine.facts import LedgerEntry
from envspec.engine.fake_fs import Node, Original, State, Tree


def pack(state: State, addresses: Sequence[str]) -> bytes:
    """Return all windows but the one of the container's own root, and the entries and originals of the addresses."""
    chosen = [address for address in addresses if address in state.ledger]
    kept = [key for key in sorted(state.originals) if key in chosen or key.split(" ")[0] in chosen]
    return _dump(
        windows=sorted(state.windows),
        ledger=[asdict(state.ledger[address]) for address in chosen],
        originals={key: _kept(state.originals[key]) for key in kept},
        initial=state.initial,
    )


def unpack(state: State, data: bytes) -> None:
    """Take in what :func:`pack` returned."""
    carried = json.loads(data)
    state.windows.update(carried["windows"])
    state.ledger.update({item["address"]: LedgerEntry(**item) for item in carried["ledger"]})
    state.originals.update({address: _original(item) for address, item in carried["originals"].items()})
    state.initial = carried["initial"]


def pack_files(tree: Tree, top: str) -> bytes:
    """Return all files below a directory."""
    return _dump(files={path: _plain(node) for path, node in tree.below(top) if node.type == "file"})


def unpack_files(tree: Tree, data: bytes, tick: int) -> None:
    """Write what :func:`pack_files` returned, owners and modes kept."""
    for path, item in json.loads(data)["files"].items():
        tree.put(path, replace(_node(item), tick=tick))


def _dump(**parts: Any) -> bytes:
    return json.dumps(parts, sort_keys=True).encode()


def _kept(original: Original) -> dict[str, Any]:
    return {"made": original.made, "node": _plain(original.node) if original.node else None}


def _original(item: dict[str, Any]) -> Original:
    return Original(_node(item["node"]) if item["node"] else None, item["made"])


def _plain(node: Node) -> dict[str, Any]:
    return {**asdict(node), "content": base64.b64encode(node.content).decode(), "repo": None}


def _node(item: dict[str, Any]) -> Node:
    return Node(**{**item, "content": base64.b64decode(item["content"])})
