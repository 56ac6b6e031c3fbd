"""Where an engine runs beside the host's: namespaces of its own for network, mounts and processes.

In it ``/usr`` is the suite's and all else the host's, so that binds, the checkout and its Python keep working; what an
engine keeps on disk, its settings and its sockets are private. Its processes end with its first one, come what may.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.engines.catalogue import Tested
from tests.engines.roots import cache

ENTER = Path(__file__).with_name("enter")
BOOT = Path(__file__).with_name("boot")
NETWORK = "10.79.{number}"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
RESOLVERS = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@contextmanager
def enclosure(tested: Tested, root: Path) -> Iterator[list[str]]:
    """Make an enclosure, and give the words before a command that runs in it; all of it is gone afterwards.

    Args:
        tested: The engine to run in it.
        root: Root filesystem whose ``/usr`` it has.
    """
    with ExitStack() as held:
        state = held.enter_context(private_state(tested))
        _fill(tested, root, state)
        held.enter_context(network(tested))
        held.callback(_remove_cgroups, tested)
        yield [*namespaces(tested), "sh", str(ENTER), str(root), str(state)]


@contextmanager
def machine(tested: Tested, root: Path) -> Iterator[tuple[list[str], Path]]:
    """Make an enclosure that has nothing of the host's but its kernel, as a machine that was set up a moment ago.

    Args:
        tested: What it is called; its network.
        root: Root filesystem that it has a copy of.

    Yields:
        The words before a command that runs in it, and a directory that it sees as ``/srv``.
    """
    with ExitStack() as held:
        state = held.enter_context(private_state(tested))
        (state / "srv").mkdir()
        (state / "resolv.conf").write_text(_resolvers())
        held.enter_context(network(tested))
        held.callback(_remove_cgroups, tested)
        yield [*namespaces(tested), "sh", str(BOOT), str(root), str(state), tested.enclosure], state / "srv"


def namespaces(tested: Tested) -> list[str]:
    """Return the words before a command that runs in namespaces of its own, and whose end is that of all in them."""
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "slave"]
    return ["nsenter", f"--net=/run/netns/{tested.enclosure}", *own]


@contextmanager
def private_state(tested: Tested) -> Iterator[Path]:
    """Give an empty directory for what the engine keeps, which nobody else has while this runs."""
    state = cache() / "state" / tested.name
    state.parent.mkdir(parents=True, exist_ok=True)
    with state.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        try:
            yield state
        finally:
            shutil.rmtree(state, ignore_errors=True)


def _fill(tested: Tested, root: Path, state: Path) -> None:
    """Make what is put over the host's: empty stores, and settings."""
    for name in ("docker", "containers", "home"):
        (state / name).mkdir(parents=True)
    settings = state / "settings"
    shutil.copytree(root / "etc/containers", settings / "containers", symlinks=True)
    (settings / "containers/containers.conf").write_text(tested.podman)
    (settings / "cgroup2").write_text("yes" if tested.without else "")
    (settings / "docker").mkdir()
    (settings / "docker/daemon.json").write_text(tested.settings)
    (settings / "resolv.conf").write_text(_resolvers())


def _resolvers() -> str:
    return next(path for path in map(Path, RESOLVERS) if path.is_file()).read_text()


@contextmanager
def network(tested: Tested) -> Iterator[None]:
    """Make a network namespace that reaches what the host reaches."""
    name, net = tested.enclosure, NETWORK.format(number=tested.number)
    uplink = _uplink()
    rules = (
        ("nat", "POSTROUTING", "-s", f"{net}.0/24", "-o", uplink, "-j", "MASQUERADE"),
        ("filter", "FORWARD", "-i", _link(tested), "-j", "ACCEPT"),
        ("filter", "FORWARD", "-o", _link(tested), "-j", "ACCEPT"),
    )
    _forget(tested, rules)  # what a run that was killed left behind
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", _link(tested), "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "address", "add", f"{net}.1/24", "dev", _link(tested))
        _run("ip", "link", "set", _link(tested), "up")
        for words in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{net}.2/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", "default", "via", f"{net}.1"),
        ):
            _run("ip", "-netns", name, *words)
        if FORWARDING.read_text().strip() != "1":
            FORWARDING.write_text("1")
        for table, chain, *rule in rules:
            _run("iptables", "-w", "-t", table, "-I", chain, *rule)
        yield
    finally:
        _forget(tested, rules)


def _forget(tested: Tested, rules: Sequence[Sequence[str]]) -> None:
    for table, chain, *rule in rules:
        while _try("iptables", "-w", "-t", table, "-D", chain, *rule):
            pass
    _try("ip", "link", "delete", _link(tested))
    _try("ip", "netns", "delete", tested.enclosure)


def _link(tested: Tested) -> str:
    return f"evt-{tested.number}"


def _uplink() -> str:
    found = re.search(r"\bdev (\S+)", _run("ip", "-4", "route", "show", "default"))
    if found is None:
        raise SystemExit("this host has no default route, so an engine beside its own reaches no packages")
    return found[1]


def _remove_cgroups(tested: Tested) -> None:
    """Remove the cgroups of containers that were killed with the enclosure, deepest first."""
    for top in (*Path("/sys/fs/cgroup").glob(tested.enclosure), *Path("/sys/fs/cgroup").glob(f"*/{tested.enclosure}")):
        for directory, _, _ in os.walk(top, topdown=False):
            Path(directory).rmdir()


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def _try(*words: str) -> bool:
    return subprocess.run(words, check=False, capture_output=True).returncode == 0
