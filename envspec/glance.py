"""A look at an engine that goes on in the background while it is still worked out what shall be.

A look at a converged environment costs six child processes whatever its size: list, inspect, networks, volumes,
images, and one exec of the probe. Only the images and the probe's questions depend on the spec, so the rest is asked
for as soon as the environment's name is known, and the probe is inside by the time its questions are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from envspec.engine.base import Inquiry, Reader
from envspec.engine.facts import Answer, Questions
from envspec.engine.objects import LOCK_PREFIX, ContainerState, ImageState, NetworkState, VolumeState
from envspec.kinds import names
from envspec.kinds.base import Observed


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """What the engine has been asked."""

    boxes: Future[Observed]
    networks: Future[tuple[NetworkState, ...]]
    volumes: Future[tuple[VolumeState, ...]]


class Glance:
    """One look at an environment, begun when this is made, to be closed as a context.

    Args:
        reader: The engine, of which nothing but its read verbs is used.
        env: Name of the environment.
        later: Whether it is begun only when the world is asked for: a Compose document that has to be judged is
            refused without any call of the engine.
    """

    def __init__(self, reader: Reader, env: str, *, later: bool = False) -> None:
        self.reader = reader
        self._env = env
        self._inquiry: Inquiry | None = None
        self._inquired = ""
        self._pool = ThreadPoolExecutor(max_workers=4)
        self._asked: _Asked | None = None if later else self._begin()

    def __enter__(self) -> Glance:
        """Return the look."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of what was not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._asked:
            self._asked.boxes.add_done_callback(self._leave)

    def world(self, refs: tuple[str, ...]) -> Observed:
        """Return everything that the engine itself can tell.

        Args:
            refs: References of images that matter.
        """
        named = self._pool.submit(self.reader.images, refs)
        asked = self._asked = self._asked or self._begin()
        world = asked.boxes.result()
        return dataclasses.replace(
            world,
            images=_with_running(self.reader, named.result(), world.containers),
            networks=asked.networks.result(),
            volumes=asked.volumes.result(),
            shelved=self.reader.shelved(self._env),
        )

    def probe(self, box: ContainerState, questions: Questions) -> Answer:
        """Answer questions about the inside of a container, by the probe that is there already for the first ones."""
        inquiry, self._inquiry = self._inquiry, None
        if inquiry and self._inquired == box.id:
            return inquiry.ask(questions)
        return self.reader.probe(box.id, questions)

    def _begin(self) -> _Asked:
        submit = self._pool.submit
        return _Asked(submit(self._containers), submit(self.reader.networks), submit(self.reader.volumes))

    def _leave(self, _: Future[Observed]) -> None:
        if self._inquiry:
            self._inquiry.close()

    def _containers(self) -> Observed:
        """Look at the containers, and send the probe inside the one that runs."""
        lock = f"{LOCK_PREFIX}{self._env}"
        wanted = (names.container(self._env), names.next_container(self._env), lock)
        found = self.reader.containers(self._env, wanted)
        boxes = tuple(box for box in found if box.name != lock)
        world = Observed(
            env=self._env,
            engine=self.reader.name,
            command=self.reader.command,
            containers=boxes,
            locked=len(boxes) < len(found),
            shared=not self.reader.machine().here,
            version=lambda: self.reader.versions().engine,
        )
        if world.workspace and world.workspace.running:
            self._inquired = world.workspace.id
            self._inquiry = self.reader.inquire(self._inquired)
        ours = [box for box in boxes if box.running and box.labels.get(names.ENV) == self._env]
        return dataclasses.replace(world, replaced_binds=self.reader.replaced_binds(ours))


def _with_running(
    reader: Reader, named: Mapping[str, ImageState], boxes: tuple[ContainerState, ...]
) -> Mapping[str, ImageState]:
    """Return images with those that containers run, by their IDs; where nothing has moved they are known already."""
    known = {image.id: image for image in named.values()}
    running = {box.image_id for box in boxes} - {""}
    moved = tuple(sorted(running - known.keys()))
    unknown = reader.images(moved) if moved else {}
    return {**named, **{image: known[image] for image in sorted(running & known.keys())}, **unknown}
