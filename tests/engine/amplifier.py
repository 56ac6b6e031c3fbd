"""A stand-in for Amplifier: a package of the same shape, without dependencies, served from a git repository."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "amplifier"
version = "{version}"
"""
BACKEND = '''\
"""Builds the wheel with nothing but the standard library, so that nothing has to be fetched for it."""

import pathlib
import tomllib
import zipfile


def build_wheel(directory, settings=None, metadata=None):
    version = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]["version"]
    about = f"amplifier-{version}.dist-info"
    name = f"amplifier-{version}-py3-none-any.whl"
    files = {
        "amplifier.py": pathlib.Path("amplifier.py").read_text().replace("VERSION", version),
        f"{about}/METADATA": f"Metadata-Version: 2.1\\nName: amplifier\\nVersion: {version}\\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{about}/entry_points.txt": "[console_scripts]\\namplifier = amplifier:main\\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\\n" for path in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
'''
PROGRAM = """\
import pathlib
import sys

HOME = pathlib.Path.home() / ".amplifier"


def main():
    match sys.argv[1:]:
        case ["--version"]:
            print("amplifier VERSION")
        case ["bundle", "add", uri]:
            HOME.mkdir(exist_ok=True)
            with (HOME / "settings.yaml").open("a") as settings:
                settings.write(f"added: {uri}\\n")
        case ["show", name]:
            print((HOME / name).read_text(), end="")
        case _:
            sys.exit(2)
"""


def make_repository(directory: Path, *versions: str) -> Path:
    """Return a bare repository with a tag for each version, that a plain file server can serve."""
    work, bare = directory / "work", directory / "amplifier.git"
    work.mkdir()
    git(work, "init", "-q")
    for version in versions:
        for name, text in (("pyproject.toml", PYPROJECT), ("backend.py", BACKEND), ("amplifier.py", PROGRAM)):
            (work / name).write_text(text.replace("{version}", version))
        git(work, "add", ".")
        git(work, "commit", "-qm", version)
        git(work, "tag", f"v{version}")
    git(directory, "clone", "-q", "--bare", str(work), str(bare))
    git(bare, "update-server-info")
    return bare


def git(directory: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, "-C", str(directory), *words], check=True, timeout=30)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(directory: Path, address: str) -> Iterator[str]:
    """Serve a directory by HTTP on an address of this host, and give its URL."""
    handler = functools.partial(_Quiet, directory=str(directory))
    with http.server.ThreadingHTTPServer((address, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{address}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)
