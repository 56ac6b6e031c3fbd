"""A company's own package index, registries and CA: builds and containers use them, and no layer holds a login."""

from __future__ import annotations

import dataclasses
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from envspec import host_network
from envspec.engine.objects import Build
from envspec.engine.whales import WhalesEngine
from tests.engine.by_hand import gateway
from tests.engine.contract import TEST_LABEL
from tests.engine.e2e import ON_DOCKER, Place, Places, bare, causes, change, remove_images
from tests.engine.stand_ins import PACKAGE, Answers, fill_home, index, registry, served
from tests.engine.test_e2e_user import Person, somebody

__all__ = ["somebody"]
# A fixture; named here, pytest finds it.

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

PIP_IMAGE = "envspec-test/pip:1"
PIP_DOCKERFILE = """FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
"""
DOWNLOAD = "pip download --no-cache-dir --no-deps --dest"
PASSWORD, TOKEN, CRATE = (f"canary{uuid.uuid4().hex}" for _ in range(3))
CANARIES = (PASSWORD, TOKEN, CRATE)
NAMES = "PIP_INDEX_URL|UV_DEFAULT_INDEX|npm_config_globalconfig|GOPROXY|CARGO_REGISTRIES_CORP_TOKEN"


@dataclasses.dataclass(frozen=True)
class Company:
    """A place in a company whose host is told of its servers."""

    place: Place
    server: Answers
    authority: trustme.CA
    purpose: str


def told(home: Path, address: str, authority: trustme.CA) -> dict[str, str]:
    """Write what tells the tools of a host, and return the variables of its user."""
    files = {
        ".config/pip/pip.conf": f"[global]\nindex-url = http://ada:{PASSWORD}@{address}/simple\n"
        f"trusted-host = {address.partition(':')[0]}\n",
        ".npmrc": f"registry=http://{address}/npm/\n//{address}/npm/:_authToken={TOKEN}\n",
        ".config/go/env": f"GOPROXY=http://{address}/go\n",
        ".cargo/config.toml": f'[registries.corp]\nindex = "sparse+http://{address}/crates/"\n',
        ".cargo/credentials.toml": f'[registries.corp]\ntoken = "{CRATE}"\n',
    }
    return fill_home(home, files, authority.cert_pem.bytes())


@pytest.fixture(scope="module")
def company(bare_engine: WhalesEngine, places: Places, request: pytest.FixtureRequest) -> Iterator[Company]:
    """An environment of the company, applied: its build and its setup both asked the company's index."""
    base = request.getfixturevalue(f"{bare_engine.name}_base")
    bare_engine.build(Build(PIP_DOCKERFILE.format(base=base), PIP_IMAGE, {TEST_LABEL: "1"}))
    authority, purpose = trustme.CA(organization_name="Corporate CA"), f"evt-{uuid.uuid4().hex[:10]}"
    place = places()
    with served(index(f"ada:{PASSWORD}")) as server:
        environ = told(place.directory.parent / "home", f"{gateway()}:{server.port}", authority)
        place.environ = {**place.environ, **environ}
        (place.directory / "purposes").mkdir()
        text = f"---\nsummary: for a test\nbase: {{registry: '{PIP_IMAGE}', bootstrap: debian-13}}\n---\n"
        text += 'FROM {{ base }}\nSHELL ["/bin/bash", "-ec"]\nENV BASH_ENV=/run/envspec/env\n'
        text += f"RUN {{{{ mounts }}}} : {purpose} && {DOWNLOAD} /built {PACKAGE} && ls /run/envspec > /seen\n"
        (place.directory / "purposes" / f"{purpose}.Dockerfile.j2").write_text(text)
        place.write(
            purpose=purpose,
            user="1000:1000",
            image_source="local",
            setup_commands=[f"{DOWNLOAD} /tmp/setup {PACKAGE}"],
        )
        try:
            place.apply()
            yield Company(place, server, authority, purpose)
        finally:
            remove_images(purpose)


