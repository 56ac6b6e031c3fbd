"""What tests hold on to in the fake engine: a journal of calls, crashes, made failures, and changes made by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from envspec.engine.fake_fs import Node, directory, parent_of
from envspec.engine.objects import Limits
from envspec.errors import EngineCallFailed, Interrupted

if TYPE_CHECKING:
    from envspec.engine.fake import FakeEngine


class Crashed(BaseException):
    """The process was killed at a call; nothing but a test may catch it."""


class Hooks:
    """The part of :class:`envspec.engine.fake.FakeEngine` that counts, crashes and fails.

    Attributes:
        calls: Every mutating call that was let through, in order: its verb, its object's name, and what else tells it
            apart. ``("perform", "shop-workspace", "PutFiles", "file./a", "file./b")``,
            ``("connect", "shop", "shop-workspace")``.
        reads: Number of reading calls.
        fail_on: Takes a call's verb and the rest of it joined by spaces, and says whether it shall fail: an operation
            with exit code 1, everything else with ``EngineCallFailed``. Nothing is done then. An image, a
            network and so on are named by what the caller knows of them: a reference, a name.
        mutex: Held during every call.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.reads = 0
        self.fail_on: Callable[[str, str], bool] | None = None
        self.mutex = threading.RLock()
        self._crash_before: int | None = None
        self._crash_after: int | None = None
        self._counted = 0
        self._dead = False
        self._cancelled = False

    @property
    def crash_before(self) -> int | None:
        """The mutating call, counted from 1 since this was set, that the client is killed just before."""
        return self._crash_before

    @crash_before.setter
    def crash_before(self, count: int | None) -> None:
        self._crash_before, self._counted = count, 0

    @property
    def crash_after(self) -> int | None:
        """The mutating call, counted from 1 since this was set, that the client is killed just after."""
        return self._crash_after

    @crash_after.setter
    def crash_after(self, count: int | None) -> None:
        self._crash_after, self._counted = count, 0

    @property
    def crashed(self) -> bool:
        """Whether a crash has happened since the last :meth:`revive`."""
        return self._dead

    def revive(self) -> None:
        """Let a new client come after a crash or a cancel: until then every call raises, like those of the dead."""
        self._dead = self._cancelled = False
        self._crash_before = self._crash_after = None

    def cancel(self) -> None:
        """End the client: see :meth:`envspec.engine.base.Engine.cancel`."""
        self._cancelled = True

    def _enter(self, *, regardless: bool = False) -> None:
        if self._dead:
            raise Crashed("the client was killed; call revive() for a new one")
        if self._cancelled and not regardless:
            raise Interrupted("the work was stopped")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self.mutex:
            self._enter()
            self.reads += 1
            yield

    @contextmanager
    def _mutating(self, *call: str, regardless: bool = False) -> Iterator[bool]:
        """Guard one mutating call; yields whether ``fail_on`` wants it to fail."""
        with self.mutex:
            self._enter(regardless=regardless)
            self._counted += 1
            if self._counted == self._crash_before:
                self._dead = True
                raise Crashed(f"before {' '.join(call)}")
            self.calls.append(call)
            try:
                yield self.fail_on is not None and self.fail_on(call[0], " ".join(call[1:]))
            finally:
                if self._counted == self._crash_after:
                    self._dead = True
                    raise Crashed(f"after {' '.join(call)}")

    @contextmanager
    def _changing(self, *call: str, regardless: bool = False) -> Iterator[None]:
        """Guard one mutating call that fails by raising; ``regardless`` lets it work after a cancel."""
        with self._mutating(*call, regardless=regardless) as fail:
            if fail:
                raise EngineCallFailed(f"{' '.join(call)} was made to fail")
            yield


