"""The purpose `amplifier`, with a stand-in from a git server of the test's own: installed, set up, and at home."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.amplifier import make_repository, serving
from tests.engine.by_hand import gateway
from tests.engine.e2e import NOBODY, ON_DOCKER, Place, Places, bare, remove_all

pytestmark = [pytest.mark.engine, pytest.mark.build, pytest.mark.timeout(900), ON_DOCKER]

KEYS = "ANTHROPIC_API_KEY=canary-of-the-keys-4711\n"
VARIABLE = "canary-of-a-variable-4712"
BUNDLE = "git+https://example.org/team/bundle@main#subdirectory=one"
SETTINGS = "bundle:\n  active: foundation\nprovider:\n  api_key: ${ANTHROPIC_API_KEY}\n"


@pytest.fixture
def source(tmp_path: Path) -> Iterator[str]:
    """Where the stand-in comes from: a URL that builds reach."""
    make_repository(tmp_path, "1.0", "2.0")
    address = gateway()
    with serving(tmp_path, address) as url:
        yield f"git+{url}/amplifier.git"


@pytest.fixture
def at_home(places: Places, tmp_path: Path) -> Iterator[Place]:
    """A place whose user has Amplifier on the host; its image, which nobody else can use, goes at the end."""
    home = tmp_path / "home"
    (home / ".amplifier").mkdir(parents=True)
    (home / ".amplifier" / "settings.yaml").write_text(SETTINGS)
    (home / ".amplifier" / "keys.env").write_text(KEYS)
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    place = places(environ={**NOBODY, **state, "HOME": str(home), "OPENAI_API_KEY": VARIABLE})
    yield place
    image = place.inspect("{{.Config.Image}}")
    remove_all(place.name)
    bare("image", "rm", image)


def test_amplifier_is_installed_set_up_and_has_the_users_settings_and_keys(at_home: Place, source: str) -> None:
    place = at_home
    place.write(purpose={"use": "amplifier", "source": source, "version": "v1.0", "bundle": BUNDLE}, mount_cwd=False)
    told = place.apply()
    assert told.result["ok"] is True
    assert place.exec("amplifier", "--version") == "amplifier 1.0"
    assert place.exec("amplifier", "show", "settings.yaml") == f"{SETTINGS}added: {BUNDLE}"
    assert place.exec("amplifier", "show", "keys.env") == KEYS.strip()
    assert place.exec("sh", "-c", "echo $OPENAI_API_KEY") == VARIABLE
    assert place.plan()["changes"] == [], "that Amplifier writes its settings is no drift"

    exported = subprocess.run(["docker", "export", place.box], capture_output=True, check=True, timeout=120).stdout
    for text in (exported.decode(errors="replace"), place.inspect("{{json .}}"), json.dumps(told.events)):
        assert "canary-of" not in text

    bare("restart", "--time", "0", place.box)
    place.apply()
    assert place.exec("amplifier", "show", "keys.env") == KEYS.strip()
    assert place.exec("amplifier", "show", "settings.yaml") == f"{SETTINGS}added: {BUNDLE}"


def test_the_newest_is_installed_unless_a_version_is_named_and_changed_settings_come_again(
    at_home: Place, source: str
) -> None:
    place = at_home
    place.write(purpose={"use": "amplifier", "source": source}, mount_cwd=False)
    place.apply()
    assert place.exec("amplifier", "--version") == "amplifier 2.0"
    settings = Path(place.environ["HOME"]) / ".amplifier" / "settings.yaml"
    settings.write_text("bundle:\n  active: other\n")
    plan = place.plan()
    assert {item["address"] for item in plan["changes"]} >= {
        "environment.workspace",
        "command.home..amplifier/settings.yaml",
    }
    place.apply()
    assert place.exec("amplifier", "show", "settings.yaml") == "bundle:\n  active: other"
    settings.write_text("provider:\n  api_key: sk-canary-4713-abcdef\n")
    notes = " ".join(place.plan()["notes"])
    assert "~/.amplifier/settings.yaml stays on the host, for line 2 looks like a credential" in notes
