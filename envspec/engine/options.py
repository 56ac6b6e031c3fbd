"""A container's configuration as the options that python-on-whales takes; pure."""

from __future__ import annotations

from typing import Any

from envspec.engine.capabilities import is_mountable
from envspec.engine.facts import RUN_DIR, STATE_DIR
from envspec.engine.objects import ContainerConfig, Port, together
from envspec.errors import EngineCallFailed, Where

ROOT = "0:0"
"""User of every main process; :data:`envspec.engine.inspect.USER_LABEL` says why, and who the commands run as."""

_TMPFS = {RUN_DIR: "mode=0755", STATE_DIR: "mode=0755", "/tmp": "exec,mode=1777", "/var/tmp": "exec,mode=1777"}


def create_options(config: ContainerConfig) -> dict[str, Any]:
    """Return what python-on-whales takes to create a container of a configuration.

    Raises:
        EngineCallFailed: A path holds a character that the engine's command line cannot carry.
    """
    return {
        "hostname": config.hostname or None,
        "entrypoint": "",
        "user": ROOT,
        "workdir": config.workdir or None,
        "mounts": [
            _mount(mount.type, mount.source, mount.target, read_only=mount.read_only) for mount in config.mounts
        ],
        "tmpfs": [f"{plain(path)}:{_TMPFS.get(path, 'exec,mode=0755')}" for path in config.tmpfs],
        "publish": [_publish(port) for port in config.ports],
        "networks": [config.network],
        "add_hosts": list(config.add_hosts),
        "memory": config.memory,
        "memory_swap": together(config.memory, config.swap),
        "memory_reservation": config.memory_reservation,
        "kernel_memory": config.kernel_memory,
        "cpu_shares": config.cpu_shares,
        "cpuset_cpus": config.cpuset_cpus,
        "cpuset_mems": config.cpuset_mems,
        "blkio_weight": config.blkio_weight,
        "cpus": config.cpus,
        "pids_limit": config.pids,
        "shm_size": config.shm_size,
        "gpus": "all" if config.gpu else None,
        "cap_drop": list(config.cap_drop),
        "cap_add": list(config.cap_add),
        "security_options": list(config.security_opt),
        "read_only": config.read_only,
        "privileged": config.privileged,
        "restart": f"{config.restart}:{config.retries}" if config.retries else config.restart,
        "init": config.init,
        "envs": dict(config.env),
    }


def _mount(kind: str, source: str, target: str, *, read_only: bool) -> list[str]:
    parts = [f"type={kind}", f"source={plain(source)}", f"target={plain(target)}"]
    return [*parts, "ro"] if read_only else parts


def _publish(port: Port) -> tuple[str, str]:
    address = f"[{port.address}]" if ":" in port.address else port.address
    return f"{address}:{port.host}", f"{port.container}/{port.protocol}"


def plain(value: str) -> str:
    """Refuse what would change the meaning of a joined option."""
    if not is_mountable(value):
        raise EngineCallFailed(
            f"the engine's command line cannot carry the path {value!r}",
            code="engine.path",
            hint="use a path without comma, colon, quote and line break",
            where=Where(address=value),
        )
    return value


def quoted(value: str) -> str:
    """Quote a word of a ``LABEL`` instruction."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", " ")
    return f'"{escaped}"'
