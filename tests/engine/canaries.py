"""Canaries: texts that nobody else writes, planted wherever the host keeps secrets, and the places they are sought in.

A new source of secrets is one function in :data:`SOURCES`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CANARY = re.compile(rb"canary[0-9a-f]{12}")
DOCKER_PROXIES = ("httpProxy", "httpsProxy", "allProxy")
"""Those of Docker's own configuration that the environment's proxies, which are set too, go before."""

_LENGTH = len("canary") + 12
_CHUNK = 1 << 20


@dataclass
class Garden:
    """Where canaries are planted.

    Attributes:
        home: The home of the user.
        environ: Their environment.
        keys: What the spec says.
        planted: What each canary is, by its text.
        inside: Those that have to reach the tmpfs; all others shall be nowhere at all.
    """

    home: Path
    environ: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=lambda: {"env": {}})
    planted: dict[str, str] = field(default_factory=dict)
    inside: set[str] = field(default_factory=set)

    def canary(self, what: str, *, inside: bool = True) -> str:
        """Return a new canary."""
        text = f"canary{uuid.uuid4().hex[:12]}"
        self.planted[text] = what
        if inside:
            self.inside.add(text)
        return text

    def file(self, path: str, text: str) -> Path:
        """Write a file in the home."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
        return file


def from_env(garden: Garden) -> None:
    for number in range(4):
        garden.environ[f"EVT_HOST_{number}"] = garden.canary(f"from_env {number}")
        garden.keys["env"][f"EVT_ENV_{number}"] = {"from_env": f"EVT_HOST_{number}"}


def from_file(garden: Garden) -> None:
    for number in range(3):
        lines = [garden.canary(f"line {line} of from_file {number}") for line in range(2)]
        file = garden.file(f"secrets/{number}", "\n".join([*lines, ""]))
        garden.keys["env"][f"EVT_FILE_{number}"] = {"from_file": str(file)}


def passthrough(garden: Garden) -> None:
    names = (
        *("EVT_API_KEY", "EVT_TOKEN", "EVT_SECRET", "ANTHROPIC_EVT", "OPENAI_EVT", "AZURE_OPENAI_EVT", "GOOGLE_EVT"),
        *("GEMINI_EVT", "OLLAMA_EVT", "VLLM_EVT", "AMPLIFIER_EVT"),
    )
    for name in names:
        garden.environ[name] = garden.canary(f"passed {name}")
    garden.environ["EVT_NOT_ASKED_FOR"] = garden.canary("a variable that does not pass", inside=False)


def proxies(garden: Garden) -> None:
    for name in (*("http_proxy", "https_proxy", "all_proxy"), *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")):
        garden.environ[name] = f"http://me:{garden.canary(f'{name} with userinfo')}@127.0.0.1:9"


def docker_config(garden: Garden) -> None:
    proxies = {
        key: f"http://me:{garden.canary(f'{key} of Docker', inside=False)}@127.0.0.1:9" for key in DOCKER_PROXIES
    }
    garden.file(".docker/config.json", json.dumps({"proxies": {"default": proxies}}))


def gh_token(garden: Garden) -> None:
    garden.environ["GH_TOKEN"] = f"ghp_{garden.canary('the token of gh')}"


def ssh_files(garden: Garden) -> None:
    garden.keys["forward_ssh"] = True
    garden.file(".ssh/config", f"# {garden.canary('the configuration of ssh')}\n")
    key = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{garden.canary('an SSH key')}\n-----END OPENSSH PRIVATE KEY-----\n"
    garden.file(".ssh/id_ed25519", key)


def git_config(garden: Garden) -> None:
    def left(what: str) -> str:
        return garden.canary(f"git's {what}", inside=False)

    text = f"""[user]
name = Ada
[url "https://me:{left("insteadOf")}@git.example/"]
insteadOf = https://git.example/
[http]
proxy = http://me:{left("proxy")}@127.0.0.1:9
extraHeader = Authorization: Bearer {left("header")}
[credential]
helper = "!echo password={left("helper")}"
"""
    garden.file(".gitconfig", text)
    garden.file(".git-credentials", f"https://me:{left('stored credentials')}@git.example\n")


def package_indexes(garden: Garden) -> None:
    garden.environ["PIP_INDEX_URL"] = f"https://me:{garden.canary('the index of pip')}@index.invalid/simple"
    npmrc = "registry=https://npm.invalid/\n//npm.invalid/:_authToken="
    garden.file(".npmrc", f"{npmrc}{garden.canary('the token of npm')}\n")


SOURCES: tuple[Callable[[Garden], None], ...] = (
    from_env,
    from_file,
    passthrough,
    proxies,
    docker_config,
    gh_token,
    ssh_files,
    git_config,
    package_indexes,
)


# ── looking for them ──


def found_in(data: bytes | str) -> set[str]:
    """Return the canaries in some data."""
    return {match.decode() for match in CANARY.findall(data.encode() if isinstance(data, str) else data)}


def found_in_stream(argv: Iterable[str]) -> set[str]:
    """Return the canaries in what a command prints, however much that is."""
    found: set[str] = set()
    with subprocess.Popen([*argv], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        rest = b""
        while chunk := process.stdout.read(_CHUNK):
            found |= found_in(rest + chunk)
            rest = chunk[-_LENGTH:]
    assert process.returncode == 0, argv
    return found


def found_below(directory: Path) -> set[str]:
    """Return the canaries in the files below a directory; files may go while one looks."""
    found: set[str] = set()
    for top, _, names in os.walk(directory):
        for path in (Path(top, name) for name in names):
            try:
                found |= found_in(path.read_bytes()) if path.is_file() else set()
            except OSError:
                continue
    return found


@dataclass
class Watch:
    """What is seen while others work: command lines of all processes, and temporary files."""

    temporary: Path
    found: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    rounds: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        for process in Path("/proc").iterdir():  # a glob of more than a name stumbles over one that ends meanwhile
            try:
                self.found["command lines"] |= found_in((process / "cmdline").read_bytes())
            except OSError:
                continue
        self.found["temporary files"] |= found_below(self.temporary)
        self.rounds += 1

    def _run(self) -> None:
        while not self._done.is_set():
            self.look()
            time.sleep(0.02)


@contextmanager
def watching(temporary: Path) -> Iterator[Watch]:
    """Look all the while that something else is done."""
    watch = Watch(temporary)
    thread = threading.Thread(target=watch._run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch._done.set()
        thread.join(60)