class Tamper:
    """Changes made by hand, past envspec: no journal, no crash, no window.

    Args:
        engine: The engine to change. Containers are named by name or ID.
    """

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def _put(self, container: str, path: str, node: Node) -> None:
        engine = self._engine
        with engine.mutex:
            tree = engine.container(container).tree
            made = replace(node, tick=engine.tick(), by="hand")
            tree.make_directory(parent_of(path), lambda _: directory(tick=made.tick, by="hand"))
            tree.put(path, made)

    def _node(self, container: str, path: str) -> Node:
        node = self._engine.container(container).tree.get(path)
        if node is None:
            raise KeyError(path)
        return node

    def replace_on_host(self, path: str) -> None:
        """Put another file or directory, which holds the same, at a path of the host."""
        with self._engine.mutex:
            self._engine.host_objects[path] = self._engine.host_objects.get(path, 0) + 1

    def write_file(self, container: str, path: str, content: bytes | str) -> None:
        """Write a file, keeping mode and owner of one that is there; missing parents are made."""
        data = content.encode() if isinstance(content, str) else content
        here = self._engine.container(container).tree.get(path)
        self._put(container, path, replace(here or Node(), type="file", content=data))

    def make_undeclared(self, container: str, path: str) -> None:
        """Make a file that no apply knows of."""
        self.write_file(container, path, "made by hand\n")

    def chmod(self, container: str, path: str, mode: int) -> None:
        """Change the permission bits of a path."""
        self._put(container, path, replace(self._node(container, path), mode=mode))

    def chown(self, container: str, path: str, uid: int, gid: int) -> None:
        """Change the owner of a path."""
        self._put(container, path, replace(self._node(container, path), uid=uid, gid=gid))

    def remove_file(self, container: str, path: str) -> None:
        """Remove a path with all below it."""
        with self._engine.mutex:
            self._node(container, path)
            self._engine.container(container).tree.drop(path)

    def set_head(self, container: str, path: str, commit: str) -> None:
        """Put HEAD of a repository, and the branch that it is on, at a commit: ``git reset --hard``."""
        node = self._node(container, f"{path}/.git")
        repo = node.repo
        if repo is None or commit not in repo.parents:
            raise KeyError(commit)
        branches = {**repo.branches, repo.branch: commit} if repo.branch else repo.branches
        readme = f"{commit}\n".encode()
        moved = replace(repo, head=commit, branches=branches, readme=readme)
        self._put(container, f"{path}/.git", replace(node, repo=moved))
        self._put(container, f"{path}/README.md", replace(self._node(container, f"{path}/README.md"), content=readme))

    def switch(self, container: str, path: str, branch: str) -> None:
        """Make a branch where HEAD is and be on it: ``git switch -c``."""
        node = self._node(container, f"{path}/.git")
        if node.repo is None:
            raise KeyError(path)
        branches = {**node.repo.branches, branch: node.repo.head}
        self._put(container, f"{path}/.git", replace(node, repo=replace(node.repo, branch=branch, branches=branches)))

    def dirty(self, container: str, path: str) -> None:
        """Change the tracked file of a repository and do not commit it."""
        readme = f"{path}/README.md"
        self._put(container, readme, replace(self._node(container, readme), content=b"not committed\n"))

    def commit(self, container: str, path: str) -> str:
        """Make a commit that was pushed nowhere, of what is in the tracked file, and return it."""
        node = self._node(container, f"{path}/.git")
        repo = node.repo
        if repo is None:
            raise KeyError(path)
        made = f"{len(repo.parents):04x}".rjust(40, "f")
        branches = {**repo.branches, repo.branch: made} if repo.branch else repo.branches
        readme = self._node(container, f"{path}/README.md").content
        parents = {**repo.parents, made: repo.head}
        repo = replace(repo, head=made, branches=branches, parents=parents, readme=readme)
        self._put(container, f"{path}/.git", replace(node, repo=repo))
        return made

    def start_job(self, container: str, job: str) -> None:
        """Start a background job in a running container: ``envspec job start``."""
        with self._engine.mutex:
            self._engine.container(container).jobs.add(job)

    def end_job(self, container: str, job: str) -> None:
        """Let a background job end."""
        with self._engine.mutex:
            self._engine.container(container).jobs.remove(job)

    def update(self, container: str, limits: Limits) -> None:
        """Set limits: ``docker update``."""
        with self._engine.mutex:
            self._engine.set_limits(self._engine.container(container), limits)

    def disconnect(self, container: str, network: str) -> None:
        """Detach a container from a network, by the network's name."""
        with self._engine.mutex:
            del self._engine.container(container).networks[network]

    def cut_off(self, container: str) -> None:
        """Leave a container running with no network and no port, as Docker 29 does when a start was refused before."""
        with self._engine.mutex:
            found = self._engine.container(container)
            found.halt()
            self._engine.boot(found)
            found.networks, found.published = {}, ()
            self._engine.version = (29, 7, 2)

    def stop(self, container: str) -> None:
        """Stop a container."""
        with self._engine.mutex:
            self._engine.container(container).halt()

    def restart(self, container: str) -> None:
        """Stop a container and start it again: what the tmpfs held is gone."""
        with self._engine.mutex:
            found = self._engine.container(container)
            found.halt()
            self._engine.boot(found)

    def pause(self, container: str) -> None:
        """Pause a running container."""
        with self._engine.mutex:
            self._engine.container(container).status = "paused"

    def remove(self, container: str) -> None:
        """Remove a container: ``docker rm -f``."""
        with self._engine.mutex:
            self._engine.forget(self._engine.container(container))

    def retag(self, ref: str, image_id: str) -> None:
        """Let a reference mean another image that exists."""
        with self._engine.mutex:
            self._engine.point(ref, image_id)

    def race_network(self, name: str, labels: Mapping[str, str]) -> str:
        """Create a network though one of its name exists, as two clients at once can, and return its ID."""
        with self._engine.mutex:
            return self._engine.add_network(name, labels)

    def rename(self, container: str, name: str) -> None:
        """Give a container another name."""
        with self._engine.mutex:
            self._engine.container(container).name = name
