"""Package indexes, registries and mirrors of the host: what comes along, what is hidden, and what stays outside."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from envspec import host, host_network
from envspec.host_network import HostNetwork, release_of
from envspec.model import Hidden
from envspec.purposes import MOUNTS
from envspec.resolve.source import mirrored

INDEX = "https://packages.example.com/simple"
SECRET_INDEX = "https://ada:pa55word@packages.example.com/simple"


class Machine:
    """A host of its own: files below a root and a home, and variables."""

    def __init__(self, directory: Path) -> None:
        self.root, self.home = directory / "root", directory / "home"

    def system(self, path: str, text: str) -> None:
        self._write(self.root / path.lstrip("/"), text)

    def own(self, path: str, text: str) -> None:
        self._write(self.home / path, text)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, *, has_ca: bool = False, **environ: str) -> HostNetwork:
        return host_network.read(environ, has_ca=has_ca, home=self.home, root=self.root)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_host_that_asks_whom_everybody_asks_brings_nothing(machine: Machine) -> None:
    machine.system("/etc/pip.conf", "[global]\nindex-url = https://pypi.org/simple/\ntimeout = 9\n")
    machine.own(".npmrc", "registry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken=t0ken\nfund=false\n")
    machine.own(".config/go/env", "GOPROXY=https://proxy.golang.org,direct\nGOSUMDB=sum.golang.org\n")
    machine.own(".cargo/config.toml", "[net]\nretry = 2\n")
    machine.system(
        "/etc/apt/sources.list",
        "deb http://deb.debian.org/debian trixie main\n"
        "deb http://security.debian.org/debian-security trixie-security main\n",
    )
    machine.own(".netrc", "machine packages.example.com login ada password pa55word\n")
    assert machine.read() == HostNetwork()


# ── pip and uv ──


def test_the_users_pip_goes_before_the_systems_and_a_variable_before_both(machine: Machine) -> None:
    machine.system("/etc/pip.conf", "[global]\nindex-url = https://system.example.com/simple\n")
    machine.own(
        ".config/pip/pip.conf",
        f"[global]\nindex-url = {INDEX}\nextra-index-url =\n  https://a.example.com\n  https://b.example.com\n",
    )
    found = machine.read()
    assert found.variables["PIP_INDEX_URL"] == INDEX
    assert found.variables["PIP_EXTRA_INDEX_URL"] == "https://a.example.com https://b.example.com"
    assert found.told == (f"pip from {machine.home}/.config/pip/pip.conf",)
    told = machine.read(PIP_INDEX_URL="https://third.example.com/simple")
    assert told.variables["PIP_INDEX_URL"] == "https://third.example.com/simple"
    assert machine.read(PIP_CONFIG_FILE="/dev/null") == HostNetwork()


def test_uv_is_told_what_pip_is_unless_it_is_told_otherwise(machine: Machine) -> None:
    machine.system("/etc/pip.conf", f"[global]\nindex-url = {INDEX}\n")
    assert machine.read().variables["UV_DEFAULT_INDEX"] == INDEX
    machine.own(
        ".config/uv/uv.toml",
        '[[index]]\nname = "corp"\nurl = "https://uv.example.com/simple"\n'
        '[[index]]\nurl = "https://default.example.com"\ndefault = true\n',
    )
    variables = machine.read(UV_INDEX_CORP_PASSWORD="pa55word").variables
    assert variables["UV_DEFAULT_INDEX"] == "https://default.example.com"
    assert variables["UV_INDEX"] == "corp=https://uv.example.com/simple"
    assert variables["UV_INDEX_CORP_PASSWORD"] == Hidden("pa55word")
    assert variables["PIP_INDEX_URL"] == INDEX


def test_what_carries_a_password_is_hidden_and_what_does_not_is_plain(machine: Machine) -> None:
    found = machine.read(PIP_INDEX_URL=SECRET_INDEX, PIP_EXTRA_INDEX_URL="https://open.example.com/simple")
    assert found.variables["PIP_INDEX_URL"] == found.variables["UV_DEFAULT_INDEX"] == Hidden(SECRET_INDEX)
    assert found.variables["PIP_EXTRA_INDEX_URL"] == "https://open.example.com/simple"
    assert "pa55word" not in repr(found)


@pytest.mark.parametrize(
    "url", ["file:///opt/wheels", "/opt/wheels", "http://localhost:3141/root", "http://127.0.0.1/x"]
)
def test_what_cannot_be_reached_from_inside_stays_outside(machine: Machine, url: str) -> None:
    machine.system("/etc/pip.conf", f"[global]\nindex-url = {url}\nextra-index-url = {url}\ntrusted-host = localhost\n")
    machine.own(".npmrc", f"registry={url}\n")
    machine.own(".config/go/env", f"GOPROXY={url},direct\nGOFLAGS=-modfile=/srv/go.mod\n")
    machine.own(".cargo/config.toml", f'[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "{url}"\n')
    assert machine.read() == HostNetwork()


def test_trust_without_a_certificate_is_for_hosts_that_are_asked_only(machine: Machine) -> None:
    machine.system("/etc/pip.conf", f"[global]\nindex-url = {INDEX}\ntrusted-host = packages.example.com pypi.org\n")
    assert machine.read().variables["PIP_TRUSTED_HOST"] == "packages.example.com"


def test_logins_of_netrc_come_for_the_hosts_that_are_asked_and_no_other(machine: Machine) -> None:
    machine.system("/etc/pip.conf", f"[global]\nindex-url = {INDEX}\n")
    machine.own(
        ".netrc",
        "machine other.example.com login bob password hunter2\n"
        "machine packages.example.com login ada password pa55word\n"
        "machine packages.example.com:8443 login ada password w1th-p0rt\n"
        "default login eve password 3v3\n",
    )
    found = machine.read()
    assert found.variables["NETRC"] == "/run/envspec/netrc"
    assert found.files["netrc"] == Hidden(
        "machine packages.example.com login ada password pa55word\n"
        "machine packages.example.com:8443 login ada password w1th-p0rt\n"
    )


def test_what_is_secret_within_a_setting_is_masked_where_it_shows_alone(machine: Machine) -> None:
    machine.own(".npmrc", "registry=https://npm.example.com/\n//npm.example.com/:_authToken=t0ken\n")
    machine.own(
        ".netrc", "machine npm.example.com login a password unused\nmachine other.example.com login a password n3trc\n"
    )
    machine.system("/etc/apt/sources.list.d/debian.sources", SOURCES.replace("https://m", "https://ada:4pt@m"))
    found = machine.read(
        PIP_INDEX_URL="https://ada:p%40ss@other.example.com/simple", GOPROXY="https://open.example.com"
    )
    assert set(found.passwords) == {"t0ken", "p%40ss", "p@ss", "n3trc", "4pt"}


# ── npm ──


def test_registries_and_their_logins_come_as_npms_global_configuration(machine: Machine) -> None:
    machine.own(
        ".npmrc",
        "registry = https://npm.example.com/repo/\n@corp:registry=https://corp.example.com/npm/\n"
        "//npm.example.com/repo/:_authToken=${NPM_TOKEN}\n//corp.example.com/:_password=cGFzcw==\n"
        "//registry.npmjs.org/:_authToken=other\n; //x.example.com/:_authToken=no\n",
    )
    found = machine.read(NPM_TOKEN="t0ken")
    assert found.files["npmrc"] == Hidden(
        "@corp:registry=https://corp.example.com/npm/\nregistry=https://npm.example.com/repo/\n"
        "//corp.example.com/:_password=cGFzcw==\n//npm.example.com/repo/:_authToken=t0ken\n"
    )
    assert found.variables == {
        "npm_config_globalconfig": "/run/envspec/npmrc",
        "COREPACK_NPM_REGISTRY": "https://npm.example.com/repo",
        "COREPACK_NPM_TOKEN": Hidden("t0ken"),
    }
    assert found.told == (f"npm from {machine.home}/.npmrc",)


def test_a_registry_without_a_login_is_no_secret_and_a_variable_goes_before_the_file(machine: Machine) -> None:
    machine.own(".npmrc", "registry=https://first.example.com/\n")
    found = machine.read(npm_config_registry="https://second.example.com/")
    assert found.files == {"npmrc": "registry=https://second.example.com/\n"}
    assert found.variables["COREPACK_NPM_REGISTRY"] == "https://second.example.com"


# ── cargo and Go ──


def test_cargos_replaced_source_is_a_file_and_its_tokens_are_variables(machine: Machine) -> None:
    machine.own(
        ".cargo/config.toml",
        '[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "sparse+https://crates.example.com/"\n'
        '[source.vendored]\ndirectory = "/srv/vendor"\n[registries.corp-one]\nindex = "sparse+https://corp.example.com/"\n'
        '[registries.open]\nindex = "https://ada:pa55word@open.example.com/"\n[registry]\ndefault = "corp-one"\n',
    )
    machine.own(".cargo/credentials.toml", '[registries.corp-one]\ntoken = "t0ken"\n[registry]\ntoken = "mine"\n')
    found = machine.read()
    assert tomllib.loads(found.cargo) == {
        "source": {
            "crates-io": {"replace-with": "mirror"},
            "mirror": {"registry": "sparse+https://crates.example.com/"},
        },
        "registries": {"corp-one": {"index": "sparse+https://corp.example.com/", "credential-provider": "cargo:token"}},
        "registry": {"default": "corp-one"},
    }
    assert found.variables == {"CARGO_REGISTRIES_CORP_ONE_TOKEN": Hidden("t0ken")}


@pytest.mark.parametrize("chain", ['replace-with = "crates-io"', 'replace-with = "gone"', 'replace-with = "vendored"'])
def test_a_replacement_that_leads_nowhere_is_left_out(machine: Machine, chain: str) -> None:
    machine.own(".cargo/config.toml", f'[source.crates-io]\n{chain}\n[source.vendored]\ndirectory = "/srv/vendor"\n')
    assert machine.read() == HostNetwork()


def test_go_is_told_by_its_own_file_and_by_variables(machine: Machine) -> None:
    machine.own(".config/go/env", "GOPROXY=https://ada:pa55word@go.example.com,direct\nGOPRIVATE=git.example.com/*\n")
    machine.own(".netrc", "machine go.example.com login ada password pa55word\n")
    found = machine.read(GONOSUMDB="*", GOFLAGS="-mod=mod")
    assert found.variables == {
        "GOPROXY": Hidden("https://ada:pa55word@go.example.com,direct"),
        "GOPRIVATE": "git.example.com/*",
        "GONOSUMDB": "*",
        "GOFLAGS": "-mod=mod",
        "NETRC": "/run/envspec/netrc",
    }


# ── apt ──

SOURCES = """\
Types: deb deb-src
URIs: https://mirror.example.com/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example.com/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://tools.example.com/debian
Suites: trixie
Components: main
Signed-By: /etc/apt/keyrings/tools.gpg
"""
KEYS = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"


def test_apts_mirror_is_for_images_of_a_release_that_the_host_has_sources_of(machine: Machine) -> None:
    machine.system("/etc/apt/sources.list.d/debian.sources", SOURCES)
    found = machine.read(has_ca=True)
    assert found.variables_for("python:3.12-slim-bookworm") == {}
    assert found.variables_for("") == {}
    assert found.variables_for("envspec/base:debian-13") == {"APT_CONFIG": "/run/envspec/apt-conf"}
    files = found.files_for("debian:13-slim")
    assert files["apt-list"] == (
        f"deb {KEYS} https://mirror.example.com/debian trixie main\n"
        f"deb {KEYS} https://mirror.example.com/debian trixie-updates main\n"
        f"deb {KEYS} https://mirror.example.com/debian-security trixie-security main\n"
    )
    assert 'SourceList "/run/envspec/apt-list"' in str(files["apt-conf"])
    assert 'CAInfo "/run/envspec/ca.pem"' in str(files["apt-conf"])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "deb https://mirror.example.com/backports trixie-security main",
        "deb [trusted=yes] https://mirror.example.com/debian-security trixie-security main",
        "deb [signed-by=/etc/apt/keyrings/own.gpg] https://mirror.example.com/debian-security trixie-security main",
        "# deb https://mirror.example.com/debian-security trixie-security main",
    ],
)
def test_a_mirror_without_checked_security_updates_is_not_taken(machine: Machine, line: str) -> None:
    machine.system("/etc/apt/sources.list", f"deb https://mirror.example.com/debian trixie main\n{line}\n")
    assert machine.read() == HostNetwork()


def test_a_mirror_with_a_password_is_hidden(machine: Machine) -> None:
    machine.system("/etc/apt/sources.list.d/debian.sources", SOURCES.replace("https://m", "https://ada:pa55word@m"))
    found = machine.read()
    assert isinstance(found.files_for("debian:13")["apt-list"], Hidden)
    assert "pa55word" not in repr(found)


@pytest.mark.parametrize(
    ("ref", "release"),
    [
        ("envspec/base:debian-13", "trixie"),
        ("python:3.12-slim-bookworm", "bookworm"),
        ("registry.example.com:5000/mirror/golang:1.22-bookworm", "bookworm"),
        ("debian:13-slim", "trixie"),
        ("debian:12.5", "bookworm"),
        ("ubuntu:24.04", "noble"),
        ("debian", ""),
        ("alpine:3.20", ""),
        ("node:13", ""),
    ],
)
def test_the_release_is_told_from_the_reference(ref: str, release: str) -> None:
    assert release_of(ref) == release


# ── builds, and images ──


def test_builds_get_the_same_as_secrets_that_every_purpose_mounts(machine: Machine) -> None:
    machine.own(".npmrc", "registry=https://npm.example.com/\n//npm.example.com/:_authToken=t0ken\n")
    facts = host.HostFacts(0, 0, "root", network=machine.read(PIP_INDEX_URL=SECRET_INDEX))
    secrets = host.build_secrets(facts)
    assert f"export PIP_INDEX_URL={SECRET_INDEX}\n" in secrets["env"].decode()
    assert b"t0ken" in secrets["npmrc"]
    assert all(f"id={name}," in MOUNTS for name in secrets)


@pytest.mark.parametrize(
    ("ref", "origin"),
    [
        ("python:3.12", "mirror.example.com/hub/python:3.12"),
        ("team/tool:1", "mirror.example.com/hub/team/tool:1"),
        ("quay.io/team/tool:1", ""),
        ("localhost/tool:1", ""),
        ("python@sha256:" + "0" * 64, ""),
    ],
)
def test_a_prefix_is_for_images_of_docker_hub(ref: str, origin: str) -> None:
    assert mirrored(ref, "mirror.example.com/hub") == origin
    assert mirrored(ref, "") == ""


def test_the_registry_that_is_asked_is_the_mirrors() -> None:
    assert host.registry_of("mirror.example.com:5000/hub") == "mirror.example.com:5000"
    assert host.registry_of("team") == host.registry_of("") == host.DOCKER_HUB
