"""Takes the steps of an apply one by one, in an order that a seed decides.

Threads would make a history differ from run to run. Here the executor's pool is replaced by one that holds what was
submitted and runs one step, chosen by the seed, whenever the executor waits: every order that threads could end in
can come up, and the same seed brings it back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from unittest import mock

from envspec import executor


class Turns:
    """Stands in for a thread pool, and for the wait on it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._waiting: dict[Future[Any], Callable[[], Any]] = {}

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.clear()

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._waiting[future] = lambda: work(*args)
        return future

    def wait(self, running: dict[Future[Any], str], return_when: str) -> tuple[set[Future[Any]], set[Future[Any]]]:
        assert return_when == "FIRST_COMPLETED"
        chosen = self._random.choice(list(running))
        chosen.set_result(self._waiting.pop(chosen)())
        return {chosen}, running.keys() - {chosen}


@contextmanager
def taking_turns(seed: int) -> Iterator[None]:
    """Let every apply within take its steps in the seed's order."""
    turns = Turns(seed)
    with (
        mock.patch.object(executor, "ThreadPoolExecutor", return_value=turns),
        mock.patch.object(executor, "wait", turns.wait),
    ):
        yield
