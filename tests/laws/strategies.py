"""What users write, and how they change it: specs as plain data, and pairs of specs.

Only specs that can work are drawn: a spec that asks for the impossible (a file on a read-only root, a command that may
not write where it writes) fails for good reasons and says nothing about the laws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from .world import APP, COMMITS, DOTS, LIB, SCRIPTED, Doc

Strategy = st.SearchStrategy[Any]

TEXTS = st.sampled_from(["", "one\n", "two\n", "A=1\nB=2\n", "ünïcode"])
CONTENT = TEXTS | st.fixed_dictionaries(
    {"content": TEXTS},
    optional={
        "mode": st.sampled_from(["0600", "0644", "0755"]),
        "owner": st.sampled_from(["user", "root", "1234:1234"]),
    },
)
PATHS = (
    "/etc/app.conf",
    "/etc/motd",  # the images have one: an original to put back
    "/etc/deep/er/x.conf",
    "/workspace/.env",
    "/workspace/conf/settings.ini",
    "/workspace/app/local.ini",  # below a repository, when there is one
    "/data/seed.txt",  # in a volume, when there is one
    "/srv/tool.conf",
)
REFS = {
    APP: ["", "main", "dev", "v1", "v2", COMMITS[0], COMMITS[2], COMMITS[3][:9]],
    LIB: ["", "trunk", "v1", COMMITS[5], COMMITS[6]],
}
INSTALLS = st.sampled_from(["true", "touch .installed", ["touch .installed", "true"]])
SETUPS: tuple[Any, ...] = (
    "true",
    "touch made",
    "write notes.txt by-a-command",
    {"run": "touch /tmp/scratch", "workdir": "/tmp"},
    {"run": "touch /opt/tool", "as_root": True},
    {"run": "write /opt/cfg one", "as_root": True, "creates": "/opt/cfg"},
    {"run": "touch built", "creates": "built"},
    {"run": "true", "timeout": "5m"},
)
VOLUMES = ({"name": "data", "container": "/data"}, {"name": "data", "container": "/srv"}, "cache:/cache", "home:/root")
PORTS = ("8080:80", "8081:80", 8000, "127.0.0.1:9000:90/udp")


def _repo(url: str, paths: list[str]) -> Strategy:
    return st.fixed_dictionaries(
        {"url": st.just(url), "path": st.sampled_from(paths)},
        optional={
            "ref": st.sampled_from(REFS[url]),
            "depth": st.sampled_from([0, 1]),
            "submodules": st.booleans(),
            "install": INSTALLS,
        },
    )


def _some(items: tuple[Any, ...], most: int) -> Strategy:
    return st.lists(st.sampled_from(range(len(items))), max_size=most).map(lambda found: [items[n] for n in found])


def _distinct(items: tuple[Any, ...], most: int) -> Strategy:
    chosen = st.lists(st.sampled_from(range(len(items))), max_size=most, unique=True)
    return chosen.map(lambda found: [items[number] for number in found])


REPOS = st.tuples(
    st.none() | _repo(APP, ["app"]),
    st.none() | _repo(LIB, ["lib", "app/plugins/lib"]),  # beside the other one, or nested in it
    st.none() | _repo(APP, ["again"]),
).map(lambda repos: [repo for repo in repos if repo])

INLINE = st.dictionaries(
    st.sampled_from([".bashrc", ".config/tool/rc", ".inputrc", ".local/bin/tool"]), CONTENT, min_size=1, max_size=3
)
DOTFILES = (
    st.sampled_from(["none", DOTS, SCRIPTED])
    | st.fixed_dictionaries({"inline": INLINE})
    | st.fixed_dictionaries(
        {"repo": st.just(DOTS)},
        optional={
            "branch": st.sampled_from(["main", "old", COMMITS[7]]),
            "target": st.sampled_from(["~/dots", "/opt/dots"]),
            "inline": INLINE,
        },
    )
    | st.fixed_dictionaries({"repo": st.just(SCRIPTED)}, optional={"script": st.just("install.sh"), "inline": INLINE})
)

VALUE = st.sampled_from(["", "1", "two words", "it's $HOME", {"from_env": "DEPLOY_KEY"}])

SERVICE = st.fixed_dictionaries(
    {"image": st.sampled_from(["debian:13", "ubuntu:24.04"])},
    optional={
        "environment": st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["1", "a$$b", "${ENVSPEC_NAME}"])),
        "command": st.sampled_from([["sleep", "1d"], ["sleep", "2d"]]),
        "mem_limit": st.sampled_from(["67108864", "134217728"]),
        "cpu_shares": st.sampled_from([256, 512]),
        "restart": st.sampled_from(["no", "always"]),
        "healthcheck": st.just({"test": ["CMD", "true"]}),
        "networks": st.sampled_from([{"default": None}, {"default": None, "back": {"aliases": ["other"]}}]),
        "volumes": st.sampled_from([[{"type": "volume", "source": "store", "target": "/store"}]]),
        "secrets": st.sampled_from([[{"source": "key", "target": "/run/secrets/key"}]]),
        "scale": st.sampled_from([1, 2, 3]),
        "ports": st.sampled_from([[{"target": 80, "published": "7080", "protocol": "tcp"}]]),
    },
)
"""A service in the long form, which the fake's Compose reads."""


