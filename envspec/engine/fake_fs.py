"""Files of the fake engine: nodes in layers, layers joined into the tree that a container sees.

A layer is what outlives or dies as one: an image's files under a container's own (copy on write), a volume, a bound
host directory, a tmpfs. Time is a counter of the engine's (a *tick*), so that nothing here depends on a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType

from envspec.engine.facts import LedgerEntry


class Refusal(Exception):
    """What a command inside would print before it exits with a code other than 0.

    Args:
        message: What it prints.
        code: The exit code.
    """

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Repo:
    """What a ``.git`` directory knows.

    Attributes:
        origin: URL of the remote.
        head: Commit of HEAD.
        branch: Branch checked out, "" when detached.
        parents: Parent of every commit known here, "" for a first one.
        remote: Commits that remote branches and tags point to.
        branches: Local branches and their commits.
        readme: Content of the tracked file ``README.md`` at HEAD.
        files: Contents of the other tracked files, which all commits have, by path.
    """

    origin: str
    head: str
    branch: str
    parents: Mapping[str, str]
    remote: frozenset[str]
    branches: Mapping[str, str]
    readme: bytes
    files: Mapping[str, bytes] = field(default_factory=dict)

    def ancestry(self, commit: str) -> Iterator[str]:
        """Yield a commit and all that it descends from."""
        while commit:
            yield commit
            commit = self.parents.get(commit, "")


@dataclass(frozen=True, slots=True)
class Node:
    """One path.

    Attributes:
        type: ``file``, ``dir``, ``link`` or ``other``.
        mode: Permission bits.
        uid: Owner.
        gid: Group.
        content: Content of a file.
        tick: When it was last changed; 0 when it came with the image.
        by: Who changed it: ``image``, ``apply`` (an operation), ``command`` (inside one), ``hand`` (anybody else).
        repo: What is in it, when it is a ``.git`` directory.
    """

    type: str = "file"
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    content: bytes = b""
    tick: int = 0
    by: str = "image"
    repo: Repo | None = None


def directory(mode: int = 0o755, uid: int = 0, gid: int = 0, tick: int = 0, by: str = "image") -> Node:
    """Return the node of a directory."""
    return Node("dir", mode, uid, gid, b"", tick, by)


@dataclass(frozen=True, slots=True)
class Original:
    """What was at a path before we wrote there.

    Attributes:
        node: The file, ``None`` when nothing was there.
        made: The topmost directory that we made above it, "" for none.
    """

    node: Node | None
    made: str = ""


@dataclass(slots=True)
class State:
    """What our operations keep below ``STATE_DIR``.

    Attributes:
        ledger: Entries by address.
        originals: What was there before a file of ours, by address; before a link, by address and place.
        windows: Ticks at which an operation wrote.
        rootfs: Tick until which all on the container's own root counts as made in a window; -1 before any operation.
        initial: The same for what is mounted; it is carried to the container that comes next.
        marks: Ticks of remembered moments, by token.
    """

    ledger: dict[str, LedgerEntry] = field(default_factory=dict)
    originals: dict[str, Original] = field(default_factory=dict)
    windows: set[int] = field(default_factory=set)
    rootfs: int = -1
    initial: int = -1
    marks: dict[str, int] = field(default_factory=dict)

    def begin(self, tick: int) -> None:
        """Open a window; the first one counts all that was there before."""
        if self.rootfs < 0:
            self.rootfs = tick
            self.initial = tick if self.initial < 0 else self.initial
        self.windows.add(tick)

    def forget(self, address: str) -> Original | None:
        """Drop an entry, and return the original kept for it, which is dropped too."""
        self.ledger.pop(address, None)
        return self.originals.pop(address, None)


class Layer:
    """Files that live and die together; keys are absolute paths in the layer.

    Args:
        lower: Files underneath, never written to.
        root: Node of the layer's own top, for what is mounted somewhere.
    """

    def __init__(self, lower: Mapping[str, Node] = MappingProxyType({}), root: Node | None = None) -> None:
        self.lower = lower
        self.upper: dict[str, Node | None] = {"/": root} if root else {}
        self.state = State()

    def get(self, path: str) -> Node | None:
        """Return what is at a path, ``None`` when nothing is."""
        return self.upper[path] if path in self.upper else self.lower.get(path)

    def put(self, path: str, node: Node) -> None:
        """Set what is at a path."""
        self.upper[path] = node

    def drop(self, path: str) -> None:
        """Remove a path with all below it."""
        for key in [key for key, _ in self.below(path)]:
            if key in self.lower:
                self.upper[key] = None
            else:
                del self.upper[key]

    def below(self, path: str = "/") -> Iterator[tuple[str, Node]]:
        """Yield a path and all below it, with their nodes, unsorted."""
        prefix = path if path == "/" else path + "/"
        for key, node in self.upper.items():
            if node is not None and (key == path or key.startswith(prefix)):
                yield key, node
        for key, node in self.lower.items():
            if key not in self.upper and (key == path or key.startswith(prefix)):
                yield key, node


@dataclass(frozen=True, slots=True)
class Place:
    """Where a layer is mounted."""

    target: str
    layer: Layer
    read_only: bool = False


class Tree:
    """What a container sees: its own layer with volumes, binds and tmpfs mounted over it.

    Args:
        places: Where which layer is mounted; ``/`` among them.
    """

    def __init__(self, places: tuple[Place, ...]) -> None:
        self.places = tuple(sorted(places, key=lambda place: -len(place.target)))

    def place(self, path: str) -> tuple[Place, str]:
        """Return the mount that a path lies on, and its key in the mounted layer."""
        for place in self.places:
            if place.target == "/":
                return place, path
            if path == place.target:
                return place, "/"
            if path.startswith(place.target + "/"):
                return place, path[len(place.target) :]
        raise AssertionError(f"no root is mounted: {path}")

    def get(self, path: str) -> Node | None:
        """Return what is at a path, ``None`` when nothing is."""
        place, key = self.place(path)
        return place.layer.get(key)

    def put(self, path: str, node: Node) -> None:
        """Set what is at a path.

        Raises:
            Refusal: The mount can only be read.
        """
        place, key = self.place(path)
        if place.read_only:
            raise Refusal(f"{path}: Read-only file system")
        place.layer.put(key, node)

    def drop(self, path: str) -> None:
        """Remove a path with all below it on its mount.

        A directory that something is mounted at stays, empty.

        Raises:
            Refusal: The mount can only be read.
        """
        place, key = self.place(path)
        if place.read_only:
            raise Refusal(f"{path}: Read-only file system")
        top = place.layer.get("/") if key == "/" else None
        place.layer.drop(key)
        if top is not None:
            place.layer.put("/", top)

    def below(self, path: str) -> list[tuple[str, Node]]:
        """Return a path and all below it on its own mount, sorted."""
        place, key = self.place(path)
        base = "" if place.target == "/" else place.target
        found = ((base + name if name != "/" else place.target, node) for name, node in place.layer.below(key))
        return sorted(found, key=lambda item: item[0])

    def children(self, path: str) -> list[str]:
        """Return the paths directly in a directory, mounts not counted, sorted."""
        return [name for name, _ in self.below(path) if name != path and parent_of(name) == path]

    def make_directory(self, path: str, like: Callable[[str], Node]) -> str:
        """Make a directory and every missing one above it, and return the topmost one made, "" for none.

        Args:
            path: The directory.
            like: Says of a directory's path how to make it.

        Raises:
            Refusal: A directory above it is none, or the mount can only be read.
        """
        here = self.get(path)
        if here is not None:
            if here.type != "dir":
                raise Refusal(f"{path}: Not a directory")
            return ""
        top = self.make_directory(parent_of(path), like)
        self.put(path, like(path))
        return top or path


def parent_of(path: str) -> str:
    """Return the directory that a path is in."""
    return str(PurePosixPath(path).parent)


def lies_below(path: str, root: str) -> bool:
    """Say whether a path is a directory or lies below it."""
    return path == root or path.startswith(f"{root.rstrip('/')}/")
