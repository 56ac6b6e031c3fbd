"""The user's configuration: defaults, what it may say, and all faults at once with their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.errors import SpecError, SpecFaults
from envspec.spec.settings import Settings, load_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "envspec").mkdir()
    return tmp_path


def written(home: Path, text: str) -> Settings:
    (home / "envspec" / "config.yaml").write_text(text)
    return load_settings({"XDG_CONFIG_HOME": str(home)})


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "env_passthrough:\n"])
def test_what_is_not_written_is_the_default(home: Path, text: str) -> None:
    assert written(home, text) == Settings()


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings({"XDG_CONFIG_HOME": str(tmp_path)}) == Settings()


def test_every_key_is_read(home: Path) -> None:
    found = written(
        home,
        "engine: podman\nhost_network: none\nmax_environments: 12\nimage_prefix: mirror.example.com:5000/hub/\n"
        "env_passthrough: {patterns: ['*_KEY'], extend: [CI]}\n",
    )
    assert (found.engine, found.host_network, found.max_environments) == ("podman", "none", 12)
    assert found.image_prefix == "mirror.example.com:5000/hub"
    assert (found.env_passthrough.patterns, found.env_passthrough.extend) == (("*_KEY",), ("CI",))


def test_all_faults_are_told_with_their_places(home: Path) -> None:
    with pytest.raises(SpecFaults) as caught:
        written(home, "engin: docker\nhost_network: maybe\nenv_passthrough:\n  extends: [A]\n  patterns: ['a b']\n")
    told = [(fault.where.line, fault.where.column, fault.code, fault.hint) for fault in caught.value.faults]
    assert [place[:3] for place in told] == [
        (1, 1, "spec.unknown_key"),
        (2, 15, "spec.value"),
        (4, 3, "spec.unknown_key"),
        (5, 14, "spec.value"),
    ]
    assert told[0][3] == "did you mean `engine`?"
    assert told[2][3] == "did you mean `extend`?"
    assert {fault.where.file for fault in caught.value.faults} == {str(home / "envspec" / "config.yaml")}


def test_a_directory_in_its_place_is_told(home: Path) -> None:
    (home / "envspec" / "config.yaml").mkdir()
    with pytest.raises(SpecError, match="is not a file"):
        load_settings({"XDG_CONFIG_HOME": str(home)})
