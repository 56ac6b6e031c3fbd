"""A probe that goes inside before it is asked: getting there takes the longest, and needs no question."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import IO

from envspec.engine import inside
from envspec.engine.facts import Answer, Questions
from envspec.engine.operations import Completed
from envspec.engine.runner import Signs
from envspec.engine.script import Script
from envspec.errors import EngineSilent, EnvspecError


class Inquiry:
    """A probe on its way into a container, or there already, which waits for its questions.

    Its script reads them to their end before it looks at anything, so that an answer tells how things are when they
    are asked for, and not how they were when it entered.

    Args:
        enter: Runs a script in the container, which reads what it is given.
        begins: Seconds within which it has begun to answer; one that has not is asked once more, from the beginning.
        refused: Says why a script that gave no answer could not.
        again: Says of one that gave no answer whether it is worth another try.
    """

    def __init__(
        self,
        enter: Callable[[Script, bytes | IO[bytes], Signs], Completed],
        begins: float,
        refused: Callable[[Completed], EnvspecError],
        again: Callable[[Completed], bool],
    ) -> None:
        self._enter = enter
        self._refused = refused
        self._again = again
        self._mark = f"--{secrets.token_hex(16)}"
        self._ended: Future[Completed] = Future()
        reading, writing = os.pipe()
        self._questions = os.fdopen(writing, "wb")
        threading.Thread(target=self._run, args=(os.fdopen(reading, "rb"), begins), daemon=True).start()

    def _run(self, questions: IO[bytes], begins: float) -> None:
        try:
            with questions:
                self._ended.set_result(self._probe(questions, begins))
        except BaseException as error:  # noqa: BLE001,RUF100 - it is raised where the answer is awaited
            self._ended.set_exception(error)

    def _probe(self, questions: bytes | IO[bytes], begins: float) -> Completed:
        return self._enter(inside.probe(), questions, Signs(begins, inside.proof(self._mark)))

    def ask(self, questions: Questions) -> Answer:
        """Return the answer to questions. An inquiry is asked once.

        Raises:
            EngineCallFailed: The container is gone, does not run, or cannot be entered.
            EngineTimeout: It gave no answer in time.
        """
        lines = inside.asked(questions, self._mark)
        # Where nobody reads them any more, how it ended says why.
        with contextlib.suppress(BrokenPipeError), self._questions as file:
            file.write(lines)
        try:
            completed = self._ended.result()
        except EngineSilent:
            completed = self._probe(lines, math.inf)
        while (answer := inside.answer(completed.stdout, questions, self._mark)) is None and self._again(completed):
            completed = self._probe(lines, math.inf)
        if answer is None:
            raise self._refused(completed)
        return answer

    def close(self) -> None:
        """Let it go, asked or not: without a question it ends by itself."""
        self._questions.close()