def _stack(drawn: tuple[dict[str, Any], bool]) -> dict[str, Any]:
    """Return a document whose later services need the earlier ones; one host port goes round."""
    services, internal = drawn
    names = sorted(services)
    for number, name in enumerate(names):
        if number:
            services[name] = {**services[name], "depends_on": {names[number - 1]: {"condition": "service_started"}}}
            services[name].pop("ports", None)
        if services[name].get("scale", 1) > 1:
            services[name] = {key: value for key, value in services[name].items() if key != "ports"}
    return {
        "services": services,
        "networks": {"back": {"internal": True} if internal else None},
        "volumes": {"store": None},
        "secrets": {"key": {"environment": "DEPLOY_KEY"}},
    }


SERVICES = st.tuples(
    st.dictionaries(st.sampled_from(["db", "cache", "queue"]), SERVICE, min_size=1, max_size=3), st.booleans()
).map(_stack)

KEYS: Mapping[str, Strategy] = {
    "compose": SERVICES,
    "dotfiles": DOTFILES,
    "env": st.dictionaries(st.sampled_from("ABC"), VALUE, max_size=3),
    "env_passthrough": st.sampled_from(["auto", "all", "none", ["C*"], ["A", "DEPLOY_KEY"]]),
    "forward_git": st.booleans(),
    "forward_gh": st.booleans(),
    "forward_ssh": st.sampled_from([True, False, "agent"]),
    "trust": st.sampled_from(["trusted", "untrusted"]),
    "host_network": st.sampled_from(["auto", "none"]),
    "config_files": st.dictionaries(st.sampled_from(PATHS), CONTENT, max_size=4),
    "repos": REPOS,
    "setup_commands": _some(SETUPS, 4),
    "health": st.fixed_dictionaries({"command": st.sampled_from(["true", "echo ready"])}),
    "volumes": _distinct(VOLUMES, 2),
    "ports": _distinct(PORTS, 2),
    "networks": _distinct(("shared", "backend"), 2),
    "network": st.sampled_from(["bridge", "none", "host"]),
    "memory": st.sampled_from(["512m", "2g", "none"]),
    "cpus": st.sampled_from(["1.5", "2"]),
    "pids": st.sampled_from([100, "none"]),
    "shm_size": st.sampled_from(["64m", "128m"]),
    "user": st.sampled_from(["root", "1000:1000", "1001"]),
    "security": st.sampled_from(["dev", "strict", {"cap_add": ["NET_RAW"]}, {"read_only": True}, {"privileged": True}]),
    "persistent": st.booleans(),
    "ttl": st.sampled_from(["8h", "7d"]),
    "mount_cwd": st.booleans(),
    "mounts": st.sampled_from([["./aside:/host"], ["./aside:/host:ro"], []]),
    "add_hosts": st.sampled_from([{"db": "10.0.0.5"}, {"db": "10.0.0.6", "cache": "10.0.0.7"}]),
    "workspace": st.sampled_from(["/workspace", "/work"]),
}

START: Strategy = st.sampled_from(
    [{"image": "debian:13"}, {"image": "ubuntu:24.04"}, {"image": "node:22"}, {"purpose": "clean"}]
    + [{"purpose": {"use": "python", "version": version}} for version in ("3.12", "3.13")]
    + [{"purpose": {"use": "amplifier", "bundle": "git+https://example.org/bundle"}}]
)


@dataclass(frozen=True)
class History:
    """What is applied, one after the other, and in which order steps that could run at once are taken."""

    docs: tuple[Doc, ...]
    seed: int = 0

    @property
    def last(self) -> Doc:
        return self.docs[-1]


def sane(doc: Doc) -> Doc:
    """Return a spec that can work: what contradicts itself is taken out."""
    found = dict(doc)
    if found.get("network", "bridge") != "bridge":
        for key in ("ports", "networks", "compose"):
            found.pop(key, None)
    if found.get("trust") == "untrusted":
        for key in ("mount_cwd", "env_passthrough", "host_network", "forward_git", "forward_gh", "forward_ssh"):
            found.pop(key, None)
    if found.get("forward_ssh") == "agent" and found.get("user") == "1001":
        found.pop("forward_ssh")  # the agent answers its owner and root only
    _part_targets(found)
    _part_ports(found)
    if _binds(found):
        _writable_by_all(found)
    if isinstance(found.get("security"), dict) and found["security"].get("read_only"):
        _read_only(found)
    if (
        isinstance(found.get("purpose"), dict)
        and "version" in found["purpose"]
        and found.get("image_source") == "bootstrap"
    ):
        found["purpose"] = "python"  # the distribution has but one version
    return found


