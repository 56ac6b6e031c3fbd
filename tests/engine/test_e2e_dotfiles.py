"""Dotfiles: a repository, a script or links, and inline files, in the home of whoever works inside."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.engine.e2e import Place, Places, bare, causes, change

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

INLINE = {".inputrc": "set bell-style none\n", ".local/bin/hi": {"content": "#!/bin/sh\necho hi\n", "mode": "0755"}}


def repository(directory: Path, **files: str) -> None:
    """Make a repository of files; in their names an underscore is a dot, two are a slash."""
    for name, text in files.items():
        file = directory / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    git(directory, "init", "-q", "-b", "main", ".")
    commit(directory)


def git(directory: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "safe.directory=*")
    subprocess.run(["git", *who, *words], cwd=directory, check=True)


def commit(directory: Path) -> None:
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "-m", "more")


@pytest.fixture(scope="module", params=["root", "1000:1000"])
def linked(request: pytest.FixtureRequest, places: Places) -> Place:
    """An environment with dotfiles that are links, for root and for somebody else."""
    place = places()
    repository(place.directory / "dots", _bashrc="alias ll='ls -l'\n", _vimrc="set nu\n", _config__tool__rc="x\n")
    place.write(user=request.param, dotfiles={"repo": "./dots", "inline": INLINE})
    place.apply()
    return place


def test_home_is_set_up_for_its_user_and_stays_so(linked: Place) -> None:
    listing = 'cd && whoami && stat -c "%U %F %n" .bashrc .vimrc .config/tool .inputrc .local/bin/hi && .local/bin/hi'
    who, *files = linked.exec("sh", "-c", f"{listing} && cat .vimrc .config/tool/rc").splitlines()
    assert files == [
        f"{who} symbolic link .bashrc",
        f"{who} symbolic link .vimrc",
        f"{who} symbolic link .config/tool",
        f"{who} regular file .inputrc",
        f"{who} regular file .local/bin/hi",
        "hi",
        "set nu",
        "x",
    ]
    git(linked.directory / "dots", "commit", "-q", "--allow-empty", "-m", "upstream moved")
    assert linked.plan()["changes"] == []


def test_what_hands_change_shows_and_is_healed_after_a_restart_too(linked: Place) -> None:
    spoil = "cd && pwd && rm .vimrc .bashrc .local/bin/hi && echo mine > .bashrc && echo more >> .inputrc"
    home = linked.exec("sh", "-c", spoil)
    bare("restart", "--time", "0", linked.box)
    plan = linked.plan()
    assert causes(plan, "dotfiles.workspace") == {f"links.{home}/.bashrc": "drift", f"links.{home}/.vimrc": "drift"}
    assert causes(plan, "file.~/.inputrc") == {"sha256": "drift"}
    assert causes(plan, "file.~/.local/bin/hi") == {"sha256": "drift"}
    linked.apply()
    look = "cd && cat .vimrc .inputrc .bashrc.before-dotfiles && .local/bin/hi && rm .bashrc.*"
    assert linked.exec("sh", "-c", look) == "set nu\nset bell-style none\nmine\nhi"


def test_what_is_taken_out_of_the_file_goes_but_no_work_in_it(linked: Place) -> None:
    home = linked.exec("sh", "-c", "cd ~/.dotfiles && echo mine >> .vimrc && echo $HOME")
    user = str(yaml.safe_load(linked.file.read_text())["user"])
    linked.write(user=user, dotfiles={"inline": {".inputrc": "other\n", ".bashrc": "mine\n"}})
    assert f"{home}/.dotfiles (1 uncommitted change)" in change(linked.plan(), "repo.~/.dotfiles")["data_loss"]
    linked.apply("--allow-data-loss", "repo.~/.dotfiles")
    look = "cd && cat .inputrc .bashrc && ls -d .vimrc .dotfiles .local .config/tool 2> /dev/null || true"
    assert linked.exec("sh", "-c", look) == "other\nmine"
    linked.write(user=user, dotfiles="none")
    linked.apply()
    assert "mine" not in linked.exec("sh", "-c", "cat ~/.bashrc ~/.inputrc 2> /dev/null || true")


def test_a_script_runs_as_the_user_with_what_it_needs_and_again_for_another_branch(place: Place) -> None:
    dots = place.directory / "dots"
    repository(dots, install_sh='echo "$(whoami) $HOME $PWD $GREETING" >> ~/ran\n', _vimrc="no link\n")
    git(dots, "checkout", "-q", "-b", "work")
    (dots / "install.sh").write_text("echo work >> ~/ran\n")
    commit(dots)
    git(dots, "checkout", "-q", "main")
    start = {"user": "1000:1000", "env": {"GREETING": "hello"}, "setup_commands": ["cp ~/ran ~/seen"]}
    place.write(**start, dotfiles={"repo": "./dots", "target": "~/dots"})
    place.apply()
    who, at, where, greeting = place.exec("sh", "-c", "cat ~/seen").split()
    assert (at, where, greeting) == (f"/home/{who}", f"/home/{who}/dots", "hello")
    assert place.exec("sh", "-c", "test ! -e ~/.vimrc && echo no link") == "no link"
    place.write(**start, dotfiles={"repo": "./dots", "target": "~/dots", "branch": "work"})
    place.apply()
    assert place.exec("sh", "-c", "tail -n 1 ~/ran") == "work"
    place.write(**start)
    gone = change(place.plan(), "dotfiles.workspace")
    assert gone["reason"] == "no longer in the file; what install.sh did stays"
    place.apply()
    assert place.exec("sh", "-c", "test -e ~/ran && ls -d ~/dots 2> /dev/null || echo gone") == "gone"


def test_the_users_configuration_is_the_default(places: Places, tmp_path: Path) -> None:
    config = tmp_path / "config" / "envspec"
    config.mkdir(parents=True)
    (config / "inputrc").write_text("mine everywhere\n")
    (config / "config.yaml").write_text(yaml.safe_dump({"dotfiles": {"inline": {"~/.inputrc": {"source": "inputrc"}}}}))
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
    place = places(environ=environ)
    place.write()
    place.apply()
    assert place.exec("sh", "-c", "cat ~/.inputrc") == "mine everywhere"
    place.write(dotfiles=False)
    assert [item["address"] for item in place.plan()["changes"]] == ["file.~/.inputrc"]
