"""Which way a repository of dotfiles is set up, as its script chooses inside."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from envspec.engine.script import text_of
from envspec.kinds.dotfiles import LINKS, SCRIPTS


def phase(tmp_path: Path, *words: str, make: bool = False) -> str:
    """Run one phase on ``tmp_path/dots`` for the home ``tmp_path/home``, with or without a program called make."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("mkdir", "touch", "readlink", "ln", "mv", "rm"):
        (tools / name).symlink_to(next(p for p in map(Path, os.get_exec_path()) if (p / name).exists()) / name)
    if make:
        (tools / "make").write_text('#!/bin/sh\necho "made in $PWD"\n')
        (tools / "make").chmod(0o755)
    name, *rest = words
    argv = [
        "/bin/sh",
        "-c",
        text_of("dotfiles"),
        "sh",
        name,
        *(str(tmp_path / d) for d in ("dots", "home", "keep")),
        *rest,
    ]
    done = subprocess.run(argv, env={"PATH": str(tools)}, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout


def dots(tmp_path: Path, *names: str) -> None:
    for name in names:
        file = tmp_path / "dots" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


@pytest.mark.parametrize(
    ("files", "make", "way"),
    [
        ([".bashrc"], True, "links"),
        (["install.sh", "setup.sh", "bootstrap.sh", "script/setup", "Makefile"], True, "install.sh"),
        (["setup.sh", "bootstrap.sh", "script/setup", "Makefile"], True, "setup.sh"),
        (["bootstrap.sh", "script/setup", "Makefile"], True, "bootstrap.sh"),
        (["script/setup", "Makefile"], True, "script/setup"),
        (["Makefile", ".bashrc"], True, "make"),
        (["Makefile", ".bashrc"], False, "links"),
    ],
)
def test_scripts_come_before_make_and_make_before_links(
    tmp_path: Path, files: list[str], *, make: bool, way: str
) -> None:
    dots(tmp_path, *files)
    assert phase(tmp_path, "choose", "\n".join(SCRIPTS), "\n".join(LINKS), make=make) == f"{way}\n"


def test_make_is_run_in_the_repository(tmp_path: Path) -> None:
    dots(tmp_path, "Makefile")
    assert phase(tmp_path, "run", "make", make=True).endswith(f"made in {tmp_path}/dots\n")


def test_what_is_linked_is_there_common_and_nobody_elses(tmp_path: Path) -> None:
    dots(tmp_path, ".zshrc", ".vimrc", ".netrc", ".ssh/config", ".config/a b/rc", ".config/git/config", "README")
    found = phase(tmp_path, "choose_links", "\n".join(LINKS), ".vimrc\n.config/git")
    assert found.splitlines() == [".zshrc", ".config/a b"]


def test_names_with_spaces_are_linked(tmp_path: Path) -> None:
    dots(tmp_path, ".config/a b/rc")
    phase(tmp_path, "link", ".config/a b")
    assert (tmp_path / "home" / ".config" / "a b").readlink() == tmp_path / "dots" / ".config" / "a b"


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_script_with_carriage_returns_is_not_run_and_makes_nothing(tmp_path: Path, mode: int) -> None:
    dots(tmp_path, "install.sh")
    script = tmp_path / "dots" / "install.sh"
    script.write_bytes(b"#!/bin/sh\r\ntouch ../.hi\r\n")
    script.chmod(mode)
    argv = ["/bin/sh", "-c", text_of("dotfiles"), "sh", "run", *(str(tmp_path / d) for d in ("dots", "home", "keep"))]
    done = subprocess.run([*argv, "install.sh"], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1
    assert "install.sh has carriage returns at its line ends (^M)" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["dots"]