def test_builds_setup_and_everything_inside_ask_the_companys_index(company: Company) -> None:
    place = company.place
    assert place.inside("ls /built /tmp/setup").split().count(f"{PACKAGE}-1.0-py3-none-any.whl") == 2
    assert place.inside("cat /seen").split() == ["ca.pem", "env", "npmrc"]
    place.exec(*DOWNLOAD.split(), "/tmp/exec", PACKAGE)
    fetched = [status for status, path in company.server.asked if path.startswith("/files/")]
    assert fetched.count(200) == 3
    for user in ("0", "1000"):  # whoever comes past envspec finds the same
        found = bare("exec", "-u", user, place.box, "bash", "-lc", f"env | grep -cE '^({NAMES})='")
        assert (user, found) == (user, "5")
    npmrc = place.exec("sh", "-c", 'cat "$npm_config_globalconfig"; stat -c %a:%u "$npm_config_globalconfig"')
    assert f":_authToken={TOKEN}" in npmrc
    assert npmrc.endswith("400:1000")
    assert "[registries.corp]" in place.inside("cat /.cargo/config.toml")
    assert place.plan()["changes"] == []


def test_the_companys_ca_is_in_the_systems_own_store_and_is_put_back(company: Company) -> None:
    place = company.place
    leaf = company.authority.issue_cert("corp.example.com").cert_chain_pems[0].bytes().decode()
    check = "env -i openssl verify -CApath /etc/ssl/certs -no-CAfile"
    assert "OK" in place.inside(f"{check} /dev/stdin", stdin=leaf)
    check = "env -i openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt -no-CApath"
    assert "OK" in place.inside(f"{check} /dev/stdin", stdin=leaf)
    place.inside("update-ca-certificates --fresh > /dev/null 2>&1")
    assert "OK" in place.inside(f"{check} /dev/stdin", stdin=leaf)
    place.inside("rm /usr/local/share/ca-certificates/envspec-1.crt")
    assert causes(place.plan(), "environment.workspace") == {"ca_store.1": "drift"}
    place.apply()
    assert place.plan()["changes"] == []


def test_neither_image_nor_container_nor_what_is_committed_of_it_holds_a_login(
    company: Company, tmp_path: Path
) -> None:
    place = company.place
    committed = f"envspec-test/{company.purpose}:1"
    bare("commit", place.box, committed)
    try:
        shown = bare("container", "inspect", place.box) + bare("image", "inspect", committed)
        shown += bare("image", "history", "--no-trunc", committed) + place.run("plan", ".", "--json").stdout
        assert [canary for canary in CANARIES if canary in shown] == []
        saved = tmp_path / "image.tar"
        bare("image", "save", "--output", str(saved), committed)
    finally:
        bare("image", "rm", committed, code=None)
    found, members = set(), set()
    with tarfile.open(saved) as outer:
        for member in outer:
            file = outer.extractfile(member)
            if file is None:
                continue
            content = file.read()
            found |= {canary for canary in CANARIES if canary.encode() in content}
            members |= {name for name in ("_authToken", f"{PACKAGE}-1.0") if name.encode() in content}
    assert found == set()
    assert members == {f"{PACKAGE}-1.0"}, "the search reads the layers"


def test_the_image_is_the_same_without_the_companys_settings_which_can_be_switched_off(company: Company) -> None:
    place = company.place
    image = place.inspect("{{.Image}}")
    spec = place.file.read_text()
    try:
        place.file.write_text(spec + "host_network: none\n")
        addresses = {item["address"] for item in place.plan()["changes"]}
        assert addresses == {"environment.workspace", "file./.cargo/config.toml"}
        assert change(place.plan(), "file./.cargo/config.toml")["action"] == "delete"
        place.apply()
        assert place.inspect("{{.Image}}") == image
        gone = f"env | grep -E '^({NAMES})='; ls /run/envspec/npmrc /.cargo/config.toml"
        assert place.inside(f". /run/envspec/env; {gone}", code=None) == ""
        assert "NODE_EXTRA_CA_CERTS" in place.exec("env")
    finally:
        place.file.write_text(spec)
    assert place.apply().envelope["ok"]