def _binds(doc: Doc) -> bool:
    """Say whether the host's directory is the workspace; the purpose `clean` does not want it."""
    return bool(doc.get("mount_cwd", doc.get("purpose") != "clean"))


def _part_targets(doc: dict[str, Any]) -> None:
    targets = set()
    names = set()
    kept = []
    for volume in doc.get("volumes", []):
        name, target = volume.split(":") if isinstance(volume, str) else (volume["name"], volume["container"])
        if name not in names and target not in targets:
            kept.append(volume)
        names.add(name)
        targets.add(target)
    if kept:
        doc["volumes"] = kept
    else:
        doc.pop("volumes", None)


def _part_ports(doc: dict[str, Any]) -> None:
    if isinstance(doc.get("ports"), list) and not doc["ports"]:
        del doc["ports"]


def _writable_by_all(doc: dict[str, Any]) -> None:
    """Drop what a user who does not own the host's directory may not write there."""
    if doc.get("user") == "1001":
        doc["setup_commands"] = [c for c in doc.get("setup_commands", []) if not _writes_at_work(c)]


def _writes_at_work(command: Any) -> bool:
    text = command if isinstance(command, str) else command["run"]
    return text in ("touch made", "write notes.txt by-a-command", "touch built")


def _read_only(doc: dict[str, Any]) -> None:
    """Drop what writes to a root that can only be read."""
    work = doc.get("workspace", "/workspace")
    volumes = [v.split(":")[1] if isinstance(v, str) else v["container"] for v in doc.get("volumes", [])]
    writable = (f"{work}/", *(f"{target}/" for target in volumes))
    doc.pop("dotfiles", None)
    if doc.get("forward_ssh") is True:
        del doc["forward_ssh"]
    doc["config_files"] = {p: c for p, c in doc.get("config_files", {}).items() if p.startswith(writable)}
    doc["setup_commands"] = [
        c for c in doc.get("setup_commands", []) if not (isinstance(c, dict) and "/opt" in c["run"])
    ]
    if not _binds(doc):
        # Nobody makes the account, and so nobody gives it the volume of the workspace.
        doc["setup_commands"] = [c for c in doc["setup_commands"] if not _writes_at_work(c)]
        for repo in doc.get("repos", []):
            repo.pop("install", None)


@st.composite
def docs(draw: st.DrawFn, source: str = "auto") -> Doc:
    """Draw a spec with a handful of keys."""
    chosen = draw(st.lists(st.sampled_from(sorted(KEYS)), max_size=9, unique=True))
    doc = {**draw(START), **{key: draw(KEYS[key]) for key in sorted(chosen)}}
    if "purpose" in doc and source != "auto":
        doc["image_source"] = source
    return sane(doc)


@st.composite
def edited(draw: st.DrawFn, doc: Doc) -> Doc:
    """Draw what a user makes of a spec: a few keys set, changed or taken out."""
    changed = dict(doc)
    for key in draw(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=3, unique=True)):
        if key in changed and draw(st.booleans()):
            del changed[key]
        else:
            changed[key] = draw(KEYS[key])
    return sane(changed)


SEEDS = st.integers(0, 7)


@st.composite
def pairs(draw: st.DrawFn, *, moving: bool = True) -> History:
    """Draw two specs, the second more often than not an edit of the first.

    Args:
        draw: Hypothesis's.
        moving: Whether what outlives the container may be mounted elsewhere by the second. What the first wrote there
            stays in it then, out of reach of what the second knows: history that shows, and may stand in its way.
    """
    source = draw(st.sampled_from(["auto", "auto", "bootstrap", "local"]))
    first = draw(docs(source))
    second = draw(edited(first) if draw(st.integers(0, 3)) else docs(source))
    if any("setup_commands" in doc or ("repos" in doc and _binds(doc)) for doc in (first, second)):
        # What a command made in a volume, and anything on the host, stays its user's, and another may not write to it.
        second = {**second, "user": first.get("user", "host")}
    return History((first, sane(second if moving else _staying(first, second))), draw(SEEDS))


def _staying(first: Doc, second: Doc) -> Doc:
    """Return the second spec with the first one's places for what both mount."""
    found = {**second, "workspace": first.get("workspace", "/workspace")}
    places = {volume_name(v): v for v in first.get("volumes", [])}
    if "volumes" in found:
        found["volumes"] = [places.get(volume_name(v), v) for v in found["volumes"]]
    return found


def volume_name(volume: Any) -> str:
    """Return the name of a volume in either form."""
    return str(volume.split(":")[0] if isinstance(volume, str) else volume["name"])


@st.composite
def singles(draw: st.DrawFn) -> History:
    """Draw one spec."""
    return History((draw(docs(draw(st.sampled_from(["auto", "bootstrap"])))),), draw(SEEDS))
