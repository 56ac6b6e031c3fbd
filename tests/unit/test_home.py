"""Files of the user's home that a purpose brings along, and the commands by which it sets itself up."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.errors import SpecError, SpecFaults
from envspec.forward.home import read, without_credentials
from envspec.forward.read import read as look
from envspec.forward.values import Forwarded, HomeFile
from envspec.frontmatter import parse
from envspec.host import HostFacts
from envspec.kinds.environment import secrets_of
from envspec.model import Desired, to_json
from envspec.purposes import catalogue
from envspec.resolve import candidates, choose, resolve, wish
from envspec.spec.load import Loaded, loads

PURPOSES = catalogue(None)
KEYS = HomeFile(".amplifier/keys.env", "ANTHROPIC_API_KEY=canary\n")
SETTINGS = HomeFile(".amplifier/settings.yaml", "bundle: one\n")


def amplifier(**keys: str) -> Loaded:
    more = "".join(f"{key}: {value}\n" for key, value in keys.items() if key not in ("bundle",))
    bundle = f", bundle: '{keys['bundle']}'" if "bundle" in keys else ""
    return loads(f"name: a\npurpose: {{use: amplifier{bundle}}}\n{more}".encode(), "env.yaml", Path("/srv/a"))


def desired(loaded: Loaded, *, secret: tuple[HomeFile, ...] = (), seed: tuple[HomeFile, ...] = ()) -> Desired:
    host = HostFacts(1000, 1000, "ada", forwarded=Forwarded(secret=secret, seed=seed))
    chosen = choose(loaded.spec, candidates(loaded.spec, PURPOSES), {}, lambda: False)
    return resolve(loaded, host, PURPOSES, chosen)


def commands(found: Desired) -> dict[str, str]:
    return {r.address: r.spec.command for r in found.of_kind("command")}


def test_what_a_purpose_brings_is_looked_for_where_the_environment_is_trusted() -> None:
    found = wish(amplifier(), PURPOSES)
    assert ".amplifier/keys.env" in found.secret
    assert found.seed == (".amplifier/settings.yaml",)
    untrusted = wish(amplifier(trust="untrusted"), PURPOSES)
    assert (untrusted.secret, untrusted.seed) == ((), ())


def test_files_that_are_there_are_read_and_others_are_no_error(tmp_path: Path) -> None:
    (tmp_path / ".tool").mkdir()
    (tmp_path / ".tool" / "keys").write_text("k\n")
    (tmp_path / ".tool" / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / ".tool" / "large").write_text("x" * 300_000)
    paths = (".tool/keys", ".tool/binary", ".tool/large", ".tool/missing", ".tool")
    assert read(tmp_path, paths) == (HomeFile(".tool/keys", "k\n"),)


@pytest.mark.parametrize(
    "line",
    [
        "api_key: sk-0123456789",
        '  "apiKey": "sk-0123456789",',
        "- GITHUB_TOKEN=ghp_0123456789",
        "export ANTHROPIC_API_KEY='sk-0123456789'",
        "password: correct-horse",
        "providers: {one: {api_key: sk-0123456789}}",
        "client-secret = 0123456789abcdef",
    ],
)
def test_settings_that_hold_a_credential_stay_on_the_host(line: str) -> None:
    kept, told = without_credentials((HomeFile(".tool/settings", f"# first\n\n{line}\n"),))
    assert kept == ()
    assert len(told) == 1
    assert "~/.tool/settings stays on the host, for line 3" in told[0]
    assert "0123456789" not in told[0]


@pytest.mark.parametrize(
    "line",
    [
        "api_key: ${ANTHROPIC_API_KEY}",
        "api_key:\n  from_environment: KEY",
        "api_key: $KEY",
        "max_tokens: 4096000000",
        "# the token is elsewhere",
    ],
)
def test_settings_that_name_a_variable_come_along(line: str) -> None:
    files = (HomeFile(".tool/settings", f"{line}\n"),)
    assert without_credentials(files) == (files, ())


def test_the_host_is_asked_for_no_more_than_what_is_wished(tmp_path: Path) -> None:
    (tmp_path / ".amplifier").mkdir()
    (tmp_path / ".amplifier" / "keys.env").write_text(KEYS.text)
    (tmp_path / ".amplifier" / "settings.yaml").write_text("token: 0123456789\n")
    found = look(wish(amplifier(forward_git="false", forward_gh="false"), PURPOSES), {"HOME": str(tmp_path)})
    assert (found.secret, found.seed) == ((KEYS,), ())
    assert "settings.yaml stays on the host" in found.notes[0]
    nothing = look(wish(amplifier(trust="untrusted"), PURPOSES), {"HOME": str(tmp_path)})
    assert (nothing.secret, nothing.seed, nothing.notes) == ((), (), ())


def test_secrets_are_links_into_the_tmpfs_and_in_nothing_that_is_shown() -> None:
    found = desired(amplifier(), secret=(KEYS,))
    link = found.get("file.~1000/.amplifier/keys.env")
    assert link is not None
    assert (link.spec.link, link.spec.content) == (True, b"/run/envspec/home/.amplifier/keys.env")
    assert KEYS.text in set(secrets_of(found))
    assert "canary" not in repr(found) + str([to_json(resource.spec) for resource in found.resources])


def test_settings_are_copied_once_before_the_purpose_sets_itself_up() -> None:
    found = desired(amplifier(bundle="git+https://example.org/b"), seed=(SETTINGS,))
    copy, setup = (found.get(address) for address in commands(found))
    assert copy is not None
    assert setup is not None
    assert (
        copy.spec.command == "install -D -m 600 /run/envspec/home/.amplifier/settings.yaml ~/.amplifier/settings.yaml"
    )
    assert setup.spec.command == "amplifier bundle add 'git+https://example.org/b'"
    assert copy.address in setup.needs
    changed = desired(amplifier(bundle="git+https://example.org/b"), seed=(HomeFile(SETTINGS.path, "other\n"),))
    assert {r.spec.key for r in changed.of_kind("command")}.isdisjoint({copy.spec.key, setup.spec.key})


def test_without_a_bundle_and_settings_nothing_is_run() -> None:
    assert commands(desired(amplifier())) == {}
    assert commands(desired(amplifier(setup_commands="[make]"))) == {"command.setup[0]": "make"}


@pytest.mark.parametrize("uri", ["x'; id; '", "$(id)", "a b", "x\\y", "`id`"])
def test_a_bundle_that_is_no_uri_never_reaches_a_shell(uri: str) -> None:
    purpose = PURPOSES.get("amplifier")
    with pytest.raises(SpecError) as caught:
        purpose.setup({"bundle": uri}, "bootstrap")
    assert caught.value.code == "purpose.param"


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "~/x", "a b", ""])
def test_a_purpose_brings_nothing_from_outside_the_home(path: str, tmp_path: Path) -> None:
    text = f"summary: x\nbase: {{registry: 'x:1', bootstrap: debian-13}}\nhome: {{secret: ['{path}']}}\n"
    with pytest.raises(SpecFaults, match="not a path below the home"):
        parse(text, tmp_path / "x.Dockerfile.j2")