def test_apt_reads_its_mirror_from_the_tmpfs(company: Company, tmp_path: Path) -> None:
    sources = tmp_path / "etc" / "apt" / "sources.list"
    sources.parent.mkdir(parents=True)
    lines = [
        f"deb http://mirror.example.com/debian{path} trixie{suite} main"
        for path, suite in (("", ""), ("-security", "-security"))
    ]
    sources.write_text("\n".join(lines))
    network = host_network.read({}, home=tmp_path, root=tmp_path)
    files = network.files_for("envspec/base:debian-13")
    for name, text in files.items():
        company.place.inside('cat > "/run/envspec/$1"', name, stdin=str(text))
    variable = network.variables_for("debian:13")["APT_CONFIG"]
    try:
        printed = company.place.inside('APT_CONFIG="$1" apt-get update --print-uris', str(variable))
    finally:
        company.place.inside('cd /run/envspec && rm -f "$@"', *files)
    uris = [line.split("'")[1] for line in printed.splitlines()]
    assert uris
    assert {uri.split("/")[2] for uri in uris} == {"mirror.example.com"}
    assert not any("trusted" in line for line in printed.splitlines())


@ON_DOCKER
def test_whoever_may_talk_to_the_engine_brings_their_own_settings_and_makes_networks(
    somebody: tuple[Place, Person],
) -> None:
    place, who = somebody
    home = Path(place.environ["HOME"])
    (home / ".npmrc").write_text(f"registry=http://npm.example.com/\n//npm.example.com/:_authToken={TOKEN}\n")
    network = f"{place.name}-shared"
    place.run("network", "create", network)
    try:
        place.write(networks=[network])
        place.apply()
        found = place.exec("sh", "-c", 'cat "$npm_config_globalconfig"; stat -c %a:%u "$npm_config_globalconfig"')
        assert f":_authToken={TOKEN}" in found
        assert found.endswith(f"400:{who.uid}")
        assert network in place.inspect("{{json .NetworkSettings.Networks}}")
        assert place.plan()["changes"] == []
    finally:
        place.run("destroy", place.name, "--yes")
        place.run("network", "rm", network)
    assert network not in bare("network", "ls", "--format", "{{.Name}}").split()


def test_base_images_come_from_the_mirror_that_the_users_configuration_names(
    place: Place, bare_engine: WhalesEngine
) -> None:
    name = f"evt-{uuid.uuid4().hex[:10]}"
    home = place.directory.parent / f"home-{name}"
    (home / ".config" / "envspec").mkdir(parents=True)
    (home / ".config" / "containers").mkdir()
    place.environ = {**place.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    with served(registry(f"hub/{name}", "1", "from the mirror"), "127.0.0.1") as server:
        mirror = f"127.0.0.1:{server.port}"
        (home / ".config" / "envspec" / "config.yaml").write_text(f"image_prefix: {mirror}/hub\n")
        insecure = f'[[registry]]\nlocation = "{mirror}"\ninsecure = true\n'
        (home / ".config" / "containers" / "registries.conf").write_text(insecure)
        place.write(image=f"{name}:1")
        assert (
            change(place.plan(), "base_image.workspace")["reason"]
            == f"pulled from the mirror {mirror}/hub/{name}:1: {name}:1"
        )
        try:
            done = place.apply(code=1).done  # an image of one file cannot run
            assert done["base_image.workspace"] == "done"
            listed = bare("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
            own = [ref for ref in listed if name in ref]
            assert [ref.removeprefix("docker.io/library/") for ref in own] == [f"{name}:1"]
        finally:
            for stored in bare_engine.images([f"{name}:1"]).values():
                bare("container", "rm", "--force", place.box, f"{place.box}-next", code=None)
                bare("image", "rm", "--force", stored.id, code=None)
