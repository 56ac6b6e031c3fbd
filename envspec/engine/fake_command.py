r"""The commands that run inside the fake engine's containers: a few words that change files, the rest does nothing.

Commands are parted by line breaks, ``;`` and ``&&``; the first that fails ends the text, as under ``sh -e``.

| command | what it does |
|---|---|
| ``true`` ``:`` | succeeds |
| ``false`` | fails with 1 |
| ``exit N`` | ends the text with code N |
| ``echo TEXT`` | prints |
| ``touch PATH`` | makes an empty file, or renews one; its directory must exist and be writable |
| ``write PATH TEXT`` | makes a file with a text |
| ``mkdir PATH`` | makes a directory |
| ``rm PATH`` | removes a file |
| ``fail-once TOKEN`` | fails with 1 the first time that the engine sees the token |
| ``sleep-forever`` | raises ``EngineTimeout``, or fails with 124 where a try has a limit of its own |

Anything else succeeds and does nothing. Paths are relative to the working directory.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from envspec.engine.fake_fs import Node, Refusal, Tree, directory, parent_of
from envspec.errors import EngineTimeout


class Exit(Exception):
    """A command ended its text: ``args[0]`` is the code."""


@dataclass(slots=True)
class Shell:
    """Where, when and as whom a command runs.

    Attributes:
        tree: The files.
        tick: The time.
        tokens: What ``fail-once`` has seen.
        workdir: Working directory.
        uid: User.
        gid: Group.
        deadline: Seconds, for the message of a time-out.
        attempt_timeout: Seconds after which one try fails with 124; 0 for none.
        output: Lines printed.
    """

    tree: Tree
    tick: int
    tokens: set[str]
    workdir: str
    uid: int
    gid: int
    deadline: float
    attempt_timeout: float
    output: list[str] = field(default_factory=list)

    def run(self, text: str) -> int:
        """Run a text and return its exit code.

        Raises:
            EngineTimeout: It never ends.
        """
        try:
            here = self.tree.get(self.workdir)
            if here is None or here.type != "dir":
                raise Refusal(f"cd: {self.workdir}: No such file or directory")
            for part in re.split(r"\n|;|&&", text):
                words = shlex.split(part, comments=True)
                if words:
                    self._run(words[0], words[1:])
        except Exit as ended:
            return int(ended.args[0])
        except Refusal as refusal:
            self.output.append(str(refusal))
            return 1
        return 0

    def _run(self, verb: str, words: list[str]) -> None:
        match verb, words:
            case (("touch" | "write" | "mkdir" | "rm"), [path, *rest]):
                self._change(verb, self._absolute(path), " ".join(rest))
            case "echo", _:
                self.output.append(" ".join(words))
            case "false", _:
                raise Exit(1)
            case "exit", [code]:
                raise Exit(int(code))
            case "fail-once", [token]:
                if token not in self.tokens:
                    self.tokens.add(token)
                    raise Exit(1)
            case "sleep-forever", []:
                if self.attempt_timeout:
                    raise Exit(124)
                raise EngineTimeout(f"not done after {self.deadline:g} s")
            case (("touch" | "write" | "mkdir" | "rm" | "fail-once" | "exit" | "sleep-forever"), _):
                raise Refusal(f"{verb}: wrong arguments: {words}")

    def _change(self, verb: str, path: str, text: str) -> None:
        if text and verb != "write":
            raise Refusal(f"{verb}: only one path can be given")
        if verb == "mkdir":
            self._mkdir(path)
        elif verb == "rm":
            self._remove(path)
        else:
            self._write(path, text.encode() if verb == "write" else None)

    def _absolute(self, path: str) -> str:
        return str(PurePosixPath(self.workdir, path))

    def _permit(self, node: Node | None, path: str) -> None:
        """Refuse when the user may not write to a node."""
        if node is None:
            raise Refusal(f"{path}: No such file or directory")
        bit = 0o200 if self.uid == node.uid else 0o020 if self.gid == node.gid else 0o002
        if self.uid != 0 and not node.mode & bit:
            raise Refusal(f"{path}: Permission denied")

    def _write(self, path: str, content: bytes | None) -> None:
        here = self.tree.get(path)
        if here is not None:
            self._permit(here, path)
            kept = here.content if content is None else content
            self.tree.put(path, replace(here, content=kept, tick=self.tick, by="command"))
            return
        self._permit(self.tree.get(parent_of(path)), path)
        self.tree.put(path, Node("file", 0o644, self.uid, self.gid, content or b"", self.tick, "command"))

    def _mkdir(self, path: str) -> None:
        if self.tree.get(path) is not None:
            raise Refusal(f"{path}: File exists")
        self._permit(self.tree.get(parent_of(path)), path)
        self.tree.put(path, directory(0o755, self.uid, self.gid, self.tick, "command"))

    def _remove(self, path: str) -> None:
        here = self.tree.get(path)
        if here is None or here.type == "dir":
            raise Refusal(f"rm: {path}: cannot be removed")
        self._permit(self.tree.get(parent_of(path)), path)
        self.tree.drop(path)
